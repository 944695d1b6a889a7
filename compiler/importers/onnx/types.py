"""Types of values as ONNX infers them, and the comparison of what was made with them.

Inference of a node from its operands' static shapes says what rank, shape and element type its
results must have. A handler that overlooks something that matters for them is found out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from xdsl.dialects.builtin import IntegerType, bf16, f32, i32
from xdsl.ir import SSAValue

from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.values import (
    INTEGERS,
    ActivationSequence,
    Broken,
    Discrete,
    NanTest,
    Past,
    Symbolic,
    Unsupported,
    Value,
    describe,
    element_name,
    element_of,
    shape_of_value,
)

i1 = IntegerType(1)
_ONNX: Any = onnx  # its type stubs are partial
_HELPER: Any = helper
_TENSOR = onnx.TensorProto
FLOATS = frozenset((_TENSOR.FLOAT, _TENSOR.FLOAT16, _TENSOR.BFLOAT16, _TENSOR.DOUBLE))
"""Element types of activations."""
WITH_BODIES = frozenset(("If", "Loop", "Scan", "SequenceMap"))
SMALL = 256
"""Elements of a constant that inference gets to see: shapes, axes, sizes."""


def tensor_type(element: int, shape: Sequence[int]) -> Any:
    """An ONNX tensor type."""
    return _HELPER.make_tensor_type_proto(element, shape)


def element_type_of(value: Any) -> int:
    """ONNX's number of a numpy array's element type."""
    return int(_HELPER.np_dtype_to_tensor_dtype(value.dtype))


def known_shape(kind: Any) -> tuple[int, ...] | None:
    """Shape of an ONNX tensor type, None where it or one of its sizes is not known."""
    if kind is None or not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return tuple(d.dim_value for d in dims) if all(d.dim_value > 0 for d in dims) else None


def type_of(value: Value, inferred: Any, operands: Sequence[Any]) -> Any:
    """The ONNX type of a node's result: what was inferred, with the shape that is known now."""
    if value is None or isinstance(value, Broken):
        return None
    if isinstance(value, ActivationSequence):
        return inferred
    if isinstance(value, np.ndarray):
        return tensor_type(element_type_of(value), value.shape)
    if isinstance(value, Symbolic):
        return tensor_type(element_type_of(value.sample), value.sample.shape)
    if isinstance(value, NanTest):
        return tensor_type(_TENSOR.BOOL, shape_of_value(value))
    if isinstance(value, Discrete):
        return tensor_type(value.element, shape_of_value(value))
    element = 0 if inferred is None else int(inferred.tensor_type.elem_type)
    if isinstance(value, Past):
        return tensor_type(element or int(_TENSOR.FLOAT), value.shape)
    if not element and isinstance(element_of(value), IntegerType):
        element = int(_TENSOR.BOOL if element_of(value) == i1 else _TENSOR.INT32)
    known = (int(o.tensor_type.elem_type) for o in operands if o is not None)
    element = element or next((e for e in known if e in FLOATS), int(_TENSOR.FLOAT))
    return tensor_type(element, shape_of_value(value))


def infer(node: Node, ir_version: int) -> list[Any]:
    """Types of a node's results by ONNX's inference; None where it says nothing.

    Raises `Unsupported` if ONNX says the node cannot be.
    """
    count = len(node.proto.output)
    known = all(
        kind is not None
        for value, kind in zip(node.operands, node.types, strict=True)
        if value is not None
    )
    if node.schema is None or node.kind in WITH_BODIES or not known:
        return [None] * count
    names = [name for name in node.proto.input if name]
    types = {n: kind for n, kind in zip(node.proto.input, node.types, strict=True) if n}
    data = {
        n: numpy_helper.from_array(value, n)
        for n, value in zip(node.proto.input, node.operands, strict=True)
        if isinstance(value, np.ndarray) and value.size <= SMALL and value.dtype.kind in "iufb"
    }
    assert set(names) == set(types)
    try:
        found = _ONNX.shape_inference.infer_node_outputs(
            node.schema,
            node.proto,
            types,
            data,
            opset_imports=[_HELPER.make_opsetid(node.proto.domain, node.opset)],
            ir_version=ir_version,
        )
    except (_ONNX.shape_inference.InferenceError, _ONNX.checker.ValidationError) as error:
        first = str(error).strip().splitlines()[0]
        plain = first.removeprefix("[ShapeInferenceError]").removeprefix("[TypeInferenceError]")
        shapes = ", ".join(str(shape_of_value(v)) for v in node.operands if _has_shape(v))
        raise Unsupported(
            f"it is not valid: {plain.strip()} (operands {shapes})",
            "the file is at fault: another exporter or opset may write it right",
        ) from error
    return [found.get(name) for name in node.proto.output]


def _has_shape(value: Value) -> bool:
    return value is not None and not isinstance(value, Broken | ActivationSequence)


def check_result(value: Value, inferred: Any) -> None:
    """Compare a result with its inferred type.

    Raises `Unsupported` if an activation is none of floating-point numbers, or on another shape.
    """
    if value is None or isinstance(value, Broken | ActivationSequence) or inferred is None:
        return
    if not inferred.HasField("tensor_type"):
        return
    expected = inferred.tensor_type
    if isinstance(value, SSAValue) and expected.elem_type:
        found = element_of(value)
        wanted = i1 if expected.elem_type == _TENSOR.BOOL else i32
        fits = found in (bf16, f32) if expected.elem_type in FLOATS else found == wanted
        if not fits or expected.elem_type not in (*FLOATS, *INTEGERS):
            name = element_name(expected.elem_type)
            raise Unsupported(f"its result is of type {name}")
    if not expected.HasField("shape"):
        return
    shape = shape_of_value(value)
    dims = [d.dim_value if d.HasField("dim_value") else None for d in expected.shape.dim]
    if len(dims) != len(shape) or any(
        d is not None and d != n for d, n in zip(dims, shape, strict=True)
    ):
        wanted = ", ".join("?" if d is None else str(d) for d in dims)
        raise Unsupported(f"its result is {describe(value)}, but ONNX says [{wanted}]")
