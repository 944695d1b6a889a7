"""The body of a loop nest in primitives: functions of the `math` dialect written out."""

from __future__ import annotations

from xdsl.builder import Builder
from xdsl.dialects import arith
from xdsl.dialects.builtin import BFloat16Type, Float32Type
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from softex_mlir.compiler.bodies.emit import Emitter
from softex_mlir.compiler.bodies.f32_functions import EXPANSIONS, expand
from softex_mlir.compiler.loop_nest import captured_constants

NARROW = (arith.AddfOp, arith.SubfOp, arith.MulfOp, arith.DivfOp)
"""Operations whose f32 result of bf16 operands, rounded to bf16, is the one of the bf16
instruction: 24 bits are at least 2 · 8 + 2, so that rounding twice is rounding once."""


def expanded(body: Block) -> Block:
    """A copy of a body with every operation of :data:`EXPANSIONS` written out.

    One arithmetic operation between widened operands and a narrowing becomes one bf16 operation.
    """
    block = Block(arg_types=[argument.type for argument in body.args])
    e = Emitter(Builder(InsertPoint.at_end(block)))
    mapper: dict[SSAValue, SSAValue] = dict(zip(body.args, block.args, strict=True))
    for constant in captured_constants(body):
        e.builder.insert(constant.clone(mapper))
    for op in body.ops:
        if op.name in EXPANSIONS and isinstance(op.results[0].type, Float32Type):
            operands = [mapper[operand] for operand in op.operands]
            mapper[op.results[0]] = expand(e, op.name, operands)
        elif (narrowed := _narrowed(op, mapper)) is not None:
            mapper[op.results[0]] = e.insert(narrowed)
        else:
            e.builder.insert(op.clone(mapper))
    _erase_unused(block)
    return block


def _narrowed(op: Operation, mapper: dict[SSAValue, SSAValue]) -> Operation | None:
    """The bf16 operation that a narrowing of one f32 operation is."""
    if not isinstance(op, arith.TruncFOp) or not isinstance(op.result.type, BFloat16Type):
        return None
    wide = op.input.owner
    if not isinstance(wide, NARROW):
        return None
    operands: list[SSAValue] = []
    for operand in wide.operands:
        owner = operand.owner
        if not isinstance(owner, arith.ExtFOp) or not isinstance(owner.input.type, BFloat16Type):
            return None
        operands.append(mapper[owner.input])
    lhs, rhs = operands
    return type(wide)(lhs, rhs)


def _erase_unused(block: Block) -> None:
    for op in reversed(list(block.ops)):
        unused = not any(result.uses for result in op.results)
        if unused and not isinstance(op, linalg_ops.YieldOp):
            op.detach()
            op.erase()
