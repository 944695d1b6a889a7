"""The compiler's front door: from a model to any level, and to a program."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softex_mlir.collector import rare_collections
from softex_mlir.compiler.accuracy import Accuracy, accuracy_of, model_hash
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.outputs import ALL_OUTPUTS, OutputChoice
from softex_mlir.compiler.tile_overrides import Tiles, check_tiles, read_tiles
from softex_mlir.errors import UserError
from softex_mlir.files import is_standard_input
from softex_mlir.isa_sim.machine import Machine

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.passes import PassPipelineCallbackType

    from softex_mlir.compiler.transforms.transformer.place import Placement
    from softex_mlir.runtime.program import Program

_OF_TEXT = {*b"\t\n\r", *range(0x20, 0x7F)}
"""Bytes that a module begins with."""

LEVELS = ("transformer", "jobs", "commands", "riscv", "asm", "elf")
"""What `Compilation.emit` can stop at, in order."""


@dataclass(frozen=True)
class Compilation:
    """One model compiled for one machine, level by level, each computed when it is asked for.

    Attributes:
        model: the fused model, or a module of the level it was read at; later levels leave it as
            it is.
        placement: which unit each operation runs on, and why.
        overrides: tile shapes pinned by layer; see `compiler/README.md`.
        instrument: called between the passes.
    """

    model: Model
    machine: Machine
    placement: tuple[Placement, ...]
    overrides: Tiles
    instrument: PassPipelineCallbackType | None = None

    @staticmethod
    def of(
        model: Model | str | Path,
        machine: Machine | str | None = None,
        *,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        tile_overrides: Path | Mapping[str, Any] | None = None,
        accuracy: str | Accuracy | None = None,
        outputs: OutputChoice = ALL_OUTPUTS,
        observe: Callable[[str, Model], None] | None = None,
        instrument: PassPipelineCallbackType | None = None,
    ) -> Compilation:
        """Read and fuse a model, or read a module of a later level.

        Args:
            model: ONNX file, `.mlir` file of any level, built-in model's name, or a `Model`.
            machine: that of the module if it has one, else `paper`.
            shapes: values for dynamic input shapes, by input name; one size by a dimension's name.
            tile_overrides: TOML file or mapping, layer name to tile.
            accuracy: one of `ACCURACIES` or a file of choices by layer; None computes sums as the
                model's text has them: whole, unless it says otherwise.
            outputs: those to compute, and of which tokens.
            observe: sees the model after "import" and after "fusion", its weights in float32.
            instrument: called between passes, as xDSL's pipelines do.

        Raises:
            UserError: the model cannot be read or holds operations that are not supported, or the
                compiler has no program for the machine.
        """
        from softex_mlir.compiler.pipeline import fuse
        from softex_mlir.compiler.target import check_ports, check_room, check_target
        from softex_mlir.compiler.transforms.transformer.split_values import notes_on_keys
        from softex_mlir.compiler.transforms.transformer.widen_sums import (
            is_for_cores,
        )

        if isinstance(machine, str):
            machine = Machine.load(machine)
        loaded = model if isinstance(model, Model) else load_model(model, shapes or {})
        if loaded.level != "transformer":
            if shapes or tile_overrides or accuracy or outputs != ALL_OUTPUTS:
                raise UserError(
                    f"{loaded.source}: is scheduled: expected shapes, tiles, accuracy and outputs "
                    "to have been given before, found some now: start from an earlier level"
                )
            return _continued(loaded, machine, instrument)
        machine = Machine.load() if machine is None else machine
        level = accuracy_of(accuracy) if isinstance(accuracy, str) else accuracy
        if is_for_cores(loaded.module) if level is None else level.cores:
            machine = machine.cores_alone()
        check_target(machine)
        if isinstance(tile_overrides, Path):
            tiles = read_tiles(tile_overrides)
        else:
            tiles = check_tiles(tile_overrides or {})
        if level is not None:
            _expect_model(level, loaded, f"{accuracy}" if isinstance(accuracy, str) else "accuracy")
        check_ports(loaded, machine)
        if observe is not None:
            observe("import", loaded)
        outputs.apply(loaded)
        check_room(loaded, machine)
        watch = None if observe is None else partial(observe, "fusion")
        placement = fuse(loaded, machine, watch, accuracy=level, instrument=instrument)
        loaded.notes += notes_on_keys(loaded.module)
        return Compilation(loaded, machine, tuple(placement), tiles, instrument)

    def emit(self, level: str) -> str | bytes:
        """The model at one of `LEVELS`, for reading: text, or the bytes of the ELF file.

        Raises:
            UserError: the model was read at a later level.
        """
        if level == "elf":
            return self.program_bytes
        module = self._at("riscv" if level == "asm" else level)
        if level == "asm":
            from softex_mlir.compiler.backend.print_assembly import assembly

            return assembly(module)
        from softex_mlir.compiler.origin import ATTRIBUTE
        from softex_mlir.dialects.cluster import SourceOp

        for op in [op for op in module.ops if isinstance(op, SourceOp)]:
            op.detach()
        module.attributes.pop(ATTRIBUTE, None)
        return f"{module!s}\n"

    def write(self, level: str, path: Path) -> None:
        """Write a file of one of `LEVELS`. From a module the compilation can go on: its weights
        are written beside it, and what the program's file will say about the model is in it.

        Raises:
            UserError: it cannot be written, or the model was read at a later level.
        """
        if level in ("asm", "elf"):
            from softex_mlir.files import write_atomically

            write_atomically(path, self.emit(level))
            return
        from softex_mlir.compiler.sidecar import write_module

        write_module(self._at(level), self.model.name, self.model.weights, path)

    @cached_property
    def program_bytes(self) -> bytes:
        """The ELF file."""
        from softex_mlir.compiler.artifacts import LinkError
        from softex_mlir.compiler.backend.assembler import AssemblyError
        from softex_mlir.compiler.backend.link import link
        from softex_mlir.compiler.backend.print_assembly import assembly, operation_at

        module = self._at("riscv")
        with self._text_at_fault(), rare_collections():
            try:
                return link(module, assembly(module), self.model.weights)
            except AssemblyError as error:
                raise LinkError(error.reason, operation_at(module, error.line)) from error

    def outline(self) -> dict[str, Any]:
        """The parts of a program's note that estimates read, from the schedule alone.

        Raises:
            UserError: the model was read at a later level.
        """
        from softex_mlir.compiler.outline import outline

        if self.model.level != "transformer":
            raise UserError(
                f"{self.model.source}: is scheduled: expected a model to estimate; compile it, the "
                "summary of its program is the estimate"
            )
        return outline(self.model, self.machine, self.overrides)

    def program(self) -> Program:
        """The program, ready to run or save."""
        from softex_mlir.runtime.program import Program

        return Program.from_bytes(self.program_bytes)

    def _at(self, level: str) -> ModuleOp:
        """A copy of the module, brought to a level."""
        from xdsl.passes import PassPipeline

        from softex_mlir.compiler.compilation_context import CompilationContext
        from softex_mlir.compiler.pipeline import stages

        first = LEVELS.index(self.model.level)
        last = LEVELS.index(level)
        if last < first:
            raise UserError(
                f"{self.model.source}: is a module of level {LEVELS[first]}: expected one of "
                f"{', '.join(LEVELS[first:])} to emit, found {level}"
            )
        module = self.model.module.clone()
        # A module of instructions may have no registers yet: the passes done find nothing to do.
        todo = LEVELS[min(first + 1, LEVELS.index("riscv")) : last + 1]
        by_level = stages(self.machine, self.overrides)
        if self.model.resume:
            todo = LEVELS[1 : last + 1]
        steps = tuple(step for name in todo for step in by_level[name])
        while self.model.resume and steps and steps[0].name != self.model.resume:
            steps = steps[1:]
        context = CompilationContext(weights=self.model.weights, model_name=self.model.name)
        with self._text_at_fault(), rare_collections():
            PassPipeline(steps, self.instrument).apply(context, module)
        return module

    @contextmanager
    def _text_at_fault(self) -> Generator[None]:
        """Turn whatever a scheduled module from a file makes passes raise into an error about it.

        What the compiler makes itself is checked by its own tests; what people write by hand is
        checked by verifiers only, so a pass may find what it does not expect.
        """
        from xdsl.utils.exceptions import DiagnosticException

        from softex_mlir.dialects.text import operations_in_errors, problem_of

        written = Exception if self.model.level != "transformer" else DiagnosticException
        try:
            with operations_in_errors():
                yield
        except UserError as error:
            if self.model.level == "transformer":
                raise
            raise UserError(str(problem_of(error, self.model.source))) from error
        except written as error:
            problem = problem_of(error, self.model.source)
            problem.message = f"the compiler cannot go on from here: {problem.message}"
            raise UserError(str(problem)) from error


def _expect_model(accuracy: Accuracy, model: Model, where: str) -> None:
    """Refuse a choice that was made for another model; note what was asked for."""
    from softex_mlir.compiler.origin import mark_bound

    if accuracy.model and accuracy.model != (found := model_hash(model)):
        raise UserError(
            f"{where}: is for another model: expected one of hash {accuracy.model[:16]}…, found "
            f"{found[:16]}…: choose anew, or leave model out to take its layers by name"
        )
    if accuracy.bound:
        mark_bound(model.module, accuracy.bound)


def _continued(
    model: Model, machine: Machine | None, instrument: PassPipelineCallbackType | None
) -> Compilation:
    """The compilation of a module that has its machine and its schedule."""
    from softex_mlir.compiler.transforms.transformer.place import Placement
    from softex_mlir.dialects.cluster import SourceOp
    from softex_mlir.dialects.target import machine_of

    scheduled_for = machine_of(model.module)
    if machine is not None and machine != scheduled_for:
        raise UserError(
            f"{model.source}: is scheduled for the machine '{scheduled_for.name}': expected the "
            f"same, found '{machine.name}': leave --target out, or start from an earlier level"
        )
    sources = [op for op in model.module.ops if isinstance(op, SourceOp)]
    placement = tuple(Placement(**entry) for op in sources for entry in op.placed)
    return Compilation(model, scheduled_for, placement, {}, instrument)


def load_model(model: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> Model:
    """Read a model from a file, or make a built-in one.

    Raises:
        UserError: it cannot be read, or there is none of that name.
    """
    path = Path(model)
    if path.suffix == ".mlir" or (is_standard_input(path) and _is_text(path)):
        return _load_text(path, shapes)
    if not path.suffix:
        from softex_mlir.compiler.models import BUILTIN, FAMILIES, built_in

        if str(model) in (*BUILTIN, *FAMILIES):
            return built_in(str(model), {})
        if not path.exists():
            raise UserError(
                f"{model}: no such file, and no built-in model of that name; "
                f"built in: {', '.join(BUILTIN)}; with --weights: {', '.join(FAMILIES)}"
            )
    if path.is_dir():
        raise UserError(
            f"{model}: is a folder: expected a file, or --max-length N beside the folder of a "
            "decoder with a cache"
        )
    from softex_mlir.compiler.importers.onnx.importer import import_onnx
    from softex_mlir.compiler.origin import onnx_origin

    found = import_onnx(path, shapes)
    onnx_origin(path, shapes).mark(found.module)
    return found


def _is_text(path: Path) -> bool:
    """Whether a file begins as text: ONNX files begin with the number of a field, in binary."""
    with path.open("rb") as file:
        return not set(file.read(64)) - _OF_TEXT


def _load_text(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Model:
    """A module of one of our levels, or of linear algebra on tensors."""
    from softex_mlir.compiler.model import read_model
    from softex_mlir.compiler.origin import mlir_origin

    if not path.exists():
        return read_model(path)
    from softex_mlir.compiler.importers.mlir.importer import import_mlir, read_foreign

    source = read_foreign(path)
    if source is None:
        return read_model(path)
    if shapes:
        raise UserError(
            f"{path}: the shapes of a module are in its text: expected no other ones, found "
            f"{', '.join(shapes)}"
        )
    found = import_mlir(source, path)
    mlir_origin(path).mark(found.module)
    return found
