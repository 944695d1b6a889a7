"""What a loop nest means, to the bit (compiler/LOOP_NESTS.md), by running programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from test_loop_nests import Case, model_of
from xdsl.dialects import arith
from xdsl.dialects.builtin import bf16, f32

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.generic_builder import elementwise, reduction
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.reference import evaluate

BF16 = ml_dtypes.bfloat16
LOWEST = -(1 << 31)


def run(make: Any, arrays: list[Any], *settings: str) -> Any:
    """What the program computes, which the evaluator computes as well."""
    model = model_of(Case([a.shape for a in arrays], make, None))
    inputs = {f"x{i}": a for i, a in enumerate(arrays)}
    exact = evaluate(model.module, model.weights, inputs)["y0"]
    machine = Machine.load("paper").with_settings(settings)
    found = np.asarray(Compilation.of(model, machine).program().run(inputs).outputs["y0"])
    np.testing.assert_array_equal(found.view(np.uint16), exact.view(np.uint16))
    return found


def narrowed(x: Any) -> Any:
    return elementwise([x], bf16, lambda e, v: v[0])


@pytest.mark.parametrize("settings", [(), ("cluster.cores=5",), ("cluster.tcdm_bytes=16384",)])
def test_sums_run_in_order_whatever_the_machine(settings: tuple[str, ...]) -> None:
    random = np.random.default_rng(2)
    x = (random.normal(size=(3, 2500)) * 10.0 ** random.integers(-4, 5, (3, 2500))).astype(BF16)

    def make(add: Any, v: Any) -> Any:
        total = reduction(v[0], [1], f32, 0.0, lambda e, a: e.add(a[1], a[0]))
        return [add(narrowed(add(total)))]

    wanted = np.zeros(3, np.float32)
    for column in x.astype(np.float32).T:
        wanted = wanted + column
    found = run(make, [x], *settings)[:, 0]
    np.testing.assert_array_equal(found.view(np.uint16), wanted.astype(BF16).view(np.uint16))


def test_a_body_rounds_once_and_between_nests_each_time() -> None:
    x: Any = (1 + np.arange(128) / 128).astype(BF16)[None]
    third = float(np.float32(1 / 3))

    def one(add: Any, v: Any) -> Any:
        return [add(elementwise([v[0]], bf16, lambda e, a: e.times(e.times(a[0], third), third)))]

    def two(add: Any, v: Any) -> Any:
        half = add(elementwise([v[0]], bf16, lambda e, a: e.times(a[0], third)))
        return [add(elementwise([half], bf16, lambda e, a: e.times(a[0], third)))]

    wide = x.astype(np.float32)
    third_wide = np.float32(third)
    once = (wide * third_wide * third_wide).astype(BF16)
    twice = ((wide * third_wide).astype(BF16).astype(np.float32) * third_wide).astype(BF16)
    assert (once != twice).any()
    np.testing.assert_array_equal(run(one, [x]).view(np.uint16), once.view(np.uint16))
    np.testing.assert_array_equal(run(two, [x]).view(np.uint16), twice.view(np.uint16))


@pytest.mark.parametrize(
    ("op", "wanted"),
    [
        (arith.MaximumfOp, [np.nan, np.nan, 0.0, 0.0, np.inf]),
        (arith.MinimumfOp, [np.nan, np.nan, -0.0, -0.0, -np.inf]),
        (arith.MaxnumfOp, [1.0, 1.0, 0.0, 0.0, np.inf]),
        (arith.MinnumfOp, [1.0, 1.0, -0.0, -0.0, -np.inf]),
    ],
)
def test_nan_and_signed_zero_in_bounds(op: Any, wanted: list[float]) -> None:
    a = np.array([[np.nan, 1.0, 0.0, -0.0, -np.inf]], BF16)
    b = np.array([[1.0, np.nan, -0.0, 0.0, np.inf]], BF16)

    def make(add: Any, v: Any) -> Any:
        return [add(elementwise(v, bf16, lambda e, x: e.insert(op(x[0], x[1]))))]

    found = run(make, [a, b])[0]
    np.testing.assert_array_equal(found.view(np.uint16), np.array(wanted, BF16).view(np.uint16))


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("Add", [LOWEST, LOWEST - 1 + 2**32, 12, 4, 7]),
        ("Mul", [(1 << 31) - 1, LOWEST, 35, -21, 0]),
        ("Div", [(1 << 31) - 1, LOWEST, 1, -2, -1]),
    ],
)
def test_integers_wrap_and_divide_as_riscv(kind: str, wanted: list[int], tmp_path: Path) -> None:
    pairs = [((1 << 31) - 1, 1), (LOWEST, -1), (7, 5), (7, -3), (7, 0)]
    arrays = {n: np.array(v, np.int32) for n, v in zip("ab", zip(*pairs, strict=True), strict=True)}
    info = [helper.make_tensor_value_info(n, TensorProto.INT32, [5]) for n in "aby"]
    graph = helper.make_graph([helper.make_node(kind, ["a", "b"], ["y"])], "g", info[:2], info[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, tmp_path / "m.onnx")
    result = Compilation.of(tmp_path / "m.onnx").program().run(arrays)
    assert np.asarray(result.outputs["y"]).tolist() == wanted
