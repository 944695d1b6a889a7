"""ONNX operators that select, count or compare along a dimension: indices computed at run time.

A selection reads every slice and keeps the chosen one, so that no index reads beyond the data; an
index that is out of range, which ONNX calls an error, gives 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import AffineMapAttr, BFloat16Type, Float32Type, i32
from xdsl.dialects.linalg.ops import IndexOp
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import (
    PARALLEL,
    REDUCTION,
    Body,
    Scalars,
    dimension_map,
    generic,
    reduction,
)
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of, operator
from softex_mlir.compiler.importers.onnx.tensors import emit, map_values
from softex_mlir.compiler.importers.onnx.values import Unsupported, Value, element_of
from softex_mlir.dialects import transformer as t

INT64 = 7
LOWEST, HIGHEST = -(1 << 31), (1 << 31) - 1


def loop_index(e: F32, loop: int) -> SSAValue:
    """The index of a loop as i32."""
    return e.insert(arith.IndexCastOp(e.insert(IndexOp(loop)), i32))


def leading(rank: int, count: int) -> AffineMapAttr:
    """The first `rank` of `count` loops."""
    return dimension_map(count, [AffineExpr.dimension(d) for d in range(rank)])


def is_float(kind: Attribute) -> bool:
    """Whether elements are floating-point numbers."""
    return isinstance(kind, BFloat16Type | Float32Type)


def _nest(
    state: Importer,
    inputs: Sequence[SSAValue],
    maps: Sequence[AffineMapAttr],
    shape: Sequence[int],
    body: Body,
    start: float | int,
) -> SSAValue:
    """A nest of one loop a dimension of the result and one that accumulates, in data's type."""
    rank = len(shape)
    return emit(
        state,
        generic(
            inputs,
            maps,
            [(shape, element_of(inputs[0]), leading(rank, rank + 1))],
            [*[PARALLEL] * rank, REDUCTION],
            body,
            initial=[start],
            layer=state.layer,
        ),
    )


# --- slices chosen by indices ----------------------------------------------------------------


def from_the_front(state: Importer, indices: Value, size: int) -> SSAValue:
    """Indices of which negative ones counted from the end."""
    if isinstance(indices, np.ndarray):
        return state.integers(np.where(indices < 0, indices + size, indices).astype(np.int64))

    def body(e: F32, v: Scalars) -> SSAValue:
        negative = e.insert(arith.CmpiOp(v[0], e.integer(0), "slt"))
        return e.select(negative, e.int_add(v[0], size), v[0])

    return map_values(state, [indices], body, INT64)


def chosen(e: F32, v: Scalars, loop: int) -> SSAValue:
    """The element where the loop is at the index, else what was found."""
    x, index, found = v
    return e.select(e.insert(arith.CmpiOp(index, loop_index(e, loop), "eq")), x, found)


def selected(state: Importer, data: SSAValue, indices: SSAValue, axis: int) -> SSAValue:
    """Slices along a dimension, chosen by indices [..] counted from the front."""
    shape, places = t.shape_of(data), t.shape_of(indices)
    result = (*shape[:axis], *places, *shape[axis + 1 :])
    rank = len(result)
    inner = range(axis + len(places), rank)
    source = [AffineExpr.dimension(d) for d in (*range(axis), rank, *inner)]
    index = [AffineExpr.dimension(axis + d) for d in range(len(places))]
    maps = [dimension_map(rank + 1, source), dimension_map(rank + 1, index)]
    return _nest(state, [data, indices], maps, result, lambda e, v: chosen(e, v, rank), 0)


@operator("GatherElements", note="of activations; indices constant or computed")
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
    maps = [dimension_map(rank + 1, source), leading(rank, rank + 1)]
    return [_nest(state, [data, indices], maps, result, lambda e, v: chosen(e, v, rank), 0)]


@operator("GatherND", note="of activations; indices constant or computed; no batch dimensions")
def gather_nd(state: Importer, node: Node) -> list[Value]:
    data, indices = state.tensor(node.input(0)), node.input(1)
    if node.attribute("batch_dims", 0):
        raise Unsupported("batch dimensions")
    shape = t.shape_of(data)
    given = indices if isinstance(indices, np.ndarray) else state.tensor(indices)
    depth = given.shape[-1] if isinstance(given, np.ndarray) else t.shape_of(given)[-1]
    places = _joined(state, given, shape[:depth])
    flat = state.emit(t.ReshapeOp(data, (prod(shape[:depth]), *shape[depth:])))
    return [selected(state, flat, places, 0)]


def _joined(state: Importer, indices: Value, sizes: Sequence[int]) -> SSAValue:
    """[..] of [.., k]: places in the first k dimensions as places in all of them joined."""
    limits = np.array(sizes, np.int64)
    steps = np.array([prod(sizes[d + 1 :]) for d in range(len(sizes))], np.int64)
    if isinstance(indices, np.ndarray):
        return state.integers(
            (np.where(indices < 0, indices + limits, indices) * steps).sum(-1).astype(np.int64)
        )

    def body(e: F32, v: Scalars) -> SSAValue:
        negative = e.insert(arith.CmpiOp(v[0], e.integer(0), "slt"))
        return e.insert(arith.MuliOp(e.select(negative, e.int_add(v[0], v[1]), v[0]), v[2]))

    placed = map_values(state, [indices, limits, steps], body, INT64)
    last = len(t.shape_of(placed)) - 1

    def added(e: F32, v: Scalars) -> SSAValue:
        return e.int_add(v[1], v[0])

    return emit(state, reduction(placed, [last], i32, 0, added, keep=False, layer=state.layer))


def product(state: Importer, a: SSAValue, b: SSAValue) -> SSAValue:
    """A matrix product of numbers that are no activations, in float32, one sum an element."""
    shapes = t.shape_of(a), t.shape_of(b)
    outer = np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2])
    result = (*outer, shapes[0][-2], shapes[1][-1])
    rank = len(result)

    def access(shape: Sequence[int], row: int, column: int) -> AffineMapAttr:
        first = rank - len(shape)
        batch = [
            AffineExpr.constant(0) if n == 1 else AffineExpr.dimension(first + d)
            for d, n in enumerate(shape[:-2])
        ]
        return dimension_map(rank + 1, [*batch, *map(AffineExpr.dimension, (row, column))])

    maps = [access(shapes[0], rank - 2, rank), access(shapes[1], rank, rank - 1)]

    def body(e: F32, v: Scalars) -> SSAValue:
        return e.add(v[2], e.mul(v[0], v[1]))

    return _nest(state, [a, b], maps, result, body, 0.0)
