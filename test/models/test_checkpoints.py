"""Users' weights: small checkpoints of every architecture against what `transformers` computes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import softex_mlir
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import built_in
from softex_mlir.errors import UserError
from softex_mlir.runtime.reference import evaluate

CHECKPOINTS = Path(__file__).parent / "checkpoints"
NAMES = ("bert", "roberta", "distilbert", "vit", "gpt2", "llama", "qwen2")
MASKED = ("bert", "roberta", "distilbert")


def recorded(name: str) -> dict[str, np.ndarray]:
    with np.load(CHECKPOINTS / name / "expected.npz") as file:
        return dict(file)


def sizes(name: str) -> dict[str, int]:
    return {"batch": 2} if name == "vit" else {"batch": 2, "tokens": 12}


@pytest.mark.parametrize("name", [*NAMES, "mistral"])
def test_architectures_compute_what_transformers_computes(name: str):
    model = built_in(name, sizes(name), CHECKPOINTS / name / "model.safetensors")
    arrays = recorded(name)
    inputs = {port.name: arrays[port.name] for port in model.inputs}
    found = evaluate(model.module, model.weights, inputs, arithmetic="float32")
    assert found
    for key, value in found.items():
        expected, rows = arrays[key], slice(None)
        if name in MASKED and key == "last_hidden_state":
            # what masked tokens become is nobody's business
            assert np.abs(value[1, :9] - expected[1, :9]).max() < 1e-4
            rows = slice(0, 1)
        assert np.abs(value[rows] - expected[rows]).max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_programs_are_bit_identical_and_close(name: str):
    weights = CHECKPOINTS / name / "model.safetensors"
    program = softex_mlir.compile(name, weights=weights, sizes=sizes(name))
    arrays = recorded(name)
    inputs = {port.name: arrays[port.name] for port in program.inputs}
    result = program.run(inputs)
    model = Compilation.of(built_in(name, sizes(name), weights)).model
    exact = evaluate(model.module, model.weights, inputs)
    for key, value in exact.items():
        assert np.array_equal(
            np.asarray(result.outputs[key], np.float32), value.astype(np.float32), equal_nan=True
        )
        a, b = value[:1].astype(np.float64).ravel(), arrays[key][:1].astype(np.float64).ravel()
        assert a @ b > 0.995 * np.linalg.norm(a) * np.linalg.norm(b)


def copy(name: str, folder: Path, **changes: object) -> Path:
    """A checkpoint with other fields in its configuration."""
    shutil.copytree(CHECKPOINTS / name, folder / name)
    config = folder / name / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    return folder / name / "model.safetensors"


@pytest.mark.parametrize(
    ("name", "family", "changes", "message"),
    [
        ("bert", "roberta", {}, "model_type 'bert' is no 'roberta': compile it as 'bert'"),
        ("bert", "bert", {"hidden_size": 64}, r"has shape \[60, 32\], expected \[60, 64\]"),
        ("bert", "bert", {"num_hidden_layers": 3}, "16 tensors are missing: encoder.layer.2"),
        ("bert", "bert", {"hidden_act": "mish"}, "hidden_act: expected one of gelu"),
        ("bert", "bert", {"position_embedding_type": "relative_key"}, "is not supported"),
        ("bert", "bert", {"hidden_size": "32"}, "expected a positive integer, found '32'"),
        ("llama", "llama", {"rope_scaling": {"factor": 2}}, "rope_scaling is not supported"),
        ("gpt2", "gpt2", {"scale_attn_by_inverse_layer_idx": True}, "is not supported"),
    ],
)
def test_what_does_not_fit_is_refused(
    name: str, family: str, changes: dict[str, object], message: str, tmp_path: Path
):
    with pytest.raises(UserError, match=message):
        built_in(family, {}, copy(name, tmp_path, **changes))


def test_what_is_left_over_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    built_in("bert", {}, copy("bert", tmp_path, num_hidden_layers=1))
    assert "not used: encoder.layer.1.* (16)\n" in caplog.text


def test_sizes_are_checked():
    weights = CHECKPOINTS / "bert" / "model.safetensors"
    with pytest.raises(UserError, match=r"25 tokens: .* allows 24 positions at most"):
        built_in("bert", {"tokens": 25}, weights)
    with pytest.raises(UserError, match="vit-base has no tokens; it takes batch, layers"):
        built_in("vit-base", {"tokens": 25})
    with pytest.raises(UserError, match="bert: an architecture needs --weights"):
        built_in("bert", {})


def test_broken_files_are_refused(tmp_path: Path):
    for content in (b"", b"\x08" + bytes(7) + b"{}      ", b"\xff" * 64):
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        shutil.copy(CHECKPOINTS / "bert" / "config.json", tmp_path)
        with pytest.raises(UserError, match=r"safetensors|missing"):
            built_in("bert", {}, path)
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(UserError, match="expected an object"):
        built_in("bert", {}, path)
