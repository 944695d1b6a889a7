"""Places that GridSample reads are float32: 1/256 of 64 elements is a quarter of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from softex_mlir.compiler.driver import Compilation, load_model
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

WIDTH = 64


def test_places_between_numbers_of_bf16(tmp_path: Path) -> None:
    node = helper.make_node("GridSample", ["x", "grid"], ["y"], align_corners=1)
    shapes = {"x": [1, 1, 2, WIDTH], "grid": [1, 1, 9, 2]}
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, 9])
    graph = helper.make_graph([node], "g", inputs, [output])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
    places = np.linspace(40.1, 40.9, 9)
    grid = np.zeros((1, 1, 9, 2), np.float32)
    grid[..., 0] = places * 2 / (WIDTH - 1) - 1
    image = np.tile(np.arange(WIDTH, dtype=np.float32) % 2, (1, 1, 2, 1))
    program = Compilation.of(load_model(path, {}), Machine.load("paper")).program()
    given = {"x": image, "grid": grid}
    result = session.run(program, given)
    assert check(program, result, given).identical
    found = np.asarray(result.outputs["y"], np.float32).ravel()
    np.testing.assert_allclose(found, places - 40, atol=4e-3)
