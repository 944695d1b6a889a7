"""Torch modules, compiled from memory; skipped where torch or transformers is not installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sampling import matrix

import softex_mlir
from softex_mlir.errors import UserError

CHECKPOINTS = Path(__file__).parent / "checkpoints"


@pytest.fixture(name="torch")
def torch_() -> Any:
    return pytest.importorskip("torch", reason="torch is not installed (the extra `torch`)")


def mlp(torch: Any, dtype: Any = None) -> Any:
    torch.manual_seed(0)
    layers = torch.nn.Linear(64, 128), torch.nn.Dropout(), torch.nn.GELU(), torch.nn.Linear(128, 32)
    return torch.nn.Sequential(*layers).to(dtype or torch.float32)


def test_a_module_compiles_in_evaluation_mode_and_stays_as_it_is(torch: Any):
    module, x = mlp(torch), torch.randn(8, 64)
    program = softex_mlir.compile(module, example_inputs=x)
    assert module.training
    (found,) = program.run(x).outputs.values()
    assert isinstance(found, torch.Tensor)
    assert float((found - module.eval()(x)).abs().max()) < 0.05
    named = program.run({program.inputs[0].name: x.numpy()}).outputs
    assert all(isinstance(array, np.ndarray) for array in named.values())


def test_half_precision_modules_compile(torch: Any):
    module, x = mlp(torch, torch.float16), torch.randn(8, 64, dtype=torch.float16)
    (found,) = softex_mlir.compile(module, example_inputs=(x,)).run([x]).outputs.values()
    assert float((found - module.eval()(x).float()).abs().max()) < 0.05


def test_a_saved_program_compiles(torch: Any, tmp_path: Path):
    module, x = mlp(torch).eval(), torch.randn(8, 64)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "mlp.pt2")
    program = softex_mlir.compile(tmp_path / "mlp.pt2")
    assert program.metadata["model"] == "mlp"
    (found,) = program.run(x).outputs.values()
    assert float((found - module(x)).abs().max()) < 0.05


def test_what_cannot_be_is_said(torch: Any):
    with pytest.raises(UserError, match="a torch module needs example_inputs"):
        softex_mlir.compile(mlp(torch))
    with pytest.raises(UserError, match=r"torch\.onnx\.export fails"):
        softex_mlir.compile(mlp(torch), example_inputs=torch.randn(8, 63))
    program = softex_mlir.compile(mlp(torch), example_inputs=torch.randn(8, 64))
    with pytest.raises(UserError, match="expected 1 inputs"):
        program.run([torch.randn(8, 64)] * 2)
    with pytest.raises(UserError, match=r"expected shape \(8, 64\)"):
        program.run(torch.randn(4, 64))


MODELS: Mapping[str, str] = {
    "bert": "BertModel",
    "distilbert": "DistilBertModel",
    "vit": "ViTForImageClassification",
    "gpt2": "GPT2LMHeadModel",
    "llama": "LlamaForCausalLM",
}


@matrix("name", list(MODELS), short=2)
def test_families_compile_from_torch(name: str, torch: Any):
    reason = "transformers is not installed (the extra `torch`)"
    transformers: Any = pytest.importorskip("transformers", reason=reason)
    importlib.import_module("transformers.models.auto")
    model = getattr(transformers, MODELS[name]).from_pretrained(CHECKPOINTS / name)
    model = model.to(torch.float32).eval()
    model.config.use_cache = False
    with np.load(CHECKPOINTS / name / "expected.npz") as file:
        arrays = dict(file)
    key = "pixel_values" if name == "vit" else "input_ids"
    inputs = {key: torch.from_numpy(arrays[key])}
    program = softex_mlir.compile(model, example_inputs=inputs)
    with torch.no_grad():
        expected = model(**inputs)[0].numpy().astype(np.float64).ravel()
    outputs: dict[str, Any] = dict(program.run(inputs).outputs)
    found = next(iter(outputs.values())).numpy().astype(np.float64).ravel()
    cosine = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
    assert cosine > 0.995
