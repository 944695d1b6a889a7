"""`fuse-cache`: attention to all places of a cache becomes attention to the tokens there are.

An imported decoder was read with as many tokens before as its cache has places for, so that the
mask of its attention says what the last tokens see. That mask must be one of distances: it is then
computed from the position, as `transformer.attention` with a `position` wants it. What is added to
scores by distance, for each head (T5), becomes windows of a vector.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType, i32
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import PassFailedException

from softex_mlir.compiler.entries import (
    by_falling_distance,
    first_windows,
    row_positions,
    visible_bias,
    window_starts,
)
from softex_mlir.compiler.transforms.transformer.l1_values import Array, Constants
from softex_mlir.dialects import transformer as t


@dataclass
class CachedAttention:
    """Rewrites the attention of one function."""

    constants: Constants
    biases: dict[tuple[object, ...], SSAValue] = field(
        default_factory=dict[tuple[object, ...], SSAValue]
    )

    def rewrite(self, op: t.AttentionOp) -> None:
        """Give an operation its position."""
        keys, values = op.k.owner, op.v.owner
        caches = [x for x in (keys, values) if isinstance(x, t.AppendOp)]
        if not caches or op.position is not None:
            return
        if len(caches) < 2 or caches[0].position is not caches[1].position:
            raise self._refused(op, "keys and values of one cache", "others")
        position = caches[0].position
        bias = self.constants.data(op.bias)
        if bias is None or op.bias_rows.data not in ("all", "query"):
            raise self._refused(op, "a mask that the position decides", "one known at run time")
        key: tuple[object, ...]
        if op.bias_by_head:
            key = position, op.bias
            if key not in self.biases:
                self.biases[key] = self._by_distance(op, position, bias)
        else:
            window = self._window(op, bias)
            key = position, op.queries, window
            if key not in self.biases:
                self.biases[key] = self._bias(op, position, window)
        new = t.AttentionOp(
            *(op.q, op.k, op.v, self.biases[key]),
            heads=op.heads.value.data,
            batch=op.batch.value.data,
            bias_rows="batch_query",
            scale=None if op.scale is None else op.scale.value.data,
            position=position,
            key_heads=None if op.key_heads is None else op.heads_of_keys,
            layer=op.layer,
        )
        Rewriter.replace_op(op, new)

    def _window(self, op: t.AttentionOp, bias: Array) -> int | None:
        """How many keys a query sees at most; None for all up to its own."""
        keys, queries = op.keys, op.queries
        before = keys - queries
        distance = before + np.arange(queries)[:, None] - np.arange(keys)
        visible = np.broadcast_to(bias[:, :keys], distance.shape) == 0
        seen = distance[visible]
        hidden = bias[:, :keys][~visible[: len(bias)]]
        window = int(seen.max(initial=0)) + 1
        expected = (distance >= 0) & (distance < window)
        if not np.array_equal(visible, expected) or (hidden > t.MASKED).any():
            raise self._refused(
                op, "a mask of the keys up to a query's own, or of the last of them", "another bias"
            )
        return None if window == keys else window

    def _bias(self, op: t.AttentionOp, position: SSAValue, window: int | None) -> SSAValue:
        """0 where a query sees a key, else masked: [batch * queries, keys]."""
        made: list[Operation] = []
        rows = self._rows(op, position, made)
        keys = self._integers("attention_bias.keys", np.arange(op.keys)[None])
        made += [keys, *visible_bias(keys.result, rows, window)]
        Rewriter.insert_op(made, InsertPoint.before(op))
        return made[-1].results[0]

    def _by_distance(self, op: t.AttentionOp, position: SSAValue, bias: Array) -> SSAValue:
        """What each head adds by the distance to a key: [batch * queries, heads * keys]."""
        heads, keys, queries = op.heads.value.data, op.keys, op.queries
        table = bias.reshape(queries, heads, -1)[:, :, :keys]
        values = table[-1, :, ::-1]
        distance = keys - queries + np.arange(queries)[:, None] - np.arange(keys)
        expected = np.where(distance < 0, t.MASKED, values[:, distance.clip(0)])
        if not np.array_equal(table.swapaxes(0, 1), expected):
            raise self._refused(op, "a bias that goes by the distance from keys", "another one")
        made: list[Operation] = []
        rows = self._rows(op, position, made)
        first = self._integers("attention_bias.starts", first_windows(heads, keys))
        vector = self.constants.make("attention_bias.distances", by_falling_distance(values))
        made += [first, *window_starts(rows, first.result)]
        flat = t.ReshapeOp(made[-1].results[0], (t.shape_of(rows)[0] * heads,))
        windows = t.WindowsOp(flat, vector, keys)
        joined = t.ReshapeOp(windows, (t.shape_of(rows)[0], heads * keys))
        Rewriter.insert_op([*made, flat, vector, windows, joined], InsertPoint.before(op))
        return joined.result

    def _rows(self, op: t.AttentionOp, position: SSAValue, made: list[Operation]) -> SSAValue:
        """The position of every query, [batch * queries, 1]."""
        batch, queries = op.batch.value.data, op.queries

        def added(operations: list[Operation]) -> SSAValue:
            made.extend(operations)
            return operations[-1].results[0]

        rows = added([t.ReshapeOp(position, (batch, 1))])
        if queries == 1:
            return rows
        steps = added([self._integers("position.steps", np.arange(queries)[None])])
        return added(
            [
                *(moved := row_positions(rows, steps)),
                t.ReshapeOp(moved[-1].results[0], (batch * queries, 1)),
            ]
        )

    def _integers(self, name: str, values: Array) -> t.GetWeightOp:
        kind = TensorType(i32, values.shape)
        unique = self.constants.store.add(name, values.astype(np.int32))
        block = self.constants.module.body.block
        assert block.first_op is not None
        Rewriter.insert_op(t.WeightOp(unique, kind), InsertPoint.before(block.first_op))
        return t.GetWeightOp(unique, kind)

    @staticmethod
    def _refused(op: t.AttentionOp, expected: str, found: str) -> PassFailedException:
        layer = "" if op.layer is None else f" of layer '{op.layer.data}'"
        return PassFailedException(
            f"attention{layer} to a cache: expected {expected}, found {found}"
        )


def _check_reads(op: t.AppendOp) -> None:
    """A cache has places for tokens that there are none of: only attention knows which."""
    for use in op.result.uses:
        reader = use.operation
        if isinstance(reader, t.AttentionOp) and reader.position is not None:
            continue
        layer = "" if op.layer is None else f" of layer '{op.layer.data}'"
        raise PassFailedException(
            f"the cache @{op.state.string_value()}{layer}: expected attention to be all that reads "
            f"it, found {reader.name}"
        )


@dataclass(frozen=True)
class FuseCachePass(ModulePass):
    """`attention` to what `append` gives -> `attention` with a position."""

    name = "fuse-cache"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in [f for f in op.ops if isinstance(f, FuncOp)]:
            rewriting = CachedAttention(Constants.of(ctx, op))
            for attention in [a for a in function.walk() if isinstance(a, t.AttentionOp)]:
                rewriting.rewrite(attention)
            for append in [a for a in function.walk() if isinstance(a, t.AppendOp)]:
                _check_reads(append)
