"""Values of the source IR and where the instructions find them: expressions and registers."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, cast

from xdsl.dialects import arith, rv32, vector
from xdsl.dialects.builtin import (
    AnyFloat,
    BFloat16Type,
    Float32Type,
    IntegerType,
    VectorType,
)
from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Attribute, Operation, SSAValue

from softex_mlir.compiler.backend.emitter import FLOAT, INT, Linear, RiscvEmitter
from softex_mlir.dialects import xpulp
from softex_mlir.dialects import xpulp_bf16 as bf16
from softex_mlir.dialects.xpulp_vector import PAIR
from softex_mlir.errors import UserError


class UnsupportedOperation(UserError):
    """The backend has no instructions for an operation, which tells where in the source it is."""

    def __init__(self, message: str, operation: Operation | None = None) -> None:
        super().__init__(message)
        self.operation = operation


def float_class(type_: Attribute) -> str:
    """Which instructions compute values of a type: f32, bf16 or vector (2 x bf16)."""
    if isinstance(type_, Float32Type):
        return "f32"
    if isinstance(type_, BFloat16Type):
        return "bf16"
    if type_ == PAIR:
        return "vector"
    raise UnsupportedOperation(
        f"the cores compute in f32, bf16 and vector<2xbf16>, found {type_}: convert or split it"
    )


@cache
def _is_float(kind: type[Attribute]) -> bool:
    return issubclass(kind, AnyFloat | VectorType)


def is_float(type_: Attribute) -> bool:
    """Whether values of the type live in float registers."""
    return _is_float(type(type_))


def width_of(type_: Attribute) -> int:
    """Bits of an integer or index type."""
    return cast(IntegerType, type_).width.data if isinstance(type_, IntegerType) else 32


def bf16_bits(value: float) -> int:
    """BF16 bits of a Python float, rounded to nearest even."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    if value != value:
        return bits >> 16 | 0x40
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 & 0xFFFF


def is_broadcast(op: Operation) -> bool:
    """Whether both elements of the op's vector are one BF16 scalar."""
    return isinstance(op, vector.BroadcastOp) and isinstance(op.operands[0].type, BFloat16Type)


def extract_position(op: Any) -> int:
    """Which element a vector.extract or vector.insert is about."""
    positions = tuple(op.static_position.get_values())
    if op.dynamic_position or len(positions) != 1 or positions[0] not in (0, 1):
        raise UnsupportedOperation(f"{op.name} takes element [0] or [1], a constant position")
    return positions[0]


class Operands:
    """What is known of the values of the function being lowered."""

    def __init__(self, emitter: RiscvEmitter) -> None:
        self.emitter = emitter
        self.linear: dict[SSAValue, Linear] = {}
        self.floats: dict[SSAValue, SSAValue] = {}
        self.words: dict[SSAValue, SSAValue] = {}
        self.extended: dict[SSAValue, str] = {}
        self.conditions: dict[SSAValue, arith.CmpiOp] = {}

    def lin(self, value: SSAValue) -> Linear:
        """The expression of an integer value."""
        return self.linear[value]

    def freg(self, value: SSAValue) -> SSAValue:
        """The float register of a float or vector value."""
        register = self.floats.get(value)
        if register is None:
            half = isinstance(value.type, BFloat16Type)
            cls = bf16.FMvHXOp if half else riscv.FMvWXOp
            # Not recorded: it may be emitted where later uses can not see it.
            register = self.emitter.emit(cls, (self.words[value],), FLOAT)
        return register

    def word(self, value: SSAValue) -> SSAValue:
        """An integer register with the bits of a float or vector value."""
        register = self.words.get(value)
        if register is None:
            half = isinstance(value.type, BFloat16Type)
            cls = bf16.FMvXHOp if half else riscv.FMvXWOp
            register = self.emitter.emit(cls, (self.floats[value],), INT)
        return register

    def reg(self, value: SSAValue) -> SSAValue:
        """The register of a value of any type."""
        if is_float(value.type):
            return self.freg(value)
        return self.emitter.value(self.lin(value))

    def set_int(self, value: SSAValue, register: SSAValue) -> None:
        """Record the register of an integer result."""
        self.linear[value] = Linear.of(register)

    def constant_of(self, value: SSAValue) -> int | None:
        """The value where it is a known integer."""
        linear = self.lin(value)
        return linear.constant if linear.is_constant else None

    def extend(self, value: SSAValue, signed: bool) -> SSAValue:
        """The register of an integer of less than 32 bits, extended to all of it."""
        width = width_of(value.type)
        register = self.reg(value)
        e = self.emitter
        known = self.extended.get(value)
        if width >= 32 or known == ("s" if signed else "u") or (width == 1 and not signed):
            return register
        if self.lin(value).is_constant:
            constant = self.lin(value).constant & (1 << width) - 1
            if signed and constant >> width - 1:
                constant -= 1 << width
            return e.li(constant)
        if width == 16:
            cls = xpulp.ExtendHalfOp if signed else xpulp.ExtendHalfUnsignedOp
            return e.emit(cls, (register,), INT)
        if width == 8:
            cls = xpulp.ExtendByteOp if signed else xpulp.ExtendByteUnsignedOp
            return e.emit(cls, (register,), INT)
        shifted = e.shift(rv32.SlliOp, register, 32 - width)
        return e.shift(rv32.SraiOp if signed else rv32.SrliOp, shifted, 32 - width)

    def passed(self, value: SSAValue) -> SSAValue:
        """A value to pass to a block argument: never the zero register itself."""
        register = self.reg(value)
        if register.type == INT or register.type == FLOAT:
            return register
        return self.emitter.fresh_zero()

    def bind(self, value: SSAValue, register: SSAValue) -> None:
        """Record the register of a block argument or of a result of control flow."""
        if is_float(value.type):
            self.floats[value] = register
        else:
            self.set_int(value, register)

    def alias(self, result: SSAValue, value: SSAValue) -> None:
        """The result is the value."""
        if is_float(value.type):
            self.floats[result] = self.freg(value)
        else:
            self.linear[result] = self.lin(value)
