"""Every operation by itself, on machines with and without accelerators, bit for bit.

Row and column counts are odd, prime or just past a unit's limits: remainders of the packed loops,
blocks of rows that do not come out even, softmax rows that need padding.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.compiler.row_operations.binary import BINARY
from softex_mlir.compiler.row_operations.unary import UNARY
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

PAPER = Machine.load()
MACHINES = {
    "paper": PAPER,
    "without SoftEx": PAPER.without_softex(),
    "cores only": PAPER.without_softex().without_redmule(),
}
UNARY_OPS = {name: record.op for name, record in UNARY.items()} | {"softmax": t.SoftmaxOp}
BINARY_OPS = {name: record.op for name, record in BINARY.items()}


def compare(model: Model, machine: Machine, seed: int = 0):
    program = Compilation.of(model, machine).program()
    result = session.run(program, seed=seed, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical


def build(rows: int, columns: int, operation) -> Model:
    """A model whose only operation is built by a function of (builder, x)."""
    b = ModelBuilder("operation", [Port("x", (rows, columns), "float32")])
    b.layer = "operation"
    return b.finish({"y": operation(b, b.arguments[0])})


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", UNARY_OPS)
def test_unary(name: str, machine: str):
    compare(build(7, 33, lambda b, x: b.add(UNARY_OPS[name](x))), MACHINES[machine])


@pytest.mark.parametrize("name", [name for name, record in UNARY.items() if not record.kernel])
def test_loop_nests_compute_what_the_record_means(name: str):
    x = np.linspace(-30, 90, 7 * 33).reshape(7, 33).astype(ml_dtypes.bfloat16)
    model = build(7, 33, lambda b, x: b.add(UNARY_OPS[name](x)))
    found = Compilation.of(model, PAPER).program().run({"x": x.astype(np.float32)}).outputs["y"]
    with np.errstate(invalid="ignore"):
        expected = UNARY[name].real(x.astype(np.float64))
    np.testing.assert_allclose(found.astype(np.float64), expected, rtol=2.0**-8, atol=1e-9)


@pytest.mark.parametrize("machine", ["paper", "cores only"])
@pytest.mark.parametrize("name", BINARY_OPS)
def test_binary(name: str, machine: str):
    compare(build(11, 37, lambda b, x: b.add(BINARY_OPS[name](x, x))), MACHINES[machine])
    compare(
        build(11, 37, lambda b, x: b.add(BINARY_OPS[name](x, b.normal("row", (37,))))),
        MACHINES[machine],
    )


def test_rows_that_do_not_fit_the_memory():
    """Elementwise work needs no whole row."""
    compare(build(3, 20001, lambda b, x: b.add(t.GeluOp(x))), PAPER)
    compare(build(3, 20001, lambda b, x: b.add(t.AddOp(x, b.add(t.MulOp(x, x))))), PAPER)

    def affine(b: ModelBuilder, x):
        product = b.add(t.MulOp(x, b.normal("factors", (9001,))))
        return b.add(t.AddOp(product, b.normal("addends", (9001,))))

    compare(build(2, 9001, affine), PAPER.with_tcdm_bytes(16 * 1024))


@pytest.mark.parametrize("columns", [31, 64, 130])
def test_norms(columns: int):
    def layer(b: ModelBuilder, x):
        return b.layer_norm(x, "norm")

    compare(build(13, columns, layer), PAPER)
    compare(build(13, columns, layer), PAPER.with_tcdm_bytes(32 * 1024))


@pytest.mark.parametrize("columns", [5, 16, 17, 32, 197])
def test_softmax_lengths(columns: int):
    compare(build(5, columns, lambda b, x: b.add(t.SoftmaxOp(x))), PAPER)
