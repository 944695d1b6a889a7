"""Decoders from ONNX files: read, fused entry by entry, and joined to one model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xdsl.passes import PassPipeline
from xdsl.utils.exceptions import PassFailedException

from softex_mlir.compiler.compilation_context import CompilationContext
from softex_mlir.compiler.entries import join_entries
from softex_mlir.compiler.importers.onnx.decoder import import_decoder
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.origin import onnx_origin
from softex_mlir.compiler.pipeline import FUSION
from softex_mlir.errors import UserError

_SIZES = ("max_length", "batch")


def read_decoder(
    path: Path,
    sizes: Mapping[str, int],
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Model:
    """A decoder with a cache as a fused model with the entries `prefill` and `decode`.

    Scales and orders of columns go into weights, so each entry is fused with weights of its own;
    those that are equal afterwards are the same.

    Args:
        sizes: `max_length`, and maybe `batch`.
        shapes: sizes of other dimensions that the file leaves open.

    Raises:
        UserError: the file cannot be read, or is no decoder with a cache.
    """
    unknown = [name for name in sizes if name not in _SIZES]
    if unknown or "max_length" not in sizes:
        raise UserError(
            f"{path}: expected max_length and batch as sizes of a decoder in a file, found "
            f"{', '.join(sizes)}; open dimensions of other models are given with --shape and --dim"
        )
    models = import_decoder(
        path, sizes["max_length"], batch=sizes.get("batch", 1), shapes=shapes or {}
    )
    for model in models.values():
        context = CompilationContext(weights=model.weights, model_name=model.name)
        try:
            PassPipeline(FUSION).apply(context, model.module)
        except PassFailedException as error:
            raise UserError(f"{path}: {error}") from error
    found = join_entries(models, path.stem, str(path))
    chosen = {name: (value,) for name, value in sizes.items()}
    onnx_origin(path, {**(shapes or {}), **chosen}).mark(found.module)
    return found


def read_chosen(path: Path, chosen: Mapping[str, tuple[int, ...]]) -> Model:
    """The decoder again, of the sizes and shapes that its origin says."""
    sizes = {name: chosen[name][0] for name in _SIZES if name in chosen}
    shapes = {name: shape for name, shape in chosen.items() if name not in sizes}
    return read_decoder(path, sizes, shapes)
