"""What the row of each instruction consists of, as numbers that compiled code goes through.

Made once from the instruction table: a line an instruction, sorted so that the candidates for a
word lie side by side.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.isa.encoding import INSTRUCTIONS, Instruction, bucket_of, candidates
from softex_mlir.isa_sim.isa.formats import Field

(
    MATCH, MASK, EXCLUDED_MASK, EXCLUDED_VALUE, OTHER_MASK, OTHER_VALUE,
    FIELDS, RM_MASK, DESTINATION, POST,
    RD, _1, _2, RS1, _3, _4, RS2, _5, _6, RS3, _7, _8,
    RD_SOURCE, RS1_SOURCE, RS2_SOURCE, RS3_SOURCE,
    LOW_BASE, LOW_SIGN, LOW_SHIFT, LOW_MASK, HIGH_BASE, HIGH_SIGN, COLUMNS,
) = range(33)  # fmt: skip
"""Columns of a line.

``EXCLUDED_*``, ``OTHER_*``: bits of the word and the value they must not have (mask 0: any).
``FIELDS``: what is the same in all rows. ``RM_MASK``: 7 if the word has a rounding mode.
``DESTINATION``: one of the kinds below. ``POST``: 1 if the base register is incremented.
``RD``, ``RS1``, ``RS2``, ``RS3``: shift, mask and base of the register, three columns each.
``*_SOURCE``: the bit of its register 0 among the sources, -1 if it is not read.
``LOW_*``, ``HIGH_*``: base, sign bit (0: none), shift and mask of the two halves of the immediate.
"""

NOWHERE, TO_X, TO_F = range(3)
"""Kinds of destination."""

_PIECES = 9
LOW, HIGH = 0, 1

_MODES = {
    "PLOAD": op.MODE_POST_IMMEDIATE, "PSTORE": op.MODE_POST_IMMEDIATE,
    "PLOADR": op.MODE_POST_REGISTER, "PSTORER": op.MODE_POST_REGISTER,
    "LOADR": op.MODE_REGISTER, "STORER": op.MODE_REGISTER,
}  # fmt: skip
_SIZES = {"b": 1, "h": 2, "w": 4}
_LOOPS_AND_PAIRS = ("HLC", "HLS", "HLSI", "RII", "BIMM", "HLI", "HLR")
_X_SOURCE_FLOATS = frozenset(
    (op.FCVT_F_W, op.FCVT_F_WU, op.HCVT_F_W, op.HCVT_F_WU, op.FMV_W_X, op.FMV_H_X)
)


class RowPlan(NamedTuple):
    """``lines`` int64[n, COLUMNS]; ``pieces`` int64[n, 2, 9, 3] are (position in the word, mask,
    position in the value) of both halves of the immediate; ``first`` int64[n + 1] is where the
    candidates of a bucket start in them."""

    lines: NDArray[np.int64]
    pieces: NDArray[np.int64]
    first: NDArray[np.int64]


@cache
def plan() -> RowPlan:
    """The plan of the whole instruction table."""
    rows = [row for bucket in range(1024) for row in candidates(bucket)]
    lines = np.zeros((len(rows), COLUMNS), np.int64)
    pieces = np.zeros((len(rows), 2, _PIECES, 3), np.int64)
    for line, parts, row in zip(lines, pieces, rows, strict=True):
        _fill(line, parts, row)
    counts = np.bincount([bucket_of(row.match) for row in rows], minlength=1024)
    return RowPlan(lines, pieces, np.concatenate(([0], np.cumsum(counts))).astype(np.int64))


Operands = dict[str, Field | int]
"""Where the operands of an expanded instruction lie in the word, or the number they are."""


def _fill(line: NDArray[np.int64], pieces: NDArray[np.int64], row: Instruction) -> None:
    expanded, operands = _expand(row)
    line[MATCH], line[MASK] = row.match, row.mask
    for column, (key, value) in zip((EXCLUDED_MASK, OTHER_MASK), row.excluded, strict=False):
        field = row.layout.fields[key]
        line[column : column + 2] = field.mask, field.insert(value)
    line[FIELDS] = _fields(expanded) | row.length << op.LENGTH_SHIFT
    line[RM_MASK] = 7 if "rm" in operands else 0
    if "rd" in operands and expanded.klass != "store":
        line[DESTINATION] = TO_F if "rd" in expanded.float_operands else TO_X
    line[POST] = expanded.format in ("PLOAD", "PSTORE", "PLOADR", "PSTORER")
    _registers(line, expanded, operands)
    _immediate(line, pieces, expanded, operands)


def _expand(row: Instruction) -> tuple[Instruction, Operands]:
    """The 32-bit instruction a row stands for, its operands where they lie in the row's word."""
    fields = row.layout.fields
    if row.expansion is None:
        return row, dict(fields)
    name, sources = row.expansion
    return INSTRUCTIONS[name], {
        key: fields[source] if source in fields else int(source) for key, source in sources
    }


def _fields(row: Instruction) -> int:
    """What the first word of all rows of a 32-bit instruction has in common."""
    operation = op.OPERATIONS[row.name]
    floats = row.float_operands
    fields = operation
    if row.klass in ("load", "store", "event"):
        kind = row.mnemonic.removeprefix("cv.").lstrip("f")
        size = 4 if row.klass == "event" else _SIZES[kind[1]]
        if row.klass == "load" and not kind.endswith("u"):
            fields |= op.FLAG_SIGNED
        fields |= size << op.SIZE_SHIFT
        fields |= _MODES.get(row.format, op.MODE_OFFSET) << op.MODE_SHIFT
        if "rd" in floats or "rs2" in floats:
            fields |= op.FLAG_FLOAT
    elif operation >= op.FLOAT_FIRST:
        fields |= op.FLAG_FLOAT if "rd" in floats else 0
        fields |= op.FLAG_SIGNED if operation in _X_SOURCE_FLOATS else 0
        fields |= op.FLAG_REPLICATE if ".r." in row.name else 0
        fields |= {"fdiv": 1, "fsqrt": 2}.get(row.latency, 0) << op.SIZE_SHIFT
        if "rm" not in row.layout.fields:
            fields |= _rounding(row.name) << op.RM_SHIFT
    return fields


def _rounding(name: str) -> int:
    """The rm of operations that have none: they round dynamically only where they can round."""
    stem = name.removeprefix("v").removesuffix(".ah").removesuffix(".r").removesuffix(".s")
    exact = ("fsgnj", "fmin", "fmax", "feq", "fne", "flt", "fle", "fgt", "fge", "fclass", "fmv")
    if name == "fcvt.s.ah" or not name.endswith((".ah", ".ah.s", ".ah.w", ".ah.wu")):
        return 0
    return 0 if stem.startswith(exact) else 7


def _registers(line: NDArray[np.int64], row: Instruction, operands: Operands) -> None:
    line[RD_SOURCE : RS3_SOURCE + 1] = -1
    read = ["rs1", "rs2", "rs3", *(["rd"] if row.reads_destination else [])]
    columns = {"rd": RD, "rs1": RS1, "rs2": RS2, "rs3": RS3}
    sources = {"rd": RD_SOURCE, "rs1": RS1_SOURCE, "rs2": RS2_SOURCE, "rs3": RS3_SOURCE}
    for key, column in columns.items():
        if key not in operands:
            continue
        line[column : column + 3] = _place(operands[key])
        if key in read:
            line[sources[key]] = 32 if key in row.float_operands else 0
    # The interpreter takes a third operand from one place.
    if row.reads_destination:
        line[RS3 : RS3 + 3] = line[RD : RD + 3]
    elif row.format in ("PLOADR", "LOADR"):
        line[RS3 : RS3 + 3] = line[RS2 : RS2 + 3]
    elif "loop" in operands:
        line[RS3 : RS3 + 3] = _place(operands["loop"])


def _place(operand: Field | int) -> tuple[int, int, int]:
    """Shift, mask and base of a register or a number that lies in one piece."""
    if isinstance(operand, int):
        return 0, 0, operand
    ((high, low, position),) = operand.pieces
    return position, (1 << high - low + 1) - 1, operand.base


def _immediate(
    line: NDArray[np.int64], pieces: NDArray[np.int64], row: Instruction, operands: Operands
) -> None:
    low, high = operands.get("imm", 0), operands.get("count", 0)
    line[LOW_MASK] = -1
    if "csr" in operands:
        low, high = operands["csr"], low
    elif row.format in _LOOPS_AND_PAIRS:
        line[LOW_MASK] = 0xFFFFFFFF
    elif row.name in ("lui", "auipc"):
        line[LOW_SHIFT], line[LOW_MASK] = 12, 0xFFFFFFFF
    for half, operand, base, sign in (
        (LOW, low, LOW_BASE, LOW_SIGN),
        (HIGH, high, HIGH_BASE, HIGH_SIGN),
    ):
        if isinstance(operand, int):
            line[base] = operand
            continue
        line[sign] = 1 << operand.bits - 1 if operand.kind == "s" else 0
        for place, (top, bottom, position) in zip(pieces[half], operand.pieces, strict=False):
            place[:] = position, (1 << top - bottom + 1) - 1, bottom
