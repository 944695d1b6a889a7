"""Copies of lengths without a divisor that fits the TCDM: equal pieces and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx_harness import Graph

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.schedule.operations.boxes import (
    BOX_RANK,
    Dimensions,
    dimensions,
    parts,
)
from softex_mlir.compiler.schedule.operations.copies import tiles_of
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.check import check
from softex_mlir.runtime.session import Result, run

PAPER = Machine.load("paper")

ODD = 16411
"""A prime of more than two of the most elements in a transfer."""

CASES: dict[str, tuple[str, tuple[int, ...], Sequence[Sequence[int]], dict[str, object]]] = {
    "beside": ("Concat", (2, ODD), (), {"axis": 1}),
    "short rows beside": ("Concat", (ODD, 2), (), {"axis": 1}),
    "between": ("Concat", (2, ODD, 3), (), {"axis": 2}),
    "every second": ("Slice", (2, 2 * ODD), ([0], [2 * ODD], [1], [2]), {}),
    "rim": ("Pad", (2, ODD), ([0, 1, 0, 1],), {}),
    "turned": ("Transpose", (ODD, 2), (), {"perm": [1, 0]}),
    "turned around": ("Transpose", (2, ODD), (), {"perm": [1, 0]}),
    "turned inside": ("Transpose", (2, ODD, 3), (), {"perm": [0, 2, 1]}),
    "repeated": ("Expand", (2, 1, ODD), ([2, 3, ODD],), {}),
    "repeated inside": ("Expand", (ODD, 1), ([ODD, 3],), {}),
    "gathered rows": ("Gather", (3, ODD), ([2, 0],), {"axis": 0}),
    "gathered columns": ("Gather", (ODD, 3), ([2, 0],), {"axis": 1}),
    "other rows": ("Reshape", (ODD, 6), ([6, ODD],), {}),
}


def checked(
    kind: str,
    shape: tuple[int, ...],
    constants: Sequence[Sequence[int]],
    attributes: dict[str, object],
    folder: Path,
    machine: Machine = PAPER,
) -> Result:
    """A run of one node, without races and with the evaluator's bits."""
    graph = Graph()
    operands = ["x", "x"] if kind == "Concat" else ["x"]
    operands += [graph.constant(value, np.int64) for value in constants]
    y = graph.node(kind, *operands, **attributes)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    graph.save(folder / "odd.onnx", [given], y)
    program = Compilation.of(folder / "odd.onnx", machine).program()
    result = run(program, {"x": x}, machine=machine, sanitize=True)
    assert not result.run.races
    assert check(program, result, {"x": x}).identical
    return result


@pytest.mark.parametrize("name", CASES)
def test_odd_copies_take_no_transfer_an_element(name: str, tmp_path: Path):
    result = checked(*CASES[name], tmp_path)
    # 5 cycles a run of the DMA, however short, once in and once out; 130 with a transfer each
    assert result.cycles < 15 * prod(result.outputs["y"].shape)


@pytest.mark.parametrize(
    ("shape", "order"),
    [((257, 1031), (1, 0)), ((2, 14, 14, 97), (0, 3, 1, 2)), ((3, 97, 2, 131), (0, 2, 3, 1))],
)
def test_the_cores_turn_what_is_long_on_both_sides(
    shape: tuple[int, ...], order: tuple[int, ...], tmp_path: Path
):
    result = checked("Transpose", shape, (), {"perm": order}, tmp_path)
    # 5.4 by the DMA, which has a run an element
    assert result.cycles < 2 * prod(shape)


@pytest.mark.parametrize("kib", [12, 20, 32])
def test_tiles_end_with_the_memory(kib: int, tmp_path: Path):
    """Slots are whole lines: 36 rows of 91 in each of four took more than the rest of 32 KiB."""
    checked(
        "Transpose", (36, 594), (), {"perm": (1, 0)}, tmp_path, PAPER.with_tcdm_bytes(kib << 10)
    )


extents = st.sampled_from([1, 2, 3, 7, 13, 64, 97, 101])


@hypothesis.given(st.lists(extents, min_size=1, max_size=4), st.booleans(), st.integers(8, 200))
def test_parts_cover_a_copy_once(shape: list[int], contiguous: bool, limit: int):
    shape = shape[: 4 if prod(shape) < 20_000 else 2]
    order = range(len(shape)) if contiguous else [*range(1, len(shape)), 0]
    source = np.empty([shape[i] for i in order], np.int16).transpose(np.argsort(order))
    target = np.empty(shape, np.int16)
    strides = [[step // 2 for step in array.strides] for array in (source, target)]

    def transfers(dims: Dimensions) -> int:
        return prod(dim.extent for dim in dims[:-BOX_RANK])

    found = parts(dimensions(shape, *strides), limit, transfers)
    copied = np.concatenate([places(part.dims, part.source, part.target) for part in found])
    expected = places(dimensions(shape, *strides), 0, 0)
    assert np.array_equal(np.sort(copied, axis=0), np.sort(expected, axis=0))
    assert len(np.unique(copied, axis=0)) == len(copied)
    for part in found:
        assert prod(dim.extent for dim in part.dims[-BOX_RANK:]) <= limit
    if len(shape) < BOX_RANK:
        count = sum(transfers(part.dims) for part in found)
        assert count <= 4 * -(-prod(shape) // limit) + shape[0]


def places(dims: Dimensions, source: int, target: int) -> np.ndarray:
    """Where each element of a copy is in source and target."""
    found = np.array([[source, target]])
    for dim in dims:
        steps = np.arange(dim.extent)[:, None] * [dim.source, dim.target]
        found = (found[:, None] + steps).reshape(-1, 2)
    return found


@hypothesis.given(st.integers(1, 5000), st.integers(1, 300))
def test_tiles_cover_a_length(number: int, most: int):
    tiles = tiles_of(number, most)
    assert [first for first, _, _ in tiles] == [0, *(number - n for _, n, _ in tiles[1:])]
    assert sum(length for _, length, _ in tiles) == number
    assert all(size <= most and length % size == 0 for _, length, size in tiles)
    assert sum(length // size for _, length, size in tiles) <= 2 * -(-number // most) + 1
