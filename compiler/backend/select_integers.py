"""Instruction selection for integer and index arithmetic."""

from __future__ import annotations

from typing import Any

from xdsl.dialects import arith, rv32
from xdsl.dialects.builtin import VectorType
from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.backend.emitter import FLOAT, INT, Linear, fits_imm12, signed32
from softex_mlir.compiler.backend.operands import (
    Operands,
    UnsupportedOperation,
    is_float,
    width_of,
)
from softex_mlir.dialects import xpulp

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


class IntegerSelector(Operands):
    """Integers: linear expressions where they can be, instructions where they must."""

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
        predicate = arith.CMPI_COMPARISON_OPERATIONS[op.predicate.value.data]
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
