"""Operations that only move data: copies, concatenation, patches, embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from xdsl.ir import Operation

from softex_mlir.compiler.schedule.context import (
    COPY_BYTES,
    SchedulingContext,
)
from softex_mlir.compiler.schedule.kernels.copies import CopyKernel, EmbeddingKernel
from softex_mlir.compiler.schedule.kernels.kernel import ELEMENT_BYTES, dtype_of
from softex_mlir.compiler.schedule.search.tiling import (
    row_blocks,
)
from softex_mlir.compiler.schedule.views import Address, View, region_for, row_major
from softex_mlir.dialects import transformer as tf
from softex_mlir.dialects.cluster import GlobalKind


class Movement(SchedulingContext):
    """Schedules data movement."""

    def _matrix(self, op: Operation, view: View, padded: bool = False) -> View:
        """Rows with contiguous columns; `padded`: continued with zeros to a multiple of 32."""
        found = view.matrix()
        if found is not None and padded and found.shape[1] % 32 and not found.zero_padded:
            found = None
        if found is None:
            found = self._copy(op, view, view.shape).matrix()
            assert found is not None
        return found

    def _copy(self, op: Operation, view: View, shape: Sequence[int]) -> View:
        """The tensor in a region of its own."""
        target = self.memory.allocate(shape, view.dtype)
        self._move(op, view, target)
        return target

    def _copy_reshaped(self, op: Operation, view: View, shape: Sequence[int]) -> View:
        """A reshape that moves data: at once where the rows of one shape are whole rows of the
        other, else row by row through a region without padding."""
        target = row_major(region_for("", GlobalKind.ACTIVATION, shape, view.dtype), shape)
        if target.reshaped(view.shape) is not None:
            target = self.memory.allocate(shape, view.dtype)
            written = target.reshaped(view.shape)
            assert written is not None
            self._move(op, view, written)
            return target
        flat = self.memory.add(GlobalKind.ACTIVATION, (1, prod(shape)), view.dtype)
        dense = row_major(flat, (1, prod(shape)))
        as_source = dense.reshaped(view.shape)
        as_result = dense.reshaped(shape)
        assert as_source is not None
        assert as_result is not None
        self._move(op, view, replace(as_source, zero_padded=False))
        if shape[-1] % 32 == 0:
            return replace(as_result, zero_padded=True)
        return self._copy(op, replace(as_result, zero_padded=False), shape)

    def _move(self, op: Operation, source: View, target: View) -> None:
        """Copy tasks for a box of any rank."""
        dims = [
            [size, a, b]
            for size, a, b in zip(source.shape, source.strides, target.strides, strict=True)
            if size != 1
        ] or [[1, 1, 1]]
        merged: list[list[int]] = [dims[0]]
        for size, a, b in dims[1:]:
            last = merged[-1]
            if last[1] == size * a and last[2] == size * b:
                merged[-1] = [last[0] * size, a, b]
            else:
                merged.append([size, a, b])
        if merged[-1][1:] != [1, 1]:
            merged.append([1, 1, 1])
        limit = min(COPY_BYTES, (self.machine.cluster.tcdm_bytes - self.base) // 2 // 128 * 64)
        limit //= ELEMENT_BYTES[source.dtype]
        merged = _box(merged, limit)
        kernel = CopyKernel(
            self.machine,
            tuple(d[0] for d in merged),
            tuple(d[1] for d in merged),
            tuple(d[2] for d in merged),
            source.dtype,
            self.base,
        )
        addresses: dict[str, View | Address] = {"source": source, "target": target}
        self.task(op, kernel, addresses, reads=[source], writes=[target])

    def _concat(self, op: tf.ConcatOp) -> None:
        axis = op.axis.value.data
        shape = tf.shape_of(op.result)
        target = self.memory.allocate(shape, dtype_of(op.result), "concat")
        start = 0
        for x in op.xs:
            source = self.view(x)
            offsets = [0] * len(shape)
            offsets[axis] = start
            part = target.sliced(offsets, source.shape, [1] * len(shape))
            if axis == 0 and len(shape) == 2:
                # by the row blocks of products, so that work on the first block can begin
                rows = source.shape[0]
                for first, size in row_blocks(self.machine, rows, self.blocks.get(rows, rows)):
                    pieces = source.row_range(first, size), part.row_range(first, size)
                    self._move(op, *pieces)
            else:
                self._move(op, source, part)
            start += source.shape[axis]
        self.values[op.result] = target

    def _patchify(self, op: tf.PatchifyOp) -> None:
        image = self.view(op.image)
        batch, channels, height, width = image.shape
        high, wide = (int(v) for v in op.patch.get_values())
        sb, sc, sy, sx = image.strides
        rows, columns = height // high, width // wide
        patches = replace(
            image,
            shape=(batch, rows, columns, channels, high, wide),
            strides=(sb, high * sy, wide * sx, sc, sy, sx),
        )
        result = self.memory.allocate(tf.shape_of(op.result), "bf16", "patches")
        pitch = result.strides[0]
        target = replace(
            result,
            shape=patches.shape,
            strides=(rows * columns * pitch, columns * pitch, pitch, high * wide, wide, 1),
        )
        # largest box: a row of patches, for one channel
        order = (0, 1, 3, 2, 4, 5)
        self._move(op, patches.permuted(order), target.permuted(order))
        self.values[op.result] = result

    def _embedding(self, op: tf.EmbeddingOp) -> None:
        ids = self.view(op.ids)
        count = prod(ids.shape)
        flat = ids.reshaped((count,))
        if flat is None or (count > 1 and flat.strides[0] != 1):
            dense = self._copy_reshaped(op, ids, (1, count))
            flat = dense.reshaped((count,))
            assert flat is not None
        table = self.view(op.table)
        target = self.memory.allocate(tf.shape_of(op.result), "bf16", "embedding")
        rows = target.matrix()
        assert rows is not None
        columns = table.shape[1]
        block = max(1, min(16, self.rows_limit // (2 * columns)))
        for first, size in self.parts(count, count):
            kernel = EmbeddingKernel(
                self.machine,
                size,
                table.shape[0],
                columns,
                table.strides[0],
                rows.strides[0],
                min(block, size),
                self.base,
            )
            part = rows.row_range(first, size)
            source = flat.row_range(first, size)
            self.task(
                op,
                kernel,
                {"ids": source, "table": table, "target": part},
                reads=[source],
                writes=[part],
            )
        self.values[op.result] = target

    # endregion


def _box(dims: list[list[int]], limit: int) -> list[list[int]]:
    """Split dimensions so that the last three have at most `limit` elements."""
    result = [list(d) for d in dims]
    while (size := prod(d[0] for d in result[-3:])) > limit:
        # divide the outermost dimension of the box by the smallest factor that makes it fit
        index = next(i for i in range(max(0, len(result) - 3), len(result)) if result[i][0] > 1)
        extent, a, b = result[index]
        factors = [f for f in range(2, extent + 1) if extent % f == 0]
        factor = next((f for f in factors if size // f <= limit), factors[-1])
        inner = extent // factor
        result[index] = [inner, a, b]
        result.insert(max(0, len(result) - 3), [factor, a * inner, b * inner])
    return result
