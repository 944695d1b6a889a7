"""Multiply-accumulates of a module: what it computes, and what it need not."""

from __future__ import annotations

from math import prod

from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.dialects.linalg import ops as linalg_ops

from softex_mlir.compiler.loop_nest import LoopNest
from softex_mlir.compiler.model import main_function
from softex_mlir.dialects import transformer as t

MOST_ON_CORES = 1 << 20
"""Multiply-accumulates of a product that the cores take in float32: in 1.2 M cycles for so many, 70
times RedMulE's."""
UNREAD = "transformer.unread_macs"
"""Attribute of `@main`: multiply-accumulates of the model that `drop-unread` removed."""


def macs(module: ModuleOp) -> int:
    """Multiply-accumulates of a module's products and reductions."""
    total = 0
    for op in module.walk():
        match op:
            case t.MatmulOp():
                total += prod(t.shape_of(op.result)) * t.shape_of(op.a)[-1]
            case t.LinearOp():
                total += prod(t.shape_of(op.result)) * t.shape_of(op.x)[1]
            case t.AttentionOp():
                heads = op.heads.value.data * (op.head_size + op.value_size)
                total += t.shape_of(op.q)[0] * op.keys * heads
            case linalg_ops.GenericOp():
                total += prod(LoopNest.of(op).extents)
            case _:
                pass
    return total


def unread_macs(module: ModuleOp) -> int:
    """Multiply-accumulates of the model that the module no longer holds, since nobody reads them.

    Those of the module and these are the model's *nominal* ones.
    """
    found = main_function(module).attributes.get(UNREAD)
    return found.value.data if isinstance(found, IntegerAttr) else 0


def count_unread(module: ModuleOp, before: int) -> None:
    """Note what became of `before` multiply-accumulates."""
    unread = unread_macs(module) + before - macs(module)
    if unread:
        main_function(module).attributes[UNREAD] = IntegerAttr(unread, i64)
