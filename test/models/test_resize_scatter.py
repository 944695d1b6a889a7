"""Resize, Scatter and ScatterND against ONNX's reference implementation, some as programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from softex_mlir.compiler.driver import Compilation
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.reference import evaluate

MACHINE = Machine.load("paper")
X = (np.random.default_rng(7).integers(-16, 17, (1, 2, 6, 4)) / 8).astype(np.float32)


def compare(path: Path, node: Any, constants: dict[str, Any], *, simulate: bool = False) -> None:
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", 19)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    reference: Any = ReferenceEvaluator(onnx.load(path))
    wanted = reference.run(None, {"x": X})[0]
    compilation = Compilation.of(path, MACHINE)
    model = compilation.model
    found = np.asarray(evaluate(model.module, model.weights, {"x": X})["y"]).astype(np.float32)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 0.02 * np.abs(wanted).max()
    if simulate:
        program = compilation.program()
        assert check(program, session.run(program, {"x": X}), {"x": X}).identical


PLACES = ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("sizes", [(12, 8), (3, 7)], ids=["twice", "uneven"])
def test_resize(tmp_path: Path, mode: str, place: str, sizes: tuple[int, int]) -> None:
    node = helper.make_node(
        "Resize", ["x", "", "", "sizes"], ["y"], mode=mode, coordinate_transformation_mode=place
    )
    constants = {"sizes": np.array([1, 2, *sizes])}
    compare(tmp_path / "m.onnx", node, constants, simulate=place == "half_pixel")


@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
def test_nearest(tmp_path: Path, rounding: str) -> None:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], nearest_mode=rounding)
    compare(tmp_path / "m.onnx", node, {"s": np.array([1, 1, 0.6, 1.5], np.float32)})


def test_antialias(tmp_path: Path) -> None:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear", antialias=1)
    compare(tmp_path / "m.onnx", node, {"s": np.array([1, 1, 0.5, 0.5], np.float32)})


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_scatter_elements(tmp_path: Path, reduction: str) -> None:
    node = helper.make_node("ScatterElements", ["x", "i", "u"], ["y"], axis=2, reduction=reduction)
    indices = np.array([[[[0, 5, -1], [1, 2, 3]]]])
    updates = np.arange(6, dtype=np.float32).reshape(indices.shape) / 2
    compare(tmp_path / "m.onnx", node, {"i": indices, "u": updates}, simulate=reduction == "none")


@pytest.mark.parametrize("reduction", ["none", "add"])
def test_scatter_nd(tmp_path: Path, reduction: str) -> None:
    node = helper.make_node("ScatterND", ["x", "i", "u"], ["y"], reduction=reduction)
    updates = np.arange(8, dtype=np.float32).reshape(2, 4) / 2
    constants = {"i": np.array([[0, 1, 2], [0, 0, -1]]), "u": updates}
    compare(tmp_path / "m.onnx", node, constants, simulate=True)
