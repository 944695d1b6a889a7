"""ONNX operators that select, count or compare along a dimension: indices computed at run time.

A selection reads every slice and keeps the chosen one, so that no index reads beyond the data. An
index that is out of range, which ONNX calls an error, is refused if it is a constant, by runs if it
is an input; one that is computed from others gives 0, also in the evaluator.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Body, Scalars, reduction
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of, operator
from softex_mlir.compiler.importers.onnx.tensors import (
    Expressions,
    from_front,
    loop_index,
    loops,
    map_values,
    nest,
    same,
)
from softex_mlir.compiler.importers.onnx.values import Array, Unsupported, Value, element_of
from softex_mlir.dialects import transformer as t

INT64 = 7
BEYOND = "an index computed out of range gives 0"


def _accumulated(
    state: Importer,
    inputs: Sequence[tuple[SSAValue, Expressions]],
    shape: Sequence[int],
    body: Body,
    start: float | int,
) -> SSAValue:
    """A nest of one loop a dimension of the result and one that accumulates, in data's type."""
    rank = len(shape)
    results = [(shape, element_of(inputs[0][0]), loops(rank))]
    return nest(state, inputs, results, "p" * rank + "r", body, [start])[0]


# --- slices chosen by indices ----------------------------------------------------------------


def from_the_front(state: Importer, indices: Value, size: int) -> SSAValue:
    """Indices of which negative ones counted from the end."""
    if isinstance(indices, np.ndarray):
        _check_indices(indices, size)
        return state.integers(np.where(indices < 0, indices + size, indices).astype(np.int64))
    indices = state.tensor(indices)
    state.selects(indices, size)

    def body(e: F32, v: Scalars) -> SSAValue:
        return from_front(e, v[0], size)

    return map_values(state, [indices], body, INT64)


def _check_indices(indices: Array, size: int | Array) -> None:
    """Raise `Unsupported` for a constant index that is none."""
    outside = (indices < -size) | (indices >= size)
    if outside.any():
        sizes = np.broadcast_to(size, indices.shape)
        raise Unsupported(f"index {indices[outside][0]} lies outside {sizes[outside][0]} elements")


def chosen(e: F32, v: Scalars, loop: int) -> SSAValue:
    """The element where the loop is at the index, else what was found."""
    x, index, found = v
    return e.select(same(e, index, loop_index(e, loop)), x, found)


def selected(state: Importer, data: SSAValue, indices: SSAValue, axis: int) -> SSAValue:
    """Slices along a dimension, chosen by indices [..] counted from the front."""
    shape, places = t.shape_of(data), t.shape_of(indices)
    result = (*shape[:axis], *places, *shape[axis + 1 :])
    rank = len(result)
    inner = range(axis + len(places), rank)
    source = [AffineExpr.dimension(d) for d in (*range(axis), rank, *inner)]
    index = [AffineExpr.dimension(axis + d) for d in range(len(places))]
    inputs = [(data, source), (indices, index)]
    return _accumulated(state, inputs, result, lambda e, v: chosen(e, v, rank), 0)


@operator("GatherElements", note=f"of activations; indices constant or computed; {BEYOND}")
def gather_elements(state: Importer, node: Node) -> list[Value]:
    data = state.tensor(node.input(0))
    shape = list(t.shape_of(data))
    axis = axis_of(node.attribute("axis", 0), len(shape))
    indices = from_the_front(state, node.input(1), shape[axis])
    result = t.shape_of(indices)
    # Only the slices of the other dimensions that indices are given for count.
    sizes = [n if d == axis else result[d] for d, n in enumerate(shape)]
    if sizes != shape:
        data = state.emit(t.SliceOp(data, [0] * len(shape), sizes))
    rank = len(shape)
    source = [AffineExpr.dimension(rank if d == axis else d) for d in range(rank)]
    inputs = [(data, source), (indices, loops(rank))]
    return [_accumulated(state, inputs, result, lambda e, v: chosen(e, v, rank), 0)]


@operator(
    "GatherND",
    note=f"of activations; indices constant or computed; {BEYOND}",
)
def gather_nd(state: Importer, node: Node) -> list[Value]:
    data, indices = state.tensor(node.input(0)), node.input(1)
    batch = int(node.attribute("batch_dims", 0))
    shape = t.shape_of(data)
    given = indices if isinstance(indices, np.ndarray) else state.tensor(indices)
    depth = (given.shape if isinstance(given, np.ndarray) else t.shape_of(given))[-1]
    places = joined(state, given, shape[batch : batch + depth])
    flat = (prod(shape[:batch]), prod(shape[batch : batch + depth]), *shape[batch + depth :])
    rows = t.shape_of(places)
    chosen = _selected_by_row(
        state,
        state.emit(t.ReshapeOp(data, flat)),
        state.emit(t.ReshapeOp(places, (flat[0], prod(rows[batch:])))),
    )
    return [state.emit(t.ReshapeOp(chosen, (*rows, *shape[batch + depth :])))]


def _selected_by_row(state: Importer, data: SSAValue, indices: SSAValue) -> SSAValue:
    """[rows, n, ..] by indices [rows, m] of each row: [rows, m, ..]."""
    shape, places = t.shape_of(data), t.shape_of(indices)
    result = (*places, *shape[2:])
    rank = len(result)
    source = [AffineExpr.dimension(d) for d in (0, rank, *range(2, rank))]
    inputs = [(data, source), (indices, loops(2))]
    return _accumulated(state, inputs, result, lambda e, v: chosen(e, v, rank), 0)


def joined(state: Importer, indices: Value, sizes: Sequence[int]) -> SSAValue:
    """[..] of [.., k]: places in the first k dimensions as places in all of them joined."""
    limits = np.array(sizes, np.int64)
    steps = np.array([prod(sizes[d + 1 :]) for d in range(len(sizes))], np.int64)
    if isinstance(indices, np.ndarray):
        _check_indices(indices, limits)
        return state.integers(
            (np.where(indices < 0, indices + limits, indices) * steps).sum(-1).astype(np.int64)
        )

    indices = state.tensor(indices)
    state.selects(indices, max(sizes))

    def body(e: F32, v: Scalars) -> SSAValue:
        return e.insert(arith.MuliOp(from_front(e, v[0], v[1]), v[2]))

    placed = map_values(state, [indices, limits, steps], body, INT64)
    last = len(t.shape_of(placed)) - 1

    def added(e: F32, v: Scalars) -> SSAValue:
        return e.int_add(v[1], v[0])

    return state.emit_all(reduction(placed, [last], i32, 0, added, keep=False, layer=state.layer))


def product(state: Importer, a: SSAValue, b: SSAValue) -> SSAValue:
    """A matrix product of float32 numbers or integers, one sum an element."""
    shapes = t.shape_of(a), t.shape_of(b)
    outer = np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2])
    result = (*outer, shapes[0][-2], shapes[1][-1])
    rank = len(result)

    def access(shape: Sequence[int], row: int, column: int) -> list[AffineExpr]:
        first = rank - len(shape)
        batch = [
            AffineExpr.constant(0) if n == 1 else AffineExpr.dimension(first + d)
            for d, n in enumerate(shape[:-2])
        ]
        return [*batch, *map(AffineExpr.dimension, (row, column))]

    integers = element_of(a) == i32
    inputs = [(a, access(shapes[0], rank - 2, rank)), (b, access(shapes[1], rank, rank - 1))]

    def body(e: F32, v: Scalars) -> SSAValue:
        if integers:
            return e.int_add(v[2], e.insert(arith.MuliOp(v[0], v[1])))
        return e.add(v[2], e.mul(v[0], v[1]))

    return _accumulated(state, inputs, result, body, 0 if integers else 0.0)
