"""Instruction selection for the scalar and packed arithmetic of `arith`, `math` and `vector`."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from softex_mlir.compiler.backend.emitter import (
    FLOAT,
    INT,
    Emitter,
    Linear,
    fits_imm12,
    signed32,
)
from softex_mlir.dialects import xpulp
from softex_mlir.isa_sim.errors import UserError
from xdsl.dialects import arith, riscv, rv32
from xdsl.dialects.builtin import (
    AnyFloat,
    BFloat16Type,
    DenseIntOrFPElementsAttr,
    Float32Type,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    VectorType,
)
from xdsl.dialects.riscv.attrs import FastMathFlagsAttr
from xdsl.ir import Attribute, Operation, SSAValue

NO_FASTMATH: dict[str, Attribute] = {"fastmath": FastMathFlagsAttr("none")}


class UnsupportedOperation(UserError):
    """The backend has no instructions for an operation, which tells where in the source it is."""

    def __init__(self, message: str, operation: Operation | None = None) -> None:
        super().__init__(message)
        self.operation = operation


def float_class(type_: Attribute) -> str:
    """ "f32", "bf16" or "vector" (2 x bf16): which instructions compute values of a type."""
    if isinstance(type_, Float32Type):
        return "f32"
    if isinstance(type_, BFloat16Type):
        return "bf16"
    if (
        isinstance(type_, VectorType)
        and isinstance(type_.element_type, BFloat16Type)
        and type_.get_shape() == (2,)
    ):
        return "vector"
    raise UnsupportedOperation(
        f"the cores compute in f32, bf16 and vector<2xbf16>, found {type_}: convert or split it"
    )


def is_float(type_: Attribute) -> bool:
    """Whether values of the type live in float registers."""
    return isinstance(type_, AnyFloat | VectorType)


def width_of(type_: Attribute) -> int:
    """Bits of an integer or index type."""
    return type_.width.data if isinstance(type_, IntegerType) else 32


def bf16_bits(value: float) -> int:
    """BF16 bits of a Python float, rounded to nearest even."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    if value != value:
        return bits >> 16 | 0x40
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 & 0xFFFF


BINARY: dict[str, dict[str, type[Operation]]] = {
    "arith.addf": {
        "f32": riscv.FAddSOp,
        "bf16": xpulp.FAddAhOp,
        "vector": xpulp.VFAddAhOp,
    },
    "arith.subf": {
        "f32": riscv.FSubSOp,
        "bf16": xpulp.FSubAhOp,
        "vector": xpulp.VFSubAhOp,
    },
    "arith.mulf": {
        "f32": riscv.FMulSOp,
        "bf16": xpulp.FMulAhOp,
        "vector": xpulp.VFMulAhOp,
    },
    "arith.divf": {"f32": riscv.FDivSOp, "bf16": xpulp.FDivAhOp, "vector": xpulp.VFDivAhOp},
    "arith.maxnumf": {
        "f32": riscv.FMaxSOp,
        "bf16": xpulp.FMaxAhOp,
        "vector": xpulp.VFMaxAhOp,
    },
    "arith.minnumf": {
        "f32": riscv.FMinSOp,
        "bf16": xpulp.FMinAhOp,
        "vector": xpulp.VFMinAhOp,
    },
    "math.copysign": {
        "f32": riscv.FSgnJSOp,
        "bf16": xpulp.FSgnjAhOp,
        "vector": xpulp.VFSgnjAhOp,
    },
}
"""Operations that are one instruction of two operands."""

SAME_OPERAND: dict[str, dict[str, type[Operation]]] = {
    "arith.negf": {
        "f32": riscv.FSgnJNSOp,
        "bf16": xpulp.FSgnjnAhOp,
        "vector": xpulp.VFSgnjnAhOp,
    },
    "math.absf": {
        "f32": riscv.FSgnJXSOp,
        "bf16": xpulp.FSgnjxAhOp,
        "vector": xpulp.VFSgnjxAhOp,
    },
}
"""Unary operations that are one instruction with its operand given twice."""

COMPARE: dict[str, dict[str, type[Operation]]] = {
    "eq": {"f32": riscv.FeqSOp, "bf16": xpulp.FEqAhOp},
    "lt": {"f32": riscv.FltSOp, "bf16": xpulp.FLtAhOp},
    "le": {"f32": riscv.FleSOp, "bf16": xpulp.FLeAhOp},
}

REPLICATED: dict[type[Operation], type[Operation]] = {
    xpulp.VFAddAhOp: xpulp.VFAddRAhOp,
    xpulp.VFSubAhOp: xpulp.VFSubRAhOp,
    xpulp.VFMulAhOp: xpulp.VFMulRAhOp,
    xpulp.VFDivAhOp: xpulp.VFDivRAhOp,
    xpulp.VFMaxAhOp: xpulp.VFMaxRAhOp,
    xpulp.VFMinAhOp: xpulp.VFMinRAhOp,
    xpulp.VFSgnjAhOp: xpulp.VFSgnjRAhOp,
}
"""Packed instructions that take the low half of rs2 for both elements."""


class ArithmeticSelector:
    """Maps values of the source IR to registers and emits instructions for arithmetic."""

    emitter: Emitter

    def __init__(self) -> None:
        self.linear: dict[SSAValue, Linear] = {}
        self.floats: dict[SSAValue, SSAValue] = {}
        self.words: dict[SSAValue, SSAValue] = {}
        self.extended: dict[SSAValue, str] = {}
        self.conditions: dict[SSAValue, arith.CmpiOp] = {}

    # region Operands

    def lin(self, value: SSAValue) -> Linear:
        """The expression of an integer value."""
        return self.linear[value]

    def freg(self, value: SSAValue) -> SSAValue:
        """The float register of a float or vector value."""
        register = self.floats.get(value)
        if register is None:
            half = isinstance(value.type, BFloat16Type)
            cls = xpulp.FMvHXOp if half else riscv.FMvWXOp
            # Not recorded: it may be emitted where later uses can not see it.
            register = self.emitter.emit(cls, (self.words[value],), FLOAT)
        return register

    def word(self, value: SSAValue) -> SSAValue:
        """An integer register with the bits of a float or vector value."""
        register = self.words.get(value)
        if register is None:
            half = isinstance(value.type, BFloat16Type)
            cls = xpulp.FMvXHOp if half else riscv.FMvXWOp
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

    # endregion
    # region Constants

    def constant(self, op: arith.ConstantOp) -> None:
        """Integers stay expressions; floats are moved from integer registers."""
        attribute: Any = op.value
        result = op.result
        if isinstance(attribute, IntegerAttr):
            value = attribute.value.data
            # xDSL writes the i1 constant true as -1.
            self.linear[result] = Linear(
                value & 1 if width_of(result.type) == 1 else signed32(value)
            )
            return
        e = self.emitter
        if isinstance(attribute, FloatAttr):
            self.floats[result] = self.float_constant(attribute.value.data, result.type)
            return
        if isinstance(attribute, DenseIntOrFPElementsAttr) and float_class(result.type) == "vector":
            low, high = (bf16_bits(float(v)) for v in attribute.get_values())
            self.floats[result] = e.emit(riscv.FMvWXOp, (e.li(low | high << 16),), FLOAT)
            return
        raise UnsupportedOperation(f"no instructions for the constant {attribute}")

    def float_constant(self, value: float, type_: Attribute) -> SSAValue:
        """A register with a float constant."""
        e = self.emitter
        if float_class(type_) == "f32":
            (bits,) = struct.unpack("<I", struct.pack("<f", value))
            return e.emit(riscv.FMvWXOp, (e.li(bits),), FLOAT)
        return e.emit(xpulp.FMvHXOp, (e.li(bf16_bits(value)),), FLOAT)

    # endregion
    # region Integers

    def int_binary(self, op: Any) -> None:
        """Integer arithmetic, linear where it can be."""
        name: str = op.name
        lhs, rhs, result = op.operands[0], op.operands[1], op.results[0]
        a, b = self.lin(lhs), self.lin(rhs)
        e = self.emitter
        width = width_of(result.type)
        match name:
            case "arith.addi":
                self.linear[result] = a.plus(b)
                return
            case "arith.subi":
                self.linear[result] = a.plus(b, -1)
                return
            case "arith.muli" if a.is_constant or b.is_constant:
                self.linear[result] = a.times(b.constant) if b.is_constant else b.times(a.constant)
                return
            case "arith.shli" if b.is_constant and 0 <= b.constant < 32:
                self.linear[result] = a.times(1 << b.constant)
                return
            case _:
                pass
        if a.is_constant and b.is_constant and width == 32:
            folded = fold_integer(name, a.constant, b.constant)
            if folded is not None:
                self.linear[result] = Linear(signed32(folded))
                return
        if b.is_constant and width == 32 and self.int_by_constant(name, lhs, b.constant, result):
            return
        signed = name in ("arith.divsi", "arith.remsi", "arith.shrsi", "arith.maxsi", "arith.minsi")
        unsigned = name in (
            "arith.divui",
            "arith.remui",
            "arith.shrui",
            "arith.maxui",
            "arith.minui",
            "arith.floordivsi",
            "arith.ceildivsi",
        )
        if width < 32 and (signed or unsigned):
            x, y = self.extend(lhs, signed), self.extend(rhs, signed)
        else:
            x, y = self.reg(lhs), self.reg(rhs)
        cls = INT_BINARY.get(name)
        if cls is None:
            raise UnsupportedOperation(f"no instructions for {name} on {lhs.type}")
        self.set_int(result, e.int2(cls, x, y))

    def int_by_constant(self, name: str, lhs: SSAValue, constant: int, result: SSAValue) -> bool:
        """Immediate forms and powers of two; False where there is none."""
        e = self.emitter
        power = constant.bit_length() - 1 if constant > 0 and constant & constant - 1 == 0 else None
        register: SSAValue | None = None
        match name:
            case "arith.andi" if fits_imm12(constant):
                register = e.imm(riscv.AndiOp, self.reg(lhs), constant)
            case "arith.ori" if fits_imm12(constant):
                register = e.imm(riscv.OriOp, self.reg(lhs), constant)
            case "arith.xori" if fits_imm12(constant):
                register = e.imm(riscv.XoriOp, self.reg(lhs), constant)
            case "arith.shrui" if 0 <= constant < 32:
                register = e.shift(rv32.SrliOp, self.reg(lhs), constant)
            case "arith.shrsi" if 0 <= constant < 32:
                register = e.shift(rv32.SraiOp, self.reg(lhs), constant)
            case "arith.divui" if power is not None:
                register = e.shift(rv32.SrliOp, self.reg(lhs), power)
            case "arith.remui" if power is not None and power <= 11:
                register = e.imm(riscv.AndiOp, self.reg(lhs), constant - 1)
            case "arith.floordivsi" if power is not None:
                register = e.shift(rv32.SraiOp, self.reg(lhs), power)
            case "arith.remsi" | "arith.divsi" if constant == 1:
                self.linear[result] = Linear() if name == "arith.remsi" else self.lin(lhs)
                return True
            case "arith.divsi" | "arith.remsi" if power is not None:
                # Towards zero: a negative dividend is first raised by the divisor minus 1.
                x = self.reg(lhs)
                sign = e.shift(rv32.SraiOp, x, 31)
                bias = e.shift(rv32.SrliOp, sign, 32 - power)
                sum_ = e.int2(riscv.AddOp, x, bias)
                if name == "arith.divsi":
                    register = e.shift(rv32.SraiOp, sum_, power)
                else:
                    low = e.int2(riscv.AndOp, sum_, e.li(constant - 1))
                    register = e.int2(riscv.SubOp, low, bias)
            case _:
                return False
        self.set_int(result, register)
        return True

    def compare_int(self, op: arith.CmpiOp) -> None:
        """A comparison as 0 or 1."""
        e = self.emitter
        predicate = INT_PREDICATES[op.predicate.value.data]
        width = width_of(op.lhs.type)
        if width < 32:
            signed = predicate[0] == "s" or predicate in ("eq", "ne")
            x, y = self.extend(op.lhs, signed), self.extend(op.rhs, signed)
        else:
            x, y = self.reg(op.lhs), self.reg(op.rhs)
        constant = self.constant_of(op.rhs)
        if predicate in ("sgt", "sle", "ugt", "ule"):
            x, y = y, x
            predicate = {"sgt": "slt", "sle": "sge", "ugt": "ult", "ule": "uge"}[predicate]
            constant = None
        match predicate:
            case "eq" | "ne":
                if constant is not None and fits_imm12(-constant):
                    difference = e.imm(riscv.AddiOp, x, -constant) if constant else x
                else:
                    difference = e.int2(riscv.XorOp, x, y)
                if predicate == "eq":
                    register = e.imm(riscv.SltiuOp, difference, 1)
                else:
                    register = e.int2(riscv.SltuOp, e.zero, difference)
            case _:
                cls = riscv.SltOp if predicate[0] == "s" else riscv.SltuOp
                if constant is not None and fits_imm12(constant):
                    immediate = riscv.SltiOp if predicate[0] == "s" else riscv.SltiuOp
                    register = e.imm(immediate, x, constant)
                else:
                    register = e.int2(cls, x, y)
                if predicate.endswith("ge"):
                    register = e.imm(riscv.XoriOp, register, 1)
        self.set_int(op.result, register)

    def select_int(self, condition: SSAValue, x: SSAValue, y: SSAValue) -> SSAValue:
        """condition ? x : y without a branch."""
        e = self.emitter
        mask = e.int2(riscv.SubOp, e.zero, condition)
        difference = e.int2(riscv.XorOp, x, y)
        return e.int2(riscv.XorOp, y, e.int2(riscv.AndOp, difference, mask))

    def select(self, op: arith.SelectOp) -> None:
        """Branch-free selection; float values pass through integer registers."""
        e = self.emitter
        result = op.results[0]
        condition_type = op.cond.type
        if isinstance(condition_type, VectorType):
            raise UnsupportedOperation("no instructions for a selection by element: use min/max")
        condition = self.extend(op.cond, False)
        if not is_float(result.type):
            self.set_int(result, self.select_int(condition, self.reg(op.lhs), self.reg(op.rhs)))
            return
        x = e.emit(riscv.FMvXWOp, (self.freg(op.lhs),), INT)
        y = e.emit(riscv.FMvXWOp, (self.freg(op.rhs),), INT)
        self.floats[result] = e.emit(riscv.FMvWXOp, (self.select_int(condition, x, y),), FLOAT)

    # endregion
    # region Floats

    def float_binary(self, op: Operation) -> None:
        """One instruction of two operands; broadcasts use the replicating form."""
        kind = float_class(op.results[0].type)
        cls = BINARY[op.name][kind]
        lhs, rhs = op.operands
        if op.name == "arith.addf" and kind == "f32":
            for total, term in ((lhs, rhs), (rhs, lhs)):
                half = self.expandable(term)
                if half is not None and self.expandable(total) is None:
                    # a sum with 1.0 * BF16 as one instruction, exact as widening is
                    one = self.float_constant(1.0, half.type)
                    self.floats[op.results[0]] = self.emitter.float_op(
                        xpulp.FMacExSAhOp, self.floats[total], self.floats[half], one
                    )
                    return
        if kind == "vector" and (replicated := REPLICATED.get(cls)) is not None:
            commutes = op.name in ("arith.addf", "arith.mulf", "arith.maxnumf", "arith.minnumf")
            for x, y, allowed in ((lhs, rhs, True), (rhs, lhs, commutes)):
                scalar = y.owner
                if allowed and isinstance(scalar, Operation) and is_broadcast(scalar):
                    self.floats[op.results[0]] = self.emitter.float_op(
                        replicated, self.freg(x), self.freg(scalar.operands[0])
                    )
                    return
        self.floats[op.results[0]] = self.emitter.float_op(cls, self.freg(lhs), self.freg(rhs))

    def float_same(self, op: Operation) -> None:
        """Negation and absolute value."""
        x = self.freg(op.operands[0])
        cls = SAME_OPERAND[op.name][float_class(op.results[0].type)]
        self.floats[op.results[0]] = self.emitter.float_op(cls, x, x)

    def float_min_max(self, op: Operation) -> None:
        """maximumf and minimumf: as maxnumf and minnumf, but a NaN wins."""
        e = self.emitter
        kind = float_class(op.results[0].type)
        if kind == "vector":
            raise UnsupportedOperation(f"no packed instruction for {op.name}: use maxnumf, minnumf")
        x, y = self.freg(op.operands[0]), self.freg(op.operands[1])
        number = {"arith.maximumf": "arith.maxnumf", "arith.minimumf": "arith.minnumf"}[op.name]
        ordered = e.int2(
            riscv.AndOp, self.float_compare("eq", kind, x, x), self.float_compare("eq", kind, y, y)
        )
        best = e.emit(riscv.FMvXWOp, (e.float_op(BINARY[number][kind], x, y),), INT)
        nan = e.li(0x7FC00000 if kind == "f32" else 0xFFFF7FC0)
        self.floats[op.results[0]] = e.emit(
            riscv.FMvWXOp, (self.select_int(ordered, best, nan),), FLOAT
        )

    def float_compare(self, relation: str, kind: str, x: SSAValue, y: SSAValue) -> SSAValue:
        """x relation y as 0 or 1."""
        attributes = NO_FASTMATH if kind == "f32" else None
        return self.emitter.emit(COMPARE[relation][kind], (x, y), INT, attributes)

    def compare_float(self, op: arith.CmpfOp) -> None:
        """An ordered or unordered comparison as 0 or 1."""
        e = self.emitter
        kind = float_class(op.lhs.type)
        if kind == "vector":
            raise UnsupportedOperation("no instructions for a comparison by element: use min/max")
        x, y = self.freg(op.lhs), self.freg(op.rhs)
        predicate = FLOAT_PREDICATES[op.predicate.value.data]

        def ordered() -> SSAValue:
            return e.int2(
                riscv.AndOp,
                self.float_compare("eq", kind, x, x),
                self.float_compare("eq", kind, y, y),
            )

        def differ() -> SSAValue:
            return e.int2(
                riscv.OrOp,
                self.float_compare("lt", kind, x, y),
                self.float_compare("lt", kind, y, x),
            )

        make: dict[str, Callable[[], SSAValue]] = {
            "false": lambda: e.zero,
            "oeq": lambda: self.float_compare("eq", kind, x, y),
            "ogt": lambda: self.float_compare("lt", kind, y, x),
            "oge": lambda: self.float_compare("le", kind, y, x),
            "olt": lambda: self.float_compare("lt", kind, x, y),
            "ole": lambda: self.float_compare("le", kind, x, y),
            "one": differ,
            "ord": ordered,
        }
        inverse = {"ueq": "one", "ugt": "ole", "uge": "olt", "ult": "oge", "ule": "ogt"}
        inverse |= {"une": "oeq", "uno": "ord", "true": "false"}
        if predicate in make:
            register = make[predicate]()
        else:
            register = e.imm(riscv.XoriOp, make[inverse[predicate]](), 1)
        self.set_int(op.result, register)

    def fma(self, op: Operation) -> None:
        """math.fma and vector.fma."""
        e = self.emitter
        a, b, c = (self.freg(operand) for operand in op.operands)
        match float_class(op.results[0].type):
            case "f32":
                value = self.fma_f32(op.operands[0], op.operands[1], op.operands[2])
            case "bf16":
                value = e.float_op(xpulp.FMAddAhOp, a, b, c)
            case _:
                for x, y in ((op.operands[0], op.operands[1]), (op.operands[1], op.operands[0])):
                    scalar = y.owner
                    if isinstance(scalar, Operation) and is_broadcast(scalar):
                        value = e.float_op(
                            xpulp.VFMacRAhOp, c, self.freg(x), self.freg(scalar.operands[0])
                        )
                        break
                else:
                    value = e.float_op(xpulp.VFMacAhOp, c, a, b)
        self.floats[op.results[0]] = value

    def fma_f32(self, a: SSAValue, b: SSAValue, c: SSAValue) -> SSAValue:
        """The instruction for a * b + c in f32 that has widening and signs built in."""
        e = self.emitter
        x, y = self.expandable(a), self.expandable(b)
        if x is not None and y is not None:
            return e.float_op(xpulp.FMacExSAhOp, self.floats[c], self.floats[x], self.floats[y])
        classes = {
            (False, False): riscv.FMAddSOp,
            (False, True): riscv.FMSubSOp,
            (True, False): riscv.FNMSubSOp,
            (True, True): riscv.FNMAddSOp,
        }
        factor, other, addend = (negated(value) for value in (a, b, c))
        flipped = (factor is not None) != (other is not None)
        registers = [
            self.floats[value if inner is None else inner]
            for value, inner in ((a, factor), (b, other), (c, addend))
        ]
        return e.float_op(classes[flipped, addend is not None], *registers)

    def expandable(self, value: SSAValue) -> SSAValue | None:
        """The BF16 scalar behind an F32 value, if all users of it can widen it themselves."""
        owner = value.owner
        if not isinstance(owner, arith.ExtFOp) or float_class(owner.input.type) != "bf16":
            return None
        if isinstance(owner.input.owner, Operation) and owner.input.owner.name == "vector.extract":
            return None
        for use in value.uses:
            user = use.operation
            factors = user.name == "math.fma" and user.operands[2] is not value
            square = factors and user.operands[0] is value and user.operands[1] is value
            if not (square or user.name == "arith.addf"):
                return None
        return owner.input

    def sqrt(self, op: Operation) -> None:
        """Square root of f32 or bf16."""
        classes = {"f32": riscv.FSqrtSOp, "bf16": xpulp.FSqrtAhOp, "vector": xpulp.VFSqrtAhOp}
        self.floats[op.results[0]] = self.emitter.float_op(
            classes[float_class(op.results[0].type)], self.freg(op.operands[0])
        )

    # endregion
    # region Conversions

    def conversion(self, op: Operation) -> None:
        """Between integer and float types and widths."""
        e = self.emitter
        source, result = op.operands[0], op.results[0]
        match op.name:
            case "arith.trunci" if width_of(result.type) == 1:
                self.set_int(result, e.imm(riscv.AndiOp, self.reg(source), 1))
            case "arith.index_cast" | "arith.index_castui" | "arith.trunci":
                self.linear[result] = self.lin(source)
            case "arith.extsi":
                self.set_int(result, self.extend(source, True))
                self.extended[result] = "s"
            case "arith.extui":
                self.set_int(result, self.extend(source, False))
                self.extended[result] = "u"
            case "arith.extf":
                self.floats[result] = self.to_f32(source)
            case "arith.truncf":
                self.floats[result] = e.float_op(xpulp.FCvtBf16SOp, self.freg(source))
            case "arith.sitofp" | "arith.uitofp":
                signed = op.name == "arith.sitofp"
                classes = {
                    ("f32", True): riscv.FCvtSWOp,
                    ("f32", False): riscv.FCvtSWuOp,
                    ("bf16", True): xpulp.FCvtAhWOp,
                    ("bf16", False): xpulp.FCvtAhWuOp,
                }
                cls = classes[float_class(result.type), signed]
                self.floats[result] = e.emit(cls, (self.extend(source, signed),), FLOAT)
            case "arith.fptosi" | "arith.fptoui":
                value = self.freg(source)
                if float_class(source.type) == "bf16":
                    value = e.float_op(xpulp.FCvtSBf16Op, value)
                cls = riscv.FCvtWSOp if op.name == "arith.fptosi" else riscv.FCvtWuSOp
                self.set_int(result, e.emit(cls, (value,), INT))
            case _:
                self.bitcast(source, result)

    def to_f32(self, source: SSAValue) -> SSAValue:
        """A BF16 scalar as F32; an element of a vector is shifted into place."""
        e = self.emitter
        owner = source.owner
        if isinstance(owner, Operation) and owner.name == "vector.extract":
            word = self.word(owner.operands[0])
            if extract_position(owner):
                bits = e.int2(riscv.AndOp, word, e.li(-0x10000))
            else:
                bits = e.shift(rv32.SlliOp, word, 16)
            return e.emit(riscv.FMvWXOp, (bits,), FLOAT)
        return e.float_op(xpulp.FCvtSBf16Op, self.freg(source))

    def bitcast(self, source: SSAValue, result: SSAValue) -> None:
        """Reinterpretation of bits."""
        e = self.emitter
        if is_float(source.type) == is_float(result.type):
            if is_float(source.type):
                self.floats[result] = self.freg(source)
            else:
                self.linear[result] = self.lin(source)
        elif is_float(source.type):
            self.set_int(result, self.word(source))
        else:
            half = isinstance(result.type, BFloat16Type)
            cls = xpulp.FMvHXOp if half else riscv.FMvWXOp
            self.floats[result] = e.emit(cls, (self.reg(source),), FLOAT)

    # endregion
    # region Vectors

    def broadcast(self, op: Operation) -> None:
        """Both elements the same."""
        self.pack(op.results[0], op.operands[0], op.operands[0])

    def extract(self, op: Operation) -> None:
        """One element of a vector as a scalar."""
        if all(use.operation.name == "arith.extf" for use in op.results[0].uses):
            return
        e = self.emitter
        word = self.word(op.operands[0])
        if extract_position(op):
            word = e.shift(rv32.SrliOp, word, 16)
        self.floats[op.results[0]] = e.emit(xpulp.FMvHXOp, (word,), FLOAT)

    def from_elements(self, op: Operation) -> None:
        """Two scalars packed."""
        self.pack(op.results[0], *op.operands)

    def insert(self, op: Any) -> None:
        """A vector with one element replaced; the other one may be a broadcast scalar."""
        source, target = op.operands
        position = extract_position(op)
        owner = target.owner
        if isinstance(owner, Operation) and is_broadcast(owner):
            elements = [owner.operands[0], owner.operands[0]]
            elements[position] = source
            self.pack(op.results[0], *elements)
            return
        e = self.emitter
        element, rest = self.word(source), self.word(target)
        if position:
            value = e.int2(xpulp.PackOp, element, rest)
        else:
            value = e.int2(xpulp.PackOp, e.shift(rv32.SrliOp, rest, 16), element)
        self.words[op.results[0]] = value

    def pack(self, result: SSAValue, low: SSAValue, high: SSAValue) -> None:
        """Two scalars as a vector; a rounding of both from F32 is part of the packing."""
        e = self.emitter
        wide = [rounded_from(element) for element in (low, high)]
        if wide[0] is not None and wide[1] is not None:
            self.floats[result] = e.float_op(
                xpulp.VFCpkaAhSOp, self.freg(wide[0]), self.freg(wide[1])
            )
        else:
            packed = e.int2(xpulp.PackOp, self.word(high), self.word(low))
            self.floats[result] = e.emit(riscv.FMvWXOp, (packed,), FLOAT)

    def shuffle(self, op: Any) -> None:
        """Two of the four elements of two vectors, through integer registers."""
        e = self.emitter
        words = [self.word(operand) for operand in op.operands]
        lanes = tuple(op.mask.get_values())
        if len(lanes) != 2 or any(lane not in range(4) for lane in lanes):
            raise UnsupportedOperation("vector.shuffle takes two vectors of two and gives one")
        low, high = lanes
        if low & 1 and high & 1:
            value = e.int2(xpulp.PackHighOp, words[high >> 1], words[low >> 1])
        else:
            parts = [
                e.shift(rv32.SrliOp, words[lane >> 1], 16) if lane & 1 else words[lane >> 1]
                for lane in (high, low)
            ]
            value = e.int2(xpulp.PackOp, *parts)
        self.words[op.results[0]] = value

    # endregion


def is_broadcast(op: Operation) -> bool:
    """Whether both elements of the op's vector are one BF16 scalar."""
    return op.name in ("vector.broadcast", "vector.splat") and isinstance(
        op.operands[0].type, BFloat16Type
    )


def rounded_from(value: SSAValue) -> SSAValue | None:
    """The F32 value that a BF16 value is the rounding of."""
    owner = value.owner
    if isinstance(owner, Operation) and owner.name == "arith.truncf":
        return owner.operands[0]
    return None


def negated(value: SSAValue) -> SSAValue | None:
    """What an F32 value is the negative of, where that can be seen."""
    owner = value.owner
    return owner.operands[0] if isinstance(owner, arith.NegfOp) else None


def extract_position(op: Any) -> int:
    """Which element a vector.extract or vector.insert is about."""
    positions = tuple(op.static_position.get_values())
    if op.dynamic_position or len(positions) != 1 or positions[0] not in (0, 1):
        raise UnsupportedOperation(f"{op.name} takes element [0] or [1], a constant position")
    return positions[0]


def fold_integer(name: str, a: int, b: int) -> int | None:
    """The value of an operation on constants; None where it is not folded."""
    unsigned_a, unsigned_b = a & 0xFFFFFFFF, b & 0xFFFFFFFF
    match name:
        case "arith.andi":
            return a & b
        case "arith.ori":
            return a | b
        case "arith.xori":
            return a ^ b
        case "arith.shrui" if 0 <= b < 32:
            return unsigned_a >> b
        case "arith.shrsi" if 0 <= b < 32:
            return a >> b
        case "arith.divui" if b:
            return unsigned_a // unsigned_b
        case "arith.remui" if b:
            return unsigned_a % unsigned_b
        case "arith.divsi" if b:
            return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        case "arith.remsi" if b:
            return abs(a) % abs(b) * (-1 if a < 0 else 1)
        case "arith.maxsi":
            return max(a, b)
        case "arith.minsi":
            return min(a, b)
        case "arith.ceildivsi" if b:
            return -(-a // b)
        case "arith.floordivsi" if b:
            return a // b
        case _:
            return None


INT_BINARY: dict[str, type[Operation]] = {
    "arith.muli": riscv.MulOp,
    "arith.divsi": riscv.DivOp,
    "arith.divui": riscv.DivuOp,
    "arith.remsi": riscv.RemOp,
    "arith.remui": riscv.RemuOp,
    "arith.andi": riscv.AndOp,
    "arith.ori": riscv.OrOp,
    "arith.xori": riscv.XorOp,
    "arith.shli": riscv.SllOp,
    "arith.shrui": riscv.SrlOp,
    "arith.shrsi": riscv.SraOp,
    "arith.maxsi": xpulp.MaxOp,
    "arith.minsi": xpulp.MinOp,
    "arith.maxui": xpulp.MaxuOp,
    "arith.minui": xpulp.MinuOp,
}

INT_PREDICATES = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")
FLOAT_PREDICATES = (
    "false",
    "oeq",
    "ogt",
    "oge",
    "olt",
    "ole",
    "one",
    "ord",
    "ueq",
    "ugt",
    "uge",
    "ult",
    "ule",
    "une",
    "uno",
    "true",
)
