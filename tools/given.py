"""What options of several commands stand for: a machine, shapes of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from softex_mlir.compiler.model import Model
    from softex_mlir.isa_sim.machine import Machine


def machine_of(
    target: str,
    settings: list[str] | None = None,
    *,
    tcdm_bytes: int | None = None,
    no_softex: bool = False,
    no_redmule: bool = False,
) -> Machine:
    """The machine of a shipped name or a file, with what the other options change.

    Raises:
        UserError: the description cannot be read, or a setting is none of its keys.
    """
    from softex_mlir.isa_sim.machine import Machine

    machine = Machine.load(target)
    if settings:
        machine = machine.with_settings(settings)
    if tcdm_bytes is not None:
        machine = machine.with_tcdm_bytes(tcdm_bytes)
    if no_softex:
        machine = machine.without_softex()
    if no_redmule:
        machine = machine.without_redmule()
    return machine


def readable(model: str) -> str:
    """The file to read for a model's argument: an ONNX file for a program of `torch.export`."""
    from softex_mlir.compiler.importers.pytorch import is_exported_program, onnx_of

    return str(onnx_of(Path(model))) if is_exported_program(model) else model


def sizes_of(
    tokens: int | None, batch: int | None, layers: int | None, max_length: int | None = None
) -> dict[str, int]:
    """Sizes of a built-in model or an architecture that were chosen, by name."""
    chosen = {"tokens": tokens, "batch": batch, "layers": layers, "max_length": max_length}
    return {name: value for name, value in chosen.items() if value is not None}


def chosen_model(
    model: str,
    sizes: Mapping[str, int],
    weights: Path | None,
    config: Path | None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Model | str:
    """A model's argument, or the model itself where sizes or weights are given beside it.

    Raises:
        UserError: they do not fit it.
    """
    from softex_mlir.front_door import named_model

    if weights is None and not sizes:
        return model
    return named_model(model, sizes, weights, config, shapes)


def is_onnx(model: str) -> bool:
    """Whether a model's argument names an ONNX file: no text, no built-in model."""
    from softex_mlir.compiler.models import BUILTIN

    return Path(model).suffix != ".mlir" and model not in BUILTIN


def shapes_of(
    model: str, options: list[str] | None, dimensions: list[str] | None
) -> dict[str, tuple[int, ...]]:
    """Shapes of inputs (`--shape`), and sizes of open dimensions (`--dim`), by name.

    Raises:
        typer.BadParameter: an option is no name and sizes, a name is given twice, or the model
            leaves nothing open.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for hint, given in (("--shape", options or []), ("--dim", dimensions or [])):
        for option in given:
            name, equals, sizes = option.partition("=")
            if name in shapes:
                raise typer.BadParameter(f"input {name!r} is given twice", param_hint=hint)
            try:
                if not name or not equals:
                    raise ValueError
                shapes[name] = tuple(int(size) for size in sizes.split(","))
                if min(shapes[name]) < 1 or (hint == "--dim" and len(shapes[name]) > 1):
                    raise ValueError
            except ValueError:
                form = "positive sizes, name=1,197" if hint == "--shape" else "a size, batch=1"
                raise typer.BadParameter(
                    f"expected a name and {form}, found {option!r}", param_hint=hint
                ) from None
    if shapes and not is_onnx(model):
        raise typer.BadParameter(
            f"{model} has fixed shapes; only those that an ONNX file leaves open can be given"
            + ("" if Path(model).suffix else ": a built-in model has --tokens, --batch, --layers"),
            param_hint="--shape",
        )
    return shapes
