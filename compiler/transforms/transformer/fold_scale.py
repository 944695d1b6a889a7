"""`fold-scale`: the scale of attention goes into the weights behind q, before they are rounded."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from softex_mlir.compiler.transforms.transformer.l1_values import Constants
from softex_mlir.compiler.transforms.transformer.linear_columns import columns_of
from softex_mlir.dialects import transformer as t


@dataclass
class FoldScale(RewritePattern):
    """softmax(scale * q k^T) with q = x @ w + b: scale the columns of w and b that make q."""

    constants: Constants

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.AttentionOp, rewriter: PatternRewriter) -> None:
        if op.scale is None:
            return
        scale = _nominal(op.scale.value.data, op.head_size)
        q = op.q
        if scale != 1.0:
            turned = q.owner
            if isinstance(turned, t.RotaryOp) and q.has_one_use():
                # what is turned may be scaled before
                columns = columns_of(turned.x, turned)
            else:
                columns = columns_of(q, op)
            if columns is not None and columns.replace(self.constants, rewriter, factors=scale):
                q = op.operands[0]
            else:
                factor = t.SplatOp(scale, t.shape_of(q)[1:])
                product = t.MulOp(q, factor, layer=op.layer)
                rewriter.insert([factor, product])
                q = product.result
        new = t.AttentionOp(
            q,
            op.k,
            op.v,
            op.bias,
            heads=op.heads.value.data,
            batch=op.batch.value.data,
            bias_rows=op.bias_rows.data,
            position=op.position,
            key_heads=None if op.key_heads is None else op.heads_of_keys,
            layer=op.layer,
        )
        rewriter.replace(op, new)


def _nominal(scale: float, head_size: int) -> float:
    """1 / sqrt(head size) for what exporters make of it in float32: a quotient, or two roots."""
    nominal = 1 / math.sqrt(head_size)
    return nominal if math.isclose(scale, nominal, rel_tol=1e-6) else scale


@dataclass(frozen=True)
class FoldScalePass(ModulePass):
    """`attention {scale}` -> weights of the linear layer behind q, or a multiplication of q."""

    name = "fold-scale"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(FoldScale(Constants.of(ctx, op))).rewrite_module(op)
