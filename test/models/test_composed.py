"""Operators written as others, against ONNX's reference implementation or their formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from oracle import refusal

from softex_mlir.compiler.importers.onnx.importer import import_onnx
from softex_mlir.runtime.onnx_reference import evaluate_onnx
from softex_mlir.runtime.reference import evaluate

RANDOM = np.random.default_rng(6)


def normal(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


def model_of(
    kind: str, inputs: dict[str, Any], constants: dict[int, Any], opset: int = 24, **attributes: Any
) -> Any:
    """A graph of one node; `constants` by the place of the operand, None for absent ones."""
    names = list(inputs)
    for place, array in sorted(constants.items()):
        names.insert(place, "" if array is None else f"c{place}")
    graph = helper.make_graph(
        [helper.make_node(kind, names, ["y"], **attributes)],
        "g",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in inputs.items()
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, f"c{p}") for p, a in constants.items() if a is not None],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def integers(*values: int) -> Any:
    return np.array(values, np.int64)


CASES: list[tuple[str, dict[str, Any], dict[int, Any], dict[str, Any]]] = [
    (
        "TensorScatter",
        {"p": normal(2, 3, 6, 4), "u": normal(2, 3, 2, 4), "i": integers(1, 4)},
        {},
        {},
    ),
    (
        "TensorScatter",
        {"p": normal(2, 6, 4), "u": normal(2, 3, 4), "i": integers(5, 4)},
        {},
        {"axis": 1, "mode": "circular"},
    ),
    ("TensorScatter", {"p": normal(1, 2, 6, 4), "u": normal(1, 2, 1, 4)}, {}, {}),
    ("ReverseSequence", {"x": normal(6, 3, 8)}, {1: integers(6, 2, 4)}, {}),
    (
        "ReverseSequence",
        {"x": normal(3, 6), "i": integers(6, 2, 4)},
        {},
        {"time_axis": 1, "batch_axis": 0},
    ),
    ("DFT", {"x": normal(2, 10, 6, 2)}, {1: None, 2: np.array(1)}, {}),
    ("DFT", {"x": normal(2, 10, 6, 1)}, {}, {"onesided": 1}),
    ("DFT", {"x": normal(2, 10, 6, 2)}, {1: np.array(16), 2: np.array(1)}, {"inverse": 1}),
    ("DFT", {"x": normal(2, 10, 6, 1)}, {1: np.array(4)}, {}),
    (
        "STFT",
        {"x": normal(2, 64, 1)},
        {1: np.array(8), 2: np.hanning(16).astype(np.float32), 3: np.array(16)},
        {"onesided": 1},
    ),
    ("STFT", {"x": normal(2, 64, 1)}, {1: np.array(10), 2: None, 3: np.array(16)}, {"onesided": 0}),
]


@pytest.mark.parametrize(("kind", "inputs", "constants", "attributes"), CASES)
def test_composed(
    kind: str, inputs: dict[str, Any], constants: dict[int, Any], attributes: dict[str, Any]
) -> None:
    assert refusal(model_of(kind, inputs, constants, **attributes), inputs) == ""


def imported(model: Any, inputs: dict[str, Any], path: Path) -> Any:
    onnx.save(model, path)
    found = import_onnx(path)
    return evaluate(found.module, found.weights, inputs, arithmetic="float32")["y"]


@pytest.mark.parametrize("size", [1, 3, 4])
def test_responses_of_all_channels(size: int, tmp_path: Path) -> None:
    """ONNX's own implementation covers as many channels as there are batch elements."""
    x = normal(2, 7, 3, 4)
    model = model_of("LRN", {"x": x}, {}, size=size, alpha=0.2, beta=0.5, bias=2.0)
    total = np.stack(
        [
            (x[:, max(0, c - (size - 1) // 2) : c + size // 2 + 1] ** 2).sum(axis=1)
            for c in range(7)
        ],
        axis=1,
    )
    wanted = x / np.sqrt(2 + 0.2 / size * total)
    np.testing.assert_allclose(imported(model, {"x": x}, tmp_path / "m.onnx"), wanted, rtol=1e-5)
    np.testing.assert_allclose(evaluate_onnx(model, {"x": x}, ["y"])["y"], wanted, rtol=1e-5)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_norms_of_channels(p: int, tmp_path: Path) -> None:
    x = normal(2, 3, 4, 5)
    wanted = (np.abs(x) ** p).sum(axis=(2, 3), keepdims=True) ** (1 / p)
    found = imported(model_of("GlobalLpPool", {"x": x}, {}, p=p), {"x": x}, tmp_path / "m.onnx")
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
