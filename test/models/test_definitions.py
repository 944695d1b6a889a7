"""Operators read from ONNX's own definitions, loops that are written out, and their programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from softex_mlir.compiler.driver import Compilation
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.reference import evaluate

MACHINE = Machine.load("paper")
RANDOM = np.random.default_rng(5)
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
NODE = helper.make_node


def number(name: str, value: Any, dtype: Any = np.int64) -> Any:
    return numpy_helper.from_array(np.array(value, dtype), name)


def of(name: str, kind: int, *shape: int) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def save(path: Path, nodes: Any, inputs: Any, *constants: Any, opset: int = 24) -> Path:
    output = helper.make_tensor_value_info("y", FLOAT, None)
    graph = helper.make_graph(nodes, "g", inputs, [output], list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.save(model, path)
    return path


def random(*shape: int) -> np.ndarray:
    return (RANDOM.integers(-16, 17, shape) / 8).astype(np.float32)


def compare(
    path: Path, inputs: dict[str, np.ndarray], wanted: Any = None, *, simulate: bool = False
) -> None:
    if wanted is None:
        (wanted,) = ReferenceEvaluator(onnx.load(path)).run(["y"], inputs)  # pyright: ignore
    compilation = Compilation.of(path, MACHINE)
    model = compilation.model
    found: Any = evaluate(model.module, model.weights, inputs)
    if simulate:
        program = compilation.program()
        result = session.run(program, inputs)
        assert check(program, result, inputs).identical
    error = np.abs(np.asarray(found["y"]).astype(np.float64) - wanted).max()
    assert error <= 0.03 * np.abs(wanted).max()


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_loss(tmp_path: Path, reduction: str) -> None:
    node = NODE("SoftmaxCrossEntropyLoss", ["x", "t"], ["y"], reduction=reduction, ignore_index=2)
    path = save(tmp_path / "m.onnx", [node], [of("x", FLOAT, 4, 5), of("t", INT64, 4)])
    compare(path, {"x": random(4, 5), "t": np.array([0, 2, 4, 1])}, simulate=True)


@pytest.mark.parametrize(
    "attributes",
    [{"softcap": 2.0}, {"is_causal": 1}, {"scale": 0.25}],
    ids=["softcap", "causal", "scale"],
)
def test_attention_with_fewer_key_heads(tmp_path: Path, attributes: dict[str, Any]) -> None:
    node = NODE("Attention", ["q", "k", "v"], ["y"], q_num_heads=4, kv_num_heads=2, **attributes)
    shapes = {"q": (1, 6, 64), "k": (1, 6, 32), "v": (1, 6, 32)}
    inputs = [of(name, FLOAT, *shape) for name, shape in shapes.items()]
    path = save(tmp_path / "m.onnx", [node], inputs)
    compare(path, {name: random(*shape) for name, shape in shapes.items()})


def test_attention_with_a_cache(tmp_path: Path) -> None:
    node = NODE("Attention", ["q", "k", "v", "", "pk", "pv"], ["y", "nk", "nv"], is_causal=1)
    shapes = {"q": 3, "k": 3, "v": 3, "pk": 5, "pv": 5}
    inputs = {name: random(1, 2, tokens, 16) for name, tokens in shapes.items()}
    path = save(tmp_path / "m.onnx", [node], [of(n, FLOAT, *x.shape) for n, x in inputs.items()])
    compare(path, inputs)


@pytest.mark.parametrize("interleaved", [0, 1])
def test_rotary_embedding(tmp_path: Path, interleaved: int) -> None:
    node = NODE("RotaryEmbedding", ["x", "c", "s", "p"], ["y"], interleaved=interleaved)
    angles = np.outer(np.arange(16), 1 / 10 ** np.arange(4))
    tables = [number("c", np.cos(angles), np.float32), number("s", np.sin(angles), np.float32)]
    inputs = [of("x", FLOAT, 1, 2, 3, 8), of("p", INT64, 1, 3)]
    path = save(tmp_path / "m.onnx", [node], inputs, *tables)
    compare(path, {"x": random(1, 2, 3, 8), "p": np.array([[9, 2, 15]])})


def body(*, condition: str = "going") -> Any:
    """A step: state · 0.5 + row; the new state is an output, too."""
    nodes = [
        NODE("Mul", ["state", "half"], ["less"]),
        NODE("Add", ["less", "row"], ["next"]),
        NODE("Identity", ["next"], ["out"]),
    ]
    constants = [number("half", 0.5, np.float32)]
    inputs = [of("state", FLOAT, 4), of("row", FLOAT, 4)]
    outputs = [of("next", FLOAT, 4), of("out", FLOAT, 4)]
    if condition:
        nodes[1:1] = [NODE("Gather", ["x", "i"], ["row"])]
        nodes.append(NODE("Identity", ["on"], [condition]))
        inputs = [of("i", INT64), of("on", BOOL), inputs[0]]
        outputs = [of(condition, BOOL), *outputs]
    return helper.make_graph(nodes, "body", inputs, outputs, constants)


def steps(state: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What the body makes of rows; ONNX's reference knows less of loops than its text."""
    found: list[np.ndarray] = []
    for row in rows:
        state = state * 0.5 + row
        found.append(state)
    return np.stack(found)


@pytest.mark.parametrize("backwards", [0, 1])
def test_scan(tmp_path: Path, backwards: int) -> None:
    node = NODE(
        "Scan",
        ["s", "x"],
        ["last", "y"],
        body=body(condition=""),
        num_scan_inputs=1,
        scan_input_directions=[backwards],
    )
    inputs = {"s": random(4), "x": random(3, 4)}
    path = save(tmp_path / "m.onnx", [node], [of("s", FLOAT, 4), of("x", FLOAT, 3, 4)])
    rows = inputs["x"][::-1] if backwards else inputs["x"]
    compare(path, inputs, steps(inputs["s"], rows), simulate=True)


def test_loop(tmp_path: Path) -> None:
    node = NODE("Loop", ["n", "", "s"], ["last", "y"], body=body())
    inputs = {"s": random(4), "x": random(3, 4)}
    shapes = [of("s", FLOAT, 4), of("x", FLOAT, 3, 4)]
    path = save(tmp_path / "m.onnx", [node], shapes, number("n", 3))
    compare(path, inputs, steps(inputs["s"], inputs["x"]))


def test_loops_that_are_refused(tmp_path: Path) -> None:
    node = NODE("Loop", ["n", "", "s"], ["last", "y"], body=body())
    shapes = [of("s", FLOAT, 4), of("x", FLOAT, 3, 4)]
    with pytest.raises(UserError, match="more than 1024 iterations"):
        Compilation.of(save(tmp_path / "a.onnx", [node], shapes, number("n", 1 << 20)), MACHINE)
    shapes.append(of("n", INT64))
    with pytest.raises(UserError, match="trip count must be a constant"):
        Compilation.of(save(tmp_path / "b.onnx", [node], shapes), MACHINE)


def test_refusal_inside_a_definition(tmp_path: Path) -> None:
    """The node is named, and what its definition cannot do."""
    node = NODE("Bernoulli", ["x"], ["y"], name="dice")
    path = save(tmp_path / "m.onnx", [node], [of("x", FLOAT, 2, 3)])
    with pytest.raises(UserError, match=r"in its definition, RandomUniformLike: .*dice"):
        Compilation.of(path, MACHINE)


def test_constants_of_every_type_in_a_program(tmp_path: Path) -> None:
    """The check reads weights back from the program: f32 of positions, i32, booleans, places."""
    nodes = [
        NODE("Cast", ["p"], ["pf"], to=FLOAT),
        NODE("Mul", ["pf", "frequencies"], ["angle"]),
        NODE("Cos", ["angle"], ["factor"]),
        NODE("Greater", ["x", "zero"], ["positive"]),
        NODE("And", ["positive", "mask"], ["kept"]),
        NODE("ArgMax", ["x"], ["place"], axis=1),
        NODE("Add", ["place", "offsets"], ["moved"]),
        NODE("Cast", ["moved"], ["number"], to=FLOAT),
        NODE("Where", ["kept", "factor", "number"], ["y"]),
    ]
    constants = [
        number("frequencies", [1.0, 0.1, 0.01, 0.001], np.float32),
        number("zero", 0.0, np.float32),
        number("mask", [True, False, True, True], np.bool_),
        number("offsets", [1, 2, 3, 4]),
    ]
    inputs = [of("p", INT64, 3, 1), of("x", FLOAT, 3, 4)]
    path = save(tmp_path / "m.onnx", nodes, inputs, *constants)
    compare(path, {"p": np.array([[7], [90], [3]]), "x": random(3, 4)}, simulate=True)


@pytest.mark.parametrize("equation", ["ijk->kij", "ijk->ki", "ijk->j"])
def test_einsum_of_one_operand(tmp_path: Path, equation: str) -> None:
    node = NODE("Einsum", ["x"], ["y"], equation=equation)
    path = save(tmp_path / "m.onnx", [node], [of("x", FLOAT, 2, 3, 4)], opset=20)
    compare(path, {"x": random(2, 3, 4)})


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ab,ab->b", [(1, 3), (4, 3)]),
        ("bhqd,bhkd->bhqk", [(2, 4, 3, 8), (2, 1, 5, 8)]),
        ("ab,ab,ab->", [(1, 3), (4, 1), (4, 3)]),
        ("ii,i->i", [(3, 3), (1,)]),
    ],
)
def test_einsum_repeats_what_has_one_element(
    tmp_path: Path, equation: str, shapes: list[tuple[int, ...]]
) -> None:
    names = "abc"[: len(shapes)]
    node = NODE("Einsum", list(names), ["y"], equation=equation)
    inputs = [of(n, FLOAT, *s) for n, s in zip(names, shapes, strict=True)]
    path = save(tmp_path / "m.onnx", [node], inputs, opset=20)
    compare(path, {n: random(*s) for n, s in zip(names, shapes, strict=True)})
