"""ONNX's Resize: a matrix of interpolation weights a dimension, by the operator's own formulas."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, prod
from typing import Any

import numpy as np
from xdsl.ir import SSAValue

from softex_mlir.compiler.importers.onnx.arrangement import expanded, take
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.lookup import selected
from softex_mlir.compiler.importers.onnx.movement import progressions
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of, operator
from softex_mlir.compiler.importers.onnx.values import Array, Unsupported, Value
from softex_mlir.compiler.importers.onnx.windows import output_sizes
from softex_mlir.dialects import transformer as t

FEW = 8
"""Slices that elements are taken by; more are looked up by number."""


@dataclass(frozen=True)
class Resampling:
    """How the elements of a dimension are computed from others.

    Attributes:
        place: `coordinate_transformation_mode`.
        rounding: `nearest_mode`.
    """

    mode: str
    place: str
    rounding: str = "floor"
    cubic: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False

    def matrix(self, size: int, result: int, scale: float, roi: tuple[float, float]) -> Array:
        """[size, result]: the weight of every element in every result."""
        weights = np.zeros((size, result))
        for i in range(result):
            # float64's own error must not move a place off an element or a tie
            x = round(self._origin(i, size, result, scale, roi), 12)
            if self.place == "tf_crop_and_resize" and not 0 <= x <= size - 1:
                continue  # the extrapolation value, which is 0
            if self.mode == "nearest":
                weights[min(max(self._nearest(x), 0), size - 1), i] = 1.0
                continue
            first, taps = self._taps(x, scale)
            at = np.arange(first, first + len(taps))
            if self.exclude_outside:
                taps = np.where((at < 0) | (at >= size), 0.0, taps)
                taps = taps / taps.sum()
            np.add.at(weights[:, i], at.clip(0, size - 1), taps)
        return weights

    def _origin(
        self, i: int, size: int, result: int, scale: float, roi: tuple[float, float]
    ) -> float:
        """Where a result lies among the elements."""
        width, half = scale * size, (i + 0.5) / scale - 0.5
        match self.place:
            case "half_pixel":
                return half
            case "asymmetric":
                return i / scale
            case "align_corners":
                return 0.0 if width == 1 else i * (size - 1) / (width - 1)
            case "pytorch_half_pixel":
                return -0.5 if width == 1 else half
            case "half_pixel_symmetric":
                return size / 2 * (1 - result / width) + half
            case "tf_crop_and_resize":
                span = (roi[1] - roi[0]) * (size - 1)
                step = span / 2 if width == 1 else i * span / (width - 1)
                return step + roi[0] * (size - 1)
            case other:
                raise Unsupported(f"coordinate_transformation_mode = {other}")

    def _nearest(self, x: float) -> int:
        match self.rounding:
            case "floor":
                return floor(x)
            case "ceil":
                return ceil(x)
            case "round_prefer_floor":
                return ceil(x - 0.5)
            case "round_prefer_ceil":
                return floor(x + 0.5)
            case other:
                raise Unsupported(f"nearest_mode = {other}")

    def _taps(self, x: float, scale: float) -> tuple[int, Array]:
        """Number of the first element that counts, and the weights from there on."""
        narrow = min(scale, 1.0) if self.antialias else 1.0
        reach = 1 if self.mode == "linear" else 2
        base = ceil(x) - 1
        start = floor(-reach / narrow) + 1
        distances = np.abs(np.arange(start, 2 - start) - (x - base)) * narrow
        if self.mode == "linear":
            taps = np.clip(1 - distances, 0, 1)
        elif self.mode == "cubic":
            a, d = self.cubic, distances
            near = ((a + 2) * d - (a + 3)) * d * d + 1
            far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
            taps = np.where(d <= 1, near, np.where(d < 2, far, 0.0))
        else:
            raise Unsupported(f"mode = {self.mode}")
        return base + start, taps / taps.sum() if self.antialias else taps


@operator("Resize", "Upsample", note="scales or sizes known when the model is read")
def resize(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    shape, results = t.shape_of(x), output_sizes(node)
    axes, scales, roi = _geometry(node, shape, results)
    resampling = _resampling(node)
    if resampling.place == "tf_crop_and_resize" and node.attribute("extrapolation_value", 0.0):
        raise Unsupported("an extrapolation_value other than 0")
    for number, axis in enumerate(axes):
        size, result, scale = shape[axis], results[axis], scales[number]
        if resampling.place == "align_corners" and scale * size != result:
            state.note(
                "Resize by align_corners lays the last element at the scale times the size, as "
                "ONNX's reference does; exporters that mean the size of the result write sizes"
            )
        span = (0.0, 1.0) if roi is None else (roi[number], roi[number + len(axes)])
        matrix = resampling.matrix(size, result, scale, span)
        if size != result or not np.array_equal(matrix, np.eye(size)):
            x = _resampled(state, x, axis, matrix)
    return [x]


def _geometry(
    node: Node, shape: tuple[int, ...], results: tuple[int, ...]
) -> tuple[list[int], list[float], list[float] | None]:
    """Dimensions that change, the scale of each, and the region of interest."""
    rank = len(shape)
    axes = [axis_of(int(a), rank) for a in node.attribute("axes", list(range(rank)))]
    roi = sizes = None
    if node.opset >= 11:
        roi, scales, sizes = (node.constant(i, what) for i, what in _INPUTS)
    elif node.kind == "Upsample" and node.opset < 9:
        scales = np.array(node.attribute("scales"))
    else:
        scales = node.constant(1, "scales")
    policy = node.attribute("keep_aspect_ratio_policy", b"stretch")
    if scales is not None and scales.size:
        factors = [float(s) for s in scales]
    elif sizes is None or not sizes.size:
        raise Unsupported("neither scales nor sizes")
    else:
        factors = [int(s) / shape[a] for s, a in zip(sizes, axes, strict=True)]
        if policy != b"stretch":
            choose = min if policy == b"not_larger" else max
            factors = [choose(factors)] * len(axes)
    region = None if roi is None or not roi.size else [float(r) for r in roi]
    return axes, factors, region


_INPUTS = ((1, "roi"), (2, "scales"), (3, "sizes"))


def _resampling(node: Node) -> Resampling:
    def text(name: str, default: str) -> str:
        found: Any = node.attribute(name, default.encode())
        return found.decode()

    old = node.opset < 11 or node.kind == "Upsample"
    return Resampling(
        text("mode", "nearest"),
        "asymmetric" if old else text("coordinate_transformation_mode", "half_pixel"),
        "floor" if old else text("nearest_mode", "round_prefer_floor"),
        float(node.attribute("cubic_coeff_a", -0.75)),
        bool(node.attribute("antialias", 0)),
        bool(node.attribute("exclude_outside", 0)),
    )


def _resampled(state: Importer, x: SSAValue, axis: int, matrix: Array) -> SSAValue:
    """Weighted sums along a dimension."""
    size, result = matrix.shape
    if ((matrix != 0).sum(0) == 1).all() and (matrix.max(0) == 1).all():
        return _picked(state, x, axis, [int(i) for i in matrix.argmax(0)])
    rank = len(t.shape_of(x))
    order = [*(d for d in range(rank) if d != axis), axis]
    moved = state.emit(t.TransposeOp(state.narrowed(x), order))
    shape = t.shape_of(moved)
    rows = state.emit(t.ReshapeOp(moved, (prod(shape[:-1]), size)))
    weights = state.constant(matrix.astype(np.float32), splat=False)
    product = state.emit(t.MatmulOp(rows, weights))
    back = state.emit(t.ReshapeOp(product, (*shape[:-1], result)))
    return state.emit(t.TransposeOp(back, [order.index(d) for d in range(rank)]))


def _picked(state: Importer, x: SSAValue, axis: int, indices: list[int]) -> SSAValue:
    """Elements of a dimension by number, some of them repeatedly."""
    shape = t.shape_of(x)
    size = shape[axis]
    times = len(indices) // size
    if indices == [i for i in range(size) for _ in range(times)]:
        apart = state.emit(t.ReshapeOp(x, (*shape[: axis + 1], 1, *shape[axis + 1 :])))
        repeated = (*shape[: axis + 1], times, *shape[axis + 1 :])
        spread = expanded(state, apart, repeated)
        return state.emit(t.ReshapeOp(spread, (*shape[:axis], len(indices), *shape[axis + 1 :])))
    if len(progressions(indices)) <= FEW:
        return take(state, x, axis, indices)
    return selected(state, x, state.integers(np.array(indices)), axis)
