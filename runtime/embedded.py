"""The model inside a program: its transformer-level IR and its weights, unpacked from L2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from softex_mlir.abi import TRANSFORMER_SECTION
from softex_mlir.errors import UserError
from softex_mlir.runtime.dtypes import DTYPES
from softex_mlir.runtime.elf_reader import bytes_at

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from softex_mlir.runtime.program import Program


def embedded_module(program: Program) -> ModuleOp:
    """The fused model the program was compiled from.

    Raises:
        UserError: the program carries none, or the section is damaged.
    """
    from softex_mlir.dialects.text import TextError, read_module

    if program.transformer is None:
        raise UserError("the program carries no transformer-level IR; compile the model again")
    try:
        return read_module(program.transformer, TRANSFORMER_SECTION)
    except TextError as error:
        raise UserError(f"the program's transformer-level IR is damaged: {error}") from error


def embedded_model(program: Program) -> tuple[ModuleOp, dict[str, np.ndarray[Any, Any]]]:
    """`embedded_module` and `embedded_weights`, which go with each other.

    Raises:
        UserError: one of them cannot be had, or a weight's shape is another in the module.
    """
    from softex_mlir.dialects.transformer_base import GetWeightOp, shape_of

    module, weights = embedded_module(program), embedded_weights(program)
    for op in module.walk():
        if not isinstance(op, GetWeightOp):
            continue
        name, shape = op.weight.string_value(), shape_of(op.result)
        found = weights.get(name)
        if found is None or found.shape != shape:
            what = "has no place" if found is None else f"has shape {found.shape}"
            raise UserError(
                f"the program is damaged: weight {name!r} of shape {shape} {what} in its note"
            )
    return module, weights


def embedded_weights(program: Program) -> dict[str, np.ndarray[Any, Any]]:
    """Every weight by its transformer-level name, in its own shape.

    Raises:
        UserError: a weight lies outside the file's segments.
    """
    from softex_mlir.compiler.weight_layout import WeightLayout, unpack_weight

    weights: dict[str, np.ndarray[Any, Any]] = {}
    for entry in program.metadata["weights"]:
        if entry["name"] is None or entry["name"] in weights:
            continue
        data = bytes_at(program.segments, entry["address"], entry["bytes"])
        if data is None:
            name = entry["name"]
            raise UserError(f"the program is damaged: weight {name!r} lies outside its segments")
        packed = np.frombuffer(data, DTYPES[entry["dtype"]])
        layout = WeightLayout.from_json(entry["layout"])
        weights[entry["name"]] = unpack_weight(packed, layout, tuple(entry["shape"]))
    return weights
