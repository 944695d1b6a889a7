"""Compiled kernels of :mod:`softex_mlir.isa_sim.numerics.gemm`.

One step of a chain is ``z = bf16(x * w + z)`` with a single rounding. The fast kernel works in
binary32: the product of two BF16 values is exact there (unless it under- or overflows, which the
caller excludes row by row), the sum is rounded to binary32, and TwoSum gives the exact error of
that sum. Only a sum that lies exactly half way between two BF16 values needs the error's sign, so
one integer increment makes the second rounding correct:

* error 0: the usual round to nearest even, ``bits + 0x7FFF + last bit``;
* error away from zero: ``bits + 0x8000`` (a tie goes up);
* error towards zero: ``bits + 0x7FFF`` (a tie goes down).

Everything is branch-free arithmetic on a row of columns, which LLVM turns into SIMD code. Rows
whose products may leave binary32's range go through the same steps in binary64 with a rounding to
odd, which is exact for all finite, infinite and NaN operands.
"""

# pyright: basic, reportCallIssue=false
import numpy as np

from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.numerics.rowwise_kernels import as_float, as_int

ROWS = 4
"""Rows of a block: they share what is loaded of W."""
COLUMNS = 128
"""Columns of a block: its accumulators stay in the first-level cache."""
_NAN = np.int32(0x7FC00000)


@njit(cache=True)
def _round_sum(x, w, z):
    """bf16(x * w + z) held in binary32; the product must be exact in binary32."""
    product = x * w
    total = product + z
    part = total - product
    error = (product - (total - part)) + (z - part)
    bits = as_int(total)
    toward_zero = (as_int(error) ^ bits) >> np.int32(31)
    even = ~(bits >> np.int32(16))
    less = (even if error == np.float32(0.0) else toward_zero) & np.int32(1)
    return as_float((bits + (np.int32(0x8000) - less)) & np.int32(-65536))


@njit(cache=True)
def _fast_block(x, w, z, row, rows, column, columns, inner):
    """``rows`` (at most ROWS) x ``columns`` (at most COLUMNS) results in place, binary32."""
    for n in range(inner):
        wn = w[n, column : column + columns]
        for r in range(row, row + rows):
            xn = x[r, n]
            zr = z[r, column : column + columns]
            for k in range(columns):
                zr[k] = _round_sum(xn, wn[k], zr[k])


@njit(cache=True)
def _exact_step(x, w, z):
    """bf16(x * w + z) held in binary32, for any operands."""
    product = np.float64(x) * np.float64(w)
    addend = np.float64(z)
    total = product + addend
    if not np.isfinite(total):
        return np.float32(total)
    part = total - product
    error = (product - (total - part)) + (addend - part)
    near = np.float32(total)
    bits = as_int(near)
    if np.isinf(near):
        return near
    # Round to odd: binary32 with all that was lost folded into the last bit.
    back = np.float64(near)
    if back != total or error != 0.0:
        beyond = back - total
        if beyond == 0.0:
            beyond = -error
        if beyond != 0.0 and (beyond > 0.0) == (total > 0.0) and bits & np.int32(0x7FFFFFFF) != 0:
            bits -= np.int32(1)
        elif total == 0.0:
            return near
        bits |= np.int32(1)
    bits += np.int32(0x7FFF) + ((bits >> np.int32(16)) & np.int32(1))
    return as_float(bits & np.int32(-65536))


@njit(cache=True)
def _exact_row(x, w, z, row, column, columns, inner):
    for n in range(inner):
        xn = x[row, n]
        for k in range(column, column + columns):
            z[row, k] = _exact_step(xn, w[n, k], z[row, k])


@njit(cache=True)
def _exponents(values):
    """Smallest exponent field of the non-zero numbers of a row, and the largest of all."""
    low = np.int32(255)
    high = np.int32(0)
    for i in range(values.size):
        magnitude = np.int32(values[i]) & np.int32(0x7FFF)
        exponent = magnitude >> np.int32(7)
        high = max(high, exponent)
        low = min(low, np.int32(255) if magnitude == 0 else max(exponent, np.int32(1)))
    return low, high


@njit(cache=True)
def _widen(values, out):
    for i in range(values.size):
        out[i] = as_float(np.int32(np.uint32(values[i]) << np.uint32(16)))


@njit(cache=True)
def _narrow(values, out):
    for i in range(values.size):
        bits = as_int(values[i])
        if (bits & np.int32(0x7FFFFFFF)) > np.int32(0x7F800000):
            bits = _NAN
        out[i] = np.uint16((bits >> np.int32(16)) & np.int32(0xFFFF))


@njit(cache=True)
def _is_fast(low, high, w_low, w_high):
    """Whether every product of these exponent ranges is exact and finite in binary32.

    A BF16 number with exponent field e is a multiple of 2^(e - 134) below 2^(e - 126), also if
    it is subnormal (field counted as 1); binary32 goes from 2^-149 to 2^128. Infinities (field
    255) need no product to be finite, but must not be mixed with an overflow: exact path.
    """
    return low + w_low >= 268 - 149 and high + w_high <= 252 + 127


@njit(cache=True)
def _block_rows(x, w, z, low, high, w_low, w_high, row, column, columns, inner):
    rows = min(ROWS, x.shape[0] - row)
    fast = True
    for r in range(row, row + rows):
        fast = fast and _is_fast(low[r], high[r], w_low, w_high)
    if fast:
        _fast_block(x, w, z, row, rows, column, columns, inner)
        return
    for r in range(row, row + rows):
        if _is_fast(low[r], high[r], w_low, w_high):
            _fast_block(x, w, z, r, 1, column, columns, inner)
        else:
            _exact_row(x, w, z, r, column, columns, inner)


@njit(cache=True, makes_arrays=True)
def _prepare(x, w, z):
    m, n = x.shape
    k = w.shape[1]
    wide_x = np.empty((m, n), np.float32)
    wide_w = np.empty((n, k), np.float32)
    wide_z = np.empty((m, k), np.float32)
    low = np.empty(m, np.int32)
    high = np.empty(m, np.int32)
    w_low, w_high = np.int32(255), np.int32(0)
    for i in range(m):
        _widen(x[i], wide_x[i])
        _widen(z[i], wide_z[i])
        low[i], high[i] = _exponents(x[i])
    for i in range(n):
        _widen(w[i], wide_w[i])
        row_low, row_high = _exponents(w[i])
        w_low = min(w_low, row_low)
        w_high = max(w_high, row_high)
    return wide_x, wide_w, wide_z, low, high, w_low, w_high


@njit(cache=True, nogil=True, makes_arrays=True)
def gemm_serial(x, w, z):
    """``z`` (uint16[M, K], in place) = chains of ``x`` (uint16[M, N]), ``w`` (uint16[N, K])."""
    wide_x, wide_w, wide_z, low, high, w_low, w_high = _prepare(x, w, z)
    m, n = x.shape
    k = w.shape[1]
    for column in range(0, k, COLUMNS):
        columns = min(COLUMNS, k - column)
        for row in range(0, m, ROWS):
            _block_rows(wide_x, wide_w, wide_z, low, high, w_low, w_high, row, column, columns, n)
    for i in range(m):
        _narrow(wide_z[i], z[i])
