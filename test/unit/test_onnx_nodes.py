"""What a node says is translated or refused: attributes, inputs, outputs, types, dead nodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.compiler.importers.onnx.values import OnnxError
from softex_mlir.compiler.pipeline import fuse
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.reference import evaluate

SHAPE = (4, 6)
X = np.random.default_rng(0).integers(0, 9, SHAPE).astype(np.float32) / 4
INDEX = numpy_helper.from_array(np.array([0, 7]), "index")
ONES = numpy_helper.from_array(np.ones(6, np.float32), "ones")
ONE = numpy_helper.from_array(np.ones(1, np.float32), "one")
RATIO = numpy_helper.from_array(np.array(0.5, np.float32), "ratio")
TRUE = numpy_helper.from_array(np.array(True), "true")
BYTES = numpy_helper.from_array(np.arange(24, dtype=np.uint8).reshape(4, 6), "bytes")
SCALE = numpy_helper.from_array(np.array(0.25, np.float32), "scale")
ZERO = numpy_helper.from_array(np.array(9, np.uint8), "zero")
LOW = numpy_helper.from_array(np.array(-65504, np.float32), "low")
HIGH = numpy_helper.from_array(np.array(65504, np.float32), "high")
DEEP = numpy_helper.from_array(np.ones((1, 1, 1), np.float32), "deep")


def save(
    path: Path,
    nodes: Sequence[Any],
    outputs: Sequence[str] = ("y",),
    *,
    opset: int = 20,
    shape: Sequence[int] | None = SHAPE,
    dtype: int = TensorProto.FLOAT,
) -> Any:
    used = {name for node in nodes for name in node.input}
    tensors = (INDEX, ONES, ONE, RATIO, TRUE, BYTES, SCALE, ZERO, LOW, HIGH, DEEP)
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [tensor for tensor in tensors if tensor.name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return model


NODE = helper.make_node
REFUSED = {
    "cast to float8": (
        NODE("Cast", ["x"], ["y"], to=TensorProto.FLOAT8E4M3FN),
        "of type float8e4m3fn; expected",
    ),
    "index out of range": (NODE("Gather", ["x", "index"], ["y"]), "index 7 lies outside 4 elem"),
    "training": (NODE("Dropout", ["x", "ratio", "true"], ["y"]), "training mode"),
    "types that differ": (NODE("Add", ["x", "bytes"], ["y"]), "it is not valid: B has incons"),
    "shapes that differ": (NODE("MatMul", ["x", "deep"], ["y"]), "it is not valid"),
    "unknown axis": (NODE("Softmax", ["x"], ["y"], axis=2), "it is not valid"),
    "random numbers": (NODE("RandomNormalLike", ["x"], ["y"]), "operator RandomNormalLike is"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path: Path, name: str) -> None:
    node, message = REFUSED[name]
    save(tmp_path / "m.onnx", [node])
    with pytest.raises(OnnxError) as caught:
        import_onnx(tmp_path / "m.onnx")
    assert message in str(caught.value)
    assert "Error:" not in str(caught.value)
    (refusal,) = caught.value.refusals
    assert (refusal.node, refusal.operator) == (node.output[0], node.op_type)


def agree(
    path: Path,
    model: Any,
    shapes: dict[str, tuple[int, ...]] | None = None,
    expected: Any = None,
) -> None:
    """The imported and the fused model compute in float32 what ONNX's reference computes."""
    names = list(dict.fromkeys(o.name for o in model.graph.output))
    dtype = helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    x = X.astype(dtype)
    if expected is None:
        expected = dict(zip(names, ReferenceEvaluator(model).run(names, {"x": x}), strict=True))
    imported = import_onnx(path, shapes)
    for fused in (False, True):
        if fused:
            fuse(imported, Machine.load("paper"))
        found = evaluate(imported.module, imported.weights, {"x": x}, arithmetic="float32")
        assert list(found) == names
        for name in names:
            assert found[name].shape == np.shape(expected[name])
            np.testing.assert_allclose(found[name], expected[name], rtol=0.01, atol=0.01)


THEN = helper.make_graph(
    [NODE("Mul", ["x", "x"], ["a"])],
    "then",
    [],
    [helper.make_tensor_value_info("a", TensorProto.FLOAT, None)],
)
ELSE = helper.make_graph(
    [NODE("Mish", ["x"], ["a"])],
    "else",
    [],
    [helper.make_tensor_value_info("a", TensorProto.FLOAT, None)],
)
WORKS = {
    "a dead node nobody knows": ([NODE("Mish", ["x"], ["z"]), NODE("Relu", ["x"], ["y"])], {}),
    "a name listed twice": ([NODE("Relu", ["x"], ["y"])], {"outputs": ["y", "y"]}),
    "an unused second output": ([NODE("LayerNormalization", ["x", "ones"], ["y", "m"])], {}),
    "statistics": (
        [NODE("LayerNormalization", ["x", "ones"], ["y", "m", "d"])],
        {"outputs": ["y", "m", "d"]},
    ),
    "the mask of dropout": (
        [NODE("Dropout", ["x"], ["a", "m"]), NODE("Where", ["m", "a", "low"], ["y"])],
        {},
    ),
    "a scale of one element": ([NODE("LayerNormalization", ["x", "one"], ["y"])], {}),
    "a norm of everything": (
        [NODE("LayerNormalization", ["x", "one"], ["y"], axis=0)],
        {},
    ),
    "epsilon 0": ([NODE("LayerNormalization", ["x", "ones"], ["y"], epsilon=0.0)], {}),
    "a constant of higher rank": ([NODE("Add", ["x", "deep"], ["y"])], {}),
    "the branch of a constant": (
        [NODE("If", ["true"], ["y"], then_branch=THEN, else_branch=ELSE)],
        {},
    ),
    "an image of bytes": (
        [NODE("Cast", ["x"], ["a"], to=TensorProto.FLOAT), NODE("Relu", ["a"], ["y"])],
        {"dtype": TensorProto.UINT8},
    ),
    "names beyond ASCII": ([NODE("Relu", ["x"], ["größe"])], {"outputs": ["größe"]}),
    "an input without shape": ([NODE("Relu", ["x"], ["y"])], {"shape": None}),
    "an input with sizes of -1": ([NODE("Relu", ["x"], ["y"])], {"shape": (-1, 6)}),
    "the rank as axis": ([NODE("Flatten", ["x"], ["y"], axis=2)], {}),
}


@pytest.mark.parametrize("name", WORKS)
def test_works(tmp_path: Path, name: str) -> None:
    nodes, options = WORKS[name]
    options: dict[str, Any] = dict(options)
    model = save(tmp_path / "m.onnx", nodes, options.pop("outputs", ("y",)), **options)
    agree(tmp_path / "m.onnx", model, {"x": SHAPE} if "shape" in options else None)


def test_quantised_constants_of_old_opsets(tmp_path: Path) -> None:
    """ONNX's reference implementation does not know them."""
    nodes = [
        NODE("DequantizeLinear", ["bytes", "scale", "zero"], ["a"]),
        NODE("Add", ["a", "x"], ["y"]),
    ]
    model = save(tmp_path / "m.onnx", nodes, opset=13)
    expected = {"y": (np.arange(24).reshape(SHAPE) - 9.0) * 0.25 + X}
    agree(tmp_path / "m.onnx", model, expected=expected)


def test_old_softmax_is_over_what_is_left(tmp_path: Path) -> None:
    """Of all dimensions from the axis on, which ONNX's reference implementation overlooks."""
    model = save(tmp_path / "m.onnx", [NODE("Softmax", ["x"], ["y"], axis=0)], opset=11)
    agree(tmp_path / "m.onnx", model, expected={"y": np.exp(X) / np.exp(X).sum()})


def test_a_branch_chosen_at_run_time(tmp_path: Path) -> None:
    last = helper.make_tensor_value_info("a", TensorProto.FLOAT, None)
    flat = helper.make_graph([NODE("ReduceSum", ["x"], ["a"])], "else", [], [last])
    node = NODE("If", ["b"], ["y"], then_branch=THEN, else_branch=flat)
    truth = NODE("Cast", ["s"], ["b"], to=TensorProto.BOOL)
    total = NODE("ReduceSum", ["x"], ["s"], keepdims=0)
    save(tmp_path / "m.onnx", [total, truth, node])
    with pytest.raises(OnnxError, match="at run time only, and its branches give"):
        import_onnx(tmp_path / "m.onnx")


def test_an_input_without_shape_names_the_option(tmp_path: Path) -> None:
    save(tmp_path / "m.onnx", [NODE("Relu", ["x"], ["y"])], shape=None)
    with pytest.raises(OnnxError, match="'x' has no shape in the file: give it with --shape x="):
        import_onnx(tmp_path / "m.onnx")


def test_limits_of_float16_models(tmp_path: Path) -> None:
    nodes = [
        NODE("Cast", ["x"], ["a"], to=TensorProto.FLOAT16),
        NODE("Cast", ["low"], ["b"], to=TensorProto.FLOAT16),
        NODE("Max", ["a", "b"], ["c"]),
        NODE("Cast", ["c"], ["y"], to=TensorProto.FLOAT),
    ]
    agree(tmp_path / "m.onnx", save(tmp_path / "m.onnx", nodes))


@pytest.mark.parametrize(
    ("nodes", "result", "shape"),
    [
        ([NODE("MatMul", ["x", "w"], ["y"])], (8, 4), (8, 6)),
        ([NODE("MatMul", ["x", "w"], ["h"]), NODE("Relu", ["h"], ["y"])], (2, 8, 4), (2, 8, 6)),
        ([NODE("Gemm", ["x", "w"], ["y"], transA=1)], (8, 4), (6, 8)),
        ([NODE("Tanh", ["x"], ["y"])], (3, 1), (3, 1)),
        ([NODE("Add", ["x", "w"], ["y"])], (6, 4), None),
    ],
)
def test_a_shape_that_follows(nodes: list[Any], result: Any, shape: Any, tmp_path: Path) -> None:
    """It is the only one that makes the stated result; else it is asked for."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, result)
    w = numpy_helper.from_array(np.ones((6, 4), np.float32), "w")
    graph = helper.make_graph(nodes, "g", [x], [y], [w])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset]), tmp_path / "m.onnx")
    if shape is None:
        with pytest.raises(OnnxError, match="give it with --shape x="):
            import_onnx(tmp_path / "m.onnx")
        return
    imported = import_onnx(tmp_path / "m.onnx")
    assert imported.inputs[0].shape == shape
    assert imported.notes == [f"input 'x' has shape {','.join(map(str, shape))}, by what reads it"]
