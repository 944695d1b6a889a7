"""`compute-on-cores`: the sums, or the softmax and GELU, of some layers in software."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr

from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.compiler.row_operations.unary import sums_on_softex
from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.compiler.transforms.transformer.widen_sums import longest_sum, widen
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine


def has_function(op: t.LinearOp | t.AttentionOp, machine: Machine) -> bool:
    """Whether SoftEx computes a softmax, or part of an activation, of an operation."""
    if isinstance(op, t.AttentionOp):
        return machine.softex is not None
    return sums_on_softex(op.activation.data, machine)


def compute_on_cores(
    module: ModuleOp, machine: Machine, sums: Iterable[str], functions: Iterable[str]
) -> None:
    """Write `wide` on the linear layers and attentions whose `sums` are in f32, and `software` on
    those whose `functions` are the cores'.

    Raises:
        UserError: there is no such layer.
    """
    wide, software = set(sums), set(functions)
    left = {"sums": set(wide), "functions": set(software)}
    for op in module.walk():
        if not isinstance(op, t.LinearOp | t.AttentionOp):
            continue
        name = layer_of(op)
        if name in wide:
            left["sums"].discard(name)
            widen(op, longest_sum(machine))
        if name in software:
            left["functions"].discard(name)
            op.software = UnitAttr() if has_function(op, machine) else None
    for table, names in left.items():
        if names:
            listed = ", ".join(map(repr, sorted(names)))
            raise UserError(
                f"{table} of layer {listed}: no linear layer or attention has this name"
            )


def names_text(names: Iterable[str]) -> str:
    """The lines of a list of layers."""
    return "".join(f"{json.dumps(name)}\n" for name in names)


def read_names(text: str) -> list[str]:
    """A list of layers from its lines."""
    return [json.loads(line) for line in text.splitlines()]


@dataclass(frozen=True)
class ComputeOnCoresPass(MachinePass):
    """Layers of which the cores compute what the machine has units for; part of what they compute.

    `sums`: products in f32, with what follows them. `functions`: softmax and GELU as on machines
    without SoftEx. Quoted names of layers, one a line.
    """

    name = "compute-on-cores"

    sums: str = ""
    functions: str = ""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        compute_on_cores(op, self.target, read_names(self.sums), read_names(self.functions))
