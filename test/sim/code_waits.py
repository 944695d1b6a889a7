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
    """A loop of a wait, by the address of the branch that leaves it."""

    branch: int


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
                yield Wait(segment.address + 4 * (place - 1))


def without(program: Program, wait: Wait) -> Program:
    """The program that never waits there: the branch is always taken."""
    address = wait.branch
    [segment] = [s for s in program.segments if s.address <= address < s.address + len(s.data)]
    inside = address - segment.address
    decoded = decode(int.from_bytes(segment.data[inside : inside + 4], "little"))
    assert decoded is not None
    jump = encode("jal", {"rd": 0, "imm": decoded.operands["imm"]}).to_bytes(4, "little")
    at = program.elf.find(segment.data) + inside  # a segment's data lies in its file once
    return Program.from_bytes(program.elf[:at] + jump + program.elf[at + 4 :])


def _name(word: int) -> str:
    decoded = decode(word) if word & 3 == 3 else None
    return "" if decoded is None else decoded.instruction.name
