"""What linear layers do with sums in f32: activation and residual before the only rounding.

One body in `arith` says it; kernels emit it, and the evaluator executes it.
"""

from __future__ import annotations

from xdsl.builder import Builder
from xdsl.dialects import arith
from xdsl.dialects.builtin import bf16, f32
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Block, SSAValue
from xdsl.rewriter import InsertPoint

from softex_mlir.compiler.bodies import RowRef
from softex_mlir.compiler.bodies.emit import Emitter
from softex_mlir.compiler.bodies.expand_math import expanded
from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.row_operations.unary import UNARY


def finish_body(function: str, *, residual: bool) -> Block:
    """``bf16(function(high + low) + residual)`` of bf16 arguments high, low and, if there is one,
    residual; in f32 inside. `function`: an activation of linear layers, "none" for none."""
    block = Block(arg_types=[bf16] * (3 if residual else 2))
    e = F32(Builder(InsertPoint.at_end(block)))
    high, low, *rest = (e.insert(arith.ExtFOp(argument, f32)) for argument in block.args)
    value = e.add(high, low)
    if function != "none":
        value = UNARY[function].body(e, value)
    for other in rest:
        value = e.add(value, other)
    e.builder.insert(linalg_ops.YieldOp(e.narrow(value)))
    return expanded(block)


def emit_finish(
    builder: Builder,
    high: RowRef,
    low: RowRef,
    function: str,
    residual: RowRef | None,
    columns: int,
) -> None:
    """``high[j] = `` the result of :func:`finish_body`."""
    block = finish_body(function, residual=residual is not None)
    rows = (high, low) if residual is None else (high, low, residual)

    def body(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        loaded = [e.load(row, j) for row in rows]
        mapper: dict[SSAValue, SSAValue] = dict(zip(block.args, loaded, strict=True))
        for op in block.ops:
            if isinstance(op, linalg_ops.YieldOp):
                e.store(mapper[op.operands[0]], high, j)
            else:
                e.builder.insert(op.clone(mapper))

    Emitter(builder).loop(0, columns, 1, body)
