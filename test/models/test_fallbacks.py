"""What is no linear layer and no attention runs as plain products, and bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t
from softex_mlir.runtime.reference import evaluate


def run(model: Model, inputs: dict[str, Any]) -> None:
    """Compile, simulate, compare with the reference evaluator."""
    compilation = Compilation.of(model, "paper")
    result = compilation.program().run(inputs)
    expected = evaluate(compilation.model.module, compilation.model.weights, inputs)
    for name, array in expected.items():
        found = np.asarray(result.outputs[name]).view(np.uint16)
        np.testing.assert_array_equal(found, array.view(np.uint16))


@pytest.mark.parametrize("shape", [((1, 20), (20, 64)), ((2, 20, 32), (2, 32, 20))])
def test_product_of_activations(shape: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    ports = [Port("a", shape[0], "float32"), Port("b", shape[1], "float32")]
    b = ModelBuilder("product", ports)
    # The second operand is computed by an earlier launch: the product has to wait for it.
    late = b.add(t.MulOp(b.arguments[1], b.arguments[1])) if len(shape[1]) == 2 else b.arguments[1]
    y = b.add(t.MatmulOp(b.arguments[0], late))
    random = np.random.default_rng(0)
    inputs = {p.name: random.standard_normal(p.shape).astype(np.float32) for p in ports}
    run(b.finish({"y": y}), inputs)
