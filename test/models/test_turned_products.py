"""Products that are computed the other way round, wᵀ·xᵀ: where it pays, and the same bits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from softex_mlir.abi import Port
from softex_mlir.compiler.accuracy import Accuracy
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.compiler.schedule.search import turning
from softex_mlir.compiler.schedule.search.tiles import LinearShape
from softex_mlir.compiler.schedule.search.tiling import LinearSearch
from softex_mlir.compiler.schedule.search.turning import turned_products
from softex_mlir.dialects.transformer import LinearOp
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check


def layers(rows: int, inner: int, columns: int, activation: str, *, bias: bool) -> Model:
    """A norm, a product with an activation, and one behind it that has a residual."""
    b = ModelBuilder("layers", [Port("x", (rows, inner), "float32")])
    (x,) = b.arguments
    x = b.layer_norm(x, "norm")
    wide = b.linear(x, columns, "wide", activation=activation, bias=bias)
    return b.finish({"y": b.linear(wide, inner, "narrow", residual=x), "wide": wide})


@pytest.mark.parametrize(
    ("rows", "columns", "activation", "kib"),
    [
        (32, 203, "none", 256),
        (64, 96, "gelu", 64),
        (128, 250, "gelu", 256),
        (32, 49, "gelu_tanh", 128),
        (64, 130, "relu", 48),
        (32, 24, "none", 32),
    ],
)
@pytest.mark.parametrize("softex", [True, False])
def test_same_bits_no_race(
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
    columns: int,
    activation: str,
    kib: int,
    softex: bool,
):
    monkeypatch.setattr(turning, "LEAST_GAIN", -100.0)
    machine = Machine.load().with_tcdm_bytes(kib * 1024)
    machine = machine if softex else machine.without_softex()
    model = layers(rows, 64, columns, activation, bias=columns != 203)
    program = Compilation.of(model, machine).program()
    kernels = [launch["kernel"] for launch in program.metadata["launches"]]
    assert any(kernel.startswith("turned") for kernel in kernels)
    result = session.run(program, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


def test_none_beside_a_ring_of_partial_sums(monkeypatch: pytest.MonkeyPatch):
    """Its memory would have to be cleared behind each of them."""
    monkeypatch.setattr(turning, "LEAST_GAIN", -100.0)
    model = layers(64, 64, 96, "gelu", bias=True)
    program = Compilation.of(model, accuracy=Accuracy(0, 0, False, {"narrow": 32})).program()
    kernels = [launch["kernel"] for launch in program.metadata["launches"]]
    assert any("_by32" in kernel for kernel in kernels)
    assert not any(kernel.startswith("turned") for kernel in kernels)


@pytest.mark.parametrize("bias", [True, False])
def test_products_of_one_operand_are_one_launch(monkeypatch: pytest.MonkeyPatch, bias: bool):
    monkeypatch.setattr(turning, "LEAST_GAIN", -100.0)
    b = ModelBuilder("three", [Port("x", (32, 64), "float32")])
    (x,) = b.arguments
    outputs = {name: b.linear(x, 50, name, bias=bias) for name in ("q", "k", "v")}
    program = Compilation.of(b.finish(outputs), Machine.load()).program()
    kernels = [launch["kernel"] for launch in program.metadata["launches"]]
    assert [kernel for kernel in kernels if "turned" in kernel] == ["turned_32x64x50_3_times"]
    result = session.run(program, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


@pytest.mark.parametrize(
    ("rows", "columns", "pays"),
    [(128, 3072, True), (128, 384, False), (192, 3072, False), (197, 3072, False)],
)
def test_only_where_it_pays(rows: int, columns: int, pays: bool):
    """128 rows take RedMulE as long as 144; 192 are whole; 197 fill no columns."""
    b = ModelBuilder("head", [Port("x", (rows, 768), "float32")])
    w = b.constant("w", np.zeros((768, columns), np.float32))
    op, machine = LinearOp(b.arguments[0], w), Machine.load()
    search = LinearSearch(machine, [LinearShape.of(op)], 237_568)
    _, tiles = search.search()

    def turned(pinned: Mapping[str, object]) -> bool:
        return op in turned_products([op], machine, search, tiles, pinned, 8192)

    assert turned({}) == pays
    assert not turned({"": {"n": 96}})
