"""`--mlir-pass-pipeline-crash-reproducer FILE`: the module a pass failed on, and the pass."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from softex_mlir.compiler.machine_pass import MachinePass
from softex_mlir.compiler.sidecar import Heading
from softex_mlir.compiler.weights import WeightStore, weights_in
from softex_mlir.errors import UserError
from softex_mlir.files import check_writable, read_text, write_atomically

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.passes import ModulePass

_CONFIGURATION = re.compile(r"^// configuration: -p (?P<pipeline>.+)$", re.MULTILINE)


@dataclass
class Reproducer:
    """Called between passes; keeps the module as the pass that runs now found it.

    Attributes:
        weights: gives the data of the module's weights, and the model's name.
    """

    path: Path
    weights: Callable[[], tuple[WeightStore, str]]
    _running: tuple[ModulePass, ModuleOp, WeightStore, str] | None = None

    def __post_init__(self) -> None:
        check_writable(self.path)
        if self.path.suffix != ".mlir":
            raise UserError(f"{self.path}: expected a name in .mlir: its weights go beside it")

    def __call__(
        self, before: ModulePass | None, module: ModuleOp, after: ModulePass | None
    ) -> None:
        """Between two passes; None before the first and after the last."""
        self._running = None
        if after is not None:
            weights, name = self.weights()
            self._running = after, module.clone(), weights.copy(), name

    @contextmanager
    def watching(self) -> Generator[None]:
        """Write the file if what is done meanwhile fails in a pass."""
        try:
            yield
        except Exception as error:
            if self._running is not None:
                self._write(error)
            raise

    def _write(self, error: Exception) -> None:
        assert self._running is not None
        failed, module, weights, name = self._running
        beside = None
        if any(weights_in(module)) and len(weights):
            beside = self.path.with_suffix(".safetensors")
            weights.save(beside)
        if isinstance(failed, MachinePass) and "\n" in failed.machine:
            # A description has quotes and lines, an option has none.
            described = self.path.with_suffix(".toml")
            write_atomically(described, failed.machine)
            failed = replace(failed, machine=str(described))
        reason = " ".join(str(error).split()) or type(error).__name__
        with Heading(name, beside).on(module, self.path.parent):
            text = (
                f"// {failed.name} failed: {reason}\n"
                f"// configuration: -p {shlex.quote(str(failed.spec()))}\n{module!s}\n"
            )
        write_atomically(self.path, text)
        sys.stderr.write(
            f"note: {failed.name} failed; its input is in {self.path}: "
            f"softex-opt --run-reproducer {self.path}\n"
        )


def pipeline_of(path: Path) -> str:
    """The passes that a reproducer says to run.

    Raises:
        ValueError: the file cannot be read, or says none.
    """
    try:
        found = _CONFIGURATION.search(read_text(path))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text") from error
    if found is None:
        raise ValueError(
            f"{path}: expected a line '// configuration: -p …', as "
            "--mlir-pass-pipeline-crash-reproducer writes it"
        )
    return shlex.split(found["pipeline"])[0]
