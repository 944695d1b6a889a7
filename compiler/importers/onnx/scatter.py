"""ONNX operators that write to places computed at run time.

Every element looks at all updates: nothing is written beyond the data, and an update whose index
is out of range, which ONNX calls an error, is dropped. Of several of one element the last wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, IntegerType, f32, i32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Body, Scalars, i1
from softex_mlir.compiler.importers.onnx.arrangement import padded
from softex_mlir.compiler.importers.onnx.general import larger, smaller
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.lookup import from_the_front, joined
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of, operator
from softex_mlir.compiler.importers.onnx.selection import SMALLEST
from softex_mlir.compiler.importers.onnx.tensors import (
    Expressions,
    either,
    loop_index,
    loops,
    map_values,
    nest,
    same,
)
from softex_mlir.compiler.importers.onnx.values import Unsupported, Value, element_of
from softex_mlir.dialects import transformer as t

STARTS = {"add": (0.0, 0), "mul": (1.0, 1), "max": (-inf, SMALLEST), "min": (inf, -SMALLEST - 1)}
"""Where each reduction starts, of numbers and of integers."""


def _combined(e: F32, kind: str, a: SSAValue, b: SSAValue) -> SSAValue:
    match kind, isinstance(a.type, Float32Type):
        case "add", True:
            return e.add(a, b)
        case "add", False:
            return e.int_add(a, b)
        case "mul", True:
            return e.mul(a, b)
        case "mul", False:
            return e.insert(arith.MuliOp(a, b))
        case "max", True:
            return larger(e, a, b)
        case "max", False:
            return e.insert(arith.MaxSIOp(a, b))
        case _, True:
            return smaller(e, a, b)
        case _:
            return e.insert(arith.MinSIOp(a, b))


def _scattered(
    state: Importer,
    node: Node,
    data: SSAValue,
    places: tuple[SSAValue, Expressions],
    updates: tuple[SSAValue, Expressions],
    axis: int,
) -> SSAValue:
    """Data with the updates whose place along a dimension is an element's number.

    The last loop, behind those of the data, runs over the updates.
    """
    kind = node.attribute("reduction", b"none").decode()
    shape, element = t.shape_of(data), element_of(data)
    rank = len(shape)
    kinds = "p" * rank + "r"
    inputs = [updates, places]

    def hits(e: F32, place: SSAValue) -> SSAValue:
        return same(e, place, loop_index(e, axis))

    if kind == "none":

        def replaced(e: F32, v: Scalars) -> list[SSAValue]:
            hit = hits(e, v[1])
            return [e.select(hit, v[0], v[2]), either(e, hit, v[3])]

        results = [(shape, element, loops(rank)), (shape, i1, loops(rank))]
        zero = 0 if isinstance(element, IntegerType) else 0.0
        found, there = nest(state, inputs, results, kinds, replaced, [zero, 0])
        return _as(state, [there, found, data], lambda e, v: e.select(v[0], v[1], v[2]), data)
    if kind not in STARTS or element == i1:
        raise Unsupported(f"reduction = {kind}")
    integer = isinstance(element, IntegerType)

    def accumulated(e: F32, v: Scalars) -> SSAValue:
        return e.select(hits(e, v[1]), _combined(e, kind, v[2], v[0]), v[2])

    results = [(shape, i32 if integer else f32, loops(rank))]
    (total,) = nest(state, inputs, results, kinds, accumulated, [STARTS[kind][integer]])
    return _as(state, [data, total], lambda e, v: _combined(e, kind, *v), data)


def _as(state: Importer, values: Sequence[SSAValue], body: Body, like: SSAValue) -> SSAValue:
    kind = element_of(like)
    number = 9 if kind == i1 else 6 if isinstance(kind, IntegerType) else 0
    return map_values(state, values, body, number)


def _alike(state: Importer, node: Node) -> tuple[SSAValue, SSAValue]:
    """Data and updates, of one element type."""
    data, updates = state.tensor(node.input(0)), state.tensor(node.input(2))
    if element_of(data) != element_of(updates):
        data, updates = state.narrowed(data), state.narrowed(updates)
    return data, updates


@operator(
    "ScatterElements",
    "Scatter",
    note="work grows with the square of the dimension; an index computed out of range is dropped",
)
def scatter_elements(state: Importer, node: Node) -> list[Value]:
    data, updates = _alike(state, node)
    shape = t.shape_of(data)
    rank = len(shape)
    axis = axis_of(node.attribute("axis", 0), rank)
    places = from_the_front(state, node.input(1), shape[axis])
    for d, size in enumerate(shape):
        missing = size - t.shape_of(places)[d]
        if d != axis and missing:
            places = padded(state, places, d, 0, missing, -1)
            updates = padded(state, updates, d, 0, missing, 0)
    at = [AffineExpr.dimension(rank if d == axis else d) for d in range(rank)]
    return [_scattered(state, node, data, (places, at), (updates, at), axis)]


@operator(
    "ScatterND",
    note="work grows with elements times updates; an index computed out of range is dropped",
)
def scatter_nd(state: Importer, node: Node) -> list[Value]:
    data, updates = _alike(state, node)
    indices, shape = node.input(1), t.shape_of(data)
    given = indices if isinstance(indices, np.ndarray) else state.tensor(indices)
    depth = (given.shape if isinstance(given, np.ndarray) else t.shape_of(given))[-1]
    outer, inner = prod(shape[:depth]), prod(shape[depth:])
    places = joined(state, given, shape[:depth])
    count = prod(t.shape_of(places))
    flat = state.emit(t.ReshapeOp(data, (outer, inner)))
    rows = state.emit(t.ReshapeOp(updates, (count, inner)))
    numbers = state.emit(t.ReshapeOp(places, (count,)))
    _, column, update = loops(3)
    found = _scattered(state, node, flat, (numbers, [update]), (rows, [update, column]), 0)
    return [state.emit(t.ReshapeOp(found, shape))]
