"""What the cores compute, row by row, bit for bit.

Each function here is the *definition* of one core kernel: the same operations in the same order
and with the same roundings as the code emitted by :mod:`softex_mlir.compiler.bodies`, so that the
reference evaluator and the simulated program agree in every bit.

Conventions. Arrays are ``ml_dtypes.bfloat16`` in C order, unless said otherwise; functions whose
last axis is the row ("rowwise") accept any leading shape. ``f32(..)`` in a docstring is one RNE
rounding to binary32, ``bf16(..)`` one RNE rounding to BF16; an operation without a mark is one f32
operation. ``fma`` rounds once. NaN results are the canonical quiet NaN, as FPnew gives.
Minimum and maximum are RISC-V's ``fmin``/``fmax``: a NaN operand loses against a number.

Sums over a row run in the order of its elements, unless said otherwise.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    pass

Bf16Array = npt.NDArray[Any]
"""An array of ``ml_dtypes.bfloat16``."""

BF16 = ml_dtypes.bfloat16


def _rows(x: Bf16Array) -> npt.NDArray[np.uint16]:
    """The bits of ``x`` as ``uint16[rows, columns]``."""
    if x.dtype != BF16:
        raise TypeError(f"expected an array of bfloat16, found {x.dtype}: convert it first")
    contiguous = np.ascontiguousarray(x)
    return contiguous.view(np.uint16).reshape(-1, x.shape[-1])


def _row(x: Bf16Array) -> npt.NDArray[np.uint16]:
    return _rows(x.reshape(1, -1))[0]


def _run(kernel: str, x: Bf16Array, *arguments: Any) -> Bf16Array:
    from softex_mlir.isa_sim.numerics import rowwise_kernels

    bits = _rows(x)
    out = np.empty_like(bits)
    getattr(rowwise_kernels, kernel)(bits, *arguments, out)
    return out.view(BF16).reshape(x.shape)


# --- elementwise, one BF16 rounding -----------------------------------------------------------


def _binary(operation: int, a: Bf16Array, b: Bf16Array) -> Bf16Array:
    shape = np.broadcast_shapes(a.shape, b.shape)
    a = np.broadcast_to(a, shape)
    return _run("binary", a, _rows(np.broadcast_to(b, shape)), operation)


def add(a: Bf16Array, b: Bf16Array) -> Bf16Array:
    """``bf16(a + b)``, elementwise; operands broadcast as in numpy."""
    return _binary(0, a, b)


def sub(a: Bf16Array, b: Bf16Array) -> Bf16Array:
    """``bf16(a - b)``, elementwise; operands broadcast as in numpy."""
    return _binary(1, a, b)


def mul(a: Bf16Array, b: Bf16Array) -> Bf16Array:
    """``bf16(a * b)``, elementwise; operands broadcast as in numpy."""
    return _binary(2, a, b)


def relu(x: Bf16Array) -> Bf16Array:
    """``max(x, +0)``; NaN stays NaN."""
    return _table("relu")[x.view(np.uint16)].view(BF16)


def gelu_square(v: Bf16Array) -> Bf16Array:
    """``bf16(v * v)``: what the cores give SoftEx as GELU's exponent."""
    return mul(v, v)


def gelu_finish(v: Bf16Array, q: Bf16Array) -> Bf16Array:
    """``bf16(v * Φ)``, Φ = (v > 0) ? bf16(1 - q) : q, with q from SoftEx, 0 ≤ q ≤ 1/2.

    The cores compute Φ as ``fmax(copysign(bf16(1 - q), v), q)``, which needs no comparison and is
    the same in every bit, because 1 - q is not below q. (Machine descriptions whose weights could
    bring q above 1/2 are refused.)
    """
    return _run("gelu_finish", v, _rows(q))


# --- elementwise functions in software, f32 inside, one rounding to BF16 at the end ------------


@cache
def _table(function: str) -> npt.NDArray[np.uint16]:
    """All 65,536 values of a unary function of one BF16 value."""
    from softex_mlir.isa_sim.numerics import rowwise_kernels

    bits = np.arange(1 << 16, dtype=np.uint16).reshape(1, -1)
    out = np.empty_like(bits)
    getattr(rowwise_kernels, function)(bits, out)
    return out[0]


def _lookup(function: str, x: Bf16Array) -> Bf16Array:
    return _table(function)[np.ascontiguousarray(x).view(np.uint16)].view(BF16)


def exp(x: Bf16Array) -> Bf16Array:
    """``bf16(e(x))``, e(x) as in :func:`softmax_software`, with x raised to EXP_MIN.

    Relative error before the rounding at most 1.8e-3, 9e-3 for x = 88.5. Infinite from 89 on, 0
    below -87.7; NaN stays NaN.
    """
    return _lookup("exp", x)


def sigmoid(x: Bf16Array) -> Bf16Array:
    """``bf16(r(1 + e(-x)))``, e(x) as in :func:`softmax_software`, x clamped to ±87.3; NaN stays.

    r(d) is 1/d by a seed from the bits and two Newton steps: r0 = bits(SEED - bits(d)),
    r1 = r0·fma(-d, r0, 2), r = fma(r1, fma(-d, r1, 2), -LOGISTIC_MIN), which is 0 for x ≤ -87.3.
    """
    return _lookup("sigmoid", x)


def silu(x: Bf16Array) -> Bf16Array:
    """``bf16(x * fma(B[i], x, A[i]))``, i = fma(x, 8, 192.5) truncated and held in [0, 255], A and
    B as in :mod:`silu_lines`: wholly on the cores. NaN for -inf (-inf·0).

    Relative error before the last rounding at most 1.03e-3, results below 1e-9 are -0. SoftEx could
    deliver expp(-x) (one term), 0.9 % off, and the reciprocal would stay on the cores.
    """
    return _lookup("silu", x)


def tanh(x: Bf16Array) -> Bf16Array:
    """``bf16(x'·N(x'²) / D(x'²))``, x' = x clamped to ±4.97, N and D by Horner with fma; NaN stays
    NaN."""
    return _lookup("tanh", x)


def gelu_software(x: Bf16Array) -> Bf16Array:
    """GELU (erf form) on the cores alone, for machines without SoftEx.

    u = x·x; p = Horner(PHI, u) with fma; Φ = fmin(fmax(fma(x, p, 0.5), 0), 1); ``bf16(x * Φ)``.
    Absolute error before the rounding at most 1.1e-3 for all x. ±inf: inf·1, and NaN for -inf
    (-inf·0), as on the path through SoftEx.
    """
    return _lookup("gelu_software", x)


def gelu_tanh_software(x: Bf16Array) -> Bf16Array:
    """GELU's tanh form on the cores alone: :func:`gelu_software` with the coefficients PHI_TANH."""
    return _lookup("gelu_tanh_software", x)


# --- rows ---------------------------------------------------------------------------------------


def layer_norm(x: Bf16Array, gamma: Bf16Array, beta: Bf16Array, epsilon: float) -> Bf16Array:
    """Layer normalisation of each row of ``x[..., columns]``; ``gamma``, ``beta``: ``[columns]``.

    One pass for the moments::

        s1 = s1 + x;  s2 = fma(x, x, s2)
        m = s1 * f32(1/n);  var = |fma(-m, m, s2 * f32(1/n))|
        inv = 1 / sqrt(var + f32(epsilon));  shift = -(m * inv)

    The second, in packed BF16 where ``|shift| < LARGEST_SHIFT``, else in f32::

        high = bf16(inv);  low = bf16(inv - high)
        t = bf16_fma(x, high, bf16(bf16(x * low) + bf16(shift)))     or  bf16(fma(x, inv, shift))
        y = bf16_fma(t, gamma, beta)

    In BF16 too t is rounded once but for terms that are small beside it: ``x * low`` is at most
    2^-9 of it, and ``shift`` is what the limit makes it. Squares of BF16 values are exact in the
    fma, and the cancellation in ``var`` loses no more than the input already has: both its
    quantisation to BF16, (2^-8 m)²/12, and the rounding of the f32 sums, about 1e-6 m², grow with
    the square of the mean.
    """
    return _layer_norm("layer_norm", x, gamma, beta, epsilon)


def layer_norm_wide(x: Bf16Array, gamma: Bf16Array, beta: Bf16Array, epsilon: float) -> Bf16Array:
    """:func:`layer_norm` with one rounding to BF16: ``y = bf16(fma(fma(x, inv, shift), gamma,
    beta))``."""
    return _layer_norm("layer_norm_wide", x, gamma, beta, epsilon)


def _layer_norm(
    kernel: str, x: Bf16Array, gamma: Bf16Array, beta: Bf16Array, epsilon: float
) -> Bf16Array:
    inverse_n = np.float32(1.0 / x.shape[-1])
    return _run(kernel, x, _row(gamma), _row(beta), inverse_n, np.float32(epsilon))


def rms_norm(x: Bf16Array, gamma: Bf16Array, epsilon: float) -> Bf16Array:
    """RMS normalisation of each row of ``x[..., columns]``; ``gamma``: ``[columns]``::

    ss = fma(x, x, ss)
    inv = 1 / sqrt(fma(ss, f32(1/n), f32(epsilon)))
    high = bf16(inv);  low = bf16(inv - high)
    y = bf16(bf16_fma(x, high, bf16(x * low)) * gamma)
    """
    n = x.shape[-1]
    return _run("rms_norm", x, _row(gamma), np.float32(1.0 / n), np.float32(epsilon))


def rms_norm_wide(x: Bf16Array, gamma: Bf16Array, epsilon: float) -> Bf16Array:
    """:func:`rms_norm` with one rounding to BF16: ``y = bf16((x * inv) * gamma)``."""
    n = x.shape[-1]
    return _run("rms_norm_wide", x, _row(gamma), np.float32(1.0 / n), np.float32(epsilon))


def softmax_software(x: Bf16Array) -> Bf16Array:
    """Softmax of each row of ``x[..., columns]`` on the cores alone, for machines without SoftEx::

        d = fmax(x - max, EXP_MIN)                             max = fmax over the row
        k = fma(d, LOG2_E, MAGIC);  f = fma(d, LOG2_E, -(k - MAGIC))
        e = fma(fma(f, E2, E1), f, E0) * bits(bits(k) << 23)   [2^n, n + 127 from k's low bits]
        sum = sum + e                    of the even and of the odd elements, added at the end
        y = bf16(bf16(e) * bf16(1 / sum))

    A masked element (-inf) becomes exactly 0; a row of only -inf becomes NaN, and so does one that
    holds NaN or +inf; a row of equal finite values, however large, becomes uniform.
    """
    return _run("softmax", x)


def mask_to_bias(
    mask: npt.NDArray[np.integer[Any]], columns: int, masked: float = -3.3895313892515355e38
) -> Bf16Array:
    """Attention mask ``[..., keys]`` (non-zero = attend) to additive BF16 bias ``[..., columns]``.

    0 where attended, ``masked`` (default: the most negative finite BF16, 0xFF7F, so that a fully
    masked row gives a uniform distribution as in the usual models, and so that a left-padded mask
    never fills SoftEx' first beat with -inf) where not, and -inf in the padding columns.
    """
    keys = mask.shape[-1]
    if columns < keys:
        raise ValueError(f"a bias row of {columns} columns cannot hold a mask of {keys} keys")
    out = np.full((*mask.shape[:-1], columns), -np.inf, dtype=BF16)
    out[..., :keys] = np.where(mask != 0, BF16(0.0), BF16(masked))
    return out


def position_ids(
    ids: npt.NDArray[np.integer[Any]], padding: int, offset: int, fill: int
) -> npt.NDArray[np.int32]:
    """Positions ``[..., tokens]`` (int32) of token ids: ``offset`` plus the number of tokens that
    are not ``padding`` up to and with this one; ``fill`` where the id is ``padding``."""
    visible = ids != padding
    positions = np.where(visible, np.cumsum(visible, axis=-1) + offset, fill)
    return positions.astype(np.int32)


def gemm_on_cores(x: Bf16Array, w: Bf16Array, y: Bf16Array) -> Bf16Array:
    """``x[M, N] · w[N, K] + y[M, K]`` on the cores: RedMulE's chain, bit for bit.

    ``y`` enters first, n ascends, every fma rounds to BF16; N is padded to a multiple of 8 by
    fma(+0, +0, z), as RedMulE does.
    """
    from softex_mlir.isa_sim.numerics import rowwise_kernels

    out = _rows(y).copy()
    rowwise_kernels.gemm(_rows(x), _rows(w), out)  # pyright: ignore[reportUnknownMemberType]
    return out.view(BF16).reshape(y.shape)


def gemm_in_parts(
    x: Bf16Array, w: Bf16Array, high: Bf16Array, low: Bf16Array | None
) -> tuple[Bf16Array, Bf16Array]:
    """``x[M, N] · w[N, K]`` added to sums ``[M, K]`` that are kept as two BF16 numbers::

        s = f32(high + low), or high where there is no low;  s = fma(x, w, s), n ascends
        high = bf16(s);  low = bf16(fmax(fmin(s - high, LARGEST_LOW), -LARGEST_LOW))

    so that infinite and NaN sums stay what they are.
    """
    from softex_mlir.isa_sim.numerics import rowwise_kernels

    total = _rows(high).copy()
    rest = np.zeros_like(total) if low is None else _rows(low).copy()
    rowwise_kernels.gemm_in_parts(  # pyright: ignore[reportUnknownMemberType]
        _rows(x), _rows(w), total, rest, low is not None
    )
    return total.view(BF16).reshape(high.shape), rest.view(BF16).reshape(high.shape)


def gemm_wide(x: Bf16Array, w: Bf16Array, y: Bf16Array) -> Bf16Array:
    """``x[M, N] · w[N, K] + y[M, K]`` on the cores: y enters first, n ascends, every fma rounds to
    f32 and the last sum to BF16."""
    from softex_mlir.isa_sim.numerics import rowwise_kernels

    out = _rows(y).copy()
    rowwise_kernels.gemm_wide(_rows(x), _rows(w), out)  # pyright: ignore[reportUnknownMemberType]
    return out.view(BF16).reshape(y.shape)
