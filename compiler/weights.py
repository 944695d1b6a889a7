"""The weight store: parameters by name, beside the IR and never inside it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import ml_dtypes
import numpy as np
import numpy.typing as npt

from softex_mlir.errors import UserError
from softex_mlir.files import write_atomically
from softex_mlir.isa_sim.numerics.bf16 import saturated

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

Array = npt.NDArray[Any]
BF16 = np.dtype(ml_dtypes.bfloat16)

_DTYPES: dict[str, np.dtype[Any]] = {
    "BF16": BF16,
    "F32": np.dtype(np.float32),
    "I32": np.dtype(np.int32),
}
TRANSFORMER = "transformer"
"""Among `WeightStore.texts`: the fused module that a program was made from."""
_METADATA = "__metadata__"
"""Of a safetensors file: texts by name."""
DTYPES: dict[str, np.dtype[Any]] = {name.lower(): dtype for name, dtype in _DTYPES.items()}
"""By the names that programs have for them."""
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class WeightError(UserError, ValueError):
    """A weights file that cannot be read, or that does not belong to the module."""


class WeightStore(Mapping[str, Array]):
    """Arrays by the name of their `transformer.weight`.

    During import and fusion floating-point parameters are float32, so that folding scales and
    biases rounds only once; `round_to_bf16` ends that. Integer parameters are int32.

    Attributes:
        changed: whether anything was added, removed or rounded since it was made.
        missed: names that `find` was asked for in vain.
        texts: what else belongs to a module in a file, such as `TRANSFORMER`.
    """

    def __init__(self, arrays: Mapping[str, Array] | None = None):
        self._arrays: dict[str, Array] = dict(arrays or {})
        self.texts: dict[str, str] = {}
        self.changed = False
        self.missed: set[str] = set()

    def copy(self) -> WeightStore:
        """The same arrays in a store of their own."""
        return WeightStore(self._arrays)

    def find(self, name: str) -> Array | None:
        """The array of that name; None, and a note of it in `missed`, if there is none."""
        found = self._arrays.get(name)
        if found is None:
            self.missed.add(name)
        return found

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def add(self, name: str, array: Array) -> str:
        """Store `array` under `name`, or under `name_1`, `name_2`.. if that is taken."""
        unique, count = name, 0
        while unique in self._arrays:
            count += 1
            unique = f"{name}_{count}"
        self._arrays[unique] = array
        self.changed = True
        return unique

    def replace(self, name: str, array: Array) -> None:
        """Store other values for a parameter."""
        self._arrays[name] = array
        self.changed = True

    def remove(self, name: str) -> None:
        """Forget a parameter that no operation uses any more."""
        del self._arrays[name]
        self.changed = True

    def round_to_bf16(self, wide: Collection[str] = ()) -> None:
        """Round float32 parameters to bf16 (nearest, ties to even; finite stays finite).

        Those named in `wide` stay what they are.
        """
        for name, array in self._arrays.items():
            if array.dtype == np.float32 and name not in wide:
                self._arrays[name] = saturated(array)
                self.changed = True

    @property
    def bytes(self) -> int:
        """Size of all parameters in bytes."""
        return sum(array.nbytes for array in self._arrays.values())

    def save(self, path: str | Path) -> None:
        """Write a safetensors file: little-endian size of the header, JSON header, data."""
        header: dict[str, object] = {_METADATA: self.texts} if self.texts else {}
        position = 0
        for name, array in self._arrays.items():
            end = position + array.nbytes
            header[name] = {
                "dtype": _NAMES[array.dtype],
                "shape": list(array.shape),
                "data_offsets": [position, end],
            }
            position = end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        arrays = (np.ascontiguousarray(array).tobytes() for array in self._arrays.values())
        write_atomically(Path(path), b"".join([len(text).to_bytes(8, "little"), text, *arrays]))

    @classmethod
    def load(cls, path: str | Path) -> WeightStore:
        """Map a safetensors file (bf16, float32 and int32 tensors) into memory."""
        try:
            length = Path(path).stat().st_size
            data = np.asarray(np.memmap(path, np.uint8, "r") if length else [])
        except OSError as error:
            raise WeightError(f"{path}: {error.strerror}") from error
        if length < 8:
            raise WeightError(f"{path}: not a safetensors file ({length} bytes)")
        size = int.from_bytes(data[:8].tobytes(), "little")
        try:
            header = json.loads(data[8 : 8 + size].tobytes())
            arrays: dict[str, Array] = {}
            texts = header.pop(_METADATA, {})
            for name, entry in header.items():
                start, end = entry["data_offsets"]
                raw = data[8 + size + start : 8 + size + end].view(_DTYPES[entry["dtype"]])
                arrays[name] = np.require(raw, requirements="A").reshape(entry["shape"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise WeightError(
                f"{path}: not a readable safetensors file of bf16, float32 or int32 tensors"
            ) from error
        store = cls(arrays)
        if isinstance(texts, dict):
            store.texts = {str(k): str(v) for k, v in cast("dict[Any, Any]", texts).items()}
        return store

    def check(self, module: ModuleOp) -> None:
        """Raise `WeightError` unless every weight of `module` has data that fits."""
        problems: list[str] = []
        for name, shape in weights_in(module):
            if name not in self._arrays:
                problems.append(f"@{name} has no data")
            elif self._arrays[name].shape != shape:
                problems.append(f"@{name} is {shape} in the module, {self[name].shape} in the data")
        if problems:
            raise WeightError(f"{len(problems)} weights do not fit: " + "; ".join(problems[:10]))


def weights_in(module: ModuleOp) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every weight of a module, at any level; one may lie in L2 twice."""
    from softex_mlir.dialects.cluster import GlobalKind, GlobalOp
    from softex_mlir.dialects.transformer import WeightOp

    for op in module.ops:
        if isinstance(op, WeightOp):
            yield op.sym_name.data, op.type.get_shape()
        elif isinstance(op, GlobalOp) and op.kind.data is GlobalKind.WEIGHT and op.tensor:
            yield op.tensor.data, op.tensor_shape
