"""Products that are computed the other way round, wᵀ·xᵀ: where it pays, and the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.compiler.schedule.search import turning
from softex_mlir.compiler.schedule.search.turning import shapes_of
from softex_mlir.dialects.transformer import LinearOp
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check


def two_layers(rows: int, inner: int, columns: int) -> Model:
    """A product with a bias, and one without, behind it."""
    b = ModelBuilder("two", [Port("x", (rows, inner), "float32")])
    (x,) = b.arguments
    hidden = b.linear(x, inner, "first")
    return b.finish({"y": b.linear(hidden, columns, "head", bias=False)})


@pytest.mark.parametrize(
    ("rows", "columns", "kib"), [(32, 203, 256), (64, 96, 64), (32, 1, 256), (64, 130, 32)]
)
def test_same_bits_no_race(monkeypatch: pytest.MonkeyPatch, rows: int, columns: int, kib: int):
    monkeypatch.setattr(turning, "LEAST_GAIN", -100.0)
    machine = Machine.load().with_tcdm_bytes(kib * 1024)
    program = Compilation.of(two_layers(rows, 64, columns), machine).program()
    kernels = [launch["kernel"] for launch in program.metadata["launches"]]
    assert any(kernel.startswith("transpose") for kernel in kernels)
    result = session.run(program, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


@pytest.mark.parametrize(
    ("rows", "columns", "pays"),
    [(128, 20_000, True), (128, 768, False), (64, 20_000, False), (192, 20_000, False)],
)
def test_only_where_it_pays(rows: int, columns: int, pays: bool):
    """128 rows take RedMulE as long as 144; with 64 it would wait for the DMA; 192 are whole."""
    b = ModelBuilder("head", [Port("x", (rows, 768), "float32")])
    w = b.constant("w", np.zeros((768, columns), np.float32))
    op = LinearOp(b.arguments[0], w)
    (shape,) = shapes_of([op], Machine.load(), 237_568, {}).values()
    assert shape.turned == pays
    (pinned,) = shapes_of([op], Machine.load(), 237_568, {"": {"n": 96}}).values()
    assert not pinned.turned
