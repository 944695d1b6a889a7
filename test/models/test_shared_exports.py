"""PyTorch exports must import, and their bit-exact evaluation must be close to PyTorch's FP32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.compiler.pipeline import fuse
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.quality.metrics import compare
from softex_mlir.runtime.reference import evaluate

MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"


@pytest.mark.parametrize("name", ["vit_s.dynamo", "distilbert_s.script", "gpt2_s.dynamo"])
def test_cosine_with_pytorch(name: str) -> None:
    path = MODELS / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    model = import_onnx(path)
    placement = fuse(model, Machine.load("paper"))
    with np.load(MODELS / f"{name}.npz") as file:
        inputs = {port.name: file[port.name] for port in model.inputs}
        expected = file["out_0"]
    exact = evaluate(model.module, model.weights, inputs)["out_0"]
    bf16 = evaluate(model.module, model.weights, inputs, arithmetic="bf16")["out_0"]
    assert compare(exact, expected).cosine >= 0.995
    assert compare(bf16, expected).cosine >= 0.999
    assert sum(p.op == "attention" for p in placement) == 2
    assert all(p.unit and p.reason for p in placement)
