"""The table of ONNX operators that may work on activations; other modules register in it."""

from __future__ import annotations

from typing import Any

from softex_mlir.compiler.importers.onnx.graph import Handler
from softex_mlir.compiler.importers.onnx.values import Unsupported

OPERATORS: dict[str, tuple[Handler, str]] = {}
"""Handler of each operator, and what is supported of it."""


def operator(*names: str, note: str = "") -> Any:
    """Register the handler of operators."""

    def register(handler: Handler) -> Handler:
        for name in names:
            OPERATORS[name] = (handler, note)
        return handler

    return register


def axis_of(axis: int, rank: int) -> int:
    """A dimension's number; negative ones count from the end.

    Raises `Unsupported` if there is no such dimension.
    """
    if not -rank <= axis < rank:
        raise Unsupported(f"there is no dimension {axis} in {rank} dimensions")
    return axis % rank
