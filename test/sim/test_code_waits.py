"""Every wait of a program: its lack shows, or is proved to change nothing whatever the timing.

The lack shows in the race detector or as a fault. The proof is another piece of code
(`happens_before`): what the run without the wait accesses is ordered all the same, by other waits
or because a device works in order.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from sampling import matrix

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.isa_sim.diagnosis import SimulationFault
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.program import Program

sys.path.insert(0, str(Path(__file__).parent))
from code_waits import awaited_values, waits, with_zero, without
from happens_before import Order, trace

MODELS = ("demo-vit", "demo-bert", "demo-gpt2")
PARTS = 64
CASES = [(name, part) for name in MODELS for part in range(PARTS)]
MOST_CYCLES = 5_000_000
MACHINE = Machine.load("paper")


@cache
def program(name: str) -> Program:
    return Compilation.of(BUILTIN[name](), MACHINE).program()


@cache
def order(name: str) -> Order:
    return trace(program(name), MACHINE)[0]


def shows(mutant: Program) -> bool:
    """Whether a run under the race detector shows that something is missing."""
    try:
        return bool(session.run(mutant, sanitize=True, max_cycles=MOST_CYCLES).run.races)
    except SimulationFault:
        return True


def is_ordered(mutant: Program) -> bool:
    """Whether all that a run accesses is ordered, by what this run waits for."""
    return trace(mutant, MACHINE)[0].unordered() == []


@matrix("name", MODELS, 1)
def test_whole_programs_are_ordered(name: str):
    assert order(name).unordered() == []


@matrix("name, part", CASES, 1)
def test_a_missing_wait_shows_or_is_redundant(name: str, part: int):
    found = list(waits(program(name)))
    assert len(found) > 100
    for wait in found[part::PARTS]:
        mutant = without(program(name), wait)
        shown = shows(mutant)
        proved = order(name).unordered(wait.looks) == []
        assert not (shown and proved), f"alarm at {wait.branch:#x}"
        assert shown or proved or is_ordered(mutant), hex(wait.branch)


@matrix("name, part", CASES, 1)
def test_a_launch_that_does_not_wait_shows_or_is_redundant(name: str, part: int):
    found = list(awaited_values(program(name)))
    assert len(found) > PARTS
    for address in found[part::PARTS]:
        mutant = with_zero(program(name), address)
        assert shows(mutant) or is_ordered(mutant), hex(address)
