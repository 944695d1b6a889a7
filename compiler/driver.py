"""The compiler's front door: from a model to any level, and to a program."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softex_mlir.compiler.accuracy import ACCURACIES, Accuracy
from softex_mlir.compiler.model import Model
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine

if TYPE_CHECKING:
    from softex_mlir.compiler.artifacts import CompiledModule
    from softex_mlir.compiler.transforms.transformer.place import Placement
    from softex_mlir.runtime.program import Program

LEVELS = ("transformer", "jobs", "commands", "riscv", "asm", "elf")
"""What `Compilation.emit` can stop at, in order."""


@dataclass(frozen=True)
class Compilation:
    """One model compiled for one machine, level by level, each computed when it is asked for.

    Attributes:
        model: the fused model; later levels leave it as it is.
        placement: which unit each operation runs on, and why.
        overrides: tile shapes pinned by layer; see `compiler/README.md`.
    """

    model: Model
    machine: Machine
    placement: tuple[Placement, ...]
    overrides: Mapping[str, Any]

    @staticmethod
    def of(
        model: Model | str | Path,
        machine: Machine | str = "paper",
        *,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        tile_overrides: Path | Mapping[str, Any] | None = None,
        accuracy: str | None = None,
        observe: Callable[[str, Model], None] | None = None,
    ) -> Compilation:
        """Read and fuse a model.

        Args:
            model: ONNX file, transformer-level `.mlir` file, built-in model's name, or a `Model`.
            shapes: values for dynamic input shapes, by input name.
            tile_overrides: TOML file or mapping, layer name to tile.
            accuracy: one of `ACCURACIES`; None computes sums as the model's text has them: whole,
                unless it says otherwise.
            observe: sees the model after "import" and after "fusion", its weights in float32.

        Raises:
            UserError: the model cannot be read or holds operations that are not supported, or the
                compiler has no program for the machine.
        """
        from softex_mlir.compiler.pipeline import fuse
        from softex_mlir.compiler.target import check_target

        if isinstance(machine, str):
            machine = Machine.load(machine)
        check_target(machine)
        loaded = model if isinstance(model, Model) else load_model(model, shapes or {})
        if observe is not None:
            observe("import", loaded)
        level = None if accuracy is None else _accuracy(accuracy)
        watch = None if observe is None else partial(observe, "fusion")
        placement = fuse(loaded, machine, watch, accuracy=level)
        return Compilation(loaded, machine, tuple(placement), _overrides(tile_overrides))

    def emit(self, level: str) -> str | bytes:
        """The model at one of `LEVELS`: text, or the bytes of the ELF file."""
        if level == "transformer":
            return f"{self.model.module!s}\n"
        if level == "elf":
            return self.program_bytes
        compiled = self._scheduled()
        if level != "jobs":
            _run_passes(compiled, level)
        if level == "asm":
            from softex_mlir.compiler.backend import to_assembly

            return to_assembly(compiled.module)
        return f"{compiled.module!s}\n"

    @cached_property
    def program_bytes(self) -> bytes:
        """The ELF file."""
        from softex_mlir.compiler.backend.link import link
        from softex_mlir.compiler.backend.print_assembly import assembly

        compiled = self._scheduled()
        _run_passes(compiled, "riscv")
        return link(compiled, assembly(compiled.module), self.model.weights)

    def program(self) -> Program:
        """The program, ready to run or save."""
        from softex_mlir.runtime.program import Program

        return Program.from_bytes(self.program_bytes)

    def _scheduled(self) -> CompiledModule:
        # Later passes change the module in place, so every caller gets its own.
        from softex_mlir.compiler.layer_names import name_layers
        from softex_mlir.compiler.schedule.lower import schedule_module

        compiled = schedule_module(self.model.module, self.machine, self.overrides)
        compiled.placement = [dataclasses.asdict(entry) for entry in self.placement]
        compiled.source = {"model": self.model.name}
        compiled.layer_names = name_layers(self.model.module)
        compiled.transformer_text = f"{self.model.module!s}\n"
        return compiled


def load_model(model: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> Model:
    """Read a model from a file, or make a built-in one.

    Raises:
        UserError: it cannot be read, or there is none of that name.
    """
    path = Path(model)
    if path.suffix == ".mlir":
        from softex_mlir.compiler.model import read_model

        return read_model(path)
    if not path.suffix:
        from softex_mlir.compiler.models import BUILTIN

        if str(model) in BUILTIN:
            return BUILTIN[str(model)]()
        if not path.exists():
            raise UserError(
                f"{model}: no such file, and no built-in model of that name; "
                f"built in: {', '.join(BUILTIN)}"
            )
    from softex_mlir.compiler.importers.onnx.importer import import_onnx

    return import_onnx(path, shapes)


def _accuracy(name: str) -> Accuracy:
    if name not in ACCURACIES:
        levels = ", ".join(ACCURACIES)
        raise UserError(f"accuracy: expected one of {levels}, found '{name}'")
    return ACCURACIES[name]


def _overrides(source: Path | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if not isinstance(source, Path):
        return source or {}
    try:
        return tomllib.loads(source.read_text())
    except OSError as error:
        raise UserError(f"{source}: cannot read the tile shapes: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{source}: not TOML: {error}") from error


def _run_passes(compiled: CompiledModule, level: str) -> None:
    """Lower a scheduled module in place to `commands`, or to `riscv`."""
    from xdsl.context import Context

    from softex_mlir.compiler.pipeline import COMMAND_PASSES, RISCV_PASSES
    from softex_mlir.compiler.transforms import get_all_passes

    factories = get_all_passes()
    names = COMMAND_PASSES if level == "commands" else COMMAND_PASSES + RISCV_PASSES
    context = Context()
    for name in names:
        factories[name]()().apply(context, compiled.module)
