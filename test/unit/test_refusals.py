"""What programs read where something is refused, at whatever stage: one form, by its schema."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import softex_mlir.runtime
from softex_mlir.tools.softex import main as softex

SCHEMA = json.loads(
    (Path(softex_mlir.runtime.__file__ or "").parent / "schema" / "error.schema.json").read_text()
)
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
WIDE = 1 << 20


def node(kind: str, operands: str, result: str, **attributes: Any) -> Any:
    return helper.make_node(kind, operands.split(), [result], name=f"the {kind}", **attributes)


def save(path: Path, nodes: list[Any], kind: int = FLOAT, shape: Any = (4, 6)) -> None:
    tensors = {
        "c": np.array([1 << 30]),
        "two": np.array([2]),
        "w": np.ones((6, 8), np.float32),
        "far": np.array([9]),
        "wide": np.ones((shape or (1,))[-1], np.float32),
    }
    used = {name for n in nodes for name in n.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(array, n) for n, array in tensors.items() if n in used],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


MODELS: dict[str, tuple[list[Any], int, Any]] = {
    "foo": ([node("Foo", "x", "y")], FLOAT, (4, 6)),
    "far": ([node("Gather", "x far", "y")], FLOAT, (4, 6)),
    "power": ([node("Pow", "x two", "y")], INT64, (4,)),
    "late": ([node("Pow", "x two", "z"), node("Add", "z c", "y")], INT64, (4,)),
    "sum": ([node("Add", "x c", "z"), node("Add", "z c", "y")], INT64, (4,)),
    "open": ([node("Relu", "x", "y")], FLOAT, ("n", 6)),
    "wide": ([node("LayerNormalization", "x wide", "y")], FLOAT, (2, WIDE)),
    "relu": ([node("Relu", "x", "y")], FLOAT, (4, 6)),
    "linear": ([node("MatMul", "x w", "y")], FLOAT, (4, 6)),
}
ONNX = "compile {}.onnx -o p.elf --json"
CASES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "no file": (ONNX.format("missing"), [("", "")]),
    "an operator nobody knows": (ONNX.format("foo"), [("the Foo", "Foo")]),
    "an index out of range": (ONNX.format("far"), [("the Gather", "Gather")]),
    "a node found late": (ONNX.format("power"), [("the Pow", "Pow")]),
    "one behind another, found late": (ONNX.format("late"), [("the Pow", "Pow")]),
    "integers that do not fit": (ONNX.format("sum"), [("the Add", "Add")]),
    "an input without a size": (ONNX.format("open"), [("x", "")]),
    "a row that does not fit": (ONNX.format("wide"), [("the LayerNormalization", "*")]),
    "a machine that is too small": (
        "compile linear.onnx -o p.elf --tcdm-bytes 4608 --json",
        [("the MatMul", "*")],
    ),
    "tiles of no layer": ("compile linear.onnx -o p.elf --tiles tiles.toml --json", [("", "")]),
    "an estimate": ("estimate foo.onnx --json", [("the Foo", "Foo")]),
    "a run without its input": ("run relu.onnx --input other.npz --json", [("", "")]),
    "no program": ("inspect text.elf --json", [("", "")]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("refusals")
    for name, (nodes, kind, shape) in MODELS.items():
        save(where / f"{name}.onnx", nodes, kind, shape)
    np.savez(where / "other.npz", other=np.ones(3, np.float32))
    (where / "tiles.toml").write_text('["nosuch"]\nm = 96\n')
    (where / "text.elf").write_text("no program")
    return where


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_is_json(
    name: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command, about = CASES[name]
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["softex", *command.split()])
    with pytest.raises(SystemExit) as end:
        softex()
    out, err = capsys.readouterr()
    assert end.value.code == 1
    found = json.loads(out)
    jsonschema.validate(found, SCHEMA)
    refusals = found["error"]["refusals"]
    assert [r["node"] for r in refusals] == [node for node, _ in about]
    for refusal, (_, operator) in zip(refusals, about, strict=True):
        assert operator == "*" or refusal["operator"] == operator
        assert refusal["reason"] in found["error"]["message"]
        assert refusal["remedy"] in found["error"]["message"] or operator == "*"
    assert found["error"]["message"] in err
