"""GroupQueryAttention against its description, written out in NumPy query by query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.errors import UserError
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.reference import evaluate

HEADS, GROUPS, SIZE, PLACES = 4, 2, 8, 32
ANGLES = np.arange(PLACES)[:, None] * 0.6 ** np.arange(SIZE // 2)
COS, SIN = np.cos(ANGLES).astype(np.float32), np.sin(ANGLES).astype(np.float32)


def turned(x: Any, place: int, pairs: bool) -> Any:
    """A row [size] at its place."""
    one, two = (x[0::2], x[1::2]) if pairs else (x[: SIZE // 2], x[SIZE // 2 :])
    cos, sin = COS[place], SIN[place]
    parts = one * cos - two * sin, two * cos + one * sin
    return np.stack(parts, -1).ravel() if pairs else np.concatenate(parts)


def expected(v: dict[str, Any], lengths: Any, length: int, **a: Any) -> list[Any]:
    """Results [batch, queries, heads * size] and both caches."""
    batch, queries = v["q"].shape[:2]
    q, k, w = (v[n].reshape(batch, queries, -1, SIZE) for n in "qkv")
    out = np.zeros(q.shape)
    caches = [np.zeros((batch, GROUPS, length, SIZE)) for _ in range(2)]
    for b in range(batch):
        start = 0
        if "past_k" in v:
            start = max(0, int(lengths[b]) + 1 - queries)
            for cache, past in zip(caches, (v["past_k"], v["past_v"]), strict=True):
                cache[b, :, : past.shape[2]] = past[b]
        for i, h in np.ndindex(queries, GROUPS):
            row = k[b, i, h]
            caches[0][b, h, start + i] = (
                turned(row, start + i, a["rotary_interleaved"]) if a["do_rotary"] else row
            )
            caches[1][b, h, start + i] = w[b, i, h]
        for i, h in np.ndindex(queries, HEADS):
            row = q[b, i, h]
            row = turned(row, start + i, a["rotary_interleaved"]) if a["do_rotary"] else row
            seen = start + i + 1
            first = max(0, seen - a.get("local_window_size", seen))
            group = h // (HEADS // GROUPS)
            scores = caches[0][b, group, first:seen] @ row / SIZE**0.5
            cap = a["softcap"]
            scores = cap * np.tanh(scores / cap) if cap else scores
            p = np.exp(scores)
            total = p.sum() + a.get("smooth_softmax", 0)
            out[b, i, h] = p / total @ caches[1][b, group, first:seen]
    return [out.reshape(batch, queries, -1), *caches]


def model_of(
    path: Path, arrays: dict[str, Any], total: int, packed: bool, **attributes: Any
) -> Path:
    """A graph of the one node."""
    past = [n if n in arrays else "" for n in ("past_k", "past_v")]
    given = ["qkv", "", ""] if packed else ["q", "k", "v"]
    node = helper.make_node(
        "GroupQueryAttention",
        [*given, *past, "lengths", "total", "cos", "sin"],
        ["y", "present_k", "present_v"],
        domain="com.microsoft",
        num_heads=HEADS,
        kv_num_heads=GROUPS,
        **attributes,
    )
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in arrays.items()
    ]
    constants = [("total", np.array(total, np.int32)), ("cos", COS), ("sin", SIN)]
    graph = helper.make_graph(
        [node],
        "g",
        inputs,
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in node.output],
        [numpy_helper.from_array(a, n) for n, a in constants],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def arrays_of(batch: int, queries: int, before: int) -> dict[str, Any]:
    random = np.random.default_rng(4)

    def normal(*shape: int) -> Any:
        return random.standard_normal(shape).astype(np.float32)

    found = {"q": normal(batch, queries, HEADS * SIZE)}
    found |= {n: normal(batch, queries, GROUPS * SIZE) for n in "kv"}
    if before:
        found |= {n: normal(batch, GROUPS, before, SIZE) for n in ("past_k", "past_v")}
    return found


@pytest.mark.parametrize(
    ("queries", "before", "lengths", "total"),
    [
        (5, 0, [4, 2], 5),
        (1, 6, [6, 6], 7),  # a cache that grows
        (1, 9, [4, 8], 9),  # a buffer that stays
        (3, 9, [4, 8], 9),
        (4, 6, [3, 1], 6),  # prompts of two lengths into a buffer
    ],
)
@pytest.mark.parametrize(
    "attributes",
    [
        {"do_rotary": 0, "rotary_interleaved": 0, "softcap": 0.0},
        {"do_rotary": 1, "rotary_interleaved": 0, "softcap": 2.0},
        {"do_rotary": 1, "rotary_interleaved": 1, "softcap": 0.0},
        {"do_rotary": 0, "rotary_interleaved": 0, "softcap": 0.0, "local_window_size": 3},
        {"do_rotary": 1, "rotary_interleaved": 0, "softcap": 0.0, "smooth_softmax": 1},
    ],
)
def test_it_is_what_its_description_says(
    queries: int,
    before: int,
    lengths: list[int],
    total: int,
    attributes: dict[str, Any],
    tmp_path: Path,
) -> None:
    arrays = arrays_of(2, queries, before)
    wanted = expected(arrays, lengths, total, **attributes)
    packed = attributes["rotary_interleaved"] == 1
    if packed:
        arrays["qkv"] = np.concatenate([arrays.pop(n) for n in "qkv"], axis=2)
    arrays["lengths"] = np.array(lengths, np.int32)
    path = model_of(tmp_path / "m.onnx", arrays, total, packed, **attributes)
    model = import_onnx(path)
    found = evaluate(model.module, model.weights, arrays, arithmetic="float32")
    for array, name in zip(wanted, ("y", "present_k", "present_v"), strict=True):
        np.testing.assert_allclose(found[name], array, atol=2e-5)


def test_on_the_cluster(tmp_path: Path) -> None:
    arrays = arrays_of(1, 1, 9) | {"lengths": np.array([5], np.int32)}
    attributes = {"do_rotary": 1, "rotary_interleaved": 0, "softcap": 0.0}
    attributes |= {"local_window_size": 3, "smooth_softmax": 1}
    path = model_of(tmp_path / "m.onnx", arrays, 9, False, **attributes)
    program = Compilation.of(path).program()
    result = session.run(program, arrays)
    assert check(program, result, arrays).identical
    wanted = expected(arrays, [5], 9, **attributes)[0]
    found = np.asarray(result.outputs["y"], np.float32)
    assert np.abs(found - wanted).max() < 0.03 * np.abs(wanted).max()


@pytest.mark.parametrize("attribute", [{"qk_output": 1}, {"kv_cache_bit_width": 8}])
def test_what_it_does_not_do_is_refused(attribute: dict[str, Any], tmp_path: Path) -> None:
    arrays = arrays_of(1, 5, 0) | {"lengths": np.array([4], np.int32)}
    path = model_of(tmp_path / "m.onnx", arrays, 5, False, **attribute)
    with pytest.raises(UserError, match=next(iter(attribute))):
        import_onnx(path)


def test_a_sink_is_a_key_without_a_value(tmp_path: Path) -> None:
    arrays = arrays_of(1, 5, 0) | {"lengths": np.array([4], np.int32)}
    path = model_of(tmp_path / "m.onnx", arrays, 5, False)
    model = onnx.load(path)
    sinks = np.log([1.0, 2.0, 0.5, 3.0]).astype(np.float32)
    model.graph.node[0].input.extend(["", "", "sinks"])
    model.graph.initializer.append(numpy_helper.from_array(sinks, "sinks"))
    onnx.save(model, path)
    found = import_onnx(path)
    result = evaluate(found.module, found.weights, arrays, arithmetic="float32")["y"]
    plain = {"do_rotary": 0, "rotary_interleaved": 0, "softcap": 0.0}
    for head, sink in enumerate(np.exp(sinks)):
        wanted = expected(arrays, [4], 5, **plain, smooth_softmax=sink)[0]
        part = slice(head * SIZE, (head + 1) * SIZE)
        np.testing.assert_allclose(result[..., part], wanted[..., part], atol=2e-5)
