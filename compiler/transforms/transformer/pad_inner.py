"""`pad-inner`: inner dimensions of products go in whole steps of the machine's array."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64

from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.compiler.target import inner_unit
from softex_mlir.dialects import transformer as t


@dataclass(frozen=True)
class PadInnerPass(MachinePass):
    """Write `inner_unit` on every product, part of what it computes, where the default does not do.

    RedMulE pads a sum to whole steps of its columns, and some lengths it computes wrongly.
    """

    name = "pad-inner"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        machine = self.target
        for product in op.walk():
            match product:
                case t.LinearOp():
                    inner = t.shape_of(product.x)[1]
                case t.MatmulOp():
                    inner = t.shape_of(product.a)[-1]
                case t.AttentionOp():
                    inner = product.head_size
                case _:
                    continue
            unit = inner_unit(machine, inner)
            product.inner_unit = None if unit == t.INNER_UNIT else IntegerAttr(unit, i64)
