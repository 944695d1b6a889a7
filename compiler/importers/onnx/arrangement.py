"""ONNX operators that repeat, pad, cut and reorder elements."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.dialects.builtin import IntegerType, f32
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Scalars, i1
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.logic import integer_compare
from softex_mlir.compiler.importers.onnx.movement import progressions
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of, operator
from softex_mlir.compiler.importers.onnx.tensors import (
    loop_index,
    loops,
    map_values,
    nest,
    of_one_type,
    truth,
)
from softex_mlir.compiler.importers.onnx.values import Array, Unsupported, Value, element_of
from softex_mlir.dialects import transformer as t

_MOST_ELEMENTS = 1 << 31


def expanded(state: Importer, x: SSAValue, shape: Sequence[int], kind: int = 0) -> SSAValue:
    """Dimensions of size 1 repeated."""
    if tuple(shape) == t.shape_of(x):
        return x
    if isinstance(element_of(x), IntegerType):
        kind = kind or (9 if element_of(x) == i1 else 6)
        return map_values(state, [x], lambda e, v: v[0], kind, shape=shape)
    return state.emit(t.ExpandOp(state.narrowed(x), shape))


def filled(state: Importer, like: SSAValue, shape: Sequence[int], value: float) -> SSAValue:
    """A constant tensor of the type of another one."""
    if prod(shape) > _MOST_ELEMENTS:
        raise Unsupported(f"{prod(shape):,} equal elements are more than 32 bits address")
    kind = element_of(like)
    if isinstance(kind, IntegerType):
        return state.integers(np.full(shape, value, np.bool_ if kind == i1 else np.int32))
    numbers = np.full(shape, value, np.float32)
    return state.numbers(numbers) if kind == f32 else state.constant(numbers, splat=False)


def cut(state: Importer, x: SSAValue, axis: int, start: int, size: int, step: int = 1) -> SSAValue:
    """Some elements of a dimension."""
    shape = list(t.shape_of(x))
    offsets, steps = [0] * len(shape), [1] * len(shape)
    offsets[axis], shape[axis], steps[axis] = start, size, step
    return state.emit(t.SliceOp(x, offsets, shape, steps))


def take(state: Importer, x: SSAValue, axis: int, indices: Sequence[int]) -> SSAValue:
    """Elements of a dimension by number."""
    parts = [cut(state, x, axis, *piece) for piece in progressions(list(indices))]
    return parts[0] if len(parts) == 1 else state.emit(t.ConcatOp(parts, axis))


def padded(
    state: Importer, x: SSAValue, axis: int, before: int, after: int, fill: float | SSAValue
) -> SSAValue:
    """A value in front of a dimension and behind it; negative numbers take elements away."""
    size = t.shape_of(x)[axis]
    if before < 0 or after < 0:
        rest = size + min(before, 0) + min(after, 0)
        if rest < 1:
            raise Unsupported("nothing is left of a dimension")
        x = cut(state, x, axis, max(-before, 0), rest)
    parts = [x]
    for amount, place in ((before, 0), (after, len(parts) + 1)):
        if amount > 0:
            shape = [amount if d == axis else n for d, n in enumerate(t.shape_of(x))]
            if isinstance(fill, SSAValue):
                one = state.emit(t.ReshapeOp(fill, (1,) * len(shape)))
                part = expanded(state, one, shape)
            else:
                part = filled(state, x, shape, fill)
            parts.insert(place, part)
    return x if len(parts) == 1 else state.emit(t.ConcatOp(of_one_type(state, parts), axis))


@operator("Pad", note="in all modes")
def pad(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    pads, value = node.ints(1, "pads", "pads"), node.input(2)
    mode = node.attribute("mode", b"constant").decode()
    fill: float | SSAValue = float(node.attribute("value", 0.0))
    if isinstance(value, np.ndarray):
        fill = value.item()
    elif value is not None:
        fill = state.tensor(value)
    if pads is None:
        raise Unsupported("its pads are missing")
    rank = len(t.shape_of(x))
    chosen = node.constant(3, "axes")
    axes = list(range(rank)) if chosen is None else [axis_of(int(a), rank) for a in chosen]
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        if mode == "constant":
            x = padded(state, x, axis, before, after, fill)
        else:
            x = _continued(state, x, axis, before, after, mode)
    return [x]


def _continued(
    state: Importer, x: SSAValue, axis: int, before: int, after: int, mode: str
) -> SSAValue:
    """The elements themselves before and after a dimension's elements."""
    if mode not in ("edge", "reflect", "wrap"):
        raise Unsupported(f"mode = {mode}")
    size = t.shape_of(x)[axis]
    if not before and not after:
        return x
    numbers = np.arange(size)[max(-before, 0) : size + min(after, 0)]
    kept: Array = np.pad(numbers, (max(before, 0), max(after, 0)), mode=mode)  # pyright: ignore
    return take(state, x, axis, [int(i) for i in kept])


@operator("Tile", note="repeats known when the model is read")
def tile(state: Importer, node: Node) -> list[Value]:
    x, repeats = node.tensor(0), [int(n) for n in node.required(1, "repeats").ravel()]
    if min(repeats, default=1) < 1:
        raise Unsupported("nothing is left")
    shape = t.shape_of(x)
    ones = [n for size in shape for n in (1, size)]
    wanted = [n for size, r in zip(shape, repeats, strict=True) for n in (r, size)]
    spread = expanded(state, state.emit(t.ReshapeOp(x, ones)), wanted, node.element_type(0))
    sizes = [size * r for size, r in zip(shape, repeats, strict=True)]
    return [state.emit(t.ReshapeOp(spread, sizes))]


@operator("DepthToSpace", "SpaceToDepth")
def blocks(state: Importer, node: Node) -> list[Value]:
    x, size = node.tensor(0), int(node.attribute("blocksize"))
    batch, channels, height, width = t.shape_of(x)
    if node.kind == "DepthToSpace":
        columns = node.attribute("mode", b"DCR") == b"CRD"
        depth = channels // size**2
        split = (depth, size, size) if columns else (size, size, depth)
        order = (0, 1, 4, 2, 5, 3) if columns else (0, 3, 4, 1, 5, 2)
        parts = state.emit(t.ReshapeOp(x, (batch, *split, height, width)))
        moved = state.emit(t.TransposeOp(parts, order))
        return [state.emit(t.ReshapeOp(moved, (batch, depth, height * size, width * size)))]
    columns = node.attribute("mode", b"DCR") == b"CRD"
    high, wide = height // size, width // size
    parts = state.emit(t.ReshapeOp(x, (batch, channels, high, size, wide, size)))
    order = (0, 1, 3, 5, 2, 4) if columns else (0, 3, 5, 1, 2, 4)
    moved = state.emit(t.TransposeOp(parts, order))
    return [state.emit(t.ReshapeOp(moved, (batch, channels * size**2, high, wide)))]


@operator("CenterCropPad", note="shape known when the model is read")
def center_crop_pad(state: Importer, node: Node) -> list[Value]:
    x, wanted = node.tensor(0), [int(n) for n in node.required(1, "shape")]
    rank = len(t.shape_of(x))
    axes = [axis_of(int(a), rank) for a in node.attribute("axes", list(range(rank)))]
    for axis, size in zip(axes, wanted, strict=True):
        missing = size - t.shape_of(x)[axis]
        if missing > 0:
            x = padded(state, x, axis, missing // 2, missing - missing // 2, 0)
        elif missing < 0:
            x = cut(state, x, axis, -missing // 2, size)
    return [x]


@operator("Compress", note="a condition known when the model is read")
def compress(state: Importer, node: Node) -> list[Value]:
    x, condition = node.tensor(0), node.required(1, "condition")
    axis = node.attribute("axis")
    if axis is None:
        x, axis = state.emit(t.ReshapeOp(x, (int(np.prod(t.shape_of(x))),))), 0
    axis = axis_of(int(axis), len(t.shape_of(x)))
    indices = np.flatnonzero(condition[: t.shape_of(x)[axis]])
    if not indices.size:
        raise Unsupported("nothing is left of a dimension")
    return [take(state, x, axis, [int(i) for i in indices])]


@operator("Trilu", "com.microsoft.Trilu", note="k known when the model is read")
def triangle(state: Importer, node: Node) -> list[Value]:
    x, given = node.tensor(0), node.constant(1, "k")
    diagonal = 0 if given is None else int(given.item())
    predicate = "sge" if node.attribute("upper", 1) else "sle"
    shape = t.shape_of(x)
    rank = len(shape)
    diagonal = max(-(1 << 30), min(diagonal, 1 << 30))

    def body(e: F32, v: Scalars) -> SSAValue:
        column, row = loop_index(e, rank - 1), loop_index(e, rank - 2)
        inside = integer_compare(e, predicate, column, e.int_add(row, diagonal))
        if v[0].type == i1:
            zero = truth(e, False)
        elif isinstance(element_of(x), IntegerType):
            zero = e.integer(0)
        else:
            zero = e.number(0.0)
        return e.select(inside, v[0], zero)

    result = [(shape, element_of(x), loops(rank))]
    return list(nest(state, [(x, loops(rank))], result, "p" * rank, body))
