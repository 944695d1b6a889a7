"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.schedule.fused_form import affine_behind, factor_of, rotary_behind
from softex_mlir.compiler.schedule.kernels.linear.geometry import AFFINE
from softex_mlir.compiler.schedule.kernels.linear.kernel import LinearKernel
from softex_mlir.compiler.schedule.kernels.linear.turned import BIAS_COLUMNS
from softex_mlir.compiler.schedule.l2_objects import WeightValue
from softex_mlir.compiler.schedule.operations.copies import matrix_of, move, turn
from softex_mlir.compiler.schedule.scheduling import Scheduling, schedule_of, schedules
from softex_mlir.compiler.schedule.search.tile_costs import row_blocks
from softex_mlir.compiler.schedule.search.tiles import LinearShape, Tile
from softex_mlir.compiler.schedule.search.tiling import epilogue_piece
from softex_mlir.compiler.schedule.search.turning import Turned
from softex_mlir.compiler.schedule.views import Address, Region, View, row_major
from softex_mlir.compiler.weight_layout import WeightLayout
from softex_mlir.dialects import transformer as tf
from softex_mlir.dialects.cluster import GlobalKind

BIAS_PART = 768
"""Elements of a bias that a launch turns."""


@schedules(tf.LinearOp)
def schedule_linear(op: tf.LinearOp, s: Scheduling) -> None:
    """A product with its bias, activation and residual."""
    # else computed with what follows
    behind = (affine_behind(op), factor_of(op), rotary_behind(op))
    if all(found is None for found in behind):
        s.values[op.result] = _linear(op, s, ())


def schedule_linear_up_to(op: tf.LinearOp, end: Operation, s: Scheduling) -> None:
    """A product and an epilogue that ends with an operation on its rows: the product with a vector
    and the addition of another, the product with another activation, or heads turned."""
    vectors: tuple[SSAValue, ...] = ()
    if isinstance(end, tf.AddOp):
        scale = affine_behind(op)
        assert scale is not None
        vectors = (scale.rhs, end.rhs)
    s.values[end.results[0]] = _linear(op, s, vectors)


def _linear(op: tf.LinearOp, s: Scheduling, affine: Sequence[SSAValue]) -> View:
    shape = LinearShape.of(op)
    x = matrix_of(s, op, s.view(op.x), shape.n)
    if op in s.plan.turned:
        _turned(s, s.plan.turned[op], x)
        return s.view(op.result)
    factor, rotary = factor_of(op), rotary_behind(op)
    other = op.residual if factor is None else factor
    residual = None if other is None else matrix_of(s, op, s.view(other), shape.k)
    if rotary is not None:
        residual = matrix_of(s, op, s.view(rotary.table))
    bias = None if op.bias is None else s.view(op.bias)
    target = s.memory.allocate(tf.shape_of(op.result), "bf16", "linear")
    vectors = [matrix_of(s, op, s.view(vector)) for vector in affine]
    _product(s, op, shape, x, s.values[op.w], bias, residual, target, vectors, factor is not None)
    return target


def _turned(s: Scheduling, found: Turned, x: View) -> None:
    """Products of one x: a launch, with the first of them, behind turns of x by blocks of rows."""
    op, kernel = found.ops[0], found.kernel
    if op.result in s.values:
        return
    rows, inner, columns = kernel.tokens, kernel.n * kernel.chunks, kernel.columns
    turned = s.memory.allocate((inner, rows), "bf16", "turned")
    for first, size in s.plan.row_blocks(rows):
        place = turned.permuted((1, 0)).row_range(first, size)
        turn(s, op, x.row_range(first, size), place, s.plan.rows_room)
    feeds, writes = [turned], list[View]()
    addresses: dict[str, View | Address] = {"turned": turned}
    for index, other in enumerate(found.ops):
        weight = _weight(s, other.w)
        assert isinstance(weight, WeightValue)
        target = s.memory.allocate((rows, columns), "bf16", "linear")
        s.values[other.result] = target
        addresses[f"rows{index}"] = s.memory.weight_columns(weight, inner)
        addresses[f"bias{index}"] = s.memory.zeros(BIAS_COLUMNS)
        addresses[f"out{index}"] = target
        writes.append(target)
        if other.bias is not None:
            _weight(s, other.bias)
            bias = _turned_bias(s, op, s.view(other.bias))
            addresses[f"bias{index}"] = bias
            feeds.append(bias)
    s.tasks.add(
        op,
        replace(kernel, out_pitch=writes[0].strides[0]),
        addresses,
        feeds=feeds,
        writes=writes,
        on_engine=True,
        macs=rows * inner * columns * kernel.products,
    )


def _weight(s: Scheduling, weight: SSAValue) -> View | WeightValue:
    """A weight, also one that the walk over the operations has not come to."""
    if weight not in s.values:
        assert isinstance(weight.owner, tf.GetWeightOp)
        schedule = schedule_of(weight.owner)
        assert schedule is not None
        schedule(weight.owner, s)
    return s.values[weight]


def _turned_bias(s: Scheduling, op: tf.LinearOp, bias: View) -> View:
    """A bias as a few columns, turned in parts that the cores find time for between other work."""
    (size,) = bias.shape
    repeated = replace(bias, shape=(BIAS_COLUMNS, size), strides=(0, 1))
    found = s.memory.allocate((size, BIAS_COLUMNS), "bf16", "bias")
    for first in range(0, size, BIAS_PART):
        part = first, min(BIAS_PART, size - first)
        place = found.permuted((1, 0)).columns(*part)
        turn(s, op, repeated.columns(*part), place, s.plan.rows_room)
    return found


@schedules(tf.MatmulOp)
def schedule_matmul(op: tf.MatmulOp, s: Scheduling) -> None:
    """A product of two activations a batch element."""
    shape = LinearShape.of(op)
    a, b = s.view(op.a), s.view(op.b)
    target = s.memory.allocate(tf.shape_of(op.result), "bf16", "matmul")
    if len(a.shape) == 2:
        weight = s.values[op.b]
        _product(s, op, shape, matrix_of(s, op, a, shape.n), weight, None, None, target)
    else:
        for index in range(a.shape[0]):

            def part(view: View, index: int = index) -> View:
                offsets = [index] + [0] * (len(view.shape) - 1)
                sliced = view.sliced(offsets, (1, *view.shape[1:]), [1] * len(view.shape))
                found = sliced.reshaped(view.shape[1:])
                assert found is not None
                return found

            left = matrix_of(s, op, part(a), shape.n)
            _product(s, op, shape, left, part(b), None, None, part(target))
    s.values[op.result] = target


def _product(
    s: Scheduling,
    op: Operation,
    shape: LinearShape,
    x: View,
    weight: View | WeightValue,
    bias: View | None,
    residual: View | None,
    target: View,
    affine: Sequence[View] = (),
    multiplies: bool = False,
) -> None:
    """Launches of a product; `multiplies`: its result is multiplied by the residual."""
    tile = s.plan.tiles[shape]
    out = target.matrix()
    assert out is not None
    inner, wide = x.shape[1], tf.shape_of(op.results[0])[-1]
    w_pitch: int | None = None
    w_view: View | None = None
    packed: Region | None = None
    layout: WeightLayout | None = None
    if isinstance(weight, WeightValue):
        packed, layout = s.memory.weight_tiles(weight, tile.n, tile.k)
    else:
        w_view = _padded_inner(s, op, weight, shape)
        w_pitch = w_view.strides[0]
    machine = shape.machine(s.machine)
    for first, rows in row_blocks(s.machine, shape.m, tile.m):
        for start, width, group in _groups(shape.k, tile):
            kernel = LinearKernel(
                machine,
                s.plan.arenas[shape.slots],
                rows,
                tile.n,
                width // group,
                shape.n // tile.n,
                group,
                epilogue_piece(machine, shape.activation, min(tile.piece, rows), width // group),
                shape.activation,
                x.strides[0],
                out.strides[0],
                None if residual is None else residual.strides[0],
                w_pitch,
                max(1, shape.n // shape.splits // tile.n),
                max(1, tile.n * shape.splits // shape.n),
                tile.ring,
                shape.wide,
                bool(affine),
                "mul" if multiplies else "add",
                shape.rotary,
            )
            x_rows = x.row_range(first, rows)
            stored = replace(
                out.row_range(first, rows),
                offset=out.offset + first * out.strides[0] + start,
                shape=(rows, width),
            )
            addresses: dict[str, View | Address] = {"x_l2": x_rows, "out": stored}
            feeds = [x_rows]
            if packed is not None and layout is not None:
                addresses["w_l2"] = (packed, 2 * layout.tile_offset(start // tile.k))
            else:
                assert w_view is not None
                addresses["w_l2"] = (w_view.region, 2 * (w_view.offset + start))
                feeds.append(w_view)
            if bias is None:
                addresses["bias"] = s.memory.zeros(width)
            else:
                addresses["bias"] = (bias.region, 2 * (bias.offset + start))
                feeds.append(bias)
            reads: list[View] = []
            if residual is not None:
                part = residual.row_range(first, rows)
                part = part if shape.rotary else part.columns(start, width)
                addresses["residual"] = part
                reads.append(part)
            for name, vector in zip(AFFINE, affine, strict=False):
                part = vector.columns(start, width)
                addresses[name] = part
                reads.append(part)
            s.tasks.add(
                op,
                kernel,
                addresses,
                reads=reads,
                feeds=feeds,
                writes=[stored],
                on_engine=True,
                macs=rows * inner * min(width, max(0, wide - start)),
            )


def _padded_inner(s: Scheduling, op: Operation, view: View, product: LinearShape) -> View:
    """An activation as W: rows up to the padded inner size exist, zero, and so do columns."""
    found = matrix_of(s, op, view, product.k)
    if found.shape[0] == product.n:
        return found
    shape = (product.n, found.shape[1])
    region = s.memory.add(GlobalKind.ACTIVATION, shape, "bf16")
    region.filled = found.shape[0], found.shape[1]
    padded = row_major(region, shape)
    move(s, op, found, padded.row_range(0, found.shape[0]))
    return padded


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
