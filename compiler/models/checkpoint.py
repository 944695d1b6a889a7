"""A user's weights for built-in architectures: a safetensors file and its `config.json`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from softex_mlir.compiler.weights import Array
from softex_mlir.errors import UserError
from softex_mlir.files import read_json

_FLOATS = ("F32", "F16", "BF16", "F64")

_LAYER = re.compile(r".*?\.\d+\.")
"""Up to the first number of a tensor's name, which is that of its layer."""


class Checkpoint:
    """Tensors of a safetensors file by the names that Hugging Face's models give them.

    Names are looked up as they are, then behind each of `prefixes` ("bert.", "model."). What is
    taken is noted, so that what is missing and what is left over can be listed.
    """

    def __init__(self, path: Path, prefixes: Sequence[str] = ()):
        """Open a file; tensors are read when they are taken.

        Raises:
            UserError: it is not a readable safetensors file.
        """
        from safetensors import SafetensorError, safe_open

        self.path = path
        self.prefixes = ("", *prefixes)
        self.missing: list[str] = []
        self._taken: set[str] = set()
        try:
            self._file: Any = safe_open(path, "np")
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path}: not a readable safetensors file: {error}") from None
        self._names: set[str] = set(self._file.keys())

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def _find(self, name: str) -> str | None:
        found = (p + name for p in self.prefixes if p + name in self._names)
        return next(found, None)

    def take(self, name: str, shape: tuple[int, ...]) -> Array:
        """A tensor as float32; zeros, and an entry in `missing`, if the file lacks it.

        Raises:
            UserError: it has another shape, or is not of floating point.
        """
        found = self._find(name)
        if found is None:
            self.missing.append(name)
            return np.zeros(shape, np.float32)
        self._taken.add(found)
        part = self._file.get_slice(found)
        dtype, actual = part.get_dtype(), tuple(part.get_shape())
        if dtype not in _FLOATS:
            raise UserError(
                f"{self.path}: {found} is {dtype}, expected one of {', '.join(_FLOATS)}: "
                "quantised checkpoints are not supported, save it in float"
            )
        if actual != shape:
            raise UserError(
                f"{self.path}: {found} has shape {list(actual)}, expected {list(shape)}: do the "
                "weights and the config.json belong together?"
            )
        return part[:].astype(np.float32)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor that is there."""
        found = self._find(name)
        assert found is not None
        return tuple(self._file.get_slice(found).get_shape())

    def whole(self, name: str) -> Array:
        """A tensor of any shape, as `take` gives it; a single zero if the file lacks it."""
        return self.take(name, self.shape(name) if name in self else (1, 1))

    def skip(self, names: Iterable[str]) -> None:
        """Tensors that are known not to matter: buffers that the architecture computes."""
        self._taken.update(n for n in self._names if n.endswith(tuple(names)))

    def require_all(self) -> None:
        """Raise an error that lists what was missing."""
        if self.missing:
            listed = ", ".join(self.missing[:8]) + (", …" if len(self.missing) > 8 else "")
            raise UserError(
                f"{self.path}: {len(self.missing)} tensors are missing: {listed}; is it a "
                "checkpoint of this architecture?"
            )

    @property
    def left_over(self) -> list[str]:
        """Tensors that nobody took, by name; those of a layer, whose number is in their names, in
        one line."""
        left = sorted(self._names - self._taken)
        layers = {name: _LAYER.match(name) for name in left}
        counts = Counter(found[0] for found in layers.values() if found is not None)
        lines = [
            name if found is None or counts[found[0]] == 1 else f"{found[0]}* ({counts[found[0]]})"
            for name, found in layers.items()
        ]
        return list(dict.fromkeys(lines))


class Config:
    """The fields of a `config.json`; each one that changes the result is read or refused."""

    def __init__(self, path: Path):
        """Read a file.

        Raises:
            UserError: it is not a readable JSON object.
        """
        self.path = path
        try:
            found: object = read_json(path)
        except OSError as error:
            raise UserError(
                f"{path}: {error.strerror}; the sizes of an architecture are in the config.json "
                "beside its weights: --config FILE"
            ) from None
        except ValueError as error:
            raise UserError(f"{path}: not JSON: {error}") from None
        if not isinstance(found, dict):
            raise UserError(f"{path}: expected an object with the fields of a model")
        self.fields: Mapping[str, Any] = cast("dict[str, Any]", found)

    def size(self, name: str, default: int | None = None) -> int:
        """A positive integer."""
        found = self.fields.get(name)
        found = default if found is None else found
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            raise UserError(f"{self.path}: {name}: expected a positive integer, found {found!r}")
        return found

    def number(self, name: str, default: float) -> float:
        """A finite number."""
        found = self.fields.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise UserError(f"{self.path}: {name}: expected a number, found {found!r}")
        return float(found)

    def choice(self, name: str, default: str, choices: Mapping[str, str]) -> str:
        """A name that stands for one of ours."""
        found = self.fields.get(name, default)
        if found not in choices:
            raise UserError(
                f"{self.path}: {name}: expected one of {', '.join(choices)}, found {found!r}"
            )
        return choices[found]

    def expect(self, **values: Any) -> None:
        """Fields that must have a value if they are there at all, or be null."""
        for name, value in values.items():
            found = self.fields.get(name, value)
            if found is not None and found != value:
                raise UserError(f"{self.path}: {name} = {found!r} is not supported, only {value!r}")
