"""A sample of ONNX's own node tests: none is wrong; `softex bench onnx` runs them all."""

from __future__ import annotations

import pytest

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.conformance import collect, outcomes, tables

MACHINE = Machine.load("paper")
CASES = collect()
STEP, SIMULATED = 31, 311


def run(step, first, *, simulate):
    found = list(outcomes(CASES[first::step], MACHINE, simulate=simulate))
    assert [outcome for outcome in found if outcome.verdict == "wrong"] == []
    return found


@pytest.mark.filterwarnings("ignore")
def test_evaluator():
    found = run(STEP, 0, simulate=False)
    assert sum(outcome.verdict == "passed" for outcome in found) > 10
    assert tables(found)[0].rows[0][0] == "passed"


@pytest.mark.filterwarnings("ignore")
def test_programs():
    run(SIMULATED, 5, simulate=True)
