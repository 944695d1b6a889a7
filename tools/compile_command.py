"""What `softex compile` does besides calling the compiler."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from softex_mlir.compiler.driver import load_model
from softex_mlir.compiler.outputs import OutputChoice
from softex_mlir.compiler.sidecar import write_module
from softex_mlir.errors import UserError
from softex_mlir.tools.forms import Form, emit, rendered
from softex_mlir.tools.progress import status_line

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.passes import ModulePass

    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.compiler.transforms.transformer.place import Placement
    from softex_mlir.runtime.program import Program
    from softex_mlir.tools.pass_options import PassInstrumentation


@dataclass
class PassesShown:
    """What to call between passes: the instrumentation, and a line that says what is done now
    unless the instrumentation prints."""

    instrument: PassInstrumentation
    _show: Callable[[str], None] | None = None

    def __call__(
        self, before: ModulePass | None, module: ModuleOp, after: ModulePass | None
    ) -> None:
        """Between two passes; None before the first and after the last."""
        if self.instrument.wanted:
            self.instrument(before, module, after)
        if self._show is not None:
            self._show("linking" if after is None else f"compiling: {after.name}")

    @contextmanager
    def shown(self) -> Generator[None]:
        """Show the line meanwhile."""
        with status_line(quiet=self.instrument.wanted) as self._show:
            yield
        self._show = None


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
