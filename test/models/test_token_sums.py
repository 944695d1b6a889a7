"""Sums over tokens: numbers of one sign, which BF16 alone would stop adding at 256 times one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sampling import matrix

import softex_mlir
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.transforms.transformer.split_values import lost_of_equal
from softex_mlir.dialects import transformer as t
from softex_mlir.runtime.reference import evaluate

FLOAT = TensorProto.FLOAT
Graph = tuple[list[Any], dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]


def node(kind: str, inputs: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), ["y"], **attributes)


def graph_of(kind: str, tokens: int, columns: int) -> Graph:
    """Nodes, inputs and constants."""
    x = {"x": (2, tokens, columns)}
    return {
        "pooled": ([node("MatMul", "w x")], {**x, "w": (2, 1, tokens)}, {}),
        "pooled by constants": ([node("MatMul", "w x")], x, {"w": (3, tokens)}),
        "einsum": ([node("Einsum", "x w", equation="btd,bt->bd")], {**x, "w": (2, tokens)}, {}),
        "keys by values": (
            [node("Einsum", "x w", equation="btd,bte->bde")],
            {**x, "w": (2, tokens, 8)},
            {},
        ),
        "a layer": ([node("MatMul", "x w")], {"x": (3, tokens)}, {"w": (tokens, columns)}),
        "a layer with a bias": (
            [node("Gemm", "x w b")],
            {"x": (3, tokens)},
            {"w": (tokens, columns), "b": (columns,)},
        ),
        "a layer with ReLU": (
            [
                helper.make_node("Gemm", ["x", "w", "b"], ["h"]),
                helper.make_node("Relu", ["h"], ["y"]),
            ],
            {"x": (3, tokens)},
            {"w": (tokens, columns), "b": (columns,)},
        ),
        "a mean": ([node("ReduceMean", "x", axes=[1])], x, {}),
        "a sum": ([node("ReduceL1", "x", axes=[1])], x, {}),
    }[kind]


KINDS = (
    *("pooled", "pooled by constants", "einsum", "keys by values", "a layer"),
    *("a layer with a bias", "a layer with ReLU", "a mean", "a sum"),
)
CASES = [
    (kind, tokens, columns, equal)
    for kind in KINDS
    for tokens in (129, 197, 300, 577, 1200, 4096)
    for columns in (8, 160)
    for equal in (False, True)
]


@matrix("kind, tokens, columns, equal", CASES, short=40)
def test_sums_do_not_stand_still(
    kind: str, tokens: int, columns: int, equal: bool, tmp_path: Path
) -> None:
    nodes, inputs, constants = graph_of(kind, tokens, columns)
    random = np.random.default_rng(tokens + columns)

    def array(shape: tuple[int, ...]) -> np.ndarray:
        found = np.full(shape, 0.7) if equal else random.uniform(0, 1, shape)
        return found.astype(np.float32)

    arrays = {name: array(shape) for name, shape in inputs.items()}
    tensors = [numpy_helper.from_array(array(s), n) for n, s in constants.items()]
    infos = [helper.make_tensor_value_info(n, FLOAT, s) for n, s in inputs.items()]
    result = [helper.make_tensor_value_info("y", FLOAT, None)]
    graph = helper.make_graph(nodes, "sums", infos, result, tensors)
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    reference: Any = ReferenceEvaluator(str(path))
    wanted = np.asarray(reference.run(None, arrays)[0])
    model = Compilation.of(path).model
    found = np.asarray(evaluate(model.module, model.weights, arrays)["y"], np.float64)
    on_redmule = any(isinstance(op, t.MatmulOp | t.LinearOp) for op in model.module.walk())
    np.testing.assert_allclose(found, wanted, rtol=0.02 if on_redmule else 0.01)


@pytest.mark.parametrize("columns", [8, 160])
def test_programs_sum_so(columns: int, tmp_path: Path) -> None:
    """On the cores, and by parts on RedMulE."""
    nodes, inputs, constants = graph_of(
        "keys by values" if columns > 8 else "a layer with ReLU", 577, columns
    )
    infos = [helper.make_tensor_value_info(n, FLOAT, s) for n, s in inputs.items()]
    result = [helper.make_tensor_value_info("y", FLOAT, None)]
    path = tmp_path / "m.onnx"
    tensors = [numpy_helper.from_array(np.ones(s, np.float32), n) for n, s in constants.items()]
    graph = helper.make_graph(nodes, "sums", infos, result, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    random = np.random.default_rng(0)
    arrays = {n: random.uniform(0, 1, s).astype(np.float32) for n, s in inputs.items()}
    model = Compilation.of(path).model
    wanted = np.asarray(evaluate(model.module, model.weights, arrays)["y"])
    found = softex_mlir.compile(path).run(arrays).outputs["y"]
    np.testing.assert_array_equal(np.asarray(found).view(np.uint16), wanted.view(np.uint16))


@pytest.mark.parametrize(
    ("keys", "accuracy", "note"),
    [(64, "fast", ""), (197, "fast", "19% too small; --accuracy high adds 64"), (197, "high", "")],
)
def test_even_attention_in_one_chain_is_said(
    keys: int, accuracy: str, note: str, tmp_path: Path
) -> None:
    """And what is said is what it loses."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["k"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "k"], ["s"]),
        helper.make_node("Softmax", ["s"], ["p"]),
        helper.make_node("MatMul", ["p", "v"], ["y"]),
    ]
    infos = [helper.make_tensor_value_info(n, FLOAT, (1, keys, 64)) for n in "xv"]
    result = [helper.make_tensor_value_info("y", FLOAT, None)]
    graph = helper.make_graph(nodes, "attention", infos, result)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx"
    )
    model = Compilation.of(tmp_path / "m.onnx", accuracy=accuracy).model
    assert note in " ".join(model.notes)
    assert bool(model.notes) == bool(note)
    values = np.linspace(1, 2, 64, endpoint=False, dtype=np.float32)
    arrays = {"x": np.zeros((1, keys, 64)), "v": np.broadcast_to(values, (1, keys, 64))}
    found = np.asarray(evaluate(model.module, model.weights, arrays)["y"], np.float64)
    lost = (1 - found / values).max()
    assert lost < (lost_of_equal(keys) + 0.01 if note else 0.07)
