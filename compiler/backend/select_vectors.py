"""Instruction selection for moves between scalars and vectors of two BF16 values."""

from __future__ import annotations

from typing import Any

from xdsl.dialects import rv32
from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.backend.emitter import FLOAT
from softex_mlir.compiler.backend.operands import (
    UnsupportedOperation,
    extract_position,
    is_broadcast,
)
from softex_mlir.compiler.backend.select_floats import FloatSelector
from softex_mlir.dialects import xpulp
from softex_mlir.dialects import xpulp_bf16 as bf16
from softex_mlir.dialects.xpulp_vector import DotOp


def rounded_from(value: SSAValue) -> SSAValue | None:
    """The F32 value that a BF16 value is the rounding of."""
    owner = value.owner
    if isinstance(owner, Operation) and owner.name == "arith.truncf":
        return owner.operands[0]
    return None


class VectorSelector(FloatSelector):
    """Elements move through integer registers, unless a rounding packs them on its way."""

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
        self.floats[op.results[0]] = e.emit(bf16.FMvHXOp, (word,), FLOAT)

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
                bf16.VFCpkaAhSOp, self.freg(wide[0]), self.freg(wide[1])
            )
        else:
            packed = e.int2(xpulp.PackOp, self.word(high), self.word(low))
            self.floats[result] = e.emit(riscv.FMvWXOp, (packed,), FLOAT)

    def dot(self, op: DotOp) -> None:
        """A dot product in F32."""
        self.floats[op.result] = self.emitter.float_op(
            bf16.VFDotpexSAhOp, self.freg(op.accumulator), self.freg(op.x), self.freg(op.y)
        )

    def shuffle(self, op: Any) -> None:
        """Two of the four elements of two vectors, through integer registers."""
        e = self.emitter
        words: list[SSAValue] = [self.word(operand) for operand in op.operands]
        lanes: tuple[int, ...] = tuple(op.mask.get_values())
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
