"""A small TCDM: row-wise operations take what they need, products get the rest."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_harness import Graph

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.schedule.search.capacity import CapacityError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

PAPER = Machine.load()

NODES = {
    "LayerNormalization": ("x", "gamma", "beta"),
    "Softmax": ("x",),
    "Tanh": ("x",),
    "Add": ("x", "gamma"),
    "Concat": ("x", "x"),
}


def model_of(kind: str, columns: int, path: Path) -> Path:
    """A row-wise operation and a product with weights behind it."""
    graph = Graph()
    vectors = {name: graph.weight(columns) for name in ("gamma", "beta")}
    attributes = {"axis": 0} if kind == "Concat" else {}
    rows = graph.node(kind, *(vectors.get(name, name) for name in NODES[kind]), **attributes)
    nodes = [*graph.nodes, helper.make_node("MatMul", [rows, graph.weight(columns, 32)], ["y"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, columns])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 32])
    whole = helper.make_graph(nodes, "small", [x], [y], graph.initializers)
    onnx.save(helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


@pytest.mark.parametrize("kind", NODES)
def test_rows_take_what_they_need_where_products_need_the_rest(kind: str, tmp_path: Path):
    path = model_of(kind, 128, tmp_path / "m.onnx")
    program = Compilation.of(path, PAPER.with_tcdm_bytes(11776)).program()
    assert check(program, session.run(program), {}).identical


def test_what_is_too_small_is_said_with_what_the_rows_need(tmp_path: Path):
    path = model_of("Softmax", 64, tmp_path / "m.onnx")
    with pytest.raises(CapacityError, match=r"the smallest tile needs 6144 bytes"):
        Compilation.of(path, PAPER.with_tcdm_bytes(8192)).program()
    path = model_of("Softmax", 2048, tmp_path / "m.onnx")
    with pytest.raises(CapacityError, match=r"needs 8192 bytes of TCDM"):
        Compilation.of(path, PAPER.with_tcdm_bytes(8192)).program()


def test_everything_that_fits_no_memory_is_one_report(tmp_path: Path):
    """Attention of two lengths, one of them twice."""
    graph = Graph()
    ends: list[str] = []
    for number, keys in enumerate((256, 320, 256)):
        wide = graph.weight(1, 2, keys, 64)
        scores = graph.node(
            "MatMul", f"x{number}", graph.node("Transpose", wide, perm=[0, 1, 3, 2])
        )
        ends.append(graph.node("MatMul", graph.node("Softmax", scores, axis=-1), wide))
    graph.node("Concat", *ends, axis=3)
    ports = [
        helper.make_tensor_value_info(f"x{n}", TensorProto.FLOAT, [1, 2, 64, 64]) for n in range(3)
    ]
    graph.save(tmp_path / "m.onnx", ports, "y")
    with pytest.raises(CapacityError) as told:
        Compilation.of(tmp_path / "m.onnx", PAPER.with_tcdm_bytes(24 * 1024)).program()
    text = str(told.value)
    assert text.count("attention (layer") == 2
    assert "and 1 more)" in text
    assert "2 things do not fit the TCDM:" in text
    assert "the nearest that works: cluster.tcdm_bytes = " in text
