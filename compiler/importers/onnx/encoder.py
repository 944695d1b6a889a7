"""Encoders of decoders with a cache: what runs once, before the first token.

Optimum writes an encoder's file and a decoder's. Of the first token's graph (`decoder_model.onnx`,
or in a merged file the branch without `use_cache_branch`) it makes the keys and values that every
layer attends to (`present.N.encoder.*`), which the graph of the tokens behind it takes as
`past_key_values.N.encoder.*`. Here both are one model: the encoder, then these keys and values,
which are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import compose, helper
from xdsl.dialects.builtin import ArrayAttr, TensorType, bf16
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation
from xdsl.rewriter import InsertPoint, Rewriter

from softex_mlir.compiler.importers.onnx.file import load
from softex_mlir.compiler.importers.onnx.importer import import_graph
from softex_mlir.compiler.importers.onnx.reader import captured_names
from softex_mlir.compiler.importers.onnx.values import OnnxError
from softex_mlir.compiler.model import Model
from softex_mlir.dialects import transformer as t

HIDDEN, MASK, BRANCH = "encoder_hidden_states", "encoder_attention_mask", "use_cache_branch"
"""Inputs of a decoder: what its encoder made, which of its tokens count, which branch to take."""
SCOPE = "decoder/"
"""What names of a decoder begin with in one model with its encoder."""
_HELPER: Any = helper  # its type stubs are partial


@dataclass(frozen=True)
class Encoded:
    """What an encoder leaves for its decoder, by the names of the decoder's inputs.

    Attributes:
        hidden: shape of `encoder_hidden_states` [batch, tokens, columns].
        kept: shapes [batch, heads, tokens, size] of keys and values.
    """

    hidden: tuple[int, ...]
    kept: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class EncoderFiles:
    """Files of an encoder, and of its decoder for the first token."""

    encoder: Path
    first: Path


def is_from_encoder(name: str) -> bool:
    """Whether an input of a decoder is made by its encoder."""
    return name in (HIDDEN, MASK) or (name.startswith("past_key_values.") and ".encoder." in name)


def has_encoder(graph: Any) -> bool:
    """Whether a decoder attends to what an encoder made."""
    return any(is_from_encoder(value.name) for value in graph.input)


def import_encoder(
    files: EncoderFiles, past: Sequence[str], *, batch: int, tokens: int
) -> tuple[Model, Encoded]:
    """The entry `encode`: the encoder, and what is made of it for the decoder's inputs `past`.

    The input `decoder/input_ids` remains, for the number of sequences alone.

    Args:
        tokens: of the encoder, where its file leaves them open.

    Raises:
        OnnxError: a file cannot be imported, or they do not belong together.
    """
    proto = encoder_graph(files, past)
    shapes: dict[str, tuple[int, ...]] = {}
    for value in proto.graph.input:
        dims = value.type.tensor_type.shape.dim
        length = 1 if value.name.startswith(SCOPE) else tokens
        shapes[value.name] = tuple(
            d.dim_value or (length if axis else batch) for axis, d in enumerate(dims)
        )
    model = import_graph(proto, files.encoder, shapes)
    main = model.main
    returned = main.body.block.last_op
    assert isinstance(returned, ReturnOp)
    hidden, *made = returned.arguments
    kept = {name: t.shape_of(value) for name, value in zip(past, made, strict=True)}
    wrong = [name for name, shape in kept.items() if len(shape) != 4 or shape[0] != batch]
    if wrong or len(t.shape_of(hidden)) != 3:
        shown = f"{wrong[0]} {kept[wrong[0]]}" if wrong else f"{t.shape_of(hidden)}"
        raise OnnxError(
            str(files.first),
            f"expected hidden states [{batch}, tokens, columns] of the encoder and keys and values "
            f"[{batch}, heads, tokens, size] of them, found {shown}",
        )
    source = Encoded(t.shape_of(hidden), kept)
    operations: list[Operation] = []
    states: list[t.StateOp] = []
    for name, value in ((HIDDEN, hidden), *zip(past, made, strict=True)):
        rows = value
        if name != HIDDEN:
            ordered = t.TransposeOp(value, (0, 2, 1, 3))
            operations.append(ordered)
            rows = ordered.result
        state = state_of(source, name)
        flat = t.ReshapeOp(rows, state.type.get_shape())
        operations += [flat, t.KeepOp(flat, state)]
        states.append(state)
    Rewriter.insert_op(operations, InsertPoint.before(returned))
    Rewriter.replace_op(returned, ReturnOp(hidden))
    assert main.res_attrs is not None
    main.res_attrs = ArrayAttr(main.res_attrs.data[:1])
    main.update_function_type()
    declare(model, states)
    return model, source


def declare(model: Model, states: Sequence[t.StateOp]) -> None:
    """Put states in front of a model's other ones and its functions."""
    first = model.module.body.block.first_op
    assert first is not None
    Rewriter.insert_op(states, InsertPoint.before(first))


def state_of(source: Encoded, name: str) -> t.StateOp:
    """The state that holds a decoder's input as rows [batch * tokens, columns]."""
    if name == HIDDEN:
        batch, tokens, columns = source.hidden
    else:
        batch, heads, tokens, size = source.kept[name]
        columns = heads * size
    return t.StateOp(name, TensorType(bf16, (batch * tokens, columns)))


def encoder_graph(
    files: EncoderFiles,
    past: Sequence[str] = (),
    outputs: Sequence[str] = (),
    read: Callable[[Path], Any] = load,
) -> Any:
    """A model of the encoder and of the decoder for its first token behind it, as far as it makes
    the decoder's inputs `past` and some outputs. What is the decoder's is named `decoder/…`."""
    encoder, first = read(files.encoder), read(files.first)
    opsets = [sorted((o.domain, o.version) for o in m.opset_import) for m in (encoder, first)]
    if opsets[0] != opsets[1]:
        raise OnnxError(
            str(files.encoder),
            f"expected the opsets of {files.first.name} {opsets[1]}, found {opsets[0]}: export "
            "both at once",
        )
    graph = without_past(files.first, first.graph)
    present = {name: name.replace("past_key_values.", "present.", 1) for name in past}
    wanted = [*present.values(), *outputs]
    missing = {*wanted} - {output.name for output in graph.output}
    if missing:
        raise OnnxError(
            str(files.first),
            f"expected an output {min(missing)} of what the encoder made, as decoders for their "
            "first token have it, found none: compile the folder that holds decoder_model.onnx or "
            "decoder_model_merged.onnx as well",
        )
    nodes = _needed(graph.node, wanted)
    used = {name for node in nodes for name in (*node.input, *captured_names(node))}
    part = _HELPER.make_graph(
        nodes,
        "decoder",
        [value for value in graph.input if value.name in used],
        [value for value in graph.output if value.name in wanted],
        [tensor for tensor in graph.initializer if tensor.name in used],
    )
    compose.add_prefix_graph(part, SCOPE, rename_nodes=False, inplace=True)
    whole, hidden = encoder.graph, encoder.graph.output[0].name
    whole.node.append(_HELPER.make_node("Identity", [hidden], [f"{SCOPE}{HIDDEN}"]))
    whole.node.extend(part.node)
    whole.initializer.extend(part.initializer)
    whole.input.extend(v for v in part.input if v.name != f"{SCOPE}{HIDDEN}")
    del whole.output[1:]
    by_name = {value.name: value for value in part.output}
    whole.output.extend(by_name[f"{SCOPE}{name}"] for name in wanted)
    return encoder


def without_past(path: Path, graph: Any) -> Any:
    """A decoder's graph for its first token: in a merged file that of the other branch."""
    if all(value.name != BRANCH for value in graph.input):
        return graph
    found = onnx.GraphProto()
    found.CopyFrom(graph)
    del found.node[:]
    for node in graph.node:
        if node.op_type != "If" or node.input[0] != BRANCH:
            found.node.append(node)
            continue
        branch = next(a.g for a in node.attribute if a.name == "else_branch")
        found.initializer.extend(branch.initializer)
        found.node.extend(branch.node)
        for inner, outer in zip(branch.output, node.output, strict=True):
            found.node.append(_HELPER.make_node("Identity", [inner.name], [outer]))
    if any(BRANCH in (*node.input, *captured_names(node)) for node in found.node):
        raise OnnxError(
            str(path), f"expected '{BRANCH}' to be the condition of If nodes, found other uses"
        )
    return found


def _needed(nodes: Sequence[Any], outputs: Iterable[str]) -> list[Any]:
    """The nodes that outputs depend on, in order."""
    wanted, found = {*outputs}, list[Any]()
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.output):
            wanted.update((*node.input, *captured_names(node)))
            found.append(node)
    return found[::-1]
