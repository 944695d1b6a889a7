"""BF16 arithmetic against exact rational arithmetic."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sampling import sample

from softex_mlir.isa_sim.numerics import bf16
from softex_mlir.isa_sim.numerics.bf16 import Rounding

BITS = st.integers(0, 0xFFFF)
NAN = 0x7FC0


def is_nan(bits: int) -> bool:
    return bits & 0x7FFF > 0x7F80


def is_infinite(bits: int) -> bool:
    return bits & 0x7FFF == 0x7F80


def value(bits: int) -> Fraction:
    sign = -1 if bits >> 15 else 1
    exponent, mantissa = (bits >> 7) & 0xFF, bits & 0x7F
    if exponent:
        mantissa += 128
    return sign * mantissa * Fraction(2) ** (max(exponent, 1) - 134)


def rounded(exact: Fraction, rounding: Rounding, zero_sign: int = 0) -> int:
    """The definition: the two neighbours in BF16, and the mode's choice between them."""
    if exact == 0:
        return zero_sign << 15
    sign = int(exact < 0)
    magnitude = abs(exact)
    low, high = 0, 0x7F80
    # The largest number not above the magnitude; 0x7F80 stands for 2^128.
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if value(middle) <= magnitude else (low, middle)
    below, above = value(low), value(low + 1) if low < 0x7F7F else Fraction(2) ** 128
    if magnitude == below:
        return sign << 15 | low
    nearer = magnitude - below - (above - magnitude)
    up = {
        Rounding.RNE: nearer > 0 or (nearer == 0 and low & 1 == 1),
        Rounding.RMM: nearer >= 0,
        Rounding.RTZ: False,
        Rounding.RUP: not sign,
        Rounding.RDN: bool(sign),
    }[rounding]
    return sign << 15 | low + up


def reference_fma(x: int, w: int, y: int, rounding: Rounding) -> int:
    if is_nan(x) or is_nan(w) or is_nan(y):
        return NAN
    product_sign = (x ^ w) >> 15
    if is_infinite(x) or is_infinite(w):
        if value(x if is_infinite(w) else w) == 0 and not (is_infinite(x) and is_infinite(w)):
            return NAN
        if is_infinite(y) and y >> 15 != product_sign:
            return NAN
        return product_sign << 15 | 0x7F80
    if is_infinite(y):
        return y
    product, addend = value(x) * value(w), value(y)
    zero_sign = int(rounding is Rounding.RDN)
    if product == 0 and addend == 0 and product_sign == y >> 15:
        zero_sign = product_sign
    return rounded(product + addend, rounding, zero_sign)


@pytest.mark.parametrize("rounding", list(Rounding))
@sample(400)
@given(BITS, BITS, BITS)
@example(0x3F81, 0x3F81, 0x0001)
@example(0x3F80, 0x3F80, 0xBF80)
@example(0x8000, 0x3F80, 0x8000)
@example(0x7F7F, 0x7F7F, 0xFF7F)
@example(0x0001, 0x0001, 0x8000)
@example(0x7F80, 0x0000, 0x3F80)
def test_fma_rounds_once(rounding: Rounding, x: int, w: int, y: int):
    found = int(bf16.fma_bits(np.uint16(x), np.uint16(w), np.uint16(y), rounding))
    assert found == reference_fma(x, w, y, rounding)


@pytest.mark.parametrize("rounding", list(Rounding))
@sample(300)
@given(st.floats(width=64))
@example(float.fromhex("0x1.01p0"))
@example(float.fromhex("0x1.0100000000001p0"))
@example(float.fromhex("0x1.ffp127"))
@example(float.fromhex("0x1p-134"))
@example(1e300)
@example(-1e-300)
def test_conversion_rounds_once(rounding: Rounding, x: float):
    found = int(bf16.round_float64_bits(x, rounding))
    if np.isnan(x):
        assert found == NAN
    elif np.isinf(x):
        assert found == (0xFF80 if x < 0 else 0x7F80)
    else:
        assert found == rounded(Fraction(x), rounding, int(np.signbit(x)))


@sample(200)
@given(BITS, BITS)
def test_products_and_differences(a: int, b: int):
    found = int(bf16.mul_bits(np.uint16(a), np.uint16(b)))
    minus_zero = 0x8000
    # a * b + (-0) keeps the product's sign also where it is zero.
    assert found == reference_fma(a, b, minus_zero, Rounding.RNE)
    found = int(bf16.sub_bits(np.uint16(a), np.uint16(b)))
    assert found == reference_fma(a, 0x3F80, b ^ 0x8000, Rounding.RNE)


def test_arrays_of_any_shape_keep_their_type():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4).astype(ml_dtypes.bfloat16)
    y = bf16.add(x, x[:, :1])
    assert y.dtype == ml_dtypes.bfloat16
    assert y.shape == x.shape
    np.testing.assert_array_equal(y, np.add(x, x[:, :1]))
    with pytest.raises(TypeError, match="expected an array of bfloat16, found float32"):
        bf16.add(x, np.float32(1))
