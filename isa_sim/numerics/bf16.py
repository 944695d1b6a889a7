"""BF16 on whole arrays: conversions in all five rounding modes, add, subtract, multiply, FMA.

Arithmetic is IEEE 754 with full subnormal support; every NaN result is the canonical ``0x7FC0``,
as in the accelerators and in FPnew. Arrays are ``ml_dtypes.bfloat16`` of any shape; functions
ending in ``_bits`` take and give ``uint16`` bit patterns.

Exactness: a product of two BF16 values is exact in binary64, and the error of a binary64 addition
is itself a binary64 number (TwoSum). Forcing the last bit of an inexact sum to one ("round to
odd") keeps all the information that one later rounding needs.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

Bf16Array = npt.NDArray[Any]
"""An array of ``ml_dtypes.bfloat16``."""
Bits = npt.NDArray[np.uint16]

BF16 = ml_dtypes.bfloat16
CANONICAL_NAN = 0x7FC0
NEGATIVE_INFINITY = 0xFF80
LARGEST = 3.3895313892515355e38
"""The largest finite BF16 (0x7F7F)."""


class Rounding(IntEnum):
    """Rounding modes, numbered as in RISC-V's ``frm``."""

    RNE = 0
    """to nearest, ties to even"""
    RTZ = 1
    """towards zero"""
    RDN = 2
    """towards minus infinity"""
    RUP = 3
    """towards plus infinity"""
    RMM = 4
    """to nearest, ties away from zero"""


def to_bits(x: Any) -> Bits:
    """Bit patterns of a BF16 array (or scalar); ``TypeError`` for any other element type."""
    array = np.asarray(x)
    if array.dtype == np.uint16:
        raise TypeError("expected an array of bfloat16, found uint16: call .view(bfloat16) first")
    if array.dtype != BF16:
        raise TypeError(f"expected an array of bfloat16, found {array.dtype}: convert it first")
    return np.ascontiguousarray(array).view(np.uint16).reshape(array.shape)


def from_bits(bits: Any) -> Bf16Array:
    """The BF16 array with these bit patterns."""
    array = np.asarray(bits, dtype=np.uint16)
    return np.ascontiguousarray(array).view(BF16).reshape(array.shape)


def widen_bits(bits: Any) -> npt.NDArray[np.float32]:
    """BF16 bit patterns as binary32 values, exactly."""
    wide = np.asarray(bits, dtype=np.uint16).astype(np.uint32) << np.uint32(16)
    return wide.view(np.float32)


def round_float32_bits(x: Any, rounding: Rounding = Rounding.RNE) -> Bits:
    """Binary32 to BF16 bit patterns with one rounding."""
    values = np.asarray(x, dtype=np.float32)
    word = np.atleast_1d(values).view(np.uint32).astype(np.uint64)
    negative = (word >> np.uint64(31)) != 0
    if rounding is Rounding.RNE:
        increment = np.uint64(0x7FFF) + ((word >> np.uint64(16)) & np.uint64(1))
    elif rounding is Rounding.RMM:
        increment = np.full_like(word, 0x8000)
    elif rounding is Rounding.RDN:
        increment = np.where(negative, np.uint64(0xFFFF), np.uint64(0))
    elif rounding is Rounding.RUP:
        increment = np.where(negative, np.uint64(0), np.uint64(0xFFFF))
    else:
        increment = np.zeros_like(word)
    result = ((word + increment) >> np.uint64(16)).astype(np.uint16)
    nan = (word & np.uint64(0x7FFFFFFF)) > np.uint64(0x7F800000)
    result[nan] = CANONICAL_NAN
    return result.reshape(values.shape)


def _odd_float32(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Binary64 to binary32, rounded to odd: truncated, last bit set where inexact."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        near = x.astype(np.float32)
        back = near.astype(np.float64)
        inexact = (back != x) & ~np.isnan(x)
        word = np.atleast_1d(near).view(np.uint32).copy()
        # Step back to the truncated magnitude where the conversion rounded away from zero.
        word[np.atleast_1d(inexact & (np.abs(back) > np.abs(x)))] -= np.uint32(1)
        word[np.atleast_1d(inexact)] |= np.uint32(1)
    return word.view(np.float32).reshape(x.shape)


def round_float64_bits(x: Any, rounding: Rounding = Rounding.RNE) -> Bits:
    """Binary64 to BF16 bit patterns with one rounding."""
    return round_float32_bits(_odd_float32(np.asarray(x, dtype=np.float64)), rounding)


def from_float(x: Any, rounding: Rounding = Rounding.RNE) -> Bf16Array:
    """Numbers of any float type up to binary64 as BF16, rounded once."""
    array = np.asarray(x)
    if array.dtype == BF16:
        return array
    if array.dtype == np.float32:
        return from_bits(round_float32_bits(array, rounding))
    return from_bits(round_float64_bits(array, rounding))


def saturated(x: Any) -> Bf16Array:
    """The nearest BF16 of floats; finite ones beyond its range become its largest.

    So the lowest float32, with which many models mask scores, stays finite.
    """
    array = np.asarray(x)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = array.astype(BF16)
        lost = np.isinf(rounded) & np.isfinite(array)
    rounded[lost] = np.where(array[lost] > 0, LARGEST, -LARGEST).astype(BF16)
    return rounded


def odd_sum(a: Any, b: Any) -> npt.NDArray[np.float64]:
    """``a + b`` in binary64, rounded to odd. Needs operands whose exponents leave room."""
    with np.errstate(invalid="ignore", over="ignore"):
        a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
        total = np.atleast_1d(a + b)
        part = total - a
        error = (a - (total - part)) + (b - part)
        word = total.view(np.int64).copy()
        fix = (error != 0) & np.isfinite(total) & ((word & 1) == 0)
        away = (error > 0) == (total > 0)
        word[fix] += np.where(away, 1, -1)[fix]
    return word.view(np.float64).reshape(a.shape)


def fma_bits(x: Any, w: Any, y: Any, rounding: Rounding = Rounding.RNE) -> Bits:
    """``x * w + y`` on bit patterns, rounded once."""
    with np.errstate(invalid="ignore", over="ignore"):
        product = widen_bits(x).astype(np.float64) * widen_bits(w).astype(np.float64)
        addend = widen_bits(y).astype(np.float64)
        total = odd_sum(product, addend)
    result = round_float64_bits(total, rounding)
    if rounding is Rounding.RDN:
        # An exact cancellation is -0 towards minus infinity, unless both terms were +0.
        zero = (product + addend) == 0
        plus = ~np.signbit(product) & ~np.signbit(addend) & (product == 0)
        result = np.where(zero & ~plus, np.uint16(0x8000), result)
    return result


def add_bits(a: Any, b: Any, rounding: Rounding = Rounding.RNE) -> Bits:
    """``a + b`` on bit patterns, rounded once."""
    return fma_bits(a, np.uint16(0x3F80), b, rounding)


def sub_bits(a: Any, b: Any, rounding: Rounding = Rounding.RNE) -> Bits:
    """``a - b`` on bit patterns, rounded once."""
    return add_bits(a, np.asarray(b, np.uint16) ^ np.uint16(0x8000), rounding)


def mul_bits(a: Any, b: Any, rounding: Rounding = Rounding.RNE) -> Bits:
    """``a * b`` on bit patterns, rounded once."""
    with np.errstate(invalid="ignore", over="ignore"):
        product = widen_bits(a).astype(np.float64) * widen_bits(b).astype(np.float64)
    return round_float64_bits(product, rounding)


def fma(x: Any, w: Any, y: Any, rounding: Rounding = Rounding.RNE) -> Bf16Array:
    """``x * w + y`` with one rounding; arrays broadcast."""
    return from_bits(fma_bits(to_bits(x), to_bits(w), to_bits(y), rounding))


def add(a: Any, b: Any, rounding: Rounding = Rounding.RNE) -> Bf16Array:
    """``a + b`` with one rounding; arrays broadcast."""
    return from_bits(add_bits(to_bits(a), to_bits(b), rounding))


def sub(a: Any, b: Any, rounding: Rounding = Rounding.RNE) -> Bf16Array:
    """``a - b`` with one rounding; arrays broadcast."""
    return from_bits(sub_bits(to_bits(a), to_bits(b), rounding))


def mul(a: Any, b: Any, rounding: Rounding = Rounding.RNE) -> Bf16Array:
    """``a * b`` with one rounding; arrays broadcast."""
    return from_bits(mul_bits(to_bits(a), to_bits(b), rounding))
