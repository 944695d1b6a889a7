"""A run's logs are complete, disjoint where they must be, and add up to the totals."""

from functools import cache

import numpy as np
import pytest

from softex_mlir.front_door import compile
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.records import RunResult
from softex_mlir.isa_sim.units import registry
from softex_mlir.runtime import session


@cache
def recorded(model: str) -> RunResult:
    return session.run(compile(model), functional=False).run


@pytest.mark.parametrize("model", ["demo-vit", "demo-gpt2"])
def test_jobs_of_a_unit_are_disjoint_and_add_up_to_its_busy_cycles(model):
    run = recorded(model)
    for number, unit in enumerate(registry.units_of(Machine.load())):
        jobs = run.jobs[run.jobs["unit"] == number]
        assert (jobs["start"][1:] >= jobs["end"][:-1]).all()
        assert (jobs["acquired"] < jobs["triggered"]).all()
        assert (jobs["triggered"] <= jobs["start"]).all()
        assert (jobs["end"] - jobs["start"]).sum() == run.busy[unit.name]
        for context in (0, 1):
            mine = jobs[jobs["context"] == context]
            assert (mine["acquired"][1:] >= mine["end"][:-1]).all(), "a context holds one job"


@pytest.mark.parametrize("model", ["demo-vit", "demo-gpt2"])
def test_sleeps_of_a_core_are_disjoint_and_add_up(model):
    run = recorded(model)
    for core, active in enumerate(run.core_active):
        sleeps = run.sleeps[run.sleeps["core"] == core]
        assert (sleeps["start"][1:] >= sleeps["end"][:-1]).all()
        assert (sleeps["end"] - sleeps["start"]).sum() == run.cycles - active


@pytest.mark.parametrize("model", ["demo-vit", "demo-gpt2"])
def test_what_cores_spend_grows_to_the_totals(model):
    run = recorded(model)
    for stream in np.unique(run.steps["stream"]):
        steps = run.steps[run.steps["stream"] == stream]
        for name in ("instructions", "stalls", "tcdm_accesses", "l2_accesses"):
            assert (np.diff(steps[name]) >= 0).all()
    assert run.core_spent[:, 0].sum() == run.counters.instructions
    assert (run.core_spent[:, 1] + run.core_spent[:, 3] == run.core_stalls).all()
