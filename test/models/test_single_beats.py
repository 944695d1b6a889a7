"""Rows of one beat, which the published SoftEx drops: GELU and softmax on few elements."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto, helper
from onnx_harness import Graph

from softex_mlir.abi import Port
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check


@pytest.mark.parametrize("kind", ["Gelu", "Softmax"])
@pytest.mark.parametrize("shape", [(1, 15), (1, 16), (2, 8), (2, 7), (16, 1), (2, 2, 4)])
def test_one_beat(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    graph = Graph(opset=20)
    graph.node(kind, "x")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    graph.save(tmp_path / "m.onnx", [x], "y")
    program = Compilation.of(tmp_path / "m.onnx").program()
    assert check(program, session.run(program), {}).identical


@pytest.mark.parametrize(
    ("settings", "rows", "columns"),
    [(["softex.lanes=32"], 1, 32), (["softex.lanes=8", "redmule.shape=1x1x1"], 25, 8)],
)
def test_one_beat_behind_a_product(settings: list[str], rows: int, columns: int) -> None:
    ports = [Port("x", (rows, 32), "float32"), Port("r", (rows, columns), "float32")]
    builder = ModelBuilder("one beat", ports)
    x, residual = builder.arguments
    y = builder.linear(x, columns, "linear", activation="gelu", residual=residual)
    machine = Machine.load().with_settings(settings)
    program = Compilation.of(builder.finish({"y": y}), machine).program()
    assert check(program, session.run(program), {}).identical
