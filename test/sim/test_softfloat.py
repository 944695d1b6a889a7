"""Exact arithmetic: results and flags against rational arithmetic, in every rounding mode."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import sample

from softex_mlir.isa_sim.core import softfloat as sf

NAN, INFINITY = sf.NAN, sf.INFINITY
EDGES = (0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0x3F800000, 0x3F7FFFFF, 0x7F7FFFFF, 0x7F800000,
         0x7FC00000, 0x7F800001, 0x4B800000, 0x33800000, 0x4EFFFFFF, 0x4F000000,
         0x4F7FFFFF)  # fmt: skip
patterns = st.one_of(
    st.integers(0, 2**32 - 1),
    st.sampled_from(EDGES + tuple(e | 1 << 31 for e in EDGES)),
    st.builds(lambda s, e, f: s << 31 | e << 23 | f, st.integers(0, 1), st.integers(100, 150),
              st.integers(0, 2**23 - 1)),
    st.builds(lambda s, e, f: s << 31 | e << 23 | f << 16, st.integers(0, 1),
              st.integers(0, 254), st.integers(0, 127)),
)  # fmt: skip
modes = st.integers(0, 4)
precisions = st.sampled_from((24, 8))


def value(a: int) -> Fraction | None:
    """The exact value of a finite pattern."""
    field, fraction = a >> 23 & 255, a & 0x7FFFFF
    if field == 255:
        return None
    magnitude = Fraction(fraction | (0x800000 if field else 0)) * Fraction(2) ** (
        max(field, 1) - 150
    )
    return -magnitude if a >> 31 else magnitude


def pack(exact: Fraction, negative: bool, mode: int, precision: int) -> int:
    """Round a non-zero exact value by the definition in IEEE 754."""
    magnitude = abs(exact)
    exponent = 0
    while magnitude >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while magnitude < Fraction(2) ** exponent:
        exponent -= 1

    def rounded(step: Fraction) -> tuple[int, bool]:
        quotient = magnitude / step
        low = quotient.numerator // quotient.denominator
        rest = quotient - low
        up = {
            0: rest > Fraction(1, 2) or (rest == Fraction(1, 2) and low & 1 == 1),
            1: False,
            2: negative and rest > 0,
            3: not negative and rest > 0,
            4: rest >= Fraction(1, 2),
        }[mode]
        return low + up, rest != 0

    unlimited, _ = rounded(Fraction(2) ** (exponent - precision + 1))
    tiny = unlimited * Fraction(2) ** (exponent - precision + 1) < Fraction(2) ** -126
    step = Fraction(2) ** (max(exponent, -126) - precision + 1)
    count, inexact = rounded(step)
    result = count * step
    flags = sf.INEXACT if inexact else 0
    if tiny and inexact:
        flags |= sf.UNDERFLOW
    if result >= Fraction(2) ** 128:
        to_infinity = mode in (0, 4) or mode == (2 if negative else 3)
        largest = INFINITY - (1 << (24 - precision))
        bits, flags = (INFINITY if to_infinity else largest), sf.OVERFLOW | sf.INEXACT
    elif result < Fraction(2) ** -126:
        bits = int(result / Fraction(2) ** -149)
    else:
        exponent = -126
        while result >= Fraction(2) ** (exponent + 1):
            exponent += 1
        bits = int(result / Fraction(2) ** (exponent - 23)) + ((exponent + 126) << 23)
    return int(negative) << 31 | bits | flags << 32


def clip(a: int, precision: int) -> int:
    return a if precision == 24 else a & 0xFFFF0000


@sample(500)
@given(patterns, patterns, patterns, modes, precisions)
def test_finite_arithmetic(a: int, b: int, c: int, mode: int, precision: int) -> None:
    a, b, c = clip(a, precision), clip(b, precision), clip(c, precision)
    x, y, z = value(a), value(b), value(c)
    if x is None or y is None or z is None:
        return
    cases = [
        (sf.add(a, b, mode, precision), x + y),
        (sf.mul(a, b, mode, precision), x * y),
        (sf.fma(a, b, c, mode, precision), x * y + z),
        (sf.round_to(a, mode, precision), x),
    ]
    if y:
        cases.append((sf.div(a, b, mode, precision), x / y))
    for index, (result, exact) in enumerate(cases):
        if exact:
            assert hex(result) == hex(pack(exact, exact < 0, mode, precision)), index
        else:
            assert result & 0x7FFFFFFF == 0
            assert result >> 32 == 0


@sample(300)
@given(patterns, modes, precisions)
def test_square_root(a: int, mode: int, precision: int) -> None:
    a = clip(a, precision) & 0x7FFFFFFF
    x = value(a)
    if not x:
        return
    scaled = x * Fraction(2) ** 400
    root = isqrt(scaled.numerator // scaled.denominator)
    exact = Fraction(root, 2**200)
    if exact * exact != x:
        exact += Fraction(1, 2**201)  # any point strictly between rounds alike
    assert hex(sf.sqrt(a, mode, precision)) == hex(pack(exact, False, mode, precision))


@sample(300)
@given(patterns, modes, st.booleans())
def test_conversion_to_integers(a: int, mode: int, unsigned: bool) -> None:
    x = value(a)
    if x is None:
        return
    low = x.numerator // x.denominator
    rest = x - low
    half = Fraction(1, 2)
    up = {
        0: rest > half or (rest == half and low & 1 == 1),
        1: x < 0 and rest > 0,
        2: False,
        3: rest > 0,
        4: rest > half or (rest == half and x > 0),
    }[mode]
    integer = low + up
    minimum, maximum = (0, 2**32 - 1) if unsigned else (-(2**31), 2**31 - 1)
    expected = integer & 0xFFFFFFFF | (sf.INEXACT << 32 if rest else 0)
    if not minimum <= integer <= maximum:
        expected = (minimum if x < 0 else maximum) & 0xFFFFFFFF | sf.INVALID << 32
    assert sf.to_integer(a, mode, unsigned) == expected


@settings(deadline=None)
@given(st.integers(-(2**31), 2**32 - 1), modes, precisions)
def test_conversion_from_integers(integer: int, mode: int, precision: int) -> None:
    expected = pack(Fraction(integer), integer < 0, mode, precision) if integer else 0
    assert sf.from_integer(integer, mode, precision) == expected


@sample(300)
@given(patterns, patterns)
def test_comparisons_against_numpy(a: int, b: int) -> None:
    x = np.array([a], np.uint32).view(np.float32)[0]
    y = np.array([b], np.uint32).view(np.float32)[0]
    assert sf.equal(a, b) & 1 == (x == y)
    assert sf.less(a, b) & 1 == (x < y)
    assert sf.less_equal(a, b) & 1 == (x <= y)
    invalid = sf.is_nan(a) or sf.is_nan(b)
    assert (sf.less(a, b) >> 32 == sf.INVALID) == invalid
    assert (sf.equal(a, b) >> 32 == sf.INVALID) == (sf.is_signaling(a) or sf.is_signaling(b))


def test_signs_of_zero_results_against_numpy() -> None:
    values = np.array((0, 0x80000000, 0x3F800000, 0xBF800000, 1, 0x80000001), np.uint32)
    for a in values:
        for b in values:
            x, y = a.view(np.float32), b.view(np.float32)
            for result, exact in (
                (sf.add(int(a), int(b), 0, 24), x + y),
                (sf.mul(int(a), int(b), 0, 24), x * y),
                (sf.fma(int(a), int(b), 0x80000000, 0, 24), x * y + np.float32(-0.0)),
            ):
                assert result & 0xFFFFFFFF == int(np.float32(exact).view(np.uint32))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (sf.add(INFINITY, INFINITY | 1 << 31, 0, 24), NAN | sf.INVALID << 32),
        (sf.add(INFINITY, 0x3F800000, 0, 24), INFINITY),
        (sf.add(0x3F800000, 0xBF800000, 2, 24), 1 << 31),
        (sf.add(0x3F800000, 0xBF800000, 0, 24), 0),
        (sf.mul(0, INFINITY, 0, 24), NAN | sf.INVALID << 32),
        (sf.mul(0x80000000, 0x3F800000, 0, 24), 1 << 31),
        (sf.div(0x3F800000, 0, 0, 24), INFINITY | sf.DIVIDE_BY_ZERO << 32),
        (sf.div(0, 0, 0, 24), NAN | sf.INVALID << 32),
        (sf.sqrt(0xBF800000, 0, 24), NAN | sf.INVALID << 32),
        (sf.sqrt(0x80000000, 0, 24), 1 << 31),
        (sf.fma(0, INFINITY, 0x7FC00000, 0, 24), NAN | sf.INVALID << 32),
        (sf.fma(0x7FC00001, 0, 0, 0, 24), NAN),
        (sf.add(0x7F800001, 0, 0, 24), NAN | sf.INVALID << 32),
        (sf.minimum(0x80000000, 0, False), 1 << 31),
        (sf.minimum(0, 0x80000000, True), 0),
        (sf.minimum(0x7F800001, 0x3F800000, False), 0x3F800000 | sf.INVALID << 32),
        (sf.minimum(0x7FC00001, 0x7FC00002, False), NAN),
        (sf.to_integer(0x7FC00000, 0, False), 0x7FFFFFFF | sf.INVALID << 32),
        (sf.to_integer(0xBF800000, 0, True), sf.INVALID << 32),
        (sf.to_integer(0xBF000000, 1, True), sf.INEXACT << 32),
        (sf.classify(0x80000001), 1 << 2),
        (sf.classify(0x7F800001), 1 << 8),
    ],
)
def test_special_values(result: int, expected: int) -> None:
    assert hex(result) == hex(expected)
