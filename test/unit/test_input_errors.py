"""Arrays that do not fit a program are explained before it runs."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from softex_mlir.abi import Port
from softex_mlir.errors import UserError
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.session import convert_inputs
from softex_mlir.tools.run_command import read_arrays

X = Port("x", (4, 8), "bf16", 32)
IDS = Port("ids", (1, 6), "i32", 32, limit=10)
GOOD = np.ones((4, 8), np.float32)


def port(name: str, shape: tuple[int, ...], dtype: str) -> dict[str, object]:
    places = {"address": 0, "rows": 4, "columns": 8, "pitch_elements": 32}
    return {"name": name, "shape": list(shape), "dtype": dtype, **places}


PROGRAM = Program(
    b"", 0, (), {}, {"inputs": [port("x", (4, 8), "bf16")], "outputs": [port("y", (4,), "bf16")]}
)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_floats_are_converted_and_it_says_so(dtype):
    arrays, notices = convert_inputs((X,), {"x": GOOD.astype(dtype)})
    assert arrays["x"].dtype == ml_dtypes.bfloat16
    assert notices == (f"input 'x': {np.dtype(dtype)} converted to bf16",)


def test_bf16_needs_no_notice():
    assert convert_inputs((X,), {"x": GOOD.astype(ml_dtypes.bfloat16)})[1] == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_bytes_are_numbers_that_bf16_holds(dtype):
    every = np.arange(256).astype(np.uint8).view(dtype)
    arrays, notices = convert_inputs((replace(X, shape=(256,)),), {"x": every})
    np.testing.assert_array_equal(arrays["x"].astype(np.int64), every)
    assert notices == ()


def test_values_beyond_bf16_are_counted():
    wide = GOOD.astype(np.float64)
    wide[0, :3] = 1e300, -3.4028235e38, np.inf
    arrays, notices = convert_inputs((X,), {"x": wide})
    assert "input 'x': 2 values are beyond bf16 and became its largest" in notices
    largest = float(ml_dtypes.finfo(ml_dtypes.bfloat16).max)
    assert arrays["x"].astype(np.float64)[0, :3].tolist() == [largest, -largest, np.inf]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "input 'x' is missing"),
        ({"z": GOOD}, "unknown input 'z'; input 'x' is missing"),
        ({"x": GOOD[:, :7]}, r"expected shape \(4, 8\), found \(4, 7\)"),
        ({"x": GOOD.astype(np.int64)}, "expected floating-point numbers, found int64"),
        ({"x": GOOD.astype(bool)}, "expected floating-point numbers, found bool"),
        ({"x": GOOD.astype(complex)}, "expected floating-point numbers, found complex128"),
        ({"x": GOOD.astype(str)}, "expected floating-point numbers, found <U32"),
        ({"x": GOOD.astype(object)}, "expected floating-point numbers, found object"),
        ({"x": GOOD.astype("V2")}, r"expected floating-point numbers, found \|V2"),
    ],
)
def test_wrong_arrays(inputs, message):
    with pytest.raises(UserError, match=message):
        convert_inputs((X,), inputs)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.full((1, 6), 10), r"must be in 0\.\.9, found 10\.\.10"),
        (np.full((1, 6), -1), r"must be in 0\.\.9, found -1\.\.-1"),
        (np.full((1, 6), 1 << 63, np.uint64), r"must be in 0\.\.9"),
        (np.ones((1, 6), np.float32), "expected integers, found float32"),
    ],
)
def test_wrong_ids(ids, message):
    with pytest.raises(UserError, match=message):
        convert_inputs((IDS,), {"ids": ids})


def test_npy_is_the_only_input(tmp_path):
    np.save(tmp_path / "x.npy", GOOD)
    inputs, reference = read_arrays(tmp_path / "x.npy", PROGRAM)
    assert inputs.keys() == {"x"}
    assert not reference


def test_references_are_told_from_inputs(tmp_path):
    np.savez(tmp_path / "a.npz", x=GOOD, y=GOOD[:, 0], out_0=GOOD[:, 0])
    inputs, reference = read_arrays(tmp_path / "a.npz", PROGRAM)
    assert inputs.keys() == {"x"}
    assert reference.keys() == {"y", "out_0"}
    np.savez(tmp_path / "a.npz", x=GOOD, z=GOOD)
    with pytest.raises(UserError, match=r"unknown input 'z' \(the program takes x\)"):
        read_arrays(tmp_path / "a.npz", PROGRAM)


def test_headers_are_judged_before_any_data(tmp_path):
    """A header that claims terabytes, an array of another shape that compresses to nothing."""
    header = io.BytesIO()
    claim = {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)}
    np.lib.format.write_array_header_1_0(header, claim)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", header.getvalue())
    with pytest.raises(UserError, match="0 bytes of data are no array of float32"):
        read_arrays(path, PROGRAM)
    np.savez_compressed(path, x=np.zeros(1 << 22, np.uint8))
    with pytest.raises(UserError, match=r"input 'x': expected shape .*, found \(4194304,\)"):
        read_arrays(path, PROGRAM)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"out_0": np.ones(5)}, r"expected numbers \(4,\), found float64 \(5,\)"),
        ({"y": np.array(list("abcd"))}, "expected numbers"),
        ({"out_1": np.ones(4)}, "out_1: the program has 1 outputs"),
    ],
)
def test_wrong_references(tmp_path, reference, message):
    np.savez(tmp_path / "a.npz", x=GOOD, **reference)
    with pytest.raises(UserError, match=message):
        read_arrays(tmp_path / "a.npz", PROGRAM)


def test_files_that_hold_no_arrays(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(UserError, match="cannot read the inputs: No such file"):
        read_arrays(path, PROGRAM)
    with pytest.raises(UserError, match="cannot read the inputs: Is a directory"):
        read_arrays(tmp_path, PROGRAM)
    np.savez(path, x=GOOD)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:-30], whole[:100]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"expected a \.npz or \.npy file"):
            read_arrays(path, PROGRAM)
    np.savez(path, x=np.array([None]))
    with pytest.raises(UserError, match="Python objects are refused"):
        read_arrays(path, PROGRAM)
