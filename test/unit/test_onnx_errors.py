"""What the importer says about files it cannot import."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.importers.onnx.importer import import_onnx, supported_operators
from softex_mlir.compiler.importers.onnx.support import REFUSED, operator_support
from softex_mlir.compiler.importers.onnx.values import OnnxError
from softex_mlir.errors import UserError


def save(
    path: Path,
    nodes: Sequence[Any],
    *,
    shape: Sequence[int | str] = (4, 64),
    dtype: int = TensorProto.FLOAT,
    output: str = "y",
    initializers: Sequence[Any] = (),
    opset: int = 17,
) -> Path:
    """Write a model with the input x."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        list(initializers),
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
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
        helper.make_node("Det", ["x"], ["a"], name="first_det"),
        helper.make_node("Det", ["a"], ["b"], name="second_det"),
        helper.make_node("Fancy", ["b"], ["c"], name="fancy", domain="com.example"),
        helper.make_node("NonZero", ["c"], ["y"], name="places"),
    ]
    message = failure(save(tmp_path / "m.onnx", nodes))
    assert "4 nodes cannot be imported" in message
    assert "operator Det is not supported; nothing it could be made of is there yet" in message
    assert "(2x: first_det, second_det)" in message
    assert "operator com.example.Fancy is not supported; nothing" in message
    assert "operator NonZero is not supported; the shape of its result depends" in message


def test_dynamic_shape_names_the_option(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], shape=("batch", "tokens", 64)
    )
    message = failure(path)
    assert "input 'x' has shape [batch, tokens, 64]" in message
    assert "--shape x=1,1,64 or --dim batch=1 --dim tokens=1" in message
    assert import_onnx(path, {"x": (1, 197, 64)}).inputs[0].shape == (1, 197, 64)


def test_dimensions_by_their_names(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], shape=("batch", "tokens", 64)
    )
    model = import_onnx(path, {"batch": (2,), "tokens": (197,)})
    assert model.inputs[0].shape == (2, 197, 64)
    assert "[2, tokens, 64]" in failure(path, shapes={"batch": (2,)})
    assert "no input 'b'" in failure(path, shapes={"b": (2,)})
    assert "its open dimensions batch, tokens" in failure(path, shapes={"b": (2,)})
    assert "'batch' is a dimension" in failure(path, shapes={"batch": (2, 3)})


def test_shape_that_does_not_fit(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    for shape in ((4, 65), (4,), (4, -64)):
        text = ", ".join(map(str, shape))
        assert f"has shape [4, 64]: [{text}] does not fit" in failure(path, shapes={"x": shape})
    assert "no input 'z'; the model's inputs are x" in failure(path, shapes={"z": (4, 65)})


def test_shape_that_no_memory_holds(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], shape=("n", 64))
    message = failure(path, shapes={"x": (99_999_999_999, 64)})
    assert "has 6399999999936 elements; expected 1 to 268435456" in message


@pytest.mark.parametrize("channels", [4, 3])
def test_padding_that_no_memory_holds(tmp_path: Path, channels: int) -> None:
    """It would be a constant of 16 TiB, whichever way it is multiplied."""
    weights = numpy_helper.from_array(np.ones((channels, 4, 3), np.float32), "w")
    strides = [1 << (30 if channels == 4 else 62)]
    conv = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1 << 40] * 2, strides=strides)
    ports = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", [1, 4, 32]), ("y", None))]
    graph = helper.make_graph([conv], "g", ports[:1], ports[1:], [weights])
    path = tmp_path / "m.onnx"
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    with pytest.raises(OnnxError, match=r"32 bits address|more memory than there is"):
        import_onnx(path)


def test_unsupported_dtype(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx", [helper.make_node("Identity", ["x"], ["y"])], dtype=TensorProto.STRING
    )
    assert "input 'x' has type string" in failure(path)


def test_unsupported_use_of_an_operator(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], name="small", to=TensorProto.FLOAT8E4M3FN)]
    message = failure(save(tmp_path / "m.onnx", nodes, opset=24))
    assert "output 'y' is of type float8e4m3fn" in message


def peak_bytes() -> int:
    """Most bytes that this process has held so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def external(tmp_path: Path) -> Path:
    """A model with its weight in data.bin."""
    weights = numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = save(tmp_path / "m.onnx", [node], initializers=[weights])
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="data.bin", size_threshold=0)
    return path


def test_external_data_missing_or_short(tmp_path: Path) -> None:
    path = external(tmp_path)
    assert import_onnx(path).weights.bytes > 0
    (tmp_path / "data.bin").write_bytes(b"short")
    assert "'w' lies at bytes 0..16384 of 'data.bin', which has 5" in failure(path)
    (tmp_path / "data.bin").unlink()
    assert "'w' lies in 'data.bin', which is not beside the model" in failure(path)


def test_external_data_is_read_where_it_lies(tmp_path: Path) -> None:
    """Behind other data, in an attribute, in a type that numpy has not."""
    random = np.random.default_rng(0)
    arrays = {
        "w": random.standard_normal((64, 64), np.float32),
        "half": random.standard_normal((64,), np.float32).astype(ml_dtypes.bfloat16),
        "bias": random.standard_normal((64,), np.float32),
    }
    tensors = {name: numpy_helper.from_array(array, name) for name, array in arrays.items()}
    nodes = [
        helper.make_node("Constant", [], ["b"], value=tensors.pop("bias")),
        helper.make_node("Cast", ["half"], ["h"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["b", "h"], ["c"]),
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Add", ["z", "c"], ["y"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, initializers=list(tensors.values()))
    inside = {k: v.copy() for k, v in import_onnx(path).weights.items()}
    options: dict[str, Any] = {"location": "data.bin", "size_threshold": 0}
    onnx.save(onnx.load(path), path, save_as_external_data=True, convert_attribute=True, **options)
    assert path.stat().st_size < 2000
    outside = import_onnx(path).weights
    assert inside.keys() == outside.keys()
    for name, array in inside.items():
        np.testing.assert_array_equal(outside[name], array)


def test_weights_beyond_the_l2_are_refused_unread(tmp_path: Path) -> None:
    path = external(tmp_path)
    model = onnx.load(path, load_external_data=False)
    [tensor] = model.graph.initializer
    tensor.dims[:] = [64, 1 << 25]
    for entry in tensor.external_data:
        if entry.key == "length":
            entry.value = str(1 << 33)
    path.write_bytes(model.SerializeToString())
    with (tmp_path / "data.bin").open("r+b") as file:
        file.truncate(1 << 33)  # 8 GiB that no disk holds
    began = peak_bytes()
    with pytest.raises(UserError, match="need 4294967296 bytes of L2"):
        Compilation.of(path)
    assert peak_bytes() - began < 100 << 20


@pytest.mark.parametrize("location", ["../data.bin", "/etc/passwd", "a/../../data.bin"])
def test_external_data_outside_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = external(folder)
    (folder / "data.bin").rename(tmp_path / "data.bin")
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    path.write_bytes(model.SerializeToString())
    assert f"'w' lies in '{location}', outside the model's folder: refused" in failure(path)


def test_supported_operators_is_a_list_with_notes() -> None:
    operators = supported_operators()
    assert "MatMul" in operators
    assert "weight" in operators["MatMul"]


def test_element_types_that_onnx_has_not(tmp_path: Path) -> None:
    path = external(tmp_path)
    model = onnx.load(path)
    model.graph.initializer[0].data_type = 99
    path.write_bytes(model.SerializeToString())
    assert "'w': element type 99 is none of ONNX's" in failure(path)


def test_every_operator_runs_or_is_refused_with_a_reason() -> None:
    table = operator_support()
    current = {s.name for s in onnx.defs.get_all_schemas() if not s.domain and not s.deprecated}
    assert current - {"Scatter", "Upsample"} <= set(table)
    assert all(support.note for support in table.values() if support.runs == REFUSED)
    assert table["NonZero"].runs == REFUSED
    assert table["MatMul"].runs == "RedMulE"


def test_data_of_another_size_than_the_shape_says(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    weights.dims[:] = [64, 63]
    path = save(tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])])
    model = onnx.load(path)
    model.graph.initializer.append(weights)
    path.write_bytes(model.SerializeToString())
    assert "data of an initializer: cannot reshape array of size 4096" in failure(path)


def test_versions_that_are_none(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    model = onnx.load(path)
    model.opset_import[0].version = 1 << 62
    path.write_bytes(model.SerializeToString())
    assert "opset version 4611686018427387904 of '' is none" in failure(path)


def test_operands_that_do_not_go_together(tmp_path: Path) -> None:
    scale = numpy_helper.from_array(np.arange(3, dtype=np.float32), "s")
    node = helper.make_node("LayerNormalization", ["x", "s"], ["y"], name="norm")
    message = failure(save(tmp_path / "m.onnx", [node], initializers=[scale]))
    assert "LayerNormalization: its operands do not go together" in message
    assert "(1x: norm)" in message


def test_what_no_exporter_writes(tmp_path: Path) -> None:
    relu = helper.make_node("Relu", ["x"], ["z"])
    found = failure(save(tmp_path / "output.onnx", [relu]))
    assert "nothing computes output 'y'" in found
    relu = helper.make_node("Relu", ["x"], ["y"])
    found = failure(save(tmp_path / "type.onnx", [relu], dtype=99))
    assert "input 'x' has type number 99; supported are" in found
    shape = numpy_helper.from_array(np.array([[64, 4]], np.int64), "shape")
    reshape = helper.make_node("Reshape", ["x", "shape"], ["y"])
    found = failure(save(tmp_path / "rank.onnx", [reshape], initializers=[shape]))
    assert "Reshape: its operands do not go together" in found
    condition = numpy_helper.from_array(np.array(True), "c")
    branch = helper.make_node("If", ["c"], ["y"])
    found = failure(save(tmp_path / "if.onnx", [branch], initializers=[condition]))
    assert "If: it has no then_branch" in found


def test_causes_of_all_stages_at_once(tmp_path: Path) -> None:
    """Inputs, nodes behind refused ones, and outputs are in one report, each with what to do."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="quantised"),
        helper.make_node("DeformConv", ["x", "x", "grid"], ["sampled"], name="sampling"),
        helper.make_node("CumProd", ["sampled", "axis"], ["y"], name="behind"),
        helper.make_node("StringNormalizer", ["words"], ["small"], name="texts"),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4]),
        helper.make_tensor_value_info("grid", TensorProto.FLOAT, [1, 4, 4, 2]),
        helper.make_tensor_value_info("axis", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("words", TensorProto.STRING, [3]),
        helper.make_tensor_value_info("open", TensorProto.FLOAT, ["n", 2]),
    ]
    outputs = [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("q", TensorProto.UINT8, None),
        helper.make_tensor_value_info("small", TensorProto.STRING, None),
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    opsets = [helper.make_opsetid("", 26)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), tmp_path / "m.onnx")
    message = failure(tmp_path / "m.onnx")
    for part in (
        "make ids of texts before the model",
        "--dim n=1",
        "quantised models are not supported: export the model in float",
        "operator DeformConv is not supported; nothing",
        "its axis must be a constant",
        "works on strings: do it before the model",
        "make texts behind it",
    ):
        assert part in message, message


@pytest.mark.parametrize("number", [0.0, 1e-42])
def test_division_by_what_has_no_inverse(tmp_path: Path, number: float) -> None:
    """Of GELU's pattern but for the number: no pattern's, and not a traceback."""
    initializers = [
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in (("c", number), ("one", 1.0), ("half", 0.5))
    ]
    nodes = [
        helper.make_node("Div", ["x", "c"], ["d"]),
        helper.make_node("Erf", ["d"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["a"]),
        helper.make_node("Mul", ["x", "a"], ["b"]),
        helper.make_node("Mul", ["b", "half"], ["y"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, initializers=initializers)
    assert Compilation.of(path).program().outputs[0].shape == (4, 64)


def test_nodes_in_a_ring_behind_an_input_without_shape(tmp_path: Path):
    """What reads the input says its shape, and each node of the ring reads the next."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
            [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
        )
    )
    onnx.save(model, tmp_path / "m.onnx")
    assert "x" in failure(tmp_path / "m.onnx")


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, 99])
def test_constants_that_are_no_data(tmp_path: Path, kind: int):
    """One element by the shape, two by the data; a type that there is not."""
    constant = numpy_helper.from_array(np.zeros(2, np.float32), "c")
    constant.dims[:] = []
    constant.data_type = kind
    nodes = [helper.make_node("Add", ["x", "c"], ["y"])]
    assert "c" in failure(save(tmp_path / "m.onnx", nodes, initializers=[constant]))
