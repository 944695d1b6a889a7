"""Operators by their definition: ONNX defines many of them as functions of others.

What has no handler, or asks for more than its handler knows, is read node by node from there.
"""

from __future__ import annotations

from typing import Any

import onnx
from onnx.inliner import inline_local_functions

from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.values import Unsupported

_HELPER: Any = onnx.helper
DOMAIN = "definitions"
"""Of the function while it is inlined: its own name may stand in its body."""


def has_definition(schema: Any) -> bool:
    """Whether ONNX defines an operator by others."""
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def definition(node: Node, ir_version: int) -> Any:
    """A model of the operators that a node stands for, with the node's names.

    Raises `Unsupported` if there is none for the node's opset or types.
    """
    function = _function(node)
    function.domain = DOMAIN
    call = onnx.NodeProto()
    call.CopyFrom(node.proto)
    call.domain = DOMAIN
    names = dict.fromkeys(n for n in node.proto.input if n)
    inputs = [_HELPER.make_value_info(n, onnx.TypeProto()) for n in names]
    outputs = [_HELPER.make_value_info(n, onnx.TypeProto()) for n in node.proto.output if n]
    graph = _HELPER.make_graph([call], DOMAIN, inputs, outputs)
    imports = [*function.opset_import, _HELPER.make_opsetid(DOMAIN, 1)]
    model = _HELPER.make_model(
        graph, opset_imports=imports, functions=[function], ir_version=ir_version
    )
    return inline_local_functions(model)


def _function(node: Node) -> Any:
    schema, known = node.schema, onnx.FunctionProto()
    versions = [
        v
        for v in (
            *schema.function_opset_versions,
            *schema.context_dependent_function_opset_versions,
        )
        if v <= node.opset
    ]
    if not versions:
        raise Unsupported(f"it has no definition in opset {node.opset}")
    if not schema.has_context_dependent_function:
        known.ParseFromString(schema.get_function_with_opset_version(max(versions)))
        return known
    types = [(kind or onnx.TypeProto()).SerializeToString() for kind in node.types]
    text = schema.get_context_dependent_function_with_opset_version(
        max(versions), node.proto.SerializeToString(), types
    )
    if not text:
        raise Unsupported("its definition does not apply to it")
    known.ParseFromString(text)
    return known
