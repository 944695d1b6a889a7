"""ONNX files to the graph form of the `transformer` dialect.

Everything that can be computed from constants and known shapes is computed here, with ONNX's own
reference implementation; what remains are operations on activations.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, TensorType, bf16, i32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Region, SSAValue

from softex_mlir.compiler.importers.onnx_file import load
from softex_mlir.compiler.importers.onnx_graph import Importer, Node, initializer, layer_name
from softex_mlir.compiler.importers.onnx_operators import OPERATORS
from softex_mlir.compiler.importers.onnx_values import (
    OnnxError,
    Symbolic,
    Unsupported,
    Value,
)
from softex_mlir.compiler.model import Model, Port, port_attributes
from softex_mlir.dialects import transformer as t

Shapes = Mapping[str, tuple[int, ...]]

FLOATS = {"FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE"}
INTEGERS = {"INT64", "INT32", "BOOL", "UINT8", "INT8"}
MAXIMUM_ELEMENTS = 1 << 28
"""Of an input: more does not fit the background memory of any machine we know."""
FOLDABLE_ON_ACTIVATIONS = {"Shape", "Size"}
"""Operators whose result does not depend on the elements of their operand."""


def supported_operators() -> dict[str, str]:
    """ONNX operators that may work on activations, with what is supported of each.

    Every operator of the standard domain may work on constants and on values computed from masks.
    """
    return {name: note for name, (_, note) in sorted(OPERATORS.items())}


def _input_shape(file: str, value: Any, shapes: Shapes, missing: list[str]) -> tuple[int, ...]:
    """Static shape of a graph input."""
    dims = [
        d.dim_value if d.HasField("dim_value") else d.dim_param or "?"
        for d in value.type.tensor_type.shape.dim
    ]
    given = shapes.get(value.name)
    if given is not None:
        if len(given) != len(dims) or any(
            g < 1 or (isinstance(d, int) and d != g) for d, g in zip(dims, given, strict=True)
        ):
            raise OnnxError(
                file,
                f"input '{value.name}' has shape [{', '.join(map(str, dims))}]: "
                f"[{', '.join(map(str, given))}] does not fit",
            )
        _check_size(file, value.name, given)
        return tuple(given)
    if any(isinstance(d, str) for d in dims):
        example = ",".join(str(d if isinstance(d, int) else 1) for d in dims)
        missing.append(
            f"input '{value.name}' has shape [{', '.join(map(str, dims))}]: give its size with "
            f"--shape {value.name}={example}"
        )
        return ()
    shape = tuple(int(d) for d in dims)
    _check_size(file, value.name, shape)
    return shape


def _check_size(file: str, name: str, shape: tuple[int, ...]) -> None:
    if not 0 < prod(shape) <= MAXIMUM_ELEMENTS:
        raise OnnxError(
            file,
            f"input '{name}' has {prod(shape)} elements; expected 1 to {MAXIMUM_ELEMENTS} "
            "(what 512 MiB of BF16 hold)",
        )


def import_onnx(path: str | Path, shapes: Shapes | None = None) -> Model:
    """Import a model. `shapes` gives sizes to inputs whose shape the file leaves open.

    Raises `OnnxError` with everything that stands in the way, not just the first of it.
    """
    file = str(path)
    proto = load(path)
    graph = proto.graph
    opset = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=17)
    state = Importer(list(proto.opset_import))
    values: dict[str, Value] = {}
    folder = str(Path(file).parent)
    for tensor in graph.initializer:
        array = initializer(tensor, folder)
        values[tensor.name] = array
        state.names[id(array)] = tensor.name
    inputs = _make_inputs(file, graph, shapes or {}, state, values)
    _check_operators(file, graph)
    problems: dict[str, list[str]] = {}
    broken: set[str] = set()
    for node in graph.node:
        if any(name in broken for name in node.input):
            broken.update(node.output)
            continue
        try:
            results = _convert(
                state, Node(node, [values[n] if n else None for n in node.input], opset)
            )
        except Exception as error:
            # ONNX's reference implementation raises anything on nodes that make no sense.
            known = isinstance(error, Unsupported)
            why = str(error) if known else f"{type(error).__name__}: {error}"
            problems.setdefault(f"{node.op_type}: {why}", []).append(_name(node))
            broken.update(node.output)
            continue
        for name, value in zip((o for o in node.output), results, strict=False):
            if name:
                values[name] = value
                if isinstance(value, np.ndarray):
                    state.names.setdefault(id(value), name)
    if problems:
        raise OnnxError(file, _list(problems, "cannot be imported"))
    outputs: dict[str, SSAValue] = {}
    for output in graph.output:
        value = values[output.name]
        if isinstance(value, Symbolic):
            raise OnnxError(file, f"output '{output.name}' is computed from integer inputs only")
        outputs[output.name] = state.operand(value)
    ports = [
        Port(name, t.shape_of(v), _dtype(o))
        for (name, v), o in zip(outputs.items(), graph.output, strict=True)
    ]
    state.block.add_op(ReturnOp(*outputs.values()))
    main = FuncOp(
        "main",
        ([a.type for a in state.block.args], [v.type for v in outputs.values()]),
        Region(state.block),
        arg_attrs=ArrayAttr([port_attributes(p) for p in inputs]),
        res_attrs=ArrayAttr([port_attributes(p) for p in ports]),
    )
    module = ModuleOp([*state.weight_ops, main])
    return Model(module, state.weights, Path(file).stem, file, state.notes)


def _dtype(value: Any) -> str:
    name = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())


def _make_inputs(
    file: str, graph: Any, shapes: Shapes, state: Importer, values: dict[str, Value]
) -> list[Port]:
    """Create the arguments of `@main`."""
    names = [v.name for v in graph.input if v.name not in values]
    unknown = [name for name in shapes if name not in names]
    if unknown:
        raise OnnxError(file, f"no input '{unknown[0]}'; the model's inputs are {', '.join(names)}")
    ports: list[Port] = []
    problems: list[str] = []
    for value in graph.input:
        if value.name in values:
            continue
        kind = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
        if kind not in FLOATS | INTEGERS:
            supported = ", ".join(sorted(FLOATS | INTEGERS)).lower()
            problems.append(
                f"input '{value.name}' has type {kind.lower()}; supported are {supported}"
            )
            continue
        shape = _input_shape(file, value, shapes, problems)
        ports.append(Port(value.name, shape, _dtype(value)))
        element = bf16 if kind in FLOATS else i32
        argument = state.block.insert_arg(TensorType(element, shape), len(state.block.args))
        state.arguments[value.name] = argument
        if kind in FLOATS:
            values[value.name] = argument
        else:
            dtype = {"INT64": np.int64, "INT32": np.int32, "BOOL": np.bool_, "UINT8": np.uint8}
            values[value.name] = _symbol(value.name, shape, np.dtype(dtype.get(kind, np.int8)))
    if problems:
        raise OnnxError(file, "; ".join(problems))
    return ports


def _symbol(name: str, shape: tuple[int, ...], dtype: Any) -> Symbolic:
    return Symbolic(
        frozenset([name]),
        lambda assignment: assignment[name].astype(dtype),
        np.ones(shape, dtype),
    )


def _convert(state: Importer, node: Node) -> list[Value]:
    """Values of a node's outputs."""
    state.layer = StringAttr(layer_name(node.proto))
    on_activation = any(
        v is not None and not isinstance(v, np.ndarray | Symbolic) for v in node.inputs
    )
    embedding = (
        node.kind == "Gather"
        and isinstance(node.inputs[0], np.ndarray)
        and isinstance(node.inputs[1], Symbolic)
        and node.inputs[0].dtype.kind not in "iub"
    )
    static = node.kind in FOLDABLE_ON_ACTIVATIONS
    if not (on_activation or embedding or static):
        return state.fold(node)
    return OPERATORS[node.kind][0](state, node)


def _depends_on_data(graph: Any) -> set[str]:
    """Values that depend on a graph input's elements (not only on its shape)."""
    constant = {t_.name for t_ in graph.initializer}
    found = {v.name for v in graph.input if v.name not in constant}
    for node in graph.node:
        if node.op_type not in FOLDABLE_ON_ACTIVATIONS and any(n in found for n in node.input):
            found.update(node.output)
    return found


def _check_operators(file: str, graph: Any) -> None:
    """Report all operators that are unknown at once, before anything is converted."""
    live = _depends_on_data(graph)
    integers = {
        v.name
        for v in graph.input
        if onnx.TensorProto.DataType.Name(v.type.tensor_type.elem_type) in INTEGERS
    }
    problems: dict[str, list[str]] = {}
    for node in graph.node:
        standard = node.domain in ("", "ai.onnx")
        name = node.op_type if standard else f"{node.domain}.{node.op_type}"
        operands = [n for n in node.input if n in live]
        # What is computed from ids and masks alone is evaluated, whatever the operator.
        if standard and operands and all(n in integers for n in operands):
            if node.op_type != "Gather" or node.input[0] in live:
                integers.update(node.output)
            continue
        if standard and (node.op_type in OPERATORS or not operands):
            continue
        problems.setdefault(f"operator {name}", []).append(_name(node))
    if problems:
        raise OnnxError(file, _list(problems, "not supported"))


def _name(node: Any) -> str:
    return node.name or (node.output[0] if node.output else "?")


def _list(problems: Mapping[str, list[str]], verdict: str) -> str:
    total = sum(map(len, problems.values()))
    lines = [f"{text} ({len(nodes)}x: {', '.join(nodes)})" for text, nodes in problems.items()]
    return f"{total} nodes {verdict}:\n  " + "\n  ".join(lines)
