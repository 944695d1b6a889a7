"""Schedules: waits refer to the past, tiles respect the TCDM, errors say what does not fit."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import sample

from softex_mlir.compiler.artifacts import CompiledModule
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.compiler.pipeline import fuse
from softex_mlir.compiler.schedule.kernels.attention.whole_rows import AttentionKernel
from softex_mlir.compiler.schedule.kernels.kernel import ACQUIRE
from softex_mlir.compiler.schedule.kernels.linear.kernel import LinearKernel
from softex_mlir.compiler.schedule.launches import launch_tasks
from softex_mlir.compiler.schedule.lower import schedule_module
from softex_mlir.compiler.schedule.order import order_tasks
from softex_mlir.compiler.schedule.scheduler import schedule_operations
from softex_mlir.compiler.schedule.search.capacity import CapacityError
from softex_mlir.compiler.schedule.search.tile_costs import row_blocks
from softex_mlir.compiler.schedule.search.tiles import LinearShape
from softex_mlir.compiler.schedule.search.tiling import LinearSearch
from softex_mlir.compiler.schedule.timeline import Timeline
from softex_mlir.dialects.cluster import StreamKind
from softex_mlir.isa_sim.machine import Machine

PAPER = Machine.load("paper")


def planned(
    name: str, machine: Machine = PAPER, overrides: Mapping[str, dict[str, int]] | None = None
) -> Timeline:
    model = BUILTIN[name]()
    fuse(model, machine)
    return launch_tasks(schedule_operations(model.main, machine, overrides or {}).tasks)


@pytest.mark.parametrize("name", ["demo-vit", "demo-bert", "demo-gpt2"])
def test_launches_wait_only_for_the_past(name: str) -> None:
    """A value beyond what earlier launches reach would never come: a deadlock."""
    streams = list(StreamKind)
    for launch in planned(name).launches:
        for wait, value in launch.waits.items():
            stream = StreamKind(wait.split("_", 1)[1])
            assert value <= launch.bases[streams.index(stream)], (launch.layer, wait)
        if "z_free" in launch.integers:
            last = launch.kernel.group - 1  # pyright: ignore
            line = launch.integers["z_free"] + last * launch.integers["z_step"]
            assert line <= launch.bases[1]


@pytest.mark.parametrize("kib", [256, 128, 96, 64, 48])
def test_buffers_stay_in_the_tcdm_and_apart(kib: int) -> None:
    machine = PAPER.with_tcdm_bytes(kib * 1024)
    for launch in planned("demo-vit", machine).launches:
        places = sorted(
            buffer.slot_range(slot)
            for buffer in launch.kernel.buffers()
            for slot in range(buffer.slots)
        )
        assert places[0][0] >= 64 + 512 * 8
        assert places[-1][1] <= kib * 1024
        for (_, end), (start, _) in itertools.pairwise(places):
            assert end <= start, launch.kernel.title


def test_a_small_tcdm_is_reported_with_what_does_not_fit() -> None:
    with pytest.raises(CapacityError, match=r"use a TCDM of at least 12672 bytes"):
        planned("demo-vit", PAPER.with_tcdm_bytes(8 * 1024))


def test_equal_layers_share_their_kernels() -> None:
    model = BUILTIN["demo-bert"]()
    fuse(model, PAPER)
    module = schedule_module(model.module, PAPER)
    module.verify()
    launches = CompiledModule.of(module).launches
    attention = [
        launch.kernel
        for launch in launches
        if launch.operation is not None and launch.operation.data == "attention"
    ]
    assert len(attention) == 2
    assert len(set(attention)) == 1
    assert any(launch.macs is not None for launch in launches)


def test_pinned_tiles_are_used() -> None:
    layer = "encoder.layer.0.mlp.fc1"
    timeline = planned("demo-vit", overrides={layer: {"k": 32, "group": 1}})
    kernels = [launch.kernel for launch in timeline.launches if launch.layer == layer]
    assert {kernel.k for kernel in kernels} == {32}  # pyright: ignore
    assert {kernel.group for kernel in kernels} == {1}  # pyright: ignore


def test_row_blocks_are_whole_tiles_but_for_the_last() -> None:
    assert row_blocks(PAPER, 197, 120) == [(0, 96), (96, 101)]
    assert row_blocks(PAPER, 17, 24) == [(0, 17)]
    assert sum(size for _, size in row_blocks(PAPER, 1000, 96)) == 1000


def test_attention_counters_match_what_the_streams_advance() -> None:
    kernels = {launch.kernel for launch in planned("demo-vit").launches}
    attention = next(kernel for kernel in kernels if isinstance(kernel, AttentionKernel))
    n = attention.items
    assert attention.advances() == (1 + 3 * n, n, 2 * n + 2, 1 + 2 * n)


def test_equal_operands_stay_in_the_tcdm() -> None:
    """Query, key and value read the same rows: X is loaded for the first of them only, and the
    launch before a change of X loads the next one's first chunk if it is stored already."""
    launches = [x for x in planned("vit-tiny").launches if isinstance(x.kernel, LinearKernel)]
    kept = 0
    for before, after in itertools.pairwise(launches):
        found = after.integers["x_loaded"]
        assert 0 <= found <= after.kernel.chunks  # pyright: ignore
        ahead = before.kernel.next_rows  # pyright: ignore
        if ahead:
            assert before.addresses["x_next"] == after.addresses["x_l2"]
            assert ahead == after.kernel.m  # pyright: ignore
            assert found == 1
            # else the launch would wait for its own results
            assert before.integers["x_next_ready"] <= before.bases[1]
        elif found:
            assert before.addresses["x_l2"] == after.addresses["x_l2"]
            assert found == after.kernel.chunks  # pyright: ignore
            assert before.integers["first_x"] == after.integers["first_x"]
            kept += 1
    assert kept


def test_nothing_waits_for_x_that_is_there() -> None:
    """All of X is one chunk: RedMulE may still be at the last product of the launch before."""
    engine = list(StreamKind).index(StreamKind.REDMULE)
    kept = 0
    for launch in planned("demo-bert").launches:
        if launch.integers.get("x_loaded"):
            kept += 1
            assert launch.waits.get(ACQUIRE[StreamKind.REDMULE], 0) < launch.bases[engine]
    assert kept


def test_blocks_of_rows_follow_from_what_the_cores_do_between() -> None:
    """One block fetches weights once, several hide norms behind the products of the others."""
    shape = LinearShape(128, 384, 384, "none", False, 384, 32)

    def rows(cycles: int) -> int:
        search = LinearSearch(PAPER, [shape], 220_000, between={128: cycles})
        return search.search()[1][shape].m

    assert rows(0) >= 128
    assert rows(1_000_000) < 128


def test_whole_sums_leave_partial_sums_of_smaller_products_a_ring() -> None:
    """Slots are not those that suit the largest product alone: the other took 2.8 times as long."""
    whole = LinearShape(128, 384, 1536, "gelu", False, 384, 32, layer="whole")
    split = LinearShape(128, 384, 384, "none", False, 192, 32, layer="split")
    search = LinearSearch(PAPER, [split, whole], 220_000)
    _, tiles = search.search()
    _, alone = LinearSearch(PAPER, [split], 220_000).search()
    assert tiles[split].ring > 0
    assert search.costs.cycles(split, tiles[split]) < 1.1 * search.costs.cycles(split, alone[split])


def test_the_order_respects_producers_and_loses_nothing() -> None:
    model = BUILTIN["demo-bert"]()
    fuse(model, PAPER)
    tasks = schedule_operations(model.main, PAPER, {}).tasks
    order = order_tasks(tasks)
    place = {id(task): index for index, task in enumerate(order)}
    assert sorted(place) == sorted(id(task) for task in tasks)
    for task in order:
        assert all(place[id(p)] < place[id(task)] for p in task.producers)


def product(chunk: int, splits: int, **sizes: Any) -> LinearShape:
    return LinearShape(n=chunk * splits, chunk=chunk, step=32, **sizes)


shapes = st.builds(
    product,
    chunk=st.integers(1, 8).map(lambda n: 32 * n),
    splits=st.sampled_from((1, 1, 2, 4)),
    m=st.integers(1, 300),
    k=st.integers(1, 10).map(lambda k: 32 * k),
    activation=st.sampled_from(("none", "gelu", "relu")),
    residual=st.booleans(),
)


@sample(25)
@given(st.lists(shapes, min_size=1, max_size=4), st.integers(6, 24))
def test_what_does_not_fit_fits_the_size_that_the_message_names(
    products: list[LinearShape], kib: int
) -> None:
    """Products are refused together only where their smallest slots do not fit, whichever of them
    is the largest."""
    machine = PAPER.with_tcdm_bytes(kib * 1024)
    base = 4224
    try:
        LinearSearch(machine, products, kib * 1024 - base).search()
    except CapacityError as error:
        asked = int(str(error).rsplit("at least ", 1)[1].split()[0])
        assert asked > kib * 1024
        machine = PAPER.with_tcdm_bytes(asked)
        LinearSearch(machine, products, asked - base).search()
        with pytest.raises(CapacityError):
            LinearSearch(machine, products, asked - base - 64).search()
