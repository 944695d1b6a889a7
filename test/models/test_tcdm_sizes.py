"""Shrinking the TCDM changes tiles and cycles, never a bit: models x sizes down to the smallest."""

import numpy as np
import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.compiler.models.vit import vit
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.reference import evaluate
from softex_mlir.runtime.session import random_inputs

MODELS = {
    "vit-192": lambda: vit(image=64, patch=16, hidden=192, layers=1, heads=3, classes=10),
    "vit-96-batch-2": lambda: vit(
        image=64, patch=16, hidden=96, layers=1, heads=3, classes=10, batch=2
    ),
    "demo-gpt2": BUILTIN["demo-gpt2"],
}


@pytest.mark.parametrize("kib", [128, 64, 48, 32])
@pytest.mark.parametrize("name", list(MODELS))
def test_outputs_do_not_depend_on_the_tcdm(name: str, kib: int) -> None:
    machine = Machine.load("paper").with_tcdm_bytes(kib * 1024)
    compilation = Compilation.of(MODELS[name](), machine)
    program = compilation.program()
    inputs = random_inputs(program, 1)
    found = program.run(inputs).outputs
    model = compilation.model
    expected = evaluate(model.module, model.weights, inputs, machine=machine)
    for key, value in expected.items():
        assert np.array_equal(found[key].view(np.uint16), value.view(np.uint16)), key
