"""ONNX operators that move data: shapes, slices, joins, look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx
from onnx import helper
from xdsl.dialects import arith
from xdsl.dialects.builtin import bf16, f32
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Scalars
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.lookup import BEYOND, INT64, from_the_front, selected
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of, operator
from softex_mlir.compiler.importers.onnx.tensors import map_values, of_one_type
from softex_mlir.compiler.importers.onnx.values import (
    ActivationSequence,
    Array,
    Past,
    Symbolic,
    Unsupported,
    Value,
    describe,
    element_of,
    shape_of_value,
)
from softex_mlir.compiler.transforms.transformer.l1_values import trace
from softex_mlir.dialects import transformer as t


@operator("Shape", "Size")
def shape(state: Importer, node: Node) -> list[Value]:
    found = np.array(shape_of_value(node.input(0)), np.int64)
    if node.kind == "Size":
        return [np.array(found.prod(), np.int64)]
    return [found[node.attribute("start", 0) : node.attribute("end", len(found))]]


@operator("EyeLike", note="a constant: only the shape of its operand counts")
def eye_like(state: Importer, node: Node) -> list[Value]:
    rows, columns = shape_of_value(node.input(0))
    kind = node.attribute("dtype", node.element_type(0))
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    return [np.eye(rows, columns, node.attribute("k", 0), dtype=dtype)]


@operator("Reshape")
def reshape(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    before, target = t.shape_of(x), node.required(1, "shape")
    sizes = [int(n) for n in target]
    if not node.attribute("allowzero", 0):
        sizes = [before[i] if n == 0 else n for i, n in enumerate(sizes)]
    if -1 in sizes:
        rest = prod(n for n in sizes if n != -1)
        sizes[sizes.index(-1)] = prod(before) // max(rest, 1)
    if prod(sizes) != prod(before):
        raise Unsupported(f"{before} has other elements than {tuple(sizes)}")
    return [state.emit(t.ReshapeOp(x, sizes))]


@operator("Flatten")
def flatten(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    before = t.shape_of(x)
    # The axis may be the rank itself: everything is in front of it.
    given = int(node.attribute("axis", 1))
    axis = axis_of(given + len(before) if given < 0 else given, len(before) + 1) if before else 0
    sizes = (prod(before[:axis]), prod(before[axis:]))
    return [state.emit(t.ReshapeOp(x, sizes))]


@operator("Squeeze", "Unsqueeze")
def squeeze(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    before = t.shape_of(x)
    axes = node.ints(1, "axes", "axes")
    if node.kind == "Unsqueeze":
        if axes is None:
            raise Unsupported("its axes are missing")
        rank = len(before) + len(axes)
        normal = {axis_of(a, rank) for a in axes}
        rest = iter(before)
        return [state.emit(t.ReshapeOp(x, [1 if i in normal else next(rest) for i in range(rank)]))]
    normal = (
        {axis_of(a, len(before)) for a in axes}
        if axes is not None
        else {i for i, n in enumerate(before) if n == 1}
    )
    return [state.emit(t.ReshapeOp(x, [n for i, n in enumerate(before) if i not in normal]))]


@operator("Transpose")
def transpose(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    given = node.attribute("perm")
    order = list(range(len(t.shape_of(x))))[::-1] if given is None else given
    return [state.emit(t.TransposeOp(x, [int(p) for p in order]))]


def _alike(state: Importer, values: list[Value]) -> list[SSAValue]:
    """Values as activations of one element type: bf16 where float32 meets it."""
    given = {element_of(v) for v in values if isinstance(v, SSAValue)}
    return of_one_type(state, [state.tensor(v, wide=given == {f32}) for v in values])


@operator("Concat")
def concat(state: Importer, node: Node) -> list[Value]:
    values = [v for v in node.inputs() if isinstance(v, Past) or 0 not in shape_of_value(v)]
    if any(isinstance(v, Past) for v in values):
        return [_cached(state, values, node.attribute("axis", 1))]
    parts = _alike(state, values)
    axis = axis_of(node.attribute("axis", 1), len(t.shape_of(parts[0])))
    return [parts[0] if len(parts) == 1 else state.emit(t.ConcatOp(parts, axis))]


def _cached(state: Importer, values: Sequence[Value], axis: int) -> Value:
    """A cache joined with the next tokens' keys or values."""
    past = values[0]
    if isinstance(past, Past) and len(values) == 1:
        return past
    rows = values[1]
    if (
        not isinstance(past, Past)
        or not isinstance(rows, SSAValue)
        or len(values) != 2
        or axis_of(axis, 4) != 2
    ):
        raise Unsupported("a cache that is joined in another way than with the next tokens'")
    assert state.decoder is not None
    return state.decoder.append(past, state.narrowed(rows))


@operator("Expand")
def expand(state: Importer, node: Node) -> list[Value]:
    x, target = node.tensor(0), node.required(1, "shape")
    result = np.broadcast_shapes(t.shape_of(x), tuple(int(n) for n in target))
    if result == t.shape_of(x):
        return [x]
    if element_of(x) != bf16:
        return [map_values(state, [x], lambda e, v: v[0], node.element_type(0), shape=result)]
    return [state.emit(t.ExpandOp(x, result))]


@operator("Slice")
def slice_(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    before = t.shape_of(x)
    starts, ends = node.ints(1, "starts", "starts"), node.ints(2, "ends", "ends")
    if starts is None or ends is None:
        raise Unsupported("its starts or ends are missing")
    axes = node.ints(3, "axes", "axes") or list(range(len(starts)))
    steps = node.ints(4, "steps", "steps") or [1] * len(starts)
    offsets, sizes, strides = [0] * len(before), list(before), [1] * len(before)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis_of(axis, len(before))
        chosen = range(before[axis])[slice(start, end, step)]
        offsets[axis], sizes[axis], strides[axis] = chosen.start, len(chosen), step
    if 0 in sizes:
        return [_nothing(node, sizes)]
    return [state.emit(t.SliceOp(x, offsets, sizes, strides))]


def _nothing(node: Node, shape: Sequence[int]) -> Array:
    """No elements of the operand's type: what it is computed from cannot matter."""
    kind = node.element_type(0) or onnx.TensorProto.FLOAT
    return np.zeros(shape, helper.tensor_dtype_to_np_dtype(kind))


@operator("Split")
def split(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    axis = axis_of(node.attribute("axis", 0), len(t.shape_of(x)))
    sizes, count = node.ints(1, "split", "split"), len(node.proto.output)
    if sizes is None:
        count = int(node.attribute("num_outputs", count))
        sizes = _chunks(t.shape_of(x)[axis], -(-t.shape_of(x)[axis] // count))
    if sum(sizes) != t.shape_of(x)[axis] or min(sizes) < 0 or len(sizes) != len(node.proto.output):
        raise Unsupported(f"{t.shape_of(x)[axis]} elements in parts of {sizes}")
    parts = iter(_parts(state, x, axis, [size for size in sizes if size]))
    before = t.shape_of(x)
    empty = _nothing(node, (*before[:axis], 0, *before[axis + 1 :]))
    return [next(parts) if size else empty for size in sizes]


@operator("SplitToSequence", note="read by SequenceAt")
def split_to_sequence(state: Importer, node: Node) -> list[Value]:
    x, given = node.tensor(0), node.constant(1, "split")
    before = t.shape_of(x)
    axis = axis_of(node.attribute("axis", 0), len(before))
    keep = node.attribute("keepdims", 1)  # without meaning where the sizes are given
    if given is None:
        sizes = [1] * before[axis]
    elif given.ndim == 0:
        sizes = _chunks(before[axis], int(given))
    else:
        sizes = [int(n) for n in given]
    if sum(sizes) != before[axis] or min(sizes) < 1:
        raise Unsupported(f"{before[axis]} elements in parts of {sizes}")
    parts = _parts(state, x, axis, sizes)
    if given is None and not keep:
        shape = (*before[:axis], *before[axis + 1 :])
        parts = [state.emit(t.ReshapeOp(part, shape)) for part in parts]
    return [ActivationSequence(tuple(parts))]


@operator("SequenceAt", note="of SplitToSequence")
def sequence_at(state: Importer, node: Node) -> list[Value]:
    sequence, position = node.input(0), node.required(1, "position")
    if not isinstance(sequence, ActivationSequence):
        raise Unsupported(f"an element of {describe(sequence)}")
    return [sequence.parts[_index(position.item(), len(sequence.parts))]]


def _index(index: int, size: int) -> int:
    """A position counted from the front.

    Raises `Unsupported` if there is none.
    """
    if not -size <= index < size:
        raise Unsupported(f"index {index} lies outside {size} elements")
    return index % size


def _chunks(total: int, size: int) -> list[int]:
    """`total` in parts of `size`, the last may be smaller."""
    return [min(size, total - start) for start in range(0, total, size)]


def _parts(state: Importer, x: SSAValue, axis: int, sizes: list[int]) -> list[SSAValue]:
    """Consecutive slices along a dimension."""
    before = t.shape_of(x)
    parts: list[SSAValue] = []
    start = 0
    for size in sizes:
        offsets, shape = [0] * len(before), list(before)
        offsets[axis], shape[axis] = start, size
        parts.append(state.emit(t.SliceOp(x, offsets, shape)))
        start += size
    return parts


@operator(
    "Gather",
    note=f"of constants and activations; indices constant or computed; {BEYOND}, of a table of "
    "rows the first or last one",
)
def gather(state: Importer, node: Node) -> list[Value]:
    data, indices = node.inputs()
    axis = axis_of(node.attribute("axis", 0), len(shape_of_value(data)))
    if not isinstance(indices, np.ndarray):
        if isinstance(data, np.ndarray) and data.ndim == 2 and axis == 0 and data.dtype.kind == "f":
            return [_embedded(state, data, indices)]
        x = node.tensor(0) if isinstance(data, SSAValue) else state.tensor(data)
        chosen = from_the_front(state, indices, t.shape_of(x)[axis])
        return [selected(state, x, chosen, axis)]
    x = node.tensor(0)
    if not indices.size:
        raise Unsupported("no indices")
    shape_ = t.shape_of(x)
    flat = [_index(int(i), shape_[axis]) for i in indices.ravel()]
    pieces: list[SSAValue] = []
    for start, size, step in progressions(flat):
        offsets, sizes, strides = [0] * len(shape_), list(shape_), [1] * len(shape_)
        offsets[axis], sizes[axis], strides[axis] = start, size, step
        pieces.append(state.emit(t.SliceOp(x, offsets, sizes, strides)))
    joined = pieces[0] if len(pieces) == 1 else state.emit(t.ConcatOp(pieces, axis))
    result = (*shape_[:axis], *indices.shape, *shape_[axis + 1 :])
    return [state.emit(t.ReshapeOp(joined, result))]


def _embedded(state: Importer, data: Array, indices: Value) -> SSAValue:
    """Rows of a table."""
    count = prod(shape_of_value(indices))
    try:
        if not isinstance(indices, Symbolic):
            raise Unsupported("no value computed from integer inputs only")
        ids, shift = state.ids(indices, len(data))
    except Unsupported:
        # An index out of range would make the DMA read beyond the table.
        last = np.array(len(data) - 1)
        inside = map_values(
            state, [from_the_front(state, indices, len(data)), last], _within, INT64
        )
        ids, shift = state.emit(t.ReshapeOp(inside, (count,))), 0
    counted = trace(ids).root.owner
    if isinstance(counted, t.PositionIdsOp) and counted.limit > len(data):
        raise Unsupported(
            f"{t.shape_of(counted.ids)[1]} tokens need {counted.limit} positions, "
            f"its table has {len(data)}"
        )
    if shift:
        # Row i + c of the table is row i of this one; negative indices count from the end.
        table = data[shift:] if shift > 0 else np.concatenate([data[shift:], data])
        state.names[id(table)] = state.names.get(id(data), "table")
        data = table
    rows = state.emit(t.EmbeddingOp(ids, state.constant(data, splat=False)))
    return state.emit(t.ReshapeOp(rows, (*shape_of_value(indices), data.shape[1])))


def _within(e: F32, v: Scalars) -> SSAValue:
    """An index between 0 and a limit."""
    return e.insert(arith.MinSIOp(e.insert(arith.MaxSIOp(v[0], e.integer(0))), v[1]))


def progressions(indices: list[int]) -> list[tuple[int, int, int]]:
    """(first, number, step) of a slice for all indices, else of one for each run of neighbours."""
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    if step > 0 and indices == list(range(indices[0], indices[0] + step * len(indices), step)):
        return [(indices[0], len(indices), step)]
    runs: list[tuple[int, int, int]] = []
    for index in indices:
        if runs and index == runs[-1][0] + runs[-1][1]:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1, 1)
        else:
            runs.append((index, 1, 1))
    return runs
