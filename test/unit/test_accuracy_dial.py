"""The accuracy dial: files of choices read strictly, the knapsack, and a bound met and recorded."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import StringAttr

import softex_mlir
from softex_mlir.abi import Port
from softex_mlir.compiler.accuracy import (
    CORES,
    SOFTEX,
    SUMS_IN_F32,
    Accuracy,
    accuracy_of,
    accuracy_text,
    model_hash,
    read_accuracy,
)
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.compiler.outputs import OutputChoice
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.quality.bound import Bound, kept
from softex_mlir.runtime.quality.choice import Layer, Price, cheapest
from softex_mlir.runtime.quality.dial import choose, described
from softex_mlir.runtime.reference import evaluate


def mlp() -> Model:
    """Two linear layers with long sums, one with a short one."""
    b = ModelBuilder("mlp", [Port("x", (4, 192), "float32")])
    y = b.linear(b.arguments[0], 384, "first", activation="relu")
    y = b.linear(y, 32, "second")
    return b.finish({"y": b.linear(y, 8, "third")})


SOME_ON_CORES, ALL_ON_CORES = 0.99999, 0.999996
"""What the shortest sums of RedMulE do not reach (0.99996), and the cores do (0.999997)."""


def inputs(count: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(0).standard_normal((count, 4, 192)).astype(np.float32)}


def chunks(model: Model) -> list[int]:
    return [op.chunk for op in model.module.walk() if isinstance(op, t.LinearOp)]


def test_a_file_says_what_was_chosen(tmp_path: Path):
    sums, values = {"first": 96, 'a "b".c': 0, "second": SUMS_IN_F32}, {"attention": 64}
    functions = {"first": CORES, "attention": SOFTEX}
    accuracy = Accuracy(0, 0, True, sums, values, "1234", {"metric": "cosine"}, functions=functions)
    path, evidence = tmp_path / "a.toml", {"asked": 0.999, "inputs": 3, "what": "x"}
    path.write_text(accuracy_text(accuracy, "mlp", evidence, {("sums", "first"): "a note"}))
    assert '"second" = "f32"' in path.read_text()
    assert read_accuracy(path) == accuracy
    assert accuracy_of(str(path)) == accuracy


def test_a_figure_is_of_the_choice_it_was_measured_for(tmp_path: Path):
    bound = Bound(0.999).record(0.9995)
    path = tmp_path / "a.toml"
    path.write_text(accuracy_text(Accuracy(0, 0, True, {"first": 96}, bound=bound), "mlp", {}))
    assert read_accuracy(path).bound == bound
    path.write_text(path.read_text().replace('"first" = 96', '"first" = 192'))
    edited = read_accuracy(path).bound
    assert "held_out" not in edited
    y = {"y": np.ones((2, 3), np.float32)}
    assert "kept; the choice was edited since it was measured" in kept(edited, y, y, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 2", "expected version = 1, found 2"),
        ("version = 1\nsum = 1", "expected version, model, .*, found sum"),
        ("version = 1\norder = 1", "order: expected true or false, found 1"),
        ("version = 1\n[sums]\na = 1.5", "sums: layer 'a': expected how many .* found 1.5"),
        ('version = 1\n[sums]\na = "cores"', "a break, 0 for all, or \"f32\", found 'cores'"),
        ("version = 1\n[functions]\na = 1", 'expected "softex" or "cores", found 1'),
        ("version = 1\n[sums]\na = true", "sums: layer 'a': expected how many .* found True"),
        ("version = 1\nvalues = 3", "values: expected a table of layers, found 3"),
        ("version = 1\ncores = true\n[sums]\na = 32", "cores = true sums every product in f32"),
        ("version =", "not TOML"),
    ],
)
def test_files_are_read_strictly(text: str, message: str, tmp_path: Path):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_accuracy(path)


def test_a_file_names_layers_that_there_are():
    model = mlp()
    Compilation.of(model, accuracy=Accuracy(0, 0, True, {"first": 96}))
    assert chunks(model) == [96, 384, 32]
    for sums, message in (
        ({"fourth": 32}, "sums of layer 'fourth': no linear layer has this name"),
        ({"first": 100}, "'first': expected a multiple of 32 that divides 192, or 0 for all"),
    ):
        with pytest.raises(UserError, match=message):
            Compilation.of(mlp(), accuracy=Accuracy(0, 0, True, sums))
    with pytest.raises(UserError, match="values of layer 'first': no attention"):
        Compilation.of(mlp(), accuracy=Accuracy(0, 0, True, {}, {"first": 32}))
    with pytest.raises(UserError, match="is for another model"):
        Compilation.of(mlp(), accuracy=Accuracy(0, 0, True, model="1234"))


def test_the_hash_is_of_operations_and_weights():
    model = mlp()
    assert model_hash(model) == model_hash(mlp())
    name = next(iter(model.weights))
    model.weights.replace(name, model.weights[name] + 1)
    assert model_hash(model) != model_hash(mlp())


def test_the_cheapest_choice_takes_most_for_its_cycles_first():
    layers = [Layer("sums", name, "kind", (0, 64, 32)) for name in "ab"]
    prices = {
        ("sums", "a"): {0: Price(10, 0), 64: Price(4, 10), 32: Price(3, 100)},
        ("sums", "b"): {0: Price(5, 0), 64: Price(2, 1), 32: Price(1, 2)},
    }
    a, b = (layer.key for layer in layers)
    assert cheapest(layers, prices, 15) == {a: 0, b: 0}
    assert cheapest(layers, prices, 11) == {a: 0, b: 32}
    assert cheapest(layers, prices, 5) == {a: 64, b: 32}
    assert cheapest(layers, prices, 0) == {a: 32, b: 32}


def test_bounds_name_metrics_and_outputs():
    assert Bound.of(0.999).title == "cosine of at least 0.999"
    assert Bound.of(0.1, "y:max_error").title == "max_error of y of at most 0.1"
    for value, metric, message in (
        (0.9, "cos", "expected one of cosine, .* found 'cos'"),
        (1.0, "cosine", "expected a cosine above 0 and below 1, found 1"),
        (-1.0, "mean_error", "expected a mean_error above 0"),
    ):
        with pytest.raises(UserError, match=message):
            Bound.of(value, metric)


def test_layers_that_no_kept_output_needs_are_left_out():
    def two_outputs() -> Model:
        b = ModelBuilder("two", [Port("x", (4, 192), "float32")])
        y = b.linear(b.arguments[0], 64, "first")
        return b.finish({"y": y, "z": b.linear(y, 64, "second")})

    kept = OutputChoice(("y",))
    found = choose(two_outputs, Bound.of(0.9), inputs(2), outputs=kept).accuracy
    assert set(found.sums) == {"first"}
    Compilation.of(two_outputs(), accuracy=found, outputs=kept)
    assert set(described(two_outputs, "high", outputs=kept).accuracy.sums) == {"first"}


def test_a_bound_is_met_and_recorded():
    program = softex_mlir.compile(mlp(), accuracy=0.9999, calibrate=inputs(8), self_check=False)
    result = session.run(program, {"x": inputs(1)["x"][0]})
    model = mlp()
    right = evaluate(model.module, model.weights, result.inputs, arithmetic="float32")
    record = json.loads(program.metadata["source"]["bound"])
    assert record["asked"] == 0.9999
    assert record["held_out"] >= 0.9999
    assert "kept; 0.99" in kept(record, result.outputs, right, result.inputs)
    harder = {**record, "asked": 0.999999}
    assert "NOT kept by this input" in kept(harder, result.outputs, right, result.inputs)


def test_a_choice_is_cheap_and_says_what_it_rests_on():
    decision = choose(mlp, Bound.of(0.9995), inputs(4))
    accuracy, evidence = decision.accuracy, decision.evidence
    assert evidence["held_out_inputs"] == 1
    assert evidence["calibration_inputs"] == 3
    # the cores compute a small layer sooner than RedMulE
    assert evidence["forecast_cycles"] < 1.1 * evidence["forecast_cycles_of_whole_sums"]
    assert set(accuracy.sums) == {"first", "second", "third"}
    assert set(decision.notes) == {("sums", layer) for layer in accuracy.sums}
    model = mlp()
    Compilation.of(model, accuracy=accuracy)
    for message, bound, given in (
        ("in f32 on the cores, norms rounded once, reach 0.9999", Bound.of(0.9999999), inputs(4)),
        ("expected at least two inputs", Bound.of(0.9), inputs(1)),
        ("expected an output \\(y\\), found 'z'", Bound.of(0.9, "z:cosine"), inputs(4)),
    ):
        with pytest.raises(UserError, match=message):
            choose(mlp, bound, given)


@pytest.mark.parametrize(("asked", "alone"), [(SOME_ON_CORES, False), (ALL_ON_CORES, True)])
def test_what_no_split_reaches_the_cores_compute(asked: float, alone: bool, tmp_path: Path):
    decision = choose(mlp, Bound.of(asked), inputs(4))
    accuracy, evidence = decision.accuracy, decision.evidence
    assert accuracy.cores == alone
    assert alone or 0 < len(accuracy.in_f32) < 3
    assert evidence["held_out"] >= asked
    path = tmp_path / "a.toml"
    path.write_text(accuracy_text(accuracy, "mlp", evidence, decision.notes))
    assert read_accuracy(path) == accuracy


def gelu_and_attention() -> Model:
    """A layer of every kind that the cores can compute instead of the units."""
    b = ModelBuilder("layers", [Port("x", (40, 64), "float32")])
    x = b.arguments[0]
    bias, rows = b.attention_bias(40)
    y = b.add(t.AttentionOp(x, x, x, bias, heads=2, bias_rows=rows, layer=StringAttr("attention")))
    y = b.linear(y, 96, "first", activation="gelu")
    y = b.linear(y, 64, "second", residual=x)
    return b.finish({"y": b.linear(y, 32, "third")})


@pytest.mark.parametrize(
    "accuracy",
    [
        Accuracy(0, 0, True, {"first": SUMS_IN_F32, "second": 32}),
        Accuracy(
            0, 0, True, {"second": SUMS_IN_F32}, functions={"first": CORES, "attention": CORES}
        ),
        Accuracy(0, 0, True, {"third": SUMS_IN_F32}, {"attention": SUMS_IN_F32}),
    ],
)
def test_some_layers_are_computed_on_the_cores(accuracy: Accuracy):
    """Beside RedMulE and SoftEx, which compute the others: bit for bit, without a race."""
    compilation = Compilation.of(gelu_and_attention(), accuracy=accuracy)
    assert compilation.machine.redmule is not None
    program = compilation.program()
    x = np.random.default_rng(0).standard_normal((40, 64)).astype(np.float32)
    result = session.run(program, {"x": x}, sanitize=True)
    assert result.run.races == ()
    assert check(program, result, {}).identical
    again = Compilation.of(compilation.model)
    assert again.program_bytes == compilation.program_bytes


def test_a_level_can_be_written_down():
    decision = described(mlp, "exact")
    exact, evidence = decision.accuracy, decision.evidence
    assert exact.cores
    assert not exact.sums
    decision = described(mlp, "balanced")
    accuracy, whole = decision.accuracy, decision.evidence
    assert evidence["forecast_cycles"] > whole["forecast_cycles"]
    assert accuracy.sums == {"first": 0, "second": 192, "third": 0}
    model = mlp()
    Compilation.of(model, accuracy=dataclasses.replace(accuracy, sums={**accuracy.sums}))
    assert chunks(model) == [192, 192, 32]


def test_bounds_take_inputs():
    with pytest.raises(UserError, match=r"0.999 is a bound .* expected some to calibrate with"):
        softex_mlir.compile(mlp(), accuracy=0.999)
    with pytest.raises(UserError, match="calibrate and metric are for a bound"):
        softex_mlir.compile(mlp(), accuracy="high", calibrate=inputs(4))
