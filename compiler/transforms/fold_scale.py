"""`fold-scale`: the scale of attention goes into the weights behind q, before they are rounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from softex_mlir.compiler.transforms.l1_values import Constants, name_of
from softex_mlir.dialects import transformer as t


@dataclass
class FoldScale(RewritePattern):
    """softmax(scale * q k^T) with q = x @ w + b: scale the columns of w and b that make q."""

    constants: Constants

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.AttentionOp, rewriter: PatternRewriter) -> None:
        if op.scale is None:
            return
        scale = op.scale.value.data
        q = op.q
        if scale != 1.0 and not self._fold(op, scale, rewriter):
            factor = t.SplatOp(scale, t.shape_of(q)[1:])
            product = t.MulOp(q, factor, layer=op.layer)
            rewriter.insert([factor, product])
            q = product.result
        elif scale != 1.0:
            q = op.operands[0]
        new = t.AttentionOp(
            q,
            op.k,
            op.v,
            op.bias,
            heads=op.heads.value.data,
            batch=op.batch.value.data,
            bias_rows=op.bias_rows.data,
            layer=op.layer,
        )
        rewriter.replace(op, new)

    def _fold(self, op: t.AttentionOp, scale: float, rewriter: PatternRewriter) -> bool:
        """Scale the producer of q; False if something else would notice, or data is missing."""
        value, first = op.q, 0
        width = t.shape_of(value)[1]
        if any(use.operation is not op or use.index != 0 for use in value.uses):
            return False
        if isinstance(part := value.owner, t.SliceOp):
            rows = t.shape_of(part.x)[0]
            first = int(part.offsets.get_values()[1])
            if t.shape_of(value)[0] != rows:
                return False
            for use in part.x.uses:
                other = use.operation
                if other is part:
                    continue
                if not isinstance(other, t.SliceOp):
                    return False
                start = int(other.offsets.get_values()[1])
                if start < first + width and first < start + t.shape_of(other.result)[1]:
                    return False
            value = part.x
        linear = value.owner
        if not isinstance(linear, t.LinearOp) or linear.residual is not None:
            return False
        if linear.activation.data != "none":
            return False
        w = self.constants.data(linear.w)
        b = None if linear.bias is None else self.constants.data(linear.bias)
        if w is None or (linear.bias is not None and b is None):
            return False
        factors = np.ones(w.shape[1], np.float32)
        factors[first : first + width] = scale
        made: list[Operation] = [self.constants.make(f"{name_of(linear.w)}.scaled", w * factors)]
        if b is not None and linear.bias is not None:
            made.append(self.constants.make(f"{name_of(linear.bias)}.scaled", b * factors))
        values = [m.results[0] for m in made]
        made.append(t.LinearOp(linear.x, *values, layer=linear.layer))
        rewriter.replace(linear, made)
        return True


@dataclass(frozen=True)
class FoldScalePass(ModulePass):
    """`attention {scale}` -> weights of the linear layer behind q, or a multiplication of q."""

    name = "fold-scale"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(FoldScale(Constants(op))).rewrite_module(op)
