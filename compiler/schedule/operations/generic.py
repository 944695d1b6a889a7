"""Loop nests: what no pattern took."""

from __future__ import annotations

from dataclasses import replace

from xdsl.dialects.linalg import ops as linalg_ops

from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.compiler.schedule.kernels.kernel import dtype_of
from softex_mlir.compiler.schedule.kernels.nest.build import nest_kernel
from softex_mlir.compiler.schedule.kernels.nest.kernel import fit_nest
from softex_mlir.compiler.schedule.scheduling import Scheduling, schedules
from softex_mlir.compiler.schedule.search.capacity import LARGER, CapacityError
from softex_mlir.compiler.schedule.views import Address, View
from softex_mlir.dialects.transformer import shape_of


@schedules(linalg_ops.GenericOp)
def schedule_generic(op: linalg_ops.GenericOp, s: Scheduling) -> None:
    """One launch, in the largest tiles that fit."""
    results = [s.memory.allocate(shape_of(r), dtype_of(r), "generic") for r in op.results]
    inputs = [s.view(operand) for operand in op.inputs]
    kernel = nest_kernel(op, s.machine, inputs, results, s.plan.base)
    fitted = fit_nest(kernel, s.plan.rows_room)
    if fitted is None:
        raise CapacityError(
            f"linalg.generic (layer '{layer_of(op)}') does not fit {s.plan.rows_room} bytes of "
            "TCDM: " + ", ".join(f"{b.name} {b.slots} x {b.slot_bytes}" for b in kernel.buffers())
        ).about(layer_of(op), op.name, LARGER)
    addresses: dict[str, View | Address] = {}
    for (name, operand), view in zip(fitted.tiles.named(), (*inputs, *results), strict=True):
        addresses[name] = replace(view, offset=view.offset + operand.offset)
    s.tasks.add(op, fitted, addresses, reads=inputs, writes=results)
    s.values.update(zip(op.results, results, strict=True))
