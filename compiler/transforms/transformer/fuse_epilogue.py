"""`fuse-epilogue`: a linear layer's activation and residual are applied where its result is."""

from __future__ import annotations

from dataclasses import dataclass

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

from softex_mlir.dialects import transformer as t


class FuseActivation(RewritePattern):
    """``f(linear)`` for a function the epilogue knows."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, t.UnaryOp):
            return
        function = op.name.removeprefix("transformer.")
        linear = op.x.owner
        if function not in t.ACTIVATIONS or not isinstance(linear, t.LinearOp):
            return
        if not op.x.has_one_use() or linear.residual is not None:
            return
        if linear.activation.data == "none":
            new = t.LinearOp(
                linear.x, linear.w, linear.bias, activation=function, layer=linear.layer
            )
            rewriter.replace(op, new)


class FuseResidual(RewritePattern):
    """``linear + x`` or ``x + linear`` for an x of the same shape."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.AddOp, rewriter: PatternRewriter) -> None:
        if op.lhs.type != op.result.type or op.rhs.type != op.result.type:
            return
        for value, residual in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
            linear = value.owner
            if not isinstance(linear, t.LinearOp) or not value.has_one_use():
                continue
            if linear.residual is not None:
                continue
            new = t.LinearOp(
                linear.x,
                linear.w,
                linear.bias,
                residual,
                activation=linear.activation.data,
                layer=linear.layer,
            )
            rewriter.replace(op, new)
            return


@dataclass(frozen=True)
class FuseEpiloguePass(ModulePass):
    """Activations and residual additions into the linear layer before them."""

    name = "fuse-epilogue"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        patterns: list[RewritePattern] = [FuseActivation(), FuseResidual()]
        PatternRewriteWalker(GreedyRewritePatternApplier(patterns)).rewrite_module(op)
