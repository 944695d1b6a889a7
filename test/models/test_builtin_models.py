"""Built-in models: valid, deterministic, unchanged by fusion, round-trip with their weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from softex_mlir.compiler.compilation_context import CompilationContext
from softex_mlir.compiler.model import Model, read_model, write_model
from softex_mlir.compiler.models import BUILTIN, single_operation
from softex_mlir.compiler.pipeline import fuse
from softex_mlir.compiler.transforms.transformer.canonicalize_transformer import (
    CanonicalizeTransformerPass,
)
from softex_mlir.compiler.transforms.transformer.drop_unread import DropUnreadPass
from softex_mlir.compiler.weights import WeightError, WeightStore
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.quality.metrics import compare
from softex_mlir.runtime.reference import EvaluationError, evaluate

DEMOS = ("demo-vit", "demo-bert", "demo-gpt2")


def inputs_of(model: Model) -> dict[str, np.ndarray]:
    """Some inputs."""
    random = np.random.default_rng(0)
    return {
        p.name: random.integers(0, 2, p.shape)
        if p.dtype == "int64"
        else random.standard_normal(p.shape).astype(np.float32)
        for p in model.inputs
    }


@pytest.mark.parametrize("name", DEMOS)
def test_fused_already(name: str) -> None:
    model = BUILTIN[name]()
    model.module.verify()
    model.weights.check(model.module)
    context = CompilationContext(weights=model.weights)
    for step in (DropUnreadPass(), CanonicalizeTransformerPass()):
        step.apply(context, model.module)
    before = [op.name for op in model.module.walk()]
    fuse(model, Machine.load("paper"))
    after = [op.name for op in model.module.walk()]
    assert sorted(after) == sorted(before)


@pytest.mark.parametrize("name", DEMOS)
def test_exact_is_close_to_float(name: str) -> None:
    model = BUILTIN[name]()
    inputs = inputs_of(model)
    exact = evaluate(model.module, model.weights, inputs)
    plain = evaluate(model.module, model.weights, inputs, arithmetic="float32")
    for port in model.outputs:
        assert compare(exact[port.name], plain[port.name]).cosine > 0.99


def test_same_seed_same_weights() -> None:
    first, second = (BUILTIN["demo-vit"]() for _ in range(2))
    assert str(first.module) == str(second.module)
    for name, array in first.weights.items():
        np.testing.assert_array_equal(array.view(np.uint16), second.weights[name].view(np.uint16))


def test_write_and_read(tmp_path: Path) -> None:
    model = BUILTIN["demo-bert"]()
    write_model(model, tmp_path / "m.mlir")
    again = read_model(tmp_path / "m.mlir")
    assert str(again.module) == str(model.module)
    assert again.inputs == model.inputs
    inputs = inputs_of(model)
    found = evaluate(again.module, again.weights, inputs)
    expected = evaluate(model.module, model.weights, inputs)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name].view(np.uint16), array.view(np.uint16))


def test_weights_file_is_safetensors(tmp_path: Path) -> None:
    from safetensors import safe_open

    model = BUILTIN["demo-vit"]()
    model.weights.save(tmp_path / "w.safetensors")
    with safe_open(tmp_path / "w.safetensors", framework="np") as file:
        assert set(file.keys()) == set(model.weights)


def test_weights_missing(tmp_path: Path) -> None:
    model = BUILTIN["demo-vit"]()
    (tmp_path / "m.mlir").write_text(str(model.module))
    with pytest.raises(WeightError, match=r"m\.safetensors, which does not exist"):
        read_model(tmp_path / "m.mlir")
    (tmp_path / "m.safetensors").write_bytes(b"nonsense")
    with pytest.raises(WeightError, match=r"not a .*safetensors file"):
        read_model(tmp_path / "m.mlir")
    WeightStore().save(tmp_path / "m.safetensors")
    with pytest.raises(WeightError, match="has no data"):
        read_model(tmp_path / "m.mlir")


@pytest.mark.parametrize("kind", ["softmax", "gelu", "layer_norm"])
def test_single_operation(kind: str) -> None:
    model = single_operation(kind, 4, 40)
    inputs = inputs_of(model)
    exact = evaluate(model.module, model.weights, inputs)["y"]
    plain = evaluate(model.module, model.weights, inputs, arithmetic="float32")["y"]
    assert compare(exact, plain).cosine > 0.999


def test_input_errors() -> None:
    model = BUILTIN["demo-bert"]()
    with pytest.raises(EvaluationError, match="inputs input_ids are missing"):
        evaluate(model.module, model.weights, {})
    with pytest.raises(EvaluationError, match=r"expected shape \(1, 24\), found \(1, 23\)"):
        evaluate(model.module, model.weights, {"input_ids": np.zeros((1, 23), np.int64)})
    with pytest.raises(EvaluationError, match=r"token ids must be in 0\.\.199"):
        evaluate(model.module, model.weights, {"input_ids": np.full((1, 24), 200)})
