"""Operations on rows: norms, elementwise operations, softmax, masks."""

from __future__ import annotations

from dataclasses import replace

from xdsl.ir import Operation

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.row_operations.rows import MulAdd, row_operation
from softex_mlir.compiler.schedule.fused_form import (
    BINARY,
    NORMS,
    UNARY,
    UnsupportedError,
    layer_ending_with,
    layer_of,
    shift_behind,
)
from softex_mlir.compiler.schedule.kernels.kernel import dtype_of, team_size
from softex_mlir.compiler.schedule.kernels.rows import NARROWEST, RowOperand, RowsKernel
from softex_mlir.compiler.schedule.operations.copies import matrix_of
from softex_mlir.compiler.schedule.operations.products import schedule_linear_up_to
from softex_mlir.compiler.schedule.plan import Plan
from softex_mlir.compiler.schedule.scheduling import Scheduling, schedules
from softex_mlir.compiler.schedule.search.capacity import LARGER, CapacityError
from softex_mlir.compiler.schedule.views import Address, View
from softex_mlir.dialects import transformer as tf

PART_BLOCKS = 3
"""Blocks of rows in one launch of a row-wise operation."""


@schedules(*NORMS, *UNARY, *BINARY, tf.RotaryOp)
def schedule_rows(op: Operation, s: Scheduling) -> None:
    """Launches over the blocks of rows that products use, and pieces of rows that are too long."""
    if shift_behind(op) is not None:
        return  # computed with the addition
    if (linear := layer_ending_with(op)) is not None:
        schedule_linear_up_to(linear, op, s)
        return
    operation = row_operation(op)
    target = s.memory.allocate(tf.shape_of(op.results[0]), dtype_of(op.results[0]), operation.name)
    out = target.matrix()
    assert out is not None
    rows, columns = out.shape
    operands = list(op.operands)
    scale = op.lhs.owner if isinstance(op, tf.AddOp) else None
    if isinstance(scale, tf.MulOp) and shift_behind(scale) is op:
        operation, operands = MulAdd(), [*scale.operands, op.operands[1]]
    views = [matrix_of(s, op, s.view(operand)) for operand in operands]
    if any(view.shape[1] == 1 for view in views) and columns > 1:
        raise UnsupportedError(
            f"{op.name} (layer '{layer_of(op)}') repeats an operand of one column along the "
            "rows: not supported, expand it before"
        ).about(layer_of(op), op.name, "expand the operand before")
    if views[0].shape[0] == 1 and rows > 1:
        if isinstance(op, tf.SubOp) or views[1].shape[0] == 1:
            raise UnsupportedError(
                f"{op.name} (layer '{layer_of(op)}') repeats its first operand: swap them"
            ).about(layer_of(op), op.name, "swap the operands")
        views.reverse()
    inputs = [
        RowOperand(view.shape[1], view.strides[0], view.shape[0] != 1 or rows == 1, view.dtype)
        for view in views
    ]
    if rows == 1:
        inputs[1:] = [replace(operand, streamed=False) for operand in inputs[1:]]
    whole = RowsKernel(
        s.machine,
        operation,
        rows,
        columns,
        1,
        tuple(inputs),
        out.strides[0],
        s.plan.base,
    )
    period = next((v.shape[0] for v in reversed(views) if v.shape[0] not in (1, rows)), rows)
    for start, kernel in _column_pieces(whole, op, s.plan):
        for first, size in _periodic_parts(s.plan, rows, period, kernel.block):
            part = replace(kernel, rows=size, block=min(kernel.block, size))
            reads = [
                _piece(view, first, size).columns(start, operand.columns)
                for view, operand in zip(views, kernel.inputs, strict=True)
            ]
            stored = out.row_range(first, size).columns(start, kernel.columns)
            addresses: dict[str, View | Address] = {f"x{i}": v for i, v in enumerate(reads)}
            s.tasks.add(op, part, addresses | {"y": stored}, reads=reads, writes=[stored])
    s.values[op.results[0]] = target


@schedules(tf.PositionIdsOp)
def schedule_position_ids(op: tf.PositionIdsOp, s: Scheduling) -> None:
    """One launch."""
    target = s.memory.allocate(tf.shape_of(op.result), dtype_of(op.result), "position_ids")
    ids, out = matrix_of(s, op, s.view(op.ids)), target.matrix()
    assert out is not None
    kernel = RowsKernel(
        s.machine,
        row_operation(op),
        out.shape[0],
        out.shape[1],
        1,
        (RowOperand(ids.shape[1], ids.strides[0], True, "i32"),),
        out.strides[0],
        s.plan.base,
        "i32",
    )
    fitted = _fit(kernel, op, s.plan)
    s.tasks.add(op, fitted, {"x0": ids, "y": out}, reads=[ids], writes=[out])
    s.values[op.result] = target


@schedules(tf.MaskToBiasOp)
def schedule_mask_to_bias(op: tf.MaskToBiasOp, s: Scheduling) -> None:
    """One launch; with a base one a batch element, whose mask row meets all rows of the base."""
    target = s.memory.allocate(tf.shape_of(op.result), dtype_of(op.result), "mask_to_bias")
    mask, out = matrix_of(s, op, s.view(op.mask)), target.matrix()
    assert out is not None
    streamed = RowOperand(mask.shape[1], mask.strides[0], op.base is None, "i32")
    base = None if op.base is None else matrix_of(s, op, s.view(op.base))
    inputs = (streamed,)
    if base is not None:
        inputs = (RowOperand(base.shape[1], base.strides[0]), streamed)
    rows = out.shape[0] if base is None else base.shape[0]
    kernel = RowsKernel(
        s.machine,
        row_operation(op),
        rows,
        out.shape[1],
        1,
        inputs,
        out.strides[0],
        s.plan.base,
    )
    fitted = _fit(kernel, op, s.plan)
    for index in range(out.shape[0] // rows):
        part = out.row_range(index * rows, rows)
        reads = [mask] if base is None else [base, mask.row_range(index, 1)]
        addresses: dict[str, View | Address] = {f"x{i}": read for i, read in enumerate(reads)}
        s.tasks.add(op, fitted, addresses | {"y": part}, reads=reads, writes=[part])
    s.values[op.result] = target


def _column_pieces(kernel: RowsKernel, op: Operation, plan: Plan) -> list[tuple[int, RowsKernel]]:
    """First columns of the pieces that the rows are cut into, and their kernels: one, unless every
    element stands by itself and a row is too long for the arena."""
    width = kernel.columns
    if kernel.operation.whole_rows:
        return [(0, _fit(kernel, op, plan))]
    while width > NARROWEST and _largest(kernel.narrowed(width), plan.rows_room) is None:
        width = round_up(width // 2, NARROWEST)
    return [
        (start, _fit(kernel.narrowed(min(width, kernel.columns - start)), op, plan))
        for start in range(0, kernel.columns, width)
    ]


def _piece(view: View, first: int, size: int) -> View:
    """Rows of an operand that has as many as the result, a part that divides them, or one."""
    return view if view.shape[0] == 1 else view.row_range(first % view.shape[0], size)


def _periodic_parts(plan: Plan, rows: int, period: int, block: int) -> list[tuple[int, int]]:
    """Launches that begin again where an operand of fewer rows does."""
    found: list[tuple[int, int]] = []
    for first, size in plan.parts(rows, PART_BLOCKS * block):
        while size > 0:
            share = min(size, period - first % period)
            found.append((first, share))
            first, size = first + share, size - share
    return found


def _largest(kernel: RowsKernel, room: int) -> RowsKernel | None:
    """The kernel with the largest block of rows that fits; None if not even one row does."""
    team = team_size(kernel.machine)
    for block in (4 * team, 3 * team, 2 * team, *range(team, 0, -1)):
        if block > kernel.rows and block > team:
            continue
        found = replace(kernel, block=min(block, kernel.rows))
        if found.end - found.offset <= room:
            return found
    return _largest(replace(kernel, third_slot=False), room) if kernel.both_ways else None


def _fit(kernel: RowsKernel, op: Operation, plan: Plan) -> RowsKernel:
    """The kernel with the largest block of rows that fits its arena; there must be one."""
    found = _largest(kernel, plan.rows_room)
    if found is not None:
        return found
    need = replace(kernel, block=1, third_slot=False)
    raise CapacityError(
        f"{op.name} (layer '{layer_of(op)}') needs {need.end - need.offset} bytes of TCDM for one "
        f"row of {kernel.columns} columns in two slots; {plan.rows_room} are there: "
        + ", ".join(f"{b.name} {b.slots} x {b.slot_bytes}" for b in need.buffers())
    ).about(layer_of(op), op.name, LARGER)
