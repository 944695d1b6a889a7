"""`widen-sums`: products on the cores, with sums in f32, which lose next to nothing to rounding."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, UnitAttr, i64
from xdsl.ir import Block, Operation

from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.compiler.transforms.transformer.split_sums import divisor, split_sums
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine

SUM_SHARE = 256
"""A sum goes over as many inner values as the TCDM has pieces of so many bytes: then the operands
of a product of a few rows and of one line of columns fit twice."""


def has_wide_sums(inside: Operation | Block) -> bool:
    """Whether a product of the fused form has sums in f32."""
    products = (t.LinearOp, t.MatmulOp, t.AttentionOp)
    return any(isinstance(op, products) and op.wide is not None for op in inside.walk())


def cores_alone(machine: Machine) -> Machine:
    """The machine as products with sums in f32 see it: no unit has them."""
    return machine.without_redmule().without_softex()


def widen_sums(module: ModuleOp, machine: Machine) -> None:
    """Write `wide` on every product: linear layers, attention, other products of two activations.
    Sums that are too long for the TCDM are rounded between, but for attention's. Norms round
    once."""
    longest = machine.cluster.tcdm_bytes // SUM_SHARE
    for op in module.walk():
        match op:
            case t.LinearOp() | t.LayerNormOp() | t.RMSNormOp():
                op.wide = UnitAttr()
            case t.AttentionOp():
                op.wide, op.value_chunk = UnitAttr(), None
            case t.MatmulOp():
                op.wide = UnitAttr()
                if op.inner > longest:
                    op.sum_chunk = IntegerAttr(divisor(op.inner, op.step, longest), i64)
            case _:
                pass
    split_sums(module, longest)


@dataclass(frozen=True)
class WidenSumsPass(MachinePass):
    """Products accumulate in f32, on the cores; part of what they compute."""

    name = "widen-sums"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        widen_sums(op, self.target)
