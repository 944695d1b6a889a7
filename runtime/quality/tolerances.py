"""How far each operation may be from FP32 on the same inputs, and what says so.

These are statements about arithmetic, not about correctness: a program's bits are compared with the
evaluator's exactly. An element beyond its tolerance is worth a look: sums that cancel, or inputs
that an approximation was not made for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Operation

from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.numerics.coefficients import LARGEST_SHIFT

Array = npt.NDArray[Any]

ROUNDING = 2.0**-8
"""Half an ulp of bf16, of a value, at most: what one rounding may change."""

SIGMAS = 6
"""Roundings of a sum are like a random walk; so many standard deviations are allowed."""

GELU = 0.0103
EXPONENTIAL = 0.00876
"""Largest errors over all inputs: of GELU by SoftEx, absolute, and of its exponential, relative
(`softex bench accuracy`)."""


@dataclass(frozen=True)
class Tolerance:
    """An element y may be off by ``ulps`` of its own, ``share`` of |y| + scale, and ``absolute``.

    Attributes:
        evidence: what the numbers rest on.
    """

    ulps: float
    share: float
    absolute: float
    evidence: str

    def allowed(self, wanted: Array, scale: float) -> Array:
        """The largest error of every element."""
        size = np.abs(wanted)
        return self.share * (size + scale) + 2 * ROUNDING * self.ulps * size + self.absolute


MOVED = Tolerance(0, 0, 0, "values are moved, not computed")
NORM = Tolerance(
    1,
    1.5 * ROUNDING,
    0,
    "two roundings, one of them before the offset is added; of layer norms that of the mean, too",
)
ROTARY = Tolerance(1, 2 * ROUNDING, 0, "two products, each rounded, and their sum")
ONCE = Tolerance(1, 1e-6, 0, "float32 inside, one rounding at the end")
FUNCTION = Tolerance(2, 1e-6, 0, "softex bench accuracy, all inputs: rounding, and as much again")
GELU_OF_ROWS = Tolerance(1, 0, GELU, "softex bench accuracy, all inputs")
SOFTMAX = Tolerance(1, 2 * EXPONENTIAL, 0, "softex bench accuracy: the exponential, twice")

_ROUNDED = (t.BinaryOp, linalg_ops.GenericOp)


def tolerance_of(op: Operation) -> Tolerance:
    """The tolerance of an operation's result."""
    if isinstance(op, t.LinearOp | t.MatmulOp | t.AttentionOp) and op.wide is not None:
        return _wide(op)
    match op:
        case t.LinearOp():
            parts = op.inner // op.chunk
            return _summed(op.chunk, parts, op.activation.data == "gelu", op.residual is not None)
        case t.MatmulOp():
            return _summed(op.chunk, op.inner // op.chunk, False, False)
        case t.AttentionOp():
            keys = op.summed or op.columns
            share = 2 * EXPONENTIAL + SIGMAS * ROUNDING * (sqrt(op.inner / 6) + sqrt(keys / 6))
            return Tolerance(1, share, 0, "a random walk of roundings, and the exponential twice")
        case t.LayerNormOp() | t.RMSNormOp():
            return NORM
        case t.RotaryOp():
            return ROTARY
        case t.SoftmaxOp():
            return SOFTMAX
        case t.GeluOp():
            return GELU_OF_ROWS
        case t.UnaryOp():
            return FUNCTION
        case _:
            return ONCE if isinstance(op, _ROUNDED) else MOVED


def _summed(chunk: int, parts: int, gelu: bool, residual: bool) -> Tolerance:
    # the sum grows like the root of its length, so the mean square of its roundings is half the
    # last one's, a third of that for their uniform spread; each addition of a part is one more
    walk = SIGMAS * ROUNDING * sqrt(chunk / 6 + parts)
    return Tolerance(
        1 + residual, walk, GELU if gelu else 0, f"a random walk of {chunk} roundings a sum"
    )


def _wide(op: t.LinearOp | t.MatmulOp | t.AttentionOp) -> Tolerance:
    """Of sums in float32: only what is rounded between counts, and what follows."""
    match op:
        case t.LinearOp():
            roundings = 1
        case t.MatmulOp():
            roundings = 1
        case t.AttentionOp():
            roundings = 3  # scores, weights, result
    evidence = f"{roundings} roundings of values up to {SIGMAS} times their root mean square"
    return Tolerance(2, SIGMAS * ROUNDING / 2 * roundings, 0, f"float32 sums, {evidence}")


def scale_of(op: Operation, operands: Sequence[Array]) -> float:
    """What errors are in proportion to beside a value: the root mean square of sums before anything
    is applied to them, the largest of an attention's values, of a layer norm's offsets and of
    what rows' means are shifted by in bf16, or of the products of rotary positions; else 0."""
    match op:
        case t.LinearOp():
            total = operands[0].astype(np.float32) @ operands[1].astype(np.float32)
            if op.bias is not None:
                total = total + operands[2].astype(np.float32)
            return _rms(total)
        case t.MatmulOp():
            return _rms(operands[0].astype(np.float32) @ operands[1].astype(np.float32))
        case t.AttentionOp():
            return _largest(operands[2])
        case t.LayerNormOp():
            return _largest(operands[2]) + LARGEST_SHIFT * _largest(operands[1])
        case t.RotaryOp():
            return _largest(operands[0]) * _largest(operands[1])
        case _:
            return 0.0


def _largest(x: Array) -> float:
    return float(np.abs(x.astype(np.float32)).max(initial=0))


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) if x.size else 0.0


ULP_BINS = (0, 1, 2, 4, 8, 16)
"""Upper ends of the bins of distances in ulps; what is farther has a bin of its own."""


def ulp_histogram(found: Array, wanted: Array) -> tuple[int, ...]:
    """Elements by their distance from FP32 rounded to bf16, counted in bf16 numbers between."""
    rounded = wanted.astype(found.dtype)
    apart = np.abs(_ordinal(found) - _ordinal(rounded)).reshape(-1)
    apart[np.isnan(found.astype(np.float32)).reshape(-1) & np.isnan(wanted).reshape(-1)] = 0
    bins = np.searchsorted(ULP_BINS, apart)
    return tuple(int(n) for n in np.bincount(bins, minlength=len(ULP_BINS) + 1))


def _ordinal(x: Array) -> Array:
    """Numbers that count bf16 values in their order; both zeros are 0."""
    bits = np.ascontiguousarray(x).view(np.uint16).astype(np.int32)
    return np.where(bits & 0x8000, -(bits & 0x7FFF), bits)
