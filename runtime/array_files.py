"""Reading .npz and .npy files: every header is read, and judged, before any data."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from softex_mlir.errors import UserError

Judge = Callable[[str, tuple[int, ...], np.dtype[Any]], None]
"""Called with the name, shape and dtype of an array before it is read; raises `UserError`."""

_LONGEST_HEADER = 10_000


def read(path: Path, judge: Judge) -> dict[str, np.ndarray] | np.ndarray:
    """The arrays of a .npz file by name, or the array of a .npy file (named "").

    Raises:
        UserError: the file cannot be read, holds anything but arrays, or `judge` says so.
    """
    try:
        with path.open("rb") as file:
            first = file.read(4)
            file.seek(0)
            if first[:2] == b"PK":
                return _read_zip(file, judge)
            if first[:2] == b"\x93N":
                size = path.stat().st_size
                return _read_array(file, size, lambda shape, dtype: judge("", shape, dtype))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise UserError(f"{path}: cannot read the inputs: {error.strerror}") from error
    except Exception as error:  # zip, decompressors and numpy's header parser raise many kinds
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{path}: cannot read the inputs: {error.strerror}") from error
        why = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: expected a .npz or .npy file of arrays: {why[:200]}") from error
    raise UserError(f"{path}: expected a .npz or .npy file of arrays")


def _read_zip(file: IO[bytes], judge: Judge) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if member.flag_bits & 1:
                raise UserError(f"{name!r} is encrypted")
            if name in arrays:
                raise UserError(f"two arrays are named {name!r}")
            with archive.open(member) as inside:

                def judged(shape: tuple[int, ...], dtype: np.dtype[Any], name: str = name) -> None:
                    judge(name, shape, dtype)

                arrays[name] = _read_array(inside, member.file_size, judged)
    return arrays


def _read_array(
    file: IO[bytes], size: int, judge: Callable[[tuple[int, ...], np.dtype[Any]], None]
) -> np.ndarray:
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise UserError(f"expected .npy data of version 1 or 2, found {version[0]}.{version[1]}")
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read_header(file, _LONGEST_HEADER)
    if dtype.hasobject:
        raise UserError("expected a .npz or .npy file of arrays: Python objects are refused")
    expected = prod(shape) * dtype.itemsize
    if len(shape) > 32 or min(shape, default=1) < 0 or file.tell() + expected != size:
        raise UserError(
            f"expected a .npz or .npy file of arrays: {size - file.tell()} bytes of data are no "
            f"array of {dtype} {shape if len(shape) <= 32 else f'of {len(shape)} dimensions'}"
        )
    judge(shape, dtype)
    data = file.read(expected)
    if len(data) != expected:
        raise EOFError("the file ends inside an array")
    array = np.frombuffer(data, dtype)
    return array.reshape(shape, order="F" if fortran else "C")
