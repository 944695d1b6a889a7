"""What `softex compile` does besides calling the compiler."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from softex_mlir.compiler.driver import load_model
from softex_mlir.compiler.outputs import OutputChoice
from softex_mlir.compiler.sidecar import write_module
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.errors import UserError
from softex_mlir.tools.forms import Form, emit, rendered
from softex_mlir.tools.progress import status_line

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.passes import ModulePass

    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.compiler.model import Model
    from softex_mlir.compiler.transforms.transformer.place import Placement
    from softex_mlir.runtime.program import Program
    from softex_mlir.tools.pass_options import PassInstrumentation
    from softex_mlir.tools.phases import PhaseDump
    from softex_mlir.tools.reproducer import Reproducer


@dataclass
class PassesShown:
    """What to call between passes: the instrumentation, and a line that says what is done now
    unless the instrumentation prints."""

    instrument: PassInstrumentation
    model: Model | None = None
    _show: Callable[[str], None] | None = None

    def observe(self, stage: str, model: Model) -> None:
        """Know the model before its first pass."""
        if stage == "import":
            self.model = model

    def weights(self) -> tuple[WeightStore, str]:
        """The data that the passes have, and the model's name."""
        if self.model is None:
            return WeightStore(), ""
        return self.model.weights, self.model.name

    def __call__(
        self, before: ModulePass | None, module: ModuleOp, after: ModulePass | None
    ) -> None:
        """Between two passes; None before the first and after the last."""
        self.instrument(before, module, after)
        if self._show is not None:
            self._show("linking" if after is None else f"compiling: {after.name}")

    @contextmanager
    def shown(self) -> Generator[None]:
        """Show the line meanwhile."""
        with status_line(quiet=self.instrument.wanted) as self._show:
            yield
        self._show = None


@dataclass(frozen=True)
class PassWatches:
    """What else watches the passes: dumps of every phase, the input of one that fails."""

    phases: PhaseDump | None
    reproducer: Reproducer | None

    @staticmethod
    def of(between: PassesShown, folder: Path | None, file: Path | None) -> PassWatches:
        """Watches that write into a folder, and to a file, if there are any.

        Raises:
            UserError: these cannot be written to.
        """
        from softex_mlir.tools.phases import PhaseDump
        from softex_mlir.tools.reproducer import Reproducer

        phases = None if folder is None else PhaseDump(folder, lambda: between.model)
        reproducer = None if file is None else Reproducer(file, between.weights)
        between.instrument.others = [watch for watch in (phases, reproducer) if watch is not None]
        return PassWatches(phases, reproducer)

    @contextmanager
    def watching(self) -> Generator[None]:
        """Write the input of a pass that fails meanwhile."""
        with nullcontext() if self.reproducer is None else self.reproducer.watching():
            yield

    def finish(self, program: bytes | None) -> None:
        """Write what is known at the end."""
        if self.phases is not None:
            self.phases.finish(program)


def write_compiled(compilation: Compilation, level: str, output: Path | None) -> str:
    """Write a level to a file, or return its text."""
    if output is not None:
        compilation.write(level, output)
        return ""
    text = compilation.emit(level)
    assert isinstance(text, str)
    return text


def print_placement(placement: Sequence[Placement], form: Form, output: Path | None = None) -> None:
    """Which unit each operation runs on, and why."""
    from softex_mlir.tools.tables import placement_table

    rows = [vars(entry) for entry in placement]
    emit(
        form,
        output,
        text=lambda: rendered([placement_table(placement)], output),
        data=lambda: {"placement": rows},
        rows=lambda: rows,
    )


def made_line(program: Program, path: Path, seconds: float) -> str:
    """One line about a program that was written: what it consists of, and how long it took."""
    metadata = program.metadata
    launches = len(metadata["launches"])
    code = sum(len(segment.data) for segment in program.segments if segment.executable)
    weights = sum(weight["bytes"] for weight in metadata["weights"])
    return (
        f"{path}: {metadata['model']} for {metadata['machine']['name']}: "
        f"{len(metadata['placement']):,} operations, {len(metadata['kernels']):,} kernels launched "
        f"{launches:,} times, code {code / 1e3:.1f} kB, weights {weights / 1e6:.1f} MB; "
        f"compiled in {seconds:.1f} s"
    )


def write_graph(
    model: str,
    shapes: Mapping[str, tuple[int, ...]],
    outputs: OutputChoice,
    output: Path | None,
) -> None:
    """Print or write a model as it was imported, before any pass; its weights are float32."""
    loaded = load_model(model, shapes)
    if loaded.level != "transformer":
        raise UserError(f"{model}: is a module of level {loaded.level}, which has no graph")
    outputs.apply(loaded)
    if output is None:
        sys.stdout.write(f"{loaded.module!s}\n")
    else:
        write_module(loaded.module, loaded.name, loaded.weights, output)
