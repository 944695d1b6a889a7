"""The self-check of a compilation must be able to fail, and says what is wrong first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_harness import HIDDEN, TOKENS, Graph

from softex_mlir.compiler.importers.onnx import graph, registry
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.transforms.transformer import fuse_attention, fuse_linear
from softex_mlir.dialects import transformer as t
from softex_mlir.front_door import compile_and_check
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import self_check
from softex_mlir.runtime.self_check import SelfCheckError, relative_error

SHAPE = (1, TOKENS, HIDDEN)
INPUT = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)


def save(path: Path, *, opset: int = 17, dtype: Any = np.float32, axis: int = -1) -> Path:
    """sigmoid(x w + b) - x, and a softmax."""
    g = Graph(opset=opset, dtype=dtype)
    y = g.node("Sigmoid", g.linear("x", HIDDEN, HIDDEN, "matmul"))
    y = g.node("Softmax", g.node("Sub", y, "x"), axis=axis)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    g.save(path, [helper.make_tensor_value_info("x", kind, SHAPE)], y)
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_right_model(tmp_path: Path, dtype: Any) -> None:
    _, line = compile_and_check(save(tmp_path / "m.onnx", dtype=dtype))
    assert line.startswith("self-check: import ")
    assert "of float32; in the hardware's arithmetic" in line
    assert "warning" not in line


def test_an_importer_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(state: Any, node: Any) -> list[Any]:
        lhs, rhs = node.inputs()
        return [state.emit(t.SubOp(state.operand(rhs), state.operand(lhs)))]

    monkeypatch.setitem(registry.OPERATORS, "Sub", (wrong, ""))
    with pytest.raises(SelfCheckError) as caught:
        compile_and_check(save(tmp_path / "m.onnx"))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'm.onnx'}: self-check: after import output 'y' differs")
    assert "the first value that differs is 'v3' (Sub)" in message
    assert "--no-self-check" in message


def test_an_importer_that_overlooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(state: Any, node: Any) -> list[Any]:
        node.attribute("axis")
        return [state.emit(t.SoftmaxOp(node.activation(0)))]

    monkeypatch.setitem(registry.OPERATORS, "Softmax", (wrong, ""))
    with pytest.raises(SelfCheckError, match=r"'y' \(Softmax\)"):
        compile_and_check(save(tmp_path / "m.onnx", axis=1))
    _, line = compile_and_check(save(tmp_path / "m.onnx", axis=1), self_check=False)
    assert line == "self-check: not asked for"


def test_a_fusion_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(t.LinearOp):
        def __init__(self, x: Any, w: Any, bias: Any = None, **rest: Any):
            super().__init__(x, w, None, **rest)

    monkeypatch.setattr(fuse_linear.t, "LinearOp", Wrong, raising=True)
    with pytest.raises(SelfCheckError, match="the first pass after which it does is fuse-linear"):
        compile_and_check(save(tmp_path / "m.onnx"))


def attention_over_parts_of_keys(path: Path) -> Path:
    """Softmax over each half of the keys: no attention, however much it looks like it."""
    g = Graph()
    heads = 2
    split = g.constant([1, TOKENS, heads, HIDDEN // heads], np.int64)
    q, k, v = (g.node("Reshape", g.linear("x", HIDDEN, HIDDEN, n), split) for n in "qkv")
    q, v = (g.node("Transpose", value, perm=[0, 2, 1, 3]) for value in (q, v))
    scores = g.node("MatMul", q, g.node("Transpose", k, perm=[0, 2, 3, 1]))
    halves = g.constant([1, heads, TOKENS, 2, TOKENS // 2], np.int64)
    shares = g.node("Softmax", g.node("Reshape", scores, halves), axis=-1)
    whole = g.constant([1, heads, TOKENS, TOKENS], np.int64)
    found = g.node("MatMul", g.node("Reshape", shares, whole), v)
    found = g.node("Transpose", found, perm=[0, 2, 1, 3])
    joined = g.constant([1, TOKENS, HIDDEN], np.int64)
    g.save(path, [INPUT], g.linear(g.node("Reshape", found, joined), HIDDEN, HIDDEN, "out"))
    return path


def an_attribute(path: Path) -> Path:
    g = Graph()
    y = g.node("Gemm", "x", g.weight(HIDDEN, HIDDEN), g.weight(HIDDEN), beta=3.0)
    g.save(path, [helper.make_tensor_value_info("x", TensorProto.FLOAT, (TOKENS, HIDDEN))], y)
    return path


def a_reversal(path: Path) -> Path:
    g = Graph()
    ends = (g.constant([n], np.int64) for n in (-1, -(1 << 40), 1, -1))
    g.save(path, [INPUT], g.node("Slice", g.node("Relu", "x"), *ends))
    return path


def numbers_that_are_no_positions(path: Path) -> Path:
    g = Graph()
    where = g.node("Add", "ids", g.constant(2, np.int64))
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, (1, 1))
    g.save(path, [ids], g.node("Gather", g.weight(40, HIDDEN), where))
    return path


def nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Node.attribute

    def overlooks(self: Node, name: str, default: Any = None) -> Any:
        found = read(self, name, default)
        return default if name == "beta" else found

    monkeypatch.setattr(Node, "attribute", overlooks)


def vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    def slices(state: Any, node: Any) -> list[Any]:
        return [node.inputs()[0]]

    monkeypatch.setitem(registry.OPERATORS, "Slice", (slices, ""))


def looks_through_any_reshape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuse_attention, "keeps_rows", lambda op: True)


def probes_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "shift_of", lambda symbolic, shape, rows: None)
    # id 1 is at 3 and 0 at 2: what ids count that are not 0
    monkeypatch.setattr(graph, "positions", lambda symbolic, shape: (0, 2, 2))


MUTATIONS = {
    "an attribute that nobody reads": (an_attribute, nobody_reads),
    "a reversal that vanishes": (a_reversal, vanishes),
    "a fusion that looks through any reshape": (
        attention_over_parts_of_keys,
        looks_through_any_reshape,
    ),
    "a probe that cannot fail": (numbers_that_are_no_positions, probes_too_little),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutations_are_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is right passes; the compiler with one fault is caught."""
    model, breaks = MUTATIONS[name]
    path = model(tmp_path / "m.onnx")
    _, line = compile_and_check(path)
    assert line.startswith("self-check: import ")
    breaks(monkeypatch)
    with pytest.raises(SelfCheckError, match=r"self-check: after (import|fusion) output"):
        compile_and_check(path)


def test_float32_itself_may_be_coarse(tmp_path: Path) -> None:
    """The reference loses digits by -300000, fused attention does so elsewhere."""
    g = Graph()
    shape = (1, TOKENS, HIDDEN)
    scores = g.node("MatMul", "x", g.node("Transpose", "x", perm=[0, 2, 1]))
    scores = g.node(
        "Add", g.node("Mul", scores, g.constant(np.float32(0.03))), g.constant(np.float32(-3e5))
    )
    y = g.node("MatMul", g.node("Softmax", scores, axis=-1), "x")
    g.save(tmp_path / "m.onnx", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], y)
    line = compile_and_check(tmp_path / "m.onnx")[1]
    assert float(line.split("fusion ")[1].split()[0]) > self_check.TOLERANCE


def test_large_models_are_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "MOST_MACS", 1000)
    path = save(tmp_path / "m.onnx")
    assert "not run: 0.0 GMACs are more than 0 (--self-check runs it)" in compile_and_check(path)[1]
    assert "of float32" in compile_and_check(path, self_check=True)[1]
    assert "not asked for" in compile_and_check(path, self_check=False)[1]


def test_what_nobody_can_evaluate(tmp_path: Path) -> None:
    _, line = compile_and_check(save(tmp_path / "m.onnx", opset=11, axis=0))
    assert "not verified: ONNX's reference implementation overlooks how Softmax reads its" in line


def test_inputs_of_all_kinds(tmp_path: Path) -> None:
    g = Graph()
    rows = g.node("Gather", g.weight(9, HIDDEN, scale=1.0), "ids", axis=0)
    y = g.node("Add", rows, g.node("Cast", "image", to=TensorProto.FLOAT))
    info = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, (1, TOKENS)),
        helper.make_tensor_value_info("image", TensorProto.UINT8, SHAPE),
    ]
    g.save(tmp_path / "m.onnx", info, y)
    assert "import 0.0e+00, fusion 0.0e+00 of float32" in compile_and_check(tmp_path / "m.onnx")[1]


def test_built_in_models_are_compared_with_themselves() -> None:
    _, line = compile_and_check("demo-bert", Machine.load("paper"))
    assert line.startswith("self-check: fusion 0.0e+00 of float32")


def test_relative_error() -> None:
    a = np.array([1.0, np.inf, np.nan, -4.0])
    assert relative_error(a, a) == 0
    assert relative_error(np.array([1.5, np.inf, np.nan, -4.0]), a) == 0.125
    assert relative_error(np.array([1.0, np.inf, 0.0, -4.0]), a) == np.inf
    assert relative_error(np.array([1.0, -np.inf, np.nan, -4.0]), a) == np.inf
    assert relative_error(np.array([1.0]), np.array(1.0)) == np.inf
    assert relative_error(np.array([np.nan]), np.array([1.0])) == np.inf


def test_casts_of_negative_numbers_to_unsigned_are_no_fault(tmp_path: Path) -> None:
    """ONNX leaves open what they give; the reference is asked for what the program does."""
    g = Graph()
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (4, 8))
    y = g.node("Cast", g.node("Cast", "x", to=TensorProto.UINT8), to=TensorProto.FLOAT)
    g.save(tmp_path / "m.onnx", [x], y)
    assert "import 0.0e+00" in compile_and_check(tmp_path / "m.onnx")[1]
