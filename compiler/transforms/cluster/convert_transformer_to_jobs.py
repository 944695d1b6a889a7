"""The pass from layer operations to kernels and launches: `compiler/schedule` behind softex-opt."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass


@dataclass(frozen=True)
class ConvertTransformerToJobsPass(ModulePass):
    """Tile, order and place a fused `transformer` module (L1 to L2).

    `tcdm` overrides the machine's TCDM size in bytes, 0 keeps it.
    """

    name = "convert-transformer-to-jobs"

    machine: str = "paper"
    tcdm: int = 0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        from softex_mlir.compiler.schedule.lower import schedule_module
        from softex_mlir.isa_sim.machine import Machine

        machine = Machine.load(self.machine)
        if self.tcdm:
            machine = machine.with_tcdm_bytes(self.tcdm)
        jobs = schedule_module(op, machine).module
        for child in list(op.ops):
            child.detach()
        for child in list(jobs.ops):
            child.detach()
            op.body.block.add_op(child)
        op.attributes |= jobs.attributes
