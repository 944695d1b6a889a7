"""Division, and CORE-V operations on integer registers (CV32E40P user manual, ALU, MAC, SIMD)."""

from __future__ import annotations

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.jit import njit

_WORD = 0xFFFFFFFF


@njit(cache=True)
def _signed(value: int, bits: int) -> int:
    """The low ``bits`` of a value, sign-extended."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


@njit(cache=True)
def _clip(a: int, low: int, high: int) -> int:
    return low if a <= low else min(a, high)


@njit(cache=True)
def _first_set(a: int) -> int:
    """Position of the lowest set bit of a 32-bit pattern, 32 if there is none."""
    for position in range(32):
        if (a >> position) & 1:
            return position
    return 32


@njit(cache=True)
def _last_set(a: int) -> int:
    """Position of the highest set bit of a 32-bit pattern, 32 if there is none."""
    for position in range(31, -1, -1):
        if (a >> position) & 1:
            return position
    return 32


@njit(cache=True)
def _multiply(operation: int, a: int, b: int, d: int, shift: int) -> int:
    """16-bit multiplications: signedness alternates, then high halves, then accumulation."""
    index = operation - op.MULSN
    if index & 2:
        a >>= 16
        b >>= 16
    product = (a & 0xFFFF) * (b & 0xFFFF) if index & 1 else _signed(a, 16) * _signed(b, 16)
    total = product + d if index & 4 else product
    if index & 1:
        return (total & _WORD) >> shift
    return _signed(total, 32) >> shift


@njit(cache=True)
def _normalise(operation: int, a: int, b: int, shift: int) -> int:
    """addn, addun, addrn, addurn and the subtractions: shift right, the r forms rounding."""
    index = (operation - op.ADDN) & 3
    total = a + b if operation <= op.ADDURN else a - b
    if index & 2 and shift > 0:
        total += 1 << (shift - 1)
    if index & 1:
        return (total & _WORD) >> shift
    return _signed(total, 32) >> shift


@njit(cache=True)
def _bit_field(operation: int, a: int, d: int, length: int, position: int) -> int:
    """Operations on ``length + 1`` bits from ``position``."""
    width = min(length + 1, 32 - position)
    mask = ((1 << width) - 1) << position
    if operation == op.EXTRACT:
        return _signed((a & _WORD) >> position, width)
    if operation == op.EXTRACTU:
        return ((a & _WORD) >> position) & ((1 << width) - 1)
    if operation == op.BCLR:
        return a & ~mask
    if operation == op.BSET:
        return a | mask
    return (d & ~mask) | ((a << position) & mask)


@njit(cache=True)
def divide(operation: int, a: int, b: int) -> int:
    """div, divu, rem, remu of sign-extended operands, truncating; division by zero as specified."""
    if operation == op.DIVU or operation == op.REMU:
        a &= _WORD
        b &= _WORD
    if b == 0:
        return -1 if operation <= op.DIVU else a
    quotient = abs(a) // abs(b)
    if (a < 0) != (b < 0):
        quotient = -quotient
    return quotient if operation <= op.DIVU else a - quotient * b


@njit(cache=True)
def division_cycles(operation: int, b: int, base: int, longest: int) -> int:
    """Base cycles plus the leading zeros of the divisor (its sign bits if negative)."""
    if operation == op.DIVU or operation == op.REMU:
        b &= _WORD
    elif b < 0:
        b = ~b
    zeros = 32
    while b != 0:
        b >>= 1
        zeros -= 1
    return min(base + zeros, longest)


@njit(cache=True)
def execute_alu(operation: int, a: int, b: int, d: int, immediate: int, second: int) -> int:
    """Execute on sign-extended 32-bit operands; ``d`` is the old rd. The low 32 bits count."""
    if operation <= op.MACHHUN:
        return _multiply(operation, a, b, d, immediate)
    if operation >= op.ADDN and operation <= op.SUBURN:
        return _normalise(operation, a, b, immediate)
    if operation >= op.EXTRACT and operation <= op.BSET:
        return _bit_field(operation, a, d, immediate, second)
    if operation == op.ABS:
        return -a if a < 0 else a
    if operation == op.SLE:
        return 1 if a <= b else 0
    if operation == op.SLEU:
        return 1 if a & _WORD <= b & _WORD else 0
    if operation == op.MIN:
        return min(a, b)
    if operation == op.MAX:
        return max(a, b)
    if operation == op.MINU:
        return min(a & _WORD, b & _WORD)
    if operation == op.MAXU:
        return max(a & _WORD, b & _WORD)
    if operation == op.EXTHS:
        return _signed(a, 16)
    if operation == op.EXTHZ:
        return a & 0xFFFF
    if operation == op.EXTBS:
        return _signed(a, 8)
    if operation == op.EXTBZ:
        return a & 0xFF
    if operation == op.CLIP:
        bound = (1 << max(immediate - 1, 0)) - 1 if immediate > 0 else 0
        return _clip(a, -bound - 1, bound)
    if operation == op.CLIPU:
        return _clip(a, 0, (1 << max(immediate - 1, 0)) - 1 if immediate > 0 else 0)
    if operation == op.CLIPR:
        return _clip(a, -b - 1, b)
    if operation == op.CLIPUR:
        return _clip(a, 0, b)
    if operation == op.ROR:
        amount = b & 31
        word = a & _WORD
        return (word >> amount) | (word << (32 - amount))
    if operation == op.FF1:
        return _first_set(a & _WORD)
    if operation == op.FL1:
        return _last_set(a & _WORD)
    if operation == op.CLB:
        if a == 0:
            return 0
        return 30 - _last_set((a ^ (a >> 31)) & _WORD) if a != -1 else 31
    if operation == op.CNT:
        count = 0
        for position in range(32):
            count += (a >> position) & 1
        return count
    if operation == op.ADD_H:
        return ((a + b) & 0xFFFF) | ((a & ~0xFFFF) + (b & ~0xFFFF))
    if operation == op.SUB_H:
        return ((a - b) & 0xFFFF) | ((a & ~0xFFFF) - (b & ~0xFFFF))
    if operation == op.PACK:
        return ((a & 0xFFFF) << 16) | (b & 0xFFFF)
    if operation == op.PACK_H:
        return (a & ~0xFFFF) | ((b >> 16) & 0xFFFF)
    half = 16 * (immediate & 1)
    if operation == op.EXTRACT_H:
        return _signed(a >> half, 16)
    if operation == op.EXTRACTU_H:
        return (a >> half) & 0xFFFF
    return (d & ~(0xFFFF << half)) | ((a & 0xFFFF) << half)
