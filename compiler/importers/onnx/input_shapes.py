"""Shapes of inputs of which the file says nothing, from what reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnx import helper

_HELPER: Any = helper
SAME = frozenset(
    (
        *("Relu", "Sigmoid", "Tanh", "Erf", "Exp", "Log", "Sqrt", "Abs", "Neg", "Gelu"),
        *("Identity", "Cast", "Softmax", "LogSoftmax", "LayerNormalization"),
    )
)
"""Operators whose result has the shape of their first operand."""
Shape = tuple[int, ...]


def shape_from_readers(graph: Any, name: str) -> Shape | None:
    """The only shape with which a node that reads an input has the result that the file states;
    None if nothing says it."""
    shapes = {v.name: _static(v) for v in (*graph.output, *graph.value_info)}
    weights = {tensor.name: tuple(int(n) for n in tensor.dims) for tensor in graph.initializer}
    for node in reversed(graph.node):
        if not node.input or not node.output or shapes.get(node.input[0]) is not None:
            continue
        shapes[node.input[0]] = _operand(node, shapes.get(node.output[0]), weights)
    return shapes.get(name)


def _operand(node: Any, result: Shape | None, weights: Mapping[str, Shape]) -> Shape | None:
    """The shape of a node's first operand."""
    if result is None:
        return None
    if node.op_type in SAME:
        return result
    matrix = weights.get(node.input[1]) if len(node.input) > 1 else None
    if matrix is None or len(matrix) != 2 or len(result) < 2:
        return None
    if node.op_type == "MatMul":
        return (*result[:-1], matrix[0])
    if node.op_type == "Gemm":
        given = {a.name: _HELPER.get_attribute_value(a) for a in node.attribute}
        inner = matrix[1 if given.get("transB") else 0]
        return (inner, result[0]) if given.get("transA") else (result[0], inner)
    return None


def _static(value: Any) -> Shape | None:
    """A shape of which all sizes are known."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    sizes = [d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim]
    return tuple(sizes) if all(n > 0 for n in sizes) else None
