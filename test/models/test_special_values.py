"""Unary functions on all 65,536 BF16 values: NaN stays NaN, infinities and overflow are IEEE's."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model, Port
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

BF16 = ml_dtypes.bfloat16
PAPER = Machine.load()
WITHOUT_SOFTEX = PAPER.without_softex()
EVERY = np.arange(1 << 16, dtype=np.uint16).view(BF16).reshape(256, 256)
erf = np.vectorize(math.erf, otypes=[np.float64])


def logistic(x):
    return 1 / (1 + np.exp(-x))


FUNCTIONS = {
    "relu": (t.ReluOp, lambda x: np.where(np.isnan(x), x, np.maximum(x, 0)), 0.0),
    "exp": (t.ExpOp, np.exp, 9.2e-3),
    "sigmoid": (t.SigmoidOp, logistic, 6e-3),
    "silu": (t.SiluOp, lambda x: x * logistic(x), 5e-3),
    "tanh": (t.TanhOp, np.tanh, 4e-3),
    "gelu": (t.GeluOp, lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2))), 6e-3),
    "gelu_tanh": (
        t.GeluTanhOp,
        lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        6e-3,
    ),
}
ABSOLUTE = {"gelu": 2e-2, "gelu_tanh": 2e-2, "silu": 1e-9, "sigmoid": 2e-38, "exp": 2e-38}
"""What a result may be off in absolute terms: near 0 for GELU, where the exponential underflows."""


def evaluate(model: Model, machine: Machine, x):
    """The program's output, after comparison with the reference evaluator."""
    program = Compilation.of(model, machine).program()
    result = session.run(program, {"x": x})
    assert check(program, result, {"x": x}).identical
    return np.asarray(result.outputs["y"]).astype(np.float64)


def build(shape: tuple[int, int], operation) -> Model:
    b = ModelBuilder("operation", [Port("x", shape, "float32")])
    return b.finish({"y": b.add(operation(b.arguments[0]))})


@pytest.mark.parametrize("machine", [PAPER, WITHOUT_SOFTEX], ids=["paper", "without SoftEx"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_value(name: str, machine: Machine):
    operation, exact, relative = FUNCTIONS[name]
    found = evaluate(build(EVERY.shape, operation), machine, EVERY)
    with np.errstate(all="ignore"):
        wide = exact(EVERY.astype(np.float64))
        expected = wide.astype(np.float32).astype(BF16).astype(np.float64)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    infinite = np.isinf(expected)
    np.testing.assert_array_equal(found[infinite], expected[infinite])
    np.testing.assert_array_equal(np.isinf(found), infinite)
    finite = np.isfinite(expected)
    error = np.abs(found - wide)[finite]
    assert (error <= relative * np.abs(wide[finite]) + ABSOLUTE.get(name, 0.0)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_softmax_on_the_cores(value: float):
    """A row with NaN or +inf is NaN, one with -inf has a 0 there; other rows do not notice."""
    x = np.random.default_rng(0).normal(size=(5, 37)).astype(BF16)
    x[2, 36] = x[4, 0] = value
    found = evaluate(build(x.shape, t.SoftmaxOp), WITHOUT_SOFTEX, x)
    with np.errstate(invalid="ignore"):
        e = np.exp(x.astype(np.float64) - x.astype(np.float64).max(-1, keepdims=True))
        np.testing.assert_allclose(found, e / e.sum(-1, keepdims=True), rtol=0.02)
