"""Attention whose heads, rows or projections lie in unusual orders, and layers spelled by parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_harness import HEADS, HIDDEN, SIZE, TOKENS, Graph, agree

from softex_mlir.compiler.driver import Compilation
from softex_mlir.runtime.reference import evaluate

BATCH = 2
SHAPE = (BATCH, TOKENS, HIDDEN)


def info(shape: tuple[int, ...] = SHAPE) -> list[Any]:
    return [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]


def sample(shape: tuple[int, ...] = SHAPE) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def products(g: Graph, q: str, k: str, v: str) -> str:
    """softmax(q k^T / sqrt(size)) v for [.., tokens, size]."""
    rank = 4
    kt = g.node("Transpose", k, perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = g.node("Mul", g.node("MatMul", q, kt), g.constant(SIZE**-0.5))
    return g.node("MatMul", g.node("Softmax", scores, axis=-1), v)


def project(g: Graph, x: str, outer: int) -> str:
    w = g.weight(HIDDEN, outer)
    return g.node("Add", g.node("MatMul", x, w), g.weight(outer))


def merged(g: Graph, heads: str) -> str:
    rows = g.node("Transpose", heads, perm=[0, 2, 1, 3])
    return project(g, g.shaped(rows, *SHAPE), HIDDEN)


def interleaved(g: Graph) -> str:
    """q, k and v of a head side by side, as in BLOOM and GPT-NeoX."""
    parts = g.shaped(project(g, "x", 3 * HIDDEN), BATCH, TOKENS, HEADS, 3 * SIZE)
    heads = g.node("Transpose", parts, perm=[0, 2, 1, 3])
    g.nodes.append(helper.make_node("Split", [heads], ["q", "k", "v"], axis=3))
    return merged(g, products(g, "q", "k", "v"))


def token_major(g: Graph) -> str:
    """Tokens before the batch, as in torch.nn.MultiheadAttention."""
    rows = g.node("Transpose", "x", perm=[1, 0, 2])
    parts = g.shaped(project(g, rows, 3 * HIDDEN), TOKENS, BATCH, 3, HEADS, SIZE)
    order = g.node("Transpose", parts, perm=[2, 1, 3, 0, 4])
    q, k, v = (g.node("Gather", order, g.constant(i, np.int64), axis=0) for i in range(3))
    out = g.node("Transpose", products(g, q, k, v), perm=[2, 0, 1, 3])
    flat = project(g, g.shaped(out, TOKENS * BATCH, HIDDEN), HIDDEN)
    return g.node("Transpose", g.shaped(flat, TOKENS, BATCH, HIDDEN), perm=[1, 0, 2])


def joined_products(g: Graph) -> str:
    """One product for q, k and v, biases added to its parts, as simplifiers leave it."""
    product = g.node("MatMul", "x", g.weight(HIDDEN, 3 * HIDDEN))
    g.nodes.append(helper.make_node("Split", [product], ["p0", "p1", "p2"], axis=2))
    heads = [
        g.node(
            "Transpose",
            g.shaped(g.node("Add", f"p{i}", g.weight(HIDDEN)), BATCH, TOKENS, HEADS, SIZE),
            perm=[0, 2, 1, 3],
        )
        for i in range(3)
    ]
    return merged(g, products(g, *heads))


def einsums(g: Graph) -> str:
    w = [g.constant(g.random.standard_normal((HIDDEN, HEADS, SIZE)) * 0.1) for _ in range(3)]
    q, k, v = (g.node("Einsum", "x", each, equation="btd,dhe->bthe") for each in w)
    scores = g.node("Einsum", q, k, equation="...qhe,...khe->...hqk")
    p = g.node("Softmax", g.node("Mul", scores, g.constant(SIZE**-0.5)), axis=-1)
    out = g.node("Einsum", p, v, equation="bhqk,bkhe->bqhe")
    w_out = g.constant(g.random.standard_normal((HEADS, SIZE, HIDDEN)) * 0.1)
    return g.node("Einsum", out, w_out, equation="bqhe,hed->bqd")


def rotary(g: Graph, x: str) -> str:
    """x·cos + rotate_half(x)·sin, as Llama spells it."""
    angles = np.outer(np.arange(TOKENS), 10000.0 ** (-np.arange(SIZE // 2) / (SIZE // 2)))
    both = np.concatenate([angles, angles], -1)[None, None]
    halves = (g.constant([0], np.int64), g.constant([SIZE // 2], np.int64))
    ends = (halves[1], g.constant([SIZE], np.int64))
    low, high = (
        g.node("Slice", x, a, b, g.constant([3], np.int64))
        for a, b in zip(halves, ends, strict=True)
    )
    rotated = g.node("Concat", g.node("Neg", high), low, axis=3)
    cosine, sine = g.constant(np.cos(both)), g.constant(np.sin(both))
    return g.node("Add", g.node("Mul", x, cosine), g.node("Mul", rotated, sine))


def shared_keys(g: Graph) -> str:
    """Rotary positions, one key and value head for all query heads."""
    sizes = (HEADS, 1, 1)
    heads = [g.shaped(project(g, "x", n * SIZE), BATCH, TOKENS, n, SIZE) for n in sizes]
    q, k, v = (g.node("Transpose", y, perm=[0, 2, 1, 3]) for y in heads)
    q, k = rotary(g, q), rotary(g, k)
    shape = g.constant([BATCH, HEADS, TOKENS, SIZE], np.int64)
    return merged(g, products(g, q, *(g.node("Expand", y, shape) for y in (k, v))))


@pytest.mark.parametrize(
    ("spelling", "linears"),
    [(interleaved, 4), (token_major, 2), (joined_products, 2), (einsums, 4)],
)
def test_attention(tmp_path: Path, spelling: Any, linears: int) -> None:
    g = Graph()
    model = g.save(tmp_path / "m.onnx", info(), spelling(g))
    ops = agree(tmp_path / "m.onnx", model, {"x": sample()})
    assert ops["attention"] == 1
    assert ops["linear"] == linears
    assert not ops.keys() & {"matmul", "softmax", "add", "mul", "transpose"}


def test_shared_keys_with_rotary_positions(tmp_path: Path) -> None:
    g = Graph()
    path = tmp_path / "m.onnx"
    model = g.save(path, info(), shared_keys(g))
    ops = agree(path, model, {"x": sample()})
    assert ops["attention"] == 1
    assert ops["rotary"] == 2
    assert not ops.keys() & {"matmul", "softmax", "expand", "mul", "concat", "transpose"}
    identical(path, {"x": sample()})


def identical(path: Path, inputs: dict[str, Any]) -> None:
    """Compile, simulate and compare with the reference evaluator bit for bit."""
    compilation = Compilation.of(path)
    found = compilation.program().run(inputs).outputs["y"]
    expected = evaluate(compilation.model.module, compilation.model.weights, inputs)["y"]
    np.testing.assert_array_equal(found.view(np.uint16), expected.view(np.uint16))


def layer_scale(g: Graph) -> str:
    return g.node("Add", "x", g.node("Mul", g.weight(HIDDEN, mean=1.0), project(g, "x", HIDDEN)))


def quick_gelu(g: Graph) -> str:
    y = project(g, "x", HIDDEN)
    gate = g.node("Sigmoid", g.node("Mul", y, g.constant(1.702)))
    return project(g, g.node("Mul", y, gate), HIDDEN)


def sequence(g: Graph) -> str:
    both = g.node("SplitToSequence", project(g, "x", 64), g.constant(32, np.int64), axis=-1)
    first, second = (g.node("SequenceAt", both, g.constant(i, np.int64)) for i in (0, -1))
    return g.node("Add", first, second)


def cast_like(g: Graph) -> str:
    half = g.node("CastLike", g.constant(2, np.int64), "x")
    return g.node("Mul", "x", g.node("Div", g.constant(1.0), half))


def per_head_bias(g: Graph) -> str:
    """Relative positions differ between heads: columns of attention's bias."""
    parts = [g.shaped(project(g, "x", HIDDEN), BATCH, TOKENS, HEADS, SIZE) for _ in range(3)]
    q, k, v = (g.node("Transpose", p, perm=[0, 2, 1, 3]) for p in parts)
    scores = g.node("MatMul", q, g.node("Transpose", k, perm=[0, 1, 3, 2]))
    scores = g.node("Add", scores, g.weight(1, HEADS, TOKENS, TOKENS, scale=1.0))
    return merged(g, g.node("MatMul", g.node("Softmax", scores, axis=-1), v))


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        (layer_scale, {"linear": 1}),
        (quick_gelu, {"linear": 2}),
        (sequence, {"linear": 1, "add": 1}),
        (cast_like, {"mul": 1}),
        (per_head_bias, {"linear": 4}),
    ],
)
def test_layers(tmp_path: Path, spelling: Any, expected: dict[str, int]) -> None:
    g = Graph(opset=18)
    model = g.save(tmp_path / "m.onnx", info(), spelling(g))
    ops = agree(tmp_path / "m.onnx", model, {"x": sample()})
    computing = {op: n for op, n in ops.items() if op in {"linear", "matmul", "add", "mul", "silu"}}
    assert computing == expected


def test_convolution_along_the_tokens(tmp_path: Path) -> None:
    """The front of audio encoders: two convolutions with padding, the second with stride 2."""
    g = Graph(opset=20)
    x = "x"
    for channels, stride in ((16, 1), (HIDDEN, 2)):
        w, b = g.weight(HIDDEN, channels, 3), g.weight(HIDDEN)
        y = g.node("Conv", x, w, b, kernel_shape=[3], strides=[stride], pads=[1, 1])
        x = g.gelu(y, "div")
    shape = (1, 16, 40)
    model = g.save(tmp_path / "m.onnx", info(shape), g.node("Transpose", x, perm=[0, 2, 1]))
    ops = agree(tmp_path / "m.onnx", model, {"x": sample(shape)})
    assert ops["linear"] == 2
    assert not ops.keys() & {"gelu", "add"}


def causal(path: Path, *, padding: bool) -> Any:
    """Batch of two, a causal triangle and a mask that is an input; `padding`: 1 hides a key."""
    g = Graph()
    wide = g.node("Unsqueeze", "mask", g.constant([1, 2], np.int64))
    heads = g.node("Expand", wide, g.constant([BATCH, HEADS, 1, TOKENS], np.int64))
    seen = g.node("Cast", heads, to=TensorProto.BOOL)
    if padding:
        seen = g.node("Not", seen)
    triangle = g.constant(np.tri(TOKENS, dtype=bool)[None, None], np.bool_)
    bias = g.node("Where", g.node("And", seen, triangle), g.constant(0.0), g.constant(-np.inf))
    parts = [g.shaped(project(g, "x", HIDDEN), BATCH, TOKENS, HEADS, SIZE) for _ in range(3)]
    q, k, v = (g.node("Transpose", p, perm=[0, 2, 1, 3]) for p in parts)
    kt = g.node("Transpose", k, perm=[0, 1, 3, 2])
    scores = g.node("Add", g.node("MatMul", q, kt), bias)
    y = merged(g, g.node("MatMul", g.node("Softmax", scores, axis=-1), v))
    mask = helper.make_tensor_value_info("mask", TensorProto.INT64, (BATCH, TOKENS))
    return g.save(path, [*info(), mask], y)


@pytest.mark.parametrize("padding", [False, True])
def test_causal_mask_of_a_batch_on_the_cluster(tmp_path: Path, padding: bool) -> None:
    path = tmp_path / "m.onnx"
    model = causal(path, padding=padding)
    mask = np.ones((BATCH, TOKENS), np.int64)
    mask[0, 13:] = 0
    inputs = {"x": sample(), "mask": 1 - mask if padding else mask}
    ops = agree(path, model, inputs)
    assert (ops["attention"], ops["mask_to_bias"]) == (1, 1)
    identical(path, inputs)


def test_nothing_beside_something_is_left_out(tmp_path: Path) -> None:
    """Partial rotary positions of all columns: the part that passes is empty."""
    path = tmp_path / "m.onnx"
    g = Graph()
    cuts = [(0, 4), (4, 8)]
    parts = [g.node("Slice", "x", *(g.constant([n], np.int64) for n in (*cut, 2))) for cut in cuts]
    nothing = g.node("Neg", g.node("Slice", "x", *(g.constant([n], np.int64) for n in (8, 99, 2))))
    y = g.node("Concat", parts[1], nothing, parts[0], axis=-1)
    info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8))]
    proto = g.save(path, info, g.node("Relu", y))
    agree(path, proto, {"x": np.random.default_rng(0).standard_normal((1, 3, 8), np.float32)})
