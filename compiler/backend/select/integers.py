"""Instruction selection for integer and index arithmetic."""

from __future__ import annotations

from xdsl.dialects import arith, rv32
from xdsl.dialects.builtin import VectorType
from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Operation, SSAValue

from softex_mlir.arithmetic import signed32
from softex_mlir.compiler.backend.emitter import FLOAT, INT, Linear, fits_imm12
from softex_mlir.compiler.backend.operands import (
    UnsupportedOperation,
    is_float,
    width_of,
)
from softex_mlir.compiler.backend.selection import Selection, lowers
from softex_mlir.dialects import xpulp

INT_BINARY: dict[type[Operation], type[Operation]] = {
    arith.MuliOp: riscv.MulOp,
    arith.DivSIOp: riscv.DivOp,
    arith.DivUIOp: riscv.DivuOp,
    arith.RemSIOp: riscv.RemOp,
    arith.RemUIOp: riscv.RemuOp,
    arith.AndIOp: riscv.AndOp,
    arith.OrIOp: riscv.OrOp,
    arith.XOrIOp: riscv.XorOp,
    arith.ShLIOp: riscv.SllOp,
    arith.ShRUIOp: riscv.SrlOp,
    arith.ShRSIOp: riscv.SraOp,
    arith.MaxSIOp: xpulp.MaxOp,
    arith.MinSIOp: xpulp.MinOp,
    arith.MaxUIOp: xpulp.MaxuOp,
    arith.MinUIOp: xpulp.MinuOp,
}
SIGNED = arith.DivSIOp | arith.RemSIOp | arith.ShRSIOp | arith.MaxSIOp | arith.MinSIOp
UNSIGNED = (
    arith.DivUIOp
    | arith.RemUIOp
    | arith.ShRUIOp
    | arith.MaxUIOp
    | arith.MinUIOp
    | arith.FloorDivSIOp
    | arith.CeilDivSIOp
)


def fold_integer(op: Operation, a: int, b: int) -> int | None:
    """The value of an operation on constants; None where it is not folded."""
    unsigned_a, unsigned_b = a & 0xFFFFFFFF, b & 0xFFFFFFFF
    match op:
        case arith.AndIOp():
            return a & b
        case arith.OrIOp():
            return a | b
        case arith.XOrIOp():
            return a ^ b
        case arith.ShRUIOp() if 0 <= b < 32:
            return unsigned_a >> b
        case arith.ShRSIOp() if 0 <= b < 32:
            return a >> b
        case arith.DivUIOp() if b:
            return unsigned_a // unsigned_b
        case arith.RemUIOp() if b:
            return unsigned_a % unsigned_b
        case arith.DivSIOp() if b:
            return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        case arith.RemSIOp() if b:
            return abs(a) % abs(b) * (-1 if a < 0 else 1)
        case arith.MaxSIOp():
            return max(a, b)
        case arith.MinSIOp():
            return min(a, b)
        case arith.CeilDivSIOp() if b:
            return -(-a // b)
        case arith.FloorDivSIOp() if b:
            return a // b
        case _:
            return None


@lowers(arith.AddiOp)
def add(op: arith.AddiOp, s: Selection) -> None:
    """A sum, which is linear."""
    a, b = op.operands
    s.values.linear[op.results[0]] = s.values.lin(a).plus(s.values.lin(b))


@lowers(arith.SubiOp)
def subtract(op: arith.SubiOp, s: Selection) -> None:
    """A difference, which is linear."""
    a, b = op.operands
    s.values.linear[op.results[0]] = s.values.lin(a).plus(s.values.lin(b), -1)


@lowers(arith.CeilDivSIOp, arith.FloorDivSIOp, *INT_BINARY)
def int_binary(op: Operation, s: Selection) -> None:
    """Integer arithmetic, linear where it can be."""
    lhs, rhs, result = op.operands[0], op.operands[1], op.results[0]
    a, b = s.values.lin(lhs), s.values.lin(rhs)
    e = s.emitter
    width = width_of(result.type)
    match op:
        case arith.MuliOp() if a.is_constant or b.is_constant:
            s.values.linear[result] = a.times(b.constant) if b.is_constant else b.times(a.constant)
            return
        case arith.ShLIOp() if b.is_constant and 0 <= b.constant < 32:
            s.values.linear[result] = a.times(1 << b.constant)
            return
        case _:
            pass
    if a.is_constant and b.is_constant and width == 32:
        folded = fold_integer(op, a.constant, b.constant)
        if folded is not None:
            s.values.linear[result] = Linear(signed32(folded))
            return
    if b.is_constant and width == 32 and int_by_constant(s, op, b.constant):
        return
    if width < 32 and isinstance(op, SIGNED | UNSIGNED):
        signed = isinstance(op, SIGNED)
        x, y = s.values.extend(lhs, signed), s.values.extend(rhs, signed)
    else:
        x, y = s.values.reg(lhs), s.values.reg(rhs)
    cls = INT_BINARY.get(type(op))
    if cls is None:
        raise UnsupportedOperation(f"no instructions for {op.name} on {lhs.type}")
    s.values.set_int(result, e.int2(cls, x, y))


def int_by_constant(s: Selection, op: Operation, constant: int) -> bool:
    """Immediate forms and powers of two; False where there is none."""
    e = s.emitter
    lhs, result = op.operands[0], op.results[0]
    power = constant.bit_length() - 1 if constant > 0 and constant & constant - 1 == 0 else None
    register: SSAValue | None = None
    match op:
        case arith.AndIOp() if fits_imm12(constant):
            register = e.imm(riscv.AndiOp, s.values.reg(lhs), constant)
        case arith.OrIOp() if fits_imm12(constant):
            register = e.imm(riscv.OriOp, s.values.reg(lhs), constant)
        case arith.XOrIOp() if fits_imm12(constant):
            register = e.imm(riscv.XoriOp, s.values.reg(lhs), constant)
        case arith.ShRUIOp() if 0 <= constant < 32:
            register = e.shift(rv32.SrliOp, s.values.reg(lhs), constant)
        case arith.ShRSIOp() if 0 <= constant < 32:
            register = e.shift(rv32.SraiOp, s.values.reg(lhs), constant)
        case arith.DivUIOp() if power is not None:
            register = e.shift(rv32.SrliOp, s.values.reg(lhs), power)
        case arith.RemUIOp() if power is not None and power <= 11:
            register = e.imm(riscv.AndiOp, s.values.reg(lhs), constant - 1)
        case arith.FloorDivSIOp() if power is not None:
            register = e.shift(rv32.SraiOp, s.values.reg(lhs), power)
        case arith.RemSIOp() | arith.DivSIOp() if constant == 1:
            s.values.linear[result] = (
                Linear() if isinstance(op, arith.RemSIOp) else s.values.lin(lhs)
            )
            return True
        case arith.DivSIOp() | arith.RemSIOp() if power is not None:
            # Towards zero: a negative dividend is first raised by the divisor minus 1.
            x = s.values.reg(lhs)
            sign = e.shift(rv32.SraiOp, x, 31)
            bias = e.shift(rv32.SrliOp, sign, 32 - power)
            sum_ = e.int2(riscv.AddOp, x, bias)
            if isinstance(op, arith.DivSIOp):
                register = e.shift(rv32.SraiOp, sum_, power)
            else:
                low = e.int2(riscv.AndOp, sum_, e.li(constant - 1))
                register = e.int2(riscv.SubOp, low, bias)
        case _:
            return False
    s.values.set_int(result, register)
    return True


def only_branches(op: arith.CmpiOp) -> bool:
    """Whether a comparison is needed by branches only."""
    return all(use.operation.name in ("scf.if", "scf.condition") for use in op.result.uses)


@lowers(arith.CmpiOp)
def compare(op: arith.CmpiOp, s: Selection) -> None:
    """Comparisons for branches become part of the branch."""
    lhs, rhs = s.values.lin(op.lhs), s.values.lin(op.rhs)
    if lhs.is_constant and rhs.is_constant and width_of(op.lhs.type) == 32:
        s.values.linear[op.result] = Linear(compare_constants(op, lhs.constant, rhs.constant))
    elif only_branches(op):
        s.values.conditions[op.result] = op
    else:
        compare_int(op, s)


def compare_constants(op: arith.CmpiOp, a: int, b: int) -> int:
    """1 where the comparison of two constants holds."""
    predicate = arith.CMPI_COMPARISON_OPERATIONS[op.predicate.value.data]
    if predicate[0] == "u":
        a, b = a & 0xFFFFFFFF, b & 0xFFFFFFFF
    results = {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}
    return int(results[predicate.removeprefix("s").removeprefix("u")])


def compare_int(op: arith.CmpiOp, s: Selection) -> None:
    """A comparison as 0 or 1."""
    e = s.emitter
    predicate = arith.CMPI_COMPARISON_OPERATIONS[op.predicate.value.data]
    width = width_of(op.lhs.type)
    if width < 32:
        signed = predicate[0] == "s" or predicate in ("eq", "ne")
        x, y = s.values.extend(op.lhs, signed), s.values.extend(op.rhs, signed)
    else:
        x, y = s.values.reg(op.lhs), s.values.reg(op.rhs)
    constant = s.values.constant_of(op.rhs)
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
    s.values.set_int(op.result, register)


def select_int(s: Selection, condition: SSAValue, x: SSAValue, y: SSAValue) -> SSAValue:
    """condition ? x : y without a branch."""
    e = s.emitter
    mask = e.int2(riscv.SubOp, e.zero, condition)
    difference = e.int2(riscv.XorOp, x, y)
    return e.int2(riscv.XorOp, y, e.int2(riscv.AndOp, difference, mask))


@lowers(arith.SelectOp)
def select(op: arith.SelectOp, s: Selection) -> None:
    """Branch-free selection; float values pass through integer registers."""
    e = s.emitter
    result = op.results[0]
    condition_type = op.cond.type
    if isinstance(condition_type, VectorType):
        raise UnsupportedOperation("no instructions for a selection by element: use min/max")
    condition = s.values.extend(op.cond, False)
    if not is_float(result.type):
        s.values.set_int(
            result, select_int(s, condition, s.values.reg(op.lhs), s.values.reg(op.rhs))
        )
        return
    x = e.emit(riscv.FMvXWOp, (s.values.freg(op.lhs),), INT)
    y = e.emit(riscv.FMvXWOp, (s.values.freg(op.rhs),), INT)
    s.values.floats[result] = e.emit(riscv.FMvWXOp, (select_int(s, condition, x, y),), FLOAT)
