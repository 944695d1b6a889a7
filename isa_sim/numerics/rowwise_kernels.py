"""The loops of :mod:`softex_mlir.isa_sim.numerics.rowwise` (numba, on BF16 bits).

Every f32 operation is written as its own statement on
``float32`` values, without fast-math, so that LLVM may neither contract nor reorder it.
"""

# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false
# pyright: reportUnknownVariableType=false, reportMissingParameterType=false
# pyright: reportUntypedFunctionDecorator=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false, reportCallIssue=false

from __future__ import annotations

import numpy as np

from softex_mlir.isa_sim.jit import intrinsic, njit
from softex_mlir.isa_sim.jit import numba as nb
from softex_mlir.isa_sim.numerics import coefficients as c
from softex_mlir.isa_sim.numerics.silu_lines import LINES, PER_UNIT, ZERO, silu_lines

_F = np.float32
_LOG2_E = _F(c.LOG2_E)
_E0, _E1, _E2 = (_F(v) for v in c.EXP2)
_MAGIC = _F(c.EXPONENT_MAGIC)
_EXP_MIN = _F(c.EXP_MIN)
_EXPONENT_MAX = _F(c.EXPONENT_MAX)
_LOGISTIC_MAX = _F(c.LOGISTIC_MAX)
_LOGISTIC_MIN = _F(c.LOGISTIC_MIN)
_PHI = np.array(c.PHI, dtype=_F)
_PHI_TANH = np.array(c.PHI_TANH, dtype=_F)
_N0, _N1, _N2, _N3 = (_F(v) for v in c.TANH_NUMERATOR)
_D0, _D1, _D2, _D3 = (_F(v) for v in c.TANH_DENOMINATOR)
_TANH_LIMIT = _F(c.TANH_LIMIT)
_LARGEST_SHIFT = _F(c.LARGEST_SHIFT)
_LARGEST_LOW = _F(c.LARGEST_LOW)
_SEED = np.int32(c.RECIPROCAL_SEED)
_SILU_LINES = silu_lines()
_SILU_FACTOR, _SILU_OFFSET, _SILU_LAST = _F(PER_UNIT), _F(ZERO + 0.5), _F(LINES - 1)
_ZERO, _HALF, _ONE, _TWO = _F(0.0), _F(0.5), _F(1.0), _F(2.0)
_NAN16 = np.uint16(0x7FC0)


@intrinsic
def fma(typingctx, a, b, addend):
    """``a * b + addend`` of three float32 with one rounding (LLVM's ``llvm.fma.f32``)."""
    del typingctx, a, b, addend
    signature = nb.float32(nb.float32, nb.float32, nb.float32)

    def codegen(context, builder, sig, args):
        del context, sig
        return builder.fma(*args)

    return signature, codegen


@intrinsic
def as_float(typingctx, bits):
    """The float32 with the given int32 bits."""
    del typingctx, bits

    def codegen(context, builder, sig, args):
        return builder.bitcast(args[0], context.get_value_type(sig.return_type))

    return nb.float32(nb.int32), codegen


@intrinsic
def as_int(typingctx, value):
    """The int32 bits of a float32."""
    del typingctx, value

    def codegen(context, builder, sig, args):
        return builder.bitcast(args[0], context.get_value_type(sig.return_type))

    return nb.int32(nb.float32), codegen


@njit(cache=True)
def widen(bits):
    """BF16 bits to float32, exactly."""
    return as_float(np.int32(np.uint32(bits) << np.uint32(16)))


@njit(cache=True)
def narrow(value):
    """float32 to BF16 bits, RNE, canonical NaN."""
    if value != value:
        return _NAN16
    u = np.uint32(as_int(value))
    return np.uint16(
        (u + np.uint32(0x7FFF) + ((u >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    )


@njit(cache=True)
def narrow_odd(value, residue):
    """The exact sum ``value + residue`` to BF16, RNE; ``value`` is its rounding to float32.

    Makes the float32 odd when it is inexact: a second rounding, to half the width, then is exact.
    """
    if residue != 0.0 and value == value and residue == residue:
        bits = as_int(value)
        if (bits & np.int32(1)) == 0 and (bits & np.int32(0x7FFFFFFF)) < np.int32(0x7F800000):
            if value == _ZERO:
                value = as_float(np.int32(1)) if residue > 0.0 else as_float(np.int32(-0x7FFFFFFF))
            elif (residue > 0.0) == (value > _ZERO):
                value = as_float(np.int32(bits + np.int32(1)))
            else:
                value = as_float(np.int32(bits - np.int32(1)))
    return narrow(value)


@njit(cache=True)
def add16(a, b):
    """bf16(a + b) of two float32 that hold BF16 values (24 ≥ 2·8 + 2 bits: no double rounding)."""
    return narrow(_F(a + b))


@njit(cache=True)
def mul16(a, b):
    """bf16(a * b) of two float32 that hold BF16 values, correct for subnormal results too."""
    exact = np.float64(a) * np.float64(b)
    value = _F(exact)
    return narrow_odd(value, exact - np.float64(value))


@njit(cache=True)
def fma16(a, b, addend):
    """bf16(a * b + addend), one rounding, of float32 that hold BF16 values."""
    product = np.float64(a) * np.float64(b)
    wide = np.float64(addend)
    total = product + wide
    back = total - product
    lost = (product - (total - back)) + (wide - back)
    value = _F(total)
    residue = total - np.float64(value)
    if residue == 0.0:
        residue = lost
    return narrow_odd(value, residue)


@njit(cache=True)
def fmax(a, b):
    """RISC-V fmax: a NaN loses, +0 is above -0."""
    if a != a:
        return b
    if b != b:
        return a
    if a == b:
        return b if as_int(a) < np.int32(0) else a
    return a if a > b else b


@njit(cache=True)
def fmin(a, b):
    """RISC-V fmin: a NaN loses, -0 is below +0."""
    if a != a:
        return b
    if b != b:
        return a
    if a == b:
        return a if as_int(a) < np.int32(0) else b
    return a if a < b else b


@njit(cache=True)
def exp_within(x, log2_e):
    """2^(x·log2_e) for x·log2_e in [-127, 127): an integer n by MAGIC, degree 2 for the rest."""
    return _power(x, log2_e, fma(x, log2_e, _MAGIC))


@njit(cache=True)
def _power(x, log2_e, k):
    """2^(x·log2_e) by its integer part, which is k - MAGIC."""
    f = fma(x, log2_e, _F(-_F(k - _MAGIC)))
    p = fma(fma(f, _E2, _E1), f, _E0)
    scale = as_float(np.int32(np.uint32(as_int(k)) << np.uint32(23)))
    return _F(p * scale)


@njit(cache=True)
def bounded(x, low, high):
    """x clamped to [low, high]; NaN becomes low."""
    return fmin(fmax(x, low), high)


@njit(cache=True)
def exp_or_infinity(x):
    """e^x."""
    x = fmax(x, _EXP_MIN)
    return _power(x, _LOG2_E, fmin(fma(x, _LOG2_E, _MAGIC), _EXPONENT_MAX))


@njit(cache=True)
def logistic(x):
    """1 / (1 + e^-x), the reciprocal by a seed from the bits and two Newton steps."""
    d = _F(exp_within(bounded(x, _F(-_LOGISTIC_MAX), _F(-_EXP_MIN)), _F(-_LOG2_E)) + _ONE)
    r = as_float(np.int32(_SEED - as_int(d)))
    r = _F(r * fma(-d, r, _TWO))
    return fma(r, fma(-d, r, _TWO), _F(-_LOGISTIC_MIN))


@njit(cache=True)
def nan_or(x, y):
    """y, or NaN where x is."""
    return x + x if x != x else y


@njit(cache=True)
def lambert_tanh(x):
    """tanh by Lambert's continued fraction on the clamped argument."""
    z = fmax(fmin(x, _TANH_LIMIT), _F(-_TANH_LIMIT))
    u = _F(z * z)
    numerator = fma(fma(fma(u, _N3, _N2), u, _N1), u, _N0)
    denominator = fma(fma(fma(u, _D3, _D2), u, _D1), u, _D0)
    return _F(_F(z * numerator) / denominator)


@njit(cache=True)
def binary(a, b, operation, out):
    """Elementwise bf16 add (0), sub (1) or mul (2) of ``uint16[rows, columns]``."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            x, y = widen(a[i, j]), widen(b[i, j])
            if operation == 0:
                out[i, j] = add16(x, y)
            elif operation == 1:
                out[i, j] = add16(x, _F(-y))
            else:
                out[i, j] = mul16(x, y)


@njit(cache=True)
def relu(x, out):
    """max(x, +0)."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            value = widen(x[i, j])
            out[i, j] = narrow(nan_or(value, fmax(value, _ZERO)))


@njit(cache=True)
def gelu_square(x, out):
    """bf16(x * x)."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = mul16(widen(x[i, j]), widen(x[i, j]))


@njit(cache=True)
def gelu_finish(v, q, out):
    """bf16(v * fmax(1 - q with the sign of v, q))."""
    for i in range(v.shape[0]):
        for j in range(v.shape[1]):
            tail = widen(q[i, j])
            body = widen(add16(_ONE, _F(-tail)))
            body = _F(-abs(body)) if v[i, j] & np.uint16(0x8000) else abs(body)
            out[i, j] = mul16(widen(v[i, j]), fmax(body, tail))


@njit(cache=True)
def exp(x, out):
    """e^x."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            value = widen(x[i, j])
            out[i, j] = narrow(nan_or(value, exp_or_infinity(value)))


@njit(cache=True)
def sigmoid(x, out):
    """1 / (1 + e^-x)."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            value = widen(x[i, j])
            out[i, j] = narrow(nan_or(value, logistic(value)))


@njit(cache=True)
def silu(x, out):
    """x / (1 + e^-x), the sigmoid by a line of a table."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            value = widen(x[i, j])
            place = fma(value, _SILU_FACTOR, _SILU_OFFSET)
            line = np.int32(fmin(fmax(place, _ZERO), _SILU_LAST))
            share = fma(_SILU_LINES[line, 1], value, _SILU_LINES[line, 0])
            out[i, j] = narrow(_F(value * share))


@njit(cache=True)
def tanh(x, out):
    """tanh(x)."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            value = widen(x[i, j])
            out[i, j] = narrow(nan_or(value, lambert_tanh(value)))


@njit(cache=True)
def times_phi(x, p):
    """x·Φ(x), Φ by an odd polynomial with coefficients p, and a clamp."""
    u = _F(x * x)
    q = fma(fma(fma(fma(u, p[4], p[3]), u, p[2]), u, p[1]), u, p[0])
    return _F(x * fmin(fmax(fma(x, q, _HALF), _ZERO), _ONE))


@njit(cache=True)
def gelu_software(x, out):
    """GELU, erf form."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = narrow(times_phi(widen(x[i, j]), _PHI))


@njit(cache=True)
def gelu_tanh_software(x, out):
    """GELU, tanh form."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = narrow(times_phi(widen(x[i, j]), _PHI_TANH))


@njit(cache=True, error_model="numpy")  # 1 / 0 is infinite, as on the cores
def _moments(row, inverse_n, epsilon):
    """Factor and offset that normalise a row, see rowwise.layer_norm."""
    s1, s2 = _ZERO, _ZERO
    for j in range(row.size):
        v = widen(row[j])
        s1 = _F(s1 + v)
        s2 = fma(v, v, s2)
    m = _F(s1 * inverse_n)
    var = _F(abs(fma(_F(-m), m, _F(s2 * inverse_n))))
    inv = _F(_ONE / _F(np.sqrt(_F(var + epsilon))))
    return inv, _F(-_F(m * inv))


@njit(cache=True, error_model="numpy")
def layer_norm_wide(x, gamma, beta, inverse_n, epsilon, out):
    """Layer normalisation of ``uint16[rows, columns]``, see rowwise.layer_norm_wide."""
    for i in range(x.shape[0]):
        inv, shift = _moments(x[i], inverse_n, epsilon)
        for j in range(x.shape[1]):
            t = fma(widen(x[i, j]), inv, shift)
            out[i, j] = narrow(fma(t, widen(gamma[j]), widen(beta[j])))


@njit(cache=True, error_model="numpy")
def layer_norm(x, gamma, beta, inverse_n, epsilon, out):
    """Layer normalisation of ``uint16[rows, columns]``, see rowwise.layer_norm."""
    n = x.shape[1]
    for i in range(x.shape[0]):
        inv, shift = _moments(x[i], inverse_n, epsilon)
        high = widen(narrow(inv))
        low = widen(narrow(_F(inv - high)))
        start = widen(narrow(shift))
        in_bf16 = abs(shift) < _LARGEST_SHIFT
        for j in range(n):
            v = widen(x[i, j])
            if in_bf16:
                t = fma16(v, high, widen(add16(widen(mul16(v, low)), start)))
            else:
                t = narrow(fma(v, inv, shift))
            out[i, j] = fma16(widen(t), widen(gamma[j]), widen(beta[j]))


@njit(cache=True, error_model="numpy")  # 1 / 0 is infinite, as on the cores
def _inverse_root(row, inverse_n, epsilon):
    """What normalises a row, see rowwise.rms_norm."""
    total = _ZERO
    for j in range(row.size):
        v = widen(row[j])
        total = fma(v, v, total)
    return _F(_ONE / _F(np.sqrt(fma(total, inverse_n, epsilon))))


@njit(cache=True)
def rms_norm_wide(x, gamma, inverse_n, epsilon, out):
    """RMS normalisation of ``uint16[rows, columns]``, see rowwise.rms_norm_wide."""
    for i in range(x.shape[0]):
        inv = _inverse_root(x[i], inverse_n, epsilon)
        for j in range(x.shape[1]):
            out[i, j] = narrow(_F(_F(widen(x[i, j]) * inv) * widen(gamma[j])))


@njit(cache=True)
def rms_norm(x, gamma, inverse_n, epsilon, out):
    """RMS normalisation of ``uint16[rows, columns]``, see rowwise.rms_norm."""
    n = x.shape[1]
    for i in range(x.shape[0]):
        inv = _inverse_root(x[i], inverse_n, epsilon)
        high = widen(narrow(inv))
        low = widen(narrow(_F(inv - high)))
        for j in range(n):
            v = widen(x[i, j])
            t = fma16(v, high, widen(mul16(v, low)))
            out[i, j] = mul16(widen(t), widen(gamma[j]))


@njit(cache=True, error_model="numpy")  # 1 / 0 is infinite, as on the cores
def softmax(x, out):
    """Software softmax of ``uint16[rows, columns]``, see rowwise.softmax_software."""
    n = x.shape[1]
    for i in range(x.shape[0]):
        top = widen(x[i, 0])
        for j in range(1, n):
            top = fmax(top, widen(x[i, j]))
        for j in range(n):
            top = nan_or(widen(x[i, j]), top)
        even, odd = _ZERO, _ZERO
        for j in range(n):
            e = exp_within(fmax(_F(widen(x[i, j]) - top), _EXP_MIN), _LOG2_E)
            out[i, j] = narrow(e)
            if j % 2 == 0:
                even = _F(even + e)
            else:
                odd = _F(odd + e)
        r = widen(narrow(_F(_ONE / _F(even + odd))))
        for j in range(n):
            out[i, j] = mul16(widen(out[i, j]), r)


@njit(cache=True)
def gemm(x, w, z):
    """z := x · w + z with a BF16 chain per element, z: ``uint16[M, K]``."""
    inner = x.shape[1]
    for i in range(x.shape[0]):
        for k in range(inner):
            a = widen(x[i, k])
            for j in range(w.shape[1]):
                z[i, j] = fma16(a, widen(w[k, j]), widen(z[i, j]))
        if inner % 8 != 0:
            for j in range(w.shape[1]):
                z[i, j] = fma16(_ZERO, _ZERO, widen(z[i, j]))


@njit(cache=True, makes_arrays=True)
def gemm_in_parts(x, w, high, low, resumed):
    """Sums kept as two numbers, see rowwise.gemm_in_parts, in place: ``uint16[M, K]``."""
    sums = np.empty(w.shape[1], np.float32)
    for i in range(x.shape[0]):
        for j in range(w.shape[1]):
            sums[j] = widen(high[i, j])
            if resumed:
                sums[j] = _F(sums[j] + widen(low[i, j]))
        for k in range(x.shape[1]):
            a = widen(x[i, k])
            for j in range(w.shape[1]):
                sums[j] = fma(a, widen(w[k, j]), sums[j])
        for j in range(w.shape[1]):
            high[i, j] = narrow(sums[j])
            rest = _F(sums[j] - widen(high[i, j]))
            low[i, j] = narrow(fmax(fmin(rest, _LARGEST_LOW), _F(-_LARGEST_LOW)))


@njit(cache=True, makes_arrays=True)
def gemm_wide(x, w, z):
    """z := x · w + z with an f32 chain per element, rounded once, z: ``uint16[M, K]``."""
    sums = np.empty(w.shape[1], np.float32)
    for i in range(x.shape[0]):
        for j in range(w.shape[1]):
            sums[j] = widen(z[i, j])
        for k in range(x.shape[1]):
            a = widen(x[i, k])
            for j in range(w.shape[1]):
                sums[j] = fma(a, widen(w[k, j]), sums[j])
        for j in range(w.shape[1]):
            z[i, j] = narrow(sums[j])
