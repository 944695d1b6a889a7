"""Instruction selection for moves between scalars and vectors of two BF16 values."""

from __future__ import annotations

from xdsl.dialects import arith, rv32, vector
from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.backend.emitter import FLOAT
from softex_mlir.compiler.backend.operands import (
    UnsupportedOperation,
    extract_position,
    is_broadcast,
)
from softex_mlir.compiler.backend.selection import Selection, lowers
from softex_mlir.dialects import xpulp
from softex_mlir.dialects import xpulp_bf16 as bf16
from softex_mlir.dialects.xpulp_vector import DotOp


def rounded_from(value: SSAValue) -> SSAValue | None:
    """The F32 value that a BF16 value is the rounding of."""
    owner = value.owner
    if isinstance(owner, arith.TruncFOp):
        return owner.operands[0]
    return None


@lowers(vector.BroadcastOp)
def broadcast(op: Operation, s: Selection) -> None:
    """Both elements the same."""
    pack(s, op.results[0], op.operands[0], op.operands[0])


@lowers(vector.ExtractOp)
def extract(op: Operation, s: Selection) -> None:
    """One element of a vector as a scalar."""
    if all(isinstance(use.operation, arith.ExtFOp) for use in op.results[0].uses):
        return
    e = s.emitter
    word = s.values.word(op.operands[0])
    if extract_position(op):
        word = e.shift(rv32.SrliOp, word, 16)
    s.values.floats[op.results[0]] = e.emit(bf16.FMvHXOp, (word,), FLOAT)


@lowers(vector.InsertOp)
def insert(op: vector.InsertOp, s: Selection) -> None:
    """A vector with one element replaced; the other one may be a broadcast scalar."""
    source, target = op.operands
    position = extract_position(op)
    owner = target.owner
    if isinstance(owner, Operation) and is_broadcast(owner):
        elements = [owner.operands[0], owner.operands[0]]
        elements[position] = source
        pack(s, op.results[0], *elements)
        return
    e = s.emitter
    element, rest = s.values.word(source), s.values.word(target)
    if position:
        value = e.int2(xpulp.PackOp, element, rest)
    else:
        value = e.int2(xpulp.PackOp, e.shift(rv32.SrliOp, rest, 16), element)
    s.values.words[op.results[0]] = value


def pack(s: Selection, result: SSAValue, low: SSAValue, high: SSAValue) -> None:
    """Two scalars as a vector; a rounding of both from F32 is part of the packing."""
    e = s.emitter
    wide = [rounded_from(element) for element in (low, high)]
    if wide[0] is not None and wide[1] is not None:
        s.values.floats[result] = e.float_op(
            bf16.VFCpkaAhSOp, s.values.freg(wide[0]), s.values.freg(wide[1])
        )
    else:
        packed = e.int2(xpulp.PackOp, s.values.word(high), s.values.word(low))
        s.values.floats[result] = e.emit(riscv.FMvWXOp, (packed,), FLOAT)


@lowers(DotOp)
def dot(op: DotOp, s: Selection) -> None:
    """A dot product in F32."""
    s.values.floats[op.result] = s.emitter.float_op(
        bf16.VFDotpexSAhOp, s.values.freg(op.accumulator), s.values.freg(op.x), s.values.freg(op.y)
    )


@lowers(vector.ShuffleOp)
def shuffle(op: vector.ShuffleOp, s: Selection) -> None:
    """Two of the four elements of two vectors, through integer registers."""
    e = s.emitter
    words: list[SSAValue] = [s.values.word(operand) for operand in op.operands]
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
    s.values.words[op.results[0]] = value
