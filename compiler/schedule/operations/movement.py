"""Operations that only move data: concatenation, patches, embeddings, rows into state."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.kernels.copies import AppendKernel, EmbeddingKernel
from softex_mlir.compiler.schedule.kernels.kernel import dtype_of
from softex_mlir.compiler.schedule.kernels.transposition import (
    AppendColumnKernel,
    TransposeKernel,
)
from softex_mlir.compiler.schedule.operations.copies import (
    MAX_TURNED_ROWS,
    copy_reshaped,
    divisor,
    matrix_of,
    move,
    run_time_position,
    turn,
)
from softex_mlir.compiler.schedule.scheduling import Scheduling, schedules
from softex_mlir.compiler.schedule.views import View
from softex_mlir.dialects import transformer as tf


@schedules(tf.ConcatOp)
def schedule_concat(op: tf.ConcatOp, s: Scheduling) -> None:
    """Copies side by side."""
    axis = op.axis.value.data
    shape = tf.shape_of(op.result)
    target = s.memory.allocate(shape, dtype_of(op.result), "concat")
    start = 0
    for x in op.xs:
        source = s.view(x)
        offsets = [0] * len(shape)
        offsets[axis] = start
        part = target.sliced(offsets, source.shape, [1] * len(shape))
        if axis == 0 and len(shape) == 2:
            # by the row blocks of products, so that work on the first block can begin
            rows = source.shape[0]
            for first, size in s.plan.row_blocks(rows):
                pieces = source.row_range(first, size), part.row_range(first, size)
                move(s, op, *pieces)
        else:
            move(s, op, source, part)
        start += source.shape[axis]
    s.values[op.result] = target


@schedules(tf.PatchifyOp)
def schedule_patchify(op: tf.PatchifyOp, s: Scheduling) -> None:
    """One copy: patches are a view of the image."""
    image = s.view(op.image)
    batch, channels, height, width = image.shape
    high, wide = (int(v) for v in op.patch.get_values())
    sb, sc, sy, sx = image.strides
    rows, columns = height // high, width // wide
    patches = replace(
        image,
        shape=(batch, rows, columns, channels, high, wide),
        strides=(sb, high * sy, wide * sx, sc, sy, sx),
    )
    result = s.memory.allocate(tf.shape_of(op.result), "bf16", "patches")
    pitch = result.strides[0]
    target = replace(
        result,
        shape=patches.shape,
        strides=(rows * columns * pitch, columns * pitch, pitch, high * wide, wide, 1),
    )
    # largest box: a row of patches, for one channel
    order = (0, 1, 3, 2, 4, 5)
    move(s, op, patches.permuted(order), target.permuted(order))
    s.values[op.result] = result


@schedules(tf.EmbeddingOp)
def schedule_embedding(op: tf.EmbeddingOp, s: Scheduling) -> None:
    """Rows of a table, gathered by the DMA."""
    table = s.view(op.table)
    _gather(op, s, table, table.shape[0], table.strides[0])


@schedules(tf.WindowsOp)
def schedule_windows(op: tf.WindowsOp, s: Scheduling) -> None:
    """Rows of a matrix whose rows begin one element after the other."""
    _gather(op, s, s.view(op.vector), op.windows, 1)


def _gather(
    op: tf.EmbeddingOp | tf.WindowsOp, s: Scheduling, table: View, rows: int, pitch: int
) -> None:
    """The rows of a table that `ids` says, its rows `pitch` elements apart."""
    ids = s.view(op.ids)
    count = prod(ids.shape)
    flat = ids.reshaped((count,))
    if flat is None or (count > 1 and flat.strides[0] != 1):
        dense = copy_reshaped(s, op, ids, (1, count))
        flat = dense.reshaped((count,))
        assert flat is not None
    target = s.memory.allocate(tf.shape_of(op.result), "bf16", "embedding")
    matrix = target.matrix()
    assert matrix is not None
    columns = tf.shape_of(op.result)[-1]
    # no further than products begin: the first one would wait for it
    block = max(1, min(16, s.plan.rows_room // (2 * round_up(columns, 2))))
    for first, size in s.plan.parts(count, count):
        kernel = EmbeddingKernel(
            s.machine,
            size,
            rows,
            columns,
            pitch,
            matrix.strides[0],
            min(block, size),
            s.plan.base,
        )
        part = matrix.row_range(first, size)
        source = flat.row_range(first, size)
        s.tasks.add(
            op,
            kernel,
            {"ids": source, "table": table, "target": part},
            reads=[source, table],
            writes=[part],
        )
    s.values[op.result] = target


def _append_kernel(
    op: tf.AppendOp, s: Scheduling, state: View, pitch: int
) -> AppendKernel | AppendColumnKernel | TransposeKernel:
    """Rows, `pitch` elements apart, into the rows of a state or into its columns."""
    columns, offset = state.shape[1], s.plan.base
    if state.matrix() is not None:
        block = max(1, min(op.count, s.plan.rows_limit // (2 * columns)))
        shape = op.count, op.capacity, columns
        return AppendKernel(s.machine, *shape, pitch, state.strides[0], block, offset)
    if op.count == 1:
        return AppendColumnKernel(s.machine, columns, op.capacity, state.strides[1], offset)
    # tiles of x and y, two of each
    elements = s.plan.rows_limit // 2 // 4
    rows = divisor(op.count, min(MAX_TURNED_ROWS, elements))
    size = divisor(columns, elements // round_up(rows, 2))
    return TransposeKernel(
        *(s.machine, op.count, rows, columns // size, size, pitch),
        out_pitch=state.strides[1],
        capacity=op.capacity,
        offset=offset,
    )


@schedules(tf.AppendOp)
def schedule_append(op: tf.AppendOp, s: Scheduling) -> None:
    """Rows go to their place in the state; the result is a view of it."""
    shape = tf.shape_of(op.result)
    state = s.memory.state(op.state.string_value(), shape)
    rows = matrix_of(s, op, s.view(op.rows))
    position = run_time_position(s, op, op.position)
    kernel = _append_kernel(op, s, state, rows.strides[0])
    zeros = (
        {} if not isinstance(kernel, TransposeKernel) else {"zeros": s.memory.zeros(kernel.size)}
    )
    for element in range(op.batch):
        source = rows.row_range(element * op.count, op.count)
        target = state.row_range(element * op.capacity, op.capacity)
        s.tasks.add(
            op,
            kernel,
            {
                "position": position.row_range(element, 1),
                "source": source,
                "target": target,
                **zeros,
            },
            reads=[source],
            writes=[target],
        )
    s.values[op.result] = state


@schedules(tf.KeepOp)
def schedule_keep(op: tf.KeepOp, s: Scheduling) -> None:
    """Rows go to the state; the result is a view of it."""
    state = s.memory.state(op.state.string_value(), tf.shape_of(op.result))
    if state.matrix() is None:
        turn(s, op, matrix_of(s, op, s.view(op.rows)), state, s.plan.rows_limit)
    else:
        move(s, op, s.view(op.rows), state)
    s.values[op.result] = state


@schedules(tf.RecallOp)
def schedule_recall(op: tf.RecallOp, s: Scheduling) -> None:
    """The result is the state."""
    s.values[op.result] = s.memory.state(op.state.string_value(), tf.shape_of(op.result))
