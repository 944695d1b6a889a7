"""Every wait of a program's machine code: its lack shows, or changes nothing whatever the timing.

The race detector shows a core the oldest state that it may see. Where nothing is unordered then,
nothing is in any run: another wait says as much, or a device works in order. That the bits stay the
same with effects at the end of jobs and transfers is a second witness.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Literal

from sampling import matrix

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.isa_sim.diagnosis import SimulationFault
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.program import Program

sys.path.insert(0, str(Path(__file__).parent))
from code_waits import waits, without

MODELS = ("demo-vit", "demo-bert", "demo-gpt2")
PARTS = 64
MOST_CYCLES = 5_000_000


@cache
def program(name: str) -> Program:
    return Compilation.of(BUILTIN[name](), Machine.load("paper")).program()


@cache
def outputs(name: str) -> dict[str, bytes]:
    return bits(program(name), "early")


def bits(mutant: Program, effects: Literal["early", "late"]) -> dict[str, bytes]:
    result = session.run(mutant, effects=effects, max_cycles=MOST_CYCLES)
    return {key: array.tobytes() for key, array in result.outputs.items()}


def shows(mutant: Program) -> bool:
    """Whether a run under the race detector shows that something is missing."""
    try:
        return bool(session.run(mutant, sanitize=True, max_cycles=MOST_CYCLES).run.races)
    except SimulationFault:
        return True


@matrix("name, part", [(name, part) for name in MODELS for part in range(PARTS)], 1)
def test_a_missing_wait_shows_or_changes_nothing(name: str, part: int):
    found = list(waits(program(name)))
    assert len(found) > 100
    for wait in found[part::PARTS]:
        mutant = without(program(name), wait)
        assert shows(mutant) or bits(mutant, "late") == outputs(name), hex(wait.branch)
