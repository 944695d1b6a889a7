"""`widen-sums`: products on the cores, with sums in f32, which lose next to nothing to rounding."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, UnitAttr, i64
from xdsl.ir import Operation

from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.compiler.transforms.transformer.split_sums import divisor
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine

SUM_SHARE = 256
"""A sum goes over as many inner values as the TCDM has pieces of so many bytes: then the operands
of a product of a few rows and of one line of columns fit twice."""


def is_for_cores(module: ModuleOp) -> bool:
    """Whether a module was written for a machine without units."""
    return t.FOR_CORES in module.attributes


def longest_sum(machine: Machine) -> int:
    """Inner values that a product adds in f32 before it rounds."""
    return machine.cluster.tcdm_bytes // SUM_SHARE


def widen_sums(module: ModuleOp, machine: Machine) -> None:
    """Write `wide` on every product: linear layers, attention, other products of two activations.
    Norms round once."""
    module.attributes[t.FOR_CORES] = UnitAttr()
    for op in module.walk():
        if isinstance(op, t.CAN_BE_WIDE):
            widen(op, longest_sum(machine))


def widen(op: Operation, longest: int) -> None:
    """Write `wide` on an operation. Sums that are too long for the TCDM are rounded between, but
    for attention's."""
    assert isinstance(op, t.CAN_BE_WIDE)
    op.wide = UnitAttr()
    if isinstance(op, t.AttentionOp):
        op.value_chunk = None
    elif isinstance(op, t.LinearOp | t.MatmulOp):
        chunk = divisor(op.inner, op.step, longest)
        op.sum_chunk = None if chunk == op.inner else IntegerAttr(chunk, i64)


@dataclass(frozen=True)
class WidenSumsPass(MachinePass):
    """Products accumulate in f32, on the cores; part of what they compute."""

    name = "widen-sums"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        widen_sums(op, self.target)
