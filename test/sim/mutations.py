"""Programs with one wait, await or barrier taken out of their jobs: what a race detector is for."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.context import Context
from xdsl.ir import Operation
from xdsl.passes import PassPipeline

from softex_mlir.compiler.backend.link import link
from softex_mlir.compiler.backend.print_assembly import assembly
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.pipeline import fuse, stages
from softex_mlir.compiler.schedule.lower import schedule_module
from softex_mlir.dialects.cluster import AwaitOp, BarrierOp, WaitForOp
from softex_mlir.dialects.cluster_program import KernelOp, StreamOp
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.program import Program

SYNCHRONISATION = (AwaitOp, WaitForOp, BarrierOp)


def synchronisation(module: Operation) -> Iterator[Operation]:
    """Every operation that makes one stream or core wait, in order."""
    return (op for op in module.walk() if isinstance(op, SYNCHRONISATION))


def kernel_of(op: Operation) -> str:
    """Name of the kernel around an operation, and the stream."""
    names: list[str] = []
    while (parent := op.parent_op()) is not None:
        op = parent
        if isinstance(op, KernelOp):
            names.append(op.sym_name.data)
        elif isinstance(op, StreamOp):
            names.append(op.kind.data.name)
    return ".".join(reversed(names))


class Mutator:
    """A model compiled again and again, each time without another operation."""

    def __init__(self, model: Model, machine: Machine):
        fuse(model, machine)
        self.model = model
        self.machine = machine
        self.scheduled = schedule_module(model.module, machine)

    def sites(self) -> list[str]:
        """What can be taken out, by number."""
        return [f"{kernel_of(op)}: {op}" for op in synchronisation(self.scheduled)]

    def without(self, number: int | None) -> Program:
        """The program without operation `number`; all of it for None."""
        module = self.scheduled.clone()
        if number is not None:
            op = list(synchronisation(module))[number]
            op.detach()
            op.erase()
        by_level = stages(self.machine)
        PassPipeline(by_level["commands"] + by_level["riscv"]).apply(Context(), module)
        return Program.from_bytes(link(module, assembly(module), self.model.weights))
