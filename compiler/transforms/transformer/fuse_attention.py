"""`fuse-attention`: scores, scale, mask, softmax and the product with the values become one op.

Exporters split and merge heads by all kinds of reshapes, transposes, slices and splits. The pass
does not match their spelling: it follows the operands back to where they are computed, keeping
track of *which element goes where*, and compares that with what multi-head attention needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from softex_mlir.compiler.transforms.transformer.attention_bias import (
    VERY_NEGATIVE,
    Bias,
    BiasBuilder,
    BiasTerm,
    ScoreShape,
)
from softex_mlir.compiler.transforms.transformer.l1_values import (
    Constants,
    Indices,
    discard,
    scale_of,
    trace,
)
from softex_mlir.compiler.transforms.transformer.row_order import computed_in_order, with_columns
from softex_mlir.dialects import transformer as t


@dataclass(frozen=True)
class Heads:
    """An operand of attention: columns of a matrix, heads side by side."""

    root: SSAValue
    """Where it is computed; all dimensions but the last are rows."""
    columns: Indices
    """Its columns [heads * size] that are used, in the order of the heads."""
    batch: int
    heads: int
    tokens: int
    size: int
    """Columns of a head."""
    scale: float
    token_major: bool
    """Rows are ordered (token, batch element) instead of (batch element, token)."""


def find_heads(value: SSAValue, *, transposed: bool) -> Heads | None:
    """Recognise [.., tokens, size] (or transposed) as heads made of the columns of a matrix."""
    found = trace(value, scales=True)
    columns = t.shape_of(found.root)[-1]
    indices: Indices = np.swapaxes(found.indices, -1, -2) if transposed else found.indices
    tokens, size = indices.shape[-2:]
    indices = indices.reshape(-1, tokens, size)
    rows = prod(t.shape_of(found.root)[:-1])
    if rows % tokens or len(indices) % (rows // tokens):
        return None
    batch = rows // tokens
    heads = len(indices) // batch
    chosen = indices[:heads, 0] % columns
    b, h, i, c = np.ogrid[:batch, :heads, :tokens, :size]
    for token_major, row in ((False, b * tokens + i), (True, i * batch + b)):
        expected = row * columns + chosen[h, c]
        if np.array_equal(indices, expected.reshape(indices.shape)):
            flat = chosen.reshape(-1)
            return Heads(found.root, flat, batch, heads, tokens, size, found.scale, token_major)
    return None


def bring_together(value: SSAValue, made: list[Operation], *, transposed: bool) -> Heads | None:
    """[batch, heads, tokens, size] (or transposed) in any order, its heads moved side by side."""
    shape = t.shape_of(value)
    if len(shape) != 4:
        return None
    scale = 1.0
    while isinstance(owner := value.owner, Operation) and (scaled := scale_of(owner)) is not None:
        value, factor = scaled
        scale *= factor
    batch, heads = shape[:2]
    size, tokens = shape[2:] if transposed else (shape[3], shape[2])
    order = t.TransposeOp(value, (0, 3, 1, 2) if transposed else (0, 2, 1, 3))
    rows = t.ReshapeOp(order, (batch * tokens, heads * size))
    made += [order, rows]
    columns = np.arange(heads * size)
    return Heads(rows.result, columns, batch, heads, tokens, size, scale, False)


@dataclass(frozen=True)
class Scores:
    """``scale * (a @ b) + sum of biases``, the input of a softmax."""

    product: t.MatmulOp
    scale: float
    biases: list[BiasTerm]


def keeps_rows(op: t.ReshapeOp) -> bool:
    """Whether a reshape joins or splits rows and leaves each of them whole."""
    return t.shape_of(op.x)[-1:] == t.shape_of(op.result)[-1:]


def find_scores(value: SSAValue) -> Scores | None:
    """Follow the input of a softmax back to the product it comes from.

    Whatever is on the way works on whole rows of the product: softmax is over the keys, all of
    them, and the rows keep their order.
    """
    scale = 1.0
    biases: list[BiasTerm] = []
    while isinstance(owner := value.owner, Operation):
        scaled = scale_of(owner)
        if scaled is not None:
            value, factor = scaled
            scale *= factor
        elif isinstance(owner, t.MatmulOp):
            return Scores(owner, scale, biases)
        elif isinstance(owner, t.ReshapeOp) and keeps_rows(owner):
            value = owner.x
        elif isinstance(owner, t.MaskFillOp) and owner.fill.value.data <= VERY_NEGATIVE:
            biases.append(BiasTerm(owner.mask, 1.0, t.shape_of(owner.x), owner.fill.value.data))
            value = owner.x
        elif isinstance(owner, t.AddOp):
            # The scores are the operand of full shape that leads to a product.
            for scores, bias in ((owner.lhs, owner.rhs), (owner.rhs, owner.lhs)):
                if scores.type == owner.result.type and find_scores(scores) is not None:
                    biases.append(BiasTerm(bias, scale, t.shape_of(scores)))
                    value = scores
                    break
            else:
                return None
        else:
            return None
    return None


def find_softmax(value: SSAValue) -> tuple[t.SoftmaxOp, bool] | None:
    """The softmax whose rows a value has, in order, and whether its NaN became 0."""
    guarded = False
    while isinstance(owner := value.owner, Operation):
        if isinstance(owner, t.SoftmaxOp):
            return owner, guarded
        if not isinstance(owner, t.NanToZeroOp) and not (
            isinstance(owner, t.ReshapeOp) and keeps_rows(owner)
        ):
            return None
        guarded |= isinstance(owner, t.NanToZeroOp)
        value = owner.operands[0]
    return None


@dataclass
class FuseAttention(RewritePattern):
    """matmul(softmax(scores), v)."""

    constants: Constants
    biases: BiasBuilder

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.MatmulOp, rewriter: PatternRewriter) -> None:
        found = find_softmax(op.a)
        if found is None:
            return
        softmax, guarded = found
        scores = find_scores(softmax.x)
        if scores is None:
            return
        # The heads of the scores and of the values are the same dimensions.
        shape = t.shape_of(scores.product.result)
        if t.shape_of(op.a)[-2:] != shape[-2:]:
            return
        # Operations are inserted before the one replaced, where all their operands exist.
        made: list[Operation] = []
        parts: list[Heads] = []
        for value, transposed in (
            (scores.product.a, False),
            (scores.product.b, True),
            (op.b, False),
        ):
            part = find_heads(value, transposed=transposed)
            shape = t.shape_of(value)
            if part is None or (len(shape) == 4 and part.batch != shape[0]):
                part = bring_together(value, made, transposed=transposed)
            if part is not None:
                parts.append(part)
        if not _fit_together(parts):
            discard(made)
            return
        q, k, v = parts
        shared = _shared_heads(k, v)
        k, v = (replace(part, columns=part.columns[_first_of(part, shared)]) for part in (k, v))
        operands = self._operands([q, k, v], made)
        if operands is None:
            discard(made)
            return
        dimensions = ScoreShape(q.batch, q.heads, q.tokens, k.tokens)
        bias = self.biases.build(scores.biases, dimensions, made, guarded=guarded)
        if bias is None:
            discard(made)
            return
        attention = t.AttentionOp(
            operands[0],
            operands[1],
            operands[2],
            bias.value,
            heads=q.heads,
            batch=q.batch,
            bias_rows=bias.rows,
            scale=scores.scale * q.scale * k.scale,
            key_heads=None if shared == 1 else q.heads // shared,
            layer=softmax.layer or op.layer,
        )
        made.append(attention)
        result = _times_rows(attention.result, bias, dimensions, made)
        split = t.ReshapeOp(result, (q.batch, q.tokens, q.heads, v.size))
        order = t.TransposeOp(split, (0, 2, 1, 3))
        shaped = t.ReshapeOp(order, t.shape_of(op.result))
        rewriter.replace(op, [*made, split, order, shaped])

    def _operands(self, parts: Sequence[Heads], made: list[Operation]) -> list[SSAValue] | None:
        """The matrices of q, k and v; None if their columns cannot be brought side by side."""
        by_batch: dict[SSAValue, SSAValue | None] = {}
        operands: list[SSAValue] = []
        for part in parts:
            value, token_major = part.root, part.token_major
            if token_major:
                if value not in by_batch:
                    order = np.arange(part.batch * part.tokens).reshape(part.tokens, part.batch)
                    by_batch[value] = computed_in_order(value, order.T.ravel(), made)
                computed = by_batch[value]
                value, token_major = (value, True) if computed is None else (computed, False)
            columns = self._columns(value, part, made)
            if columns is None:
                return None
            operands.append(_by_batch(columns, part, made) if token_major else columns)
        return operands

    def _columns(self, value: SSAValue, part: Heads, made: list[Operation]) -> SSAValue | None:
        """The matrix of a part's columns."""
        rows, width = part.batch * part.tokens, len(part.columns)
        runs = _runs(part.columns)
        if len(runs) > 1 and len(np.unique(part.columns)) == width:
            chosen = with_columns(value, part.columns, self.constants, made)
            if chosen is None:
                return None
            value, runs = chosen, [(0, width)]
        shape = t.shape_of(value)
        if len(shape) != 2:
            flat = t.ReshapeOp(value, (rows, shape[-1]))
            made.append(flat)
            value = flat.result
        if runs == [(0, shape[-1])]:
            return value
        pieces = [t.SliceOp(value, (0, start), (rows, size)) for start, size in runs]
        made += pieces
        if len(pieces) == 1:
            return pieces[0].result
        # Heads that several queries share are copied.
        joined = t.ConcatOp(pieces, 1)
        made.append(joined)
        return joined.result


def _times_rows(
    result: SSAValue, bias: Bias, scores: ScoreShape, made: list[Operation]
) -> SSAValue:
    """The rows of an attention [batch * queries, columns] times the factors of their biases."""
    if bias.factor is None:
        return result
    rows, columns = t.shape_of(result)
    batch = scores.batch if bias.rows in ("batch", "batch_query") else 1
    queries = scores.queries if bias.rows in ("query", "batch_query") else 1
    split = t.ReshapeOp(result, (scores.batch, scores.queries, columns))
    factor = t.ReshapeOp(bias.factor, (batch, queries, 1))
    product = t.MulOp(split, factor)
    joined = t.ReshapeOp(product, (rows, columns))
    made += [split, factor, product, joined]
    return joined.result


def _runs(columns: Indices) -> list[tuple[int, int]]:
    """(first, number) of each run of consecutive columns."""
    runs: list[tuple[int, int]] = []
    for column in map(int, columns):
        if runs and column == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((column, 1))
    return runs


def _fit_together(parts: Sequence[Heads]) -> bool:
    """Whether there are a q, a k and a v of the same heads."""
    if len(parts) != 3:
        return False
    q, k, v = parts
    return (
        q.batch == k.batch == v.batch
        and q.heads == k.heads == v.heads
        and k.tokens == v.tokens
        and q.size == k.size
        and v.scale == 1.0
    )


def _shared_heads(k: Heads, v: Heads) -> int:
    """How many heads of queries share a head of keys and of values; 1 if none do, or not as many
    each: such heads are copied."""
    by_head = [part.columns.reshape(part.heads, part.size) for part in (k, v)]
    for shared in range(k.heads, 1, -1):
        if k.heads % shared == 0 and all(
            np.array_equal(heads, np.repeat(heads[::shared], shared, axis=0)) for heads in by_head
        ):
            return shared
    return 1


def _first_of(part: Heads, shared: int) -> Indices:
    """Numbers of the columns of the first of every `shared` heads."""
    columns = np.arange(len(part.columns)).reshape(-1, shared, part.size)
    return columns[:, 0].ravel()


def _by_batch(value: SSAValue, part: Heads, made: list[Operation]) -> SSAValue:
    """Rows ordered (token, batch element) as rows ordered (batch element, token)."""
    split = t.ReshapeOp(value, (part.tokens, part.batch, t.shape_of(value)[1]))
    order = t.TransposeOp(split, (1, 0, 2))
    joined = t.ReshapeOp(order, t.shape_of(value))
    made += [split, order, joined]
    return joined.result


@dataclass(frozen=True)
class FuseAttentionPass(ModulePass):
    """Products around a softmax -> `attention`."""

    name = "fuse-attention"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        constants = Constants.of(ctx, op)
        pattern = FuseAttention(constants, BiasBuilder(constants))
        PatternRewriteWalker(pattern).rewrite_module(op)
