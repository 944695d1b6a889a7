"""From a model to a checked program: the compiler, then what watches it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softex_mlir.compiler.driver import Compilation
from softex_mlir.runtime.self_check import SelfCheck

if TYPE_CHECKING:
    from xdsl.passes import PassPipelineCallbackType

    from softex_mlir.compiler.model import Model
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.runtime.program import Program

LOG = logging.getLogger("softex_mlir")


def compile(
    model: Model | str | Path,
    target: Machine | str | None = None,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    tile_overrides: Path | Mapping[str, Any] | None = None,
    accuracy: str | None = None,
    self_check: bool | None = None,
) -> Program:
    """Compile a model to a program for a machine, and check what it computes.

    Args:
        model: ONNX file, `.mlir` file of any level, built-in model's name, or a `Model`.
        target: a machine, the name of a shipped one, or a TOML file; default: that of a scheduled
            module, else ``paper``.
        shapes: values for dynamic input shapes, by input name.
        tile_overrides: TOML file or mapping, layer name to tile.
        accuracy: "fast" (the default for models that do not say) or "balanced"; see the README.
        self_check: compare the imported and the fused model with an independent implementation;
            None does so for models of up to a billion multiply-accumulates. The result is logged.

    Raises:
        UserError: the model cannot be read, does not fit the machine, or fails the self-check.
    """
    compilation, line = compile_and_check(
        model,
        target,
        shapes=shapes,
        tile_overrides=tile_overrides,
        accuracy=accuracy,
        self_check=self_check,
    )
    LOG.log(logging.WARNING if "warning:" in line else logging.INFO, line)
    return compilation.program()


def compile_and_check(
    model: Model | str | Path,
    target: Machine | str | None = None,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    tile_overrides: Path | Mapping[str, Any] | None = None,
    accuracy: str | None = None,
    self_check: bool | None = None,
    instrument: PassPipelineCallbackType | None = None,
) -> tuple[Compilation, str]:
    """A compilation as `compile` makes it, at all its levels, and what the self-check says."""
    watch = SelfCheck(model, shapes or {}, self_check)
    compilation = Compilation.of(
        model,
        target,
        shapes=shapes,
        tile_overrides=tile_overrides,
        accuracy=accuracy,
        observe=watch.observe,
        instrument=instrument,
    )
    return compilation, watch.finish(compilation)
