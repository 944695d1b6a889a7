"""Fused operators of ONNX Runtime (domain com.microsoft), as the standard ones they stand for.

Source: ONNX Runtime's ContribOperators.md. What a node asks for beyond that is refused by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import operator
from softex_mlir.compiler.importers.onnx.types import infer, type_of
from softex_mlir.compiler.importers.onnx.values import (
    Array,
    Unsupported,
    Value,
    shape_of_value,
)

_HELPER: Any = onnx.helper
OPSET = 20
"""Opset of the standard operators written here."""
IR_VERSION = 10
BOOL, INT32 = onnx.TensorProto.BOOL, onnx.TensorProto.INT32


def call(state: Importer, kind: str, *inputs: Value, results: int = 1, **attributes: Any) -> Any:
    """Results of a standard operator: one value, or a list of several."""
    names = [f"i{n}" if value is not None else "" for n, value in enumerate(inputs)]
    outputs = [f"o{n}" for n in range(results)]
    proto = _HELPER.make_node(kind, names, outputs, **attributes)
    node = Node(proto, list(inputs), [type_of(v, None, []) for v in inputs], OPSET)
    node.results = infer(node, IR_VERSION)
    node.narrow, node.realise = state.narrowed, state.tensor
    found = state.apply(node)
    return found[0] if results == 1 else list(found)


def _sum(state: Importer, *values: Value) -> Value:
    given = [v for v in values if v is not None]
    total = given[0]
    for value in given[1:]:
        total = call(state, "Add", total, value)
    return total


def shaped(state: Importer, x: Value, *shape: int) -> Value:
    return call(state, "Reshape", x, np.array(shape, np.int64))


def ints(*values: int) -> Array:
    """Constant axes and positions."""
    return np.array(values, np.int64)


# --- functions and norms -----------------------------------------------------------------------


@operator("com.microsoft.Gelu", "com.microsoft.BiasGelu")
def bias_gelu(state: Importer, node: Node) -> list[Value]:
    return [call(state, "Gelu", _sum(state, *node.inputs()))]


@operator("com.microsoft.FastGelu")
def fast_gelu(state: Importer, node: Node) -> list[Value]:
    return [call(state, "Gelu", _sum(state, *node.inputs()), approximate="tanh")]


@operator("com.microsoft.QuickGelu")
def quick_gelu(state: Importer, node: Node) -> list[Value]:
    x, alpha = node.input(0), np.array(node.attribute("alpha", 1.702), np.float32)
    return [call(state, "Mul", x, call(state, "Sigmoid", call(state, "Mul", x, alpha)))]


@operator("com.microsoft.SkipLayerNormalization")
def skip_layer_norm(state: Importer, node: Node) -> list[Value]:
    x, skip, gamma, beta, bias = (node.input(i) for i in range(5))
    total = _sum(state, x, skip, bias)
    eps = float(node.attribute("epsilon", 1e-12))
    return [call(state, "LayerNormalization", total, gamma, beta, epsilon=eps), None, None, total]


@operator("com.microsoft.SkipSimplifiedLayerNormalization")
def skip_rms_norm(state: Importer, node: Node) -> list[Value]:
    x, skip, gamma, bias = (node.input(i) for i in range(4))
    total = _sum(state, x, skip, bias)
    eps = float(node.attribute("epsilon", 1e-12))
    norm = call(state, "SimplifiedLayerNormalization", total, gamma, epsilon=eps)
    return [norm, None, None, total]


@operator("com.microsoft.EmbedLayerNormalization")
def embed_layer_norm(state: Importer, node: Node) -> list[Value]:
    ids, segments, words, places, types, gamma, beta, mask, positions = (
        node.input(i) for i in range(9)
    )
    node.attribute("mask_index_type")  # of shapes alone
    if positions is None:
        positions = np.arange(shape_of_value(ids)[1], dtype=np.int64)[None]
    rows = [call(state, "Gather", words, ids), call(state, "Gather", places, positions)]
    if segments is not None:
        rows.append(call(state, "Gather", types, segments))
    total = _sum(state, *rows)
    eps = float(node.attribute("epsilon", 1e-12))
    visible: Value = None
    if mask is not None and "".join(node.proto.output[1:2]):
        ones = call(state, "Cast", call(state, "Equal", mask, np.array(1, np.int32)), to=int(INT32))
        visible = call(state, "ReduceSum", ones, ints(1), keepdims=0)
    return [call(state, "LayerNormalization", total, gamma, beta, epsilon=eps), visible, total]


@operator("com.microsoft.RotaryEmbedding")
def rotary(state: Importer, node: Node) -> list[Value]:
    x, positions, cosines, sines = (node.input(i) for i in range(4))
    interleaved, heads = node.attribute("interleaved", 0), int(node.attribute("num_heads", 0))
    if node.attribute("is_packed_batching", 0):
        raise Unsupported("packed batches")
    if node.attribute("scale", 1.0) != 1.0:
        raise Unsupported("scale other than 1")
    shape, half = shape_of_value(x), shape_of_value(cosines)[1]
    width = int(node.attribute("rotary_embedding_dim", 0)) or 2 * half
    tokens = shape[-2]
    if len(shape) == 3:
        heads = heads or shape[2] // (2 * half)
        x = shaped(state, x, shape[0], tokens, heads, shape[2] // heads)
        x = call(state, "Transpose", x, perm=[0, 2, 1, 3])
    if shape_of_value(positions) in ((1,), ()):
        positions = call(
            state, "Add", shaped(state, positions, 1, 1), np.arange(tokens, dtype=np.int64)[None]
        )
    factors = [
        call(state, "Unsqueeze", call(state, "Gather", table, positions), ints(1))
        for table in (cosines, sines)
    ]
    x = rotated(state, x, factors, width, pairs=bool(interleaved))
    if len(shape) == 3:
        x = shaped(state, call(state, "Transpose", x, perm=[0, 2, 1, 3]), *shape)
    return [x]


def _cut(state: Importer, x: Value, first: int, end: int, step: int = 1) -> Value:
    """Columns of the last dimension."""
    return call(state, "Slice", x, ints(first), ints(end), ints(-1), ints(step))


def rotated(state: Importer, x: Value, factors: list[Value], width: int, *, pairs: bool) -> Value:
    """The first `width` of the columns, turned by cosines and sines [.., width / 2]."""
    columns, (cos, sin) = shape_of_value(x)[-1], factors
    half = width // 2
    if pairs:
        left, right = _cut(state, x, 0, width, 2), _cut(state, x, 1, width, 2)
    else:
        left, right = _cut(state, x, 0, half), _cut(state, x, half, width)
    one = call(state, "Sub", call(state, "Mul", left, cos), call(state, "Mul", right, sin))
    two = call(state, "Add", call(state, "Mul", right, cos), call(state, "Mul", left, sin))
    if pairs:
        parts = [call(state, "Unsqueeze", v, ints(-1)) for v in (one, two)]
        joined = call(state, "Concat", *parts, axis=-1)
        turned = [shaped(state, joined, *shape_of_value(x)[:-1], width)]
    else:
        turned = [one, two]
    if columns > width:
        turned.append(_cut(state, x, width, columns))
    return turned[0] if len(turned) == 1 else call(state, "Concat", *turned, axis=-1)


# --- attention ---------------------------------------------------------------------------------


def by_heads(state: Importer, x: Value, heads: int) -> Value:
    """[batch, tokens, width] -> [batch, heads, tokens, size]."""
    batch, tokens, width = shape_of_value(x)
    return call(
        state,
        "Transpose",
        shaped(state, x, batch, tokens, heads, width // heads),
        perm=[0, 2, 1, 3],
    )


def _padding_bias(state: Importer, mask: Value, batch: int, keys: int, fill: float) -> Value:
    """A mask of keys as what is added to scores."""
    shape = shape_of_value(mask)
    if len(shape) == 1:
        # Behind the last key of each batch element, and, if there are twice as many, its first.
        places = np.arange(keys, dtype=np.int32)[None]
        ends = shaped(state, call(state, "Slice", mask, ints(0), ints(batch)), batch, 1)
        visible = call(state, "Less", places, ends)
        if shape[0] == 2 * batch:
            starts = call(state, "Slice", mask, ints(batch), ints(2 * batch))
            starts = shaped(state, starts, batch, 1)
            visible = call(state, "And", visible, call(state, "GreaterOrEqual", places, starts))
        mask, shape = visible, (batch, keys)
    else:
        mask = call(state, "Cast", mask, to=int(BOOL))
    if len(shape) == 2:
        mask = call(state, "Unsqueeze", mask, ints(1, 2))
    elif len(shape) == 3:
        mask = call(state, "Unsqueeze", mask, ints(1))
    return call(state, "Where", mask, np.zeros((), np.float32), np.array(fill, np.float32))


def _check_mask(mask: Value, batch: int, lengths: tuple[int, ...]) -> None:
    """Raise `Unsupported` for a mask that is none of keys, by number or element."""
    shape = () if mask is None else shape_of_value(mask)
    if (len(shape) == 1 and shape[0] not in lengths) or len(shape) > 3:
        raise Unsupported(f"a mask of shape {shape} of {batch} sequences")


def _attend(
    state: Importer,
    node: Node,
    heads: tuple[Value, Value, Value],
    mask: Value,
    extra: Value,
    past: Value,
) -> Value:
    """Attention of [batch, heads, tokens, size], to keys of which the first are those of `past`
    (None for none); the result is [batch, tokens, width]."""
    q, k, v = heads
    batch, count, queries, size = shape_of_value(q)
    keys = shape_of_value(k)[2]
    fill = float(node.attribute("mask_filter_value", -10000.0))
    scale = float(node.attribute("scale", 0.0)) or size**-0.5
    scores = call(state, "MatMul", q, call(state, "Transpose", k, perm=[0, 1, 3, 2]))
    scores = call(state, "Mul", scores, np.array(scale, np.float32))
    if extra is not None:
        scores = call(state, "Add", scores, extra)
    if mask is not None:
        scores = call(state, "Add", scores, _padding_bias(state, mask, batch, keys, fill))
    if node.attribute("unidirectional", 0):
        before = 0 if past is None else shape_of_value(past)[-2]
        if keys != before + queries:
            # ONNX Runtime lets the last query see all keys then
            raise Unsupported(
                f"unidirectional of {queries} queries to {keys} keys, {before} of them of a cache",
                "add a mask to attention_bias",
            )
        visible = np.tri(queries, keys, keys - queries, dtype=np.bool_)
        lowest = np.where(visible, np.float32(0), np.finfo(np.float32).min)
        scores = call(state, "Add", scores, lowest)
    result = call(state, "MatMul", call(state, "Softmax", scores, axis=-1), v)
    result = call(state, "Transpose", result, perm=[0, 2, 1, 3])
    return shaped(state, result, batch, queries, count * shape_of_value(v)[3])


@operator("com.microsoft.Attention", note="masks of keys by number, or [batch, (queries,) keys]")
def attention(state: Importer, node: Node) -> list[Value]:
    x, weights, bias, mask, past, extra = (node.input(i) for i in range(6))
    heads, columns = int(node.attribute("num_heads")), shape_of_value(weights)[1]
    sizes = node.attribute("qkv_hidden_sizes") or [columns // 3] * 3
    if node.attribute("do_rotary", 0):
        raise Unsupported("do_rotary", "export without ONNX Runtime's optimizer")
    batch = shape_of_value(x)[0]
    _check_mask(mask, batch, (batch, 2 * batch))
    rows = _sum(state, call(state, "MatMul", x, weights), bias)
    parts = call(state, "Split", rows, ints(*sizes), results=3, axis=2)
    q, k, v = (by_heads(state, part, heads) for part in parts)
    present: Value = None
    if past is not None:
        before = [call(state, "Gather", past, np.array(i, np.int64), axis=0) for i in range(2)]
        k, v = (call(state, "Concat", a, b, axis=2) for a, b in zip(before, (k, v), strict=True))
    if any(node.proto.output[1:]):
        both = [call(state, "Unsqueeze", value, ints(0)) for value in (k, v)]
        present = call(state, "Concat", *both, axis=0)
    return [_attend(state, node, (q, k, v), mask, extra, past), present]


def _unpacked(state: Importer, x: Value, count: int) -> list[Value]:
    """[batch, tokens, heads, count, size] -> that many of [batch, tokens, width]."""
    batch, tokens, heads, _, size = shape_of_value(x)
    parts = [call(state, "Gather", x, np.array(i, np.int64), axis=3) for i in range(count)]
    return [shaped(state, part, batch, tokens, heads * size) for part in parts]


def _biased(state: Importer, bias: Value, q: Value, k: Value, v: Value) -> list[Value]:
    """Queries, keys and values with their biases; keys of four dimensions have them already."""
    width = shape_of_value(q)[2]
    if len(shape_of_value(k)) != 3:
        first = call(state, "Slice", bias, ints(0), ints(width))
        return [call(state, "Add", q, first), k, v]
    sizes = [width, shape_of_value(k)[2], shape_of_value(v)[2]]
    parts = call(state, "Split", bias, ints(*sizes), results=3, axis=0)
    return [call(state, "Add", x, b) for x, b in zip((q, k, v), parts, strict=True)]


@operator("com.microsoft.MultiHeadAttention", note="packed or not, with caches")
def multi_head_attention(state: Importer, node: Node) -> list[Value]:
    q, k, v, bias, mask, extra, past_key, past_value = (node.input(i) for i in range(8))
    heads = int(node.attribute("num_heads"))
    if len(shape_of_value(q)) == 5:
        q, k, v = _unpacked(state, q, 3)
    elif k is not None and len(shape_of_value(k)) == 5:
        k, v = _unpacked(state, k, 2)
    if k is None or v is None:
        raise Unsupported("its keys or values are missing")
    batch = shape_of_value(q)[0]
    _check_mask(mask, batch, (batch,))
    if bias is not None:
        q, k, v = _biased(state, bias, q, k, v)
    q = by_heads(state, q, heads)
    k, v = (by_heads(state, x, heads) if len(shape_of_value(x)) == 3 else x for x in (k, v))
    if past_key is not None:
        k = call(state, "Concat", past_key, k, axis=2)
        v = call(state, "Concat", past_value, v, axis=2)
    return [_attend(state, node, (q, k, v), mask, extra, past_key), k, v]
