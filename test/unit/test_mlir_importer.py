"""What is made of functions of linear algebra, against their evaluation as they are written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from softex_mlir.compiler.driver import load_model
from softex_mlir.compiler.importers.mlir.importer import SourceModule, graph_of, read_source
from softex_mlir.errors import UserError
from softex_mlir.runtime.mlir_reference import evaluate_mlir

TEXT = (Path(__file__).parent / "linear_algebra.mlir").read_text("utf-8")
FUNCTIONS = dict(part.split("\n", 1) for part in TEXT.split("\n// ----- ")[1:])


def sample(source: SourceModule) -> dict[str, np.ndarray]:
    """Random inputs; integers are small and not negative."""
    random = np.random.default_rng(0)
    return {
        name: random.integers(0, 7, shape).astype(dtype)
        if dtype.kind in "iu"
        else random.standard_normal(shape).astype(np.float32)
        for name, shape, dtype in source.inputs
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_what_it_says(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.mlir"
    path.write_text(FUNCTIONS[name])
    source = read_source(path)
    inputs = sample(source)
    expected = evaluate_mlir(path, inputs)
    evaluator: Any = ReferenceEvaluator(graph_of(source))
    found = evaluator.run(None, inputs)
    assert len(found) == len(expected)
    for array, wanted in zip(found, expected.values(), strict=True):
        np.testing.assert_allclose(array, wanted, rtol=2e-5, atol=1e-6, strict=True)


BODY = (
    "func.func @main(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {{\n"
    "{}\n  return %0 : tensor<2x3xf32>\n}}"
)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            "func.func @main(%a: tensor<?x4xf32>) -> tensor<?x4xf32> {\n"
            "  %0 = arith.addf %a, %a : tensor<?x4xf32>\n  return %0 : tensor<?x4xf32>\n}",
            "",
            "expected static shapes, found tensor<?x4xf32>",
        ),
        (
            BODY.format('  %0 = "linalg.pooling"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>'),
            ":2:3",
            "linalg.pooling: is not supported here",
        ),
        (
            BODY.format("  %0 = chlo.erf %a : tensor<2x3xf32> -> tensor<2x3xf32>"),
            ":2:17",
            "--stablehlo-legalize-to-linalg",
        ),
        (
            BODY.format("  %0 = mine.erf %a : tensor<2x3xf32>"),
            ":2:17",
            "print other dialects in generic form",
        ),
        (
            BODY.format("  %0 = arith.constant dense_resource<w> : tensor<2x3xf32>"),
            ":2:3",
            "the data of dense_resource<w> is not in the file",
        ),
        (
            BODY.format("  %0 = math.atan2 %a, %a : tensor<2x3xf32>"),
            ":2:3",
            "math.atan2: is not supported here",
        ),
        (
            "func.func @one(%a: tensor<3xf32>) -> tensor<3xf32> {\n  return %a : tensor<3xf32>\n}\n"
            "func.func @two(%a: tensor<3xf32>) -> tensor<3xf32> {\n"
            "  %0 = arith.addf %a, %a : tensor<3xf32>\n  return %0 : tensor<3xf32>\n}",
            "",
            "expected a function @main, found @one, @two",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(
    text: str, place: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.mlir"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        load_model(path, {})
    assert str(error.value).startswith(f"{path}{place}: error: ")
    assert message in str(error.value)
