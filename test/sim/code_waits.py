"""Waits of a program, taken out one by one: of its machine code, of single launches.

A core waits in a loop: it loads a counter or an identifier, a branch leaves the loop if that is
far enough, else the core sleeps (`cv.elw`) and jumps back. What a launch waits for is in its record
of the launch table: the counters' values before it, and those that it needs in particular.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from softex_mlir import abi
from softex_mlir.isa_sim.isa.encoding import decode, encode
from softex_mlir.runtime.program import Program

AWAITED = ("acquire_", "depend_", "z_free")
"""How the arguments of kernels begin that are values of counters."""


@dataclass(frozen=True)
class Wait:
    """A loop of a wait: its first instruction and the branch that leaves it."""

    first: int
    branch: int

    @property
    def looks(self) -> range:
        """Addresses of the loads that look whether the wait is over."""
        return range(self.first, self.branch, 4)


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
                at = segment.address + 4 * place
                yield Wait(at + 4 + _jump(words[place + 1]), at - 4)


def without(program: Program, wait: Wait) -> Program:
    """The program that never waits there: the branch is always taken."""
    place = _place(program, wait.branch)
    word = int.from_bytes(program.elf[place : place + 4], "little")
    return _with_word(program, place, encode("jal", {"rd": 0, "imm": _jump(word)}))


def awaited_values(program: Program) -> Iterator[int]:
    """Addresses of the words of launch records that say how far a counter has to be."""
    for launch in program.metadata["launches"]:
        first = launch["record_address"]
        for word, value in enumerate(launch["bases"], abi.BASE_WORD):
            if value:
                yield first + 4 * word
        for word, (name, value) in enumerate(launch["args"].items(), abi.ARGUMENT_WORD):
            if value and name.startswith(AWAITED):
                yield first + 4 * word


def with_zero(program: Program, address: int) -> Program:
    """The program with a word of its launch table 0: a launch never waits for this value."""
    return _with_word(program, _place(program, address), 0)


def _place(program: Program, address: int) -> int:
    """Where in its file the word at an address lies; a segment's data lies there once."""
    [segment] = [s for s in program.segments if s.address <= address < s.address + len(s.data)]
    return program.elf.find(segment.data) + address - segment.address


def _with_word(program: Program, place: int, word: int) -> Program:
    elf = program.elf
    return Program.from_bytes(elf[:place] + word.to_bytes(4, "little") + elf[place + 4 :])


def _jump(word: int) -> int:
    decoded = decode(word)
    assert decoded is not None
    return decoded.operands["imm"]


def _name(word: int) -> str:
    decoded = decode(word) if word & 3 == 3 else None
    return "" if decoded is None else decoded.instruction.name
