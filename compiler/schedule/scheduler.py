"""From the fused `transformer` form to launches: the walk over the operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import cast

import numpy as np
from xdsl.dialects.builtin import BFloat16Type, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Operation, SSAValue

from softex_mlir.compiler.artifacts import TensorEntry, WeightImage
from softex_mlir.compiler.schedule.attention import AttentionKernel
from softex_mlir.compiler.schedule.kernel import ELEMENT_BYTES, ZEROS, Dtype, Kernel, team_size
from softex_mlir.compiler.schedule.linear import LinearArena, LinearKernel
from softex_mlir.compiler.schedule.moves import CopyKernel, EmbeddingKernel
from softex_mlir.compiler.schedule.order import Task
from softex_mlir.compiler.schedule.rows import RowOperand, RowsKernel
from softex_mlir.compiler.schedule.tiling import (
    CapacityError,
    LinearSearch,
    LinearShape,
    Tile,
    attention_candidates,
    linear_arena,
    row_blocks,
)
from softex_mlir.compiler.schedule.views import Region, View, region_for, row_major
from softex_mlir.compiler.weight_layout import WeightLayout, round_up
from softex_mlir.dialects import transformer as tf
from softex_mlir.dialects.cluster import COUNTER_BYTES, STACK_BYTES, GlobalKind
from softex_mlir.isa_sim.errors import UserError
from softex_mlir.isa_sim.machine import Machine

UNARY = {
    "transformer.gelu": "gelu",
    "transformer.gelu_tanh": "gelu_tanh",
    "transformer.relu": "relu",
    "transformer.tanh": "tanh",
    "transformer.silu": "silu",
    "transformer.sigmoid": "sigmoid",
    "transformer.exp": "exp",
    "transformer.softmax": "softmax",
}
BINARY = {"transformer.add": "add", "transformer.sub": "sub", "transformer.mul": "mul"}

ROWS_SHARE = 4
"""Row-wise kernels take at most this fraction (1/n) of the TCDM."""

COPY_BYTES = 16384
"""Wanted size of a copy's transfer."""

PART_BLOCKS = 3
"""Blocks of rows in one launch of a row-wise operation."""


class UnsupportedError(UserError, ValueError):
    """Operations that have no implementation on the cluster."""


@dataclass(frozen=True)
class WeightValue:
    """A weight before it is known how it is laid out."""

    name: str
    shape: tuple[int, ...]
    dtype: Dtype


@dataclass
class _Written:
    """Elements of a region a task stores."""

    first: int
    end: int
    task: Task


@dataclass
class Scheduler:
    """Turns operations into tasks; keeps track of L2 regions and who wrote what."""

    machine: Machine
    overrides: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    tasks: list[Task] = field(default_factory=list[Task])
    regions: dict[str, Region] = field(default_factory=dict[str, Region])
    images: dict[str, WeightImage] = field(default_factory=dict[str, WeightImage])
    inputs: list[TensorEntry] = field(default_factory=list[TensorEntry])
    outputs: list[TensorEntry] = field(default_factory=list[TensorEntry])
    values: dict[SSAValue, View | WeightValue] = field(
        default_factory=dict[SSAValue, "View | WeightValue"]
    )
    written: dict[str, list[_Written]] = field(default_factory=dict[str, list[_Written]])
    tiles: dict[LinearShape, Tile] = field(default_factory=dict[LinearShape, Tile])
    blocks: dict[int, int] = field(default_factory=dict[int, int])
    zero_columns: int = 32

    # region Layout of the TCDM

    @property
    def constants_offset(self) -> int:
        """Where TCDM constants begin: behind counters and stacks."""
        return COUNTER_BYTES + STACK_BYTES * self.machine.cluster.cores

    @property
    def base(self) -> int:
        """Where kernels' buffers begin."""
        terms = 0 if self.machine.softex is None else self.machine.softex.terms
        return round_up(self.constants_offset + 4 * round_up(terms, 2), 64)

    def plan(self, main: FuncOp) -> None:
        """Size the arenas: row-wise kernels first, matrix products get the rest."""
        tcdm = self.machine.cluster.tcdm_bytes
        limit = max(4096, (tcdm - self.base) // ROWS_SHARE)
        need = 0
        for op in main.body.walk():
            need = max(need, self._rows_bytes(op, limit))
        self.rows_limit = limit
        self.linear_base = round_up(self.base + need, 64)
        if self.linear_base > tcdm:
            raise CapacityError(
                f"row-wise operations need {need} bytes of TCDM, but only {tcdm - self.base} of "
                f"{tcdm} are left behind counters and stacks: use a larger TCDM"
            )
        shapes: list[LinearShape] = []
        for op in main.body.walk():
            shapes += self._linear_shapes(op)
        search = LinearSearch(self.machine, shapes, tcdm - self.linear_base, self.overrides)
        sizes, self.tiles = search.search()
        self.arena: LinearArena = linear_arena(sizes, self.linear_base)
        for shape, tile in self.tiles.items():
            self.blocks[shape.m] = tile.m

    def _rows_bytes(self, op: Operation, limit: int) -> int:
        """TCDM bytes of a row-wise operation with the smallest useful block."""
        if isinstance(op, tf.LayerNormOp):
            columns = tf.shape_of(op.result)[-1]
            fixed, row = 4 * columns + 128, 4 * columns + 128
        elif isinstance(op, tf.RMSNormOp):
            columns = tf.shape_of(op.result)[-1]
            fixed, row = 2 * columns + 64, 4 * columns + 128
        elif op.name in BINARY:
            columns = tf.shape_of(op.results[0])[-1]
            fixed, row = 64, 8 * columns + 256
        elif op.name in UNARY or isinstance(op, tf.MaskToBiasOp):
            columns = max(32, tf.shape_of(op.results[0])[-1])
            fixed, row = 64, 14 * columns + 256
        elif isinstance(op, tf.EmbeddingOp):
            fixed, row = 0, 2 * tf.shape_of(op.result)[-1] + 64
        elif isinstance(op, tf.LinearOp | tf.AttentionOp | tf.MatmulOp | tf.GetWeightOp | FuncOp):
            return 0
        else:
            return 4096
        # norms run beside matrix products and get a row for every core; the rest takes what is left
        wanted = team_size(self.machine) if isinstance(op, tf.LayerNormOp | tf.RMSNormOp) else 1
        while wanted > 1 and fixed + wanted * row > limit:
            wanted -= 1
        return fixed + wanted * row

    def _linear_shapes(self, op: Operation) -> list[LinearShape]:
        layer = _layer(op)
        if isinstance(op, tf.LinearOp):
            m, n = tf.shape_of(op.x)
            k = tf.shape_of(op.w)[1]
            return [
                LinearShape(
                    m,
                    round_up(n, 32),
                    round_up(k, 32),
                    op.activation.data,
                    op.residual is not None,
                    layer,
                )
            ]
        if isinstance(op, tf.MatmulOp):
            (m, n), k = tf.shape_of(op.a)[-2:], tf.shape_of(op.b)[-1]
            return [LinearShape(m, round_up(n, 32), round_up(k, 32), "none", False, layer)]
        return []

    # endregion
    # region Regions, weights, dependencies

    def allocate(self, shape: Sequence[int], dtype: Dtype = "bf16", hint: str = "t") -> View:
        """A new activation."""
        symbol = f"{hint}_{len(self.regions)}"
        region = region_for(symbol, GlobalKind.ACTIVATION, shape, dtype)
        self.regions[symbol] = region
        return row_major(region, shape)

    def weight_rows(self, weight: WeightValue) -> View:
        """A weight as plain rows."""
        layout = WeightLayout.rows(weight.shape)
        symbol = weight.name
        if symbol not in self.images:
            region = region_for(symbol, GlobalKind.WEIGHT, weight.shape, weight.dtype)
            self.regions[symbol] = region
            self.images[symbol] = WeightImage(
                symbol, weight.name, weight.shape, weight.dtype, layout, region.bytes
            )
        return row_major(self.regions[symbol], weight.shape)

    def weight_tiles(self, weight: WeightValue, tile: Tile) -> tuple[str, WeightLayout]:
        """A weight matrix in the order RedMulE jobs read it."""
        shape = (weight.shape[0], weight.shape[1])
        columns = min(tile.k, round_up(shape[1], 32))
        layout = WeightLayout.tiled(shape, tile.n, columns)
        symbol = f"{weight.name}.tiles_{layout.inner}x{layout.columns}"
        if symbol not in self.images:
            count = layout.elements(shape)
            self.regions[symbol] = Region(symbol, GlobalKind.WEIGHT, 1, count, "bf16")
            self.images[symbol] = WeightImage(
                symbol, weight.name, shape, weight.dtype, layout, 2 * count
            )
        return symbol, layout

    def zeros(self, columns: int) -> tuple[str, int]:
        """A row of at least `columns` zeros."""
        self.zero_columns = max(self.zero_columns, round_up(columns, 32))
        shape = (1, self.zero_columns)
        region = region_for(ZEROS, GlobalKind.WEIGHT, shape, "bf16")
        self.regions[ZEROS] = region
        self.images[ZEROS] = WeightImage(
            ZEROS,
            None,
            shape,
            "bf16",
            WeightLayout.rows(shape),
            region.bytes,
            np.zeros(shape, dtype=np.uint16),
        )
        return ZEROS, 0

    def view(self, value: SSAValue | None) -> View:
        """A value in L2; weights become rows."""
        assert value is not None
        found = self.values[value]
        return self.weight_rows(found) if isinstance(found, WeightValue) else found

    def producers(self, *views: View) -> list[Task]:
        """Tasks that store elements of these views."""
        found: dict[int, Task] = {}
        for view in views:
            first, end = view.extent
            for entry in self.written.get(view.region, ()):
                if entry.first < end and first < entry.end:
                    found[id(entry.task)] = entry.task
        return list(found.values())

    def task(
        self,
        op: Operation,
        kernel: Kernel,
        addresses: dict[str, View | tuple[str, int]],
        *,
        reads: Sequence[View],
        feeds: Sequence[View] = (),
        writes: Sequence[View],
        on_engine: bool = False,
        macs: int = 0,
    ) -> Task:
        """Append a task. `feeds` are the reads of `dma_in`."""
        feeders = self.producers(*feeds)
        task = Task(
            kernel,
            {k: v.address if isinstance(v, View) else v for k, v in addresses.items()},
            _layer(op),
            op.name.split(".")[-1],
            on_engine,
            list({id(t): t for t in (*feeders, *self.producers(*reads))}.values()),
            feeders,
            macs,
        )
        self.tasks.append(task)
        for view in writes:
            first, end = view.extent
            self.written.setdefault(view.region, []).append(_Written(first, end, task))
        return task

    # endregion
    # region The walk

    def run(self, main: FuncOp) -> None:
        """Schedule all operations of `@main`."""
        self.plan(main)
        block = main.body.block
        self._check(block.ops)
        names: set[str] = set()
        for index, argument in enumerate(block.args):
            name = _port_name(main, index, True) or f"input_{index}"
            symbol = _unique(f"input.{name}", names)
            dtype = _dtype(argument)
            shape = tf.shape_of(argument)
            region = region_for(symbol, GlobalKind.INPUT, shape, dtype)
            self.regions[symbol] = region
            self.values[argument] = row_major(region, shape)
            self.inputs.append(TensorEntry(name, shape, dtype, symbol, region.pitch))
        for op in block.ops:
            if isinstance(op, ReturnOp):
                self._return(main, op, names)
            else:
                self._operation(op)

    def _check(self, ops: Iterable[Operation]) -> None:
        known = (
            tf.GetWeightOp,
            tf.LinearOp,
            tf.AttentionOp,
            tf.LayerNormOp,
            tf.RMSNormOp,
            tf.MatmulOp,
            tf.EmbeddingOp,
            tf.MaskToBiasOp,
            tf.PatchifyOp,
            tf.SliceOp,
            tf.ConcatOp,
            tf.ReshapeOp,
            tf.TransposeOp,
            ReturnOp,
        )
        bad = [
            f"{op.name} (layer '{_layer(op)}')"
            for op in ops
            if not isinstance(op, known) and op.name not in UNARY and op.name not in BINARY
        ]
        if bad:
            raise UnsupportedError(
                "these operations cannot be scheduled: " + ", ".join(bad) + "; run the fusion "
                "passes first, or rewrite the model without them"
            )

    def _operation(self, op: Operation) -> None:
        if isinstance(op, tf.GetWeightOp):
            name = op.weight.root_reference.data
            self.values[op.result] = WeightValue(name, tf.shape_of(op.result), _dtype(op.result))
        elif isinstance(op, tf.LinearOp):
            self._linear(op)
        elif isinstance(op, tf.MatmulOp):
            self._matmul(op)
        elif isinstance(op, tf.AttentionOp):
            self._attention(op)
        elif isinstance(op, tf.EmbeddingOp):
            self._embedding(op)
        elif isinstance(op, tf.ReshapeOp):
            x = self.view(op.x)
            shape = tf.shape_of(op.result)
            found = x.reshaped(shape)
            if found is None:
                dense = self._copy(op, x, tf.shape_of(op.x))
                found = dense.reshaped(shape) or self._copy_reshaped(op, x, shape)
            self.values[op.result] = found
        elif isinstance(op, tf.SliceOp):
            self.values[op.result] = self.view(op.x).sliced(
                [int(v) for v in op.offsets.get_values()],
                [int(v) for v in op.sizes.get_values()],
                op.steps,
            )
        elif isinstance(op, tf.TransposeOp):
            order = [int(v) for v in op.permutation.get_values()]
            self.values[op.result] = self.view(op.x).permuted(order)
        elif isinstance(op, tf.ConcatOp):
            self._concat(op)
        elif isinstance(op, tf.PatchifyOp):
            self._patchify(op)
        else:
            self._rowwise(op)

    def _return(self, main: FuncOp, op: ReturnOp, names: set[str]) -> None:
        taken: set[str] = set()
        for index, value in enumerate(op.arguments):
            name = _port_name(main, index, False) or f"output_{index}"
            view = self.view(value)
            shape = tf.shape_of(value)
            region = self.regions[view.region]
            dense = row_major(replace(region, pitch=region.pitch), shape)
            whole = (
                view.region not in taken
                and region.kind is GlobalKind.ACTIVATION
                and replace(view, zero_padded=True) == dense
            )
            if not whole:
                view = self._copy(op, view, shape)
                region = self.regions[view.region]
            taken.add(view.region)
            region.kind = GlobalKind.OUTPUT
            symbol = _unique(f"output.{name}", names)
            self._rename(region.symbol, symbol)
            self.outputs.append(TensorEntry(name, shape, view.dtype, symbol, region.pitch))

    def _rename(self, old: str, new: str) -> None:
        region = self.regions.pop(old)
        region.symbol = new
        self.regions[new] = region
        for task in self.tasks:
            for key, (symbol, offset) in task.addresses.items():
                if symbol == old:
                    task.addresses[key] = (new, offset)
        for value, view in self.values.items():
            if isinstance(view, View) and view.region == old:
                self.values[value] = replace(view, region=new)

    # endregion
    # region Movement

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
        target = self.allocate(shape, view.dtype)
        self._move(op, view, target)
        return target

    def _copy_reshaped(self, op: Operation, view: View, shape: Sequence[int]) -> View:
        """A reshape that changes the rows' length: row by row through a region without padding."""
        flat = Region(f"t_{len(self.regions)}", GlobalKind.ACTIVATION, 1, 0, view.dtype)
        flat.pitch = round_up(prod(shape), 32)
        self.regions[flat.symbol] = flat
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
        addresses: dict[str, View | tuple[str, int]] = {"source": source, "target": target}
        self.task(op, kernel, addresses, reads=[source], writes=[target])

    def _concat(self, op: tf.ConcatOp) -> None:
        axis = op.axis.value.data
        shape = tf.shape_of(op.result)
        target = self.allocate(shape, _dtype(op.result), "concat")
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
        result = self.allocate(tf.shape_of(op.result), "bf16", "patches")
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
        target = self.allocate(tf.shape_of(op.result), "bf16", "embedding")
        rows = target.matrix()
        assert rows is not None
        columns = table.shape[1]
        block = max(1, min(16, self.rows_limit // (2 * columns)))
        for first, size in self._parts(count, count):
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
    # region Row-wise operations

    def _parts(self, rows: int, part: int) -> list[tuple[int, int]]:
        """Launches of a row-wise operation: pieces of the blocks that matrix products use."""
        found: list[tuple[int, int]] = []
        for start, size in row_blocks(self.machine, rows, self.blocks.get(rows, rows)):
            for first in range(0, size, part):
                found.append((start + first, min(part, size - first)))
        return found

    def _rowwise(self, op: Operation) -> None:
        name = UNARY.get(op.name) or BINARY.get(op.name) or op.name.split(".")[-1]
        result = op.results[0]
        shape = tf.shape_of(result)
        columns, rows = shape[-1], prod(shape[:-1])
        target = self.allocate(shape, "bf16", name)
        out = target.matrix()
        assert out is not None
        parameters: tuple[float, ...] = ()
        views: list[View] = []
        modulus: list[int] = []
        period = rows
        if isinstance(op, tf.LayerNormOp | tf.RMSNormOp):
            parameters = (op.eps.value.data,)
        if isinstance(op, tf.MaskToBiasOp):
            self._mask_to_bias(op, target)
            return
        for operand in op.operands:
            view = self._matrix(op, self.view(operand))
            if view.shape[1] == 1 and columns > 1:
                raise UnsupportedError(
                    f"{op.name} (layer '{_layer(op)}') repeats an operand of one column along the "
                    "rows: not supported, expand it before"
                )
            views.append(view)
            modulus.append(view.shape[0])
            if view.shape[0] not in (1, rows):
                period = view.shape[0]
        if modulus[0] == 1 and rows > 1:
            if name == "sub" or modulus[1] == 1:
                raise UnsupportedError(
                    f"{op.name} (layer '{_layer(op)}') repeats its first operand: swap the operands"
                )
            views.reverse()
            modulus.reverse()
        inputs = tuple(
            RowOperand(columns, v.strides[0], count != 1 or rows == 1, v.dtype)
            if index == 0 or count != 1
            else RowOperand(columns, v.strides[0], False, v.dtype)
            for index, (v, count) in enumerate(zip(views, modulus, strict=True))
        )
        kernel = self._fit(
            RowsKernel(
                self.machine,
                name,
                rows,
                columns,
                1,
                inputs,
                out.strides[0],
                self.base,
                parameters,
            ),
            op,
        )
        for first, size in self._periodic_parts(rows, period, kernel.block):
            part = replace(kernel, rows=size, block=min(kernel.block, size))
            reads = [
                v if count == 1 else v.row_range(first % count, size)
                for v, count in zip(views, modulus, strict=True)
            ]
            stored = out.row_range(first, size)
            addresses: dict[str, View | tuple[str, int]] = {
                f"x{i}": read for i, read in enumerate(reads)
            }
            addresses["y"] = stored
            self.task(op, part, addresses, reads=reads, writes=[stored])
        self.values[result] = target

    def _periodic_parts(self, rows: int, period: int, block: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for first, size in self._parts(rows, PART_BLOCKS * block):
            while size > 0:
                share = min(size, period - first % period)
                found.append((first, share))
                first, size = first + share, size - share
        return found

    def _mask_to_bias(self, op: tf.MaskToBiasOp, target: View) -> None:
        mask = self._matrix(op, self.view(op.mask))
        if op.base is not None:
            raise UnsupportedError(
                f"{op.name} (layer '{_layer(op)}') with a base is not supported yet"
            )
        out = target.matrix()
        assert out is not None
        rows, columns = out.shape
        inputs = (RowOperand(mask.shape[1], mask.strides[0], True, "i32"),)
        kernel = self._fit(
            RowsKernel(
                self.machine,
                "mask_to_bias",
                rows,
                columns,
                1,
                inputs,
                out.strides[0],
                self.base,
            ),
            op,
        )
        self.task(op, kernel, {"x0": mask, "y": out}, reads=[mask], writes=[out])
        self.values[op.result] = target

    def _fit(self, kernel: RowsKernel, op: Operation) -> RowsKernel:
        """The kernel with the largest block of rows that fits its arena."""
        team = team_size(self.machine)
        room = self.linear_base - self.base
        for block in (4 * team, 3 * team, 2 * team, *range(team, 0, -1)):
            if block > kernel.rows and block > team:
                continue
            found = replace(kernel, block=min(block, kernel.rows))
            if found.end - found.offset <= room:
                return found
        need = replace(kernel, block=1)
        raise CapacityError(
            f"{op.name} (layer '{_layer(op)}') needs {need.end - need.offset} bytes of TCDM for "
            f"one row of {kernel.columns} columns in two slots; {room} are there: "
            + ", ".join(f"{b.name} {b.slots} x {b.slot_bytes}" for b in need.buffers())
        )

    # endregion
    # region Matrix products

    def _linear(self, op: tf.LinearOp) -> None:
        shape = self._linear_shapes(op)[0]
        x = self._matrix(op, self.view(op.x), padded=True)
        residual = None if op.residual is None else self._matrix(op, self.view(op.residual), True)
        bias = None if op.bias is None else self.view(op.bias)
        target = self.allocate(tf.shape_of(op.result), "bf16", "linear")
        self._product(op, shape, x, self.values[op.w], bias, residual, target)
        self.values[op.result] = target

    def _matmul(self, op: tf.MatmulOp) -> None:
        shape = self._linear_shapes(op)[0]
        a, b = self.view(op.a), self.view(op.b)
        target = self.allocate(tf.shape_of(op.result), "bf16", "matmul")
        if len(a.shape) == 2:
            weight = self.values[op.b]
            self._product(op, shape, self._matrix(op, a, True), weight, None, None, target)
        else:
            for index in range(a.shape[0]):

                def part(view: View, index: int = index) -> View:
                    offsets = [index] + [0] * (len(view.shape) - 1)
                    sliced = view.sliced(offsets, (1, *view.shape[1:]), [1] * len(view.shape))
                    found = sliced.reshaped(view.shape[1:])
                    assert found is not None
                    return found

                left = self._matrix(op, part(a), True)
                self._product(op, shape, left, part(b), None, None, part(target))
        self.values[op.result] = target

    def _product(
        self,
        op: Operation,
        shape: LinearShape,
        x: View,
        weight: View | WeightValue,
        bias: View | None,
        residual: View | None,
        target: View,
    ) -> None:
        tile = self.tiles[shape]
        out = target.matrix()
        assert out is not None
        inner, wide = x.shape[1], tf.shape_of(op.results[0])[-1]
        w_pitch: int | None = None
        w_view: View | None = None
        layout: WeightLayout | None = None
        symbol = ""
        if isinstance(weight, WeightValue):
            symbol, layout = self.weight_tiles(weight, tile)
        else:
            w_view = self._padded_inner(op, weight, shape.n)
            w_pitch = w_view.strides[0]
        for first, rows in row_blocks(self.machine, shape.m, tile.m):
            for start, width, group in _groups(shape.k, tile):
                kernel = LinearKernel(
                    self.machine,
                    self.arena,
                    rows,
                    tile.n,
                    width // group,
                    shape.n // tile.n,
                    group,
                    min(tile.piece, rows),
                    shape.activation,
                    x.strides[0],
                    out.strides[0],
                    None if residual is None else residual.strides[0],
                    w_pitch,
                )
                x_rows = x.row_range(first, rows)
                stored = replace(
                    out.row_range(first, rows),
                    offset=out.offset + first * out.strides[0] + start,
                    shape=(rows, width),
                )
                addresses: dict[str, View | tuple[str, int]] = {"x_l2": x_rows, "out": stored}
                feeds = [x_rows]
                if layout is not None:
                    addresses["w_l2"] = (symbol, 2 * layout.tile_offset(start // tile.k))
                else:
                    assert w_view is not None
                    addresses["w_l2"] = (w_view.region, 2 * (w_view.offset + start))
                    feeds.append(w_view)
                if bias is None:
                    addresses["bias"] = self.zeros(width)
                else:
                    addresses["bias"] = (bias.region, 2 * (bias.offset + start))
                    feeds.append(bias)
                reads: list[View] = []
                if residual is not None:
                    part = residual.row_range(first, rows)
                    addresses["residual"] = (part.region, 2 * (part.offset + start))
                    reads.append(part)
                self.task(
                    op,
                    kernel,
                    addresses,
                    reads=reads,
                    feeds=feeds,
                    writes=[stored],
                    on_engine=True,
                    macs=rows * inner * min(width, max(0, wide - start)),
                )

    def _padded_inner(self, op: Operation, view: View, inner: int) -> View:
        """An activation as W: rows up to a multiple of 32 exist, zero, and so do columns."""
        found = self._matrix(op, view, True)
        if found.shape[0] == inner:
            return found
        region = region_for("", GlobalKind.ACTIVATION, (inner, found.shape[1]), "bf16")
        region.symbol = f"t_{len(self.regions)}"
        self.regions[region.symbol] = region
        padded = row_major(region, (inner, found.shape[1]))
        self._move(op, found, padded.row_range(0, found.shape[0]))
        return padded

    def _attention(self, op: tf.AttentionOp) -> None:
        q, k, v = (self._matrix(op, self.view(x)) for x in (op.q, op.k, op.v))
        bias = self._matrix(op, self.view(op.bias))
        target = self.allocate(tf.shape_of(op.result), "bf16", "attention")
        out = target.matrix()
        assert out is not None
        queries, keys, batch = op.queries, op.keys, op.batch.value.data
        rows_kind = op.bias_rows.data
        kernel = AttentionKernel(
            self.machine,
            queries,
            keys,
            bias.shape[1],
            op.heads.value.data,
            op.head_size,
            op.value_size,
            queries,
            2,
            1,
            3,
            rows_kind in ("query", "batch_query"),
            q.strides[0],
            k.strides[0],
            v.strides[0],
            bias.strides[0],
            out.strides[0],
            self.base,
        )
        found = attention_candidates(kernel, self.machine.cluster.tcdm_bytes)
        if found is None:
            small = replace(kernel, rows=1, score_slots=2, transposed_slots=1, value_slots=1)
            raise CapacityError(
                f"attention (layer '{_layer(op)}') with {keys} keys of {op.head_size} does not fit "
                f"the TCDM: the smallest form needs {small.end} bytes of "
                f"{self.machine.cluster.tcdm_bytes}: "
                + ", ".join(f"{b.name} {b.slots} x {b.slot_bytes}" for b in small.buffers())
            )
        zeros = self.zeros(found.zeros)
        for index in range(batch):
            first_bias = {
                "all": 0,
                "query": 0,
                "batch": index,
                "batch_query": index * queries,
            }[rows_kind]
            bias_rows = queries if found.bias_per_query else 1
            parts = {
                "q_l2": q.row_range(index * queries, queries),
                "k_l2": k.row_range(index * keys, keys),
                "v_l2": v.row_range(index * keys, keys),
                "bias": bias.row_range(first_bias, bias_rows),
                "out": out.row_range(index * queries, queries),
            }
            addresses: dict[str, View | tuple[str, int]] = {**parts, "zeros": zeros}
            feeds = [parts[name] for name in ("q_l2", "k_l2", "v_l2", "bias")]
            macs = found.heads * queries * keys * (found.size + found.value_size)
            self.task(
                op,
                found,
                addresses,
                reads=[],
                feeds=feeds,
                writes=[parts["out"]],
                on_engine=True,
                macs=macs,
            )
        self.values[op.result] = target

    # endregion


def _groups(columns: int, tile: Tile) -> list[tuple[int, int, int]]:
    """Launches along the columns: (first column, columns, tiles)."""
    found: list[tuple[int, int, int]] = []
    start = 0
    while start < columns:
        tiles = min(tile.group, (columns - start) // tile.k)
        width = tiles * tile.k if tiles else columns - start
        found.append((start, width, max(1, tiles)))
        start += width
    return found


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


def _layer(op: Operation) -> str:
    layer = getattr(op, "layer", None)
    return "" if layer is None else layer.data


def _dtype(value: SSAValue) -> Dtype:
    kind = cast("TensorType[Attribute]", value.type)
    return "bf16" if isinstance(kind.element_type, BFloat16Type) else "i32"


def _port_name(main: FuncOp, index: int, is_input: bool) -> str | None:
    attributes = main.arg_attrs if is_input else main.res_attrs
    if attributes is None:
        return None
    name = attributes.data[index].data.get("transformer.name")
    return getattr(name, "data", None)


def _unique(name: str, names: set[str]) -> str:
    while name in names:
        name += "_"
    names.add(name)
    return name
