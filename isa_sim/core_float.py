"""Floating-point operations of the cores, scalar and packed.

A bfloat16 in a 32-bit register is NaN-boxed (upper half all ones); a scalar bfloat16 operation
reads an improperly boxed register as the canonical NaN. Packed operations hold two bfloat16, the
lower-numbered element in the low half. Rules where the smallfloat papers leave a choice:

- packed comparisons set bit i of ``rd`` for element i;
- ``vfmac`` is one fused multiply-add an element, ``rd += rs1 * rs2``;
- ``vfdotpex.s.ah`` is two fused binary32 multiply-adds in order, low element first:
  ``rd = fma(rs1[1], rs2[1], fma(rs1[0], rs2[0], rd))``;
- ``fmulex.s.ah`` and ``fmacex.s.ah`` are the binary32 product and fused multiply-add of scalars.
"""

from __future__ import annotations

from softex_mlir.isa_sim import core_ops as op
from softex_mlir.isa_sim import softfloat as sf
from softex_mlir.isa_sim.jit import njit

_SIGN = 0x80000000
_BOX = 0xFFFF0000
_BOXED_NAN = 0xFFFF7FC0
_WORD = 0xFFFFFFFF


@njit(cache=True)
def _unbox(a: int) -> int:
    """The bfloat16 in a register as a binary32 pattern."""
    return (a << 16) & _WORD if a >> 16 == 0xFFFF else sf.NAN


@njit(cache=True)
def _box(result: int) -> int:
    """A binary32-pattern result with flags, as a boxed bfloat16 with flags."""
    return (result >> 32 << 32) | _BOX | ((result >> 16) & 0xFFFF)


@njit(cache=True)
def _arithmetic(operation: int, a: int, b: int, c: int, mode: int, precision: int) -> int:
    """Operations common to both formats, numbered as for binary32; comparisons return 0 or 1."""
    if operation == op.FADD:
        return sf.add(a, b, mode, precision)
    if operation == op.FSUB:
        return sf.add(a, b ^ _SIGN, mode, precision)
    if operation == op.FMUL:
        return sf.mul(a, b, mode, precision)
    if operation == op.FMADD:
        return sf.fma(a, b, c, mode, precision)
    if operation == op.FMSUB:
        return sf.fma(a, b, c ^ _SIGN, mode, precision)
    if operation == op.FNMSUB:
        return sf.fma(a ^ _SIGN, b, c, mode, precision)
    if operation == op.FNMADD:
        return sf.fma(a ^ _SIGN, b, c ^ _SIGN, mode, precision)
    if operation == op.FDIV:
        return sf.div(a, b, mode, precision)
    if operation == op.FSQRT:
        return sf.sqrt(a, mode, precision)
    if operation == op.FMIN:
        return sf.minimum(a, b, False)
    if operation == op.FMAX:
        return sf.minimum(a, b, True)
    if operation == op.FSGNJ:
        return (a & 0x7FFFFFFF) | (b & _SIGN)
    if operation == op.FSGNJN:
        return (a & 0x7FFFFFFF) | ((b ^ _SIGN) & _SIGN)
    if operation == op.FSGNJX:
        return a ^ (b & _SIGN)
    if operation == op.FEQ:
        return sf.equal(a, b)
    if operation == op.FLT:
        return sf.less(a, b)
    if operation == op.FLE:
        return sf.less_equal(a, b)
    if operation == op.FCVT_W:
        return sf.to_integer(a, mode, False)
    if operation == op.FCVT_WU:
        return sf.to_integer(a, mode, True)
    return sf.classify(a)


@njit(cache=True)
def _vector_operation(operation: int) -> int:
    """The scalar operation of a packed one."""
    if operation == op.VSQRT:
        return op.FSQRT
    if operation == op.VMAC:
        return op.FMADD
    if operation <= op.VDIV:
        return op.FADD + (operation - op.VADD)
    if operation <= op.VMAX:
        return op.FMIN + (operation - op.VMIN)
    return op.FSGNJ + (operation - op.VSGNJ)


@njit(cache=True)
def _compare(operation: int, a: int, b: int) -> int:
    if operation == op.VEQ:
        return sf.equal(a, b)
    if operation == op.VNE:
        result = sf.equal(a, b)
        return (result >> 32 << 32) | (1 - (result & 1))
    if operation == op.VLT:
        return sf.less(a, b)
    if operation == op.VGT:
        return sf.less(b, a)
    if operation == op.VLE:
        return sf.less_equal(a, b)
    return sf.less_equal(b, a)


@njit(cache=True)
def _packed(operation: int, a: int, b: int, c: int, mode: int) -> int:
    """Operations on two bfloat16 at once."""
    a_low, a_high = (a << 16) & _WORD, a & _BOX
    b_low, b_high = (b << 16) & _WORD, b & _BOX
    if operation == op.VDOTPEX:
        first = sf.fma(a_low, b_low, c, mode, 24)
        second = sf.fma(a_high, b_high, first & _WORD, mode, 24)
        return second | (first >> 32 << 32)
    if operation >= op.VEQ:
        low = _compare(operation, a_low, b_low)
        high = _compare(operation, a_high, b_high)
        return (low & 1) | (high & 1) << 1 | ((low | high) >> 32 << 32)
    scalar = _vector_operation(operation)
    if operation == op.VMAC:
        low = sf.fma(a_low, b_low, (c << 16) & _WORD, mode, 8)
        high = sf.fma(a_high, b_high, c & _BOX, mode, 8)
    else:
        low = _arithmetic(scalar, a_low, b_low, 0, mode, 8)
        high = _arithmetic(scalar, a_high, b_high, 0, mode, 8)
    return ((low >> 16) & 0xFFFF) | (high & _BOX) | ((low | high) >> 32 << 32)


@njit(cache=True)
def execute_float(operation: int, a: int, b: int, c: int, mode: int) -> int:
    """Execute; operands are register patterns 0..2**32-1, the result is ``value | flags << 32``.

    ``c`` is the third operand, or the old destination of an accumulating operation.
    """
    if operation <= op.FCVT_WU:
        return _arithmetic(operation, a, b, c, mode, 24)
    if operation >= op.VADD:
        if operation == op.VCPKA:
            low = sf.round_to(a, mode, 8)
            high = sf.round_to(b, mode, 8)
            return ((low >> 16) & 0xFFFF) | (high & _BOX) | ((low | high) >> 32 << 32)
        return _packed(operation, a, b, c, mode)
    if operation >= op.HADD:
        if operation == op.HCVT_F_W or operation == op.HCVT_F_WU:
            value = a if operation == op.HCVT_F_WU or a < _SIGN else a - (1 << 32)
            return _box(sf.from_integer(value, mode, 8))
        if operation == op.FMULEX:
            return sf.mul(_unbox(a), _unbox(b), mode, 24)
        if operation == op.FMACEX:
            return sf.fma(_unbox(a), _unbox(b), c, mode, 24)
        scalar = op.FADD + (operation - op.HADD)
        if operation == op.HCLASS:
            scalar = op.FCLASS
        result = _arithmetic(scalar, _unbox(a), _unbox(b), _unbox(c), mode, 8)
        if operation >= op.HEQ:
            return result
        return _box(result)
    if operation == op.FCVT_F_W or operation == op.FCVT_F_WU:
        value = a if operation == op.FCVT_F_WU or a < _SIGN else a - (1 << 32)
        return sf.from_integer(value, mode, 24)
    if operation == op.FCLASS:
        return sf.classify(a)
    if operation == op.FMV_X_H:
        return ((a & 0xFFFF) ^ 0x8000) - 0x8000 & _WORD
    if operation == op.FMV_H_X:
        return _BOX | (a & 0xFFFF)
    if operation == op.FCVT_BF16_S:
        return _box(sf.round_to(a, mode, 8))
    if operation == op.FCVT_S_BF16:
        return sf.round_to(_unbox(a), mode, 24)
    return a  # fmv.x.w, fmv.w.x
