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

from softex_mlir.isa_sim.core import operations as op
from softex_mlir.isa_sim.core import softfloat as sf
from softex_mlir.isa_sim.core.host_floats import truncate
from softex_mlir.isa_sim.jit import njit

_SIGN = 0x80000000
_BOX = 0xFFFF0000
_WORD = 0xFFFFFFFF


@njit(cache=True)
def _unbox(a: int) -> int:
    """The bfloat16 in a register as a binary32 pattern."""
    return (a << 16) & _WORD if a >> 16 == 0xFFFF else sf.NAN


@njit(cache=True)
def _arithmetic(operation: int, a: int, b: int, c: int, mode: int, precision: int) -> int:
    """Operations common to both formats, numbered as for binary32; comparisons return 0 or 1.

    Each function of softfloat is called from one place: it is compiled into this one.
    """
    if operation == op.FADD or operation == op.FSUB:
        return sf.add(a, b ^ _SIGN if operation == op.FSUB else b, mode, precision)
    if operation == op.FMUL:
        return sf.mul(a, b, mode, precision)
    if operation >= op.FMADD and operation <= op.FNMADD:
        if operation == op.FNMSUB or operation == op.FNMADD:
            a ^= _SIGN
        if operation == op.FMSUB or operation == op.FNMADD:
            c ^= _SIGN
        return sf.fma(a, b, c, mode, precision)
    if operation == op.FDIV:
        return sf.div(a, b, mode, precision)
    if operation == op.FSQRT:
        return sf.sqrt(a, mode, precision)
    if operation == op.FMIN or operation == op.FMAX:
        return sf.minimum(a, b, operation == op.FMAX)
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
    if operation == op.FCVT_W or operation == op.FCVT_WU:
        return sf.to_integer(a, mode, operation == op.FCVT_WU)
    if operation == op.FCVT_F_W or operation == op.FCVT_F_WU:
        value = a if operation == op.FCVT_F_WU or a < _SIGN else a - (1 << 32)
        return sf.from_integer(value, mode, precision)
    if operation == op.FCVT_BF16_S:
        return sf.round_to(a, mode, precision)
    return sf.classify(a)


@njit(cache=True)
def _scalar_operation(operation: int) -> int:
    """The binary32 operation that a bfloat16 or packed operation applies."""
    if operation < op.HADD:
        return operation
    if operation <= op.HLE:
        return op.FADD + (operation - op.HADD)
    if operation <= op.HCVT_F_WU:
        return op.FCVT_W + (operation - op.HCVT_W)
    if operation == op.HCLASS:
        return op.FCLASS
    if operation == op.FMULEX:
        return op.FMUL
    if operation <= op.FMACEX or operation == op.VMAC or operation == op.VDOTPEX:
        return op.FMADD
    if operation <= op.VMAX:
        return op.FADD + (operation - op.VADD)
    if operation <= op.VSGNJX:
        return op.FSGNJ + (operation - op.VSGNJ)
    if operation == op.VCPKA:
        return op.FCVT_BF16_S
    if operation <= op.VNE:
        return op.FEQ
    return op.FLT if operation == op.VLT or operation == op.VGT else op.FLE


@njit(cache=True)
def execute_float(operation: int, a: int, b: int, c: int, mode: int) -> int:
    """Execute anything but a move exactly; the result is ``value | flags << 32``.

    Operands are register patterns 0..2**32-1; ``c`` is the third operand, or the old destination
    of an accumulating operation.
    """
    if mode == 1 and (operation == op.FCVT_W or operation == op.FCVT_WU):
        value = truncate(a, operation == op.FCVT_WU)
        if value >= 0:
            return value
    scalar = _scalar_operation(operation)
    packed = operation >= op.VADD
    half = operation >= op.HADD
    if operation == op.FCVT_S_BF16:
        scalar = op.FCVT_BF16_S  # the same rounding, here to the precision of the wider format
        half = True
    wide = operation == op.FMULEX or operation == op.FMACEX or operation == op.VDOTPEX
    wide = wide or operation == op.FCVT_S_BF16
    precision = 24 if wide or (not half and operation != op.FCVT_BF16_S) else 8
    swap = operation == op.VGT or operation == op.VGE
    result = 0
    flags = 0
    for lane in range(2 if packed else 1):
        u, v, w = a, b, c
        if packed:
            if operation == op.VCPKA:
                u = b if lane == 1 else a
            else:
                shift = 16 - 16 * lane
                u = (a << shift) & _BOX
                v = (b << shift) & _BOX
                w = (c << shift) & _BOX if operation == op.VMAC else c
        elif half:
            if scalar != op.FCVT_F_W and scalar != op.FCVT_F_WU:
                u = _unbox(a)
            v = _unbox(b)
            w = c if operation == op.FMACEX else _unbox(c)
        if swap:
            u, v = v, u
        value = _arithmetic(scalar, u, v, w, mode, precision)
        flags |= value >> 32
        value &= _WORD
        if operation == op.VDOTPEX:
            c = value
            result = value
        elif operation >= op.VEQ and operation <= op.VGT:
            result |= (value ^ 1 if operation == op.VNE else value) << lane
        elif packed:
            result |= (value >> 16) << (16 * lane)
        else:
            result = value
    to_integer = (scalar >= op.FEQ and scalar <= op.FCVT_WU) or scalar == op.FCLASS
    if not packed and precision == 8 and not to_integer:
        result = _BOX | result >> 16
    return result | flags << 32
