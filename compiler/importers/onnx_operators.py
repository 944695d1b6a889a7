"""How each ONNX operator on activations is translated. Operators on constants are evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.ir import SSAValue

from softex_mlir.compiler.importers.onnx_graph import Handler, Importer, Node, describe
from softex_mlir.compiler.importers.onnx_masks import VERY_NEGATIVE
from softex_mlir.compiler.importers.onnx_values import (
    Array,
    NanTest,
    Symbolic,
    Unsupported,
    Value,
    shape_of_value,
)
from softex_mlir.compiler.transforms.l1_values import trace
from softex_mlir.dialects import transformer as t

OPERATORS: dict[str, tuple[Handler, str]] = {}
"""Handler of each operator, and what is supported of it."""


def operator(*names: str, note: str = "") -> Any:
    """Register the handler of operators."""

    def register(handler: Handler) -> Handler:
        for name in names:
            OPERATORS[name] = (handler, note)
        return handler

    return register


def _axis(axis: int, rank: int) -> int:
    return axis + rank if axis < 0 else axis


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
    if high < 1e30 or (low > -1e30 and low != 0):
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
    axis = _axis(node.attribute("axis", -1 if node.opset >= 13 else 1), rank)
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


@operator("MatMul", note="a weight (linear layer), inside attention, or two activations")
def matmul(state: Importer, node: Node) -> list[Value]:
    a, b = node.inputs
    if len(shape_of_value(a)) < 2 or len(shape_of_value(b)) < 2:
        raise Unsupported("a product with a vector")
    right = state.constant(b, splat=False) if isinstance(b, np.ndarray) else state.operand(b)
    left = state.constant(a, splat=False) if isinstance(a, np.ndarray) else state.operand(a)
    return [state.emit(t.MatmulOp(left, right))]


@operator("Gemm", note="transA = 0")
def gemm(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    if node.attribute("transA", 0):
        raise Unsupported("transA = 1")
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    b, c = node.input(1), node.input(2)
    if isinstance(b, np.ndarray):
        data = (b.T if node.attribute("transB", 0) else b) * b.dtype.type(alpha)
        state.names[id(data)] = state.names.get(id(b), "weight")
        product = state.emit(t.MatmulOp(x, state.constant(data, splat=False)))
    else:
        w = node.activation(1)
        if node.attribute("transB", 0):
            w = state.emit(t.TransposeOp(w, (1, 0)))
        product = state.emit(t.MatmulOp(x, w))
        if alpha != 1.0:
            product = state.emit(t.MulOp(product, state.constant(np.array(alpha, np.float32))))
    if c is None:
        return [product]
    if isinstance(c, np.ndarray):
        bias = c if beta == 1.0 else c * c.dtype.type(beta)
        if bias.ndim == 2 and bias.shape[0] == 1:
            bias = bias[0]
        state.names.setdefault(id(bias), state.names.get(id(c), "bias"))
        return [state.emit(t.AddOp(product, state.constant(bias)))]
    return [state.emit(t.AddOp(product, state.operand(c)))]


@operator("LayerNormalization", note="over the last dimension")
def layer_norm(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    shape = t.shape_of(x)
    if _axis(node.attribute("axis", -1), len(shape)) != len(shape) - 1:
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
    normal = [_axis(a, rank) for a in axes] if axes is not None else list(range(rank))
    return [state.emit(t.ReduceMeanOp(x, normal, keep=bool(node.attribute("keepdims", 1))))]


@operator("Identity", "Dropout", "Cast", "CastLike", note="Cast between floating-point types")
def identity(state: Importer, node: Node) -> list[Value]:
    return [node.activation(0)]


@operator("Shape", "Size")
def shape(state: Importer, node: Node) -> list[Value]:
    found = np.array(shape_of_value(node.input(0)), np.int64)
    if node.kind == "Size":
        return [np.array(found.prod(), np.int64)]
    return [found[node.attribute("start", 0) : node.attribute("end", len(found))]]


@operator("Reshape")
def reshape(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    before, target = t.shape_of(x), node.constant(1, "shape")
    assert target is not None
    sizes = [int(n) for n in target]
    if not node.attribute("allowzero", 0):
        sizes = [before[i] if n == 0 else n for i, n in enumerate(sizes)]
    if -1 in sizes:
        rest = int(np.prod([n for n in sizes if n != -1]))
        sizes[sizes.index(-1)] = int(np.prod(before)) // rest
    return [state.emit(t.ReshapeOp(x, sizes))]


@operator("Flatten")
def flatten(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    before = t.shape_of(x)
    axis = _axis(node.attribute("axis", 1), len(before))
    sizes = (int(np.prod(before[:axis])), int(np.prod(before[axis:])))
    return [state.emit(t.ReshapeOp(x, sizes))]


@operator("Squeeze", "Unsqueeze")
def squeeze(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    before = t.shape_of(x)
    axes = node.ints(1, "axes", "axes")
    if node.kind == "Unsqueeze":
        assert axes is not None
        rank = len(before) + len(axes)
        normal = {_axis(a, rank) for a in axes}
        rest = iter(before)
        return [state.emit(t.ReshapeOp(x, [1 if i in normal else next(rest) for i in range(rank)]))]
    normal = (
        {_axis(a, len(before)) for a in axes}
        if axes is not None
        else {i for i, n in enumerate(before) if n == 1}
    )
    return [state.emit(t.ReshapeOp(x, [n for i, n in enumerate(before) if i not in normal]))]


@operator("Transpose")
def transpose(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    order = node.attribute("perm") or list(range(len(t.shape_of(x))))[::-1]
    return [state.emit(t.TransposeOp(x, [int(p) for p in order]))]


@operator("Concat")
def concat(state: Importer, node: Node) -> list[Value]:
    parts = [
        state.constant(v, splat=False) if isinstance(v, np.ndarray) else state.operand(v)
        for v in node.inputs
    ]
    axis = _axis(node.attribute("axis"), len(t.shape_of(parts[0])))
    return [state.emit(t.ConcatOp(parts, axis))]


@operator("Expand")
def expand(state: Importer, node: Node) -> list[Value]:
    x, target = node.activation(0), node.constant(1, "shape")
    assert target is not None
    result = np.broadcast_shapes(t.shape_of(x), tuple(int(n) for n in target))
    return [x if result == t.shape_of(x) else state.emit(t.ExpandOp(x, result))]


@operator("Pad", note="with zeros")
def pad(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    pads, value = node.ints(1, "pads", "pads"), node.constant(2, "value")
    mode = node.attribute("mode", b"constant")
    if mode != b"constant" or (value is not None and value.any()) or node.attribute("value", 0.0):
        raise Unsupported("padding with anything but zeros")
    assert pads is not None
    rank = len(t.shape_of(x))
    chosen = node.constant(3, "axes")
    axes = list(range(rank)) if chosen is None else [_axis(int(a), rank) for a in chosen]
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        parts = [x]
        for amount, position in ((before, 0), (after, len(parts))):
            if amount < 0:
                raise Unsupported("negative padding")
            if amount:
                size = list(t.shape_of(x))
                size[axis] = amount
                zeros = state.constant(np.zeros(size, np.float32), splat=False)
                parts.insert(position if position == 0 else len(parts), zeros)
        if len(parts) > 1:
            x = state.emit(t.ConcatOp(parts, axis))
    return [x]


@operator("Slice")
def slice_(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    before = t.shape_of(x)
    starts, ends = node.ints(1, "starts", "starts"), node.ints(2, "ends", "ends")
    assert starts is not None
    assert ends is not None
    axes = node.ints(3, "axes", "axes") or list(range(len(starts)))
    steps = node.ints(4, "steps", "steps") or [1] * len(starts)
    offsets, sizes, strides = [0] * len(before), list(before), [1] * len(before)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        chosen = range(before[axis])[slice(start, end, step)]
        if not chosen:
            raise Unsupported("an empty slice")
        axis = _axis(axis, len(before))
        offsets[axis], sizes[axis], strides[axis] = chosen[0], len(chosen), step
    return [state.emit(t.SliceOp(x, offsets, sizes, strides))]


@operator("Split")
def split(state: Importer, node: Node) -> list[Value]:
    x = node.activation(0)
    before = t.shape_of(x)
    axis = _axis(node.attribute("axis", 0), len(before))
    count = len(node.proto.output)
    parts = node.ints(1, "split", "split")
    if parts is None:
        chunk = -(-before[axis] // count)
        parts = [min(chunk, before[axis] - i * chunk) for i in range(count)]
    results: list[Value] = []
    start = 0
    for size in parts:
        offsets, sizes = [0] * len(before), list(before)
        offsets[axis], sizes[axis] = start, size
        results.append(state.emit(t.SliceOp(x, offsets, sizes)))
        start += size
    return results


@operator("Gather", note="embedding by ids, or constant indices")
def gather(state: Importer, node: Node) -> list[Value]:
    data, indices = node.inputs
    axis = node.attribute("axis", 0)
    if isinstance(indices, Symbolic):
        if not isinstance(data, np.ndarray) or data.ndim != 2 or _axis(axis, 2) != 0:
            raise Unsupported("indices computed from an input must select rows of a 2-D table")
        ids = state.ids(indices)
        counted = trace(ids).root.owner
        if isinstance(counted, t.PositionIdsOp) and counted.limit > len(data):
            raise Unsupported(
                f"{t.shape_of(counted.ids)[1]} tokens need {counted.limit} positions, "
                f"its table has {len(data)}"
            )
        rows = state.emit(t.EmbeddingOp(ids, state.constant(data, splat=False)))
        return [state.emit(t.ReshapeOp(rows, (*indices.sample.shape, data.shape[1])))]
    x = node.activation(0)
    if not isinstance(indices, np.ndarray):
        raise Unsupported(f"its indices are {describe(indices)}")
    shape_ = t.shape_of(x)
    axis = _axis(axis, len(shape_))
    flat = [int(i) % shape_[axis] for i in indices.ravel()]
    pieces: list[SSAValue] = []
    step = flat[1] - flat[0] if len(flat) > 1 else 1
    regular = step > 0 and flat == list(range(flat[0], flat[0] + step * len(flat), step))
    for start, size in [(flat[0], len(flat))] if regular else [(i, 1) for i in flat]:
        offsets, sizes, strides = [0] * len(shape_), list(shape_), [1] * len(shape_)
        offsets[axis], sizes[axis], strides[axis] = start, size, step if regular else 1
        pieces.append(state.emit(t.SliceOp(x, offsets, sizes, strides)))
    joined = pieces[0] if len(pieces) == 1 else state.emit(t.ConcatOp(pieces, axis))
    result = (*shape_[:axis], *indices.shape, *shape_[axis + 1 :])
    return [state.emit(t.ReshapeOp(joined, result))]


@operator("Conv", note="patch embedding: stride = kernel size, no padding, one group")
def conv(state: Importer, node: Node) -> list[Value]:
    image, weights, bias = node.activation(0), node.constant(1, "weights"), node.constant(2, "bias")
    assert weights is not None
    kernel, shape_ = weights.shape[2:], t.shape_of(image)
    strides = tuple(node.attribute("strides", [1, 1]))
    plain = (
        len(shape_) == 4
        and strides == kernel
        and not any(node.attribute("pads", [0]))
        and node.attribute("group", 1) == 1
        and set(node.attribute("dilations", [1])) == {1}
        and shape_[2] % kernel[0] == 0
        and shape_[3] % kernel[1] == 0
    )
    if not plain:
        raise Unsupported(
            f"a convolution {weights.shape} with strides {strides} of an image {shape_}; only "
            "patch embeddings (stride = kernel, no padding, whole patches) can be done"
        )
    channels = weights.shape[0]
    rows = state.emit(t.PatchifyOp(image, (kernel[0], kernel[1])))
    matrix = np.ascontiguousarray(weights.reshape(channels, -1).T)
    state.names[id(matrix)] = state.names.get(id(weights), "projection")
    result = state.emit(t.MatmulOp(rows, state.constant(matrix, splat=False)))
    if bias is not None:
        result = state.emit(t.AddOp(result, state.constant(bias)))
    high, wide = shape_[2] // kernel[0], shape_[3] // kernel[1]
    result = state.emit(t.ReshapeOp(result, (shape_[0], high * wide, channels)))
    result = state.emit(t.TransposeOp(result, (0, 2, 1)))
    return [state.emit(t.ReshapeOp(result, (shape_[0], channels, high, wide)))]


def _as_bias(arrays: list[Array]) -> Array:
    """A mask as an additive bias: booleans say what is visible, numbers are added."""
    if arrays[0].dtype == np.bool_:
        return np.where(arrays[0], np.float32(0), np.float32(t.MASKED))
    return arrays[0].astype(np.float32)


@operator("Attention", note="without cache, softcap or grouped key heads")
def attention(state: Importer, node: Node) -> list[Value]:
    q, k, v = (node.activation(i) for i in range(3))
    mask = node.input(3)
    if any(node.input(i) is not None for i in range(4, len(node.inputs))):
        raise Unsupported("a key/value cache")
    if node.attribute("softcap", 0.0) or len([o for o in node.proto.output if o]) > 1:
        raise Unsupported("softcap, or more outputs than the result")
    flat = len(t.shape_of(q)) == 3
    if flat:
        heads = node.attribute("q_num_heads")
        if heads != node.attribute("kv_num_heads"):
            raise Unsupported("fewer key heads than query heads")
        q, k, v = (_split_heads(state, x, heads) for x in (q, k, v))
    if t.shape_of(q)[1] != t.shape_of(k)[1]:
        raise Unsupported("fewer key heads than query heads")
    (batch, heads, queries, size), keys = t.shape_of(q), t.shape_of(k)[2]
    scale = node.attribute("scale") or size**-0.5
    scores = state.emit(t.MatmulOp(q, state.emit(t.TransposeOp(k, (0, 1, 3, 2)))))
    scores = state.emit(t.MulOp(scores, state.constant(np.array(scale, np.float32))))
    if node.attribute("is_causal", 0):
        visible = np.tri(queries, keys, dtype=np.bool_)
        causal = state.constant(_as_bias([visible]), splat=False)
        scores = state.emit(t.AddOp(scores, causal))
    if isinstance(mask, Symbolic):
        scores = state.emit(t.AddOp(scores, state.mask(state.derive([mask], _as_bias))))
    elif isinstance(mask, np.ndarray):
        scores = state.emit(t.AddOp(scores, state.constant(_as_bias([mask]))))
    elif mask is not None:
        scores = state.emit(t.AddOp(scores, state.operand(mask)))
    result = state.emit(t.MatmulOp(state.emit(t.SoftmaxOp(scores)), v))
    if flat:
        result = state.emit(t.TransposeOp(result, (0, 2, 1, 3)))
        result = state.emit(t.ReshapeOp(result, (batch, queries, heads * t.shape_of(v)[3])))
    return [result]


def _split_heads(state: Importer, x: SSAValue, heads: int) -> SSAValue:
    """[batch, tokens, heads*size] -> [batch, heads, tokens, size]."""
    batch, tokens, width = t.shape_of(x)
    x = state.emit(t.ReshapeOp(x, (batch, tokens, heads, width // heads)))
    return state.emit(t.TransposeOp(x, (0, 2, 1, 3)))
