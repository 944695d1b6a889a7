"""Floating-point operations by the host's own arithmetic, where that is provably the same.

The host rounds to nearest even as RISC-V does; what it lacks are the flags of one operation.
Here overflow, underflow and invalid operations are not let through: every function returns -1
unless the result is a normal number well inside the range (or an exact zero), and then the only
flag that can be raised is inexact. It is read off an error-free transformation: TwoSum for a sum,
the exact binary64 product for multiplication, division and square root. A fused multiply-add
rounds twice, the first time to odd, which keeps the second rounding exact; so does an operation
on bfloat16 in binary32.

Operands and results are as in :mod:`softex_mlir.isa_sim.core.softfloat`, rounding to nearest even.
"""

from __future__ import annotations

import numpy as np

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.intrinsics import (
    bits_float32,
    bits_float64,
    float32_bits,
    float64_bits,
)
from softex_mlir.isa_sim.jit import njit

_WORD = 0xFFFFFFFF
_SIGN = 0x80000000
_HIGH = 0xFFFF0000
_INFINITY = 0x7F800000
_INEXACT = 1 << 32
_SMALLEST = 0x00800000
"""The smallest normal number: a result that rounds to it may be tiny before rounding."""


@njit(cache=True, forceinline=True)
def _error(x: float, y: float, total: float) -> float:
    """What ``total = x + y`` lost (TwoSum, in the precision of its arguments)."""
    part = total - x
    return (x - (total - part)) + (y - part)


@njit(cache=True, forceinline=True)
def _to_odd(bits: int, total: float, error: float) -> int:
    """The pattern of ``total`` rounded to odd instead of to nearest."""
    if error != 0.0 and bits & 1 == 0:
        bits += 1 if (error > 0.0) == (total > 0.0) else -1
    return bits


@njit(cache=True, forceinline=True)
def _normal(bits: int) -> bool:
    """Whether a binary32 pattern is a finite number above the smallest normal one."""
    magnitude = bits & 0x7FFFFFFF
    return magnitude > _SMALLEST and magnitude < _INFINITY


@njit(cache=True, forceinline=True)
def add(a: int, b: int) -> int:
    """a + b in binary32. A subnormal sum is exact, so only overflow and NaN are left out."""
    x = bits_float32(a)
    y = bits_float32(b)
    total = x + y
    bits = float32_bits(total)
    if bits & _INFINITY == _INFINITY:
        return -1
    return bits | _INEXACT if _error(x, y, total) != 0.0 else bits


@njit(cache=True, forceinline=True)
def mul(a: int, b: int) -> int:
    """a * b in binary32."""
    exact = np.float64(bits_float32(a)) * np.float64(bits_float32(b))
    product = np.float32(exact)
    bits = float32_bits(product)
    if not _normal(bits) and exact != 0.0:
        return -1
    return bits | _INEXACT if np.float64(product) != exact else bits


@njit(cache=True, forceinline=True)
def fma(a: int, b: int, c: int) -> int:
    """a * b + c in binary32."""
    product = np.float64(bits_float32(a)) * np.float64(bits_float32(b))
    y = np.float64(bits_float32(c))
    total = product + y
    error = _error(product, y, total)
    rounded = np.float32(bits_float64(_to_odd(float64_bits(total), total, error)))
    bits = float32_bits(rounded)
    if not _normal(bits) and total != 0.0:
        return -1
    return bits | _INEXACT if error != 0.0 or np.float64(rounded) != total else bits


@njit(cache=True, error_model="numpy")
def div(a: int, b: int) -> int:
    """a / b in binary32."""
    x = bits_float32(a)
    y = bits_float32(b)
    quotient = x / y
    bits = float32_bits(quotient)
    if not _normal(bits) or b & 0x7FFFFFFF == _INFINITY:
        return -1
    return bits | _INEXACT if np.float64(quotient) * np.float64(y) != np.float64(x) else bits


@njit(cache=True)
def sqrt(a: int) -> int:
    """The square root of a positive binary32."""
    if a == 0 or a >= _INFINITY:
        return -1
    x = bits_float32(a)
    root = np.sqrt(x)
    bits = float32_bits(root)
    return bits | _INEXACT if np.float64(root) * np.float64(root) != np.float64(x) else bits


@njit(cache=True)
def compare(operation: int, a: int, b: int) -> int:
    """feq, flt or fle of two numbers."""
    x = bits_float32(a)
    y = bits_float32(b)
    if x != x or y != y:
        return -1
    if operation == op.FEQ:
        return 1 if x == y else 0
    if operation == op.FLT:
        return 1 if x < y else 0
    return 1 if x <= y else 0


@njit(cache=True)
def extreme(a: int, b: int, want_maximum: bool) -> int:
    """fmin or fmax of two numbers; -0 is below +0."""
    x = bits_float32(a)
    y = bits_float32(b)
    if x != x or y != y:
        return -1
    if x == y:  # equal patterns, or zeros of either sign
        return a & b if want_maximum else a | b
    return a if (x < y) != want_maximum else b


@njit(cache=True)
def from_integer(value: int) -> int:
    """An integer of up to 33 bits as binary32."""
    exact = np.float64(value)
    rounded = np.float32(exact)
    bits = float32_bits(rounded)
    return bits | _INEXACT if np.float64(rounded) != exact else bits


@njit(cache=True)
def truncate(a: int, unsigned: bool) -> int:
    """A binary32 that is in range to a 32-bit integer, toward zero."""
    x = np.float64(bits_float32(a))
    low, high = (-1.0, 4294967296.0) if unsigned else (-2147483649.0, 2147483648.0)
    if not (x > low and x < high):
        return -1
    integer = int(x)
    return integer & _WORD | (_INEXACT if np.float64(integer) != x else 0)


@njit(cache=True, forceinline=True)
def _half(bits: int) -> int:
    """A binary32 pattern rounded to bfloat16, in the upper half; -1 unless well in range."""
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    exponent = (rounded >> 23) & 0xFF
    if exponent < 2 or exponent == 255:
        return bits if bits & 0x7FFFFFFF == 0 else -1
    return rounded & _HIGH | (_INEXACT if bits & 0xFFFF != 0 else 0)


@njit(cache=True, forceinline=True)
def _boxed(value: int) -> int:
    """A rounded bfloat16 moved to the low half of a register, NaN-boxed."""
    return value if value < 0 else _HIGH | (value & _WORD) >> 16 | (value & _INEXACT)


@njit(cache=True, forceinline=True)
def half_add(a: int, b: int) -> int:
    """a + b of bfloat16."""
    x = bits_float32(a)
    y = bits_float32(b)
    total = x + y
    return _half(_to_odd(float32_bits(total), total, _error(x, y, total)))


@njit(cache=True, forceinline=True)
def half_fma(a: int, b: int, c: int) -> int:
    """a * b + c of bfloat16: the product fits into binary32 unless it is subnormal."""
    product = bits_float32(a) * bits_float32(b)
    if float32_bits(product) & _INFINITY == 0 and a << 1 & _WORD != 0 and b << 1 & _WORD != 0:
        return -1
    y = bits_float32(c)
    total = product + y
    return _half(_to_odd(float32_bits(total), total, _error(product, y, total)))


@njit(cache=True, forceinline=True)
def half_mul(a: int, b: int) -> int:
    """a * b of bfloat16."""
    product = bits_float32(a) * bits_float32(b)
    if float32_bits(product) & _INFINITY == 0 and a << 1 & _WORD != 0 and b << 1 & _WORD != 0:
        return -1
    return _half(float32_bits(product))


@njit(cache=True)
def _packed(operation: int, a: int, b: int, c: int) -> int:
    """Packed addition, subtraction, multiplication and multiply-add."""
    if operation == op.VMAC:
        low = half_fma(a << 16 & _WORD, b << 16 & _WORD, c << 16 & _WORD)
        high = half_fma(a & _HIGH, b & _HIGH, c & _HIGH)
    elif operation == op.VMUL:
        low = half_mul(a << 16 & _WORD, b << 16 & _WORD)
        high = half_mul(a & _HIGH, b & _HIGH)
    else:
        if operation == op.VSUB:
            b ^= 0x80008000
        low = half_add(a << 16 & _WORD, b << 16 & _WORD)
        high = half_add(a & _HIGH, b & _HIGH)
    if low < 0 or high < 0:
        return -1
    return (low & _WORD) >> 16 | high | (low & _INEXACT)


@njit(cache=True)
def _packed_extreme(a: int, b: int, want_maximum: bool) -> int:
    low = extreme(a << 16 & _WORD, b << 16 & _WORD, want_maximum)
    high = extreme(a & _HIGH, b & _HIGH, want_maximum)
    return -1 if low < 0 or high < 0 else low >> 16 | high


@njit(cache=True)
def _pack(a: int, b: int) -> int:
    low = _half(a)
    high = _half(b)
    return -1 if low < 0 or high < 0 else (low & _WORD) >> 16 | high | (low & _INEXACT)


@njit(cache=True)
def _dot_product(a: int, b: int, c: int) -> int:
    """Two multiply-adds in order, low element first, each rounded to binary32."""
    first = fma(a << 16 & _WORD, b << 16 & _WORD, c)
    if first < 0:
        return -1
    second = fma(a & _HIGH, b & _HIGH, first & _WORD)
    return -1 if second < 0 else second | (first & _INEXACT)


@njit(cache=True, forceinline=True)
def execute_host(operation: int, a: int, b: int, c: int) -> int:
    """One operation, rounding to nearest even: ``value | flags << 32``, -1 if not sure."""
    if operation == op.FADD:
        return add(a, b)
    if operation == op.FSUB:
        return add(a, b ^ _SIGN)
    if operation == op.FMUL:
        return mul(a, b)
    if operation == op.FMADD:
        return fma(a, b, c)
    if operation == op.FMSUB:
        return fma(a, b, c ^ _SIGN)
    if operation == op.FNMSUB:
        return fma(a ^ _SIGN, b, c)
    if operation == op.FNMADD:
        return fma(a ^ _SIGN, b, c ^ _SIGN)
    if operation == op.FDIV:
        return div(a, b)
    if operation == op.FSQRT:
        return sqrt(a)
    if operation == op.FMIN:
        return extreme(a, b, False)
    if operation == op.FMAX:
        return extreme(a, b, True)
    if operation == op.FEQ or operation == op.FLT or operation == op.FLE:
        return compare(operation, a, b)
    if operation == op.FSGNJ:
        return a & ~_SIGN | (b & _SIGN)
    if operation == op.FSGNJN:
        return a & ~_SIGN | (~b & _SIGN)
    if operation == op.FSGNJX:
        return a ^ (b & _SIGN)
    if operation == op.FMV_W_X or operation == op.FMV_X_W:
        return a
    if operation == op.FMV_X_H:
        return ((a & 0xFFFF) ^ 0x8000) - 0x8000 & _WORD
    if operation == op.FMV_H_X:
        return _HIGH | (a & 0xFFFF)
    if operation == op.FCVT_BF16_S:
        return _boxed(_half(a))
    if operation == op.FCVT_S_BF16:
        return a << 16 & _WORD if a >> 16 == 0xFFFF and a & 0x7F80 != 0x7F80 else -1
    if operation == op.FCVT_F_W:
        return from_integer((a ^ _SIGN) - _SIGN)
    if operation == op.FCVT_F_WU:
        return from_integer(a)
    if operation == op.VADD or operation == op.VSUB or operation == op.VMUL or operation == op.VMAC:
        return _packed(operation, a, b, c)
    if operation == op.VMIN:
        return _packed_extreme(a, b, False)
    if operation == op.VMAX:
        return _packed_extreme(a, b, True)
    if operation == op.VCPKA:
        return _pack(a, b)
    if operation == op.VDOTPEX:
        return _dot_product(a, b, c)
    return -1
