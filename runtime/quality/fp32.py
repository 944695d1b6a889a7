"""What a model computes in FP32: its source with its own weights, by whoever can evaluate it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from softex_mlir.errors import UserError
from softex_mlir.runtime.reference import evaluate

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

Array = npt.NDArray[Any]


class Reference(Protocol):
    """FP32 outputs of a model."""

    @property
    def title(self) -> str:
        """What the outputs are, for people: "FP32 (model.onnx)"."""
        ...

    def outputs(self, index: int, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name for the inputs of number `index`."""
        ...


@dataclass(frozen=True)
class ModuleReference:
    """A module of level L1, evaluated in float32."""

    title: str
    module: ModuleOp
    weights: Mapping[str, Array]

    def outputs(self, index: int, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name."""
        return evaluate(self.module, self.weights, inputs, arithmetic="float32")


@dataclass(frozen=True)
class ArrayReference:
    """Outputs that somebody else computed, one array of each output for all inputs."""

    title: str
    arrays: Mapping[str, list[Array]]

    def outputs(self, index: int, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name."""
        return {name: arrays[index] for name, arrays in self.arrays.items()}


@dataclass(frozen=True)
class OnnxReference:
    """An ONNX file, evaluated by ONNX's reference implementation or ONNX Runtime in float32."""

    path: Path
    names: tuple[str, ...]
    """Of the outputs."""

    @property
    def title(self) -> str:
        """The file."""
        return f"FP32 ({self.path.name})"

    @cached_property
    def _proto(self) -> Any:
        from softex_mlir.runtime.onnx_reference import load_widened

        return load_widened(self.path)

    def outputs(self, index: int, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name.

        Raises:
            UserError: nobody here can evaluate the file, or it has no output of that name.
        """
        from softex_mlir.runtime.onnx_reference import NoReference, evaluate_onnx, typed_inputs

        own = [output.name for output in self._proto.graph.output]
        missing = [name for name in self.names if name not in own]
        if missing:
            raise UserError(
                f"{self.path}: expected outputs {', '.join(self.names)}, found {', '.join(own)}"
            )
        try:
            return evaluate_onnx(self._proto, typed_inputs(self._proto, inputs), list(self.names))
        except NoReference as error:
            raise UserError(f"{self.path}: cannot be evaluated in FP32: {error}") from error


def widened(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Float arrays as float32, which evaluators outside this project know."""
    return {
        name: array.astype(np.float32) if array.dtype.kind in "fV" else array
        for name, array in arrays.items()
    }
