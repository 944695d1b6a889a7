"""RedMulE's products on another host core: the same run on any number of them, or on none."""

from __future__ import annotations

import os

import numpy as np
import pytest

from softex_mlir.compiler import models
from softex_mlir.compiler.driver import Compilation
from softex_mlir.isa_sim import cluster_run
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.records import JobRecord
from softex_mlir.runtime import session
from softex_mlir.runtime.program import Program


@pytest.fixture(scope="module")
def program() -> Program:
    return Compilation.of(models.BUILTIN["demo-vit"](), Machine.load("paper")).program()


@pytest.mark.parametrize("host_cores", [1, 2])
def test_same_run(program: Program, monkeypatch: pytest.MonkeyPatch, host_cores: int):
    monkeypatch.setattr(cluster_run, "WORTH_IT", 1 << 60)
    expected = session.run(program)
    monkeypatch.setattr(cluster_run, "WORTH_IT", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(host_cores)), raising=False)
    found = session.run(program)
    for name, bits in expected.outputs.items():
        np.testing.assert_array_equal(bits.view(np.uint16), found.outputs[name].view(np.uint16))
    for log in ("jobs", "transfers", "steps", "sleeps"):
        np.testing.assert_array_equal(getattr(expected.run, log), getattr(found.run, log))
    assert found.run.warnings == expected.run.warnings


def test_who_watches_jobs_sees_their_results(program: Program, monkeypatch: pytest.MonkeyPatch):
    seen: dict[int, list[JobRecord]] = {}
    for threshold in (0, 1 << 60):
        monkeypatch.setattr(cluster_run, "WORTH_IT", threshold)
        session.run(program, jobs=seen.setdefault(threshold, []).append)
    assert seen[0] == seen[1 << 60]
