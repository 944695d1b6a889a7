"""ONNX models that no exporter writes: broken bytes, graphs that make no sense."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import edits
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@cache
def _model() -> bytes:
    return small_model().SerializeToString()


def small_model() -> onnx.ModelProto:
    """A model of most kinds of nodes that the importer knows."""
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.standard_normal((16, 16)).astype(np.float32),
        "g": np.ones(16, np.float32),
        "root": np.array(2**0.5, np.float32),
        "one": np.array(1, np.float32),
        "half": np.array(0.5, np.float32),
        "shape": np.array([2, 8, 2, 8], np.int64),
        "table": rng.standard_normal((10, 16)).astype(np.float32),
        "axis": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e0"], axis=0),
        helper.make_node("Add", ["x", "e0"], ["x0"]),
        helper.make_node("LayerNormalization", ["x0", "g", "g"], ["n"], axis=-1, epsilon=1e-5),
        helper.make_node("MatMul", ["n", "w"], ["m"]),
        helper.make_node("Div", ["m", "root"], ["d"]),
        helper.make_node("Erf", ["d"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["a"]),
        helper.make_node("Mul", ["m", "a"], ["b"]),
        helper.make_node("Mul", ["b", "half"], ["c"]),
        helper.make_node("Reshape", ["c", "shape"], ["r"]),
        helper.make_node("Transpose", ["r"], ["t"], perm=[0, 2, 1, 3]),
        helper.make_node("Transpose", ["r"], ["k"], perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["t", "k"], ["s"]),
        helper.make_node("Softmax", ["s"], ["p"], axis=-1),
        helper.make_node("MatMul", ["p", "t"], ["y"]),
    ]
    ports = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 8, 16]),
        helper.make_tensor_value_info("ids", TensorProto.INT64, [2, 8]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        ports,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2, 8, 8])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def onnx_bytes(rng: random.Random, directory: Path) -> list[str]:
    """The model's bytes: tags, lengths, names."""
    path = directory / "model.onnx"
    path.write_bytes(edits.edit_bytes(rng, _model()))
    return ["softex", "compile", str(path), "--emit", "transformer"]


def onnx_graph(rng: random.Random, directory: Path) -> list[str]:
    """Well-formed files whose graphs make no sense."""
    model = onnx.load_from_string(_model())
    for _ in range(rng.choice((1, 1, 2, 3))):
        _edit_graph(rng, model)
    path = directory / "model.onnx"
    path.write_bytes(model.SerializeToString())
    if rng.random() < 0.1:
        return ["softex", "compile", str(path), "-o", str(directory / "model.elf")]
    return ["softex", "compile", str(path), "--emit", "transformer"]


_KINDS = [
    *("MatMul", "Add", "Reshape", "Softmax", "Gather", "Concat", "Slice", "Expand"),
    *("Tile", "Unsqueeze", "Transpose", "Range", "ConstantOfShape", "Split", "Where", "NoSuch"),
    *("If", "Gemm", "Conv", "Cast", "ReduceMean", "Pow", "Sqrt", "Identity"),
    *("Squeeze", "Attention", "Constant", "Shape", "Pad", "Flatten", "Loop", "Einsum"),
    *("LayerNormalization", "Tanh"),
]
_NAMES = ["x", "ids", "w", "g", "n", "m", "y", "shape", "one", "", "nowhere", "table", "é", "a\nb"]
_ATTRIBUTES = [
    "axis",
    "axes",
    "perm",
    "keepdims",
    "to",
    "value",
    "epsilon",
    "equation",
    "then_branch",
]


def _edit_graph(rng: random.Random, model: onnx.ModelProto) -> None:  # noqa: C901 - a table of edits
    graph = model.graph
    node = rng.choice(graph.node)
    kind = rng.randrange(12)
    numbers = [
        rng.choice([n for n in edits.NUMBERS if isinstance(n, int) and abs(n) < 1 << 63])
        for _ in range(rng.randrange(1, 5))
    ]
    if kind == 0:
        node.op_type = rng.choice(_KINDS)
    elif kind == 1:
        node.input[rng.randrange(len(node.input))] = rng.choice(_NAMES)
    elif kind == 2:
        node.output[0] = rng.choice(_NAMES)
    elif kind in (3, 4):
        values: list[Any] = [
            numbers[0],
            numbers,
            0.5,
            "text",
            helper.make_tensor("t", 1, [1], [0.0]),
        ]
        node.attribute.append(helper.make_attribute(rng.choice(_ATTRIBUTES), rng.choice(values)))
    elif kind == 5:
        for attribute in node.attribute:
            attribute.i = numbers[0]
            if attribute.ints:
                attribute.ints[rng.randrange(len(attribute.ints))] = numbers[0]
    elif kind == 6:
        tensor = rng.choice(graph.initializer)
        array = np.array(numbers, np.int64).reshape(rng.choice(((-1,), (1, -1), (-1, 1))))
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    elif kind == 7:
        tensor = rng.choice(graph.initializer)
        if tensor.dims:
            tensor.dims[0] = numbers[0]
        tensor.data_type = rng.choice([tensor.data_type, 0, 7, 8, 9, 10, 16, 17, 22, 99])
    elif kind == 8:
        shape = rng.choice([*graph.input, *graph.output]).type.tensor_type.shape
        if shape.dim:
            shape.dim[0].dim_value = numbers[0]
    elif kind == 9:
        port = rng.choice([*graph.input, *graph.output])
        port.type.tensor_type.elem_type = rng.choice([0, 1, 6, 7, 9, 10, 11, 16, 99])
        if rng.random() < 0.3:
            port.type.tensor_type.ClearField("shape")
    elif kind == 10:
        del graph.node[rng.randrange(len(graph.node))]
    else:
        model.opset_import[0].version = rng.choice([0, 1, 7, 13, 17, 23, 99, (1 << 62)])
        if rng.random() < 0.3:
            node.domain = rng.choice(["com.microsoft", "ai.onnx", "nowhere"])
    if not graph.node:
        graph.node.append(helper.make_node("Identity", ["x"], ["y"]))
