"""The inputs of a graph: their shapes and types, and the arguments of `@main` they become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper
from xdsl.dialects.builtin import TensorType, bf16, f32, i32
from xdsl.ir import SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.importers.onnx.input_shapes import shape_from_readers
from softex_mlir.compiler.importers.onnx.tensors import nonzero
from softex_mlir.compiler.importers.onnx.types import FLOATS, tensor_type
from softex_mlir.compiler.importers.onnx.values import (
    INTEGERS,
    Broken,
    OnnxError,
    Symbolic,
    element_name,
)
from softex_mlir.dialects.transformer import shape_of
from softex_mlir.errors import Refusal

if TYPE_CHECKING:
    from softex_mlir.compiler.importers.onnx.graph import Importer
    from softex_mlir.compiler.importers.onnx.reader import GraphReader

Shapes = Mapping[str, tuple[int, ...]]

_HELPER: Any = helper
_TENSOR = onnx.TensorProto
BYTES = frozenset((_TENSOR.UINT8, _TENSOR.INT8))
"""Integers that BF16 holds exactly."""
MAXIMUM_ELEMENTS = 1 << 28
"""Of an input: more does not fit the background memory of any machine we know."""


OF_TYPES = {
    0: "export tensors, one for each element",
    int(_TENSOR.STRING): "make ids of texts before the model",
}
"""What to do about inputs of some types, 0 for what is no tensor."""


def dtype_name(element: int) -> str:
    """An ONNX element type as users write it."""
    name = element_name(element)
    return {"float": "float32", "double": "float64"}.get(name, name)


def make_inputs(
    file: str, graph: Any, shapes: Shapes, reader: GraphReader
) -> tuple[list[Port], list[Refusal]]:
    """Create the arguments of `@main` and their values.

    Inputs without a shape or of an unsupported type are refused, and broken for those who read
    them. Raises `OnnxError` for sizes of what the file does not have.
    """
    inputs = [v for v in graph.input if v.name not in reader.values]
    names = [v.name for v in inputs]
    symbols = _symbols(inputs)
    unknown = [name for name in shapes if name not in names and name not in symbols]
    if unknown:
        known = f"no input '{unknown[0]}'; the model's inputs are {', '.join(names)}"
        fixed = f" ({FIXED})" if inputs and not symbols else ""
        raise OnnxError(file, f"{known}{_listed_symbols(symbols)}{fixed}")
    for name in symbols:
        if len(shapes.get(name, (1,))) != 1 and name not in names:
            raise OnnxError(file, f"'{name}' is a dimension: it has one size")
    numbers, exact = _read_as_numbers(graph), reader.thresholds.exact
    ports: list[Port] = []
    problems: list[Refusal] = []
    for value in inputs:
        element = int(value.type.tensor_type.elem_type)
        if element not in FLOATS | INTEGERS:
            kind = element_name(element) if element else "no tensor type"
            supported = ", ".join(sorted(dtype_name(e) for e in FLOATS | INTEGERS))
            reason = f"input '{value.name}' has type {kind}; supported are {supported}"
            remedy = OF_TYPES.get(element, "cast it before the model")
            problems.append(Refusal(value.name, "", reason, remedy))
            reader.values[value.name] = Broken(True)
            continue
        given = shapes
        if value.name not in shapes and not value.type.tensor_type.HasField("shape"):
            found = shape_from_readers(graph, value.name)
            if found is not None:
                sizes = ",".join(map(str, found))
                reader.state.note(f"input '{value.name}' has shape {sizes}, by what reads it")
                given = {**shapes, value.name: found}
        shape = _input_shape(value, given)
        if isinstance(shape, Refusal):
            problems.append(shape)
            reader.values[value.name] = Broken(element in FLOATS)
            continue
        ports.append(Port(value.name, shape, dtype_name(element)))
        activation = element in FLOATS or value.name in numbers
        held = f32 if value.name in exact else bf16
        kind = TensorType(held if activation else i32, shape)
        state = reader.state
        argument = state.block.insert_arg(kind, len(state.block.args))
        state.arguments[value.name] = argument
        dtype = np.dtype(_HELPER.tensor_dtype_to_np_dtype(element))
        reader.define(
            value.name,
            argument if activation else symbol(state, value.name, argument, dtype),
            tensor_type(element, shape),
        )
    return ports, problems


def _symbols(inputs: Iterable[Any]) -> list[str]:
    """Names of the dimensions that are left open, in order."""
    dims = [d for value in inputs for d in value.type.tensor_type.shape.dim]
    return list(dict.fromkeys(d.dim_param for d in dims if d.dim_param))


def _listed_symbols(symbols: list[str]) -> str:
    return f", its open dimensions {', '.join(symbols)}" if symbols else ""


def _read_as_numbers(graph: Any) -> frozenset[str]:
    """Inputs of bytes that are only ever cast to floating point: images."""
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)

    def is_cast(node: Any) -> bool:
        return node.op_type == "Cast" and any(
            a.name == "to" and a.i in FLOATS for a in node.attribute
        )

    outputs = {value.name for value in graph.output}
    return frozenset(
        value.name
        for value in graph.input
        if int(value.type.tensor_type.elem_type) in BYTES
        and value.name not in outputs
        and all(map(is_cast, users.get(value.name, [])))
    )


def _input_shape(value: Any, shapes: Shapes) -> tuple[int, ...] | Refusal:
    """Static shape of a graph input."""
    name, kind, given = value.name, value.type.tensor_type, shapes.get(value.name)
    if not kind.HasField("shape"):
        if given is not None:
            return _of_possible_size(name, given)
        reason = f"input '{name}' has no shape in the file: give it with --shape {name}=SIZES, "
        return Refusal(name, "", f"{reason}such as --shape {name}=1,128")
    # Some exporters write sizes they leave open as -1.
    dims = [
        d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else d.dim_param or "?"
        for d in kind.shape.dim
    ]
    found = f"input '{name}' has shape [{', '.join(map(str, dims))}]"
    if given is not None:
        if len(given) == len(dims) and all(
            g >= 1 and (isinstance(d, str) or d == g) for d, g in zip(dims, given, strict=True)
        ):
            return _of_possible_size(name, given)
        reason = f"{found}: [{', '.join(map(str, given))}] does not fit"
        return Refusal(name, "", reason, "" if _are_open(dims) else FIXED)
    dims = [shapes[d][0] if isinstance(d, str) and d in shapes else d for d in dims]
    if _are_open(dims):
        example = ",".join(str(d if isinstance(d, int) else 1) for d in dims)
        shown = f"input '{name}' has shape [{', '.join(map(str, dims))}]"
        how = f"give its size with --shape {name}={example}{_bysymbol(dims)}"
        return Refusal(name, "", f"{shown}: {how}")
    return _of_possible_size(name, [int(d) for d in dims])


FIXED = (
    "the file fixes its sizes: export it again for these, or with dynamic_axes (dynamic_shapes "
    "with dynamo=True) and give sizes here"
)
"""What to do about a file of other sizes."""


def _are_open(dims: Sequence[int | str]) -> bool:
    return any(isinstance(d, str) for d in dims)


def _bysymbol(dims: Sequence[int | str]) -> str:
    """How the sizes of all inputs are given at once."""
    named = dict.fromkeys(d for d in dims if isinstance(d, str) and d != "?")
    return " or " + " ".join(f"--dim {d}=1" for d in named) if named else ""


def _of_possible_size(name: str, shape: Sequence[int]) -> tuple[int, ...] | Refusal:
    if all(size >= 1 for size in shape) and prod(shape) <= MAXIMUM_ELEMENTS:
        return tuple(shape)
    reason = (
        f"input '{name}' has {prod(shape)} elements; expected 1 to {MAXIMUM_ELEMENTS} "
        "(what 512 MiB of BF16 hold)"
    )
    return Refusal(name, "", reason)


def symbol(state: Importer, name: str, argument: SSAValue, dtype: Any) -> Symbolic:
    """The value of an integer input."""
    return Symbolic(
        frozenset([name]),
        lambda assignment: assignment[name].astype(dtype),
        np.ones(shape_of(argument), dtype),
        build=lambda: nonzero(state, argument) if dtype == np.bool_ else argument,
    )
