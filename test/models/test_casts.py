"""Casts of activations to narrower types and back, on all BF16 values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_harness import Graph

from softex_mlir.compiler.driver import Compilation
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check

BF16 = ml_dtypes.bfloat16
EVERY = np.arange(1 << 16, dtype=np.uint16).view(BF16).reshape(256, 256)
FLOAT8 = {
    "FLOAT8E4M3FN": ml_dtypes.float8_e4m3fn,
    "FLOAT8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "FLOAT8E5M2": ml_dtypes.float8_e5m2,
    "FLOAT8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
}
INTEGERS = {"INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "INT32": np.int32}


def through(path: Path, kinds: list[str], x: np.ndarray, **attributes: int) -> np.ndarray:
    """The output of casts one after the other, the last one to float, on the cluster."""
    g = Graph(opset=19)
    value = "x"
    for kind in kinds:
        value = g.node("Cast", value, to=getattr(TensorProto, kind), **attributes)
    value = g.node("Cast", value, to=TensorProto.FLOAT)
    g.save(path, [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)], value)
    program = Compilation.of(path, Machine.load("paper")).program()
    result = session.run(program, {"x": x})
    assert check(program, result, {"x": x}).identical
    return np.asarray(next(iter(result.outputs.values()))).astype(np.float32)


@pytest.mark.parametrize("kind", FLOAT8)
def test_float8(kind: str, tmp_path: Path) -> None:
    """Finite numbers that saturate, and what becomes of those beyond the range if they do not."""
    dtype, wide = FLOAT8[kind], EVERY.astype(np.float32)
    largest = float(ml_dtypes.finfo(dtype).max)
    with np.errstate(all="ignore"):
        plain = wide.astype(dtype).astype(np.float32)
        held = np.where(np.isnan(wide), wide, np.clip(wide, -largest, largest))
        saturated = held.astype(dtype).astype(np.float32)
    found = through(tmp_path / "a.onnx", [kind], EVERY, saturate=1)
    np.testing.assert_array_equal(found, saturated)
    found = through(tmp_path / "b.onnx", [kind], EVERY, saturate=0)
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers(kind: str, tmp_path: Path) -> None:
    """Rounded towards zero; beyond the range the nearest one."""
    limits = np.iinfo(INTEGERS[kind])
    wide = EVERY.astype(np.float64)
    found = through(tmp_path / "m.onnx", [kind], EVERY)
    number = ~np.isnan(wide)
    expected = np.clip(np.trunc(wide[number]), limits.min, limits.max).astype(np.float32)
    np.testing.assert_array_equal(found[number], expected.astype(BF16).astype(np.float32))


def test_float16_overflows_and_loses_tiny_numbers(tmp_path: Path) -> None:
    with np.errstate(all="ignore"):
        expected = EVERY.astype(np.float32).astype(np.float16).astype(np.float32)
    found = through(tmp_path / "m.onnx", ["FLOAT16"], EVERY)
    np.testing.assert_array_equal(found, expected.astype(BF16).astype(np.float32))


@pytest.mark.parametrize(("middle", "largest"), [("FLOAT16", np.float16), ("BFLOAT16", BF16)])
def test_integers_as_narrow_floats(middle: str, largest: type[Any], tmp_path: Path) -> None:
    """What 8 or 11 bits do not hold is rounded, as the model says; no further."""
    g = Graph(opset=19)
    value = g.node("Cast", "x", to=getattr(TensorProto, middle))
    value = g.node("Cast", value, to=TensorProto.INT32)
    path = tmp_path / "m.onnx"
    x = np.array([0, 1, 255, 257, 259, 2047, 2049, 2051, 4099, -65281])
    g.save(path, [helper.make_tensor_value_info("x", TensorProto.INT64, x.shape)], value)
    result = Compilation.of(path).program().run({"x": x})
    found = np.asarray(next(iter(result.outputs.values())))
    np.testing.assert_array_equal(found, x.astype(largest).astype(np.int32))


def test_arithmetic_in_float16_is_said_to_be_bfloat16(tmp_path: Path) -> None:
    g = Graph(opset=19)
    value = g.node("Cast", "x", to=TensorProto.FLOAT16)
    value = g.node("Cast", g.node("Add", value, value), to=TensorProto.FLOAT)
    g.save(tmp_path / "m.onnx", [helper.make_tensor_value_info("x", 1, (4,))], value)
    (note,) = Compilation.of(tmp_path / "m.onnx").model.notes
    assert note == "float16 is computed as bfloat16: numbers beyond 65504 stay finite"


@pytest.mark.parametrize("through_a_product", [True, False])
def test_a_choice_among_rounded_numbers_is_said(through_a_product: bool, tmp_path: Path) -> None:
    g = Graph(opset=19)
    value = g.node("MatMul", "x", g.weight(8, 8)) if through_a_product else "x"
    value = g.node("Cast", g.node("ArgMax", value, axis=-1, keepdims=0), to=TensorProto.FLOAT)
    g.save(tmp_path / "m.onnx", [helper.make_tensor_value_info("x", 1, (4, 8))], value)
    notes = Compilation.of(tmp_path / "m.onnx").model.notes
    assert any("of close ones another may be chosen" in note for note in notes) == through_a_product


@pytest.mark.parametrize("kinds", [["BOOL"], ["INT32", "BOOL"], ["BOOL", "INT64"]])
def test_truth(kinds: list[str], tmp_path: Path) -> None:
    wide = EVERY.astype(np.float64)
    found = through(tmp_path / "m.onnx", kinds, EVERY)
    number = ~np.isnan(wide)
    value = np.trunc(wide) if kinds[0] == "INT32" else wide
    np.testing.assert_array_equal(found[number], (value != 0)[number])


@pytest.mark.parametrize("kinds", [["FLOAT8E5M2", "INT8"]])
def test_what_cannot_be_done_is_refused(kinds: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="as int"):
        through(tmp_path / "m.onnx", kinds, EVERY)


def test_an_output_of_integers(tmp_path: Path) -> None:
    g = Graph()
    y = g.node("Cast", "x", to=TensorProto.INT32)
    g.save(tmp_path / "m.onnx", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])], y)
    program = Compilation.of(tmp_path / "m.onnx", Machine.load("paper")).program()
    x = np.array([[-2.5, -0.75, 0], [3.5, 1e4, -1e4]], np.float32)
    found = program.run({"x": x}).outputs["y"]
    np.testing.assert_array_equal(found, x.astype(np.int32))
