"""`fuse-attention`: scores, scale, mask, softmax and the product with the values become one op.

Exporters split and merge heads by all kinds of reshapes, transposes, slices and splits. The pass
does not match their spelling: it follows the operands back to where they are computed, keeping
track of *which element goes where*, and compares that with what multi-head attention needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

from softex_mlir.compiler.transforms.attention_bias import BiasBuilder
from softex_mlir.compiler.transforms.l1_values import Constants, Indices, scale_of, trace
from softex_mlir.compiler.transforms.row_order import computed_in_order, with_columns
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
    rows = int(np.prod(t.shape_of(found.root)[:-1]))
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


@dataclass(frozen=True)
class Scores:
    """``scale * (a @ b) + sum of biases``, the input of a softmax."""

    product: t.MatmulOp
    scale: float
    biases: list[tuple[SSAValue, float]]
    """Additive masks, each with a factor."""


def find_scores(value: SSAValue) -> Scores | None:
    """Follow the input of a softmax back to the product it comes from."""
    scale = 1.0
    biases: list[tuple[SSAValue, float]] = []
    while isinstance(owner := value.owner, Operation):
        scaled = scale_of(owner)
        if scaled is not None:
            value, factor = scaled
            scale *= factor
        elif isinstance(owner, t.MatmulOp):
            return Scores(owner, scale, biases)
        elif isinstance(owner, t.ReshapeOp):
            value = owner.x
        elif isinstance(owner, t.AddOp):
            # The scores are the operand of full shape that leads to a product.
            for scores, bias in ((owner.lhs, owner.rhs), (owner.rhs, owner.lhs)):
                if scores.type == owner.result.type and find_scores(scores) is not None:
                    biases.append((bias, scale))
                    value = scores
                    break
            else:
                return None
        else:
            return None
    return None


@dataclass
class FuseAttention(RewritePattern):
    """matmul(softmax(scores), v)."""

    constants: Constants
    biases: BiasBuilder

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.MatmulOp, rewriter: PatternRewriter) -> None:
        probabilities = op.a
        while isinstance(owner := probabilities.owner, t.ReshapeOp | t.NanToZeroOp):
            probabilities = owner.x
        softmax = probabilities.owner
        if not isinstance(softmax, t.SoftmaxOp):
            return
        scores = find_scores(softmax.x)
        if scores is None:
            return
        q = find_heads(scores.product.a, transposed=False)
        k = find_heads(scores.product.b, transposed=True)
        v = find_heads(op.b, transposed=False)
        if q is None or k is None or v is None:
            return
        if not (q.batch == k.batch == v.batch and q.heads == k.heads == v.heads):
            return
        if k.tokens != v.tokens or q.size != k.size or v.scale != 1.0:
            return
        made: list[Operation] = []
        # Operations are inserted before the one replaced, where all their operands exist.
        operands = self._operands((q, k, v), made)
        if operands is None:
            return
        bias = self.biases.build(scores.biases, q.batch, q.heads, k.tokens, made)
        if bias is None:
            return
        attention = t.AttentionOp(
            operands[0],
            operands[1],
            operands[2],
            bias[0],
            heads=q.heads,
            batch=q.batch,
            bias_rows=bias[1],
            scale=scores.scale * q.scale * k.scale,
            layer=softmax.layer or op.layer,
        )
        split = t.ReshapeOp(attention, (q.batch, q.tokens, q.heads, v.size))
        order = t.TransposeOp(split, (0, 2, 1, 3))
        shaped = t.ReshapeOp(order, t.shape_of(op.result))
        rewriter.replace(op, [*made, attention, split, order, shaped])

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
        rows, width = part.batch * part.tokens, part.heads * part.size
        first = int(part.columns[0])
        side_by_side = np.array_equal(part.columns, first + np.arange(width))
        if not side_by_side:
            chosen = with_columns(value, part.columns, self.constants, made)
            if chosen is None:
                return None
            value, first = chosen, 0
        shape = t.shape_of(value)
        if len(shape) != 2:
            flat = t.ReshapeOp(value, (rows, shape[-1]))
            made.append(flat)
            value = flat.result
        if width != shape[-1]:
            sliced = t.SliceOp(value, (0, first), (rows, width))
            made.append(sliced)
            value = sliced.result
        return value


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
        constants = Constants(op)
        pattern = FuseAttention(constants, BiasBuilder(constants))
        PatternRewriteWalker(pattern).rewrite_module(op)
