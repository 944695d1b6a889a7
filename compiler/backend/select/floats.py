"""Instruction selection for F32, BF16 and packed BF16 arithmetic, and for conversions."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects import arith, math, vector
from xdsl.dialects.riscv import ops as riscv
from xdsl.dialects.riscv.attrs import FastMathFlagsAttr
from xdsl.ir import Attribute, Operation, SSAValue

from softex_mlir.compiler.backend.emitter import FLOAT, INT
from softex_mlir.compiler.backend.operands import (
    UnsupportedOperation,
    float_class,
    is_broadcast,
)
from softex_mlir.compiler.backend.select.integers import select_int
from softex_mlir.compiler.backend.selection import Selection, lowers
from softex_mlir.compiler.predicates import OPPOSITES
from softex_mlir.dialects import xpulp_bf16 as bf16

NO_FASTMATH: dict[str, Attribute] = {"fastmath": FastMathFlagsAttr("none")}

BINARY: dict[type[Operation], dict[str, type[Operation]]] = {
    arith.AddfOp: {
        "f32": riscv.FAddSOp,
        "bf16": bf16.FAddAhOp,
        "vector": bf16.VFAddAhOp,
    },
    arith.SubfOp: {
        "f32": riscv.FSubSOp,
        "bf16": bf16.FSubAhOp,
        "vector": bf16.VFSubAhOp,
    },
    arith.MulfOp: {
        "f32": riscv.FMulSOp,
        "bf16": bf16.FMulAhOp,
        "vector": bf16.VFMulAhOp,
    },
    arith.DivfOp: {"f32": riscv.FDivSOp, "bf16": bf16.FDivAhOp, "vector": bf16.VFDivAhOp},
    arith.MaxnumfOp: {
        "f32": riscv.FMaxSOp,
        "bf16": bf16.FMaxAhOp,
        "vector": bf16.VFMaxAhOp,
    },
    arith.MinnumfOp: {
        "f32": riscv.FMinSOp,
        "bf16": bf16.FMinAhOp,
        "vector": bf16.VFMinAhOp,
    },
    math.CopySignOp: {
        "f32": riscv.FSgnJSOp,
        "bf16": bf16.FSgnjAhOp,
        "vector": bf16.VFSgnjAhOp,
    },
}
"""Operations that are one instruction of two operands."""

SAME_OPERAND: dict[type[Operation], dict[str, type[Operation]]] = {
    arith.NegfOp: {
        "f32": riscv.FSgnJNSOp,
        "bf16": bf16.FSgnjnAhOp,
        "vector": bf16.VFSgnjnAhOp,
    },
    math.AbsFOp: {
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


@lowers(*BINARY)
def float_binary(op: Operation, s: Selection) -> None:
    """One instruction of two operands; broadcasts use the replicating form."""
    kind = float_class(op.results[0].type)
    cls = BINARY[type(op)][kind]
    lhs, rhs = op.operands
    if kind == "vector" and (replicated := REPLICATED.get(cls)) is not None:
        commutes = isinstance(op, arith.AddfOp | arith.MulfOp | arith.MaxnumfOp | arith.MinnumfOp)
        for x, y, allowed in ((lhs, rhs, True), (rhs, lhs, commutes)):
            scalar = y.owner
            if allowed and isinstance(scalar, Operation) and is_broadcast(scalar):
                s.values.floats[op.results[0]] = s.emitter.float_op(
                    replicated, s.values.freg(x), s.values.freg(scalar.operands[0])
                )
                return
    s.values.floats[op.results[0]] = s.emitter.float_op(cls, s.values.freg(lhs), s.values.freg(rhs))


@lowers(*SAME_OPERAND)
def float_same(op: Operation, s: Selection) -> None:
    """Negation and absolute value."""
    x = s.values.freg(op.operands[0])
    cls = SAME_OPERAND[type(op)][float_class(op.results[0].type)]
    s.values.floats[op.results[0]] = s.emitter.float_op(cls, x, x)


@lowers(arith.MaximumfOp, arith.MinimumfOp)
def float_min_max(op: Operation, s: Selection) -> None:
    """maximumf and minimumf: as maxnumf and minnumf, but a NaN wins."""
    e = s.emitter
    kind = float_class(op.results[0].type)
    if kind == "vector":
        raise UnsupportedOperation(f"no packed instruction for {op.name}: use maxnumf, minnumf")
    x, y = s.values.freg(op.operands[0]), s.values.freg(op.operands[1])
    number = arith.MaxnumfOp if isinstance(op, arith.MaximumfOp) else arith.MinnumfOp
    ordered = e.int2(
        riscv.AndOp, float_compare(s, "eq", kind, x, x), float_compare(s, "eq", kind, y, y)
    )
    best = e.emit(riscv.FMvXWOp, (e.float_op(BINARY[number][kind], x, y),), INT)
    nan = e.li(0x7FC00000 if kind == "f32" else 0xFFFF7FC0)
    s.values.floats[op.results[0]] = e.emit(
        riscv.FMvWXOp, (select_int(s, ordered, best, nan),), FLOAT
    )


def float_compare(s: Selection, relation: str, kind: str, x: SSAValue, y: SSAValue) -> SSAValue:
    """x relation y as 0 or 1."""
    attributes = NO_FASTMATH if kind == "f32" else None
    return s.emitter.emit(COMPARE[relation][kind], (x, y), INT, attributes)


@lowers(arith.CmpfOp)
def compare_float(op: arith.CmpfOp, s: Selection) -> None:
    """An ordered or unordered comparison as 0 or 1."""
    e = s.emitter
    kind = float_class(op.lhs.type)
    if kind == "vector":
        raise UnsupportedOperation("no instructions for a comparison by element: use min/max")
    x, y = s.values.freg(op.lhs), s.values.freg(op.rhs)
    predicate = arith.CMPF_COMPARISON_OPERATIONS[op.predicate.value.data]

    def ordered() -> SSAValue:
        return e.int2(
            riscv.AndOp,
            float_compare(s, "eq", kind, x, x),
            float_compare(s, "eq", kind, y, y),
        )

    def differ() -> SSAValue:
        return e.int2(
            riscv.OrOp,
            float_compare(s, "lt", kind, x, y),
            float_compare(s, "lt", kind, y, x),
        )

    make: dict[str, Callable[[], SSAValue]] = {
        "false": lambda: e.zero,
        "oeq": lambda: float_compare(s, "eq", kind, x, y),
        "ogt": lambda: float_compare(s, "lt", kind, y, x),
        "oge": lambda: float_compare(s, "le", kind, y, x),
        "olt": lambda: float_compare(s, "lt", kind, x, y),
        "ole": lambda: float_compare(s, "le", kind, x, y),
        "one": differ,
        "ord": ordered,
    }
    if predicate in make:
        register = make[predicate]()
    else:
        register = e.imm(riscv.XoriOp, make[OPPOSITES[predicate]](), 1)
    s.values.set_int(op.result, register)


@lowers(math.FmaOp, vector.FMAOp)
def fma(op: Operation, s: Selection) -> None:
    """math.fma and vector.fma."""
    e = s.emitter
    a, b, c = (s.values.freg(operand) for operand in op.operands)
    match float_class(op.results[0].type):
        case "f32":
            value = fma_f32(s, op.operands[0], op.operands[1], op.operands[2])
        case "bf16":
            value = e.float_op(bf16.FMAddAhOp, a, b, c)
        case _:
            for x, y in ((op.operands[0], op.operands[1]), (op.operands[1], op.operands[0])):
                scalar = y.owner
                if isinstance(scalar, Operation) and is_broadcast(scalar):
                    value = e.float_op(
                        bf16.VFMacRAhOp, c, s.values.freg(x), s.values.freg(scalar.operands[0])
                    )
                    break
            else:
                value = e.float_op(bf16.VFMacAhOp, c, a, b)
    s.values.floats[op.results[0]] = value


def fma_f32(s: Selection, a: SSAValue, b: SSAValue, c: SSAValue) -> SSAValue:
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
        s.values.freg(value if inner is None else inner)
        for value, inner in ((a, factor), (b, other), (c, addend))
    ]
    return s.emitter.float_op(classes[flipped, addend is not None], *registers)


@lowers(math.SqrtOp)
def sqrt(op: Operation, s: Selection) -> None:
    """Square root of f32 or bf16."""
    classes = {"f32": riscv.FSqrtSOp, "bf16": bf16.FSqrtAhOp, "vector": bf16.VFSqrtAhOp}
    s.values.floats[op.results[0]] = s.emitter.float_op(
        classes[float_class(op.results[0].type)], s.values.freg(op.operands[0])
    )
