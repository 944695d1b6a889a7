"""`fold-affine`: factors and offsets of rows go into the weights, before these are rounded.

Layer scale behind a projection, norms without statistics (MobileBERT's) and the factors of
activations such as x·sigmoid(1.702 x) cost nothing then.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from softex_mlir.compiler.transforms.transformer.l1_values import Array, Constants, name_of
from softex_mlir.compiler.transforms.transformer.linear_columns import columns_of
from softex_mlir.dialects import transformer as t

LARGEST_OFFSET = 1e6
"""Constants beyond it mask or saturate: the order of their additions matters."""


@dataclass
class FoldIntoLinearBefore(RewritePattern):
    """``linear * row`` and ``linear + row``, if nothing else uses these columns of its result."""

    constants: Constants

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, t.MulOp | t.AddOp | t.SubOp):
            return
        if op.lhs.type != op.result.type:
            return
        found = columns_of(op.lhs, op)
        row = self.constants.data(op.rhs)
        if found is None or row is None or t.shape_of(op.rhs) != t.shape_of(op.result)[1:]:
            return
        if isinstance(op, t.MulOp):
            done = found.replace(self.constants, rewriter, factors=row)
        else:
            offsets = row if isinstance(op, t.AddOp) else -row
            done = found.replace(self.constants, rewriter, offsets=offsets)
        if done:
            rewriter.replace(op, [], [op.lhs])


@dataclass
class FoldIntoLinearBehind(RewritePattern):
    """``linear(x * row)``: the factors scale the rows of the weights."""

    constants: Constants

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.LinearOp, rewriter: PatternRewriter) -> None:
        product = op.x.owner
        if not isinstance(product, t.MulOp) or not op.x.has_one_use():
            return
        row, w = self.constants.data(product.rhs), self.constants.data(op.w)
        if row is None or w is None or row.ndim != 1 or product.lhs.type != op.x.type:
            return
        scaled = self.constants.make(f"{name_of(op.w)}.scaled", w * row[:, np.newaxis])
        new = t.LinearOp(
            product.lhs,
            scaled,
            op.bias,
            op.residual,
            activation=op.activation.data,
            layer=op.layer,
        )
        rewriter.replace(op, [scaled, new])


def _sum_of_rows(a: Array, b: Array) -> Array:
    """a + b; fewer rows are repeated, as the addition to an activation repeats them."""
    if a.ndim == b.ndim == 2 and len(a) != len(b):
        rows = lcm(len(a), len(b))
        a, b = (np.tile(x, (rows // len(x), 1)) for x in (a, b))
    return a + b


@dataclass
class FoldSumOfConstants(RewritePattern):
    """``(x + a) + b`` for constants a and b: embeddings of positions and of token types."""

    constants: Constants

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.AddOp, rewriter: PatternRewriter) -> None:
        inner = op.lhs.owner
        if not isinstance(inner, t.AddOp) or not op.lhs.has_one_use():
            return
        a, b = self.constants.data(inner.rhs), self.constants.data(op.rhs)
        if a is None or b is None or inner.lhs.type != op.result.type:
            return
        if max(np.abs(a).max(), np.abs(b).max()) > LARGEST_OFFSET:
            return
        total = self.constants.make(f"{name_of(op.rhs)}.sum", _sum_of_rows(a, b))
        new = t.AddOp(inner.lhs, total, layer=op.layer)
        rewriter.replace(op, [total, new])
        rewriter.erase(inner)


@dataclass(frozen=True)
class FoldAffinePass(ModulePass):
    """Multiplications by and additions of constant rows -> weights of linear layers."""

    name = "fold-affine"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        constants = Constants.of(ctx, op)
        patterns: list[RewritePattern] = [
            FoldIntoLinearBefore(constants),
            FoldIntoLinearBehind(constants),
            FoldSumOfConstants(constants),
        ]
        PatternRewriteWalker(GreedyRewritePatternApplier(patterns)).rewrite_module(op)
