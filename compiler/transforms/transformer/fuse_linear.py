"""`fuse-linear`: products with a weight matrix, and the addition of their bias, become `linear`."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from softex_mlir.compiler.transforms.transformer.l1_values import is_constant
from softex_mlir.dialects import transformer as t


class MatmulToLinear(RewritePattern):
    """A matrix times a parameter."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.MatmulOp, rewriter: PatternRewriter) -> None:
        if len(t.shape_of(op.a)) == len(t.shape_of(op.b)) == 2 and is_constant(op.b):
            rewriter.replace(op, t.LinearOp(op.a, op.b, layer=op.layer))


class AddBias(RewritePattern):
    """RedMulE starts its sums from the bias: the addition is free."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.AddOp, rewriter: PatternRewriter) -> None:
        linear = op.lhs.owner
        if not isinstance(linear, t.LinearOp) or not op.lhs.has_one_use():
            return
        if linear.bias is not None or linear.residual is not None:
            return
        if linear.activation.data != "none" or not is_constant(op.rhs):
            return
        if op.lhs.type == op.result.type and t.shape_of(op.rhs) == t.shape_of(op.result)[1:]:
            layer = linear.layer or op.layer
            rewriter.replace(op, t.LinearOp(linear.x, linear.w, op.rhs, layer=layer))


@dataclass(frozen=True)
class FuseLinearPass(ModulePass):
    """`matmul` with a parameter, `add` of a row parameter -> `linear`."""

    name = "fuse-linear"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        patterns: list[RewritePattern] = [MatmulToLinear(), AddBias()]
        PatternRewriteWalker(GreedyRewritePatternApplier(patterns)).rewrite_module(op)
