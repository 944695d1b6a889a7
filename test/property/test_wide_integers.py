"""Random arithmetic of 64-bit integers: ONNX's numbers within the ranges that a program states."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from oracle import expected_of
from sampling import sample

import softex_mlir
from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.errors import UserError
from softex_mlir.runtime.reference import evaluate

INT64, INT32, UINT32, FLOAT = (
    TensorProto.INT64,
    TensorProto.INT32,
    TensorProto.UINT32,
    TensorProto.FLOAT,
)
SHAPE = (2, 3)
DTYPES: dict[int, Any] = {INT64: np.int64, INT32: np.int32, UINT32: np.uint32}
UNARY = ("Neg", "Abs", "Sign", "Identity", "CumSum")
BINARY = ("Add", "Sub", "Mul", "Div", "Mod", "Min", "Max")
REDUCING = ("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare")
CONSTANTS = (1, 2, 3, 7, 100, 1000, 46341, 1 << 20, (1 << 31) - 1, -1, -5, -(1 << 16))
HALF = 1 << 31


class Draft:
    """A graph of integers that grows node by node.

    Attributes:
        kinds: element type of every value.
    """

    def __init__(self, draw: Any):
        self.draw = draw
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.inputs = {
            name: draw(st.sampled_from([INT64, INT64, INT32, UINT32])) for name in ("a", "b")
        }
        self.kinds: dict[str, int] = dict(self.inputs)

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def number(self, kind: int, *, positive: bool = False) -> str:
        within = [c for c in CONSTANTS if c > 0 or not (positive or kind == UINT32)]
        return self.constant(np.array(self.draw(st.sampled_from(within)), DTYPES[kind]))

    def node(self, operator: str, operands: list[str], kind: int, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, operands, [name], name=name, **attributes))
        self.kinds[name] = kind
        return name

    def of_kind(self, kind: int) -> str:
        return self.draw(st.sampled_from([n for n, k in self.kinds.items() if k == kind]))

    def step(self) -> str:
        """Any operator on any values."""
        x = self.draw(st.sampled_from([n for n, k in self.kinds.items() if k in DTYPES]))
        kind = self.kinds[x]
        group = self.draw(st.sampled_from(["unary", "binary", "reduce", "cast", "where", "clip"]))
        if group == "binary":
            return self.binary(x, kind)
        if group == "reduce" and kind != UINT32:
            operator = self.draw(st.sampled_from(REDUCING))
            found = self.node(operator, [x], kind)
            if kind == INT32:  # which the reference adds up as int64
                found = self.node("Cast", [found], kind, to=kind)
            return self.node("Expand", [found, self.constant(np.array(SHAPE))], kind)
        if group == "cast":
            target = self.draw(st.sampled_from([INT64, INT64, INT32]))
            return self.node("Cast", [x], target, to=target)
        if group == "where":
            other, limit = self.of_kind(kind), self.number(kind)
            test = self.draw(st.sampled_from(["Less", "Greater", "Equal", "LessOrEqual"]))
            condition = self.node(test, [x, limit], TensorProto.BOOL)
            return self.node("Where", [condition, x, other], kind)
        if group == "clip":
            low, high = sorted(self.draw(st.tuples(*[st.integers(0, 10**6)] * 2)))
            limits = [self.constant(np.array(n, DTYPES[kind])) for n in (low, high)]
            return self.node("Clip", [x, *limits], kind)
        operator = self.draw(st.sampled_from(UNARY))
        if operator == "CumSum":
            return self.node(operator, [x, self.constant(np.array(1))], kind)
        if kind == UINT32 and operator != "Identity":
            return self.node("Add", [x, x], kind)
        return self.node(operator, [x], kind)

    def binary(self, x: str, kind: int) -> str:
        operator = self.draw(st.sampled_from(BINARY))
        if operator in ("Div", "Mod"):
            return self.node(operator, [x, self.number(kind, positive=True)], kind)
        constant = self.draw(st.booleans())
        return self.node(operator, [x, self.number(kind) if constant else self.of_kind(kind)], kind)

    def model(self, output: str) -> Any:
        graph = helper.make_graph(
            self.nodes,
            "integers",
            [helper.make_tensor_value_info(n, k, SHAPE) for n, k in self.inputs.items()],
            [helper.make_tensor_value_info(output, self.kinds[output], None)],
            [numpy_helper.from_array(array, n) for n, array in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def arrays_for(draft: Draft, values: dict[str, tuple[int, int] | None]) -> dict[str, np.ndarray]:
    """Inputs within their ranges, the ends among them."""
    arrays: dict[str, np.ndarray] = {}
    for name, kind in draft.inputs.items():
        low, high = values.get(name) or (0 if kind == UINT32 else -HALF, HALF - 1)
        edges = st.sampled_from([low, high, max(low, min(high, 0)), max(low, min(high, 1))])
        numbers = st.one_of(edges, st.integers(low, high))
        drawn = draft.draw(st.lists(numbers, min_size=6, max_size=6))
        arrays[name] = np.array(drawn, DTYPES[kind]).reshape(SHAPE)
    return arrays


@pytest.mark.matrix
@sample(120, share=10)
@given(st.data())
def test_integers_fit_or_are_refused(data: st.DataObject) -> None:
    draft = Draft(data.draw)
    output = ""
    for _ in range(data.draw(st.integers(1, 6))):
        output = draft.step()
    model = draft.model(output)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        onnx.save(model, path)
        try:
            imported = import_onnx(path)
        except UserError:
            return
    values = {port.name: port.values for port in imported.inputs}
    inputs = arrays_for(draft, values)
    wanted = expected_of(model, inputs)
    if wanted is None:
        return
    found = evaluate(imported.module, imported.weights, inputs, arithmetic="float32")[output]
    expected = wanted[output]
    # A uint32 that is an output is its bits.
    np.testing.assert_array_equal(np.asarray(found).astype(expected.dtype), expected)


def test_runs_refuse_numbers_beyond_the_range(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "x"], ["y"])],
        "square",
        [helper.make_tensor_value_info("x", INT64, (3,))],
        [helper.make_tensor_value_info("y", INT64, (3,))],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    program = softex_mlir.compile(path)
    assert program.inputs[0].values == (-46340, 46340)
    x = np.array([-46340, 5, 46340])
    np.testing.assert_array_equal(program.run({"x": x}).outputs["y"], x * x)
    with pytest.raises(UserError, match=r"must be in -46340\.\.46340, found 0\.\.46341"):
        program.run({"x": np.array([0, 1, 46341])})
