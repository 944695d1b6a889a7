"""Whose fault it is that a node cannot be read."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.values import (
    ActivationSequence,
    Array,
    Broken,
    Past,
    Unsupported,
    Value,
    shape_of_value,
)

ENDED = (ValueError, TypeError, LookupError, ArithmeticError, StopIteration)
"""What the reading of a node that no exporter writes may end with: operands of other ranks than
operators have, branches that are not there, operations that refuse to be built."""
OUR_FAULT = "softex-mlir fails on it, which is its fault and not the file's: please report"


def blamed(
    state: Importer,
    proto: Any,
    operands: Sequence[Value],
    types: Sequence[Any],
    opset: int,
    error: Exception,
) -> str:
    """Why a node was not read: an error of ours where ONNX's reference implementation computes the
    node with operands of these shapes.

    Args:
        operands: values of the node's inputs, None for absent ones.
        types: their ONNX types.
        error: one of `ENDED`.
    """
    impossible = f"its operands do not go together: {error}"
    try:
        arrays = [
            None if not name else _like(value, kind)
            for name, value, kind in zip(proto.input, operands, types, strict=True)
        ]
        state.run(Node(proto, arrays, types, opset, {}), arrays)
    except (Unsupported, AssertionError, *ENDED):
        return impossible
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"{OUR_FAULT} '{type(error).__name__}: {error}' ({place})"


def _like(value: Value, kind: Any) -> Array:
    """Some elements for a value of an ONNX type."""
    if isinstance(value, np.ndarray):
        return value
    if kind is None or value is None or isinstance(value, Broken | ActivationSequence | Past):
        raise Unsupported("it has no elements")
    dtype = helper.tensor_dtype_to_np_dtype(int(kind.tensor_type.elem_type))
    return np.ones(shape_of_value(value), dtype)
