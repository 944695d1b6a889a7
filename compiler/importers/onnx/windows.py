"""ONNX operators that slide a window: pooling, convolutions of any shape.

Operands are padded first; a window's element is then at ``output * stride + offset * dilation`` of
every dimension. Convolutions without groups become matrix products of one row a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import inf, prod
from typing import Any

import numpy as np
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import bf16, f32, i32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Body, Scalars
from softex_mlir.compiler.importers.onnx.arrangement import padded
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import operator
from softex_mlir.compiler.importers.onnx.selection import SMALLEST, after, wide
from softex_mlir.compiler.importers.onnx.tensors import (
    Expressions,
    loop_index,
    loops,
    map_values,
    nest,
)
from softex_mlir.compiler.importers.onnx.values import Array, Unsupported, Value
from softex_mlir.dialects import transformer as t


@dataclass(frozen=True)
class Windows:
    """Geometry by spatial dimension, in elements.

    Attributes:
        sizes: of the input.
        before: padding in front of it; what is missing behind it follows from the others.
    """

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    results: tuple[int, ...]

    @staticmethod
    def of(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> Windows:
        """Read a node; the number of results is what ONNX's inference says."""
        rank = len(kernel)
        strides = tuple(node.attribute("strides", [1] * rank))
        dilations = tuple(node.attribute("dilations", [1] * rank))
        pads = list(node.attribute("pads", [0] * 2 * rank))
        automatic = node.attribute("auto_pad", b"NOTSET")
        results = output_sizes(node)[2:]
        before = pads[:rank]
        if automatic == b"VALID":
            before = [0] * rank
        elif automatic in (b"SAME_UPPER", b"SAME_LOWER"):
            lower = automatic == b"SAME_LOWER"
            geometry = zip(sizes, kernel, strides, dilations, results, strict=True)
            missing = [max((r - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d, r in geometry]
            before = [total - total // 2 if lower else total // 2 for total in missing]
        elif automatic != b"NOTSET":
            raise Unsupported(f"auto_pad = {automatic.decode()}")
        return Windows(
            tuple(sizes), tuple(kernel), strides, dilations, tuple(before), tuple(results)
        )

    def fit(self, state: Importer, x: SSAValue, fill: float) -> SSAValue:
        """The operand with exactly the elements that windows cover."""
        for d, before in enumerate(self.before):
            reach = (self.results[d] - 1) * self.strides[d]
            reach += (self.kernel[d] - 1) * self.dilations[d] + 1
            x = padded(state, x, d + 2, before, reach - before - self.sizes[d], fill)
        return x

    def start_behind_input(self) -> bool:
        """Whether a window lies in the padding behind the input."""
        geometry = zip(self.results, self.strides, self.before, self.sizes, strict=True)
        return any((r - 1) * s - b >= n for r, s, b, n in geometry)

    def place(self, outputs: Expressions, offsets: Expressions) -> list[AffineExpr]:
        """Where an element of a window lies."""
        return [
            o * s + k * d
            for o, k, s, d in zip(outputs, offsets, self.strides, self.dilations, strict=True)
        ]

    def covered(self, *, ends: Sequence[int] | None) -> Array:
        """Elements of each window that lie in the input, with `ends` of padding counted too."""
        counts = np.ones((), np.int64)
        for d, size in enumerate(self.sizes):
            low, high = (0, size) if ends is None else (-self.before[d], size + ends[d])
            starts = np.arange(self.results[d]) * self.strides[d] - self.before[d]
            at = starts[:, None] + np.arange(self.kernel[d]) * self.dilations[d]
            inside = ((at >= low) & (at < high)).sum(1)
            counts = counts[..., None] * inside
        return counts


def output_sizes(node: Node) -> tuple[int, ...]:
    """Shape of a node's first result by ONNX's inference."""
    inferred: Any = node.results[0] if node.results else None
    dims = [] if inferred is None else list(inferred.tensor_type.shape.dim)
    if not dims or not all(d.HasField("dim_value") for d in dims):
        raise Unsupported("its shape is not known")
    return tuple(int(d.dim_value) for d in dims)


def window_operand(state: Importer, windows: Windows) -> SSAValue:
    """An operand that bounds the loops over a window; nobody reads its elements."""
    return state.constant(np.zeros(windows.kernel, np.float32), splat=False)


@operator("AveragePool", "LpPool", note="in float32 on the cores")
def average_pool(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    windows = _pooling(node, x)
    power = float(node.attribute("p", 2)) if node.kind == "LpPool" else 1.0
    average = node.kind == "AveragePool"
    rank = len(windows.kernel)
    ends = None
    if average and node.attribute("count_include_pad", 0):
        ends = list(node.attribute("pads", [0] * 2 * rank))[rank:]
        if node.attribute("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            ends = [1 << 30] * rank
    every = loops(2 + 2 * rank)
    outputs, offsets = every[2 : 2 + rank], every[2 + rank :]

    def term(e: F32, v: Scalars) -> SSAValue:
        x, _, total = v
        if average:
            return e.add(total, x)
        size = e.magnitude(x)
        if power == 1.0:
            return e.add(total, size)
        if power == 2.0:
            return e.add(total, e.mul(x, x))
        return e.add(total, e.insert(math.PowFOp(size, e.number(power))))

    shape = (*t.shape_of(x)[:2], *windows.results)
    inputs = [
        (windows.fit(state, x, 0.0), [*every[:2], *windows.place(outputs, offsets)]),
        (window_operand(state, windows), offsets),
    ]
    kinds = "pp" + "p" * rank + "r" * rank
    (total,) = nest(state, inputs, [(shape, f32, [*every[:2], *outputs])], kinds, term, [0.0])
    if average:
        counts = windows.covered(ends=ends).astype(np.float32)
        if (counts == counts.flat[0]).all():
            share = 1.0 / float(counts.flat[0])
            return [_rounded(state, total, lambda e, v: e.times(v[0], share))]
        divisor = state.numbers(counts)
        return [_rounded(state, total, lambda e, v: e.div(v[0], v[1]), divisor)]
    if power == 1.0:
        return [_rounded(state, total, lambda e, v: v[0])]
    if power == 2.0:
        return [_rounded(state, total, lambda e, v: e.sqrt(v[0]))]
    return [_rounded(state, total, lambda e, v: e.insert(math.PowFOp(v[0], e.number(1.0 / power))))]


def _rounded(state: Importer, x: SSAValue, body: Body, *others: SSAValue) -> SSAValue:
    """A function of float32 elements as an activation in bf16."""
    return state.narrowed(map_values(state, [x, *others], body))


def _pooling(node: Node, x: SSAValue) -> Windows:
    rounds_up = node.attribute("ceil_mode", 0)
    kernel = node.attribute("kernel_shape")
    if kernel is None:
        raise Unsupported("its kernel_shape is missing")
    windows = Windows.of(node, t.shape_of(x)[2:], kernel)
    if rounds_up and windows.start_behind_input():
        raise Unsupported(
            "with ceil_mode, a window that starts behind the input",
            "convert the model to opset 22, which leaves it out",
        )
    return windows


@operator("MaxPool", note="on the cores")
def max_pool(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    windows = _pooling(node, x)
    by_columns = node.attribute("storage_order", 0)
    _, integer = wide(x)
    rank = len(windows.kernel)
    every = loops(2 + 2 * rank)
    outputs, offsets = every[2 : 2 + rank], every[2 + rank :]
    fitted = windows.fit(state, x, SMALLEST if integer else -inf)
    channels, sizes = t.shape_of(x)[1], windows.sizes
    asked = len(node.proto.output) > 1 and bool(node.proto.output[1])

    def place(e: F32) -> SSAValue:
        """The number of an element in the input."""
        at = e.int_add(_scaled(e, loop_index(e, 0), channels), loop_index(e, 1))
        at = _scaled(e, at, prod(sizes))
        order = range(rank) if by_columns else reversed(range(rank))
        step = 1
        for d in order:
            position = _scaled(e, loop_index(e, 2 + d), windows.strides[d])
            inner = _scaled(e, loop_index(e, 2 + rank + d), windows.dilations[d])
            position = e.int_add(e.int_add(position, inner), -windows.before[d])
            at = e.int_add(at, _scaled(e, position, step))
            step *= sizes[d]
        return at

    def body(e: F32, v: Scalars) -> list[SSAValue]:
        x, _, best, *number = v
        wins = after(e, x, best)
        found = [e.select(wins, x, best)]
        return [*found, e.select(wins, place(e), number[0])] if asked else found

    shape = (*t.shape_of(x)[:2], *windows.results)
    target = [*every[:2], *outputs]
    inputs = [
        (fitted, [*every[:2], *windows.place(outputs, offsets)]),
        (window_operand(state, windows), offsets),
    ]
    results = [(shape, i32 if integer else bf16, target), (shape, i32, target)]
    start: list[float | int] = [SMALLEST if integer else -inf, 0]
    kinds = "pp" + "p" * rank + "r" * rank
    count = 2 if asked else 1
    return list(nest(state, inputs, results[:count], kinds, body, start[:count]))


def _scaled(e: F32, x: SSAValue, factor: int) -> SSAValue:
    return x if factor == 1 else e.insert(arith.MuliOp(x, e.integer(factor)))


def convolve(
    state: Importer,
    x: SSAValue,
    weights: Value,
    bias: Value,
    windows: Windows,
    groups: int,
) -> SSAValue:
    """A convolution: x [N, C, …], weights [M, C / groups, …], bias [M] or None."""
    fitted = windows.fit(state, x, 0.0)
    if groups == 1:
        return _as_product(state, fitted, weights, bias, windows)
    return _by_groups(state, fitted, weights, bias, windows, groups)


MOST_SLICES = 128
"""Elements of a window that are a copy each; the cores gather larger windows, and such as do not
overlap."""


def _unfolded(state: Importer, x: SSAValue, windows: Windows) -> SSAValue:
    """[N, C, spatial] as [N, C, elements of a window, windows], in one or more dimensions each: an
    element of all windows together is a slice, whose rows are as long as the result's."""
    batch, channels, *sizes = t.shape_of(x)
    rank = len(windows.kernel)
    elements, stride = prod(windows.kernel), windows.strides[-1]
    every = loops(2 + 2 * rank)
    apart = stride > 1 and elements * prod(windows.results) <= prod(sizes)
    if elements > MOST_SLICES or apart:
        offsets, outputs = every[2 : 2 + rank], every[2 + rank :]
        source = [*every[:2], *windows.place(outputs, offsets)]
        shape = (batch, channels, *windows.kernel, *windows.results)
        return _gathered(state, x, source, shape)
    if stride > 1:
        # what windows skip is put aside first: the DMA takes as long for an element as for a row
        x = padded(state, x, rank + 1, 0, -t.shape_of(x)[-1] % stride, 0.0)
        *outer, width = t.shape_of(x)
        *at, phase, column = loops(rank + 3)
        x = _gathered(state, x, [*at, column * stride + phase], (*outer, stride, width // stride))
    shape = (batch, channels, 1, *windows.results)
    slices: list[SSAValue] = []
    for offsets in product(*map(range, windows.kernel)):
        starts = [k * d for k, d in zip(offsets, windows.dilations, strict=True)]
        counts, steps = list(windows.results), list(windows.strides)
        if stride > 1:
            starts[-1:] = [starts[-1] % stride, starts[-1] // stride]
            counts[-1:] = [1, counts[-1]]
            steps[-1:] = [1, 1]
        part = t.SliceOp(x, [0, 0, *starts], [batch, channels, *counts], [1, 1, *steps])
        slices.append(state.emit(t.ReshapeOp(state.emit(part), shape)))
    return slices[0] if elements == 1 else state.emit(t.ConcatOp(slices, 2))


def _gathered(
    state: Importer, x: SSAValue, source: Expressions, shape: tuple[int, ...]
) -> SSAValue:
    """Elements of x in the order of `shape`, by the cores."""
    target = loops(len(shape))
    kinds = "p" * len(shape)
    (found,) = nest(state, [(x, source)], [(shape, bf16, target)], kinds, lambda e, v: v[0])
    return found


def _as_product(
    state: Importer, x: SSAValue, weights: Value, bias: Value, windows: Windows
) -> SSAValue:
    batch, channels, *_ = t.shape_of(x)
    inner, places = channels * prod(windows.kernel), prod(windows.results)
    columns = state.emit(t.ReshapeOp(_unfolded(state, x, windows), (batch, inner, places)))
    rows = state.emit(t.TransposeOp(columns, (0, 2, 1)))
    rows = state.emit(t.ReshapeOp(rows, (batch * places, inner)))
    if isinstance(weights, np.ndarray):
        count = len(weights)
        flat = np.ascontiguousarray(weights.reshape(count, inner).T)
        state.names[id(flat)] = state.names.get(id(weights), "filter")
        matrix = state.constant(flat, splat=False)
    else:
        kernel = state.operand(weights)
        count = t.shape_of(kernel)[0]
        flat = state.emit(t.ReshapeOp(kernel, (count, inner)))
        matrix = state.emit(t.TransposeOp(flat, (1, 0)))
    result = state.emit(t.MatmulOp(rows, matrix))
    if bias is not None:
        added = state.constant(bias) if isinstance(bias, np.ndarray) else state.operand(bias)
        result = state.emit(t.AddOp(result, state.of_rank(added, 2)))
    result = state.emit(t.ReshapeOp(result, (batch, prod(windows.results), count)))
    result = state.emit(t.TransposeOp(result, (0, 2, 1)))
    return state.emit(t.ReshapeOp(result, (batch, count, *windows.results)))


def _by_groups(
    state: Importer, x: SSAValue, weights: Value, bias: Value, windows: Windows, groups: int
) -> SSAValue:
    """Each group's channels by themselves, on the cores, sums in float32."""
    batch, channels, *spatial = t.shape_of(x)
    kernel = (
        state.constant(weights, splat=False)
        if isinstance(weights, np.ndarray)
        else state.operand(weights)
    )
    count, inner = t.shape_of(kernel)[:2]
    rank, each = len(windows.kernel), count // groups
    x = state.emit(t.ReshapeOp(x, (batch, groups, channels // groups, *spatial)))
    kernel = state.emit(t.ReshapeOp(kernel, (groups, each, inner, *windows.kernel)))
    every = loops(3 + rank + 1 + rank)
    n, g, m, *outputs = every[: 3 + rank]
    c, *offsets = every[3 + rank :]
    shape = (batch, groups, each, *windows.results)
    (total,) = nest(
        state,
        [
            (x, [n, g, c, *windows.place(outputs, offsets)]),
            (kernel, [g, m, c, *offsets]),
        ],
        [(shape, f32, [n, g, m, *outputs])],
        "ppp" + "p" * rank + "r" * (1 + rank),
        lambda e, v: e.fma(v[0], v[1], v[2]),
        [0.0],
    )
    if bias is None:
        found = state.narrowed(total)
    else:
        column = (1, groups, each, *(1,) * rank)
        if isinstance(bias, np.ndarray):
            added = state.numbers(bias.reshape(column))
        else:
            added = state.emit(t.ReshapeOp(state.operand(bias), column))
        found = state.narrowed(map_values(state, [total, added], lambda e, v: e.add(v[0], v[1])))
    return state.emit(t.ReshapeOp(found, (batch, count, *windows.results)))


@operator("ConvTranspose", note="as a convolution of an input with zeros between its elements")
def conv_transpose(state: Importer, node: Node) -> list[Value]:
    x, weights, bias = node.activation(0), node.input(1), node.input(2)
    groups = int(node.attribute("group", 1))
    kernel = state.tensor(weights)
    channels, each, *sizes = t.shape_of(kernel)
    rank = len(sizes)
    node.attribute("kernel_shape")
    strides = list(node.attribute("strides", [1] * rank))
    dilations = list(node.attribute("dilations", [1] * rank))
    extra = list(node.attribute("output_padding", [0] * rank))
    pads = list(node.attribute("pads", [0] * 2 * rank))
    automatic = node.attribute("auto_pad", b"NOTSET")
    given = node.attribute("output_shape")
    results = output_sizes(node)[2:]
    before = pads[:rank]
    if automatic in (b"SAME_UPPER", b"SAME_LOWER") or given is not None:
        spans = zip(t.shape_of(x)[2:], strides, sizes, dilations, extra, results, strict=True)
        total = [s * (n - 1) + o + (k - 1) * d + 1 - r for n, s, k, d, o, r in spans]
        upper = automatic == b"SAME_UPPER"
        before = [max(p, 0) // 2 if upper else max(p, 0) - max(p, 0) // 2 for p in total]
    for d, stride in enumerate(strides):
        if stride > 1:
            x = _spread(state, x, d + 2, stride)
    # The filter turned around, input and output channels swapped within each group.
    flipped = state.emit(
        t.SliceOp(
            kernel,
            [0, 0, *(n - 1 for n in sizes)],
            [channels, each, *sizes],
            [1, 1, *(-1 for _ in sizes)],
        )
    )
    split = state.emit(t.ReshapeOp(flipped, (groups, channels // groups, each, *sizes)))
    order = (0, 2, 1, *range(3, 3 + rank))
    swapped = state.emit(t.TransposeOp(split, order))
    swapped = state.emit(t.ReshapeOp(swapped, (groups * each, channels // groups, *sizes)))
    windows = Windows(
        t.shape_of(x)[2:],
        tuple(sizes),
        (1,) * rank,
        tuple(dilations),
        tuple((k - 1) * d - b for k, d, b in zip(sizes, dilations, before, strict=True)),
        tuple(results),
    )
    return [convolve(state, x, swapped, bias, windows, groups)]


def _spread(state: Importer, x: SSAValue, axis: int, stride: int) -> SSAValue:
    """Zeros between the elements of a dimension."""
    shape = t.shape_of(x)
    x = state.emit(t.ReshapeOp(x, (*shape[: axis + 1], 1, *shape[axis + 1 :])))
    x = padded(state, x, axis + 1, 0, stride - 1, 0.0)
    size = shape[axis] * stride
    return state.emit(t.ReshapeOp(x, (*shape[:axis], size, *shape[axis + 1 :])))
