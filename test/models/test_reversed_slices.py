"""Slices with negative steps, alone and in front of operations, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t

SHAPE = (3, 6, 8)


@pytest.mark.parametrize(
    "index",
    [
        np.s_[:, ::-1],
        np.s_[::-1, :, ::-1],
        np.s_[:, 5:0:-1],
        np.s_[::-2, 4::-1],
        np.s_[:, :, 6:1:-2],
        np.s_[2:0:-1, ::3, ::-1],
    ],
)
@pytest.mark.parametrize("work", [False, True])
def test_reversed(index: tuple[slice, ...], work: bool) -> None:
    b = ModelBuilder("slices", [Port("x", SHAPE, "float32")])
    ranges = [range(n)[i] for n, i in zip(SHAPE, [*index, slice(None)][:3], strict=True)]
    y = b.add(
        t.SliceOp(
            b.arguments[0],
            [r[0] for r in ranges],
            [len(r) for r in ranges],
            [r.step for r in ranges],
        )
    )
    if work:
        y = b.add(t.ReluOp(y))
    x = np.random.default_rng(0).integers(-9, 9, SHAPE).astype(np.float32)
    found = Compilation.of(b.finish({"y": y})).program().run({"x": x}).outputs["y"]
    expected = np.maximum(x[index], 0) if work else x[index]
    np.testing.assert_array_equal(found.astype(np.float32), expected)
