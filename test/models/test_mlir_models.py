"""Models as torch-mlir and iree print them (linalg on tensors), compiled and run.

The files of `mlir/` and PyTorch's inputs and FP32 outputs beside them were made by torch-mlir
20261001, and by iree-import-onnx and `iree-compile --compile-to=input` 3.13, from modules with
random weights.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import softex_mlir
from softex_mlir.compiler.driver import Compilation
from softex_mlir.runtime.check import check
from softex_mlir.runtime.quality.metrics import compare

FOLDER = Path(__file__).parent / "mlir"
FUSED = {
    "mlp": {"linear": 2},
    "mlp_bf16": {"linear": 2},
    "vit_block": {"linear": 4, "attention": 1, "layer_norm": 2},
    "vit_block_iree": {"linear": 4, "attention": 1, "layer_norm": 2},
    "bert_layer": {
        **{"embedding": 2, "add": 2, "layer_norm": 3, "linear": 7},
        **{"attention": 1, "mask_to_bias": 1, "tanh": 1},
    },
}
"""Operations that compute, of each model: nothing is left over."""
VIEWS = ("get_weight", "slice", "reshape")


@pytest.mark.parametrize("name", FUSED)
def test_a_model_is_fused_and_computes_what_pytorch_does(name: str) -> None:
    path = FOLDER / f"{name}.mlir"
    compilation = Compilation.of(path)
    kinds = Counter(
        op.name.removeprefix("transformer.")
        for op in compilation.model.main.body.block.ops
        if op.name.startswith(("transformer.", "linalg."))
    )
    assert {k: n for k, n in kinds.items() if k not in VIEWS} == FUSED[name]
    program = compilation.program()
    data = np.load(path.with_suffix(".npz"))
    result = program.run({port.name: data[port.name] for port in program.inputs})
    outputs = {port.name: data[port.name] for port in program.outputs}
    report = check(program, result, outputs)
    assert report.identical
    for output in report.outputs:
        assert output.quality is not None
        assert output.quality.cosine > 0.9995


@pytest.mark.parametrize("form", ["generic", "loc"])
def test_generic_form_and_locations_change_nothing(form: str) -> None:
    data = np.load(FOLDER / "mlp.npz")
    plain, other = (
        softex_mlir.compile(FOLDER / f"mlp{suffix}.mlir").run({"arg0": data["arg0"]}).outputs
        for suffix in ("", f"_{form}")
    )
    assert compare(plain["output_0"], other["output_0"]).max_error == 0
