"""Integers and booleans: exactly ONNX's results, by the evaluator and by the program."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from oracle import refusal

import softex_mlir
from softex_mlir.errors import UserError

I64, I32, I8, U8, BOOL = (
    TensorProto.INT64,
    TensorProto.INT32,
    TensorProto.INT8,
    TensorProto.UINT8,
    TensorProto.BOOL,
)
F32 = TensorProto.FLOAT
SHAPE = (3, 1, 7)


def node(kind, operands, result, **attributes):
    return helper.make_node(kind, operands.split(), [result], **attributes)


def model_of(nodes, inputs, output, kind, constants=None):
    graph = helper.make_graph(
        nodes,
        "integers",
        [helper.make_tensor_value_info(n, k, s) for n, (k, s) in inputs.items()],
        [helper.make_tensor_value_info(output, kind, None)],
        [numpy_helper.from_array(array, n) for n, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def values(seed, shape, low=-9, high=9, dtype: Any = np.int64):
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


CASES = {
    "narrow integers wrap": (
        [node("Mul", "a b", "c"), node("Add", "c a", "d"), node("Sub", "d b", "y")],
        {"a": values(1, SHAPE, -128, 127, np.int8), "b": values(2, (4, 7), -128, 127, np.int8)},
        I8,
    ),
    "magnitudes wrap": (
        [node("Abs", "a", "y")],
        {"a": np.array([-128, -127, 5], np.int8)},
        I8,
    ),
    "bytes": (
        [node("BitShift", "a b", "c", direction="LEFT"), node("BitwiseXor", "c a", "y")],
        {"a": values(1, SHAPE, 0, 255, np.uint8), "b": values(2, SHAPE, 0, 9, np.uint8)},
        U8,
    ),
    "remainders have the divisor's sign": (
        [node("Mod", "a b", "y")],
        {"a": values(1, SHAPE), "b": np.where(values(2, SHAPE) < 0, -4, 3)},
        I64,
    ),
    "comparisons and logic": (
        [
            node("Less", "a b", "l"),
            node("Equal", "a b", "e"),
            node("Or", "l e", "o"),
            node("Not", "l", "n"),
            node("Xor", "o n", "y"),
        ],
        {"a": values(1, SHAPE), "b": values(2, (2, 3, 5, 1))},
        BOOL,
    ),
    "choices": (
        [
            node("Greater", "a b", "g"),
            node("Where", "g a b", "w"),
            node("Cast", "g", "n", to=I64),
            node("Mul", "w n", "m"),
            node("Neg", "m", "y"),
        ],
        {"a": values(1, SHAPE), "b": values(2, SHAPE)},
        I64,
    ),
    "numbers of integers stay float32": (
        [
            node("Cast", "a", "f", to=F32),
            node("Mul", "f frequency", "angle"),
            node("Cos", "angle", "y"),
        ],
        {"a": values(1, (2, 9, 1), 0, 5000)},
        F32,
    ),
    "moves": (
        [
            node("Transpose", "a", "t", perm=[2, 1, 0]),
            node("Concat", "t t", "c", axis=0),
            node("Reshape", "c size", "y"),
        ],
        {"a": values(1, (3, 5, 7))},
        I64,
    ),
}
CONSTANTS = {
    "frequency": (10000.0 ** -(np.arange(0, 16, 2) / 16)).astype(np.float32),
    "size": np.array([15, -1], np.int64),
}


@pytest.mark.parametrize("name", CASES)
def test_program(name):
    nodes, inputs, kind = CASES[name]
    ports = {
        n: (helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for n, array in inputs.items()
    }
    used = {o for n in nodes for o in n.input}
    constants = {n: c for n, c in CONSTANTS.items() if n in used}
    assert refusal(model_of(nodes, ports, "y", kind, constants), inputs, simulate=True) == ""


def test_comparison_of_activations():
    nodes = [
        node("Less", "x limit", "l"),
        node("Where", "l zero x", "w"),
        node("Cast", "l", "c", to=F32),
        node("Sub", "w c", "y"),
    ]
    constants = {"limit": np.array(0.25, np.float32), "zero": np.zeros(1, np.float32)}
    model = model_of(nodes, {"x": (F32, (4, 9))}, "y", F32, constants)
    x = np.random.default_rng(3).standard_normal((4, 9)).astype(np.float32)
    assert refusal(model, {"x": x}, simulate=True) == ""


def test_constants_beyond_32_bits_are_refused():
    for c in (3_000_000_000, -(1 << 40)):
        constants = {"c": np.array([c])}
        model = model_of([node("Mul", "x c", "y")], {"x": (I64, (4,))}, "y", I64, constants)
        assert f"beyond 32 bits ({c})" in refusal(model, {"x": np.arange(4)})


SELECTIONS = {
    "Gather": (node("Gather", "x i", "y", axis=1), (4, 6), [6]),
    "GatherND": (node("GatherND", "x i", "y"), (6, 6), [[3, -7]]),
    "GatherElements": (node("GatherElements", "x i", "y", axis=1), (1, 6), [[6]]),
    "ScatterND": (node("ScatterND", "x i u", "y"), (6, 1), [[6]]),
    "ScatterElements": (node("ScatterElements", "x i u", "y"), (6, 1), [[-7]]),
}


@pytest.mark.parametrize("kind", SELECTIONS)
def test_indices_out_of_range_are_refused(kind, tmp_path):
    """Constants when the model is read, inputs by runs."""
    operator, shape, indices = SELECTIONS[kind]
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    ports = {"x": (F32, shape)}
    update = {"u": np.ones((1, 1), np.float32)} if "u" in operator.input else {}
    far = np.array(indices)
    model = model_of([operator], ports, "y", F32, {"i": far, **update})
    assert "lies outside 6 elements" in refusal(model, {"x": x})
    ports["i"] = (I64, far.shape)
    onnx.save(model_of([operator], ports, "y", F32, update), tmp_path / "m.onnx")
    program = softex_mlir.compile(tmp_path / "m.onnx")
    program.run({"x": x, "i": np.sign(far)})
    with pytest.raises(UserError, match=r"input 'i': its values must be in -6\.\.5"):
        program.run({"x": x, "i": far})
