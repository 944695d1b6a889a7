"""What text models compute on: whole sequences, or the tokens that come after those in a cache.

A decoder's layers are the same for both; they differ in where positions come from, which keys and
values attention sees, and which rows the head works on.

With a cache a model has two entries. `prefill` takes `KEY_BLOCK` tokens a sequence, from a
position on, `decode` takes one. Both store keys and values of their tokens in the state and attend
to the blocks of keys up to the last token, so that work follows the number of tokens there are. A
prompt goes through `prefill` block by block, its last block padded with any token: what padding
leaves in the cache lies behind the position, where no mask lets it be seen before it is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from xdsl.ir import SSAValue

from softex_mlir.abi import Port
from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.entries import row_positions, visible_bias
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder, Parameters
from softex_mlir.compiler.weights import Array
from softex_mlir.dialects import transformer as t
from softex_mlir.dialects.transformer_attention import KEY_BLOCK


class Sequences(Protocol):
    """Where the tokens of a batch come from, and what they see."""

    def token_ids(self, b: ModelBuilder) -> SSAValue:
        """Token ids [rows], a sequence's rows one behind the other."""
        ...

    def at_positions(self, b: ModelBuilder, name: str, make: Callable[[int], Array]) -> SSAValue:
        """A table's rows for the tokens' positions, [rows or tokens, columns]; `make` gives as
        many rows as it is asked for."""
        ...

    def by_row(self, b: ModelBuilder, name: str, make: Callable[[int], Array]) -> SSAValue:
        """The same, a row for every row of every sequence: [rows, columns]."""
        ...

    def attention(
        self,
        b: ModelBuilder,
        qkv: tuple[SSAValue, SSAValue, SSAValue],
        layer: str,
        heads: int,
        key_heads: int,
        *,
        scaled: bool = False,
    ) -> SSAValue:
        """Causal attention of projected queries to keys and values of a layer; `scaled`:
        queries are, by 1/sqrt(d), even where the builder leaves that to the fusion."""
        ...

    def scored(self, b: ModelBuilder, x: SSAValue) -> SSAValue:
        """The rows that the head works on."""
        ...

    def logits(self, b: ModelBuilder, x: SSAValue) -> SSAValue:
        """The head's result in the shape of the output."""
        ...


@dataclass
class WholeSequences:
    """Token n of every sequence has position n."""

    batch: int
    tokens: int
    window: int | None = None
    """Keys that a query sees at most."""

    @property
    def inputs(self) -> list[Port]:
        """Inputs of the function."""
        return [Port("input_ids", (self.batch, self.tokens), "int64")]

    def token_ids(self, b: ModelBuilder) -> SSAValue:
        return b.add(t.ReshapeOp(b.arguments[0], (self.batch * self.tokens,)))

    def at_positions(self, b: ModelBuilder, name: str, make: Callable[[int], Array]) -> SSAValue:
        found = b.declared(name)
        return b.constant(name, make(self.tokens)) if found is None else found

    def by_row(self, b: ModelBuilder, name: str, make: Callable[[int], Array]) -> SSAValue:
        return self.at_positions(b, name, lambda tokens: np.tile(make(tokens), (self.batch, 1)))

    def attention(
        self,
        b: ModelBuilder,
        qkv: tuple[SSAValue, SSAValue, SSAValue],
        layer: str,
        heads: int,
        key_heads: int,
        *,
        scaled: bool = False,
    ) -> SSAValue:
        q, k, v = qkv
        bias, kind = b.attention_bias(self.tokens, causal=True, window=self.window)
        return b.attention(
            *(q, k, v, layer, heads, self.batch, bias, kind), scaled=scaled, key_heads=key_heads
        )

    def scored(self, b: ModelBuilder, x: SSAValue) -> SSAValue:
        return x

    def logits(self, b: ModelBuilder, x: SSAValue) -> SSAValue:
        return b.add(t.ReshapeOp(x, (self.batch, self.tokens, t.shape_of(x)[1])))


@dataclass
class CachedSequences:
    """`tokens` tokens of every sequence, behind those whose keys and values are in the cache."""

    batch: int
    tokens: int
    max_length: int
    window: int | None = None
    """Keys that a query sees at most."""
    _positions: SSAValue | None = None
    _bias: SSAValue | None = None
    _tables: dict[str, SSAValue] = field(default_factory=lambda: dict[str, SSAValue]())

    @property
    def capacity(self) -> int:
        """Places in the cache of a sequence: whole blocks."""
        return round_up(self.max_length, KEY_BLOCK)

    @property
    def inputs(self) -> list[Port]:
        """Inputs of the function: the tokens, the position of each sequence's first one, and where
        there are several, the number of the one whose logits are wanted."""
        ports = [Port("input_ids", (self.batch, self.tokens), "int64")]
        if self.tokens == 1:
            return [*ports, Port("position", (self.batch,), "int64", limit=self.max_length)]
        # the last block may go beyond, by padding
        return [*ports, *(Port(name, (self.batch,), "int64") for name in ("position", "last"))]

    def token_ids(self, b: ModelBuilder) -> SSAValue:
        return b.add(t.ReshapeOp(b.arguments[0], (self.batch * self.tokens,)))

    def positions(self, b: ModelBuilder) -> SSAValue:
        """The position of every row, [rows] i32."""
        if self._positions is None:
            self._positions = self._rows_from(b, b.arguments[1], 1)
        return self._positions

    def _rows_from(self, b: ModelBuilder, first: SSAValue, step: int) -> SSAValue:
        """``first[sequence] + step * token`` for every row."""
        if self.tokens == 1:
            return first
        outer, b.layer = b.layer, "position"
        column = b.add(t.ReshapeOp(first, (self.batch, 1)))
        counted = np.arange(0, step * self.tokens, step, dtype=np.int32).reshape(1, -1)
        steps = b.constant(f"position.steps.{self.tokens}", counted)
        added = b.nest(row_positions(column, steps))
        b.layer = outer
        return b.add(t.ReshapeOp(added, (self.batch * self.tokens,)))

    def at_positions(self, b: ModelBuilder, name: str, make: Callable[[int], Array]) -> SSAValue:
        if name not in self._tables:
            table = b.declared(name)
            if table is None:
                values = make(self.max_length)
                missing = self.capacity - len(values)
                table = b.constant(name, np.pad(values, ((0, missing), (0, 0))))
            self._tables[name] = b.add(t.EmbeddingOp(self.positions(b), table))
        return self._tables[name]

    def by_row(self, b: ModelBuilder, name: str, make: Callable[[int], Array]) -> SSAValue:
        return self.at_positions(b, name, make)

    def bias(self, b: ModelBuilder) -> SSAValue:
        """0 for keys up to a row's position, masked behind it: [rows, capacity]."""
        if self._bias is None:
            positions = self.positions(b)
            outer, b.layer = b.layer, "attention_bias"
            rows = b.add(t.ReshapeOp(positions, (self.batch * self.tokens, 1)))
            columns = np.arange(self.capacity, dtype=np.int32).reshape(1, -1)
            keys = b.constant("attention_bias.keys", columns)
            self._bias = b.nest(visible_bias(keys, rows, self.window))
            b.layer = outer
        return self._bias

    def attention(
        self,
        b: ModelBuilder,
        qkv: tuple[SSAValue, SSAValue, SSAValue],
        layer: str,
        heads: int,
        key_heads: int,
        *,
        scaled: bool = False,
        bias: SSAValue | None = None,
    ) -> SSAValue:
        """`bias` [rows, capacity], or for each head side by side: default: what is up to a row's
        position is seen."""
        q, *new = qkv
        bias, position = self.bias(b) if bias is None else bias, b.arguments[1]
        outer, b.layer = b.layer, layer
        k, v = (
            b.add(t.AppendOp(rows, position, self._state(b, f"{layer}.{what}", rows)))
            for what, rows in zip(("key", "value"), new, strict=True)
        )
        result = b.add(
            t.AttentionOp(
                *(q, k, v, bias),
                heads=heads,
                batch=self.batch,
                bias_rows="batch_query",
                position=position,
                key_heads=None if heads == key_heads else key_heads,
            )
        )
        b.layer = outer
        return result

    def _state(self, b: ModelBuilder, name: str, rows: SSAValue) -> t.StateOp:
        return b.state(name, (self.batch * self.capacity, t.shape_of(rows)[1]))

    def scored(self, b: ModelBuilder, x: SSAValue) -> SSAValue:
        if self.tokens == 1:
            return x
        outer, b.layer = b.layer, "last"
        last = b.arguments[2]
        if self.batch > 1:
            first = np.arange(0, self.batch * self.tokens, self.tokens, dtype=np.int32)
            starts = b.constant("last.starts", first)
            last = b.nest(row_positions(last, starts))
        found = b.add(t.EmbeddingOp(last, x))
        b.layer = outer
        return found

    def logits(self, b: ModelBuilder, x: SSAValue) -> SSAValue:
        return x


ENTRIES = {"prefill": KEY_BLOCK, "decode": 1}
"""Entries of a model with a cache, and the tokens that each takes of every sequence."""


def decoder(
    name: str,
    body: Callable[[ModelBuilder, Sequences], SSAValue],
    *,
    batch: int,
    tokens: int,
    max_length: int | None,
    seed: int,
    parameters: Parameters | None,
    window: int | None = None,
) -> Model:
    """A model whose output is the logits that `body` gives, on whole sequences, or with a cache
    for sequences of at most `max_length` tokens. A query sees `window` keys at most."""
    if max_length is None:
        whole = WholeSequences(batch, tokens, window)
        b = ModelBuilder(name, whole.inputs, seed=seed, parameters=parameters)
        return b.finish({"logits": body(b, whole)})
    b: ModelBuilder | None = None
    for entry, count in ENTRIES.items():
        cached = CachedSequences(batch, count, max_length, window)
        if b is None:
            b = ModelBuilder(name, cached.inputs, seed=seed, parameters=parameters, entry=entry)
        else:
            b.begin(entry, cached.inputs)
        b.end({"logits": body(b, cached)})
    assert b is not None
    return b.finish()
