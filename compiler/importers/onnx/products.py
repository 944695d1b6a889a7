"""ONNX operators that are matrix products: layers, convolutions, attention."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import prod

import numpy as np
import onnx
from xdsl.dialects.builtin import f32, i32
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Scalars, i1
from softex_mlir.compiler.importers.onnx.contrib import call
from softex_mlir.compiler.importers.onnx.general import sum_over
from softex_mlir.compiler.importers.onnx.graph import Importer, is_splat
from softex_mlir.compiler.importers.onnx.lookup import product
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import operator
from softex_mlir.compiler.importers.onnx.tensors import map_values
from softex_mlir.compiler.importers.onnx.types import FLOATS
from softex_mlir.compiler.importers.onnx.values import (
    Array,
    NanTest,
    Past,
    Symbolic,
    Unsupported,
    Value,
    element_of,
    shape_of_value,
)
from softex_mlir.compiler.importers.onnx.windows import Windows, convolve
from softex_mlir.compiler.work import MOST_ON_CORES
from softex_mlir.dialects import transformer as t

FLOAT = onnx.TensorProto.FLOAT


@operator(
    "MatMul",
    note="a weight (linear layer), inside attention, or two activations; of integers on the cores",
)
def matmul(state: Importer, node: Node) -> list[Value]:
    a, b = node.inputs()
    ranks = len(shape_of_value(a)), len(shape_of_value(b))
    if 0 in ranks:
        raise Unsupported("a product with a number")
    if 1 not in ranks:
        return [_product(state, a, b)]
    # A vector is a row on the left and a column on the right.
    rows, columns = shape_of_value(a)[:-1], shape_of_value(b)[:-2] + shape_of_value(b)[-1:]
    a = _reshaped(state, a, (1, *shape_of_value(a))) if ranks[0] == 1 else a
    b = _reshaped(state, b, (*shape_of_value(b), 1)) if ranks[1] == 1 else b
    result = _product(state, a, b)
    shape = rows if ranks[1] == 1 else columns
    return [state.emit(t.ReshapeOp(result, shape))]


def _reshaped(state: Importer, value: Value, shape: tuple[int, ...]) -> Value:
    if isinstance(value, np.ndarray):
        return value.reshape(shape)
    found = value if isinstance(value, SSAValue) else state.operand(value)
    return state.emit(t.ReshapeOp(found, shape))


def _are_numbers(a: Value, b: Value) -> bool:
    """Whether a product of matrices is one of integers, or stays in float32."""
    found = [v for v in (a, b) if not isinstance(v, np.ndarray)]
    kinds = {element_of(v) if isinstance(v, SSAValue) else None for v in found}
    if kinds != {f32}:
        return kinds == {i32}
    left, right = shape_of_value(a), shape_of_value(b)
    macs = prod(np.broadcast_shapes(left[:-2], right[:-2])) * left[-2] * prod(right[-2:])
    return macs <= MOST_ON_CORES or left[-1] == 1


def _product(state: Importer, a: Value, b: Value) -> SSAValue:
    """A product of matrices, or of stacks of them."""
    if _are_numbers(a, b):
        return product(state, *(state.tensor(v, wide=True) for v in (a, b)))
    if isinstance(a, np.ndarray) and isinstance(b, SSAValue) and is_splat(a):
        return _summed(state, a, b)
    right = state.constant(b, splat=False) if isinstance(b, np.ndarray) else state.operand(b)
    left = state.constant(a, splat=False) if isinstance(a, np.ndarray) else state.operand(a)
    return state.emit(t.MatmulOp(left, right))


def _summed(state: Importer, factors: Array, x: SSAValue) -> SSAValue:
    """A matrix of equal factors times x: sums over tokens, which no BF16 accumulator may hold."""
    rank = len(t.shape_of(x))
    total = sum_over(state, x, [rank - 2], float(factors.flat[0]))
    shape = np.broadcast_shapes(factors.shape[:-2], t.shape_of(x)[:-2])
    wanted = (*shape, factors.shape[-2], t.shape_of(x)[-1])
    return total if t.shape_of(total) == wanted else state.emit(t.ExpandOp(total, wanted))


@operator("Gemm", note="of floating-point numbers")
def gemm(state: Importer, node: Node) -> list[Value]:
    alpha, beta = float(node.attribute("alpha", 1.0)), float(node.attribute("beta", 1.0))
    a, b = node.input(0), node.input(1)
    swapped = [bool(node.attribute(name, 0)) for name in ("transA", "transB")]
    if _are_numbers(a, b):
        if node.element_type(0) not in FLOATS:
            raise Unsupported("of integers", "write it as MatMul and Add")
        return [_gemm_of_numbers(state, node, swapped, alpha, beta)]
    left = _factor(state, a, 1.0, transposed=swapped[0])
    folded = isinstance(b, np.ndarray)
    right = _factor(state, b, alpha, transposed=swapped[1])
    product = state.emit(t.MatmulOp(left, right))
    if alpha != 1.0 and not folded:
        product = state.emit(t.MulOp(product, state.constant(np.array(alpha, np.float32))))
    c = node.input(2)
    if c is None or beta == 0:  # which leaves out its NaN, too
        return [product]
    if not isinstance(c, np.ndarray):
        added = state.operand(c)
        if beta != 1.0:
            added = state.emit(t.MulOp(added, state.constant(np.array(beta, np.float32))))
        return [state.emit(t.AddOp(product, state.of_rank(added, 2)))]
    bias = c if beta == 1.0 else c.astype(np.float32) * np.float32(beta)
    if bias.ndim == 2 and bias.shape[0] == 1:
        bias = bias[0]
    state.names.setdefault(id(bias), state.names.get(id(c), "bias"))
    return [state.emit(t.AddOp(product, state.constant(bias)))]


def _gemm_of_numbers(
    state: Importer, node: Node, swapped: Sequence[bool], alpha: float, beta: float
) -> SSAValue:
    """What stays in float32."""
    a, b = (state.tensor(v, wide=True) for v in (node.input(0), node.input(1)))
    a, b = (
        state.emit(t.TransposeOp(v, (1, 0))) if swap else v
        for v, swap in zip((a, b), swapped, strict=True)
    )
    c = node.input(2)
    if beta == 0:
        c = None

    def body(e: F32, v: Scalars) -> SSAValue:
        found = e.times(v[0], alpha)
        return found if c is None else e.add(found, e.times(v[1], beta))

    return map_values(state, [product(state, a, b), *([] if c is None else [c])], body)


def _factor(state: Importer, value: Value, factor: float, *, transposed: bool) -> SSAValue:
    """A factor of a product; constants are transposed and scaled now."""
    if isinstance(value, np.ndarray):
        data = value.T if transposed else value
        data = data if factor == 1.0 else data.astype(np.float32) * np.float32(factor)
        state.names[id(data)] = state.names.get(id(value), "weight")
        return state.constant(data, splat=False)
    found = state.operand(value)
    return state.emit(t.TransposeOp(found, (1, 0))) if transposed else found


@operator("Conv", note="a matrix product of windows; groups on the cores")
def conv(state: Importer, node: Node) -> list[Value]:
    x, weights, bias = node.activation(0), node.input(1), node.input(2)
    whole, shape = shape_of_value(weights), t.shape_of(x)
    kernel = whole[2:]
    if tuple(node.attribute("kernel_shape", kernel)) != kernel:
        raise Unsupported(f"weights {whole} for another kernel_shape")
    strides = tuple(node.attribute("strides", [1] * len(kernel)))
    pads = list(node.attribute("pads", [0] * 2 * len(kernel)))
    groups = int(node.attribute("group", 1))
    patches = (
        len(kernel) == 2
        and strides == kernel
        and not any(pads)
        and not any(n % k for n, k in zip(shape[2:], kernel, strict=True))
    )
    automatic = node.attribute("auto_pad", b"NOTSET")
    simple = groups == 1 and set(node.attribute("dilations", [1])) == {1}
    simple = simple and automatic in (b"NOTSET", b"VALID") and (patches or len(kernel) == 1)
    constant = isinstance(weights, np.ndarray) and isinstance(bias, np.ndarray | None)
    if not (simple and constant):
        windows = Windows.of(node, shape[2:], kernel)
        return [convolve(state, x, weights, bias, windows, groups)]
    assert isinstance(weights, np.ndarray)
    assert bias is None or isinstance(bias, np.ndarray)
    if automatic == b"VALID":
        pads = [0] * 2 * len(kernel)
    if len(kernel) == 2:
        rows = state.emit(t.PatchifyOp(x, (kernel[0], kernel[1])))
        matrix = weights.reshape(len(weights), -1).T
        sizes = tuple(n // k for n, k in zip(shape[2:], kernel, strict=True))
    else:
        rows = _windows(state, x, kernel[0], strides[0], pads)
        matrix = weights.transpose(2, 1, 0).reshape(-1, len(weights))
        sizes = t.shape_of(rows)[1:2]
    matrix = np.ascontiguousarray(matrix)
    state.names[id(matrix)] = state.names.get(id(weights), "projection")
    result = state.emit(t.MatmulOp(rows, state.constant(matrix, splat=False)))
    if bias is not None:
        result = state.emit(t.AddOp(result, state.constant(bias)))
    result = state.emit(t.ReshapeOp(result, (shape[0], prod(sizes), len(weights))))
    result = state.emit(t.TransposeOp(result, (0, 2, 1)))
    return [state.emit(t.ReshapeOp(result, (shape[0], len(weights), *sizes)))]


def _windows(state: Importer, x: SSAValue, size: int, stride: int, pads: list[int]) -> SSAValue:
    """[batch, channels, length] -> [batch, windows, size*channels], each row one window."""
    x = state.emit(t.TransposeOp(x, (0, 2, 1)))
    batch, length, channels = t.shape_of(x)
    edges = [
        state.constant(np.zeros((batch, n, channels), np.float32), splat=False) for n in pads if n
    ]
    if edges:
        before = edges[:1] if pads[0] else []
        x = state.emit(t.ConcatOp([*before, x, *edges[len(before) :]], 1))
    count = (length + sum(pads) - size) // stride + 1
    parts = [
        state.emit(t.SliceOp(x, (0, start, 0), (batch, count, channels), (1, stride, 1)))
        for start in range(size)
    ]
    return state.emit(t.ConcatOp(parts, 2)) if size > 1 else parts[0]


def _as_bias(arrays: list[Array]) -> Array:
    """A mask as an additive bias: booleans say what is visible, numbers are added."""
    if arrays[0].dtype == np.bool_:
        return np.where(arrays[0], np.float32(0), np.float32(-np.inf))
    return arrays[0].astype(np.float32)


@operator("Attention", note="softcap by its definition")
def attention(state: Importer, node: Node) -> list[Value]:
    q, k, v = (node.activation(i) for i in range(3))
    mask = node.input(3)
    present_keys = node.constant(6, "number of keys")
    if present_keys is not None and (present_keys != present_keys.flat[0]).any():
        raise Unsupported("a batch of different numbers of keys")
    if node.attribute("softcap", 0.0):
        raise Unsupported("softcap")
    if node.attribute("softmax_precision", FLOAT) == onnx.TensorProto.DOUBLE:
        raise Unsupported("softmax in float64")
    node.attribute("qk_matmul_output_mode")  # of an output that is refused if it is used
    flat = len(t.shape_of(q)) == 3
    heads, groups = node.attribute("q_num_heads"), node.attribute("kv_num_heads")
    if flat:
        if heads is None or groups is None:
            raise Unsupported("q_num_heads and kv_num_heads are missing")
        q = _split_heads(state, q, heads)
        k, v = (_split_heads(state, x, groups) for x in (k, v))
    before = node.input(4)
    earlier = 0 if before is None else shape_of_value(before)[2]
    present = [_behind(state, past, x) for past, x in ((before, k), (node.input(5), v))]
    k, v = (_for_heads(state, x, t.shape_of(q)[1]) for x in present)
    (batch, heads, queries, size), keys = t.shape_of(q), t.shape_of(k)[2]
    there = keys if present_keys is None else int(present_keys.flat[0])
    earlier = earlier if before is not None or present_keys is None else there - queries
    given = node.attribute("scale")
    scale = size**-0.5 if given is None else given
    scores = state.emit(t.MatmulOp(q, state.emit(t.TransposeOp(k, (0, 1, 3, 2)))))
    scores = state.emit(t.MulOp(scores, state.constant(np.array(scale, np.float32))))
    if node.attribute("is_causal", 0) or there < keys:
        all_seen = np.ones((queries, keys), np.bool_)
        visible = np.tri(queries, keys, earlier, dtype=np.bool_)
        visible = visible if node.attribute("is_causal", 0) else all_seen
        visible[:, there:] = False
        causal = state.constant(_as_bias([visible]), splat=False)
        scores = state.emit(t.AddOp(scores, causal))
    if mask is not None:
        mask = _of_all_keys(state, mask, keys) if node.opset >= 24 else mask
        scores = state.emit(t.AddOp(scores, _bias(state, mask)))
    # A query that sees no key gets 0.
    weights = state.emit(t.NanToZeroOp(state.emit(t.SoftmaxOp(scores))))
    result = state.emit(t.MatmulOp(weights, v))
    if flat:
        result = state.emit(t.TransposeOp(result, (0, 2, 1, 3)))
        result = state.emit(t.ReshapeOp(result, (batch, queries, heads * t.shape_of(v)[3])))
    return [result, *present]


def _behind(state: Importer, past: Value, x: SSAValue) -> SSAValue:
    """Keys or values [batch, heads, tokens, size] behind those of the tokens before."""
    if isinstance(past, Past):
        assert state.decoder is not None
        return state.decoder.append(past, x)
    if past is None or 0 in shape_of_value(past):
        return x
    return state.emit(t.ConcatOp([state.operand(past), x], 2))


def _for_heads(state: Importer, x: SSAValue, heads: int) -> SSAValue:
    """Keys or values with a head for each head of queries: neighbours share one."""
    batch, groups, tokens, size = t.shape_of(x)
    if groups == heads:
        return x
    if heads % groups:
        raise Unsupported(f"{groups} heads of keys for {heads} of queries")
    shape = (batch, groups, heads // groups, tokens, size)
    split = state.emit(t.ReshapeOp(x, (batch, groups, 1, tokens, size)))
    return state.emit(
        t.ReshapeOp(state.emit(t.ExpandOp(split, shape)), (batch, heads, tokens, size))
    )


def _of_all_keys(state: Importer, mask: Value, keys: int) -> Value:
    """A mask that hides the keys it says nothing about."""
    shape = shape_of_value(mask)
    if shape[-1] >= keys:
        return mask
    ends = np.array([*(0,) * (2 * len(shape) - 1), keys - shape[-1]])
    return call(state, "Pad", mask, ends, np.array(False if _is_boolean(mask) else -np.inf))


def _is_boolean(value: Value) -> bool:
    if isinstance(value, np.ndarray | Symbolic):
        return (value if isinstance(value, np.ndarray) else value.sample).dtype == np.bool_
    return isinstance(value, NanTest) or (isinstance(value, SSAValue) and element_of(value) == i1)


def _bias(state: Importer, mask: Value) -> SSAValue:
    """A mask as what is added to scores."""
    if isinstance(mask, np.ndarray):
        return state.constant(_as_bias([mask]))
    if isinstance(mask, Symbolic):
        with suppress(Unsupported):
            return state.mask(state.derive([mask], _as_bias))
    if not _is_boolean(mask):
        return state.operand(mask)

    def body(e: F32, v: Scalars) -> SSAValue:
        return e.select(v[0], e.number(0.0), e.number(-np.inf))

    return state.narrowed(map_values(state, [mask], body))


def _split_heads(state: Importer, x: SSAValue, heads: int) -> SSAValue:
    """[batch, tokens, heads*size] -> [batch, heads, tokens, size]."""
    batch, tokens, width = t.shape_of(x)
    x = state.emit(t.ReshapeOp(x, (batch, tokens, heads, width // heads)))
    return state.emit(t.TransposeOp(x, (0, 2, 1, 3)))
