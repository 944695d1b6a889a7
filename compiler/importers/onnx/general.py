"""ONNX operators on the general path: loop nests on the cores for what has no kernel of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, prod

import numpy as np
from onnx import TensorProto
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import IntegerType, bf16, f32, i32
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Body, Scalars, elementwise, reduction
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.logic import wrapped
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of, operator
from softex_mlir.compiler.importers.onnx.tensors import map_values
from softex_mlir.compiler.importers.onnx.values import Unsupported, Value, element_of
from softex_mlir.compiler.row_operations.unary import softplus
from softex_mlir.dialects import transformer as t

WIDE_INTEGERS = (6, 7)
"""ONNX's numbers of int32 and int64, which is carried as int32."""
Function = Callable[[F32, SSAValue], SSAValue]


def map_elements(state: Importer, inputs: Sequence[SSAValue], body: Body) -> SSAValue:
    """A function of the elements of broadcast inputs."""
    return state.emit_all(elementwise(inputs, bf16, body, layer=state.layer))


def map_numbers(state: Importer, inputs: Sequence[SSAValue], body: Body) -> SSAValue:
    """The same; what is computed from float32 alone stays so."""
    exact = all(element_of(x) == f32 for x in inputs)
    return state.emit_all(elementwise(inputs, f32 if exact else bf16, body, layer=state.layer))


def larger(e: F32, a: SSAValue, b: SSAValue) -> SSAValue:
    """The maximum, NaN if either is."""
    return e.insert(arith.MaximumfOp(a, b))


def smaller(e: F32, a: SSAValue, b: SSAValue) -> SSAValue:
    """The minimum, NaN if either is."""
    return e.insert(arith.MinimumfOp(a, b))


def clipped(e: F32, x: SSAValue, low: float, high: float) -> SSAValue:
    """x within limits, which may be infinite."""
    if low > -inf:
        x = larger(e, x, e.number(low))
    return smaller(e, x, e.number(high)) if high < inf else x


def _sign(e: F32, x: SSAValue) -> SSAValue:
    above = e.select(e.compare("ogt", x, 0.0), e.number(1.0), x)
    return e.select(e.compare("olt", x, 0.0), e.number(-1.0), above)


def _library(op: Callable[[SSAValue], Operation]) -> Function:
    return lambda e, x: e.insert(op(x))


PLAIN: dict[str, Function] = {
    "Abs": lambda e, x: e.magnitude(x),
    "Ceil": _library(math.CeilOp),
    "Floor": _library(math.FloorOp),
    "Round": _library(math.RoundEvenOp),
    "Sign": _sign,
    "Log": _library(math.LogOp),
    "Sin": _library(math.SinOp),
    "Cos": _library(math.CosOp),
    "Tan": _library(math.TanOp),
    "Asin": _library(math.AsinOp),
    "Acos": _library(math.AcosOp),
    "Atan": _library(math.AtanOp),
    "Sinh": _library(math.SinhOp),
    "Cosh": _library(math.CoshOp),
    "Asinh": _library(math.AsinhOp),
    "Acosh": _library(math.AcoshOp),
    "Atanh": _library(math.AtanhOp),
    "Softsign": lambda e, x: e.div(x, e.plus(e.magnitude(x), 1.0)),
    "HardSwish": lambda e, x: e.mul(x, clipped(e, e.plus(e.times(x, 1 / 6), 0.5), 0.0, 1.0)),
    "Mish": lambda e, x: e.mul(x, e.insert(math.TanhOp(softplus(e, x)))),
}
"""Functions without attributes."""
OF_INTEGERS: dict[str, Function] = {
    "Abs": lambda e, x: e.insert(arith.MaxSIOp(x, e.int_sub(e.integer(0), x))),
    "Sign": lambda e, x: e.insert(
        arith.MaxSIOp(e.insert(arith.MinSIOp(x, e.integer(1))), e.integer(0xFFFFFFFF))
    ),
}


ANGLES = ("Sin", "Cos", "Tan")


@operator(*ANGLES, note="on the cores, in float32 inside; NaN of angles from 4,194,304 on")
@operator(*(set(PLAIN) - set(ANGLES)), note="on the cores, in float32 inside")
def plain(state: Importer, node: Node) -> list[Value]:
    function, x = PLAIN[node.kind], node.tensor(0)
    if isinstance(element_of(x), IntegerType):
        integers = OF_INTEGERS.get(node.kind)
        if integers is None:
            raise Unsupported("of integers")
        width = node.element_type(0)
        if width == TensorProto.UINT32:
            raise Unsupported("of unsigned 32-bit integers")

        def of_integer(e: F32, v: Scalars) -> SSAValue:
            return wrapped(e, integers(e, v[0]), width)

        return [state.emit_all(elementwise([x], i32, of_integer, layer=state.layer))]
    return [map_numbers(state, [x], lambda e, v: function(e, v[0]))]


def _negative_part(e: F32, x: SSAValue, low: SSAValue) -> SSAValue:
    """x where it is not negative, else another value."""
    return e.select(e.compare("olt", x, 0.0), low, x)


def _expm1(e: F32, x: SSAValue) -> SSAValue:
    return e.insert(math.ExpM1Op(x))


@operator("Elu", "Selu", "Celu", "LeakyRelu", note="on the cores")
def rectified(state: Importer, node: Node) -> list[Value]:
    defaults = {"Elu": 1.0, "Selu": 1.67326319217681884765625, "Celu": 1.0, "LeakyRelu": 0.01}
    alpha = float(node.attribute("alpha", defaults[node.kind]))
    gamma = float(node.attribute("gamma", 1.05070102214813232421875)) if node.kind == "Selu" else 1
    kind = node.kind

    def body(e: F32, operands: Scalars) -> SSAValue:
        (x,) = operands
        if kind == "LeakyRelu":
            return _negative_part(e, x, e.times(x, alpha))
        scaled = e.times(x, 1 / alpha) if kind == "Celu" else x
        found = _negative_part(e, x, e.times(_expm1(e, scaled), alpha))
        return e.times(found, gamma) if kind == "Selu" else found

    return [map_elements(state, [node.activation(0)], body)]


@operator("ThresholdedRelu", "HardSigmoid", "Shrink", note="on the cores")
def piecewise(state: Importer, node: Node) -> list[Value]:
    kind = node.kind
    alpha = float(node.attribute("alpha", 0.2 if kind == "HardSigmoid" else 1.0))
    beta = float(node.attribute("beta", 0.5)) if kind == "HardSigmoid" else 0.0
    bias, limit = (0.0, 0.5)
    if kind == "Shrink":
        bias, limit = float(node.attribute("bias", 0.0)), float(node.attribute("lambd", 0.5))

    def body(e: F32, operands: Scalars) -> SSAValue:
        (x,) = operands
        zero = e.number(0.0)
        if kind == "HardSigmoid":
            return clipped(e, e.plus(e.times(x, alpha), beta), 0.0, 1.0)
        if kind == "ThresholdedRelu":
            return e.select(e.compare("ogt", x, alpha), x, zero)
        above = e.select(e.compare("ogt", x, limit), e.plus(x, -bias), zero)
        return e.select(e.compare("olt", x, -limit), e.plus(x, bias), above)

    return [map_elements(state, [node.activation(0)], body)]


@operator("PRelu", note="on the cores")
def prelu(state: Importer, node: Node) -> list[Value]:
    x, slope = node.activation(0), state.operand(node.input(1))
    shape = tuple(np.broadcast_shapes(t.shape_of(x), t.shape_of(slope)))
    if shape != t.shape_of(x):
        raise Unsupported(f"slopes of shape {t.shape_of(slope)} for {t.shape_of(x)}")
    return [
        map_elements(state, [x, slope], lambda e, v: _negative_part(e, v[0], e.mul(v[0], v[1])))
    ]


@operator("Sum", "Mean", note="on the cores")
def sum_of_operands(state: Importer, node: Node) -> list[Value]:
    inputs = [state.operand(value) for value in node.inputs()]
    share = 1 / len(inputs) if node.kind == "Mean" else 1.0

    def body(e: F32, operands: Scalars) -> SSAValue:
        total = operands[0]
        for value in operands[1:]:
            total = e.add(total, value)
        return e.times(total, share) if share != 1.0 else total

    return [map_elements(state, inputs, body)]


# --- reductions ------------------------------------------------------------------------------


def _axes(node: Node, rank: int) -> list[int] | None:
    """Reduced dimensions; None if the node does nothing."""
    axes, noop = node.ints(1, "axes", "axes"), node.attribute("noop_with_empty_axes", 0)
    if not axes and noop:
        return None
    return [axis_of(a, rank) for a in axes] if axes else list(range(rank))


def _reduce(
    state: Importer,
    x: SSAValue,
    axes: Sequence[int],
    start: float,
    body: Body,
    *,
    keep: bool = True,
) -> SSAValue:
    """An accumulation in f32."""
    return state.emit_all(reduction(x, axes, f32, start, body, keep=keep, layer=state.layer))


def _added(term: Function) -> Body:
    """Accumulates terms: the operands are the element and the sum."""
    return lambda e, v: e.add(v[1], term(e, v[0]))


REDUCTIONS: dict[str, tuple[float, Body, Function | None]] = {
    "ReduceSum": (0.0, _added(lambda e, x: x), None),
    "ReduceL1": (0.0, _added(lambda e, x: e.magnitude(x)), None),
    "ReduceL2": (0.0, _added(lambda e, x: e.mul(x, x)), lambda e, x: e.sqrt(x)),
    "ReduceSumSquare": (0.0, _added(lambda e, x: e.mul(x, x)), None),
    "ReduceLogSum": (0.0, _added(lambda e, x: x), _library(math.LogOp)),
    "ReduceProd": (1.0, lambda e, v: e.mul(v[1], v[0]), None),
    "ReduceMax": (-inf, lambda e, v: larger(e, v[1], v[0]), None),
    "ReduceMin": (inf, lambda e, v: smaller(e, v[1], v[0]), None),
}
"""Start, combination of element and accumulator, and what follows."""


@operator(*REDUCTIONS, note="over any axes, in float32 on the cores")
def reduce(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    axes = _axes(node, len(t.shape_of(x)))
    keep = bool(node.attribute("keepdims", 1))
    start, body, finish = REDUCTIONS[node.kind]
    if isinstance(element_of(x), IntegerType):
        return [_reduced_integers(state, node, x, axes, keep=keep)]
    if axes is None:
        if node.kind not in ("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"):
            raise Unsupported("no axes with noop_with_empty_axes")
        return [x]
    total = _reduce(state, x, axes, start, body, keep=keep)
    if finish is None and element_of(x) == f32:
        return [total]
    combine = map_elements if element_of(x) == bf16 else map_numbers
    return [combine(state, [total], lambda e, v: finish(e, v[0]) if finish else v[0])]


INTEGER_REDUCTIONS: dict[str, tuple[int, Callable[[SSAValue, SSAValue], Operation]]] = {
    "ReduceSum": (0, arith.AddiOp),
    "ReduceProd": (1, arith.MuliOp),
    "ReduceMax": (-(1 << 31), arith.MaxSIOp),
    "ReduceMin": ((1 << 31) - 1, arith.MinSIOp),
}


def _reduced_integers(
    state: Importer, node: Node, x: SSAValue, axes: Sequence[int] | None, *, keep: bool
) -> SSAValue:
    """Of i32; booleans have none of these."""
    if axes is None:
        return x
    if node.kind not in INTEGER_REDUCTIONS or element_of(x) != i32:
        raise Unsupported("of integers")
    if node.element_type(0) not in WIDE_INTEGERS:
        raise Unsupported("of integers of other than 32 and 64 bits")
    start, combine = INTEGER_REDUCTIONS[node.kind]

    def body(e: F32, v: Scalars) -> SSAValue:
        return e.insert(combine(v[1], v[0]))

    return state.emit_all(reduction(x, axes, i32, start, body, keep=keep, layer=state.layer))


def mean_of_numbers(state: Importer, node: Node, x: SSAValue) -> SSAValue:
    """A mean of float32, which stays so."""
    if element_of(x) != f32:
        raise Unsupported("of integers", "write it as ReduceSum and Div")
    axes = _axes(node, len(t.shape_of(x))) or []
    start, body, _ = REDUCTIONS["ReduceSum"]
    keep = bool(node.attribute("keepdims", 1))
    total = _reduce(state, x, axes, start, body, keep=keep)
    share = 1 / prod(t.shape_of(x)[a] for a in axes)
    return map_numbers(state, [total], lambda e, v: e.times(v[0], share))


def sum_over(state: Importer, x: SSAValue, axes: Sequence[int], factor: float) -> SSAValue:
    """A sum in f32 times a number, dimensions kept."""
    total = _reduce(state, x, axes, 0.0, _added(lambda e, v: v))
    return map_elements(state, [total], lambda e, v: e.times(v[0], factor))


def _exponential_sum(
    state: Importer, x: SSAValue, axes: Sequence[int], *, finite: bool = False
) -> tuple[SSAValue, SSAValue]:
    """The largest element, and the sum of exponentials below it; f32, dimensions kept.

    `finite`: exponentials below 0 where the largest is infinite, whose difference to itself is NaN.
    """
    top = _reduce(state, x, axes, -inf, lambda e, v: larger(e, v[1], v[0]))
    if finite:
        top = map_numbers(state, [top], _finite_or_zero)
    powers = state.emit_all(
        elementwise(
            [x, top], f32, lambda e, v: e.insert(math.ExpOp(e.sub(v[0], v[1]))), layer=state.layer
        ),
    )
    return top, _reduce(state, powers, axes, 0.0, _added(lambda e, p: p))


def _finite_or_zero(e: F32, v: Scalars) -> SSAValue:
    return e.select(e.compare("oeq", e.magnitude(v[0]), inf), e.number(0.0), v[0])


def _log(e: F32, x: SSAValue) -> SSAValue:
    return e.insert(math.LogOp(x))


@operator("ReduceLogSumExp", note="over any axes, in float32 on the cores")
def log_sum_exp(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    shape = t.shape_of(x)
    axes = _axes(node, len(shape))
    if axes is None:
        raise Unsupported("no axes with noop_with_empty_axes")
    found = map_elements(
        state,
        _exponential_sum(state, x, axes, finite=True),
        lambda e, v: e.add(v[0], _log(e, v[1])),
    )
    if not node.attribute("keepdims", 1):
        kept = tuple(n for i, n in enumerate(shape) if i not in axes)
        found = state.emit(t.ReshapeOp(found, kept))
    return [found]


@operator("LogSoftmax", note="in float32 on the cores")
def log_softmax(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    rank = len(t.shape_of(x))
    axis = axis_of(node.attribute("axis", -1 if node.opset >= 13 else 1), rank)
    axes = [axis] if node.opset >= 13 else list(range(axis, rank))
    top, total = _exponential_sum(state, x, axes)
    return [
        map_elements(state, [x, top, total], lambda e, v: e.sub(e.sub(v[0], v[1]), _log(e, v[2])))
    ]


# --- normalisation ---------------------------------------------------------------------------


@operator("LpNormalization", note="p = 1 or 2, in float32 on the cores")
def lp_normalization(state: Importer, node: Node) -> list[Value]:
    x, p = node.activation(0), node.attribute("p", 2)
    axis = axis_of(node.attribute("axis", -1), len(t.shape_of(x)))
    if p not in (1, 2):
        raise Unsupported(f"p = {p}; it is 1 or 2")
    _, body, finish = REDUCTIONS["ReduceL1" if p == 1 else "ReduceL2"]
    total = _reduce(state, x, [axis], 0.0, body)

    def divided(e: F32, v: Scalars) -> SSAValue:
        norm = finish(e, v[1]) if finish else v[1]
        # A row of zeros stays one.
        quotient = e.div(v[0], norm)
        return e.select(e.compare("oeq", norm, 0.0), e.number(0.0), quotient)

    return [map_elements(state, [x, total], divided)]


def _moments(state: Importer, x: SSAValue, axes: Sequence[int]) -> tuple[SSAValue, SSAValue, int]:
    """The sum, the sum of squared distances from the mean (f32, dimensions kept), the count."""
    count = prod(t.shape_of(x)[a] for a in axes)
    total = _reduce(state, x, axes, 0.0, _added(lambda e, v: v))

    def squared_distance(e: F32, v: Scalars) -> SSAValue:
        distance = e.sub(v[0], e.times(v[1], 1 / count))
        return e.mul(distance, distance)

    squares = state.emit_all(elementwise([x, total], f32, squared_distance, layer=state.layer))
    return total, _reduce(state, squares, axes, 0.0, _added(lambda e, v: v)), count


def statistics(
    state: Importer, x: SSAValue, axes: Sequence[int], eps: float
) -> tuple[SSAValue, SSAValue]:
    """Mean and 1 / sqrt(variance + eps), dimensions kept."""
    total, spread, count = _moments(state, x, axes)
    mean = map_elements(state, [total], lambda e, v: e.times(v[0], 1 / count))

    def inverse(e: F32, v: Scalars) -> SSAValue:
        return e.div(e.number(1.0), e.sqrt(e.plus(e.times(v[0], 1 / count), eps)))

    return mean, map_elements(state, [spread], inverse)


def _standardised(state: Importer, x: SSAValue, axes: Sequence[int], eps: float) -> SSAValue:
    """(x - mean) / sqrt(variance + eps), dimensions kept, in f32 until the end."""
    total, spread, count = _moments(state, x, axes)

    def body(e: F32, v: Scalars) -> SSAValue:
        deviation = e.sqrt(e.plus(e.times(v[2], 1 / count), eps))
        return e.div(e.sub(v[0], e.times(v[1], 1 / count)), deviation)

    return map_elements(state, [x, total, spread], body)


@operator("MeanVarianceNormalization", note="in float32 on the cores")
def mean_variance_norm(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    axes = [axis_of(a, len(t.shape_of(x))) for a in node.attribute("axes", [0, 2, 3])]
    # The deviation plus 1e-9, which matters where it is 0.
    return [_standardised(state, x, axes, 1e-18)]


def _scaled(state: Importer, x: SSAValue, scale: Value, shift: Value) -> SSAValue:
    """x · scale + shift with one factor and offset a channel (dimension 1)."""
    rank = len(t.shape_of(x))
    columns = [
        state.emit(t.ReshapeOp(v, (1, t.shape_of(v)[0], *(1,) * (rank - 2))))
        for v in (state.operand(scale), state.operand(shift))
    ]
    return map_elements(state, [x, *columns], lambda e, v: e.add(e.mul(v[0], v[1]), v[2]))


@operator("InstanceNormalization", note="in float32 on the cores")
def instance_norm(state: Importer, node: Node) -> list[Value]:
    x, eps = node.activation(0), float(node.attribute("epsilon", 1e-5))
    axes = list(range(2, len(t.shape_of(x))))
    normal = _standardised(state, x, axes, eps)
    return [_scaled(state, normal, node.input(1), node.input(2))]


@operator("GroupNormalization", note="from opset 21, in float32 on the cores")
def group_norm(state: Importer, node: Node) -> list[Value]:
    x, eps = node.activation(0), float(node.attribute("epsilon", 1e-5))
    groups, shape = int(node.attribute("num_groups")), t.shape_of(x)
    node.attribute("stash_type")
    if node.opset < 21:
        raise Unsupported("scales by group (before opset 21)", "export with opset 21 or later")
    grouped = state.emit(t.ReshapeOp(x, (shape[0], groups, prod(shape[1:]) // groups)))
    normal = state.emit(t.ReshapeOp(_standardised(state, grouped, [2], eps), shape))
    return [_scaled(state, normal, node.input(1), node.input(2))]


@operator("BatchNormalization", note="in inference")
def batch_norm(state: Importer, node: Node) -> list[Value]:
    x, eps = node.activation(0), float(node.attribute("epsilon", 1e-5))
    node.attribute("momentum")
    if node.attribute("training_mode", 0):
        raise Unsupported("training mode", "export the model with model.eval()")
    given = [node.input(i) for i in range(1, 5)]
    if not all(isinstance(v, np.ndarray) for v in given):
        return [_normalised_at_run_time(state, x, given, eps)]
    scale, bias, mean, variance = (np.asarray(v, np.float64) for v in given)
    factor = scale / np.sqrt(variance + eps)
    offset = bias - mean * factor
    values = (v.astype(np.float32) for v in (factor, offset))
    return [_scaled(state, x, *values)]


def _normalised_at_run_time(
    state: Importer, x: SSAValue, given: Sequence[Value], eps: float
) -> SSAValue:
    """Scale, bias, mean and variance of each channel are operands."""
    shape = (-1, *(1,) * (len(t.shape_of(x)) - 2))
    columns = [
        v.reshape(shape)
        if isinstance(v, np.ndarray)
        else state.emit(t.ReshapeOp(state.operand(v), (t.shape_of(x)[1], *shape[1:])))
        for v in given
    ]

    def body(e: F32, v: Scalars) -> SSAValue:
        normal = e.div(e.sub(v[0], v[3]), e.sqrt(e.plus(v[4], eps)))
        return e.add(e.mul(normal, v[1]), v[2])

    return map_values(state, [x, *columns], body)


@operator("GlobalAveragePool", "GlobalMaxPool", note="in float32 on the cores")
def global_pool(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    axes = list(range(2, len(t.shape_of(x))))
    kind = "ReduceSum" if node.kind == "GlobalAveragePool" else "ReduceMax"
    start, body, _ = REDUCTIONS[kind]
    share = 1 / prod(t.shape_of(x)[a] for a in axes) if kind == "ReduceSum" else 1.0
    total = _reduce(state, x, axes, start, body)
    return [map_elements(state, [total], lambda e, v: e.times(v[0], share))]
