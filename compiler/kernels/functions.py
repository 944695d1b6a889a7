"""f32 functions of one value, as the cores compute them.

Each mirrors, operation by operation, the function of the same name in
:mod:`softex_mlir.isa_sim.numerics.rowwise_kernels`. Constants are emitted where the function is
used; the backend moves them out of the loops.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from softex_mlir.compiler.kernels.emit import Emitter
from softex_mlir.isa_sim.numerics import coefficients as c


def horner(e: Emitter, x: SSAValue, coefficients: Sequence[float]) -> SSAValue:
    """A polynomial, coefficients by ascending powers, by fma."""
    p = e.fma(x, e.number(coefficients[-1]), e.number(coefficients[-2]))
    for coefficient in reversed(coefficients[:-2]):
        p = e.fma(p, x, e.number(coefficient))
    return p


def exp2(e: Emitter, t: SSAValue) -> SSAValue:
    """2^t for t in [-127, 127)."""
    magic = e.number(c.EXPONENT_MAGIC)
    k = e.add(t, magic)
    f = e.sub(t, e.sub(k, magic))
    p = horner(e, f, c.EXP2)
    return e.mul(p, exponent_of(e, k))


def exponent_of(e: Emitter, k: SSAValue) -> SSAValue:
    """2^n from k = n + EXPONENT_MAGIC."""
    from xdsl.dialects import arith

    return e.from_bits(e.insert(arith.ShLIOp(e.bits(k), e.integer(23))))


def exp2_clamped(e: Emitter, t: SSAValue) -> SSAValue:
    """2^t with t clamped to [EXPONENT_MIN, EXPONENT_MAX]."""
    bounded = e.maximum(t, e.number(c.EXPONENT_MIN))
    return exp2(e, e.minimum(bounded, e.number(c.EXPONENT_MAX)))


def reciprocal(e: Emitter, d: SSAValue) -> SSAValue:
    """1/d by a seed from the bits and two Newton steps."""
    from xdsl.dialects import arith

    two, minus_d = e.number(2.0), e.neg(d)
    r = e.from_bits(e.insert(arith.SubiOp(e.integer(c.RECIPROCAL_SEED), e.bits(d))))
    r = e.mul(r, e.fma(minus_d, r, two))
    return e.mul(r, e.fma(minus_d, r, two))


def exp(e: Emitter, x: SSAValue) -> SSAValue:
    """e^x."""
    return exp2_clamped(e, e.mul(x, e.number(c.LOG2_E)))


def sigmoid(e: Emitter, x: SSAValue) -> SSAValue:
    """1 / (1 + e^-x)."""
    power = exp2_clamped(e, e.mul(x, e.number(-c.LOG2_E)))
    return reciprocal(e, e.add(power, e.number(1.0)))


def silu(e: Emitter, x: SSAValue) -> SSAValue:
    """x / (1 + e^-x)."""
    return e.mul(x, sigmoid(e, x))


def tanh(e: Emitter, x: SSAValue) -> SSAValue:
    """tanh by Lambert's continued fraction on the clamped argument."""
    below = e.minimum(x, e.number(c.TANH_LIMIT))
    z = e.maximum(below, e.number(-c.TANH_LIMIT))
    u = e.mul(z, z)
    numerator = horner(e, u, c.TANH_NUMERATOR)
    denominator = horner(e, u, c.TANH_DENOMINATOR)
    return e.div(e.mul(z, numerator), denominator)


def gelu_software(e: Emitter, x: SSAValue) -> SSAValue:
    """x·Φ(x), Φ by an odd polynomial and a clamp."""
    p = horner(e, e.mul(x, x), c.PHI)
    phi = e.maximum(e.fma(x, p, e.number(0.5)), e.number(0.0))
    return e.mul(x, e.minimum(phi, e.number(1.0)))


def gelu_tanh_software(e: Emitter, x: SSAValue) -> SSAValue:
    """h + h·tanh(k·x·(1 + c·x²)), h = x/2."""
    scale, cubic = c.GELU_TANH
    inner = e.fma(e.mul(x, x), e.number(cubic), e.number(1.0))
    z = e.mul(e.mul(x, e.number(scale)), inner)
    h = e.mul(x, e.number(0.5))
    return e.fma(h, tanh(e, z), h)
