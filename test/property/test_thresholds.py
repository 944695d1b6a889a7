"""Casts, roundings and comparisons of numbers beside a step: float32's answer, not BF16's."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ml_dtypes import bfloat16
from onnx import TensorProto, helper, numpy_helper
from oracle import expected_of
from sampling import LONG, sample

import softex_mlir
from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.compiler.importers.onnx.thresholds import CHOICES, PRODUCTS
from softex_mlir.runtime.reference import evaluate

FLOAT, INT32, BOOL = TensorProto.FLOAT, TensorProto.INT32, TensorProto.BOOL
ROWS, COLUMNS = 3, 8
BEFORE = (
    *("Add", "Mul", "Sub", "Neg", "Abs", "Relu", "Sqrt", "Clip", "Max", "Where", "Transpose"),
    *("Reshape", "Slice", "Concat", "MatMul", "Gemm", "ReduceSum", "Identity", "Cast"),
)
STEPS = (
    *("Floor", "Ceil", "Round", "Sign", "Less", "GreaterOrEqual", "Equal", "ArgMax", "TopK"),
    *("int32", "uint8", "bool", "int64", "float8", "CastLike", "Hardmax", "Mod"),
)


class Draft:
    """A graph [rows, columns] -> [rows, columns] that grows node by node."""

    def __init__(self, draw: Any, seed: int):
        self.draw, self.random = draw, np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array, dtype)
        return name

    def node(self, operator: str, *operands: str, results: int = 1, **attributes: Any) -> str:
        """The name of the last result."""
        names = [f"v{len(self.nodes)}_{k}" for k in range(results)]
        self.nodes.append(helper.make_node(operator, operands, names, **attributes))
        return names[-1]

    def numbers(self, *shape: int) -> str:
        return self.constant(self.random.uniform(-2, 2, shape))

    def before(self, x: str, kind: str) -> str:
        if kind in ("Add", "Mul", "Sub", "Max"):
            shape = self.draw(st.sampled_from([(), (COLUMNS,), (ROWS, 1), (ROWS, COLUMNS)]))
            return self.node(kind, x, self.numbers(*shape))
        if kind == "Sqrt":
            return self.node(kind, self.node("Abs", x))
        if kind == "Clip":
            return self.node(kind, x, self.constant(-1.7), self.constant(5.3))
        if kind == "Where":
            condition = self.constant(self.random.random((ROWS, COLUMNS)) < 0.5, np.bool_)
            return self.node(kind, condition, x, self.numbers(1))
        if kind == "Transpose":
            return self.node("Reshape", self.node(kind, x), self.constant((ROWS, -1), np.int64))
        if kind == "Reshape":
            return self.node(kind, x, self.constant((ROWS, COLUMNS), np.int64))
        if kind == "Slice":
            ends = [self.constant([n], np.int64) for n in (-1, -100, 1, -1)]
            return self.node(kind, x, *ends)
        if kind == "Concat":
            both = self.node(kind, x, self.numbers(ROWS, 2), axis=1)
            return self.node("Slice", both, *(self.constant([n], np.int64) for n in (2, 10, 1)))
        if kind in ("MatMul", "Gemm"):
            return self.node(kind, x, self.numbers(COLUMNS, COLUMNS))
        if kind == "ReduceSum":
            return self.node("Sub", x, self.node(kind, x, self.constant([1], np.int64)))
        return self.node(kind, x, **({"to": FLOAT} if kind == "Cast" else {}))

    def step(self, x: str, kind: str) -> tuple[str, int]:
        """The answer and its element type."""
        if kind in ("Less", "GreaterOrEqual", "Equal"):
            return self.node(kind, x, self.constant(self.random.integers(-3, 3))), BOOL
        if kind == "ArgMax":
            return self.node(kind, x, axis=1), TensorProto.INT64
        if kind == "TopK":
            return self.node(kind, x, self.constant([3], np.int64), results=2), TensorProto.INT64
        if kind == "float8":
            return self.node("Cast", self.node("Cast", x, to=17), to=FLOAT), FLOAT
        if kind == "uint8":
            clipped = self.node("Clip", x, self.constant(0), self.constant(255))
            return self.node("Cast", clipped, to=TensorProto.UINT8), TensorProto.UINT8
        if kind == "CastLike":
            return self.node(kind, x, self.constant(0, np.int32)), INT32
        if kind == "Mod":
            return self.node("Floor", self.node(kind, x, self.constant(1.5), fmod=1)), FLOAT
        targets = {"int32": INT32, "int64": TensorProto.INT64, "bool": BOOL}
        if kind in targets:
            return self.node("Cast", x, to=targets[kind]), targets[kind]
        return self.node(kind, x), FLOAT

    def model(self, output: str, element: int) -> Any:
        graph = helper.make_graph(
            self.nodes,
            "steps",
            [helper.make_tensor_value_info("x", FLOAT, (ROWS, COLUMNS))],
            [helper.make_tensor_value_info(output, element, None)],
            [numpy_helper.from_array(array, n) for n, array in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


@pytest.mark.matrix
@sample(200, share=10)
@given(st.data())
def test_steps(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 1 << 16))
    draft, x = Draft(data.draw, seed), "x"
    kind = data.draw(st.sampled_from(STEPS))
    # Layers before a choice are RedMulE's.
    others = [b for b in BEFORE if kind not in CHOICES or b not in PRODUCTS]
    for before in data.draw(st.lists(st.sampled_from(others), max_size=3)):
        x = draft.before(x, before)
    output, element = draft.step(x, kind)
    model = draft.model(output, element)
    # Half of the numbers lie beside integers, closer than BF16 tells apart.
    whole = draft.random.integers(-9, 9, (ROWS, COLUMNS))
    beside = whole + draft.random.choice([-2e-3, -5e-4, 5e-4, 2e-3], whole.shape)
    spread = draft.random.uniform(-9, 9, whole.shape)
    inputs = np.where(draft.random.random(whole.shape) < 0.5, beside, spread).astype(np.float32)
    scaled = [inputs * np.float32(1 + k * 3e-6) for k in (-1, 0, 1)]
    expected = [expected_of(model, {"x": array}) for array in scaled]
    low, wanted, high = (np.asarray((e or {})[output], np.float64) for e in expected)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        onnx.save(model, path)
        imported = import_onnx(path)
        assert not [n for n in imported.notes if "step" in n], imported.notes
        found = evaluate(imported.module, imported.weights, {"x": inputs})[output]
        if LONG:
            program = softex_mlir.compile(path)
            np.testing.assert_array_equal(program.run({"x": inputs}).outputs[output], found)
    sure = (low == wanted) & (high == wanted)
    if element == TensorProto.FLOAT:
        # the result of a step is exact, a floating-point output of a program is BF16
        wanted = wanted.astype(bfloat16).astype(np.float64)
    np.testing.assert_array_equal(np.asarray(found, np.float64)[sure], wanted[sure])
