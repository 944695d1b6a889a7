"""The FP32 outputs that a program should come close to: from its source, if that is still there."""

from __future__ import annotations

from pathlib import Path

from softex_mlir.abi import MAIN
from softex_mlir.compiler.models import built_in
from softex_mlir.compiler.origin import Origin, digest, read_origin
from softex_mlir.errors import UserError
from softex_mlir.runtime.embedded import embedded_model
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.quality.data import load_arrays, output_sets
from softex_mlir.runtime.quality.fp32 import (
    ArrayReference,
    MlirReference,
    ModuleReference,
    OnnxReference,
    Reference,
)

NARROW = "FP32 arithmetic on BF16 weights"


def reference_of(program: Program, given: Path | None = None) -> Reference:
    """FP32 outputs of a program's model.

    By default those of the source that the program names, with its own weights; if that is gone or
    another file by now, FP32 arithmetic on the program's weights, and the title says so.

    Args:
        given: an ONNX file or a .npz file of outputs that take the source's place.

    Raises:
        UserError: `given` cannot be read, or has no output of the program's.
    """
    names = tuple(port.name for port in program.outputs)
    if given is not None and given.suffix == ".onnx":
        return OnnxReference(given, names)
    if given is not None:
        arrays = load_arrays(given)
        found = output_sets(arrays, program.outputs, str(given))
        if not found:
            raise UserError(
                f"{given}: expected outputs {', '.join(names)}, found {', '.join(arrays)}"
            )
        return ArrayReference(f"FP32 outputs of {given}", found)
    entry = program.entry_name or MAIN
    origin = read_origin(program.metadata.get("source"))
    why = "its source is not recorded"
    if origin is not None:
        path = _located(origin, program)
        why = f"{origin.path} is gone or has changed"
        if path is not None or not origin.path:
            return _source(origin, path, names, entry)
    return ModuleReference(f"{NARROW}: {why}", *embedded_model(program), entry)


def _located(origin: Origin, program: Program) -> Path | None:
    """The source's file, where it was or beside the program."""
    if not origin.path:
        return None
    places = [Path(origin.path)]
    if program.path is not None:
        places += [program.path.parent / origin.path, program.path.parent / places[0].name]
    for place in places:
        if place.is_file() and digest(place) == origin.sha256:
            return place
    return None


def _source(origin: Origin, path: Path | None, names: tuple[str, ...], entry: str) -> Reference:
    if origin.kind == "onnx":
        assert path is not None
        if entry != MAIN:
            from softex_mlir.compiler.decoders import read_chosen

            model = read_chosen(path, origin.chosen_shapes)
            return ModuleReference(f"FP32 ({path.name})", model.module, model.weights, entry)
        return OnnxReference(path, names, origin.chosen_shapes)
    if origin.kind == "mlir":
        assert path is not None
        return MlirReference(path)
    config = Path(origin.config) if origin.config else None
    model = built_in(origin.name, origin.chosen_sizes, path, config)
    where = origin.name if path is None else path.name
    return ModuleReference(f"FP32 ({where})", model.module, model.weights, entry)
