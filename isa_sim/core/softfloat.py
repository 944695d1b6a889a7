"""Exact floating-point arithmetic with rounding modes and exception flags.

One implementation serves binary32 and bfloat16: both have eight exponent bits, so a bfloat16 is a
binary32 whose low 16 bits are zero. Operands are binary32 bit patterns (integers 0..2**32-1; a
bfloat16 shifted left by 16); ``precision`` is the number of significant bits of the result, 24 or
8. Functions return ``result | flags << 32`` with the result as a binary32 pattern. Rounding modes
are the RISC-V codes (0 rne, 1 rtz, 2 rdn, 3 rup, 4 rmm). NaN results are canonical (0x7fc00000);
tininess is detected after rounding (RISC-V unprivileged manual, chapter F).

All of it in integers; for usual operands :mod:`softex_mlir.isa_sim.core.host_floats` is faster.
"""

from __future__ import annotations

import numpy as np

from softex_mlir.isa_sim.intrinsics import leading_zeros
from softex_mlir.isa_sim.jit import njit

INEXACT, UNDERFLOW, OVERFLOW, DIVIDE_BY_ZERO, INVALID = 1, 2, 4, 8, 16
"""Flags as in ``fflags``."""

SINGLE, BFLOAT16 = 24, 8
"""Values of ``precision``."""

NAN = 0x7FC00000
INFINITY = 0x7F800000
SIGN = 0x80000000
_NAN_INVALID = NAN | INVALID << 32


@njit(cache=True)
def _width(value: int) -> int:
    """Number of significant bits of a non-negative int64."""
    return 64 - leading_zeros(value)


@njit(cache=True)
def _shift_right_sticky(value: int, distance: int) -> int:
    """``value >> distance`` with all lost bits ORed into the lowest one."""
    if distance <= 0:
        return value
    if distance > 62:
        return 1 if value != 0 else 0
    lost = value & ((1 << distance) - 1)
    return (value >> distance) | (1 if lost != 0 else 0)


@njit(cache=True)
def _round(sign: int, exponent: int, significand: int, mode: int, precision: int) -> int:
    """Round ``significand * 2**(exponent - 62)`` (bit 0 may be sticky) to ``precision`` bits."""
    if significand == 0:
        return sign << 31
    shift = 63 - _width(significand)
    significand <<= shift
    exponent -= shift
    drop = 63 - precision
    half = 1 << (drop - 1)
    fraction_mask = (1 << drop) - 1
    tiny = False
    if exponent < -126:
        tiny = True
        if exponent == -127:  # would rounding without an exponent limit reach 2**-126?
            rest = significand & fraction_mask
            kept = significand >> drop
            if kept == (1 << precision) - 1 and _increments(sign, kept, rest, half, mode):
                tiny = False
        significand = _shift_right_sticky(significand, -126 - exponent)
        exponent = -126
    kept = significand >> drop
    rest = significand & fraction_mask
    if _increments(sign, kept, rest, half, mode):
        kept += 1
    # the leading bit of a normal number adds one to the exponent field
    bits = ((exponent + 126) << (precision - 1)) + kept
    flags = 0
    if rest != 0:
        flags = INEXACT | UNDERFLOW if tiny else INEXACT
    if bits >= 255 << (precision - 1):
        flags = OVERFLOW | INEXACT
        to_infinity = mode == 0 or mode == 4 or (mode == 3 and sign == 0)
        to_infinity = to_infinity or (mode == 2 and sign == 1)
        bits = 255 << (precision - 1)
        if not to_infinity:
            bits -= 1
    return sign << 31 | bits << (24 - precision) | flags << 32


@njit(cache=True)
def _increments(sign: int, kept: int, rest: int, half: int, mode: int) -> bool:
    if mode == 0:
        return rest > half or (rest == half and kept & 1 == 1)
    if mode == 4:
        return rest >= half
    if mode == 2:
        return sign == 1 and rest != 0
    return mode == 3 and sign == 0 and rest != 0


@njit(cache=True)
def _exponent(a: int) -> int:
    """Unbiased exponent of a finite non-zero number, as if it were normalised."""
    field = (a >> 23) & 0xFF
    if field != 0:
        return field - 127
    return _width(a & 0x7FFFFF) - 150


@njit(cache=True)
def _significand(a: int) -> int:
    """Significand with its leading bit at position 23."""
    if (a >> 23) & 0xFF != 0:
        return (a & 0x7FFFFF) | 0x800000
    fraction = a & 0x7FFFFF
    return fraction << (24 - _width(fraction))


@njit(cache=True)
def is_nan(a: int) -> bool:
    """Whether the pattern is any NaN."""
    return a & 0x7FFFFFFF > INFINITY


@njit(cache=True)
def is_signaling(a: int) -> bool:
    """Whether the pattern is a signaling NaN."""
    return is_nan(a) and a & 0x400000 == 0


@njit(cache=True)
def _nan_result(a: int, b: int) -> int:
    return _NAN_INVALID if is_signaling(a) or is_signaling(b) else NAN


@njit(cache=True)
def add(a: int, b: int, mode: int, precision: int) -> int:
    """a + b."""
    if is_nan(a) or is_nan(b):
        return _nan_result(a, b)
    a_infinite = a & 0x7FFFFFFF == INFINITY
    if a_infinite or b & 0x7FFFFFFF == INFINITY:
        if a_infinite and b & 0x7FFFFFFF == INFINITY and a != b:
            return _NAN_INVALID
        return a if a_infinite else b
    if b & 0x7FFFFFFF == 0:
        if a & 0x7FFFFFFF == 0:
            return _zero_sum(a >> 31, b >> 31, mode)
        return _round(a >> 31, _exponent(a), _significand(a) << 39, mode, precision)
    if a & 0x7FFFFFFF == 0:
        return _round(b >> 31, _exponent(b), _significand(b) << 39, mode, precision)
    return _add_parts(
        a >> 31, _exponent(a), _significand(a) << 37,
        b >> 31, _exponent(b), _significand(b) << 37, mode, precision,
    )  # fmt: skip


@njit(cache=True)
def _zero_sum(sign_a: int, sign_b: int, mode: int) -> int:
    if sign_a == sign_b:
        return sign_a << 31
    return SIGN if mode == 2 else 0


@njit(cache=True)
def _add_parts(
    sign_a: int, exponent_a: int, a: int, sign_b: int, exponent_b: int, b: int, mode: int,
    precision: int,
) -> int:  # fmt: skip
    """Sum of two non-zero numbers whose significands have their leading bit near position 60."""
    if exponent_a > exponent_b:
        b = _shift_right_sticky(b, exponent_a - exponent_b)
        exponent = exponent_a
    else:
        a = _shift_right_sticky(a, exponent_b - exponent_a)
        exponent = exponent_b
    total = (-a if sign_a == 1 else a) + (-b if sign_b == 1 else b)
    if total == 0:
        return SIGN if mode == 2 else 0
    return _round(1 if total < 0 else 0, exponent + 2, abs(total), mode, precision)


@njit(cache=True)
def mul(a: int, b: int, mode: int, precision: int) -> int:
    """a * b."""
    sign = (a ^ b) >> 31
    if is_nan(a) or is_nan(b):
        return _nan_result(a, b)
    a_zero = a & 0x7FFFFFFF == 0
    b_zero = b & 0x7FFFFFFF == 0
    if a & 0x7FFFFFFF == INFINITY or b & 0x7FFFFFFF == INFINITY:
        return _NAN_INVALID if a_zero or b_zero else sign << 31 | INFINITY
    if a_zero or b_zero:
        return sign << 31
    product = (_significand(a) * _significand(b)) << 15
    return _round(sign, _exponent(a) + _exponent(b) + 1, product, mode, precision)


@njit(cache=True)
def fma(a: int, b: int, c: int, mode: int, precision: int) -> int:
    """a * b + c, rounded once."""
    a_zero = a & 0x7FFFFFFF == 0
    b_zero = b & 0x7FFFFFFF == 0
    a_infinite = a & 0x7FFFFFFF == INFINITY
    b_infinite = b & 0x7FFFFFFF == INFINITY
    invalid = (a_zero and b_infinite) or (b_zero and a_infinite)
    if is_nan(a) or is_nan(b) or is_nan(c):
        signaling = is_signaling(a) or is_signaling(b) or is_signaling(c)
        return _NAN_INVALID if signaling or invalid else NAN
    if invalid:
        return _NAN_INVALID
    sign = (a ^ b) >> 31
    if a_infinite or b_infinite:
        if c & 0x7FFFFFFF == INFINITY and c >> 31 != sign:
            return _NAN_INVALID
        return sign << 31 | INFINITY
    if c & 0x7FFFFFFF == INFINITY:
        return c
    c_zero = c & 0x7FFFFFFF == 0
    if a_zero or b_zero:
        if c_zero:
            return _zero_sum(sign, c >> 31, mode)
        return _round(c >> 31, _exponent(c), _significand(c) << 39, mode, precision)
    exponent = _exponent(a) + _exponent(b)
    product_bits = _significand(a) * _significand(b)  # leading bit at 46 or 47
    if c_zero:
        return _round(sign, exponent + 1, product_bits << 15, mode, precision)
    return _add_parts(
        sign, exponent, product_bits << 14,
        c >> 31, _exponent(c), _significand(c) << 37, mode, precision,
    )  # fmt: skip


@njit(cache=True)
def div(a: int, b: int, mode: int, precision: int) -> int:
    """a / b."""
    sign = (a ^ b) >> 31
    if is_nan(a) or is_nan(b):
        return _nan_result(a, b)
    a_zero = a & 0x7FFFFFFF == 0
    b_zero = b & 0x7FFFFFFF == 0
    if a & 0x7FFFFFFF == INFINITY:
        return _NAN_INVALID if b & 0x7FFFFFFF == INFINITY else sign << 31 | INFINITY
    if b & 0x7FFFFFFF == INFINITY:
        return sign << 31
    if b_zero:
        return _NAN_INVALID if a_zero else sign << 31 | INFINITY | DIVIDE_BY_ZERO << 32
    if a_zero:
        return sign << 31
    numerator = _significand(a) << 38
    denominator = _significand(b)
    quotient = numerator // denominator
    if quotient * denominator != numerator:
        quotient = (quotient << 1) | 1
    else:
        quotient <<= 1
    exponent = _exponent(a) - _exponent(b)
    return _round(sign, exponent + 62 - 39, quotient, mode, precision)


@njit(cache=True)
def sqrt(a: int, mode: int, precision: int) -> int:
    """The square root of a."""
    if is_nan(a):
        return _nan_result(a, a)
    if a & 0x7FFFFFFF == 0:
        return a
    if a >> 31 == 1:
        return _NAN_INVALID
    if a == INFINITY:
        return a
    exponent = _exponent(a)
    significand = _significand(a) << 28  # leading bit at 51
    if exponent & 1 == 1:
        significand <<= 1
        exponent -= 1
    # significand * 2**(exponent - 51); multiply by 2 to have an even power of two
    significand <<= 1
    root = int(np.sqrt(np.float64(significand)))
    while root * root > significand:
        root -= 1
    while (root + 1) * (root + 1) <= significand:
        root += 1
    sticky = 1 if root * root != significand else 0
    return _round(0, exponent // 2 + 62 - 27, (root << 1) | sticky, mode, precision)


@njit(cache=True)
def round_to(a: int, mode: int, precision: int) -> int:
    """a rounded to ``precision`` bits (the conversion from binary32 to bfloat16)."""
    if is_nan(a):
        return _nan_result(a, a)
    if a & 0x7FFFFFFF == INFINITY or a & 0x7FFFFFFF == 0:
        return a
    return _round(a >> 31, _exponent(a), _significand(a) << 39, mode, precision)


@njit(cache=True)
def from_integer(value: int, mode: int, precision: int) -> int:
    """The integer ``value`` (-2**31 .. 2**32-1) as a floating-point number."""
    return _round(1 if value < 0 else 0, 62, abs(value), mode, precision)


@njit(cache=True)
def to_integer(a: int, mode: int, unsigned: bool) -> int:
    """a as a 32-bit integer pattern; out of range saturates and is invalid, NaN is the maximum."""
    low = 0 if unsigned else -(1 << 31)
    high = (1 << 32) - 1 if unsigned else (1 << 31) - 1
    if is_nan(a):
        return high | INVALID << 32
    sign = a >> 31
    if a & 0x7FFFFFFF == 0:
        return 0
    saturated = (low if sign == 1 else high) & 0xFFFFFFFF | INVALID << 32
    if a & 0x7FFFFFFF == INFINITY:
        return saturated
    exponent = _exponent(a)
    if exponent > 32:
        return saturated
    scaled = _shift_right_sticky(_significand(a) << 35, 35 + 23 - 25 - exponent)
    # scaled has 25 fraction bits
    kept = scaled >> 25
    rest = scaled & 0x1FFFFFF
    if _increments(sign, kept, rest, 1 << 24, mode):
        kept += 1
    value = -kept if sign == 1 else kept
    if value < low or value > high:
        return saturated
    return (value & 0xFFFFFFFF) | (INEXACT << 32 if rest != 0 else 0)


@njit(cache=True)
def _key(a: int) -> int:
    """Monotone integer of a number that is not NaN, with -0 equal to +0."""
    magnitude = a & 0x7FFFFFFF
    return -magnitude if a >> 31 == 1 else magnitude


@njit(cache=True)
def equal(a: int, b: int) -> int:
    """a == b, quiet."""
    if is_nan(a) or is_nan(b):
        return INVALID << 32 if is_signaling(a) or is_signaling(b) else 0
    return 1 if _key(a) == _key(b) else 0


@njit(cache=True)
def less(a: int, b: int) -> int:
    """a < b, signaling."""
    if is_nan(a) or is_nan(b):
        return INVALID << 32
    return 1 if _key(a) < _key(b) else 0


@njit(cache=True)
def less_equal(a: int, b: int) -> int:
    """a <= b, signaling."""
    if is_nan(a) or is_nan(b):
        return INVALID << 32
    return 1 if _key(a) <= _key(b) else 0


@njit(cache=True)
def minimum(a: int, b: int, want_maximum: bool) -> int:
    """IEEE 754-2019 minimumNumber or maximumNumber; -0 is below +0."""
    flags = INVALID << 32 if is_signaling(a) or is_signaling(b) else 0
    if is_nan(a):
        return NAN | flags if is_nan(b) else b | flags
    if is_nan(b):
        return a | flags
    a_below = _key(a) < _key(b) or (_key(a) == _key(b) and a >> 31 == 1)
    return (a if a_below != want_maximum else b) | flags


@njit(cache=True)
def classify(a: int) -> int:
    """The fclass mask; one function for both precisions, their exponent fields being equal."""
    sign = a >> 31
    magnitude = a & 0x7FFFFFFF
    if is_nan(a):
        return 1 << 8 if is_signaling(a) else 1 << 9
    if magnitude == INFINITY:
        return 1 if sign == 1 else 1 << 7
    if magnitude == 0:
        return 1 << 3 if sign == 1 else 1 << 4
    if magnitude < 1 << 23:
        return 1 << 2 if sign == 1 else 1 << 5
    return 1 << 1 if sign == 1 else 1 << 6
