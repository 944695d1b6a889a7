"""Instruction words to rows, compiled; what a row consists of is :mod:`.decode_plan`'s."""

from __future__ import annotations

from typing import Any

from softex_mlir.isa_sim.core import decode_plan as p
from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.jit import njit


@njit(cache=True)
def decode_words(
    plan: Any, memory: Any, first: int, start: int, end: int, in_order: bool, code: Any
) -> int:
    """Write the rows of ``code`` from ``start`` to ``end``, in bytes behind ``memory[first]``.

    ``in_order``: instruction after instruction, up to the first that is decoded already; otherwise
    one at every halfword. Returns where it stopped.
    """
    at = start
    while at < end:
        row = code[op.ROW * (at >> 1) : op.ROW * (at >> 1) + op.ROW]
        if in_order and row[op.W_FIELDS] != op.UNDECODED:
            break
        word = _halfword(memory, first + at)
        length = 2
        if word & 3 == 3:
            length = 4
            word |= _halfword(memory, first + at + 2) << 16
        number = _find(plan, word)
        if number < 0:
            row[op.W_FIELDS] = op.ILLEGAL | length << op.LENGTH_SHIFT
            row[op.W_IMMEDIATE], row[op.W_SOURCES] = 0, 0
        else:
            _write_row(plan.lines[number], plan.pieces[number], word, row)
        row[op.W_RAW] = word
        at += length if in_order else 2
    return at


@njit(cache=True)
def _halfword(memory: Any, at: int) -> int:
    """Two bytes; zeros behind the end of memory."""
    low = int(memory[at]) if at < memory.size else 0
    high = int(memory[at + 1]) if at + 1 < memory.size else 0
    return low | high << 8


@njit(cache=True)
def _find(plan: Any, word: int) -> int:
    """The line of a word's instruction, -1 if it is none."""
    bucket = word & 0x7F if word & 3 == 3 else word & 3 | (word >> 13 & 7) << 7
    lines = plan.lines
    for number in range(plan.first[bucket], plan.first[bucket + 1]):
        if word & lines[number, p.MASK] != lines[number, p.MATCH]:
            continue
        if not (
            _is_excluded(word, lines[number, p.EXCLUDED_MASK], lines[number, p.EXCLUDED_VALUE])
            or _is_excluded(word, lines[number, p.OTHER_MASK], lines[number, p.OTHER_VALUE])
        ):
            return number
    return -1


@njit(cache=True)
def _is_excluded(word: int, mask: int, value: int) -> bool:
    return mask != 0 and word & mask == value


@njit(cache=True)
def _write_row(line: Any, pieces: Any, word: int, row: Any) -> None:
    rd = (word >> line[p.RD] & line[p.RD + 1]) + line[p.RD + 2]
    rs1 = (word >> line[p.RS1] & line[p.RS1 + 1]) + line[p.RS1 + 2]
    rs2 = (word >> line[p.RS2] & line[p.RS2 + 1]) + line[p.RS2 + 2]
    rs3 = (word >> line[p.RS3] & line[p.RS3 + 1]) + line[p.RS3 + 2]
    sources = _bit(line[p.RD_SOURCE], rd) | _bit(line[p.RS1_SOURCE], rs1)
    sources |= _bit(line[p.RS2_SOURCE], rs2) | _bit(line[p.RS3_SOURCE], rs3)
    low = _gather(pieces[p.LOW], word, line[p.LOW_SIGN]) + line[p.LOW_BASE]
    high = _gather(pieces[p.HIGH], word, line[p.HIGH_SIGN]) + line[p.HIGH_BASE]
    immediate = low << line[p.LOW_SHIFT] & line[p.LOW_MASK] | high << 32
    fields = line[p.FIELDS] | (word >> 12 & line[p.RM_MASK]) << op.RM_SHIFT
    if line[p.POST] and rs1 == 0:  # x0 stays what it is
        fields &= ~(3 << op.MODE_SHIFT)
        immediate = 0
    if line[p.DESTINATION] == p.TO_X and rd != 0:
        fields |= op.FLAG_WRITES_X
    elif line[p.DESTINATION] != p.TO_F:
        rd = op.DISCARD
    fields |= rd << op.RD_SHIFT | rs1 << op.RS1_SHIFT | rs2 << op.RS2_SHIFT | rs3 << op.RS3_SHIFT
    row[op.W_FIELDS] = fields | op.COLD
    row[op.W_IMMEDIATE] = immediate
    row[op.W_SOURCES] = sources & ~1


@njit(cache=True)
def _bit(first: int, register: int) -> int:
    """The bit of a register among the sources; ``first`` is register 0's, -1 if it is not read."""
    return 0 if first < 0 else 1 << (first + register)


@njit(cache=True)
def _gather(pieces: Any, word: int, sign: int) -> int:
    """The value that lies in pieces; ``sign`` is its sign bit, 0 if it has none."""
    value = 0
    for number in range(pieces.shape[0]):
        mask = pieces[number, 1]
        if mask == 0:
            break
        value |= (word >> pieces[number, 0] & mask) << pieces[number, 2]
    return value - 2 * (value & sign)
