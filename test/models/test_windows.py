"""Windows, extremes and arrangements: ONNX's results, and the program's bits at two TCDM sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_harness import Graph

from softex_mlir.compiler.driver import Compilation
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.check import check
from softex_mlir.runtime.experiments.conformance import NodeCase, run_case
from softex_mlir.runtime.onnx_reference import evaluate_onnx
from softex_mlir.runtime.session import run

MACHINES = [Machine.load("paper"), Machine.load("paper").with_tcdm_bytes(32768)]
SHAPE = (2, 6, 9, 11)


def filters(seed: int, *shape: int) -> np.ndarray:
    return (np.random.default_rng(seed).integers(-16, 16, shape) / 64).astype(np.float32)


CASES: dict[str, tuple[str, dict[str, Any], dict[str, np.ndarray]]] = {
    "strides, pads and dilations": (
        "Conv",
        {"strides": [2, 1], "pads": [1, 2, 0, 1], "dilations": [1, 2]},
        {"w": filters(1, 5, 6, 3, 3), "b": filters(2, 5)},
    ),
    "groups": (
        "Conv",
        {"group": 3, "pads": [1, 1, 1, 1]},
        {"w": filters(1, 6, 2, 3, 3), "b": filters(2, 6)},
    ),
    "depthwise": ("Conv", {"group": 6, "strides": [2, 2]}, {"w": filters(1, 6, 1, 3, 3)}),
    "transposed": (
        "ConvTranspose",
        {"strides": [2, 3], "pads": [1, 0, 1, 1], "output_padding": [1, 0]},
        {"w": filters(1, 6, 2, 3, 4)},
    ),
    "average without padding": (
        "AveragePool",
        {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 0]},
        {},
    ),
    "average, ceiling": (
        "AveragePool",
        {
            "kernel_shape": [3, 3],
            "strides": [2, 2],
            "pads": [1, 1, 1, 1],
            "ceil_mode": 1,
            "count_include_pad": 1,
        },
        {},
    ),
    "maximum": (
        "MaxPool",
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "dilations": [1, 2]},
        {},
    ),
    "largest place": ("ArgMax", {"axis": 1, "keepdims": 0}, {}),
    "smallest place": ("ArgMin", {"axis": -1, "select_last_index": 1}, {}),
    "largest only": ("Hardmax", {"axis": 1}, {}),
    "reflected": ("Pad", {"mode": "reflect"}, {"p": np.array([0, 0, 2, 3, 0, 0, 1, 2])}),
    "triangle": ("Trilu", {"upper": 0}, {"k": np.array(1)}),
    "repeated": ("Tile", {}, {"r": np.array([1, 2, 1, 3])}),
    "running sums": ("CumSum", {"reverse": 1}, {"a": np.array(2)}),
}


def prepared(name: str, shape: tuple[int, ...], constants: Mapping[str, np.ndarray]) -> NodeCase:
    kind, attributes, _ = CASES[name]
    node = helper.make_node(kind, ["x", *constants], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "window",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, n) for n, array in constants.items()],
    )
    model: Any = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10
    )
    if kind.startswith("Arg"):
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    # quarters tie often: places of extremes have to be the first or the last
    x = (np.random.default_rng(5).integers(-9, 9, shape) / 4).astype(np.float32)
    return NodeCase(name, kind, model, {"x": x}, evaluate_onnx(model, {"x": x}, ["y"]))


@pytest.mark.parametrize("machine", MACHINES, ids=["256 KiB", "32 KiB"])
@pytest.mark.parametrize("name", CASES)
def test_program(name: str, machine: Machine) -> None:
    outcome = run_case(prepared(name, SHAPE, CASES[name][2]), machine, simulate=True)
    assert (outcome.verdict, outcome.reason) == ("passed", "")


@pytest.mark.parametrize(("stride", "kernel"), [(1, 3), (2, 3), (2, 1), (3, 9)])
def test_windows_are_gathered_by_rows(stride: int, kernel: int, tmp_path: Path) -> None:
    """61 cycles an element of a window where the cores went window by window, 3 elements a row."""
    size, channels = 33, 8
    b = filters(1, 16, channels, kernel, kernel)
    graph = Graph()
    attributes = {"strides": [stride] * 2, "kernel_shape": [kernel] * 2}
    y = graph.node("Conv", "x", graph.constant(b), **attributes)
    shape = (1, channels, size, size)
    graph.save(
        tmp_path / "conv.onnx", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], y
    )
    program = Compilation.of(tmp_path / "conv.onnx").program()
    result = run(program, sanitize=True)
    assert not result.run.races
    assert check(program, result, {}).identical
    gathered = channels * kernel**2 * ((size - kernel) // stride + 1) ** 2
    assert result.cycles < 30_000 + 5 * gathered
