"""Coefficients of SoftEx's GELU: fitting, rounding to BF16, screening.

``Q(x) = 1 - Phi(x)`` is approximated by ``sum a * exp(-b x^2)`` for x >= 0 so that the largest
``|x * error|``, the error of GELU, is as small as possible (minimax). The unit then rounds more
than the fit errs, so the rounded set is tuned on the unit's own arithmetic: neighbours in BF16
are tried until none lowers the largest error of the composed GELU. A set whose accumulator can
meet one of the 63 sums that come out at half their value is never chosen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.numerics.bf16 import from_bits, from_float, to_bits, widen_bits
from softex_mlir.isa_sim.numerics.gelu import (
    ACCUMULATOR_BITS,
    MAX_TERMS,
    accumulator_values,
    gelu_table,
    sum_of_exponentials_table,
    wrapping_sums,
)

_erfc = np.vectorize(math.erfc, otypes=[np.float64])
MINIMAX_TERMS = 8
"""Up to here the minimax fit is well conditioned (converged up to 6 terms, below 5e-5 for 7, 8).

Larger sets are Gauss-Legendre sums of Craig's integral for Q, which are positive and accurate.
"""

# b of the fit of two terms, roughly; each further size starts from the one before.
_START = (0.64, 3.4)


@dataclass(frozen=True)
class CoefficientSet:
    """A set for :func:`~softex_mlir.isa_sim.numerics.gelu.gelu`.

    ``a`` and ``b`` are the fit in full precision and ``fit_error`` its largest ``|x * error|``.
    ``slopes`` (``-b``) and ``weights`` (``a``) are BF16 bit patterns, tuned if so asked, with
    the largest error of the composed GELU over all inputs, its mean under N(0, 1), and the
    inputs (BF16 bit patterns) at which the unit's mantissa wraps.
    """

    a: tuple[float, ...]
    b: tuple[float, ...]
    fit_error: float
    slopes: tuple[int, ...]
    weights: tuple[int, ...]
    largest_error: float
    mean_error: float
    wraps: tuple[int, ...]


def _solve(matrix: Any, right: Any) -> Any:
    return np.linalg.solve(matrix, right)  # pyright: ignore[reportUnknownVariableType]


def _residual(x: Any, q: Any, a: Any, b: Any) -> Any:
    return x * (np.exp(-np.outer(x * x, b)) @ a - q)


def _jacobian(x: Any, a: Any, b: Any) -> Any:
    """Derivatives of the residual by ``a`` and by ``log b``."""
    powers = np.exp(-np.outer(x * x, b)) * x[:, None]
    return np.concatenate([powers, -powers * (a * b) * (x * x)[:, None]], axis=1)


def _extrema(error: Any) -> Any:
    """Indices of the largest error in each run of equal sign."""
    signs = np.sign(error)
    starts = np.flatnonzero(np.diff(signs) != 0) + 1
    runs: list[Any] = np.split(np.arange(error.size), starts)  # pyright: ignore
    return np.array([run[np.argmax(np.abs(error[run]))] for run in runs])


def _grid(b: Any) -> Any:
    smallest = 0.01 / math.sqrt(float(np.max(b)))
    return np.geomspace(smallest, 7.0, 1500)


def _least_squares(x: Any, q: Any, a: Any, b: Any, steps: int) -> tuple[Any, Any]:
    """Lawson's weights on Levenberg-Marquardt steps: towards the minimax solution, robustly."""
    weights = np.full(x.size, 1.0)
    damping = 1e-3
    for _ in range(steps):
        residual = _residual(x, q, a, b)
        jacobian = _jacobian(x, a, b)
        left = jacobian.T @ (weights[:, None] * jacobian)
        right = jacobian.T @ (weights * residual)
        scale = np.diag(np.diag(left) + 1e-30)
        step = _solve(left + damping * scale, right)
        step = np.clip(step, -0.3, 0.3)
        new_a, new_b = a - step[: a.size], b * np.exp(-step[a.size :])
        old = float(np.sum(weights * residual**2))
        if float(np.sum(weights * _residual(x, q, new_a, new_b) ** 2)) < old:
            a, b, damping = new_a, new_b, max(damping / 3, 1e-12)
        else:
            damping = min(damping * 5, 1e3)
        error = np.abs(_residual(x, q, a, b))
        weights = weights * (error / error.max() + 1e-3)
        weights /= weights.mean()
    return a, b


def _alternating(error: Any, wanted: int) -> Any:
    """The ``wanted`` extrema of alternating sign, or fewer if there are no more."""
    points = _extrema(error)
    while points.size > wanted:
        # Drop the smallest: with its smaller neighbour if inside, so that signs still alternate.
        size = np.abs(error[points])
        smallest = int(np.argmin(size))
        if smallest in (0, points.size - 1) or points.size == wanted + 1:
            drop = [0 if size[0] < size[-1] else points.size - 1]
        else:
            left = size[smallest - 1] < size[smallest + 1]
            drop = [smallest, smallest - 1 if left else smallest + 1]
        points = np.delete(points, drop)
    return points


def _remez(x: Any, q: Any, a: Any, b: Any, steps: int) -> tuple[Any, Any]:
    """Newton's method on the alternating extrema; stops where they are no full set."""
    wanted = 2 * a.size + 1
    for _ in range(steps):
        error = _residual(x, q, a, b)
        points = _alternating(error, wanted)
        if points.size != wanted:
            break
        signs = np.sign(error[points])
        system = np.concatenate([_jacobian(x[points], a, b), -signs[:, None]], axis=1)
        step = _solve(system, -error[points])[:-1]
        factor = min(1.0, 0.3 / float(np.abs(step).max()))
        largest = np.abs(error).max()
        for _ in range(8):
            new_a, new_b = a + factor * step[: a.size], b * np.exp(factor * step[a.size :])
            if np.abs(_residual(x, q, new_a, new_b)).max() < largest:
                break
            factor /= 2
        else:
            break
        a, b = new_a, new_b
    return a, b


def _quadrature(terms: int) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Craig's form ``Q(x) = 1/pi * int_0^(pi/2) exp(-x^2 / (2 sin(t)^2)) dt`` as a sum."""
    nodes, weights = np.polynomial.legendre.leggauss(terms)
    angles = (nodes[::-1] + 1) * math.pi / 4
    a, b = weights[::-1] / 4, 1 / (2 * np.sin(angles) ** 2)
    x = _grid(b)
    error = float(np.abs(_residual(x, 0.5 * _erfc(x / math.sqrt(2.0)), a, b)).max())
    return tuple(a.tolist()), tuple(b.tolist()), error


@lru_cache(maxsize=MAX_TERMS)
def minimax(terms: int) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """(a, b, largest ``|x * error|``) of the best sum of ``terms`` exponentials, b ascending."""
    if terms > MINIMAX_TERMS:
        return _quadrature(terms)
    if terms <= 1:
        b = np.array([0.8])
    elif terms == 2:
        b = np.array(_START)
    else:
        # Spread the logarithms of b over one more term, and one step further out.
        old, new = np.linspace(0.0, 1.0, terms - 1), np.linspace(0.0, 1.0, terms)
        spread = np.interp(new, old, np.log(minimax(terms - 1)[1]))
        b = np.exp(spread + 1.31 * math.sqrt(3 / terms) * new**2 - 0.03 * (1 - new))
    x = _grid(b)
    q = 0.5 * _erfc(x / math.sqrt(2.0))
    powers = np.exp(-np.outer(x * x, b)) * x[:, None]
    a = _solve(powers.T @ powers, powers.T @ (x * q))
    for _ in range(6):
        a, b = _remez(x, q, a, b, 60)
        error = _residual(x, q, a, b)
        points = _alternating(error, 2 * terms + 1)
        size = np.abs(error[points])
        if points.size == 2 * terms + 1 and size.max() < 1.001 * size.min():
            break
        a, b = _least_squares(x, q, a, b, 80)
    ascending = np.argsort(b)
    error = float(np.abs(_residual(x, q, a, b)).max())
    return tuple(a[ascending].tolist()), tuple(b[ascending].tolist()), error


# --- the unit's arithmetic -------------------------------------------------------------------


def _normal_weights(v: Any) -> Any:
    """Probabilities of the points ``v`` for an N(0, 1) number rounded to the nearest of them."""
    order = np.argsort(v, kind="stable")
    points = v[order]
    edges = np.concatenate([[-40.0], (points[1:] + points[:-1]) / 2, [40.0]])
    below = 0.5 * _erfc(-edges / math.sqrt(2.0))
    weights = np.empty(v.size)
    weights[order] = np.diff(below)
    return weights


def normal_mean(v: Any, values: Any) -> float:
    """Mean of ``values`` at the points ``v`` (all finite BF16 numbers) if v is N(0, 1), rounded."""
    return float(np.sum(_normal_weights(np.clip(v, -39, 39)) * values))


# Where GELU is neither 0 nor x in BF16, both signs; the tuning looks at these.
_POSITIVE = np.arange(0x3B80, 0x40C0, dtype=np.uint16)
_PROBES = np.concatenate([_POSITIVE, _POSITIVE | 0x8000])


def wrapping_inputs(
    slopes: tuple[int, ...],
    weights: tuple[int, ...],
    accumulator_bits: int = ACCUMULATOR_BITS,
    constants: str = "rtl",
) -> Any:
    """The positive GELU inputs (BF16 bit patterns, uint16) whose sum loses its carry."""
    from softex_mlir.isa_sim.numerics.bf16 import mul_bits

    v = np.arange(0x7F80, dtype=np.uint16)
    sums = accumulator_values(mul_bits(v, v), slopes, weights, accumulator_bits, constants)
    return v[np.isin(sums, wrapping_sums(accumulator_bits))]


def _exact_gelu(bits: Any) -> Any:
    v = widen_bits(bits).astype(np.float64)
    return v * 0.5 * _erfc(-v / math.sqrt(2.0))


_TARGET = _exact_gelu(_PROBES)
_WEIGHTS = _normal_weights(widen_bits(_PROBES).astype(np.float64))


def _probe_error(
    slopes: tuple[int, ...], weights: tuple[int, ...], accumulator_bits: int, constants: str
) -> float:
    """Largest plus mean error of the composed GELU on the probes; infinite if the set wraps."""
    from softex_mlir.isa_sim.numerics.bf16 import mul_bits
    from softex_mlir.isa_sim.numerics.gelu import from_fixed, gelu_finish

    if len(wrapping_inputs(slopes, weights, accumulator_bits, constants)):
        return math.inf
    squares = mul_bits(_POSITIVE, _POSITIVE)
    sums = accumulator_values(squares, slopes, weights, accumulator_bits, constants)
    q = np.tile(from_fixed(sums, accumulator_bits, True), 2)
    found = gelu_finish(from_bits(_PROBES), from_bits(q)).astype(np.float64)
    error = np.abs(found - _TARGET)
    largest, mean = float(error.max()), float(np.sum(error * _WEIGHTS))
    # Each in units of what rounding to BF16 alone costs: 7.8e-3 and 5.9e-4.
    return largest / 7.8e-3 + mean / 5.9e-4


def _tuned(
    slopes: tuple[int, ...], weights: tuple[int, ...], accumulator_bits: int, constants: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A wrap-free neighbour with the smallest error: descent by single units in the last place."""
    terms = len(slopes)
    best = (*slopes, *weights)

    def error(candidate: tuple[int, ...]) -> float:
        return _probe_error(candidate[:terms], candidate[terms:], accumulator_bits, constants)

    score = error(best)
    for reach in (1, 2, 1, 3, 1, 2, 1, 2):
        steps = [d for d in range(-reach, reach + 1) if d]
        candidates = [
            (*best[:i], best[i] + d, *best[i + 1 :]) for i in range(2 * terms) for d in steps
        ]
        if not math.isfinite(score):
            # Leave a wrap behind by moving two coefficients at a time, too.
            candidates += [
                tuple(c + d * (i == p) + e * (i == r) for i, c in enumerate(best))
                for p in range(2 * terms)
                for r in range(p)
                for d in (-1, 1)
                for e in (-1, 1)
            ]
        found, candidate = min((error(candidate), candidate) for candidate in candidates)
        if found < score:
            score, best = found, candidate
    return best[:terms], best[terms:]


def gelu_errors(
    slopes: tuple[int, ...],
    weights: tuple[int, ...],
    accumulator_bits: int = ACCUMULATOR_BITS,
    rounding_carry: bool = False,
    constants: str = "rtl",
) -> tuple[float, float]:
    """(largest, mean under N(0, 1)) error of the composed GELU over all finite BF16 inputs."""
    bits = np.arange(65536, dtype=np.uint16)
    bits = bits[(bits & 0x7FFF) < 0x7F80]
    table = gelu_table(slopes, weights, accumulator_bits, rounding_carry, constants)
    v = widen_bits(bits).astype(np.float64)
    error = np.abs(widen_bits(table[bits]).astype(np.float64) - _exact_gelu(bits))
    error[np.abs(v) > 64] = 0.0
    return float(error.max()), normal_mean(v, error)


@lru_cache(maxsize=16)
def fit(
    terms: int,
    tune: bool = True,
    accumulator_bits: int = ACCUMULATOR_BITS,
    constants: str = "rtl",
) -> CoefficientSet:
    """A coefficient set of ``terms`` terms for GELU on SoftEx; takes seconds.

    ``tune`` False keeps the fit as BF16 rounds it, whatever the unit makes of it; so do sets of
    more than :data:`MINIMAX_TERMS`, whose ``wraps`` say whether they are usable.
    """
    if not 1 <= terms <= MAX_TERMS:
        raise UserError(f"a coefficient set of {terms} terms: expected 1..{MAX_TERMS}")
    a, b, fit_error = minimax(terms)
    slopes = tuple(to_bits(from_float(-np.array(b))).tolist())
    weights = tuple(to_bits(from_float(np.array(a))).tolist())
    if tune and terms <= MINIMAX_TERMS:
        slopes, weights = _tuned(slopes, weights, accumulator_bits, constants)
    sum_of_exponentials_table(slopes, weights, accumulator_bits, False, constants)
    largest, mean = gelu_errors(slopes, weights, accumulator_bits, False, constants)
    wraps = tuple(wrapping_inputs(slopes, weights, accumulator_bits, constants).tolist())
    return CoefficientSet(a, b, fit_error, slopes, weights, largest, mean, wraps)
