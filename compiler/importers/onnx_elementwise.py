"""ONNX operators that work element by element or row by row."""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from softex_mlir.compiler.importers.onnx_graph import Importer, Node, describe
from softex_mlir.compiler.importers.onnx_masks import VERY_NEGATIVE
from softex_mlir.compiler.importers.onnx_registry import axis_of, operator
from softex_mlir.compiler.importers.onnx_values import (
    Array,
    NanTest,
    Symbolic,
    Unsupported,
    Value,
)
from softex_mlir.dialects import transformer as t

BINARY: dict[str, type[t.BinaryOp]] = {
    "Add": t.AddOp,
    "Sub": t.SubOp,
    "Mul": t.MulOp,
    "Div": t.DivOp,
    "Pow": t.PowOp,
}


UNARY: dict[str, type[t.UnaryOp]] = {
    "Tanh": t.TanhOp,
    "Relu": t.ReluOp,
    "Sigmoid": t.SigmoidOp,
    "Exp": t.ExpOp,
    "Erf": t.ErfOp,
    "Sqrt": t.SqrtOp,
}


@operator(*BINARY, note="row broadcasting; Div and Pow by constants or inside fused patterns")
def binary(state: Importer, node: Node) -> list[Value]:
    lhs, rhs = (state.operand(v) for v in node.inputs)
    return [state.emit(BINARY[node.kind](lhs, rhs))]


@operator(*UNARY, note="Erf and Sqrt inside fused patterns only")
def unary(state: Importer, node: Node) -> list[Value]:
    return [state.emit(UNARY[node.kind](node.activation(0)))]


@operator("Neg", "Reciprocal")
def negate(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    if node.kind == "Neg":
        return [state.emit(t.MulOp(x, state.constant(np.array(-1.0, np.float32))))]
    return [state.emit(t.DivOp(state.constant(np.ones(t.shape_of(x), np.float32)), x))]


@operator("Gelu", note="erf and tanh forms; both by SoftEx' sum of exponentials")
def gelu(state: Importer, node: Node) -> list[Value]:
    tanh = node.attribute("approximate", b"none") == b"tanh"
    return [state.emit((t.GeluTanhOp if tanh else t.GeluOp)(node.activation(0)))]


UNREACHED = 6e4
"""Limits beyond this guard against overflow in float16 (65504), which bf16 does not know."""


@operator("Max", "Min", "Clip", note="as ReLU, or with limits no activation reaches")
def clip(state: Importer, node: Node) -> list[Value]:
    low, high = -np.inf, np.inf
    if node.kind == "Clip":
        low, high = node.attribute("min", low), node.attribute("max", high)
        bounds = [node.constant(i, "limits") for i in (1, 2)]
        low = low if bounds[0] is None else float(bounds[0])
        high = high if bounds[1] is None else float(bounds[1])
        x = node.activation(0)
    else:
        first = 0 if isinstance(node.input(0), SSAValue) else 1
        x, limit = node.activation(first), node.constant(1 - first, "limit")
        if len(node.inputs) != 2 or limit is None or limit.size != 1:
            raise Unsupported("anything but the maximum or minimum of x and one number")
        low, high = (
            (float(limit.ravel()[0]), high)
            if node.kind == "Max"
            else (
                low,
                float(limit.ravel()[0]),
            )
        )
    if high < UNREACHED or (low > -UNREACHED and low != 0):
        raise Unsupported(f"limits {low:g} and {high:g}")
    return [state.emit(t.ReluOp(x)) if low == 0 else x]


@operator("Swish", note="alpha = 1")
def swish(state: Importer, node: Node) -> list[Value]:
    if node.attribute("alpha", 1.0) != 1.0:
        raise Unsupported("Swish with alpha other than 1")
    return [state.emit(t.SiluOp(node.activation(0)))]


@operator("Softmax", note="over the last dimension")
def softmax(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    rank = len(t.shape_of(x))
    axis = axis_of(node.attribute("axis", -1 if node.opset >= 13 else 1), rank)
    if axis != rank - 1:
        raise Unsupported(f"softmax over dimension {axis} of {rank}; only the last is possible")
    return [state.emit(t.SoftmaxOp(x))]


@operator("IsNaN", note="as guard behind Softmax")
def is_nan(state: Importer, node: Node) -> list[Value]:
    return [NanTest(node.activation(0))]


@operator("Where", note="masks: constant or computed from an input; NaN guards")
def where(state: Importer, node: Node) -> list[Value]:
    condition, yes, no = node.inputs
    if isinstance(condition, NanTest):
        zero = isinstance(yes, np.ndarray) and not yes.any()
        if zero and no is condition.of:
            return [state.emit(t.NanToZeroOp(condition.of))]
        raise Unsupported("Where(IsNaN(x), y, z) other than replacing NaN by 0")
    if not isinstance(condition, np.ndarray | Symbolic):
        raise Unsupported(f"its condition must be a constant or a mask, is {describe(condition)}")
    for scores, fill, keep in ((yes, no, True), (no, yes, False)):
        if not isinstance(scores, SSAValue) or not isinstance(fill, np.ndarray):
            continue
        if not (fill <= VERY_NEGATIVE).all():
            continue

        def bias(arrays: list[Array], keep: bool = keep) -> Array:
            visible = arrays[0].astype(bool) == keep
            return np.where(visible, np.float32(0), np.float32(t.MASKED))

        if isinstance(condition, np.ndarray):
            mask = state.constant(bias([condition]), splat=False)
        else:
            mask = state.mask(state.derive([condition], bias))
        return [state.emit(t.AddOp(scores, mask))]
    raise Unsupported("it must choose between scores and a constant below -10000 (a mask)")


@operator("LayerNormalization", note="over the last dimension")
def layer_norm(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    shape = t.shape_of(x)
    if axis_of(node.attribute("axis", -1), len(shape)) != len(shape) - 1:
        raise Unsupported("layer norm over more than the last dimension")
    gamma, beta = node.constant(1, "scale"), node.constant(2, "bias")
    assert gamma is not None
    if beta is None:
        beta = np.zeros(shape[-1:], np.float32)
    scale, shift = (state.constant(np.asarray(v.reshape(-1))) for v in (gamma, beta))
    return [state.emit(t.LayerNormOp(x, scale, shift, node.attribute("epsilon", 1e-5)))]


@operator("RMSNormalization", "SimplifiedLayerNormalization", note="over the last dimension")
def rms_norm(state: Importer, node: Node) -> list[Value]:
    x, gamma = node.activation(0), node.constant(1, "scale")
    assert gamma is not None
    scale = state.constant(np.asarray(gamma.reshape(-1)))
    return [state.emit(t.RMSNormOp(x, scale, node.attribute("epsilon", 1e-5)))]


@operator("ReduceMean", note="inside layer norm, or over the tokens (pooling)")
def reduce_mean(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    rank = len(t.shape_of(x))
    axes = node.ints(1, "axes", "axes")
    normal = [axis_of(a, rank) for a in axes] if axes is not None else list(range(rank))
    return [state.emit(t.ReduceMeanOp(x, normal, keep=bool(node.attribute("keepdims", 1))))]


@operator("Identity", "Dropout", "Cast", "CastLike", note="Cast between floating-point types")
def identity(state: Importer, node: Node) -> list[Value]:
    value = node.input(0)
    # Of CastLike's operands the first may be the constant: activations count as float32.
    return [value.astype(np.float32) if isinstance(value, np.ndarray) else value]
