"""ONNX operators that look for elements: extremes and their places, running sums, one-hot rows."""

from __future__ import annotations

from math import inf, prod

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, IntegerType, bf16, f32, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Scalars
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.logic import integer_compare, wrapped
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of, operator
from softex_mlir.compiler.importers.onnx.tensors import (
    as_integer,
    both,
    either,
    element_for,
    from_front,
    loop_index,
    loops,
    nest,
    opposite,
    same,
)
from softex_mlir.compiler.importers.onnx.types import FLOATS
from softex_mlir.compiler.importers.onnx.values import (
    Unsupported,
    Value,
    element_of,
)
from softex_mlir.dialects import transformer as t

SMALLEST = -(1 << 31)


def after(e: F32, a: SSAValue, b: SSAValue) -> SSAValue:
    """Whether a lies above b; NaN lies above everything else."""
    if isinstance(a.type, Float32Type):
        ordered = e.compare("oeq", b, b)
        return either(e, e.compare("ogt", a, b), both(e, e.compare("uno", a, a), ordered))
    return integer_compare(e, "sgt", a, b)


def before(e: F32, a: SSAValue, b: SSAValue) -> SSAValue:
    """Whether a lies below b; NaN lies below everything else."""
    if isinstance(a.type, Float32Type):
        ordered = e.compare("oeq", b, b)
        return either(e, e.compare("olt", a, b), both(e, e.compare("uno", a, a), ordered))
    return integer_compare(e, "slt", a, b)


def wide(x: SSAValue) -> tuple[Attribute, bool]:
    """The type that holds a tensor's elements without loss, and whether they are integers."""
    integer = isinstance(element_of(x), IntegerType)
    return (i32 if integer else f32), integer


def extreme_place(
    state: Importer, x: SSAValue, axis: int, *, largest: bool, last: bool = False
) -> SSAValue:
    """Places of the extremes along a dimension, which stays with size 1."""
    shape = t.shape_of(x)
    rank = len(shape)
    kept = tuple(1 if d == axis else n for d, n in enumerate(shape))
    place = [AffineExpr.constant(0) if d == axis else e for d, e in enumerate(loops(rank))]
    better = after if largest else before
    kind, integer = wide(x)

    def body(e: F32, v: Scalars) -> list[SSAValue]:
        x, best, number = v
        index = loop_index(e, axis)
        wins = better(e, x, best)
        if last:
            wins = either(e, wins, opposite(e, better(e, best, x)))
        wins = either(e, wins, same(e, index, e.integer(0)))
        return [e.select(wins, x, best), e.select(wins, index, number)]

    start = (SMALLEST if largest else -SMALLEST - 1) if integer else (-inf if largest else inf)
    kinds = "".join("r" if d == axis else "p" for d in range(rank))
    results = [(kept, kind, place), (kept, i32, place)]
    return nest(state, [(x, loops(rank))], results, kinds, body, [start, 0])[1]


@operator("ArgMax", "ArgMin", note="on the cores")
def arg_extreme(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    shape = t.shape_of(x)
    axis = axis_of(node.attribute("axis", 0), len(shape))
    last = bool(node.attribute("select_last_index", 0))
    found = extreme_place(state, x, axis, largest=node.kind == "ArgMax", last=last)
    if not node.attribute("keepdims", 1):
        found = state.emit(t.ReshapeOp(found, [n for d, n in enumerate(shape) if d != axis]))
    return [found]


@operator("Hardmax", note="on the cores")
def hardmax(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    shape = t.shape_of(x)
    axis = axis_of(node.attribute("axis", -1 if node.opset >= 13 else 1), len(shape))
    if node.opset < 13:
        x = state.emit(t.ReshapeOp(x, (prod(shape[:axis]), prod(shape[axis:]))))
        axis = 1
    rank = len(t.shape_of(x))
    place = extreme_place(state, x, axis, largest=True)
    at = [AffineExpr.constant(0) if d == axis else e for d, e in enumerate(loops(rank))]

    def body(e: F32, v: Scalars) -> SSAValue:
        return e.select(same(e, loop_index(e, axis), v[0]), e.number(1.0), e.number(0.0))

    results = [(t.shape_of(x), element_of(x), loops(rank))]
    (found,) = nest(state, [(place, at)], results, "p" * rank, body)
    return [found if t.shape_of(found) == shape else state.emit(t.ReshapeOp(found, shape))]


@operator("TopK", note="k known when the model is read; work grows with the square of the row")
def top_k(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    shape = t.shape_of(x)
    rank = len(shape)
    axis = axis_of(node.attribute("axis", -1), rank)
    count = int(node.attribute("k") if node.opset < 10 else node.required(1, "k").item())
    first = after if node.attribute("largest", 1) else before
    node.attribute("sorted")  # sorted is one of the orders that are allowed
    if not 1 <= count <= shape[axis]:
        raise Unsupported(f"the first {count} of {shape[axis]} elements")
    outer = loops(rank + 1)
    mine = outer[:rank]
    other = [outer[rank] if d == axis else e for d, e in enumerate(mine)]

    def rank_of(e: F32, v: Scalars) -> SSAValue:
        x, rival, ahead = v
        tie = both(e, opposite(e, first(e, x, rival)), opposite(e, first(e, rival, x)))
        earlier = integer_compare(e, "slt", loop_index(e, rank), loop_index(e, axis))
        wins = either(e, first(e, rival, x), both(e, tie, earlier))
        return e.int_add(ahead, e.select(wins, e.integer(1), e.integer(0)))

    kinds = "p" * rank + "r"
    (ranks,) = nest(state, [(x, mine), (x, other)], [(shape, i32, mine)], kinds, rank_of, [0])
    kept = tuple(count if d == axis else n for d, n in enumerate(shape))

    def taken(e: F32, v: Scalars) -> list[SSAValue]:
        x, position, value, number = v
        hit = same(e, position, loop_index(e, axis))
        return [e.select(hit, x, value), e.select(hit, loop_index(e, rank), number)]

    results = [(kept, element_of(x), mine), (kept, i32, mine)]
    start = 0 if wide(x)[1] else 0.0
    return list(nest(state, [(x, other), (ranks, other)], results, kinds, taken, [start, 0]))


@operator("CumSum", "CumProd", note="work grows with the square of the row")
def running(state: Importer, node: Node) -> list[Value]:
    x, axis = node.tensor(0), int(node.required(1, "axis").item())
    shape = t.shape_of(x)
    rank = len(shape)
    axis = axis_of(axis, rank)
    exclusive, reverse = node.attribute("exclusive", 0), node.attribute("reverse", 0)
    outer = loops(rank + 1)
    mine = outer[:rank]
    other = [outer[rank] if d == axis else e for d, e in enumerate(mine)]
    kind, integer = wide(x)
    product = node.kind == "CumProd"
    predicate = ("sgt" if exclusive else "sge") if reverse else ("slt" if exclusive else "sle")
    width = node.element_type(0)

    def body(e: F32, v: Scalars) -> SSAValue:
        x, total = v
        inside = integer_compare(e, predicate, loop_index(e, rank), loop_index(e, axis))
        if integer:
            combine = arith.MuliOp if product else arith.AddiOp
            return e.select(inside, wrapped(e, e.insert(combine(total, x)), width), total)
        return e.select(inside, e.mul(total, x) if product else e.add(total, x), total)

    start = float(product)
    result = [(shape, kind, mine)]
    kinds = "p" * rank + "r"
    (found,) = nest(state, [(x, other)], result, kinds, body, [int(start) if integer else start])
    return [state.narrowed(found) if element_of(x) == bf16 else found]


@operator("OneHot", note="on the cores")
def one_hot(state: Importer, node: Node) -> list[Value]:
    indices, values = state.tensor(node.input(0)), node.input(2)
    depth = int(node.required(1, "depth").item())
    shape = t.shape_of(indices)
    axis = axis_of(node.attribute("axis", -1), len(shape) + 1)
    if depth < 1:
        raise Unsupported("no depth")
    result = (*shape[:axis], depth, *shape[axis:])
    rank = len(result)
    place = [e for d, e in enumerate(loops(rank)) if d != axis]
    inputs = [(indices, place)]
    if not isinstance(values, np.ndarray):
        data = state.tensor(values)
        inputs += [(data, [AffineExpr.constant(i)]) for i in (0, 1)]
    kind = node.element_type(2)
    element = element_for(kind, [])

    def body(e: F32, v: Scalars) -> SSAValue:
        index = from_front(e, as_integer(e, v[0]), depth)
        hit = same(e, index, loop_index(e, axis))
        if isinstance(values, np.ndarray):
            off, on = (constant_of(e, values[i], kind) for i in (0, 1))
        else:
            off, on = v[1], v[2]
        return e.select(hit, on, off)

    return list(nest(state, inputs, [(result, element, loops(rank))], "p" * rank, body))


def constant_of(e: F32, value: object, kind: int) -> SSAValue:
    """A constant of an ONNX element type in a body."""
    number = np.asarray(value)
    if kind in FLOATS:
        return e.number(float(number))
    if number.dtype == np.bool_:
        return e.insert(arith.ConstantOp.from_int_and_width(int(number), 1))
    return e.integer(int(number))
