"""What `softex compile` does besides calling the compiler."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from softex_mlir.compiler.driver import load_model
from softex_mlir.compiler.outputs import OutputChoice
from softex_mlir.compiler.sidecar import write_module
from softex_mlir.errors import UserError


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
