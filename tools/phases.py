"""`--dump-phases DIR`: the module after every pass of a compilation, in files that compile on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softex_mlir.compiler.sidecar import Heading
from softex_mlir.compiler.weights import WeightStore, weights_in
from softex_mlir.errors import UserError
from softex_mlir.files import write_atomically

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.passes import ModulePass

    from softex_mlir.compiler.model import Model

INDEX = "phases.md"
"""What lies in the folder, a line a pass."""


@dataclass
class PhaseDump:
    """Called between the passes of a compilation; writes the module wherever it has changed.

    Weights are written when passes changed them; later modules name that file.

    Attributes:
        model: gives the model whose weights the passes have.
    """

    folder: Path
    model: Callable[[], Model | None]
    _lines: list[str] = field(default_factory=list[str])
    _text: str = ""
    _module_file: str = ""
    _weights: tuple[Mapping[str, Any], Path] | None = None
    _started: float = 0.0

    def __post_init__(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.folder}: cannot write: {error.strerror}") from error
        if any(self.folder.iterdir()):
            raise UserError(f"{self.folder}: is not empty: expected a new folder for the phases")

    def __call__(
        self, before: ModulePass | None, module: ModuleOp, after: ModulePass | None
    ) -> None:
        """Between two passes; None before the first and after the last of a pipeline."""
        if before is not None or not self._lines:
            seconds = time.perf_counter() - self._started if before is not None else 0.0
            self._add("input" if before is None else before.name, module, seconds, after)
        self._started = time.perf_counter()

    def finish(self, program: bytes | None) -> None:
        """Write the program, too, and what lies in the folder."""
        if program is not None:
            name = f"{len(self._lines):02}-program.elf"
            write_atomically(self.folder / name, program)
            self._lines.append(f"| {name} | the program | | |")
        head = (
            "Each file is the module after the pass; it names its weights, and compiles on:",
            f"`softex compile {self._module_file} -o m.elf`, `softex-opt {self._module_file}`.",
            "",
            "| file | pass | operations | seconds |",
            "|---|---|---|---|",
        )
        write_atomically(self.folder / INDEX, "\n".join([*head, *self._lines, ""]))

    def _add(self, name: str, module: ModuleOp, seconds: float, after: ModulePass | None) -> None:
        text, number = str(module), len(self._lines)
        path = self.folder / f"{number:02}-{name}.mlir"
        weights = self._weights_of(module, path)
        if text != self._text or weights == path.with_suffix(".safetensors"):
            self._text, self._module_file = text, path.name
            model, resume = self.model(), "" if after is None else after.name
            heading = Heading("" if model is None else model.name, weights, resume)
            with heading.on(module, self.folder):
                write_atomically(path, f"{module!s}\n")
            shown = path.name
        else:
            shown = f"unchanged: {self._module_file}"
        operations = sum(1 for _ in module.walk())
        self._lines.append(f"| {shown} | {name} | {operations:,} | {seconds:.3f} |")

    def _weights_of(self, module: ModuleOp, path: Path) -> Path | None:
        """The file of the module's weights; written beside `path` if they are new."""
        model = self.model()
        if model is None or not any(weights_in(module)):
            return None
        if self._weights is None or not same_data(self._weights[0], model.weights):
            beside = path.with_suffix(".safetensors")
            model.weights.save(beside)
            self._weights = dict(model.weights), beside
        return self._weights[1]


def same_data(one: Mapping[str, Any], other: WeightStore) -> bool:
    """Whether two stores hold the very same arrays."""
    return one.keys() == other.keys() and all(one[name] is other[name] for name in one)
