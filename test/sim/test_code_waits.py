"""Every wait of a program is one without which the race detector, a fault or wrong bits show, or
one that the core never needs: it knows by other waits what this one would tell it."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest
from sampling import matrix

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.isa_sim.diagnosis import SimulationFault
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.program import Program

sys.path.insert(0, str(Path(__file__).parent))
from code_waits import that_never_sleeps, waits, without

MODELS = ("demo-vit", "demo-bert", "demo-gpt2")
PARTS = 64
MOST_CYCLES = 5_000_000


@cache
def program(name: str) -> Program:
    return Compilation.of(BUILTIN[name](), Machine.load("paper")).program()


def is_found(mutant: Program) -> bool:
    """Whether a run shows that something is missing."""
    try:
        return bool(session.run(mutant, sanitize=True, max_cycles=MOST_CYCLES).run.races)
    except SimulationFault:
        return True


@matrix("name, part", [(name, part) for name in MODELS for part in range(PARTS)], 1)
def test_a_missing_wait_shows_or_the_wait_is_redundant(name: str, part: int):
    whole = program(name)
    found = list(waits(whole))
    assert len(found) > 100
    for wait in found[part::PARTS]:
        if is_found(without(whole, wait)):
            continue
        # The detector shows a core the oldest state it may see: what suffices then always does.
        never = session.run(that_never_sleeps(whole, wait), sanitize=True, max_cycles=MOST_CYCLES)
        assert never.run.races == ()


def test_a_wait_that_is_needed_is_no_redundant_one():
    whole = program("demo-bert")
    needed = next(wait for wait in waits(whole) if is_found(without(whole, wait)))
    with pytest.raises(SimulationFault, match="illegal"):
        session.run(that_never_sleeps(whole, needed), sanitize=True, max_cycles=MOST_CYCLES)
