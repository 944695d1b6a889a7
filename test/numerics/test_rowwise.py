"""The cores' numerics: primitive operations against exact arithmetic, functions against float64."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import numba as nb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import sample

from softex_mlir.compiler.row_operations.real import erf
from softex_mlir.compiler.row_operations.unary import UNARY
from softex_mlir.isa_sim.numerics import rowwise
from softex_mlir.isa_sim.numerics import rowwise_kernels as kernels

BF16 = ml_dtypes.bfloat16
BITS16 = st.integers(0, 0xFFFF)
BITS32 = st.integers(0, 0xFFFFFFFF)


@nb.njit
def fma32(a, b, addend):
    return kernels.fma(a, b, addend)  # pyright: ignore[reportCallIssue]


def every_finite():
    x = np.arange(1 << 16, dtype=np.uint16).view(BF16)
    return x[np.isfinite(x.astype(np.float32))]


def from_bits(bits: int) -> np.float32:
    return np.array([bits << 16], dtype=np.uint32).view(np.float32)[0]


def nearest(exact: Fraction, bits: int, smallest: int, largest: int) -> Fraction | None:
    """RNE to a binary format of ``bits`` significant bits; none for a result that overflows."""
    if exact == 0:
        return exact
    exponent = math.frexp(float(abs(exact)))[1] if abs(exact) > Fraction(2) ** -1070 else smallest
    while abs(exact) >= Fraction(2) ** exponent:
        exponent += 1
    while abs(exact) < Fraction(2) ** (exponent - 1):
        exponent -= 1
    quantum = Fraction(2) ** (max(exponent, smallest) - bits)
    rounded = round(exact / quantum) * quantum
    return rounded if abs(rounded) < Fraction(2) ** largest else None


@given(BITS16, BITS16, BITS16)
@sample(400)
def test_bf16_operations_round_once(a, b, addend):
    x, y, z = (from_bits(bits) for bits in (a, b, addend))
    if not all(map(np.isfinite, (x, y, z))):
        return
    fx, fy, fz = (Fraction(float(v)) for v in (x, y, z))
    for found, exact in (
        (kernels.add16(x, y), fx + fy),
        (kernels.mul16(x, y), fx * fy),
        (kernels.fma16(x, y, z), fx * fy + fz),
    ):
        expected = nearest(exact, 8, -125, 128)
        value = float(from_bits(int(found)))
        assert math.isinf(value) if expected is None else Fraction(value) == expected


@given(BITS32, BITS32, BITS32)
@sample(300)
def test_f32_fma_rounds_once(a, b, addend):
    values = np.array([a, b, addend], dtype=np.uint32).view(np.float32)
    if not np.isfinite(values).all():
        return
    x, y, z = (Fraction(float(v)) for v in values)
    expected = nearest(x * y + z, 24, -125, 128)
    found = float(fma32(*values))
    assert math.isinf(found) if expected is None else Fraction(found) == expected


@pytest.mark.parametrize("name", [name for name, record in UNARY.items() if record.kernel])
def test_functions_are_as_accurate_as_their_records_say(name):
    """Largest relative error, of which rounding to BF16 alone is 3.9e-3."""
    record = UNARY[name]
    assert record.kernel is not None
    x = every_finite()
    if not record.kernel.floor:
        magnitude = np.abs(x.astype(np.float32))
        x = x[(magnitude < 80) & (magnitude > 1e-30)]
    with np.errstate(over="ignore"):
        exact = record.real(x.astype(np.float64))
    found = record.kernel.exact(x).astype(np.float64)
    allowed = record.kernel.floor + np.abs(exact) * record.kernel.error
    assert (np.abs(found - exact) <= allowed).all()


def test_the_error_function_is_the_library_s():
    x = np.linspace(-6, 6, 5001)
    np.testing.assert_allclose(erf(x), np.vectorize(math.erf)(x), rtol=0, atol=1.2e-7)


def test_gelu_finish_is_the_stated_formula():
    v = np.tile(np.arange(1 << 16, dtype=np.uint16).view(BF16), (4, 1))
    v = v[:, np.isfinite(v[0].astype(np.float32))]
    q = np.broadcast_to(np.array([[0.0], [0.11], [0.3125], [0.5]], dtype=BF16), v.shape)
    complement = (np.float32(1) - q.astype(np.float32)).astype(BF16)
    phi = np.where(v.astype(np.float32) > 0, complement, q).astype(BF16)
    expected = (v.astype(np.float64) * phi.astype(np.float64)).astype(np.float64)
    found = rowwise.gelu_finish(v, q)
    rounded = rowwise.mul(v, phi)
    np.testing.assert_array_equal(found.view(np.uint16), rounded.view(np.uint16))
    normal = np.abs(expected) > 1e-30
    assert np.abs(found.astype(np.float64)[normal] / expected[normal] - 1).max() <= 2.0**-8


@pytest.mark.parametrize("mean", [0.0, 1.0, 30.0])
def test_layer_norm_is_accurate(mean):
    random = np.random.default_rng(0)
    x = (random.normal(size=(5, 768)) * 2 + mean).astype(BF16)
    gamma, beta = (random.normal(size=768).astype(BF16) for _ in range(2))
    wide = x.astype(np.float64)
    centred = wide - wide.mean(-1, keepdims=True)
    t = centred / np.sqrt(wide.var(-1, keepdims=True) + 1e-5)
    exact = t * gamma.astype(np.float64) + beta.astype(np.float64)
    found = rowwise.layer_norm(x, gamma, beta, 1e-5).astype(np.float64)
    bound = (np.abs(t * gamma.astype(np.float64)) + np.abs(exact)) * 2.0**-8 + 1e-3
    assert (np.abs(found - exact) <= bound).all()


def test_softmax_sums_to_one_and_masks_exactly():
    x = (np.random.default_rng(0).normal(size=(16, 208)) * 2).astype(BF16)
    x[:, 197:] = -np.inf
    found = rowwise.softmax_software(x).astype(np.float64)
    assert (found[:, 197:] == 0).all()
    assert np.abs(found.sum(-1) - 1).max() < 4e-3
    wide = x.astype(np.float64)
    exact = np.exp(wide - wide.max(-1, keepdims=True))
    exact /= exact.sum(-1, keepdims=True)
    assert np.abs(found[:, :197] / exact[:, :197] - 1).mean() < 3e-3


def test_a_masked_row_is_uniform():
    mask = np.zeros((1, 20), dtype=np.int32)
    bias = rowwise.mask_to_bias(mask, 32)
    found = rowwise.softmax_software(bias).astype(np.float32)
    assert (found[0, :20] == found[0, 0]).all()
    assert abs(found[0, 0] - 0.05) < 2e-4
    assert (found[0, 20:] == 0).all()


def test_position_ids():
    """Hand-counted: padding 1, positions from 2 as RoBERTa's."""
    ids = np.array([[5, 6, 1, 7], [1, 1, 4, 4]])
    found = rowwise.position_ids(ids, padding=1, offset=1, fill=1)
    assert found.dtype == np.int32
    assert found.tolist() == [[2, 3, 1, 4], [1, 1, 2, 3]]


def test_mask_to_bias_needs_room():
    with pytest.raises(ValueError, match="cannot hold"):
        rowwise.mask_to_bias(np.ones((1, 20), np.int32), 16)


def test_arrays_of_another_type_are_refused():
    with pytest.raises(TypeError, match="bfloat16"):
        rowwise.softmax_software(np.zeros((1, 8), dtype=np.float32))
