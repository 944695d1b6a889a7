"""Waits of a program's machine code, taken out one by one.

A core waits in a loop: it loads a counter or an identifier, a branch leaves the loop if that is
far enough, else the core sleeps (`cv.elw`) and jumps back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from softex_mlir.isa_sim.isa.encoding import decode, encode
from softex_mlir.runtime.program import Program


@dataclass(frozen=True)
class Wait:
    """A loop of a wait: addresses of its branch and of the sleep behind it."""

    branch: int
    sleep: int


def waits(program: Program) -> Iterator[Wait]:
    """All waits in a program's code, by address."""
    for segment in program.segments:
        if not segment.executable:
            continue
        words = [
            int.from_bytes(segment.data[at : at + 4], "little")
            for at in range(0, len(segment.data) - 3, 4)
        ]
        for place in range(1, len(words) - 1):
            if _name(words[place]) != "cv.elw" or _name(words[place + 1]) != "jal":
                continue
            if _name(words[place - 1]).startswith("b"):
                address = segment.address + 4 * place
                yield Wait(address - 4, address)


def without(program: Program, wait: Wait) -> Program:
    """The program that never waits there: the branch is always taken."""
    word = int.from_bytes(_bytes(program, wait.branch), "little")
    decoded = decode(word)
    assert decoded is not None
    jump = encode("jal", {"rd": 0, "imm": decoded.operands["imm"]})
    return _patched(program, wait.branch, jump)


def that_never_sleeps(program: Program, wait: Wait) -> Program:
    """The program that stops with an illegal instruction if it ever has to wait there."""
    return _patched(program, wait.sleep, 0)


def _name(word: int) -> str:
    decoded = decode(word) if word & 3 == 3 else None
    return "" if decoded is None else decoded.instruction.name


def _bytes(program: Program, address: int) -> bytes:
    for segment in program.segments:
        if segment.address <= address < segment.address + len(segment.data):
            at = address - segment.address
            return segment.data[at : at + 4]
    raise ValueError(f"no code at 0x{address:08x}")


def _patched(program: Program, address: int, word: int) -> Program:
    """A program with another instruction; the code of a segment lies in its file once."""
    [segment] = [s for s in program.segments if s.address <= address < s.address + len(s.data)]
    at = program.elf.find(segment.data) + address - segment.address
    return Program.from_bytes(program.elf[:at] + word.to_bytes(4, "little") + program.elf[at + 4 :])
