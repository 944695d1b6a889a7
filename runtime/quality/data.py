"""Sets of inputs and reference outputs in .npz files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from softex_mlir.abi import Port
from softex_mlir.errors import UserError
from softex_mlir.runtime import array_files

Array = npt.NDArray[Any]


def load_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a .npz file.

    Raises:
        UserError: it cannot be read, or holds anything but arrays of numbers.
    """

    def judge(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if dtype.kind not in "fiubV":
            raise UserError(f"{name}: expected numbers, found {dtype}")

    found = array_files.read(path, judge)
    if isinstance(found, np.ndarray):
        raise UserError(f"{path}: expected a .npz file of named arrays, found one array")
    return found


def split(array: Array, port: Port, where: str) -> list[Array]:
    """Arrays of a port's shape out of one for many inputs.

    It has another dimension in front, or several times the port's first one (its batch).

    Raises:
        UserError: it has neither.
    """
    shape: tuple[int, ...] = tuple(port.shape)
    if array.shape == shape:
        return [array]
    if array.ndim == len(shape) + 1 and array.shape[1:] == shape:
        return list(array)
    if shape and array.ndim == len(shape) and array.shape[1:] == shape[1:] and array.size:
        count, rest = divmod(len(array), shape[0])
        if not rest:
            return list(array.reshape(count, *shape))
    text = ", ".join(map(str, shape))
    raise UserError(
        f"{where}: {port.name}: expected an array ({text}), or many in one (N, {text}), "
        f"found {array.shape}"
    )


def input_sets(
    arrays: Mapping[str, Array], ports: Sequence[Port], where: str
) -> list[dict[str, Array]]:
    """The inputs one by one.

    Raises:
        UserError: one is missing or has another shape, or they are not equally many.
    """
    missing = [port.name for port in ports if port.name not in arrays]
    if missing:
        raise UserError(
            f"{where}: inputs {', '.join(missing)} are missing; "
            f"the model takes {', '.join(port.name for port in ports)}"
        )
    parts = {port.name: split(arrays[port.name], port, where) for port in ports}
    counts = {name: len(part) for name, part in parts.items()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise UserError(f"{where}: expected equally many of all inputs, found {found}")
    return [dict(zip(parts, row, strict=True)) for row in zip(*parts.values(), strict=True)]


def output_sets(
    arrays: Mapping[str, Array], ports: Sequence[Port], where: str
) -> dict[str, list[Array]]:
    """Reference outputs, by their names or `out_0`, `out_1`, …; one list for each that is there.

    Raises:
        UserError: one has another shape.
    """
    found: dict[str, list[Array]] = {}
    for position, port in enumerate(ports):
        array = arrays.get(port.name, arrays.get(f"out_{position}"))
        if array is not None:
            found[port.name] = split(array, port, where)
    return found
