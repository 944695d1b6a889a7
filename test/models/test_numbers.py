"""What is computed from integer inputs at run time: right by ONNX's reference, and bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx_harness import Graph

from softex_mlir.compiler.driver import Compilation
from softex_mlir.runtime.reference import evaluate

I64 = np.int64
BATCH, TOKENS = 2, 7


def ints(g: Graph, *values: Any) -> list[str]:
    return [g.constant(v, I64) for v in values]


def elements(g: Graph) -> list[str]:
    """Arithmetic, comparisons, booleans, functions."""
    two, minus, seven = ints(g, 2, -3, [7])
    shifted = g.node("Sub", "ids", seven)
    real = g.node("Cast", shifted, to=TensorProto.FLOAT)
    low = g.node("LessOrEqual", shifted, two)
    odd = g.node("Equal", g.node("Mod", "ids", two), ints(g, 1)[0])
    kept = g.node("Cast", "mask", to=TensorProto.BOOL)
    logic = [g.node(kind, low, odd) for kind in ("And", "Or", "Xor")]
    functions = [g.node(kind, real) for kind in ("Neg", "Abs", "Sign", "Cos", "Tanh", "Relu")]
    return [
        g.node("Mod", shifted, minus),
        g.node("Mod", shifted, minus, fmod=1),
        g.node("Div", shifted, two),
        g.node("Max", shifted, minus),
        g.node("Min", shifted, two, seven),
        g.node("Abs", shifted),
        g.node("Sign", shifted),
        g.node("Clip", shifted, *ints(g, -2, 3)),
        g.node("Clip", real, g.constant(-2.5)),
        g.node("Where", g.node("And", low, kept), shifted, two),
        g.node("Where", g.node("Not", odd), real, g.constant(0.5)),
        g.node("Greater", real, g.constant(0.5)),
        g.node("GreaterOrEqual", "ids", g.node("Mul", "mask", seven)),
        g.node("Cast", g.node("Div", real, g.constant(2.0)), to=TensorProto.INT64),
        g.node("Sqrt", g.node("Cast", "ids", to=TensorProto.FLOAT)),
        g.node("Pow", real, g.constant(2.0)),
        *logic,
        *functions,
    ]


def moves(g: Graph) -> list[str]:
    """Shapes, slices, joins, reductions."""
    real = g.node("Cast", "ids", to=TensorProto.FLOAT)
    wide = g.node("Unsqueeze", "ids", *ints(g, [1]))
    even = g.node("Equal", g.node("Mod", "ids", ints(g, 2)[0]), ints(g, 0)[0])
    frequencies = g.constant(np.array([[[1.0], [0.1], [0.01]]]))
    rows = g.node("Unsqueeze", real, *ints(g, [1]))
    return [
        g.node("Expand", wide, *ints(g, [BATCH, 3, TOKENS])),
        g.node("Transpose", even, perm=[1, 0]),
        g.node("Slice", "ids", *ints(g, [1], [-1], [1], [2])),
        g.node("Concat", "ids", g.constant([[1], [2]], I64), axis=1),
        g.node("Concat", g.constant([[0.5], [2]]), real, axis=1),
        g.node("Gather", "ids", *ints(g, [[1], [-1]]), axis=1),
        g.node("ReduceSum", "ids", *ints(g, [1])),
        g.node("ReduceMax", "ids", axes=[1], keepdims=0),
        g.node("ReduceMin", real, axes=[0]),
        g.node("ReduceMean", real, axes=[1]),
        g.node("CumSum", "mask", *ints(g, 1)),
        g.node("CumSum", "ids", *ints(g, 1), exclusive=1, reverse=1),
        g.node("CumSum", real, *ints(g, 0)),
        g.node("ArgMax", "ids", axis=1, keepdims=0),
        g.node("ArgMax", "mask", axis=-1, select_last_index=1),
        g.node("ArgMin", real, axis=0),
        g.node("MatMul", frequencies, rows),
    ]


def selections(g: Graph) -> list[str]:
    """Tables and slices chosen by what is computed."""
    bucket = g.node("Sub", g.node("Mod", "ids", ints(g, 5)[0]), ints(g, 5)[0])
    last = g.node("ArgMax", "ids", axis=1)
    both = g.node("Concat", g.constant([[0], [1]], I64), last, axis=1)
    x = g.node("Mul", "x", g.constant(0.5))
    one = g.node("Gather", "ids", *ints(g, [0]), axis=0)
    return [
        g.node("Gather", g.constant([10, 20, 30, 40, 50], I64), bucket),
        g.node("Gather", g.weight(5, 3), bucket),
        g.node("Gather", g.weight(2, 5, 3), bucket, axis=1),
        g.node("GatherElements", "ids", last, axis=1),
        g.node("GatherND", "ids", both),
        g.node("GatherND", x, both),
        g.node("Gather", x, last, axis=1),
        g.node(
            "Where",
            g.node("Less", one, ints(g, 6)[0]),
            g.node("Transpose", x, perm=[0, 2, 1]),
            g.constant(0.25),
        ),
    ]


@pytest.mark.parametrize("write", [elements, moves, selections])
def test_numbers(tmp_path: Path, write: Callable[[Graph], list[str]]) -> None:
    path = tmp_path / "m.onnx"
    g = Graph()
    results = [g.node("Cast", name, to=TensorProto.FLOAT) for name in write(g)]
    integers = [
        helper.make_tensor_value_info(name, TensorProto.INT64, (BATCH, TOKENS))
        for name in ("ids", "mask")
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (BATCH, TOKENS, 4))
    graph = helper.make_graph(
        g.nodes,
        "numbers",
        [*integers, *([x] if write is selections else [])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in results],
        g.initializers,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(proto.SerializeToString())
    random = np.random.default_rng(0)
    inputs: dict[str, Any] = {
        "ids": random.integers(0, 14, (BATCH, TOKENS)),
        "mask": random.integers(0, 2, (BATCH, TOKENS)),
    }
    if write is selections:
        inputs["x"] = random.standard_normal((BATCH, TOKENS, 4)).astype(np.float32)
    reference: Any = ReferenceEvaluator(proto)
    expected = dict(zip(results, reference.run(None, inputs), strict=True))
    compilation = Compilation.of(path)
    found = compilation.program().run(inputs).outputs
    same = evaluate(compilation.model.module, compilation.model.weights, inputs)
    for name in results:
        node = g.nodes[int(name[1:])].input[0]
        kind = g.nodes[int(node[1:])].op_type
        np.testing.assert_array_equal(found[name].view(np.uint16), same[name].view(np.uint16))
        np.testing.assert_allclose(
            found[name].astype(np.float32), expected[name], rtol=2**-8, atol=2**-9, err_msg=kind
        )


def test_positions_and_frequencies_are_not_rounded(tmp_path: Path) -> None:
    """A bf16 has 8 bits: cosines of far positions would be others."""
    path = tmp_path / "m.onnx"
    g = Graph()
    where = g.node("Cast", g.node("Unsqueeze", "ids", *ints(g, [2])), to=TensorProto.FLOAT)
    y = g.node("Cos", g.node("Mul", where, g.constant([1.0, 0.1, 0.01, 0.001])))
    info = [helper.make_tensor_value_info("ids", TensorProto.INT64, (1, 4))]
    proto = g.save(path, info, y)
    inputs = {"ids": np.array([[3, 300, 1999, 4001]])}
    reference: Any = ReferenceEvaluator(proto)
    model = Compilation.of(path).model
    (found,) = evaluate(model.module, model.weights, inputs).values()
    np.testing.assert_allclose(
        found.astype(np.float32), reference.run(None, inputs)[0], rtol=2**-8, atol=2**-9
    )
