"""ONNX's GridSample: every result is a weighted sum of all elements, a product for RedMulE.

The weight of an element is the product of one weight a dimension, which depends on the distance of
its number from the place that is asked for. Places and distances are float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any

import numpy as np
from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from softex_mlir.compiler.bodies import f32_functions
from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Scalars
from softex_mlir.compiler.importers.onnx.contrib import call, shaped
from softex_mlir.compiler.importers.onnx.general import clipped
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import operator
from softex_mlir.compiler.importers.onnx.tensors import (
    as_number,
    loop_index,
    loops,
    map_values,
    nest,
)
from softex_mlir.compiler.importers.onnx.values import Unsupported, Value
from softex_mlir.dialects import transformer as t

_PAD: Any = np.pad  # its type stubs want the mode as a literal
CUBIC = -0.75
"""The parameter of Keys' cubic convolution, as ONNX fixes it."""
MODES = ("nearest", "linear", "cubic")
PADDINGS = ("zeros", "border", "reflection")


@dataclass(frozen=True)
class _Axis:
    """How the places along a dimension become weights of its elements.

    Attributes:
        size: elements of the dimension.
        margin: elements beyond both ends that have weights of their own.
        mode: `nearest`, `linear` or `cubic`.
        beyond: `padding_mode`.
        corners: -1 and 1 are the centres of the first and last elements, not their outer edges.
    """

    size: int
    margin: int
    mode: str
    beyond: str
    corners: bool

    def weight(self, e: F32, place: SSAValue, number: SSAValue) -> SSAValue:
        """The weight of an element, given a place in [-1, 1] and its number with the margin."""
        x = self._within(e, self._unscaled(e, place))
        at = e.plus(as_number(e, number), float(-self.margin))
        d = e.magnitude(e.sub(x, at))
        if self.mode == "nearest":
            return e.select(e.compare("olt", d, 0.5), e.number(1.0), e.number(0.0))
        if self.mode == "linear":
            return clipped(e, e.sub(e.number(1.0), d), 0.0, np.inf)
        a = CUBIC
        near = e.plus(e.mul(e.mul(e.plus(e.times(d, a + 2), -(a + 3)), d), d), 1.0)
        far = e.plus(e.mul(e.plus(e.mul(e.plus(e.times(d, a), -5 * a), d), 8 * a), d), -4 * a)
        far = e.select(e.compare("olt", d, 2.0), far, e.number(0.0))
        return e.select(e.compare("ole", d, 1.0), near, far)

    def _unscaled(self, e: F32, place: SSAValue) -> SSAValue:
        """The element's number that a place stands for."""
        from_zero = e.plus(place, 1.0)
        if self.corners:
            x = e.times(e.times(from_zero, 0.5), float(self.size - 1))
        else:
            x = e.times(e.plus(e.times(from_zero, float(self.size)), -1.0), 0.5)
        return f32_functions.round_even(e, x) if self.mode == "nearest" else x

    def _within(self, e: F32, x: SSAValue) -> SSAValue:
        """Places beyond the image, brought back to it."""
        last = float(self.size - 1)
        low = 0.0 if self.corners else -0.5
        high = last - low
        if self.beyond == "reflection":
            x = _reflected(e, x, low, high)
        if self.beyond == "zeros":
            return x
        inside = clipped(e, x, 0.0, last)
        if self.mode != "cubic":
            return inside
        # Up to half an element beyond, a cubic's taps reach other elements than at the border.
        x = e.select(e.compare("olt", x, low), inside, x)
        return e.select(e.compare("ogt", x, high), inside, x)


def _reflected(e: F32, x: SSAValue, low: float, high: float) -> SSAValue:
    """x mirrored at both ends until it lies between them."""
    span = high - low
    if span == 0:
        return e.number(low)
    way = e.magnitude(e.plus(x, -low))
    turns = f32_functions.floor(e, e.times(way, 1 / span))
    rest = e.sub(way, e.times(turns, span))
    half = f32_functions.floor(e, e.times(turns, 0.5))
    even = e.compare("oeq", turns, e.times(half, 2.0))
    return e.select(even, e.plus(rest, low), e.sub(e.number(high), rest))


@operator("GridSample", note="a matrix product with weights computed on the cores")
def grid_sample(state: Importer, node: Node) -> list[Value]:
    x, grid = state.narrowed(state.tensor(node.input(0))), node.tensor(1)
    mode = node.attribute("mode", b"linear").decode().removeprefix("bi")
    beyond = node.attribute("padding_mode", b"zeros").decode()
    corners = bool(node.attribute("align_corners", 0))
    if mode not in MODES or beyond not in PADDINGS:
        raise Unsupported(f"mode = {mode}, padding_mode = {beyond}")
    batch, channels, *sizes = t.shape_of(x)
    results = t.shape_of(grid)[1:-1]
    margin = 2 if mode == "cubic" and beyond != "zeros" else 0
    if margin:
        # np.pad's reflections do not repeat the last element, its symmetric ones do.
        reflection = "reflect" if corners else "symmetric"
        padding = reflection if beyond == "reflection" else "edge"
        for d, size in enumerate(sizes):
            numbers = _PAD(np.arange(size), margin, mode=padding)
            x = call(state, "Gather", x, numbers, axis=d + 2)
    weights: list[Value] = []
    count = len(sizes)
    for d, size in enumerate(sizes):
        axis = _Axis(size, margin, mode, beyond, corners)
        weight = _weights(state, grid, axis, count - 1 - d)
        others = [1 if other != d else size + 2 * margin for other in range(count)]
        weights.append(shaped(state, weight, batch, *others, prod(results)))
    wide = [size + 2 * margin for size in sizes]
    product = state.narrowed(map_values(state, weights, lambda e, v: reduce(e.mul, v)))
    product = shaped(state, product, batch, prod(wide), prod(results))
    found = call(state, "MatMul", shaped(state, x, batch, channels, prod(wide)), product)
    return [shaped(state, found, batch, channels, *results)]


def _weights(state: Importer, grid: SSAValue, axis: _Axis, coordinate: int) -> SSAValue:
    """float32 [batch, elements, places] of a grid [batch, .., coordinates]."""
    batch, *results, coordinates = t.shape_of(grid)
    places = state.emit(t.ReshapeOp(grid, (batch, prod(results), coordinates)))
    n, element, place = loops(3)
    source = [n, place, AffineExpr.constant(coordinate)]
    shape = (batch, axis.size + 2 * axis.margin, prod(results))

    def body(e: F32, v: Scalars) -> SSAValue:
        return axis.weight(e, as_number(e, v[0]), loop_index(e, 1))

    return nest(state, [(places, source)], [(shape, f32, [n, element, place])], "ppp", body)[0]
