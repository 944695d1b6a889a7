"""Attention masks of every form: constant, numbers, booleans and integers at run time; rows that
see no key get what the source gives them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_harness import Graph
from sampling import matrix

from softex_mlir.compiler.driver import Compilation
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.reference import evaluate

BATCH, HEADS, QUERIES, KEYS, SIZE = 2, 2, 24, 24, 16
LOWEST = float(np.finfo(np.float32).min)
SHAPES = {
    "keys": (KEYS,),
    "query": (QUERIES, KEYS),
    "one": (1, 1, QUERIES, KEYS),
    "padding": (BATCH, 1, 1, KEYS),
    "own": (BATCH, 1, QUERIES, KEYS),
    "head": (BATCH, HEADS, QUERIES, KEYS),
}
FILLS = {"inf": -np.inf, "lowest": LOWEST, "-1e9": -1e9, "-1e4": -1e4}
FORMS = (
    *("constant", "number", "where", "where bias", "constant where", "held", "integer"),
    *("beside a constant", "behind a constant"),
)


def hidden(shape: tuple[int, ...]) -> Any:
    """Which keys are hidden: the first 17 of some rows, some at random, all of one row."""
    random = np.random.default_rng(5)
    mask = random.random(shape) < 0.3
    rows = mask.reshape(-1, KEYS)
    rows[0, :17], rows[0, 17:] = True, False
    rows[-1, :20], rows[-1, 20:] = True, False
    if len(rows) > 2:
        rows[1] = True
        rows[2] = False
    return mask


def graph(
    form: str, shape: tuple[int, ...], fill: float, guarded: bool
) -> tuple[Graph, str, list[Any], dict[str, Any]]:
    """Attention with a mask, its inputs' types and their values."""
    g = Graph()
    random = np.random.default_rng(1)
    width = HEADS * SIZE
    x = random.standard_normal((BATCH, KEYS, width)).astype(np.float32)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    values: dict[str, Any] = {"x": x}

    def heads(order: list[int]) -> str:
        y = g.node("MatMul", "x", g.weight(width, width, scale=0.3))
        return g.node("Transpose", g.shaped(y, BATCH, KEYS, HEADS, SIZE), perm=order)

    q, k, v = heads([0, 2, 1, 3]), heads([0, 2, 3, 1]), heads([0, 2, 1, 3])
    scores = g.node("Mul", g.node("MatMul", q, k), g.constant(np.float32(0.25)))
    masked = hidden(shape)
    filled = g.constant(np.float32(fill))
    zero = g.constant(np.float32(0))

    def given(array: Any) -> None:
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        inputs.append(helper.make_tensor_value_info("m", kind, array.shape))
        values["m"] = array

    bias = np.where(masked, np.float32(fill), np.float32(0))
    match form:
        case "constant":
            scores = g.node("Add", scores, g.constant(bias))
        case "number":
            given(bias)
            scores = g.node("Add", scores, "m")
        case "held":
            given(bias)
            scores = g.node("Max", g.node("Add", scores, "m"), g.constant(np.float32(LOWEST)))
        case "where":
            given(~masked)
            scores = g.node("Where", "m", scores, filled)
        case "where bias":
            given(masked)
            scores = g.node("Add", scores, g.node("Where", "m", filled, zero))
        case "constant where":
            scores = g.node("Where", g.constant(masked, np.bool_), filled, scores)
        case "beside a constant" | "behind a constant":
            # Causal; some queries see no key by both.
            later = np.triu(np.ones((QUERIES, KEYS), np.bool_), 1)
            if form == "beside a constant":
                bias = np.where(later, np.float32(fill), np.float32(0))
                scores = g.node("Add", scores, g.constant(bias))
            else:
                scores = g.node("Where", g.constant(later, np.bool_), filled, scores)
            given(masked)
            scores = g.node("Add", scores, g.node("Where", "m", filled, zero))
        case _:
            given((~masked).astype(np.int64))
            one_minus = g.node("Sub", g.constant(np.float32(1)), g.node("Cast", "m", to=1))
            scores = g.node("Add", scores, g.node("Mul", one_minus, filled))
    p = g.node("Softmax", scores, axis=-1)
    if guarded:
        p = g.node("Where", g.node("IsNaN", p), zero, p)
    out = g.node("Transpose", g.node("MatMul", p, v), perm=[0, 2, 1, 3])
    return g, g.shaped(out, BATCH, QUERIES, width), inputs, values


CASES = [
    case
    for case in product(FORMS, SHAPES, FILLS, (True, False))
    # 0 * -inf is NaN: nobody writes it. Scores that a Max holds or a Where replaces are numbers in
    # BF16: -1e4 over a whole row leaves nothing of them, and attention to its keys is even.
    if (case[0], case[2])
    not in (("integer", "inf"), ("held", "-1e4"), ("behind a constant", "-1e4"))
    # Of two masks that differ between heads, each is relative to its own rows.
    and (case[1] != "head" or "a constant" not in case[0])
]


@matrix("form, shape, fill, guarded", CASES, 24)
def test_mask(form: str, shape: str, fill: str, guarded: bool, tmp_path: Path) -> None:
    g, y, inputs, values = graph(form, SHAPES[shape], FILLS[fill], guarded)
    proto = g.save(tmp_path / "m.onnx", inputs, y)
    with np.errstate(all="ignore"):
        expected = np.asarray(next(iter(ReferenceEvaluator(proto).run(None, values))))
    program = Compilation.of(tmp_path / "m.onnx", Machine.load("paper")).program()
    result = session.run(program, values)
    assert check(program, result, values).identical
    (found,) = (np.asarray(a, np.float32) for a in result.outputs.values())
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(found), finite)
    error = np.abs(found - expected)[finite].max()
    assert error <= 0.06 * np.abs(expected[finite]).max()


def test_lowest_float_of_pairs(tmp_path: Path) -> None:
    """DeBERTa's mask: pairs of visible tokens; padded queries attend to all keys evenly."""
    tokens = 24
    g = Graph()
    rows = g.node("Unsqueeze", "m", g.constant([1, 3], np.int64))
    columns = g.node("Unsqueeze", "m", g.constant([1, 2], np.int64))
    hidden = g.node("Not", g.node("Cast", g.node("Mul", rows, columns), to=TensorProto.BOOL))
    lowest = g.constant(np.finfo(np.float32).min)
    y = g.node("Softmax", g.node("Where", hidden, lowest, "x"), axis=-1)
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 2, tokens, tokens)),
        helper.make_tensor_value_info("m", TensorProto.INT64, (1, tokens)),
    ]
    proto = g.save(tmp_path / "m.onnx", inputs, y)
    x = np.random.default_rng(2).standard_normal((1, 2, tokens, tokens)).astype(np.float32)
    values = {"x": x, "m": (np.arange(tokens) >= 18).astype(np.int64)[None]}
    expected = np.asarray(next(iter(ReferenceEvaluator(proto).run(None, values))))
    program = Compilation.of(tmp_path / "m.onnx", Machine.load("paper")).program()
    result = session.run(program, values)
    assert check(program, result, values).identical
    (found,) = (np.asarray(a, np.float32) for a in result.outputs.values())
    assert np.abs(found - expected).max() <= 0.02


@pytest.mark.parametrize(
    ("shape", "product"), [((6, 1), True), ((2, 6, 1), True), ((2, 1, 1), False), ((6, 1), False)]
)
def test_numbers_that_all_keys_of_a_row_have_alike(
    shape: tuple[int, ...], product: bool, tmp_path: Path
) -> None:
    """They change no softmax, however large: nothing of the scores would be left in BF16."""
    g = Graph()
    rows = np.array([-2e4, 3, 0, 40, -900, 5e4], np.float32)
    bias = np.resize(rows, shape)
    random = np.random.default_rng(2)
    values = {"x": random.standard_normal((2, 6, 20)).astype(np.float32), "b": bias}
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
        for name, array in values.items()
    ]
    scores = g.node("MatMul", "x", g.weight(20, 20, scale=0.3)) if product else "x"
    y = g.node("Softmax", g.node("Add", scores, "b"), axis=-1)
    proto = g.save(tmp_path / "m.onnx", inputs, y)
    expected = np.asarray(next(iter(ReferenceEvaluator(proto).run(None, values))))
    program = Compilation.of(tmp_path / "m.onnx", Machine.load("paper")).program()
    result = session.run(program, values)
    assert check(program, result, values).identical
    (found,) = (np.asarray(a, np.float32) for a in result.outputs.values())
    assert np.abs(found - expected).max() <= 0.02


@pytest.mark.parametrize("number", [-1e4, -3e38])
@pytest.mark.parametrize("form", ["added", "replaced before", "replaced behind"])
def test_two_masks_by_head_hide_what_both_hide(form: str, number: float, tmp_path: Path) -> None:
    """Queries of which each key is hidden by one or the other get what the source gives them."""
    node = helper.make_node
    choice = node("Where", ["mask", "s" if form != "replaced behind" else "a", "low"], ["b"])
    second = "s" if form == "replaced behind" else "b"
    sum_ = node("Add", [second, "bias"], ["a" if form == "replaced behind" else "c"])
    middle = {
        "added": [node("Add", ["s", "other"], ["b"]), sum_],
        "replaced before": [choice, sum_],
    }
    nodes = [
        node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        node("MatMul", ["q", "kt"], ["s"]),
        *middle.get(form, [sum_, choice]),
        node("Softmax", ["b" if form == "replaced behind" else "c"], ["p"]),
        node("MatMul", ["p", "v"], ["y"]),
    ]
    random = np.random.default_rng(3)
    heads = (1, 2, 16, 16)
    arrays: dict[str, Any] = {
        n: random.standard_normal(heads).astype(np.float32).round(2) for n in "qkv"
    }
    arrays = {n: a.astype(ml_dtypes.bfloat16).astype(np.float32) for n, a in arrays.items()}
    seen = np.ones(heads, np.bool_)
    seen[0, 0, :, 8:] = False
    low = float(np.float32(number).astype(ml_dtypes.bfloat16))
    arrays["bias"] = np.where(seen[..., ::-1], 0, low).astype(np.float32)
    if form == "added":
        arrays["other"] = np.where(seen, 0, low).astype(np.float32)
    else:
        arrays["mask"] = seen
    kinds = {n: TensorProto.BOOL if n == "mask" else TensorProto.FLOAT for n in arrays}
    graph = helper.make_graph(
        nodes,
        "masks",
        [helper.make_tensor_value_info(n, kinds[n], a.shape) for n, a in arrays.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(number, np.float32), "low")],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    reference: Any = ReferenceEvaluator(str(path))
    wanted = reference.run(None, arrays)[0]
    compilation = Compilation.of(path)
    model = compilation.model
    bits = np.asarray(evaluate(model.module, model.weights, arrays)["y"])
    assert np.abs(bits.astype(np.float32) - wanted).max() < 0.05 * np.abs(wanted).max()
    if form == "added":
        result = compilation.program().run(arrays).outputs["y"]
        np.testing.assert_array_equal(result.view(np.uint16), bits.view(np.uint16))
