"""f32 functions of one value, as the cores compute them.

Each mirrors, operation by operation, the function of the same name in
:mod:`softex_mlir.isa_sim.numerics.rowwise_kernels`. Constants are emitted where the function is
used; the backend moves them out of the loops.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, memref
from xdsl.dialects.builtin import IndexType, i32
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.emit import Emitter
from softex_mlir.compiler.bodies.tables import SILU_LINES
from softex_mlir.isa_sim.numerics import coefficients as c
from softex_mlir.isa_sim.numerics import silu_lines


def horner(e: Emitter, x: SSAValue, coefficients: Sequence[float]) -> SSAValue:
    """A polynomial, coefficients by ascending powers, by fma."""
    p = e.fma(x, e.number(coefficients[-1]), e.number(coefficients[-2]))
    for coefficient in reversed(coefficients[:-2]):
        p = e.fma(p, x, e.number(coefficient))
    return p


def exp_within(e: Emitter, x: SSAValue, log2_e: float = c.LOG2_E) -> SSAValue:
    """2^(x·log2_e) for x·log2_e in [-127, 127)."""
    (result,) = exp_lanes(e, (x,), log2_e)
    return result


def exp_lanes(
    e: Emitter, xs: Sequence[SSAValue], log2_e: float = c.LOG2_E, *, overflows: bool = False
) -> list[SSAValue]:
    """:func:`exp_within` of several values at once, step by step; `overflows`: or above 127."""
    magic, factor = e.number(c.EXPONENT_MAGIC), e.number(log2_e)
    k = [e.fma(x, factor, magic) for x in xs]
    if overflows:
        k = [e.minimum(v, e.number(c.EXPONENT_MAX)) for v in k]
    n = [e.sub(v, magic) for v in k]
    f = [e.fma(x, factor, e.neg(v)) for x, v in zip(xs, n, strict=True)]
    bits = [e.bits(v) for v in k]
    p = [e.fma(v, e.number(c.EXP2[2]), e.number(c.EXP2[1])) for v in f]
    shifted = [e.insert(arith.ShLIOp(v, e.integer(23))) for v in bits]
    scale = [e.from_bits(v) for v in shifted]
    p = [e.fma(a, b, e.number(c.EXP2[0])) for a, b in zip(p, f, strict=True)]
    return [e.mul(a, b) for a, b in zip(p, scale, strict=True)]


def bounded(e: Emitter, x: SSAValue, low: float, high: float) -> SSAValue:
    """x clamped to [low, high]; NaN becomes low."""
    return e.minimum(e.maximum(x, e.number(low)), e.number(high))


def exp(e: Emitter, x: SSAValue) -> SSAValue:
    """e^x."""
    (result,) = exp_lanes(e, (e.maximum(x, e.number(c.EXP_MIN)),), overflows=True)
    return result


def sigmoid(e: Emitter, x: SSAValue) -> SSAValue:
    """1 / (1 + e^-x), the reciprocal by a seed from the bits and two Newton steps."""
    power = exp_within(e, bounded(e, x, -c.LOGISTIC_MAX, -c.EXP_MIN), -c.LOG2_E)
    d = e.add(power, e.number(1.0))
    two, minus_d = e.number(2.0), e.neg(d)
    r = e.from_bits(e.insert(arith.SubiOp(e.integer(c.RECIPROCAL_SEED), e.bits(d))))
    r = e.mul(r, e.fma(minus_d, r, two))
    return e.fma(r, e.fma(minus_d, r, two), e.number(-c.LOGISTIC_MIN))


def silu(e: Emitter, x: SSAValue) -> SSAValue:
    """x / (1 + e^-x), the sigmoid by a line of a table: the one that x lies in, or the nearest."""
    place = e.fma(x, e.number(silu_lines.PER_UNIT), e.number(silu_lines.ZERO + 0.5))
    line = e.insert(arith.FPToUIOp(place, i32))  # 0 for all below, the largest for NaN
    line = e.insert(arith.MinUIOp(line, e.integer(silu_lines.LINES - 1)))
    line = e.insert(arith.IndexCastOp(line, IndexType()))
    table = e.table(SILU_LINES)
    start, slope = (e.insert(memref.LoadOp.get(table, (line, e.index(k)))) for k in range(2))
    return e.mul(x, e.fma(slope, x, start))


def tanh(e: Emitter, x: SSAValue) -> SSAValue:
    """tanh by Lambert's continued fraction on the clamped argument."""
    below = e.minimum(x, e.number(c.TANH_LIMIT))
    z = e.maximum(below, e.number(-c.TANH_LIMIT))
    u = e.mul(z, z)
    numerator = horner(e, u, c.TANH_NUMERATOR)
    denominator = horner(e, u, c.TANH_DENOMINATOR)
    return e.div(e.mul(z, numerator), denominator)


def times_phi(e: Emitter, x: SSAValue, coefficients: Sequence[float]) -> SSAValue:
    """x·Φ(x), Φ by an odd polynomial and a clamp."""
    p = horner(e, e.mul(x, x), coefficients)
    phi = e.maximum(e.fma(x, p, e.number(0.5)), e.number(0.0))
    return e.mul(x, e.minimum(phi, e.number(1.0)))


def gelu_software(e: Emitter, x: SSAValue) -> SSAValue:
    """GELU, erf form."""
    return times_phi(e, x, c.PHI)


def gelu_tanh_software(e: Emitter, x: SSAValue) -> SSAValue:
    """GELU, tanh form."""
    return times_phi(e, x, c.PHI_TANH)
