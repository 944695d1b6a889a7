"""The lines that SiLU takes the sigmoid from, and what they make of it."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from softex_mlir.isa_sim.numerics import rowwise
from softex_mlir.isa_sim.numerics.silu_lines import LINES, PER_UNIT, ZERO, silu_lines

ALL = np.arange(1 << 16, dtype=np.uint16).view(ml_dtypes.bfloat16)
X = ALL[np.isfinite(ALL.astype(np.float32))]


def exact(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-x))


def test_lines_are_close_to_the_sigmoid_and_meet():
    for x in np.arange(1, LINES - 1):
        start, slope = silu_lines()[x].astype(np.float64)
        around = (x - ZERO + np.linspace(-0.5, 0.5, 33)) / PER_UNIT
        real = 1 / (1 + np.exp(-around))
        assert np.abs((start + slope * around) / real - 1).max() < 1.03e-3
        if np.abs(around).max() < 1:
            assert np.abs((start + slope * around) / real - 1).max() < 3.5e-4


def test_hardly_worse_than_rounding():
    x = X.astype(np.float64)
    real, found = exact(x), rowwise.silu(X[None])[0].astype(np.float64)
    rounded = real.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)
    far = np.abs(real) > 1e-9
    errors = np.abs(found - real), np.abs(rounded - real)
    assert (errors[0][far] / np.abs(real[far])).max() < 5e-3
    assert errors[0][~far].max() < 1e-9
    near = np.abs(x) < 4
    assert errors[0][near].mean() < 1.01 * errors[1][near].mean()


def test_special_values():
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 3.38e38, -3.38e38, -24.5], np.float32)
    found = rowwise.silu(x.astype(ml_dtypes.bfloat16)[None])[0].astype(np.float32)
    assert np.array_equal(found[:5], [np.inf, np.nan, np.nan, 0, 0], equal_nan=True)
    assert found[5] == x[5].astype(ml_dtypes.bfloat16).astype(np.float32)
    assert np.signbit(found[4:]).tolist() == [True, False, True, True]
    assert not found[6:].any()
