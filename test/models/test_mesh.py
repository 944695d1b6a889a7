"""Models divided between clusters: the programs of all clusters have the bits of one cluster's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from sampling import matrix

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.mesh.division import Division, Grid, MeshPhase, grids
from softex_mlir.compiler.mesh.noc import Noc
from softex_mlir.compiler.mesh.plan import Planner
from softex_mlir.compiler.mesh.steps import ModelSteps
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.llama import llama
from softex_mlir.compiler.models.text import gpt2
from softex_mlir.compiler.models.vit import vit
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.mesh.check import compare
from softex_mlir.runtime.mesh.study import MeshStudy


def small_vit() -> Model:
    return vit(image=48, patch=8, hidden=64, layers=1, heads=2, classes=10)


def two_images() -> Model:
    return vit(image=16, patch=8, hidden=64, layers=1, heads=2, classes=10, batch=2)


def shared_heads() -> Model:
    return llama(
        "llama", tokens=30, hidden=64, layers=1, heads=4, key_heads=2, mlp=96, vocabulary=50
    )


def causal() -> Model:
    return gpt2("gpt2", tokens=60, hidden=48, layers=1, heads=3, vocabulary=50)


def planner_of(compilation: Compilation) -> Planner:
    return Planner(Division(ModelSteps(compilation.model, compilation.machine)))


@matrix(
    "build, accuracy, grid",
    [
        (small_vit, None, Grid(2, 1)),
        (shared_heads, None, Grid(1, 2)),
        (two_images, "balanced", Grid(2, 2)),
        (small_vit, "balanced", Grid(1, 2)),
        (two_images, None, Grid(2, 1)),
        (shared_heads, None, Grid(2, 2)),
        (causal, None, Grid(2, 1)),
    ],
    2,
)
def test_two_clusters_have_the_bits_of_one(
    build: Callable[[], Model], accuracy: str | None, grid: Grid
):
    compilation = Compilation.of(build(), accuracy=accuracy)
    planner, noc = planner_of(compilation), Noc(grid.rows * grid.columns)
    phases = planner.plan(noc, grid)
    assert any(planner.division.parts(phase, (0, 1)) for phase in phases) == (grid.columns > 1)
    assert any(planner.division.parts(phase, (1, 0)) for phase in phases) == (grid.rows > 1)
    found = compare(compilation, planner.division, phases, noc)
    assert found.identical
    assert found.programs > len(phases)


@pytest.mark.parametrize("build", [small_vit, two_images, shared_heads])
def test_parts_make_up_the_whole_once(build: Callable[[], Model]):
    compilation = Compilation.of(build())
    planner = planner_of(compilation)
    steps, count = planner.steps, len(planner.steps.operations)
    for grid in grids(12):
        for place in range(count):
            phase = MeshPhase(place, place + 1, grid)
            covered = {
                value: np.zeros(t.shape_of(value), int) for value in steps.wanted(place, place + 1)
            }
            for cell in grid.cells:
                for value, box in planner.division.parts(phase, cell).items():
                    covered[value][np.ix_(*box)] += 1
            assert all((times == 1).all() for times in covered.values())


def test_plans_cover_all_steps_and_do_not_get_slower_with_more_grids():
    planner = planner_of(Compilation.of(small_vit()))
    for clusters in (1, 3, 4):
        phases = planner.plan(Noc(clusters))
        bounds = [(phase.first, phase.last) for phase in phases]
        assert bounds[0][0] == 0
        assert bounds[-1][1] == len(planner.steps.operations)
        assert all(one[1] == other[0] for one, other in pairwise(bounds))
        assert all(phase.grid.rows * phase.grid.columns <= clusters for phase in phases)


def test_a_mesh_is_compared_with_one_program():
    study = MeshStudy(Compilation.of(two_images()))
    one, slow = study.rows([Noc(1), Noc(2, l2_bytes_per_cycle=0.5)])
    assert (one.speed_up, one.phases) == (1.0, ())
    assert slow.binds == "l2"
    assert slow.cycles == sum(phase.cycles for phase in slow.phases)
    assert slow.speed_up == one.cycles / slow.cycles
    assert slow.macs == one.macs


def test_hops_are_counted_from_the_middle_of_the_first_row():
    assert Noc(1).hops == (0,)
    assert Noc(9).hops == (1, 0, 1, 2, 1, 2, 3, 2, 3)
    machine = Machine.load()
    assert Noc(1).cluster(machine) is machine
    farther = Noc(9, hop_cycles=5).cluster(machine)
    assert farther.cluster.l2_latency_cycles == machine.cluster.l2_latency_cycles + 2 * 3 * 5


@pytest.mark.parametrize("wrong", [{"clusters": 65}, {"clusters": 2, "l2_bytes_per_cycle": 0}])
def test_meshes_that_cannot_be(wrong: dict[str, int]):
    with pytest.raises(UserError, match="expected"):
        Noc(**wrong)


def test_models_of_several_entries_are_refused():
    from softex_mlir.compiler.models import BUILTIN

    compilation = Compilation.of(BUILTIN["demo-gpt2"](max_length=64))
    with pytest.raises(UserError, match="expected a model of one entry"):
        ModelSteps(compilation.model, compilation.machine)
