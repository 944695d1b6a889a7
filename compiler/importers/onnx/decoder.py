"""Decoders with a cache, as Optimum and `transformers` export them: one model with two entries.

Such a file takes keys and values of the tokens before (`past_key_values.*`) and gives them back
with those of the next tokens (`present.*`). Here a cache has a place for every token up to a
maximum length, the next tokens' rows are stored in it at a position known at run time, and no
other copy of it is made.

The graph is read with as many tokens before as fit, once for each entry. What in it depends on
that number is found by comparing constants of readings with other numbers (`varying`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, TensorType, bf16, i32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Region, SSAValue

from softex_mlir.abi import MAIN, Port
from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.entries import row_positions
from softex_mlir.compiler.importers.onnx.encoder import HIDDEN, MASK, Encoded, state_of
from softex_mlir.compiler.importers.onnx.file import load
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.inputs import Shapes, symbol
from softex_mlir.compiler.importers.onnx.reader import GraphReader, listed
from softex_mlir.compiler.importers.onnx.types import FLOATS, element_type_of, tensor_type
from softex_mlir.compiler.importers.onnx.values import (
    Array,
    OnnxError,
    Past,
    Unsupported,
    Value,
)
from softex_mlir.compiler.importers.onnx.varying import Lengths, Varying
from softex_mlir.compiler.model import Model, port_attributes
from softex_mlir.compiler.transforms.transformer.l1_values import trace
from softex_mlir.dialects import transformer as t
from softex_mlir.dialects.transformer_attention import KEY_BLOCK

ENTRIES = {"prefill": KEY_BLOCK, "decode": 1}
"""Entries of a model with a cache, and the tokens that each takes of every sequence."""
PROBE = 37
"""Tokens before, in the reading that is compared: no multiple of anything."""

_HELPER: Any = helper  # its type stubs are partial


def import_decoder(
    path: str | Path,
    max_length: int,
    *,
    batch: int = 1,
    shapes: Shapes | None = None,
    source: Encoded | None = None,
) -> dict[str, Model]:
    """Import a decoder with a cache for sequences of at most `max_length` tokens: a model for each
    entry.

    Args:
        batch: sequences.
        shapes: sizes of dimensions that the file leaves open, other than the batch and tokens.
        source: what an encoder leaves, of decoders that attend to one's output. They have one more
            input than built-in ones then, the mask of the encoder's tokens.

    Raises:
        OnnxError: with everything that stands in the way.
    """
    file = str(path)
    proto = load(path)
    _check_sizes(file, proto.graph, shapes or {})
    # a reading with other tokens before must fit, too
    capacity = max(round_up(max_length, KEY_BLOCK), 2 * KEY_BLOCK)
    initializers: dict[str, Array] = {}

    def read(lengths: Lengths, varying: Varying | None = None) -> Reading:
        reading = Reading(file, proto, lengths, shapes or {}, varying, source)
        reading.read(initializers)
        return reading

    whole = read(Lengths(batch, capacity, 0))
    if whole.positions < max_length:
        raise OnnxError(
            file,
            f"has positions for {whole.positions} tokens: expected a maximum length of at most as "
            f"many, found {max_length}",
        )
    models: dict[str, Model] = {}
    for entry, tokens in ENTRIES.items():
        probed, real = Lengths(batch, tokens, PROBE), Lengths(batch, tokens, capacity - tokens)
        varying = Varying(real, probed, whole.seen, read(probed).seen)
        models[entry] = read(real, varying).model(max_length)
    return models


def is_cache(value: Any) -> bool:
    """Whether an input is one of keys or values [batch, heads, tokens before, size]."""
    kind = value.type.tensor_type
    return int(kind.elem_type) in FLOATS and len(kind.shape.dim) == 4


def cache_sizes(value: Any, shapes: Shapes) -> tuple[int, int]:
    """Heads, and columns of each, of an input of keys or values; 0 where nobody says."""
    dims, given = value.type.tensor_type.shape.dim, shapes.get(value.name, ())
    if len(given) == 4:
        return given[1], given[3]
    heads, size = (shapes.get(dims[i].dim_param, (dims[i].dim_value,))[0] for i in (1, 3))
    return heads, size


def _check_sizes(file: str, graph: Any, shapes: Shapes) -> None:
    """Refuse sizes of what is no dimension of a cache."""
    caches = [value for value in graph.input if is_cache(value)]
    symbols = {v.type.tensor_type.shape.dim[i].dim_param for v in caches for i in (1, 3)}
    unknown = {*shapes} - {value.name for value in caches} - symbols
    if unknown:
        raise OnnxError(
            file,
            f"'{min(unknown)}' is no open dimension of heads and columns of the cache: sizes of a "
            "decoder with a cache are --max-length, --batch, and --tokens of an encoder",
        )


def has_all_places(graph: Any, name: str) -> bool:
    """Whether a cache is given with a place for every token (`TensorScatter`)."""
    return any(n.op_type == "TensorScatter" and n.input[0] == name for n in graph.node)


def cached_input(graph: Any, value: Any, lengths: Lengths) -> Array | None:
    """What an input that is no cache holds when no token is hidden; None if nobody knows. Token ids
    are zeros. Where to write in a cache, and how many keys there are, goes by who reads it."""
    kind = value.type.tensor_type
    rank = len(kind.shape.dim)
    dtype = _HELPER.tensor_dtype_to_np_dtype(int(kind.elem_type))
    readers = [
        (n.op_type, list(n.input).index(value.name)) for n in graph.node if value.name in n.input
    ]
    for role, length in ((("TensorScatter", 2), lengths.past), (("Attention", 6), lengths.total)):
        if rank == 1 and readers and all(reader == role for reader in readers):
            return np.full(lengths.batch, length).astype(dtype)
    at = np.arange(lengths.past, lengths.total)
    match value.name:
        case "input_ids" | "token_type_ids" if rank == 2:
            array = np.zeros((lengths.batch, lengths.tokens))
        case "attention_mask" if rank == 2:
            array = np.ones((lengths.batch, lengths.total))
        case "position_ids" if rank == 2:
            array = np.tile(at, (lengths.batch, 1))
        case "cache_position" if rank == 1:
            array = at
        case "use_cache_branch":
            array = np.ones([1] * rank)
        case _:
            return None
    return array.astype(dtype)


@dataclass
class Reading:
    """One reading of a decoder's graph, with given numbers of tokens.

    Attributes:
        varying: what is known from other readings; None in those.
        source: what an encoder leaves; None for decoders without one.
        seen: the constants that operators on activations were given.
        positions: tokens that tables by position have rows for.
    """

    file: str
    proto: Any
    lengths: Lengths
    shapes: Shapes
    varying: Varying | None
    source: Encoded | None = None
    seen: dict[str, Array] = field(default_factory=dict[str, Array])
    positions: int = field(init=False)
    state: Importer = field(init=False)
    reader: GraphReader = field(init=False)
    _appended: dict[str, SSAValue] = field(default_factory=dict[str, SSAValue])
    _pasts: dict[str, Past] = field(default_factory=dict[str, Past])
    _states: list[t.StateOp] = field(default_factory=list[t.StateOp])
    _tables: dict[str, Value] = field(default_factory=dict[str, Value])
    _rows: SSAValue | None = None

    def __post_init__(self) -> None:
        self.positions = self.lengths.total
        self.state = Importer(str(Path(self.file).parent), decoder=self)
        opsets = {o.domain: int(o.version) for o in self.proto.opset_import}
        self.reader = GraphReader(self.state, int(self.proto.ir_version), opsets)

    @property
    def ports(self) -> list[Port]:
        """Inputs of the entry, as those of built-in models: see `compiler.models.sequences`."""
        batch, tokens = self.lengths.batch, self.lengths.tokens
        ports = [Port("input_ids", (batch, tokens), "int64"), Port("position", (batch,), "int64")]
        ports += [] if tokens == 1 else [Port("last", (batch,), "int64")]
        if self.source is not None and any(v.name == MASK for v in self.proto.graph.input):
            ports.append(Port(MASK, self.source.hidden[:2], "int64"))
        return ports

    @property
    def position(self) -> SSAValue:
        """Of the first token of every sequence, [batch] i32."""
        return self.state.block.args[1]

    def read(self, initializers: dict[str, Array]) -> None:
        """Read the graph. `initializers` keeps those that have been read."""
        graph = self.proto.graph
        for tensor in graph.initializer:
            if tensor.name not in initializers:
                initializers[tensor.name] = self.state.initializer(tensor)
            array = initializers[tensor.name]
            self.reader.define(tensor.name, array, tensor_type(element_type_of(array), array.shape))
        for index, port in enumerate(self.ports):
            self.state.block.insert_arg(TensorType(i32, port.shape), index)
        for value in graph.input:
            if value.name not in self.reader.values:
                self._define_input(value)
        self.reader.read(graph.node)
        refusals = self.reader.refusals(value.name for value in graph.output)
        if refusals:
            raise OnnxError(self.file, listed(refusals), refusals)
        missing = [name for name in self._pasts if name not in self._appended]
        if not self._pasts or missing:
            found = f"{', '.join(missing)} is not" if missing else "there is no such input"
            raise OnnxError(
                self.file,
                "expected a decoder with a cache (past_key_values inputs [batch, heads, tokens, "
                "size] that are joined with the next tokens'), found that "
                f"{found}: export it with a past, or compile it without --max-length",
            )

    def _define_input(self, value: Any) -> None:
        name, element = value.name, int(value.type.tensor_type.elem_type)
        if self.source is not None and name in (HIDDEN, MASK, *self.source.kept):
            self._define_from_encoder(value, self.source)
            return
        found = cached_input(self.proto.graph, value, self.lengths)
        if found is None and not is_cache(value):
            raise OnnxError(
                self.file,
                f"input '{name}': expected those of a decoder with a cache (input_ids, "
                "attention_mask [batch, tokens], position_ids, cache_position, "
                "use_cache_branch, past_key_values.*), found another one: compile it without "
                "--max-length",
            )
        if found is None:
            past = self._past(value)
            self.reader.define(name, past, tensor_type(element, past.shape))
            return
        kind = tensor_type(element, found.shape)
        if name == "input_ids":
            argument = self.state.arguments[name] = self.state.block.args[0]
            self.reader.define(name, symbol(self.state, name, argument, found.dtype), kind)
        else:
            self.reader.define(name, found, kind)

    def _define_from_encoder(self, value: Any, source: Encoded) -> None:
        """An input that is what the encoder left."""
        name, element = value.name, int(value.type.tensor_type.elem_type)
        if name == MASK:
            argument = self.state.arguments[name] = self.state.block.args[-1]
            dtype = _HELPER.tensor_dtype_to_np_dtype(element)
            found = symbol(self.state, name, argument, dtype)
            self.reader.define(name, found, tensor_type(element, source.hidden[:2]))
            return
        state = state_of(source, name)
        self._states.append(state)
        rows = self.state.emit(t.RecallOp(state))
        if name == HIDDEN:
            shape = source.hidden
            recalled = self.state.emit(t.ReshapeOp(rows, shape))
        else:
            shape = batch, heads, tokens, size = source.kept[name]
            split = self.state.emit(t.ReshapeOp(rows, (batch, tokens, heads, size)))
            recalled = self.state.emit(t.TransposeOp(split, (0, 2, 1, 3)))
        self.reader.define(name, recalled, tensor_type(element, shape))

    def _past(self, value: Any) -> Past:
        """The value of an input of keys or values."""
        sizes = cache_sizes(value, self.shapes)
        if min(sizes) < 1:
            raise OnnxError(
                self.file,
                f"input '{value.name}': expected its numbers of heads and columns, which the file "
                f"leaves open: give them with --shape {value.name}=BATCH,HEADS,TOKENS,SIZE",
            )
        scattered = has_all_places(self.proto.graph, value.name)
        places = self.lengths.total if scattered else self.lengths.past
        shape = (self.lengths.batch, sizes[0], places, sizes[1])
        self._pasts[value.name] = Past(value.name, shape)
        return self._pasts[value.name]

    # --- what the reader asks (`Decoding`) ------------------------------------------------------

    def place(self, operands: list[Array | None], axis: int) -> None:
        """A block of tokens may end behind the last position that a table has a row for."""
        data, indices = operands
        assert data is not None
        assert indices is not None
        last = data.shape[axis] - 1
        if indices.ndim == 0 or indices.shape[-1] != self.lengths.tokens or indices.max() <= last:
            return
        rows = int((indices <= last).sum(-1).min())
        self.positions = min(self.positions, self.lengths.past + rows)
        # rows that differ, as those of other positions do
        missing = np.arange(1, int(indices.max()) - last + 1, dtype=data.dtype)
        missing = missing.reshape(-1, *(1,) * (data.ndim - axis - 1))
        operands[0] = np.concatenate([data, data.take([last], axis) + missing], axis)

    def append(self, past: Past, rows: SSAValue) -> SSAValue:
        """Store the next tokens' rows [batch, heads, tokens, size]; all places of the cache."""
        if past.name in self._appended:
            raise Unsupported(f"the cache '{past.name}' is joined with other tokens twice")
        batch, heads, _, size = past.shape
        tokens, total = self.lengths.tokens, self.lengths.total
        if t.shape_of(rows) != (batch, heads, tokens, size):
            raise Unsupported(f"rows {t.shape_of(rows)} for the cache '{past.name}' {past.shape}")
        state = t.StateOp(past.name, TensorType(bf16, (batch * total, heads * size)))
        self._states.append(state)
        emit = self.state.emit
        ordered = emit(t.TransposeOp(rows, (0, 2, 1, 3)))
        flat = emit(t.ReshapeOp(ordered, (batch * tokens, heads * size)))
        kept = emit(t.AppendOp(flat, self.position, state))
        split = emit(t.ReshapeOp(kept, (batch, total, heads, size)))
        self._appended[past.name] = emit(t.TransposeOp(split, (0, 2, 1, 3)))
        return self._appended[past.name]

    def constant(self, key: str, operator: str, index: int, array: Array) -> Value:
        """A constant, or a table's rows for the positions."""
        if self.varying is None:
            self.seen[key] = array
            return array
        if key not in self._tables:
            found = self.varying.by_position(key, operator, index, array)
            if found is None:
                return array
            self._tables[key] = self._at_positions(*found)
        return self._tables[key]

    def _at_positions(self, table: Array, shape: tuple[int, ...], axis: int) -> SSAValue:
        """Rows of a table [capacity, columns] as a value whose dimension `axis` is the tokens'."""
        batch, tokens = self.lengths.batch, self.lengths.tokens
        layer, self.state.layer = self.state.layer, None
        rows = self.state.emit(
            t.EmbeddingOp(self._row_positions(), self.state.constant(table, splat=False))
        )
        first = 1 if shape[0] in (1, batch) and axis > 0 else 0
        before, after = shape[first:axis], shape[axis + 1 :]
        split = self.state.emit(t.ReshapeOp(rows, (batch, tokens, *before, *after)))
        if any(size > 1 for size in before):
            order = [0, *range(2, 2 + len(before)), 1]
            order += range(len(order), 2 + len(before) + len(after))
            split = self.state.emit(t.TransposeOp(split, order))
        whole = (batch, *before, tokens, *after) if first or batch > 1 else (tokens, *after)
        found = self.state.emit(t.ReshapeOp(split, whole))
        self.state.layer = layer
        return found

    def _row_positions(self) -> SSAValue:
        """The position of every row, [batch * tokens] i32."""
        if self._rows is None:
            batch, tokens = self.lengths.batch, self.lengths.tokens
            self._rows = self.position
            if tokens > 1:
                steps = self.state.integers(np.arange(tokens, dtype=np.int64).reshape(1, -1))
                column = self.state.emit(t.ReshapeOp(self.position, (batch, 1)))
                added = self.state.emit_all(row_positions(column, steps))
                self._rows = self.state.emit(t.ReshapeOp(added, (batch * tokens,)))
        return self._rows

    # --- the entry ----------------------------------------------------------------------------

    def model(self, max_length: int) -> Model:
        """The model of an entry, whose output is the logits of one token of every sequence."""
        name, logits = self._logits()
        self.state.layer = None
        batch, tokens = self.lengths.batch, self.lengths.tokens
        emit = self.state.emit
        columns = t.shape_of(logits)[-1]
        rows = emit(t.ReshapeOp(logits, (batch * tokens, columns)))
        if tokens > 1:
            rows = emit(t.EmbeddingOp(self._scored(), rows))
        self.state.block.add_op(ReturnOp(rows))
        port = Port("logits", (batch, columns), "float32")
        # the last block of a prompt may go beyond, by padding
        limit = max_length if tokens == 1 else None
        ports = [replace(p, limit=limit) if p.name == "position" else p for p in self.ports]
        main = FuncOp(
            MAIN,
            ([a.type for a in self.state.block.args], [rows.type]),
            Region(self.state.block),
            arg_attrs=ArrayAttr([port_attributes(p) for p in ports]),
            res_attrs=ArrayAttr([port_attributes(port)]),
        )
        module = ModuleOp([*self.state.weight_ops, *self._states, main])
        notes = [*self.state.notes, f"the output '{name}' is that of one token of every sequence"]
        return Model(module, self.state.weights, self.file, self.file, notes)

    def _scored(self) -> SSAValue:
        """The rows of the tokens whose logits are wanted."""
        last, batch, tokens = self.state.block.args[2], self.lengths.batch, self.lengths.tokens
        if batch == 1:
            return last
        starts = self.state.integers(np.arange(0, batch * tokens, tokens, dtype=np.int64))
        return self.state.emit_all(row_positions(last, starts))

    def _logits(self) -> tuple[str, SSAValue]:
        """The output that is no cache, by its name."""
        found: dict[str, SSAValue] = {}
        names = [output.name for output in self.proto.graph.output]
        for name in ["logits"] if "logits" in names else names:
            value = self.reader.values[name]
            if isinstance(value, SSAValue) and isinstance(
                trace(value).root.owner, t.AppendOp | t.RecallOp
            ):
                continue
            found[name] = self.state.narrowed(self.state.tensor(value))
        expected = (self.lengths.batch, self.lengths.tokens)
        name = next(iter(found), "")
        if not name or len(t.shape_of(found[name])) != 3 or t.shape_of(found[name])[:2] != expected:
            shapes = ", ".join(f"{n} {list(t.shape_of(v))}" for n, v in found.items()) or "none"
            raise OnnxError(
                self.file, f"expected an output of logits [batch, tokens, ids], found {shapes}"
            )
        return name, found[name]
