"""Instruction selection for constants and for conversions between integer and float types."""

from __future__ import annotations

import struct
from typing import Any

from xdsl.dialects import arith, rv32, vector
from xdsl.dialects.builtin import (
    BFloat16Type,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
)
from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Attribute, Operation, SSAValue

from softex_mlir.arithmetic import signed32
from softex_mlir.compiler.backend.emitter import FLOAT, INT, Linear
from softex_mlir.compiler.backend.operands import (
    UnsupportedOperation,
    bf16_bits,
    extract_position,
    float_class,
    is_float,
    width_of,
)
from softex_mlir.compiler.backend.selection import Selection, lowers
from softex_mlir.dialects import xpulp_bf16 as bf16


@lowers(arith.ConstantOp)
def constant(op: arith.ConstantOp, s: Selection) -> None:
    """Integers stay expressions; floats are moved from integer registers."""
    attribute: Any = op.value
    result = op.results[0]
    if isinstance(attribute, IntegerAttr):
        value = attribute.value.data
        # xDSL writes the i1 constant true as -1.
        s.values.linear[result] = Linear(
            value & 1 if width_of(result.type) == 1 else signed32(value)
        )
        return
    e = s.emitter
    if isinstance(attribute, FloatAttr):
        s.values.floats[result] = float_constant(s, attribute.value.data, result.type)
        return
    if isinstance(attribute, DenseIntOrFPElementsAttr) and float_class(result.type) == "vector":
        low, high = (bf16_bits(float(v)) for v in attribute.get_values())
        s.values.floats[result] = e.emit(riscv.FMvWXOp, (e.li(low | high << 16),), FLOAT)
        return
    raise UnsupportedOperation(f"no instructions for the constant {attribute}")


def float_constant(s: Selection, value: float, type_: Attribute) -> SSAValue:
    """A register with a float constant."""
    e = s.emitter
    if float_class(type_) == "f32":
        (bits,) = struct.unpack("<I", struct.pack("<f", value))
        return e.emit(riscv.FMvWXOp, (e.li(bits),), FLOAT)
    return e.emit(bf16.FMvHXOp, (e.li(bf16_bits(value)),), FLOAT)


@lowers(arith.IndexCastOp)
def index_cast(op: arith.IndexCastOp, s: Selection) -> None:
    """An index is a word."""
    s.values.linear[op.results[0]] = s.values.lin(op.operands[0])


@lowers(
    arith.TruncIOp,
    arith.ExtSIOp,
    arith.ExtUIOp,
    arith.ExtFOp,
    arith.TruncFOp,
    arith.SIToFPOp,
    arith.UIToFPOp,
    arith.FPToSIOp,
    arith.FPToUIOp,
    arith.BitcastOp,
)
def conversion(op: Operation, s: Selection) -> None:
    """Between integer and float types and widths."""
    e = s.emitter
    source, result = op.operands[0], op.results[0]
    match op:
        case arith.TruncIOp() if width_of(result.type) == 1:
            s.values.set_int(result, e.imm(riscv.AndiOp, s.values.reg(source), 1))
        case arith.TruncIOp():
            s.values.linear[result] = s.values.lin(source)
        case arith.ExtSIOp():
            s.values.set_int(result, s.values.extend(source, True))
            s.values.extended[result] = "s"
        case arith.ExtUIOp():
            s.values.set_int(result, s.values.extend(source, False))
            s.values.extended[result] = "u"
        case arith.ExtFOp():
            s.values.floats[result] = to_f32(s, source)
        case arith.TruncFOp():
            s.values.floats[result] = e.float_op(bf16.FCvtBf16SOp, s.values.freg(source))
        case arith.SIToFPOp() | arith.UIToFPOp():
            signed = isinstance(op, arith.SIToFPOp)
            classes = {
                ("f32", True): riscv.FCvtSWOp,
                ("f32", False): riscv.FCvtSWuOp,
                ("bf16", True): bf16.FCvtAhWOp,
                ("bf16", False): bf16.FCvtAhWuOp,
            }
            cls = classes[float_class(result.type), signed]
            s.values.floats[result] = e.emit(cls, (s.values.extend(source, signed),), FLOAT)
        case arith.FPToSIOp() | arith.FPToUIOp():
            value = s.values.freg(source)
            if float_class(source.type) == "bf16":
                value = e.float_op(bf16.FCvtSBf16Op, value)
            cls = riscv.FCvtWSOp if isinstance(op, arith.FPToSIOp) else riscv.FCvtWuSOp
            s.values.set_int(result, e.emit(cls, (value,), INT))
        case _:
            bitcast(s, source, result)


def to_f32(s: Selection, source: SSAValue) -> SSAValue:
    """A BF16 scalar as F32; an element of a vector is shifted into place."""
    e = s.emitter
    owner = source.owner
    if isinstance(owner, vector.ExtractOp):
        word = s.values.word(owner.operands[0])
        if extract_position(owner):
            bits = e.int2(riscv.AndOp, word, e.li(-0x10000))
        else:
            bits = e.shift(rv32.SlliOp, word, 16)
        return e.emit(riscv.FMvWXOp, (bits,), FLOAT)
    return e.float_op(bf16.FCvtSBf16Op, s.values.freg(source))


def bitcast(s: Selection, source: SSAValue, result: SSAValue) -> None:
    """Reinterpretation of bits."""
    e = s.emitter
    if is_float(source.type) == is_float(result.type):
        if is_float(source.type):
            s.values.floats[result] = s.values.freg(source)
        else:
            s.values.linear[result] = s.values.lin(source)
    elif is_float(source.type):
        s.values.set_int(result, s.values.word(source))
    else:
        half = isinstance(result.type, BFloat16Type)
        cls = bf16.FMvHXOp if half else riscv.FMvWXOp
        s.values.floats[result] = e.emit(cls, (s.values.reg(source),), FLOAT)
