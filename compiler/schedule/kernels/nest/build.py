"""From `linalg.generic` to its kernel."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Block, SSAValue

from softex_mlir.compiler.bodies.expand_math import expanded
from softex_mlir.compiler.loop_nest import LoopNest
from softex_mlir.compiler.schedule.kernels.kernel import dtype_of
from softex_mlir.compiler.schedule.kernels.nest.geometry import NestShape, place_nest
from softex_mlir.compiler.schedule.kernels.nest.kernel import NestKernel, fit_nest
from softex_mlir.compiler.schedule.kernels.nest.tiles import NestTiles
from softex_mlir.compiler.schedule.views import View, region_for, row_major
from softex_mlir.dialects.cluster import GlobalKind
from softex_mlir.dialects.transformer import shape_of
from softex_mlir.isa_sim.machine import Machine


def nest_kernel(
    op: linalg_ops.GenericOp,
    machine: Machine,
    inputs: Sequence[View],
    results: Sequence[View],
    offset: int,
) -> NestKernel:
    """The kernel of an operation on given views, as one tile; `offset` is where buffers begin."""
    nest = LoopNest.of(op)
    body = expanded(op.body.block)
    indexed = sorted({o.dim.value.data for o in body.ops if isinstance(o, linalg_ops.IndexOp)})
    shape = place_nest(nest, inputs, results, indexed)
    _renumber(body, shape)
    label = "reduce" if shape.reduces else "map"
    text = "\n".join(_lines(body))
    return NestKernel(
        machine, label, NestTiles(shape, shape.extents, nest.initial), offset, text, body
    )


def _lines(body: Block) -> list[str]:
    """The body as text in which equal bodies are equal: values numbered as they come."""
    numbers: dict[SSAValue, int] = {value: i for i, value in enumerate(body.args)}
    lines = [" ".join(str(argument.type) for argument in body.args)]
    for op in body.ops:
        operands = " ".join(str(numbers[value]) for value in op.operands)
        for result in op.results:
            numbers[result] = len(numbers)
        attributes = " ".join(f"{k}={v}" for k, v in op.properties.items())
        types = " ".join(str(result.type) for result in op.results)
        lines.append(f"{op.name} {operands} {attributes} {types}")
    return lines


def _renumber(body: Block, shape: NestShape) -> None:
    """Let `linalg.index` name the loops of the kernel."""
    position = {group[0]: i for i, group in enumerate(shape.loops) if group}
    for op in body.ops:
        if isinstance(op, linalg_ops.IndexOp):
            op.dim = IntegerAttr(position[op.dim.value.data], i64)


def generic_bytes(op: linalg_ops.GenericOp, machine: Machine, limit: int) -> int:
    """TCDM bytes the operation takes of at most `limit`, its operands lying in rows."""
    kernel = _planned(op, machine)
    fitted = fit_nest(kernel, limit)
    return limit if fitted is None else fitted.end


def least_generic_bytes(op: linalg_ops.GenericOp, machine: Machine) -> int:
    """TCDM bytes that the operation's smallest tiles take, its operands lying in rows."""
    kernel = _planned(op, machine)
    nest = kernel.tiles.nest
    last = nest.parallel - 1
    tile = [min(2, size) if d == last else 1 for d, size in enumerate(nest.extents)]
    smallest = kernel.with_tile(tile)
    return smallest.end - smallest.offset


def _planned(op: linalg_ops.GenericOp, machine: Machine) -> NestKernel:
    views: list[View] = []
    for value in (*op.inputs, *op.results):
        shape = shape_of(value)
        region = region_for("", GlobalKind.TEMPORARY, shape, dtype_of(value))
        views.append(row_major(region, shape))
    split = len(op.inputs)
    return nest_kernel(op, machine, views[:split], views[split:], 0)
