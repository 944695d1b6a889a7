"""SoftEx's sum of exponentials, and GELU and SiLU on top of it, bit for bit.

The unit computes ``q(x) = sum W[n] * expp(S[n] * x)``, element by element, with products in BF16
and a fixed-point accumulator of 14 bits. GELU needs the cores before (``s = bf16(v * v)``) and
after (``Phi = v > 0 ? bf16(1 - q) : q``, ``bf16(v * Phi)``), which stands on ``1 - Phi(v) = Q(v)``
being close to such a sum in ``v^2``. Every function here is one of a single BF16 value, so it is a
table of 65,536 entries, built once from the definition of the hardware (public SoftEx RTL, branch
``gelu``, repaired so that a beat starts from an empty accumulator).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from softex_mlir.isa_sim.numerics.bf16 import (
    Bf16Array,
    Bits,
    from_bits,
    from_float,
    mul_bits,
    sub_bits,
    to_bits,
)
from softex_mlir.isa_sim.numerics.expp import expp_table

ACCUMULATOR_BITS = 14
MAX_TERMS = 32
ONE = 0x3F80


def _to_fixed(products: Bits, bits: int) -> Any:
    """BF16 to unsigned 0.``bits`` fixed point: sign dropped, 1.0 and above give 0.

    One guard bit, rounded half up. The unit's mantissa path is ``bits + 1`` wide and truncates.
    """
    word = products.astype(np.int64)
    exponent = (word >> 7) & 0xFF
    mantissa = (word & 0x7F) | 0x80
    distance = 126 - exponent
    shifted = (mantissa << (bits - 7)) >> np.clip(distance, 0, 40)
    return np.where((distance < 0) | (exponent == 0), 0, (shifted >> 1) + (shifted & 1))


def from_fixed(sums: Any, bits: int, carry: bool) -> Bits:
    """Accumulator to BF16. Without ``carry`` a mantissa that rounds up to 2.0 wraps to 1.0."""
    _, width = np.frexp(sums.astype(np.float64))
    leading = bits - width
    below = (sums << (leading + 1)) & ((1 << bits) - 1)
    mantissa = (below >> (bits - 7)) + ((below >> (bits - 8)) & 1)
    if not carry:
        mantissa = mantissa & 0x7F
    word = ((126 - leading) << 7) + mantissa
    return np.where(sums == 0, 0, word).astype(np.uint16)


def wrapping_sums(accumulator_bits: int = ACCUMULATOR_BITS) -> Any:
    """The accumulator values that come out at about half their value (63 of 2^14)."""
    sums = np.arange(1 << accumulator_bits)
    wrapped = from_fixed(sums, accumulator_bits, False)
    return sums[wrapped != from_fixed(sums, accumulator_bits, True)]


def accumulator_values(
    s: Bits,
    slopes: Sequence[int],
    weights: Sequence[int],
    accumulator_bits: int = ACCUMULATOR_BITS,
    constants: str = "rtl",
) -> Any:
    """The fixed-point sums (int64, shape of ``s``) before conversion to BF16; all bit patterns."""
    exponential = expp_table(constants)
    total = np.zeros(s.shape, np.int64)
    for slope, weight in zip(slopes, weights, strict=True):
        powers = exponential[mul_bits(s, np.uint16(slope))]
        total += _to_fixed(mul_bits(powers, np.uint16(weight)), accumulator_bits)
    return total & ((1 << accumulator_bits) - 1)


@lru_cache(maxsize=64)
def sum_of_exponentials_table(
    slopes: tuple[int, ...],
    weights: tuple[int, ...],
    accumulator_bits: int = ACCUMULATOR_BITS,
    rounding_carry: bool = False,
    constants: str = "rtl",
) -> Bits:
    """``uint16[65536]``: the unit's result for every input; coefficients are BF16 bit patterns."""
    if not 1 <= len(slopes) <= MAX_TERMS or len(slopes) != len(weights):
        raise ValueError(
            f"expected 1..{MAX_TERMS} slopes and as many weights, "
            f"found {len(slopes)} and {len(weights)}"
        )
    if not 8 <= accumulator_bits <= 24:
        raise ValueError(f"accumulator_bits must be 8..24, found {accumulator_bits}")
    inputs = np.arange(65536, dtype=np.uint16)
    sums = accumulator_values(inputs, slopes, weights, accumulator_bits, constants)
    table = from_fixed(sums, accumulator_bits, rounding_carry)
    table.setflags(write=False)
    return table


def coefficient_bits(coefficients: Any) -> tuple[int, ...]:
    """BF16 bit patterns of coefficients given as BF16 array, bit patterns (ints) or floats."""
    if all(isinstance(c, int | np.integer) for c in np.ravel(np.asarray(coefficients, object))):
        return tuple(int(c) for c in np.ravel(np.asarray(coefficients)))
    return tuple(int(bits) for bits in np.ravel(to_bits(from_float(np.asarray(coefficients)))))


def sum_of_exponentials(
    s: Any,
    slopes: Any,
    weights: Any,
    *,
    accumulator_bits: int = ACCUMULATOR_BITS,
    rounding_carry: bool = False,
    constants: str = "rtl",
) -> Bf16Array:
    """``sum W[n] * expp(S[n] * s)`` as SoftEx computes it.

    ``s``: BF16, any shape. ``slopes`` (already negated for a decay) and ``weights``: 1 to 32
    coefficients, as BF16 array, floats (rounded to BF16) or integers (BF16 bit patterns).
    ``rounding_carry`` False is the RTL: 63 sums come out at half their value.
    """
    table = sum_of_exponentials_table(
        coefficient_bits(slopes),
        coefficient_bits(weights),
        accumulator_bits,
        rounding_carry,
        constants,
    )
    return from_bits(table[to_bits(s)])


GELU_SLOPES = (0xBF12, 0xBFB5, 0xC0B7, 0xC21C)
"""Slopes of the default set, minimax of |x * error| with four terms (gelu_N4)."""
GELU_WEIGHTS = (0x3E61, 0x3E10, 0x3DA2, 0x3D32)
TANASH_RIIHONEN_SLOPES = (0xBF29, 0xC065, 0xC223, 0xC4BC)
"""Slopes of the published four-term set (Tanash and Riihonen 2020)."""
TANASH_RIIHONEN_WEIGHTS = (0x3E9A, 0x3E0A, 0x3D4D, 0x3C70)
COEFFICIENT_SETS = {
    "gelu": (GELU_SLOPES, GELU_WEIGHTS),
    "tanash-riihonen": (TANASH_RIIHONEN_SLOPES, TANASH_RIIHONEN_WEIGHTS),
}
"""Shipped sets: name to (slopes, weights) as BF16 bit patterns."""


def gelu_square(v: Any) -> Bf16Array:
    """What the cores give the unit: ``bf16(v * v)``."""
    bits = to_bits(v)
    return from_bits(mul_bits(bits, bits))


def gelu_finish(v: Any, q: Any) -> Bf16Array:
    """What the cores make of the unit's result: ``bf16(v * (v > 0 ? bf16(1 - q) : q))``."""
    v_bits, q_bits = to_bits(v), to_bits(q)
    magnitude = v_bits & 0x7FFF
    positive = (v_bits < 0x8000) & (magnitude > 0) & (magnitude <= 0x7F80)
    phi = np.where(positive, sub_bits(np.uint16(ONE), q_bits), q_bits)
    return from_bits(mul_bits(v_bits, phi))


@lru_cache(maxsize=16)
def gelu_table(
    slopes: tuple[int, ...] = GELU_SLOPES,
    weights: tuple[int, ...] = GELU_WEIGHTS,
    accumulator_bits: int = ACCUMULATOR_BITS,
    rounding_carry: bool = False,
    constants: str = "rtl",
) -> Bits:
    """``uint16[65536]``: the composed GELU of every input."""
    v = from_bits(np.arange(65536, dtype=np.uint16))
    table = sum_of_exponentials_table(slopes, weights, accumulator_bits, rounding_carry, constants)
    result = to_bits(gelu_finish(v, from_bits(table[to_bits(gelu_square(v))])))
    result.setflags(write=False)
    return result


def gelu(
    x: Any,
    slopes: Any = GELU_SLOPES,
    weights: Any = GELU_WEIGHTS,
    *,
    accumulator_bits: int = ACCUMULATOR_BITS,
    rounding_carry: bool = False,
    constants: str = "rtl",
) -> Bf16Array:
    """GELU with SoftEx, the cores' steps included. ``x``: BF16, any shape.

    Serves the erf form and, as exactly as BF16 can tell, the tanh form. -inf and NaN give NaN
    (the cores' last multiply); +inf gives +inf.
    """
    table = gelu_table(
        coefficient_bits(slopes),
        coefficient_bits(weights),
        accumulator_bits,
        rounding_carry,
        constants,
    )
    return from_bits(table[to_bits(x)])


def silu(x: Any) -> Bf16Array:
    """``x * sigmoid(x)`` as the cores compute it (BF16, any shape).

    ``expp`` through SoftEx costs a job and leaves the cores an addition and a division: they
    compute it wholly, with the kernel of :func:`softex_mlir.isa_sim.numerics.rowwise.silu`, which
    is also the more accurate.
    """
    from softex_mlir.isa_sim.numerics import rowwise

    bits = to_bits(x)
    return rowwise.silu(from_bits(bits.reshape(1, -1))).reshape(bits.shape)
