"""ONNX operators that work element by element or row by row."""

from __future__ import annotations

from functools import partial, reduce
from math import prod

import numpy as np
import onnx
from xdsl.dialects.builtin import bf16
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Body, Scalars
from softex_mlir.compiler.importers.onnx.general import (
    clipped,
    larger,
    map_elements,
    mean_of_numbers,
    smaller,
    statistics,
)
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.logic import (
    ARITHMETIC,
    choose,
    integer_arithmetic,
    integer_compare,
    is_integer,
    order,
    wrapped,
)
from softex_mlir.compiler.importers.onnx.masks import VERY_NEGATIVE
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import axis_of, operator
from softex_mlir.compiler.importers.onnx.tensors import as_number, held_in_bf16, map_values
from softex_mlir.compiler.importers.onnx.types import FLOATS
from softex_mlir.compiler.importers.onnx.values import (
    Array,
    NanTest,
    Symbolic,
    Unsupported,
    Value,
    element_of,
)
from softex_mlir.compiler.row_operations.binary import BINARY as BINARY_RECORDS
from softex_mlir.compiler.row_operations.unary import UNARY as UNARY_RECORDS
from softex_mlir.compiler.transforms.transformer.l1_values import is_constant
from softex_mlir.dialects import transformer as t

BINARY = {record.onnx: record for record in BINARY_RECORDS.values()}
UNARY = {record.onnx: record for record in UNARY_RECORDS.values() if record.onnx}


def computed_from_integers(node: Node) -> bool:
    """Whether no operand is an activation in bf16: what is computed stays float32."""
    found = [v for v in node.operands if isinstance(v, SSAValue)]
    mixed = any(isinstance(v, Symbolic | NanTest) for v in node.operands)
    if node.kind == "Pow" and is_integer(node.element_type(1)) and not mixed:
        return not isinstance(node.operands[1], np.ndarray)
    return bool(found) and not mixed and all(element_of(v) != bf16 for v in found)


@operator(*(set(BINARY) - {"Pow"}))
@operator("Pow", note="of floating-point numbers")
def binary(state: Importer, node: Node) -> list[Value]:
    if is_integer(node.result_type()) and node.kind in ARITHMETIC:
        return integer_arithmetic(state, node)
    if node.kind == "Pow" and is_integer(node.result_type()):
        raise Unsupported("of integers", "write it as Mul, or cast them to floating point before")
    exponents = node.kind == "Pow" and is_integer(node.element_type(1))
    if computed_from_integers(node) or (exponents and not is_integer(node.element_type(0))):
        body = BINARY[node.kind].body
        return [
            map_values(
                *(state, node.inputs()),
                lambda e, v: body(e, as_number(e, v[0]), as_number(e, v[1])),
            )
        ]
    read = state.bias if node.kind == "Add" else state.operand
    lhs, rhs = (read(v) for v in node.inputs())
    rank = max(len(t.shape_of(lhs)), len(t.shape_of(rhs)))
    lhs, rhs = (v if is_constant(v) else state.of_rank(v, rank) for v in (lhs, rhs))
    return [state.emit(BINARY[node.kind].op(lhs, rhs))]


def map_floats(state: Importer, node: Node, body: Body) -> SSAValue:
    """A function of a node's operands, of float32 where all of them are."""
    if computed_from_integers(node):
        return map_values(state, node.inputs(), body)
    return map_elements(state, [state.operand(value) for value in node.inputs()], body)


def unary(state: Importer, node: Node) -> list[Value]:
    if computed_from_integers(node):
        body = UNARY[node.kind].body
        return [map_values(state, [node.input(0)], lambda e, v: body(e, v[0]))]
    return [state.emit(UNARY[node.kind].op(node.activation(0)))]


for _name, _record in UNARY.items():
    operator(_name, note=_record.note)(unary)


@operator("Neg", "Reciprocal")
def negate(state: Importer, node: Node) -> list[Value]:
    if is_integer(kind := node.result_type()):
        zero = np.array(0, np.int32)
        return [
            map_values(
                state,
                [zero, node.input(0)],
                lambda e, v: wrapped(e, e.int_sub(v[0], v[1]), kind),
                kind,
            )
        ]
    if computed_from_integers(node):
        return [
            map_values(
                state,
                [node.input(0)],
                lambda e, v: e.neg(v[0]) if node.kind == "Neg" else e.div(e.number(1.0), v[0]),
            )
        ]
    x = node.activation(0)
    if node.kind == "Neg":
        return [state.emit(t.MulOp(x, state.constant(np.array(-1.0, np.float32))))]
    return [state.emit(t.DivOp(state.constant(np.ones(t.shape_of(x), np.float32)), x))]


@operator("Gelu", note="erf and tanh forms; both by SoftEx' sum of exponentials")
def gelu(state: Importer, node: Node) -> list[Value]:
    form = node.attribute("approximate", b"none")
    if form not in (b"none", b"tanh"):
        raise Unsupported(f"its attribute approximate = {form.decode()}")
    return [state.emit((t.GeluTanhOp if form == b"tanh" else t.GeluOp)(node.activation(0)))]


HALF_LIMIT = 6e4
"""Limits beyond this guard against overflow in float16 (65504), which bf16 does not know."""


@operator("Max", "Min", "Clip", note="limits beyond 60000 in float16 models are dropped")
def clip(state: Importer, node: Node) -> list[Value]:
    if node.kind != "Clip" and is_integer(node.result_type()):
        return integer_arithmetic(state, node)
    if node.kind == "Clip" and (
        is_integer(node.result_type())
        or computed_from_integers(node)
        or any(not isinstance(node.input(i), np.ndarray | None) for i in (1, 2))
    ):
        return [_clipped_at_run_time(state, node)]
    if node.kind != "Clip" and (computed_from_integers(node) or not _has_one_limit(node)):
        combine = larger if node.kind == "Max" else smaller
        return [map_floats(state, node, lambda e, v: reduce(partial(combine, e), v))]
    low, high = -np.inf, np.inf
    if node.kind == "Clip":
        x = node.activation(0)
        limits = [node.constant(i, "limits") for i in (1, 2)]
        low = float(node.attribute("min", low) if limits[0] is None else limits[0].item())
        high = float(node.attribute("max", high) if limits[1] is None else limits[1].item())
    else:
        first = 0 if isinstance(node.input(0), SSAValue) else 1
        x, limit = node.activation(first), node.required(1 - first, "limit")
        x = state.of_rank(x, limit.ndim)
        number = float(limit.item())
        low, high = (number, high) if node.kind == "Max" else (low, number)
    if node.element_type(0) == onnx.TensorProto.FLOAT16:
        low = -np.inf if low < -HALF_LIMIT else low
        high = np.inf if high > HALF_LIMIT else high
    if high == np.inf and low in (0, -np.inf):
        return [state.emit(t.ReluOp(x)) if low == 0 else x]
    low, high = held_in_bf16(low), held_in_bf16(high)
    return [map_elements(state, [x], lambda e, v: clipped(e, v[0], low, high))]


def _clipped_at_run_time(state: Importer, node: Node) -> SSAValue:
    """Limits that are activations, or integers."""
    kind = node.result_type()
    limits = [node.input(i) for i in (1, 2)]
    if node.opset < 11:
        given = [node.attribute(name) for name in ("min", "max")]
        limits = [None if n is None else np.array(n, np.float32) for n in given]
    present = [i for i, limit in enumerate(limits, 1) if limit is not None]

    def body(e: F32, v: Scalars) -> SSAValue:
        x = v[0]
        for number, limit in zip(present, v[1:], strict=True):
            if is_integer(kind):
                predicate = order("lt" if number == 1 else "gt", kind)
                x = e.select(integer_compare(e, predicate, x, limit), limit, x)
            else:
                x = (larger if number == 1 else smaller)(e, x, limit)
        return x

    return map_values(state, [node.input(0), *(limits[i - 1] for i in present)], body, kind)


def _has_one_limit(node: Node) -> bool:
    """Whether a maximum or minimum is the one of an activation and a number."""
    if len(node.operands) != 2:
        return False
    constants = [v for v in node.operands if isinstance(v, np.ndarray)]
    return len(constants) == 1 and constants[0].size == 1


@operator("Swish", note="alpha = 1")
def swish(state: Importer, node: Node) -> list[Value]:
    if node.attribute("alpha", 1.0) != 1.0:
        raise Unsupported("alpha other than 1")
    return [state.emit(t.SiluOp(node.activation(0)))]


@operator("Softmax")
def softmax(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    shape = t.shape_of(x)
    axis = axis_of(node.attribute("axis", -1 if node.opset >= 13 else 1), len(shape))
    if axis == len(shape) - 1:
        return [state.emit(t.SoftmaxOp(x))]
    if node.opset < 13:
        # Over all dimensions from the axis on.
        rows = state.emit(t.ReshapeOp(x, (prod(shape[:axis]), prod(shape[axis:]))))
        return [state.emit(t.ReshapeOp(state.emit(t.SoftmaxOp(rows)), shape))]
    order = list(range(len(shape)))
    order[axis], order[-1] = order[-1], order[axis]
    found = state.emit(t.SoftmaxOp(state.emit(t.TransposeOp(x, order))))
    return [state.emit(t.TransposeOp(found, order))]


@operator("IsNaN", note="on the cores; as guard behind Softmax, with it")
def is_nan(state: Importer, node: Node) -> list[Value]:
    return [NanTest(node.activation(0))]


@operator("Where", note="masks: constant or computed from an input; NaN guards")
def where(state: Importer, node: Node) -> list[Value]:
    condition, yes, no = node.inputs()
    if isinstance(condition, NanTest):
        zero = isinstance(yes, np.ndarray) and yes.size == 1 and not yes.any()
        if zero and no is condition.of:
            return [state.emit(t.NanToZeroOp(condition.of))]
    if not isinstance(condition, np.ndarray | Symbolic):
        return [choose(state, node, condition, yes, no)]
    for scores, fill, keep in ((yes, no, True), (no, yes, False)):
        if not isinstance(scores, SSAValue) or not isinstance(fill, np.ndarray):
            continue
        if not (fill.size and (fill == fill.flat[0]).all() and fill.flat[0] <= VERY_NEGATIVE):
            continue

        def bias(arrays: list[Array], keep: bool = keep) -> Array:
            visible = arrays[0].astype(bool) == keep
            return np.where(visible, np.float32(0), np.float32(t.MASKED))

        if isinstance(condition, np.ndarray):
            mask = state.constant(bias([condition]), splat=False)
        else:
            try:
                mask = state.mask(state.derive([condition], bias))
            except Unsupported:
                break
        return [state.emit(t.MaskFillOp(scores, mask, float(fill.flat[0])))]
    return [choose(state, node, condition, yes, no)]


@operator("LayerNormalization")
def layer_norm(state: Importer, node: Node) -> list[Value]:
    x, gamma, beta = node.activation(0), node.input(1), node.input(2)
    _check_stash(node)
    y = _norm(state, node, x, gamma, beta, centred=True)
    if not any(node.proto.output[1:]):
        return [y]
    rank = len(t.shape_of(x))
    axes = range(axis_of(node.attribute("axis", -1), rank), rank)
    return [y, *statistics(state, x, axes, float(node.attribute("epsilon", 1e-5)))]


@operator("RMSNormalization", "SimplifiedLayerNormalization")
def rms_norm(state: Importer, node: Node) -> list[Value]:
    x, gamma = node.activation(0), node.input(1)
    _check_stash(node)
    return [_norm(state, node, x, gamma, None, centred=False)]


def _check_stash(node: Node) -> None:
    """Statistics are computed in float32, which is as good as any type asked for but double."""
    if node.attribute("stash_type", onnx.TensorProto.FLOAT) not in FLOATS - {
        onnx.TensorProto.DOUBLE
    }:
        raise Unsupported("statistics in another type than float32")


def _norm(
    state: Importer, node: Node, x: SSAValue, gamma: Value, beta: Value, *, centred: bool
) -> SSAValue:
    """The norm over all dimensions from the axis on."""
    shape, eps = t.shape_of(x), float(node.attribute("epsilon", 1e-5))
    axis = axis_of(node.attribute("axis", -1), len(shape))
    width = prod(shape[axis:])
    if axis < len(shape) - 1:
        x = state.emit(t.ReshapeOp(x, (*shape[:axis], width)))
    given = [v for v in (gamma, beta) if v is not None]
    rows = [_row(v, shape, axis) if isinstance(v, np.ndarray) else None for v in given]
    if all(row is not None for row in rows):
        scale, *shift = (state.constant(row) for row in rows if row is not None)
    else:
        scale, shift = state.constant(np.ones(width, np.float32)), []
    if centred:
        zero = shift[0] if shift else state.constant(np.zeros(width, np.float32))
        y = state.emit(t.LayerNormOp(x, scale, zero, eps))
    else:
        y = state.emit(t.RMSNormOp(x, scale, eps))
    if axis < len(shape) - 1:
        y = state.emit(t.ReshapeOp(y, shape))
    if any(row is None for row in rows):
        rank = len(shape)
        y = state.emit(t.MulOp(y, state.of_rank(state.operand(gamma), rank)))
        if beta is not None:
            y = state.emit(t.AddOp(y, state.of_rank(state.operand(beta), rank)))
    return y


def _row(array: Array, shape: tuple[int, ...], axis: int) -> Array | None:
    """A scale or bias as one row of the normalised dimensions; None if it differs between rows."""
    outer = array.ndim - (len(shape) - axis)
    if any(n != 1 for n in array.shape[: max(outer, 0)]):
        return None
    inner = array.reshape(array.shape[max(outer, 0) :])
    full = np.broadcast_to(inner, shape[axis:]).reshape(-1)
    return inner if inner.shape == full.shape else np.ascontiguousarray(full)


@operator("ReduceMean", note="of floating-point numbers, over any axes, in float32")
def reduce_mean(state: Importer, node: Node) -> list[Value]:
    x = node.tensor(0)
    rank = len(t.shape_of(x))
    axes, noop = node.ints(1, "axes", "axes"), node.attribute("noop_with_empty_axes", 0)
    if not axes and noop:
        return [x]
    if element_of(x) != bf16:
        return [mean_of_numbers(state, node, x)]
    normal = [axis_of(a, rank) for a in axes] if axes else list(range(rank))
    return [state.emit(t.ReduceMeanOp(x, normal, keep=bool(node.attribute("keepdims", 1))))]


@operator("Identity")
def identity(state: Importer, node: Node) -> list[Value]:
    return [node.input(0)]


@operator("Dropout", note="which does nothing in inference")
def dropout(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    training = node.constant(2, "training mode")
    ratio = node.attribute("ratio", 0.5) if node.opset < 12 else node.constant(1, "ratio")
    node.attribute("seed")
    if training is not None and training.any() and (ratio is None or ratio != 0):
        raise Unsupported("training mode", "export the model with model.eval()")
    return [x, np.ones(t.shape_of(x), np.bool_)]
