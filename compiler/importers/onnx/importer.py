"""ONNX files to the graph form of the `transformer` dialect.

Everything that can be computed from constants and known shapes is computed here, with ONNX's own
reference implementation; what remains are operations on activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import onnx
from xdsl.dialects.builtin import ArrayAttr, IntegerType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Region, SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.importers.onnx.file import load
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.inputs import Shapes, dtype_name, make_inputs
from softex_mlir.compiler.importers.onnx.operators import OPERATORS
from softex_mlir.compiler.importers.onnx.reader import (
    GraphReader,
    captured_names,
    in_a_line,
    listed,
)
from softex_mlir.compiler.importers.onnx.support import way_out
from softex_mlir.compiler.importers.onnx.thresholds import thresholds
from softex_mlir.compiler.importers.onnx.types import FLOATS
from softex_mlir.compiler.importers.onnx.values import (
    INTEGERS,
    Broken,
    Discrete,
    OnnxError,
    Unsupported,
    Value,
    element_of,
)
from softex_mlir.compiler.importers.onnx.wide_integers import WideIntegers
from softex_mlir.compiler.model import Model, port_attributes
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import Refusal

CASTS = ("Cast", "CastLike")


def supported_operators() -> dict[str, str]:
    """ONNX operators that may work on activations, with what is supported of each.

    Every operator of the standard domain may work on constants and on values computed from masks.
    """
    return {name: note for name, (_, note) in sorted(OPERATORS.items())}


def import_onnx(path: str | Path, shapes: Shapes | None = None) -> Model:
    """Import a model. `shapes` gives sizes to inputs whose shape the file leaves open.

    Raises `OnnxError` with everything that stands in the way, not just the first of it.
    """
    return import_graph(load(path), Path(path), shapes)


def import_graph(proto: Any, path: Path, shapes: Shapes | None = None) -> Model:
    """Import a model that was read from a file, or stands for what a file says.

    Raises `OnnxError` as `import_onnx` does.
    """
    file = str(path)
    graph = proto.graph
    state = Importer(str(Path(file).parent))
    opsets = {o.domain: int(o.version) for o in proto.opset_import}
    reader = GraphReader(state, int(proto.ir_version), opsets, thresholds=thresholds(graph))
    try:
        reader.define_initializers(graph)
    except ValueError as error:
        raise OnnxError(file, f"not a valid ONNX model: data of an initializer: {error}") from error
    state.round_trips = _read_by_casts_alone(graph)
    inputs, problems = make_inputs(file, graph, shapes or {}, reader)
    reader.read(graph.node)
    # A name may be listed twice; a program has every output once.
    results = {output.name: output for output in graph.output}
    refusals = reader.refusals(results)
    operators = {name: node.op_type for node in graph.node for name in node.output}
    outputs: dict[str, SSAValue] = {}
    uncomputed = [name for name in results if name not in reader.values]
    if uncomputed and not refusals:
        raise OnnxError(file, f"not a valid ONNX model: nothing computes output '{uncomputed[0]}'")
    for name, output in results.items():
        if name in uncomputed:
            continue
        operator = operators.get(name, "")
        problem = _type_problem(reader.values[name], output, operator)
        if problem is not None:
            problems.append(problem)
        elif not isinstance(reader.values[name], Broken):
            try:
                outputs[name] = _output(state, reader.values[name])
            except Unsupported as error:
                found = error.refusal(name, operator)
                refusals.append(found if found.remedy else replace(found, remedy=way_out(operator)))
                continue
            shape = t.shape_of(outputs[name])
            state.notes += _notes_of_declaration(output, reader.types.get(name), shape)
            if output.type.tensor_type.elem_type == onnx.TensorProto.UINT32:
                state.notes.append(
                    f"output '{name}' of uint32 is int32: numbers from 2^31 on come out less 2^32"
                )
            if prod(shape) == 0:
                reason = f"output '{name}' has 0 elements; expected at least 1"
                problems.append(Refusal(name, operator, reason, "take it from the outputs"))
    if problems or refusals:
        text = [
            *([in_a_line(problems)] if problems else []),
            *([listed(refusals)] if refusals else []),
        ]
        raise OnnxError(file, "\n".join(text), [*problems, *refusals])
    ports = [
        Port(name, t.shape_of(v), dtype_name(results[name].type.tensor_type.elem_type))
        for name, v in outputs.items()
    ]
    state.block.add_op(ReturnOp(*outputs.values()))
    integers = WideIntegers(
        state.block, state.weights, state.node_origins, state.arguments, inputs, state.places
    )
    inputs, notes, refusals = integers.checked()
    if refusals:
        raise OnnxError(file, listed(refusals), refusals)
    state.notes += notes
    main = FuncOp(
        "main",
        ([a.type for a in state.block.args], [v.type for v in outputs.values()]),
        Region(state.block),
        arg_attrs=ArrayAttr([port_attributes(p) for p in inputs]),
        res_attrs=ArrayAttr([port_attributes(p) for p in ports]),
    )
    module = ModuleOp([*state.weight_ops, main])
    origins = {name: v for name, v in reader.values.items() if isinstance(v, SSAValue)}
    return Model(module, state.weights, Path(file).stem, file, state.notes, origins)


def _read_by_casts_alone(graph: Any) -> frozenset[str]:
    """Results of casts that are cast again, or are outputs."""
    casts = {name for node in graph.node if node.op_type in CASTS for name in node.output}
    for node in graph.node:
        if node.op_type not in CASTS:
            casts -= {*node.input, *captured_names(node)}
    return frozenset(casts)


def _type_problem(value: Value, output: Any, operator: str) -> Refusal | None:
    """Why an output has no place in a program, by its type."""
    kind = int(output.type.tensor_type.elem_type)
    if isinstance(value, Discrete):
        kind = value.element
    if kind in (0, *FLOATS, *INTEGERS):
        return None
    reason = f"output '{output.name}' is of type {dtype_name(kind)}; expected floats or integers"
    texts = kind == onnx.TensorProto.STRING
    return Refusal(output.name, operator, reason, "make texts behind it" if texts else "add a Cast")


def _notes_of_declaration(output: Any, computed: Any, shape: Sequence[int]) -> list[str]:
    """That a file says another type or shape than its nodes compute, which a program gives."""
    kind = output.type.tensor_type
    element = int(kind.elem_type)
    other = 0 if computed is None else int(computed.tensor_type.elem_type)
    notes: list[str] = []
    if element and other and element != other and not {element, other} <= set(FLOATS):
        notes.append(f"of type {dtype_name(other)}, where the file says {dtype_name(element)}")
    if kind.HasField("shape"):
        said = [int(d.dim_value) if d.HasField("dim_value") else None for d in kind.shape.dim]
        pairs = zip(said, shape, strict=False)
        if len(said) != len(shape) or any(n not in (None, size) for n, size in pairs):
            words = ", ".join("?" if n is None else str(n) for n in said)
            notes.append(f"of shape {list(shape)}, where the file says [{words}]")
    return [f"output '{output.name}' is {note}" for note in notes]


def _output(state: Importer, value: Value) -> SSAValue:
    """The tensor of an output."""
    found = state.tensor(value)
    integer = isinstance(element_of(found), IntegerType)
    return found if integer else state.narrowed(found)
