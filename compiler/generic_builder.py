"""Building `linalg.generic` on tensors: elementwise with numpy's broadcasting, and reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xdsl.builder import Builder
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import (
    AffineMapAttr,
    BFloat16Type,
    Float32Type,
    FloatAttr,
    IntegerType,
    StringAttr,
    TensorType,
)
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.dialects.linalg.attrs import IteratorType, IteratorTypeAttr
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.loop_nest import element_type
from softex_mlir.dialects.transformer import shape_of

i1 = IntegerType(1)

Scalars = tuple[SSAValue, ...]
Body = Callable[[F32, Scalars], "SSAValue | Sequence[SSAValue]"]
"""What a body computes: f32 for floats, i32 or i1 for the others, in and out."""

PARALLEL = IteratorTypeAttr(IteratorType.PARALLEL)
REDUCTION = IteratorTypeAttr(IteratorType.REDUCTION)


def dimension_map(count: int, results: Sequence[AffineExpr]) -> AffineMapAttr:
    """A map of `count` loops."""
    return AffineMapAttr(AffineMap(count, 0, tuple(results)))


def broadcast_map(shape: Sequence[int], result: Sequence[int]) -> AffineMapAttr:
    """The map of an operand of `shape` that numpy broadcasts to `result`."""
    first = len(result) - len(shape)
    expressions = [
        AffineExpr.constant(0)
        if size == 1 and result[first + i] != 1
        else AffineExpr.dimension(first + i)
        for i, size in enumerate(shape)
    ]
    return dimension_map(len(result), expressions)


def generic(
    inputs: Sequence[SSAValue],
    maps: Sequence[AffineMapAttr],
    results: Sequence[tuple[Sequence[int], Attribute, AffineMapAttr]],
    iterators: Sequence[IteratorTypeAttr],
    body: Body,
    *,
    initial: Sequence[float | int] = (),
    layer: StringAttr | None = None,
) -> list[Operation]:
    """The operations of a loop nest, `linalg.generic` last.

    Args:
        results: shape, element type and map of each result.
        body: given the inputs' elements, floats widened to f32, and for reductions the
            accumulators; gives the results' elements, which are narrowed where they are bf16.
        initial: where accumulators start.
    """
    types = [TensorType(element, shape) for shape, element, _ in results]
    before: list[Operation] = []
    outs: list[SSAValue] = []
    for number, kind in enumerate(types):
        if initial:
            constant = _start(initial[number], kind.element_type)
            start: Operation = tensor.SplatOp(constant.result, [], kind)
            before.append(constant)
        else:
            start = tensor.EmptyOp([], kind)
        before.append(start)
        outs.append(start.results[0])
    elements = [element_type(value) for value in inputs]
    block = Block(arg_types=[*elements, *(kind.element_type for kind in types)])
    e = F32(Builder(InsertPoint.at_end(block)))
    count = len(inputs) + (len(types) if initial else 0)
    arguments = tuple(_widened(e, argument) for argument in block.args[:count])
    made = body(e, arguments)
    values = [made] if isinstance(made, SSAValue) else list(made)
    narrowed = [
        _narrowed(e, value, kind.element_type) for value, kind in zip(values, types, strict=True)
    ]
    block.add_op(linalg_ops.YieldOp(*narrowed))
    op = linalg_ops.GenericOp(
        inputs,
        outs,
        Region(block),
        [*maps, *(map_ for _, _, map_ in results)],
        iterators,
        types,
    )
    if layer is not None:
        op.attributes["layer"] = layer
    return [*before, op]


def elementwise(
    inputs: Sequence[SSAValue],
    element: Attribute,
    body: Body,
    *,
    shape: Sequence[int] | None = None,
    layer: StringAttr | None = None,
) -> list[Operation]:
    """A function of the elements of broadcast inputs."""
    shapes = [shape_of(value) for value in inputs]
    result = tuple(np.broadcast_shapes(*shapes, *([shape] if shape is not None else [])))
    maps = [broadcast_map(found, result) for found in shapes]
    rank = len(result)
    identity = AffineMapAttr(AffineMap.identity(rank))
    return generic(
        inputs, maps, [(result, element, identity)], [PARALLEL] * rank, body, layer=layer
    )


def reduction(
    x: SSAValue,
    axes: Sequence[int],
    element: Attribute,
    initial: float | int,
    body: Body,
    *,
    keep: bool = True,
    layer: StringAttr | None = None,
) -> list[Operation]:
    """An accumulation over some axes; reduced ones stay with size 1 if `keep`. Over none, as a
    number has, every element is combined with the start alone."""
    shape = shape_of(x)
    kept = [i for i in range(len(shape)) if i not in axes]
    result = [1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes]
    expressions = [
        AffineExpr.constant(0) if i in axes else AffineExpr.dimension(i)
        for i in range(len(shape))
        if keep or i in kept
    ]
    iterators = [REDUCTION if i in axes else PARALLEL for i in range(len(shape))]
    maps = [AffineMapAttr(AffineMap.identity(len(shape)))]
    target = (result, element, dimension_map(len(shape), expressions))
    if axes:
        return generic([x], maps, [target], iterators, body, initial=[initial], layer=layer)

    def once(e: F32, v: Scalars) -> SSAValue | Sequence[SSAValue]:
        return body(e, (v[0], e.insert(_start(initial, element))))

    return generic([x], maps, [target], iterators, once, layer=layer)


def _start(value: float | int, kind: Attribute) -> arith.ConstantOp:
    if isinstance(kind, BFloat16Type | Float32Type):
        return arith.ConstantOp(FloatAttr(float(value), kind))
    return arith.ConstantOp.from_int_and_width(int(value), 1 if kind == i1 else 32)


def _widened(e: F32, value: SSAValue) -> SSAValue:
    return e.widen(value) if isinstance(value.type, BFloat16Type) else value


def _narrowed(e: F32, value: SSAValue, kind: Attribute) -> SSAValue:
    narrow = isinstance(kind, BFloat16Type) and isinstance(value.type, Float32Type)
    return e.narrow(value) if narrow else value
