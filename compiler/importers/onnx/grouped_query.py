"""com.microsoft.GroupQueryAttention, as ONNX Runtime's model builders write decoders.

Source: ONNX Runtime's ContribOperators.md and its CPU kernel. `seqlens_k` holds the number of keys
of each batch element less one; new keys are written behind those that are there, into a buffer as
long as the one before or longer by them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from softex_mlir.compiler.importers.onnx.contrib import by_heads, call, ints, rotated, shaped
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import operator
from softex_mlir.compiler.importers.onnx.values import Unsupported, Value, shape_of_value

_TENSOR: Any = onnx.TensorProto
LOWEST = np.finfo(np.float32).min
PLAIN = {"qk_output": 0, "kv_cache_bit_width": 0, "causal": 1, "sliding_window_cache": 0}
QUANTISED = ("k_quant_type", "v_quant_type")


@operator(
    "com.microsoft.GroupQueryAttention",
    note="caches of floating-point numbers; windows, sinks and smooth softmax too",
)
def grouped_query(state: Importer, node: Node) -> list[Value]:
    query, key, value, past_key, past_value, lengths, total, cosines, sines, places, bias = (
        node.input(i) for i in range(11)
    )
    heads, groups = int(node.attribute("num_heads")), int(node.attribute("kv_num_heads"))
    _refuse_what_is_not_read(node)
    q, k, v = _separated(state, (query, key, value), heads, groups)
    queries, size = shape_of_value(q)[2:]
    start = None
    if past_key is not None:
        last = call(state, "Cast", lengths, to=int(_TENSOR.INT32))
        start = call(state, "Sub", last, np.array(queries - 1, np.int32))
        if queries > 1:
            # of a prompt that is shorter than the others, which padding follows
            start = call(state, "Max", start, np.array(0, np.int32))
        start = shaped(state, start, shape_of_value(q)[0], 1)
    positions = _positions(state, start, queries)
    pairs = bool(node.attribute("rotary_interleaved", 0))
    if node.attribute("do_rotary", 0):
        factors = [_factors(state, table, places, positions) for table in (cosines, sines)]
        width = 2 * shape_of_value(cosines)[1]
        q, k = (rotated(state, x, factors, width, pairs=pairs) for x in (q, k))
    if start is not None:
        length = _buffer(total, past_key, queries)
        k, v = (
            _inserted(state, new, past, start, length)
            for new, past in ((k, past_key), (v, past_value))
        )
    keys = shape_of_value(k)[2]
    scale = float(node.attribute("scale", 0.0)) or size**-0.5
    wide_k, wide_v = (_repeated(state, x, heads // groups) for x in (k, v))
    scores = call(state, "MatMul", q, call(state, "Transpose", wide_k, perm=[0, 1, 3, 2]))
    scores = call(state, "Mul", scores, np.array(scale, np.float32))
    if cap := float(node.attribute("softcap", 0.0)):
        limit = np.array(cap, np.float32)
        scores = call(state, "Tanh", call(state, "Div", scores, limit))
        scores = call(state, "Mul", scores, limit)
    if bias is not None:
        scores = call(state, "Add", scores, bias)
    window = int(node.attribute("local_window_size", -1))
    scores = call(state, "Add", scores, _causal(state, positions, keys, window))
    weights = _weights(state, scores, _sink(node, heads))
    result = call(state, "MatMul", weights, wide_v)
    result = call(state, "Transpose", result, perm=[0, 2, 1, 3])
    return [shaped(state, result, shape_of_value(q)[0], queries, heads * size), k, v]


def _refuse_what_is_not_read(node: Node) -> None:
    for name, usual in PLAIN.items():
        if node.attribute(name, usual) not in (usual, -usual):
            raise Unsupported(f"{name} = {node.attribute(name)}")
    for name in QUANTISED:
        if node.attribute(name, b"NONE") not in (b"NONE", b""):
            raise Unsupported(f"{name}: quantised caches", "export caches of float16 or float32")


def _separated(
    state: Importer, given: tuple[Value, Value, Value], heads: int, groups: int
) -> list[Value]:
    """Queries, keys and values [batch, heads, tokens, size], of one packed matrix if so given."""
    query, key, value = given
    if key is None:
        width = shape_of_value(query)[2] // (heads + 2 * groups)
        sizes = ints(heads * width, groups * width, groups * width)
        query, key, value = call(state, "Split", query, sizes, results=3, axis=2)
    counts = (heads, groups, groups)
    return [by_heads(state, x, n) for x, n in zip((query, key, value), counts, strict=True)]


def _positions(state: Importer, start: Value, queries: int) -> Value:
    """Places [batch or 1, queries] of the queries among all keys."""
    places = np.arange(queries, dtype=np.int32)[None]
    return places if start is None else call(state, "Add", start, places)


def _factors(state: Importer, table: Value, places: Value, positions: Value) -> Value:
    """Rows of a table of cosines or sines, [batch or 1, 1, queries, size / 2]."""
    rows = positions if places is None else places
    return call(state, "Unsqueeze", call(state, "Gather", table, rows), ints(1))


def _buffer(total: Value, past: Value, queries: int) -> int:
    """Keys that are kept."""
    before = shape_of_value(past)[2]
    if isinstance(total, np.ndarray):
        return max(before, int(total.ravel()[0]))
    return before + queries


def _inserted(state: Importer, new: Value, past: Value, start: Value, length: int) -> Value:
    """A buffer with new rows written from `start` [batch, 1] on."""
    batch, groups, queries, size = shape_of_value(new)
    before = shape_of_value(past)[2]
    if length > before:
        room = np.zeros((batch, groups, length - before, size), np.float32)
        past = call(state, "Concat", past, room, axis=2)
    offsets = call(state, "Sub", np.arange(length, dtype=np.int32)[None], start)
    row = call(state, "Clip", offsets, np.array(0, np.int32), np.array(queries - 1, np.int32))
    places = [call(state, "Unsqueeze", x, ints(1, 3)) for x in (offsets, row)]
    shape = ints(batch, groups, length, size)
    if queries == 1:
        chosen = new
    else:
        chosen = call(state, "GatherElements", new, call(state, "Expand", places[1], shape), axis=2)
    written = call(state, "Equal", *places)
    return call(state, "Where", written, chosen, past)


def _repeated(state: Importer, x: Value, times: int) -> Value:
    """Every head for all queries that share it."""
    if times == 1:
        return x
    batch, groups, tokens, size = shape_of_value(x)
    wide = call(state, "Unsqueeze", x, ints(2))
    wide = call(state, "Expand", wide, ints(batch, groups, times, tokens, size))
    return shaped(state, wide, batch, groups * times, tokens, size)


def _sink(node: Node, heads: int) -> Value:
    """The score [heads or 1, 1, 1] of a key without a value; None if there is none."""
    sink = node.input(11)
    if sink is not None:
        return np.asarray(node.required(11, "head_sink"), np.float32).reshape(heads, 1, 1)
    smooth = node.attribute("smooth_softmax", 0) == 1
    return np.zeros((1, 1, 1), np.float32) if smooth else None


def _weights(state: Importer, scores: Value, sink: Value) -> Value:
    """The softmax of the scores, and of one more."""
    if sink is None:
        return call(state, "Softmax", scores, axis=-1)
    batch, heads, queries, keys = shape_of_value(scores)
    column = np.broadcast_to(np.asarray(sink), (batch, heads, queries, 1)).copy()
    wide = call(state, "Softmax", call(state, "Concat", scores, column, axis=-1), axis=-1)
    return call(state, "Slice", wide, ints(0), ints(keys), ints(3))


def _causal(state: Importer, positions: Value, keys: int, window: int) -> Value:
    """What is added to scores: queries see the keys up to their own place, the last `window`."""
    places = np.arange(keys, dtype=np.int32)[None, None, None]
    first = window if 0 < window < keys else keys
    if isinstance(positions, np.ndarray):
        distance = positions[0][:, None] - places
        return np.where((distance >= 0) & (distance < first), np.float32(0), LOWEST)
    own = call(state, "Unsqueeze", positions, ints(1, 3))
    visible = call(state, "LessOrEqual", places, own)
    if first < keys:
        near = call(state, "Less", call(state, "Sub", own, places), np.array(first, np.int32))
        visible = call(state, "And", visible, near)
    return call(state, "Where", visible, np.zeros((), np.float32), np.array(LOWEST))
