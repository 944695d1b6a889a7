"""Operations on arrays of float32 as the cores' F extension computes them, one rounding each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_NAN = np.float32(np.nan)


def canonical(x: Any) -> Floats:
    """The values, every NaN the canonical one (0x7FC00000)."""
    values = np.asarray(x, np.float32)
    return np.where(np.isnan(values), _NAN, values)


def fma(a: Any, b: Any, addend: Any) -> Floats:
    """``a * b + addend`` rounded once: binary64 holds the product, its sum is rounded to odd."""
    from softex_mlir.isa_sim.numerics.bf16 import odd_sum

    product = np.asarray(a, np.float32).astype(np.float64) * np.asarray(b, np.float32)
    return odd_sum(product, np.asarray(addend, np.float32).astype(np.float64)).astype(np.float32)


def maximum(a: Any, b: Any) -> Floats:
    """RISC-V fmax: a NaN loses, +0 is above -0."""
    x, y = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return np.where(x == y, np.where(np.signbit(x), y, x), np.fmax(x, y))


def minimum(a: Any, b: Any) -> Floats:
    """RISC-V fmin: a NaN loses, -0 is below +0."""
    x, y = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return np.where(x == y, np.where(np.signbit(x), x, y), np.fmin(x, y))


def to_int(x: Any) -> npt.NDArray[np.int32]:
    """RISC-V fcvt.w.s towards zero: saturating, NaN gives the largest number."""
    wide = np.asarray(x, np.float32).astype(np.float64)
    bounded = np.clip(np.where(np.isnan(wide), 2.0**31, wide), -(2.0**31), 2.0**31 - 1)
    return np.trunc(bounded).astype(np.int64).astype(np.int32)


def erf(x: Any) -> Floats:
    """The error function, to float32."""
    from math import erf as exact

    return np.vectorize(exact, otypes=[np.float32])(np.asarray(x, np.float64))
