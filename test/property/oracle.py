"""What a model should compute, what this project makes of it, and how they are compared.

The oracle is ONNX's own reference implementation. A model is either refused with one error for
people, or right: at import and after fusion in float32, and bit for bit on the cluster.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.importers.onnx.blame import OUR_FAULT
from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.pipeline import fuse
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.reference import evaluate

TOLERANCE = 1e-4
"""Of float32 results, relative to the largest expected value."""
NARROW = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
"""Types whose rounding the reference shows and this project's float32 arithmetic does not."""
MACHINE = Machine.load("paper")


def expected_of(model: Any, inputs: dict[str, Any]) -> dict[str, np.ndarray] | None:
    """Results by ONNX's reference implementation; None if it does not know the model."""
    names = [output.name for output in model.graph.output]
    try:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(model).run(names, inputs)
    except Exception:
        # It raises anything on what it does not implement.
        return None
    return {n: np.asarray(f) for n, f in zip(names, found, strict=True)}


def difference(found: Any, expected: np.ndarray, tolerance: float = TOLERANCE) -> str:
    """How a result differs from the expected one; empty if it does not."""
    found = np.asarray(found, np.float64)
    wanted = np.asarray(expected, np.float64)
    if found.shape != wanted.shape:
        return f"shape {found.shape} instead of {wanted.shape}"
    for name, test in (("NaN", np.isnan), ("inf", np.isposinf), ("-inf", np.isneginf)):
        if (test(found) != test(wanted)).any():
            return f"{test(found).sum()} {name} instead of {test(wanted).sum()}"
    finite = np.isfinite(wanted)
    scale = np.abs(wanted[finite]).max(initial=1e-6)
    error = np.abs(found - wanted)[finite].max(initial=0)
    return f"error {error:g} of {scale:g}" if error > tolerance * scale else ""


def refusal(model: Any, inputs: dict[str, Any], *, simulate: bool = False) -> str:
    """Why the model is refused; empty if it is not, and then it is right.

    Raises `AssertionError` on a wrong result, and whatever is no error for people.
    """
    expected = expected_of(model, inputs)
    text = str(model)
    narrow = any(
        f"\n      i: {kind}\n" in text or f"data_type: {kind}\n" in text for kind in NARROW
    )
    tolerance = 2**-7 if narrow else TOLERANCE
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        onnx.save(model, path)
        try:
            imported = import_onnx(path)
            plain = evaluate(imported.module, imported.weights, inputs, arithmetic="float32")
            _compare("at import", plain, expected, tolerance)

            def observe(model: Model) -> None:
                found = evaluate(model.module, model.weights, inputs, arithmetic="float32")
                _compare("after fusion", found, expected, tolerance)

            fuse(imported, MACHINE, observe)
            if simulate:
                _simulate(path, inputs)
        except UserError as error:
            text = str(error)
            assert text, "an empty message"
            assert "Error" not in text, text
            assert OUR_FAULT not in text, text
            return text
    return ""


def _compare(
    where: str, found: dict[str, Any], expected: dict[str, np.ndarray] | None, tolerance: float
) -> None:
    for name, wanted in (expected or {}).items():
        wrong = difference(found[name], wanted, tolerance)
        assert not wrong, f"{where}: {name} has {wrong}"


def _simulate(path: Path, inputs: dict[str, Any]) -> None:
    compilation = Compilation.of(path)
    result = compilation.program().run(inputs)
    wanted = evaluate(compilation.model.module, compilation.model.weights, inputs)
    for name, array in wanted.items():
        found = np.asarray(result.outputs[name])
        assert found.shape == array.shape
        if array.dtype.kind in "bi":
            np.testing.assert_array_equal(found, array)
        else:
            np.testing.assert_array_equal(found.view(np.uint16), array.view(np.uint16))
