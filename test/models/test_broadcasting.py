"""Operations of any two shapes that broadcast, and products of stacks: numpy's numbers, rounded.

`FUZZ_CASES=10000 pytest test/models/test_broadcasting.py` tries more pairs.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from sampling import matrix

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

PAIRS = int(os.environ.get("FUZZ_CASES", "120"))
PAIRS_OF_A_MODEL = 6
SIZES = (1, 3, 17)
FUNCTIONS = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}
PAPER = Machine.load()
RANDOM = np.random.default_rng(1)


@dataclass(frozen=True)
class Side:
    """One operand: its shape, and whether it is a constant, an input, or a transposed input."""

    shape: tuple[int, ...]
    kind: str = "input"


@dataclass(frozen=True)
class Pair:
    kind: str
    lhs: Side
    rhs: Side


def random_pair(rng: random.Random) -> Pair:
    shapes: list[list[int]] = [[], []]
    for _ in range(rng.randint(0, 4)):
        size = rng.choice(SIZES)
        repeated = rng.choice([(False, False), (False, True), (True, False)])
        for shape, once in zip(shapes, repeated, strict=True):
            shape.append(1 if once else size)
    if rng.random() < 0.3:
        shape = rng.choice(shapes)
        del shape[: rng.randint(0, len(shape))]
    kinds = rng.choice([("input", "input"), ("input", "constant"), ("constant", "input")])
    sides = [
        Side(tuple(shape), "transposed" if kind == "input" and rng.random() < 0.2 else kind)
        for shape, kind in zip(shapes, kinds, strict=True)
    ]
    return Pair(rng.choice(sorted(FUNCTIONS)), *sides)


def compare(pairs: list[Pair], path: Path, machine: Machine = PAPER):
    """Compile all pairs as one model, run it, and compare with numpy and with the evaluator."""
    random_values = np.random.default_rng(len(pairs))
    nodes: list[Any] = []
    constants: list[Any] = []
    inputs: list[Any] = []
    data: dict[str, Any] = {}
    expected: dict[str, Any] = {}

    def operand(name: str, side: Side) -> Any:
        value = random_values.normal(size=side.shape).astype(ml_dtypes.bfloat16)
        value = np.asarray(value, np.float32)
        if side.kind == "constant":
            constants.append(numpy_helper.from_array(value, name))
            return value
        source = name
        data[name] = value
        if side.kind == "transposed":
            source = f"{name}.source"
            data[source] = data.pop(name).T
            nodes.append(helper.make_node("Transpose", [source], [name]))
        shape = data[source].shape
        inputs.append(helper.make_tensor_value_info(source, TensorProto.FLOAT, shape))
        return value

    for number, pair in enumerate(pairs):
        names = f"a{number}", f"b{number}"
        sides = zip(names, (pair.lhs, pair.rhs), strict=True)
        values = [operand(name, side) for name, side in sides]
        nodes.append(helper.make_node(pair.kind, names, [f"y{number}"]))
        expected[f"y{number}"] = FUNCTIONS[pair.kind](*values)
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape)
        for name, value in expected.items()
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)

    program = Compilation.of(path, machine).program()
    result = session.run(program, data)
    assert check(program, result, data).identical, pairs
    for pair, (name, value) in zip(pairs, expected.items(), strict=True):
        found = np.asarray(result.outputs[name], np.float32)
        assert found.shape == value.shape, pair
        rounded = value.astype(ml_dtypes.bfloat16).astype(np.float32)
        np.testing.assert_array_equal(found, rounded, err_msg=str(pair))


@pytest.mark.parametrize("seed", range(-(-PAIRS // PAIRS_OF_A_MODEL)))
def test_random_pairs(seed: int, tmp_path: Path):
    rng = random.Random(seed)
    machine = PAPER if seed % 3 else PAPER.with_tcdm_bytes(24 * 1024)
    compare([random_pair(rng) for _ in range(PAIRS_OF_A_MODEL)], tmp_path / "m.onnx", machine)


@pytest.mark.parametrize(
    "pair",
    [
        Pair("Add", Side((2, 6, 32)), Side((2, 1, 32))),
        Pair("Sub", Side((2, 1, 32)), Side((2, 6, 32))),
        Pair("Mul", Side((5, 40)), Side((5, 1))),
        Pair("Sub", Side((5, 1)), Side((1, 40))),
        Pair("Mul", Side((3, 4, 1)), Side((8,))),
        Pair("Sub", Side((), "constant"), Side((3, 8))),
        # so many runs of rows that an operand is repeated first
        Pair("Mul", Side((200, 3, 8)), Side((200, 1, 8))),
        Pair("Sub", Side((1, 17, 1, 3)), Side((17, 1, 17, 1))),
        # rows that do not fit the memory
        Pair("Add", Side((2, 30001)), Side((30001,))),
        Pair("Sub", Side((1, 20000)), Side((3, 20000))),
    ],
    ids=lambda p: f"{p.kind}-{'x'.join(map(str, p.lhs.shape))}-{'x'.join(map(str, p.rhs.shape))}",
)
def test_pair(pair: Pair, tmp_path: Path):
    compare([pair], tmp_path / "m.onnx")


def product_shapes() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Leading dimensions of two factors that broadcast."""
    leads = [(), (1,), (2,), (1, 1), (3, 1), (1, 2), (3, 2)]
    return [
        (a, b)
        for a in leads
        for b in leads
        if all(1 in pair or len(set(pair)) == 1 for pair in zip(a[::-1], b[::-1], strict=False))
    ]


@matrix("left, right", product_shapes(), 20)
def test_products_of_stacks(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    """Of two activations: a factor may be repeated."""
    rng = np.random.default_rng(0)
    shapes = {"a": (*left, 5, 32), "b": (*right, 32, 8)}
    inputs = {n: rng.standard_normal(s).astype(ml_dtypes.bfloat16) for n, s in shapes.items()}
    b = ModelBuilder("product", [Port(n, x.shape, "float32") for n, x in inputs.items()])
    program = Compilation.of(b.finish({"y": b.add(t.MatmulOp(*b.arguments))})).program()
    result = session.run(program, inputs)
    assert check(program, result, inputs).identical
    expected = inputs["a"].astype(np.float64) @ inputs["b"].astype(np.float64)
    found = result.outputs["y"].astype(np.float64)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 0.03 * np.abs(expected).max()


@pytest.mark.parametrize("rows", [((2, 12), (1, 12)), ((1, 3), (4, 3)), ((1, 1), (2, 2))], ids=str)
def test_sums_of_constants(rows: tuple[tuple[int, ...], ...], tmp_path: Path) -> None:
    """Embeddings of positions and of token types, of which one is repeated over a batch."""
    arrays = [RANDOM.standard_normal((*shape, 64)).astype(np.float32) for shape in rows]
    whole = np.broadcast_shapes(*(array.shape for array in arrays))
    nodes = [helper.make_node("Add", ["x", "a"], ["s"]), helper.make_node("Add", ["s", "b"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, whole)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, whole)],
        [numpy_helper.from_array(array, name) for array, name in zip(arrays, "ab", strict=True)],
    )
    opsets = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
    x = RANDOM.standard_normal(whole).astype(np.float32)
    program = Compilation.of(tmp_path / "m.onnx", PAPER).program()
    found = session.run(program, {"x": x}).outputs["y"].astype(np.float32)
    assert np.abs(found - (x + arrays[0] + arrays[1])).max() < 0.03
