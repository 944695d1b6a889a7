"""Instruction selection for F32, BF16 and packed BF16 arithmetic, and for conversions."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects import arith, rv32
from xdsl.dialects.builtin import BFloat16Type
from xdsl.dialects.riscv import ops as riscv
from xdsl.dialects.riscv.attrs import FastMathFlagsAttr
from xdsl.ir import Attribute, Operation, SSAValue

from softex_mlir.compiler.backend.emitter import FLOAT, INT
from softex_mlir.compiler.backend.operands import (
    UnsupportedOperation,
    extract_position,
    float_class,
    is_broadcast,
    is_float,
    width_of,
)
from softex_mlir.compiler.backend.select_integers import IntegerSelector
from softex_mlir.compiler.predicates import OPPOSITES
from softex_mlir.dialects import xpulp_bf16 as bf16

NO_FASTMATH: dict[str, Attribute] = {"fastmath": FastMathFlagsAttr("none")}

BINARY: dict[str, dict[str, type[Operation]]] = {
    "arith.addf": {
        "f32": riscv.FAddSOp,
        "bf16": bf16.FAddAhOp,
        "vector": bf16.VFAddAhOp,
    },
    "arith.subf": {
        "f32": riscv.FSubSOp,
        "bf16": bf16.FSubAhOp,
        "vector": bf16.VFSubAhOp,
    },
    "arith.mulf": {
        "f32": riscv.FMulSOp,
        "bf16": bf16.FMulAhOp,
        "vector": bf16.VFMulAhOp,
    },
    "arith.divf": {"f32": riscv.FDivSOp, "bf16": bf16.FDivAhOp, "vector": bf16.VFDivAhOp},
    "arith.maxnumf": {
        "f32": riscv.FMaxSOp,
        "bf16": bf16.FMaxAhOp,
        "vector": bf16.VFMaxAhOp,
    },
    "arith.minnumf": {
        "f32": riscv.FMinSOp,
        "bf16": bf16.FMinAhOp,
        "vector": bf16.VFMinAhOp,
    },
    "math.copysign": {
        "f32": riscv.FSgnJSOp,
        "bf16": bf16.FSgnjAhOp,
        "vector": bf16.VFSgnjAhOp,
    },
}
"""Operations that are one instruction of two operands."""

SAME_OPERAND: dict[str, dict[str, type[Operation]]] = {
    "arith.negf": {
        "f32": riscv.FSgnJNSOp,
        "bf16": bf16.FSgnjnAhOp,
        "vector": bf16.VFSgnjnAhOp,
    },
    "math.absf": {
        "f32": riscv.FSgnJXSOp,
        "bf16": bf16.FSgnjxAhOp,
        "vector": bf16.VFSgnjxAhOp,
    },
}
"""Unary operations that are one instruction with its operand given twice."""

COMPARE: dict[str, dict[str, type[Operation]]] = {
    "eq": {"f32": riscv.FeqSOp, "bf16": bf16.FEqAhOp},
    "lt": {"f32": riscv.FltSOp, "bf16": bf16.FLtAhOp},
    "le": {"f32": riscv.FleSOp, "bf16": bf16.FLeAhOp},
}

REPLICATED: dict[type[Operation], type[Operation]] = {
    bf16.VFAddAhOp: bf16.VFAddRAhOp,
    bf16.VFSubAhOp: bf16.VFSubRAhOp,
    bf16.VFMulAhOp: bf16.VFMulRAhOp,
    bf16.VFDivAhOp: bf16.VFDivRAhOp,
    bf16.VFMaxAhOp: bf16.VFMaxRAhOp,
    bf16.VFMinAhOp: bf16.VFMinRAhOp,
    bf16.VFSgnjAhOp: bf16.VFSgnjRAhOp,
}
"""Packed instructions that take the low half of rs2 for both elements."""


def negated(value: SSAValue) -> SSAValue | None:
    """What an F32 value is the negative of, where that can be seen."""
    owner = value.owner
    return owner.operands[0] if isinstance(owner, arith.NegfOp) else None


class FloatSelector(IntegerSelector):
    """One operation is one instruction with one rounding."""

    def float_binary(self, op: Operation) -> None:
        """One instruction of two operands; broadcasts use the replicating form."""
        kind = float_class(op.results[0].type)
        cls = BINARY[op.name][kind]
        lhs, rhs = op.operands
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
        predicate = arith.CMPF_COMPARISON_OPERATIONS[op.predicate.value.data]

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
        if predicate in make:
            register = make[predicate]()
        else:
            register = e.imm(riscv.XoriOp, make[OPPOSITES[predicate]](), 1)
        self.set_int(op.result, register)

    def fma(self, op: Operation) -> None:
        """math.fma and vector.fma."""
        e = self.emitter
        a, b, c = (self.freg(operand) for operand in op.operands)
        match float_class(op.results[0].type):
            case "f32":
                value = self.fma_f32(op.operands[0], op.operands[1], op.operands[2])
            case "bf16":
                value = e.float_op(bf16.FMAddAhOp, a, b, c)
            case _:
                for x, y in ((op.operands[0], op.operands[1]), (op.operands[1], op.operands[0])):
                    scalar = y.owner
                    if isinstance(scalar, Operation) and is_broadcast(scalar):
                        value = e.float_op(
                            bf16.VFMacRAhOp, c, self.freg(x), self.freg(scalar.operands[0])
                        )
                        break
                else:
                    value = e.float_op(bf16.VFMacAhOp, c, a, b)
        self.floats[op.results[0]] = value

    def fma_f32(self, a: SSAValue, b: SSAValue, c: SSAValue) -> SSAValue:
        """The instruction for a * b + c in f32 that has signs built in."""
        classes = {
            (False, False): riscv.FMAddSOp,
            (False, True): riscv.FMSubSOp,
            (True, False): riscv.FNMSubSOp,
            (True, True): riscv.FNMAddSOp,
        }
        factor, other, addend = (negated(value) for value in (a, b, c))
        flipped = (factor is not None) != (other is not None)
        registers = [
            self.freg(value if inner is None else inner)
            for value, inner in ((a, factor), (b, other), (c, addend))
        ]
        return self.emitter.float_op(classes[flipped, addend is not None], *registers)

    def sqrt(self, op: Operation) -> None:
        """Square root of f32 or bf16."""
        classes = {"f32": riscv.FSqrtSOp, "bf16": bf16.FSqrtAhOp, "vector": bf16.VFSqrtAhOp}
        self.floats[op.results[0]] = self.emitter.float_op(
            classes[float_class(op.results[0].type)], self.freg(op.operands[0])
        )

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
                self.floats[result] = e.float_op(bf16.FCvtBf16SOp, self.freg(source))
            case "arith.sitofp" | "arith.uitofp":
                signed = op.name == "arith.sitofp"
                classes = {
                    ("f32", True): riscv.FCvtSWOp,
                    ("f32", False): riscv.FCvtSWuOp,
                    ("bf16", True): bf16.FCvtAhWOp,
                    ("bf16", False): bf16.FCvtAhWuOp,
                }
                cls = classes[float_class(result.type), signed]
                self.floats[result] = e.emit(cls, (self.extend(source, signed),), FLOAT)
            case "arith.fptosi" | "arith.fptoui":
                value = self.freg(source)
                if float_class(source.type) == "bf16":
                    value = e.float_op(bf16.FCvtSBf16Op, value)
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
        return e.float_op(bf16.FCvtSBf16Op, self.freg(source))

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
            cls = bf16.FMvHXOp if half else riscv.FMvWXOp
            self.floats[result] = e.emit(cls, (self.reg(source),), FLOAT)

    # endregion
