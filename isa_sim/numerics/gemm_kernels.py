"""Compiled kernels of :mod:`softex_mlir.isa_sim.numerics.gemm`: what is around the blocks of
:mod:`.gemm_block`.

Operands are widened to binary32, in rows and columns of whole blocks. A product of two BF16 values
is exact there, unless it under- or overflows: blocks of such rows go the way that is right for all.
"""

# pyright: basic, reportCallIssue=false
import numpy as np

from softex_mlir.isa_sim.intrinsics import data_address
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.numerics.gemm_block import COLUMNS, ROWS, chain_block, wide_chain_block
from softex_mlir.isa_sim.numerics.rowwise_kernels import as_float, as_int

_NAN = np.int32(0x7FC00000)


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
    for i in range(out.size):
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


@njit(cache=True, nogil=True, makes_arrays=True)
def gemm_serial(x, w, z):
    """``z`` (uint16[M, K], in place) = chains of ``x`` (uint16[M, N]), ``w`` (uint16[N, K])."""
    m, n = x.shape
    k = w.shape[1]
    rows, columns = -(-m // ROWS) * ROWS, -(-k // COLUMNS) * COLUMNS
    wide_x = np.zeros((rows, n), np.float32)
    wide_w = np.zeros((n, columns), np.float32)
    wide_z = np.zeros((rows, columns), np.float32)
    w_low, w_high = np.int32(255), np.int32(0)
    for i in range(n):
        _widen(w[i], wide_w[i])
        low, high = _exponents(w[i])
        w_low, w_high = min(w_low, low), max(w_high, high)
    for row in range(0, rows, ROWS):
        fast = True
        for i in range(row, min(row + ROWS, m)):
            _widen(x[i], wide_x[i])
            _widen(z[i], wide_z[i])
            low, high = _exponents(x[i])
            fast = fast and _is_fast(low, high, w_low, w_high)
        at_x = data_address(wide_x) + 4 * row * n
        for column in range(0, columns, COLUMNS):
            at_w = data_address(wide_w) + 4 * column
            at_z = data_address(wide_z) + 4 * (row * columns + column)
            if fast:
                chain_block(at_x, 4 * n, at_w, 4 * columns, at_z, 4 * columns, n)
            else:
                wide_chain_block(at_x, 4 * n, at_w, 4 * columns, at_z, 4 * columns, n)
    for i in range(m):
        _narrow(wide_z[i], z[i])
