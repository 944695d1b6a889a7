"""What the importer says about files it cannot import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from softex_mlir.compiler.importers.onnx import import_onnx, supported_operators
from softex_mlir.compiler.importers.onnx_values import OnnxError


def save(
    path: Path,
    nodes: Sequence[Any],
    *,
    shape: Sequence[int | str] = (4, 64),
    dtype: int = TensorProto.FLOAT,
    output: str = "y",
    initializers: Sequence[Any] = (),
) -> Path:
    """Write a model with the input x."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        list(initializers),
    )
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def failure(path: Path, **options: Any) -> str:
    """The message of a failing import; it begins with the file."""
    with pytest.raises(OnnxError) as caught:
        import_onnx(path, **options)
    assert caught.value.file == str(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message


def test_missing_file(tmp_path: Path) -> None:
    assert "No such file" in failure(tmp_path / "absent.onnx")


@pytest.mark.parametrize("content", [b"", b"hello, this is no model\n", b"\x7fELF" + bytes(60)])
def test_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert "not an ONNX model, or the file is truncated" in failure(path)


def test_truncated_everywhere(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    whole = save(
        tmp_path / "whole.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        initializers=[weights],
    ).read_bytes()
    path = tmp_path / "m.onnx"
    for size in (1, 10, 100, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        path.write_bytes(whole[:size])
        failure(path)


def test_all_unsupported_operators_at_once(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mish", ["x"], ["a"], name="first_mish"),
        helper.make_node("Mish", ["a"], ["b"], name="second_mish"),
        helper.make_node("Fancy", ["b"], ["c"], name="fancy", domain="com.example"),
        helper.make_node("LSTM", ["c", "c", "c"], ["y"], name="lstm", hidden_size=4),
    ]
    message = failure(save(tmp_path / "m.onnx", nodes))
    assert "4 nodes not supported" in message
    assert "operator Mish (2x, first at 'first_mish')" in message
    assert "operator com.example.Fancy (1x, first at 'fancy')" in message
    assert "operator LSTM (1x, first at 'lstm')" in message


def test_dynamic_shape_names_the_option(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], shape=("batch", "tokens", 64)
    )
    message = failure(path)
    assert "input 'x' has shape [batch, tokens, 64]" in message
    assert "--shape x=1,1,64" in message
    assert import_onnx(path, {"x": (1, 197, 64)}).inputs[0].shape == (1, 197, 64)


def test_shape_that_does_not_fit(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    assert "which (4, 65) does not fit" in failure(path, shapes={"x": (4, 65)})
    assert "no input 'z'; the model's inputs are x" in failure(path, shapes={"z": (4, 65)})


def test_unsupported_dtype(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx", [helper.make_node("Identity", ["x"], ["y"])], dtype=TensorProto.STRING
    )
    assert "input 'x' has type string" in failure(path)


def test_unsupported_use_of_an_operator(tmp_path: Path) -> None:
    nodes = [helper.make_node("Softmax", ["x"], ["y"], name="columns", axis=0)]
    message = failure(save(tmp_path / "m.onnx", nodes))
    assert "softmax over dimension 0 of 2" in message
    assert "'columns'" in message


def test_external_data_missing(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        initializers=[weights],
    )
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="data.bin", size_threshold=0)
    assert import_onnx(path).weights.bytes > 0 or import_onnx(path).module is not None
    (tmp_path / "data.bin").unlink()
    assert "external data cannot be read" in failure(path)


def test_supported_operators_is_a_list_with_notes() -> None:
    operators = supported_operators()
    assert "MatMul" in operators
    assert "last dimension" in operators["Softmax"]
