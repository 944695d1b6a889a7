"""Functions of the `math` dialect in f32 primitives, against binary64 over all BF16 inputs."""

from __future__ import annotations

import numpy as np
import pytest
from exact_functions import EXACT
from xdsl.dialects import math
from xdsl.dialects.builtin import TensorType, f32
from xdsl.dialects.linalg.ops import GenericOp
from xdsl.ir import Block

from softex_mlir.compiler.bodies.f32_functions import EXPANSIONS, FARTHEST
from softex_mlir.compiler.generic_builder import elementwise
from softex_mlir.runtime.reference_generic import evaluate_generic

ALL_BF16 = (np.arange(65536, dtype=np.uint32) << 16).view(np.float32)

# name: (largest relative error, absolute error allowed where the result is smaller than that)
BOUNDS = {
    "exp": (5e-7, 2.0**-125),
    "exp2": (8e-6, 2.0**-125),
    "expm1": (2e-6, 0),
    "log": (4e-7, 0),
    "log2": (4e-7, 0),
    "log10": (4e-7, 0),
    "log1p": (6e-7, 0),
    "sin": (0, 4e-7),
    "cos": (0, 4e-7),
    "tan": (2e-5, 4e-7),
    "asin": (4e-7, 0),
    "acos": (4e-7, 2e-7),
    "atan": (4e-7, 0),
    "sinh": (8e-6, 0),
    "cosh": (8e-6, 0),
    "asinh": (1e-6, 0),
    "acosh": (1e-6, 0),
    "atanh": (1e-6, 0),
    "erf": (5e-7, 1e-44),
    "tanh": (5e-7, 0),
    "floor": (0, 0),
    "ceil": (0, 0),
    "trunc": (0, 0),
    "roundeven": (0, 0),
    "rsqrt": (2e-7, 0),
}
PERIODIC = ("sin", "cos", "tan")


def apply(op, *values):
    """What the cores compute for arrays of float32."""
    block = Block(arg_types=[TensorType(f32, v.shape) for v in values])
    ops = elementwise(block.args, f32, lambda e, x: e.insert(op(*x)))
    block.add_ops(ops)
    nest = ops[-1]
    assert isinstance(nest, GenericOp)
    (result,) = evaluate_generic(nest, list(values), exact=True)
    return result


def operation(name):
    return next(op for op in math.Math.operations if op.name == f"math.{name}")


def check(got, want, relative, absolute):
    with np.errstate(over="ignore"):
        narrow = want.astype(np.float32)
    special = ~np.isfinite(narrow)
    np.testing.assert_array_equal(got[special], narrow[special])
    ordinary = ~special
    error = np.abs(got[ordinary].astype(np.float64) - want[ordinary])
    allowed = np.maximum(relative * np.abs(want[ordinary]), absolute)
    worst = int(np.argmax(error - allowed))
    assert (error <= allowed).all(), (got[ordinary][worst], want[ordinary][worst])


def test_all_expansions_have_a_bound():
    assert {name.removeprefix("math.") for name in EXPANSIONS} == {*BOUNDS, "powf"}


@pytest.mark.parametrize("name", BOUNDS)
def test_unary(name):
    x = ALL_BF16
    if name in PERIODIC:
        x = x[np.abs(x) <= 1e5]
    with np.errstate(all="ignore"):
        want = EXACT[name](x.astype(np.float64))
    check(apply(operation(name), x), want, *BOUNDS[name])


@pytest.mark.parametrize("name", sorted(PERIODIC))
def test_angles_too_large_are_nan(name):
    x = ALL_BF16[np.abs(ALL_BF16) >= FARTHEST]
    assert len(x) > 27000
    assert np.isnan(apply(operation(name), x)).all()


def test_pow():
    random = np.random.default_rng(5)
    x = np.exp(random.normal(size=20000) * 3).astype(np.float32)
    y = (random.normal(size=20000) * 8).astype(np.float32)
    special = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, np.inf, -np.inf, np.nan, 3.0, -3.0])
    a, b = (v.ravel().astype(np.float32) for v in np.meshgrid(special, special))
    x, y = np.concatenate([x, a]), np.concatenate([y, b])
    with np.errstate(all="ignore"):
        want = np.power(x.astype(np.float64), y.astype(np.float64))
    tiny = np.abs(want) < 1e-37
    got = apply(math.PowFOp, x, y)
    # (+-0)^negative odd is inf of either sign: the sign of zero is not looked at
    check(np.abs(got[~tiny]), np.abs(want[~tiny]), 2e-5, 0)
    assert (np.signbit(got) == np.signbit(want))[~tiny & (x != 0) & ~np.isnan(want)].all()
    assert (np.abs(got[tiny]) < 1.1e-37).all()
