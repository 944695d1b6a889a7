"""What a model computes in FP32: its source with its own weights, by whoever can evaluate it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from softex_mlir.abi import MAIN, Port
from softex_mlir.compiler.driver import load_model
from softex_mlir.compiler.model import Model
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
    """An entry of a module of level L1, evaluated in float32 from empty state."""

    title: str
    module: ModuleOp
    weights: Mapping[str, Array]
    entry: str = MAIN

    def outputs(self, index: int, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name."""
        return evaluate(self.module, self.weights, inputs, arithmetic="float32", entry=self.entry)


@dataclass(frozen=True)
class ArrayReference:
    """Outputs that somebody else computed, one array of each output for all inputs."""

    title: str
    arrays: Mapping[str, list[Array]]

    def outputs(self, index: int, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name."""
        return {name: arrays[index] for name, arrays in self.arrays.items()}


@dataclass
class OnnxReference:
    """An ONNX file, evaluated in float32 by ONNX's reference implementation or ONNX Runtime; as it
    was imported where neither knows the model, which the title then says.

    Attributes:
        names: of the outputs.
        shapes: of inputs that the file leaves open.
    """

    path: Path
    names: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    imported: bool = False

    @property
    def title(self) -> str:
        """The file."""
        return f"FP32 ({self.path.name}{', as imported' if self.imported else ''})"

    @cached_property
    def _proto(self) -> Any:
        from softex_mlir.runtime.onnx_reference import load_widened

        return load_widened(self.path)

    @cached_property
    def _model(self) -> Model:
        return load_model(self.path, self.shapes)

    def outputs(self, index: int, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name.

        Raises:
            UserError: the file cannot be read, or has no output of a name.
        """
        from softex_mlir.runtime.onnx_reference import NoReference, evaluate_onnx, typed_inputs

        own = [output.name for output in self._proto.graph.output]
        if any(name not in own for name in self.names):
            raise UserError(
                f"{self.path}: expected outputs {', '.join(self.names)}, found {', '.join(own)}"
            )
        if not self.imported:
            try:
                given = typed_inputs(self._proto, inputs)
                return evaluate_onnx(self._proto, given, list(self.names))
            except NoReference:
                self.imported = True
        return evaluate(self._model.module, self._model.weights, inputs, arithmetic="float32")


@dataclass(frozen=True)
class MlirReference:
    """A module of linear algebra on tensors, evaluated as it is written."""

    path: Path

    @property
    def title(self) -> str:
        """The file."""
        return f"FP32 ({self.path.name})"

    def outputs(self, index: int, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name.

        Raises:
            UserError: the file cannot be read, or holds what the evaluator does not know.
        """
        from softex_mlir.runtime.mlir_reference import evaluate_mlir
        from softex_mlir.runtime.onnx_reference import NoReference

        try:
            return evaluate_mlir(self.path, inputs)
        except NoReference as error:
            raise UserError(f"{self.path}: no FP32 reference: {error}") from error


def fitted(outputs: Mapping[str, Array], ports: Sequence[Port]) -> dict[str, Array]:
    """Outputs as a program has them that keeps only the last token of [batch, tokens, features]."""
    found = dict(outputs)
    for port in ports:
        array = found.get(port.name)
        if array is not None and array.ndim == len(port.shape) == 3 and port.shape[1] == 1:
            found[port.name] = array[:, -1:]
    return found


def widened(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Float arrays as float32, which evaluators outside this project know."""
    return {
        name: array.astype(np.float32) if array.dtype.kind in "fV" else array
        for name, array in arrays.items()
    }
