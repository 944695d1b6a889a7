"""ONNX operators written as others, where ONNX itself gives no definition."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnx

from softex_mlir.compiler.importers.onnx.contrib import call, ints, shaped
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of, operator
from softex_mlir.compiler.importers.onnx.values import (
    Array,
    Past,
    Unsupported,
    Value,
    shape_of_value,
)
from softex_mlir.dialects import transformer as t

_TENSOR: Any = onnx.TensorProto


def _number(value: float) -> Array:
    return np.array(value, np.float32)


def _int32(value: Any) -> Array:
    return np.asarray(value, np.int32)


def _along(array: Array, axis: int, rank: int) -> Array:
    """A vector as an array of more dimensions."""
    return array.reshape([-1 if d == axis else 1 for d in range(rank)])


# --- rows at places computed at run time --------------------------------------------------------


def _by_element(state: Importer, value: Value, axis: int, rank: int) -> Value:
    """One integer for every element of a dimension, to be broadcast."""
    found = call(state, "Cast", value, to=int(_TENSOR.INT32))
    return shaped(state, found, *(-1 if d == axis else 1 for d in range(rank)))


@operator("TensorScatter", note="caches that are written at run-time places")
def tensor_scatter(state: Importer, node: Node) -> list[Value]:
    past, update, starts = (node.input(i) for i in range(3))
    if isinstance(past, Past):
        return [_stored(state, node, past)]
    shape, given = shape_of_value(past), shape_of_value(update)
    rank = len(shape)
    axis = axis_of(node.attribute("axis", -2), rank)
    circular = node.attribute("mode", b"linear") == b"circular"
    length, count = shape[axis], given[axis]
    offsets: Value = _along(_int32(np.arange(length)), axis, rank)
    if starts is not None:
        offsets = call(state, "Sub", offsets, _by_element(state, starts, 0, rank))
    if circular:
        offsets = call(state, "Mod", offsets, _int32(length))
    row = call(state, "Clip", offsets, _int32(0), _int32(count - 1))
    chosen = update
    if count > 1:
        chosen = call(
            state, "GatherElements", update, call(state, "Expand", row, ints(*shape)), axis=axis
        )
    return [call(state, "Where", call(state, "Equal", offsets, row), chosen, past)]


def _stored(state: Importer, node: Node, past: Past) -> Value:
    """A decoder's cache with the next tokens' rows behind those before."""
    rows, first = node.activation(1), node.constant(2, "write indices")
    if (
        node.attribute("mode", b"linear") != b"linear"
        or axis_of(node.attribute("axis", -2), 4) != 2
    ):
        raise Unsupported("around the end of a cache, or along another dimension than the tokens")
    before = past.shape[2] - t.shape_of(rows)[2]
    if bool((np.asarray(0 if first is None else first) != before).any()):
        raise Unsupported("at other places of a cache than behind the tokens before")
    assert state.decoder is not None
    return state.decoder.append(past, rows)


@operator("ReverseSequence", note="lengths constant or computed")
def reverse_sequence(state: Importer, node: Node) -> list[Value]:
    x, lengths = node.input(0), node.input(1)
    shape = shape_of_value(x)
    rank = len(shape)
    time = axis_of(node.attribute("time_axis", 0), rank)
    batch = axis_of(node.attribute("batch_axis", 1), rank)
    places = _along(_int32(np.arange(shape[time])), time, rank)
    ends = _by_element(state, lengths, batch, rank)
    mirrored = call(state, "Sub", call(state, "Sub", ends, _int32(1)), places)
    found = call(state, "Where", call(state, "Less", places, ends), mirrored, places)
    found = call(state, "Expand", found, ints(*shape))
    return [call(state, "GatherElements", x, found, axis=time)]


# --- sums of neighbours -------------------------------------------------------------------------


@operator("GlobalLpPool", note="in float32 on the cores")
def global_lp_pool(state: Importer, node: Node) -> list[Value]:
    x, p = node.input(0), int(node.attribute("p", 2))
    axes = ints(*range(2, len(shape_of_value(x))))
    if p in (1, 2):
        return [call(state, f"ReduceL{p}", x, axes)]
    power = call(state, "Pow", call(state, "Abs", x), _number(p))
    return [call(state, "Pow", call(state, "ReduceSum", power, axes), _number(1 / p))]


@operator("LRN", note="on the cores")
def local_response(state: Importer, node: Node) -> list[Value]:
    x, size = node.input(0), int(node.attribute("size"))
    channels = shape_of_value(x)[1]
    before, after = (size - 1) // 2, size // 2
    rest = [0] * (2 * len(shape_of_value(x)))
    rest[1], rest[1 + len(rest) // 2] = before, after
    wide = call(state, "Pad", call(state, "Mul", x, x), ints(*rest))
    total = None
    for k in range(size):
        part = call(state, "Slice", wide, ints(k), ints(k + channels), ints(1))
        total = part if total is None else call(state, "Add", total, part)
    alpha, beta = node.attribute("alpha", 1e-4), node.attribute("beta", 0.75)
    scaled = call(state, "Mul", total, _number(alpha / size))
    base = call(state, "Add", scaled, _number(node.attribute("bias", 1.0)))
    return [call(state, "Mul", x, call(state, "Pow", base, _number(-beta)))]


# --- windows put back ----------------------------------------------------------------------------


@operator("Col2Im", note="a transposed convolution with a filter of one element a place")
def col2im(state: Importer, node: Node) -> list[Value]:
    x = node.input(0)
    image = [int(n) for n in node.required(1, "image_shape")]
    block = [int(n) for n in node.required(2, "block_shape")]
    rank, places = len(block), prod(block)
    strides = list(node.attribute("strides", [1] * rank))
    dilations = list(node.attribute("dilations", [1] * rank))
    pads = list(node.attribute("pads", [0] * 2 * rank))
    batch, channels, _ = shape_of_value(x)
    counts: list[int] = []
    rests: list[int] = []
    for d, (size, n) in enumerate(zip(image, block, strict=True)):
        room = size + pads[d] + pads[rank + d] - dilations[d] * (n - 1) - 1
        counts.append(room // strides[d] + 1)
        rests.append(room % strides[d])
    filters = np.eye(places, dtype=np.float32).reshape(places, 1, *block)
    return [
        call(
            state,
            "ConvTranspose",
            shaped(state, x, batch, channels, *counts),
            np.tile(filters, (channels // places, *(1,) * (1 + rank))),
            group=channels // places,
            strides=strides,
            dilations=dilations,
            pads=pads,
            output_padding=rests,
        )
    ]


@operator("MaxUnpool", note="work grows with the square of the elements")
def max_unpool(state: Importer, node: Node) -> list[Value]:
    x, places, given = node.input(0), node.input(1), node.constant(2, "output_shape")
    batch, channels, *sizes = shape_of_value(x)
    kernel, rank = list(node.attribute("kernel_shape")), len(sizes)
    strides = list(node.attribute("strides", [1] * rank))
    pads = list(node.attribute("pads", [0] * 2 * rank))
    whole = [batch, channels]
    for d, (size, n) in enumerate(zip(sizes, kernel, strict=True)):
        whole.append((size - 1) * strides[d] + n - pads[d] - pads[rank + d])
    empty = np.zeros(prod(whole), np.float32)
    found = call(
        state, "ScatterElements", empty, shaped(state, places, -1), shaped(state, x, -1), axis=0
    )
    found = shaped(state, found, *whole)
    if given is None:
        return [found]
    behind = [int(n) - size for n, size in zip(given, whole, strict=True)]
    return [call(state, "Pad", found, ints(*[0] * (rank + 2), *behind))]


# --- Fourier transforms -------------------------------------------------------------------------


def _transformed(
    state: Importer, x: Value, axis: int, length: int, *, inverse: bool, onesided: bool
) -> Value:
    """[.., n, .., 1 or 2] along a dimension; the last one holds real and imaginary parts."""
    rank, parts = len(shape_of_value(x)), shape_of_value(x)[-1]
    present = shape_of_value(x)[axis]
    if length < present:
        x = call(state, "Slice", x, ints(0), ints(length), ints(axis))
    taken, outputs = min(length, present), length // 2 + 1 if onesided else length
    angles = 2 * np.pi * np.outer(np.arange(taken), np.arange(outputs)) / length
    scale = 1 / length if inverse else 1.0
    real, imaginary = np.cos(angles) * scale, np.sin(angles) * (scale if inverse else -scale)
    # Both parts of the inputs are rows of one matrix, both of the results are its columns.
    matrix = np.hstack([real, imaginary])
    if parts == 2:
        matrix = np.vstack([matrix, np.hstack([-imaginary, real])])
    others = [d for d in range(rank - 1) if d != axis]
    sizes = [shape_of_value(x)[d] for d in others]
    rows = call(state, "Transpose", x, perm=[*others, rank - 1, axis])
    rows = shaped(state, rows, *sizes, parts * taken)
    found = call(state, "MatMul", rows, matrix.astype(np.float32))
    found = shaped(state, found, *sizes, 2, outputs)
    order = [0] * rank
    for place, d in enumerate([*others, rank - 1, axis]):
        order[d] = place
    return call(state, "Transpose", found, perm=order)


@operator("DFT", note="a matrix product; length and axis known when the model is read")
def dft(state: Importer, node: Node) -> list[Value]:
    x = node.input(0)
    rank = len(shape_of_value(x))
    given, axes = node.constant(1, "dft_length"), node.constant(2, "axis")
    axis = (
        int(axes.ravel()[0])
        if axes is not None
        else node.attribute("axis", 1 if node.opset < 20 else -2)
    )
    axis = axis_of(int(axis), rank)
    inverse, onesided = bool(node.attribute("inverse", 0)), bool(node.attribute("onesided", 0))
    if inverse and onesided:
        raise Unsupported("the inverse of one side")
    length = shape_of_value(x)[axis] if given is None else int(given.ravel()[0])
    return [_transformed(state, x, axis, length, inverse=inverse, onesided=onesided)]


@operator("STFT", note="frames and window known when the model is read")
def stft(state: Importer, node: Node) -> list[Value]:
    signal = node.input(0)
    step = int(node.required(1, "frame_step").ravel()[0])
    window, given = node.constant(2, "window"), node.constant(3, "frame_length")
    size = given if given is not None else window
    if size is None:
        raise Unsupported("without window and frame_length")
    length = int(size.ravel()[0]) if given is not None else int(size.size)
    samples = shape_of_value(signal)[1]
    frames = (samples - length) // step + 1
    places = np.arange(frames)[:, None] * step + np.arange(length)
    if len(shape_of_value(signal)) == 2:
        signal = call(state, "Unsqueeze", signal, ints(-1))
    cut = call(state, "Gather", signal, places.astype(np.int64), axis=1)
    if window is not None:
        cut = call(state, "Mul", cut, np.asarray(window, np.float32)[:, None])
    onesided = bool(node.attribute("onesided", 1))
    return [_transformed(state, cut, 2, length, inverse=False, onesided=onesided)]
