"""Ranges of numbers, and what the scalar operations of loop nests make of them.

A range is closed and may be infinite on the side of floating-point numbers. What is computed in
floating point is widened by more than the roundings on the way can add; NaN is not spoken of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute

Number = int | float
SLACK = 2.0**-20
"""Relative; an operation of float32 rounds by less."""


class Range(NamedTuple):
    """Numbers from `low` to `high`."""

    low: Number
    high: Number

    def hull(self, other: Range) -> Range:
        """The smallest range with both."""
        return Range(min(self.low, other.low), max(self.high, other.high))

    def within(self, other: Range) -> bool:
        """Whether another range has all numbers of this one."""
        return other.low <= self.low and self.high <= other.high

    def meet(self, other: Range) -> Range | None:
        """What both have; None if that is nothing."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Range(low, high) if low <= high else None


INT32 = Range(-(1 << 31), (1 << 31) - 1)
TRUTH = Range(0, 1)
ANY_NUMBER = Range(-math.inf, math.inf)


def all_of(kind: Attribute) -> Range:
    """All numbers of an element type."""
    if not isinstance(kind, IntegerType):
        return ANY_NUMBER
    return TRUTH if kind == IntegerType(1) else INT32


def widened(x: Range) -> Range:
    """With what rounding may add on both sides."""
    return Range(x.low - abs(x.low) * SLACK - 1e-37, x.high + abs(x.high) * SLACK + 1e-37)


def add(a: Range, b: Range) -> Range:
    """Sums."""
    return _ordered(a.low + b.low, a.high + b.high)


def subtract(a: Range, b: Range) -> Range:
    """Differences."""
    return _ordered(a.low - b.high, a.high - b.low)


def multiply(a: Range, b: Range) -> Range:
    """Products."""
    corners = [_product(x, y) for x in a for y in b]
    return Range(min(corners), max(corners))


def divide(a: Range, b: Range) -> Range:
    """Quotients of floating-point numbers."""
    if b.low <= 0 <= b.high or math.inf in (abs(b.low), abs(b.high)):
        return ANY_NUMBER
    corners = [x / y for x in a for y in b]
    return Range(min(corners), max(corners))


def largest(a: Range, b: Range) -> Range:
    """Maxima."""
    return Range(max(a.low, b.low), max(a.high, b.high))


def smallest(a: Range, b: Range) -> Range:
    """Minima."""
    return Range(min(a.low, b.low), min(a.high, b.high))


def quotient(a: Range, b: Range) -> Range:
    """Of integers, towards zero; -1 by zero."""
    if not b.low <= 0 <= b.high:
        corners = [_towards_zero(int(x), int(y)) for x in a for y in b]
        return Range(min(corners), max(corners))
    most = max(abs(a.low), abs(a.high), 1)
    return Range(-most, most)


def remainder(a: Range, b: Range) -> Range:
    """Of integers, with the sign of the dividend, which stays as it is by zero."""
    most = max(abs(b.low), abs(b.high)) - 1
    if b.low <= 0 <= b.high:
        return Range(min(a.low, 0), max(a.high, 0))
    return Range(max(-most, min(a.low, 0)), min(most, max(a.high, 0)))


def conjunction(a: Range, b: Range) -> Range:
    """Bits that both have."""
    bounds = [x.high for x in (a, b) if x.low >= 0]
    return Range(0, min(bounds)) if bounds else INT32


def mixed_bits(a: Range, b: Range) -> Range:
    """Bits that one of both has, or either."""
    if a.low < 0 or b.low < 0:
        return INT32
    return Range(0, (1 << int(max(a.high, b.high)).bit_length()) - 1)


def shifted_left(a: Range, b: Range) -> Range:
    """A number times a power of two."""
    if not b.within(Range(0, 31)):
        return INT32 if a != Range(0, 0) else a
    return multiply(a, Range(1 << int(b.low), 1 << int(b.high)))


def shifted_right(a: Range, b: Range) -> Range:
    """A number over a power of two, downwards."""
    if not b.within(Range(0, 31)):
        return a.hull(Range(-1, 0))
    corners = [int(x) >> int(y) for x in a for y in b]
    return Range(min(corners), max(corners))


def shifted_right_unsigned(a: Range, b: Range) -> Range:
    """The bits moved to the right."""
    if a.low >= 0:
        return shifted_right(a, b)
    most = (1 << 32) - 1
    return Range(0, most >> int(b.low)) if b.within(Range(0, 31)) else Range(0, most)


def magnitude(x: Range) -> Range:
    """Absolute values."""
    most = max(abs(x.low), abs(x.high))
    return Range(0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high)), most)


def rising(function: Callable[[float], float]) -> Callable[[Range], Range]:
    """What a function that never falls makes of a range."""

    def apply(x: Range) -> Range:
        return widened(Range(function(float(x.low)), function(float(x.high))))

    return apply


def _ordered(low: Number, high: Number) -> Range:
    """Opposite infinities cancel to NaN, which is any number."""
    return ANY_NUMBER if math.isnan(low) or math.isnan(high) else Range(low, high)


def _product(x: Number, y: Number) -> Number:
    return 0 if 0 in (x, y) else x * y


def _towards_zero(x: int, y: int) -> int:
    found = abs(x) // abs(y)
    return found if (x < 0) == (y < 0) else -found


def _saturating(function: Callable[[float], float]) -> Callable[[float], float]:
    """Infinite where the result is too large, and outside the function's numbers."""

    def apply(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return math.inf
        except ValueError:
            return -math.inf

    return apply


def _whole(function: Callable[[float], int]) -> Callable[[Range], Range]:
    def at(x: float) -> float:
        return float(function(x)) if math.isfinite(x) else x

    return lambda x: Range(at(float(x.low)), at(float(x.high)))


FUNCTIONS: dict[str, Callable[[Range], Range]] = {
    "arith.negf": lambda x: Range(-x.high, -x.low),
    "math.absf": magnitude,
    "math.floor": _whole(math.floor),
    "math.ceil": _whole(math.ceil),
    "math.trunc": _whole(math.trunc),
    "math.roundeven": _whole(round),
    "math.sqrt": rising(_saturating(math.sqrt)),
    "math.exp": rising(_saturating(math.exp)),
    "math.log": rising(_saturating(math.log)),
    "math.log2": rising(_saturating(math.log2)),
    "math.tanh": rising(math.tanh),
    "math.erf": rising(math.erf),
    "math.sin": lambda x: widened(Range(-1.0, 1.0)),
    "math.cos": lambda x: widened(Range(-1.0, 1.0)),
}
"""Functions of one floating-point number."""
NUMBERS: dict[str, Callable[[Range, Range], Range]] = {
    "arith.addf": lambda a, b: widened(add(a, b)),
    "arith.subf": lambda a, b: widened(subtract(a, b)),
    "arith.mulf": lambda a, b: widened(multiply(a, b)),
    "arith.divf": lambda a, b: widened(divide(a, b)),
    "arith.maxnumf": largest,
    "arith.maximumf": largest,
    "arith.minnumf": smallest,
    "arith.minimumf": smallest,
}
"""Functions of two floating-point numbers."""
INTEGERS: dict[str, Callable[[Range, Range], Range]] = {
    "arith.addi": add,
    "arith.subi": subtract,
    "arith.muli": multiply,
    "arith.divsi": quotient,
    "arith.remsi": remainder,
    "arith.maxsi": largest,
    "arith.minsi": smallest,
    "arith.andi": conjunction,
    "arith.ori": mixed_bits,
    "arith.xori": mixed_bits,
    "arith.shli": shifted_left,
    "arith.shrsi": shifted_right,
    "arith.shrui": shifted_right_unsigned,
}
"""Functions of two integers, as if these had any number of bits."""
