"""ONNX files that are valid and rare: compiled and right, or refused in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.tools.softex import main as softex

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
Inputs = dict[str, tuple[Any, Any]]
X: Inputs = {"x": (FLOAT, (4, 6))}


def node(kind: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def choice(condition: str) -> Any:
    branches: dict[str, Any] = {
        f"{name}_branch": helper.make_graph(
            [node(kind, "x", name)], name, [], [helper.make_tensor_value_info(name, FLOAT, None)]
        )
        for name, kind in (("then", "Relu"), ("else", "Neg"))
    }
    return node("If", condition, **branches)


RANDOM = np.random.default_rng(0)
CONSTANTS: dict[str, Any] = {
    "one": np.array([1.5], np.float32),
    "row": RANDOM.standard_normal(6).astype(np.float32),
    "rows": RANDOM.standard_normal((4, 6)).astype(np.float32),
    "deep": RANDOM.standard_normal((1, 1, 1, 6)).astype(np.float32),
    "w": RANDOM.standard_normal((6, 5)).astype(np.float32),
    "yes": np.array(True),
    "bytes": RANDOM.integers(-100, 100, (6, 5)).astype(np.int8),
    "step": np.array(0.01, np.float32),
    "words": np.array(["a", "b"], object),
    "zero": np.array(0, np.int64),
    "zeros": np.zeros(1, np.int64),
    "nan": np.full(5, np.nan, np.float32),
    "table": RANDOM.standard_normal((9, 5)).astype(np.float32),
}
WIDE = 20_480
Case = tuple[list[Any], Inputs, list[str], str]
CASES: dict[str, Case] = {
    "a number": ([node("Relu", "x")], {"x": (FLOAT, ())}, ["y"], ""),
    "an index of rank 0": (
        [node("Gather", "table i")],
        {"i": (INT64, ())},
        ["y"],
        "",
    ),
    "a condition of rank 0": (
        [node("Where", "mask x one")],
        {**X, "mask": (TensorProto.BOOL, ())},
        ["y"],
        "",
    ),
    "a row chosen by a number": ([node("Gather", "x zero")], X, ["y"], ""),
    "an output listed twice": ([node("Relu", "x")], X, ["y", "y"], ""),
    "an output under two names": (
        [node("Relu", "x"), node("Identity", "y", "z")],
        X,
        ["z", "y"],
        "",
    ),
    "a norm's statistics": (
        [node("LayerNormalization", "x row", "y mean deviation")],
        X,
        ["mean", "deviation", "y"],
        "",
    ),
    "a dropout's mask": ([node("Dropout", "x", "y mask")], X, ["y", "mask"], ""),
    "a norm's scale of one": ([node("LayerNormalization", "x one")], X, ["y"], ""),
    "a norm's scale of every row": ([node("LayerNormalization", "x rows")], X, ["y"], ""),
    "a norm without epsilon": (
        [node("LayerNormalization", "x row", epsilon=0.0)],
        X,
        ["y"],
        "",
    ),
    "a sum of no dimensions": ([node("ReduceSum", "x")], {"x": (FLOAT, ())}, ["y"], ""),
    "a bias of NaN that counts nothing": (
        [node("Gemm", "x w nan", beta=0.0)],
        X,
        ["y"],
        "",
    ),
    "an output of nothing": (
        [node("Relu", "x"), node("Slice", "y zeros zeros", "none")],
        X,
        ["y", "none"],
        "output 'none' has 0 elements",
    ),
    "a constant of more dimensions": ([node("Add", "x deep")], X, ["y"], ""),
    "names beyond ASCII": ([node("Relu", "größe", "結果")], {"größe": X["x"]}, ["結果"], ""),
    "a constant choice": ([choice("yes")], X, ["y"], ""),
    "a dead operator": ([node("Foo", "x", "dead"), node("Relu", "x")], X, ["y"], ""),
    "quantised weights": (
        [node("DequantizeLinear", "bytes step", "v"), node("MatMul", "x v")],
        X,
        ["y"],
        "",
    ),
    "a wide row": (
        [node("Mul", "x x", "a"), node("Tanh", "a")],
        {"x": (FLOAT, (2, WIDE))},
        ["y"],
        "",
    ),
    "an unknown rank": ([node("Foo", "x", "a")], {"x": (FLOAT, None)}, ["a"], "--shape x="),
    "what ONNX's reference lacks": (
        [node("Foo", "w", "v"), node("MatMul", "x v")],
        X,
        ["y"],
        "operator Foo",
    ),
    "a run-time choice": (
        [choice("c")],
        {**X, "c": (TensorProto.BOOL, ())},
        ["y"],
        "",
    ),
    "texts": ([node("StringConcat", "words words", "v")], X, ["v"], "type string"),
}


@pytest.mark.parametrize("name", CASES)
def test_rare_models(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes, inputs, outputs, message = CASES[name]
    used = {n for one in nodes for n in one.input}
    kinds = {"mask": TensorProto.BOOL, "v": TensorProto.STRING}
    graph = helper.make_graph(
        nodes,
        "rare",
        [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(n, kinds.get(n, FLOAT), None) for n in outputs],
        [numpy_helper.from_array(a, n) for n, a in CONSTANTS.items() if n in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    monkeypatch.chdir(tmp_path)
    onnx.save(model, "m.onnx")
    if message:
        assert message in " ".join(errors_of("compile m.onnx -o m.elf", 1, monkeypatch, capsys))
        return
    random = np.random.default_rng(1)
    arrays: dict[str, Any] = {
        n: np.asarray(random.standard_normal(shape), np.float32)
        if kind == FLOAT
        else np.array(3, helper.tensor_dtype_to_np_dtype(kind))
        for n, (kind, shape) in inputs.items()
    }
    np.savez("x.npz", **arrays)
    errors_of("compile m.onnx -o m.elf", 0, monkeypatch, capsys)
    errors_of("run m.elf --input x.npz --check --output o.npz", 0, monkeypatch, capsys)
    del graph.node[: -1 if name == "a dead operator" else 0]
    found = np.load("o.npz")
    known = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    for output, wanted in zip(outputs, ReferenceEvaluator(known).run(None, arrays), strict=True):
        array = found[output]
        array = array.view(ml_dtypes.bfloat16) if array.dtype.kind == "V" else array
        array = array.astype(np.float64)
        assert array.shape == np.shape(wanted)
        np.testing.assert_allclose(array, np.asarray(wanted, np.float64), rtol=0.02, atol=0.05)


def test_outputs_declared_otherwise(tmp_path: Path) -> None:
    """The program gives what the nodes compute, and it is said."""
    graph = helper.make_graph(
        [node("Relu", "x")],
        "rare",
        [helper.make_tensor_value_info("x", FLOAT, (4, 6))],
        [helper.make_tensor_value_info("y", INT64, (6, None))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    assert import_onnx(tmp_path / "m.onnx").notes == [
        "output 'y' is of type float32, where the file says int64",
        "output 'y' is of shape [4, 6], where the file says [6, ?]",
    ]


def errors_of(
    line: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> list[str]:
    """The words on stderr of a command, which ends with a status."""
    monkeypatch.setattr(sys, "argv", ["softex", *line.split()])
    with pytest.raises(SystemExit) as end:
        softex()
    errors = capsys.readouterr().err
    assert (end.value.code or 0) == status, errors
    assert "Traceback" not in errors
    return errors.split()
