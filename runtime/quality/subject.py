"""What a study of quality looks at: a model as the cluster computes it, and its FP32 reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from softex_mlir.abi import MAIN
from softex_mlir.compiler.accuracy import Accuracy
from softex_mlir.compiler.driver import Compilation, load_model
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.origin import origin_of
from softex_mlir.compiler.outputs import ALL_OUTPUTS, OutputChoice
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.embedded import embedded_model
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.quality.fp32 import (
    MlirReference,
    ModuleReference,
    OnnxReference,
    Reference,
)
from softex_mlir.runtime.quality.source import reference_of
from softex_mlir.runtime.reference import Choice, Kind, evaluate

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Subject:
    """A model in the fused form, with its hardware's arithmetic, and what it should compute.

    Attributes:
        weights: as the program has them.
        wide: as they were before they were rounded to bf16; the same where nobody knows.
        reference: the FP32 outputs.
    """

    name: str
    model: Model
    weights: Mapping[str, Array]
    wide: Mapping[str, Array]
    machine: Machine
    reference: Reference

    @property
    def module(self) -> ModuleOp:
        """The fused module."""
        return self.model.module

    def outputs(self, inputs: Mapping[str, Array], kind: Kind | Choice) -> dict[str, Array]:
        """Outputs by name in one arithmetic, or in one for each operation."""
        exact = kind in ("exact", "bf16")
        weights = self.weights if exact else self.wide
        entry = self.model.entry
        return evaluate(
            self.module, weights, inputs, machine=self.machine, arithmetic=kind, entry=entry
        )


def subject_of(
    model: Model | str | Path,
    machine: Machine | str | None = None,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    accuracy: str | Accuracy | None = None,
    outputs: OutputChoice = ALL_OUTPUTS,
    entry: str | None = None,
) -> Subject:
    """The subject that a model or a compiled program is.

    Args:
        model: what `Compilation.of` takes, or an ELF file that `softex compile` wrote.
        entry: which of a program's, if it has several; what they keep between runs is empty.

    Raises:
        UserError: it cannot be read, or it is a module of a later level than `transformer`.
    """
    if not isinstance(model, Model) and _is_elf(Path(model)):
        if shapes or accuracy or machine is not None:
            raise UserError(
                f"{model}: is compiled: expected shapes, accuracy and target to have been given "
                "before, found some now: give the model instead"
            )
        return subject_of_program(Program.load(model).at(entry))
    if entry is not None:
        raise UserError(f"entry '{entry}': only programs have several, found a model: compile it")
    loaded = model if isinstance(model, Model) else load_model(model, shapes or {})
    if loaded.level != "transformer":
        raise UserError(
            f"{loaded.source}: is a module of level {loaded.level}: expected one of level "
            "transformer, a model or a program"
        )
    source = ModuleReference("FP32", loaded.module.clone(), loaded.weights.copy())
    wide: dict[str, Array] = {}

    def observe(stage: str, seen: Model) -> None:
        if stage == "fusion":
            wide.update(seen.weights)

    compilation = Compilation.of(
        loaded, machine, accuracy=accuracy, outputs=outputs, observe=observe
    )
    reference: Reference = source
    if not isinstance(model, Model) and Path(model).suffix == ".onnx":
        names = tuple(port.name for port in loaded.outputs)
        reference = OnnxReference(Path(model), names, dict(shapes or {}))
    elif not isinstance(model, Model) and origin_of(loaded.module).get("kind") == "mlir":
        reference = MlirReference(Path(model))
    return Subject(
        loaded.name, loaded, loaded.weights, wide or loaded.weights, compilation.machine, reference
    )


def subject_of_program(program: Program) -> Subject:
    """The subject that a compiled program, or the entry that it is about to run, is."""
    module, weights = embedded_model(program)
    name = str(program.metadata.get("model", ""))
    model = Model(module, _store(weights), name, entry=program.entry_name or MAIN)
    return Subject(model.name, model, weights, weights, program.machine, reference_of(program))


def _store(weights: Mapping[str, Array]) -> Any:
    from softex_mlir.compiler.weights import WeightStore

    return WeightStore(weights)


def _is_elf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False
