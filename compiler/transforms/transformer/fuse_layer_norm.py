"""`fuse-layer-norm`: recognise layer norm and RMS norm written out in elementary operations."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
)

from softex_mlir.compiler.transforms.transformer.l1_values import is_constant, splat_value
from softex_mlir.dialects import transformer as t


def _row_mean(value: SSAValue) -> SSAValue | None:
    """x if the value is the mean of x over its last dimension."""
    owner = value.owner
    if not isinstance(owner, t.ReduceMeanOp):
        return None
    axes = [int(a) for a in owner.axes.get_values()]
    return owner.x if axes == [len(t.shape_of(owner.x)) - 1] and owner.keep is not None else None


def _square(value: SSAValue) -> SSAValue | None:
    """x if the value is x squared."""
    owner = value.owner
    if isinstance(owner, t.PowOp) and splat_value(owner.rhs) == 2.0:
        return owner.lhs
    if isinstance(owner, t.MulOp) and owner.lhs is owner.rhs:
        return owner.lhs
    return None


def _centred(value: SSAValue) -> SSAValue | None:
    """x if the value is x minus its row mean."""
    owner = value.owner
    if isinstance(owner, t.SubOp) and _row_mean(owner.rhs) is owner.lhs:
        return owner.lhs
    return None


def _deviation(value: SSAValue) -> tuple[SSAValue, float] | None:
    """(y, eps) if the value is sqrt(mean(y^2) + eps)."""
    owner = value.owner
    if isinstance(owner, t.SqrtOp):
        inside = owner.x.owner
    elif isinstance(owner, t.PowOp) and splat_value(owner.rhs) == 0.5:
        inside = owner.lhs.owner
    else:
        return None
    if not isinstance(inside, t.AddOp):
        return None
    for mean, constant in ((inside.lhs, inside.rhs), (inside.rhs, inside.lhs)):
        eps = splat_value(constant)
        squared = _row_mean(mean)
        y = None if squared is None else _square(squared)
        if eps is not None and y is not None:
            return y, eps
    return None


def _inverse_deviation(value: SSAValue) -> tuple[SSAValue, float] | None:
    """(y, eps) if the value is 1 / sqrt(mean(y^2) + eps)."""
    owner = value.owner
    if isinstance(owner, t.DivOp) and splat_value(owner.lhs) == 1.0:
        return _deviation(owner.rhs)
    return None


class FuseNorm(RewritePattern):
    """(x - mean) / sqrt(var + eps), or x / sqrt(mean(x²) + eps), without gamma and beta."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        found: tuple[SSAValue, float] | None = None
        numerator: SSAValue | None = None
        if isinstance(op, t.DivOp):
            numerator, found = op.lhs, _deviation(op.rhs)
        elif isinstance(op, t.MulOp):
            for x, inverse in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
                if (found := _inverse_deviation(inverse)) is not None:
                    numerator = x
                    break
        if found is None or numerator is None:
            return
        assert isinstance(op, t.DivOp | t.MulOp)
        y, eps = found
        columns = t.shape_of(numerator)[-1:]
        x = _centred(numerator)
        # torch.onnx computes x - mean twice (once for the variance) in some versions.
        if x is not None and (y is numerator or _centred(y) is x):
            gamma, beta = t.SplatOp(1.0, columns), t.SplatOp(0.0, columns)
            norm = t.LayerNormOp(x, gamma, beta, eps, layer=op.layer)
            rewriter.replace(op, [gamma, beta, norm])
        elif y is numerator:
            gamma = t.SplatOp(1.0, columns)
            rewriter.replace(op, [gamma, t.RMSNormOp(y, gamma, eps, layer=op.layer)])


def _other_operand(op: t.BinaryOp, kind: type[Operation]) -> tuple[Operation, SSAValue] | None:
    """(producer of the given kind, constant row) of an operation on a norm's result."""
    for value, constant in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
        owner = value.owner
        if isinstance(owner, kind) and value.has_one_use() and is_constant(constant):
            return owner, constant
    return None


class FoldAffine(RewritePattern):
    """A multiplication by a row is gamma, an addition of a row is beta."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, t.MulOp | t.AddOp):
            return
        for kind in (t.LayerNormOp, t.RMSNormOp):
            found = _other_operand(op, kind)
            if found is None:
                continue
            norm, row = found
            assert isinstance(norm, t.LayerNormOp | t.RMSNormOp)
            if t.shape_of(row) != t.shape_of(norm.gamma):
                continue
            if isinstance(op, t.MulOp) and splat_value(norm.gamma) == 1.0:
                if isinstance(norm, t.RMSNormOp):
                    eps = norm.eps.value.data
                    new = t.RMSNormOp(norm.x, row, eps, wide=norm.wide, layer=norm.layer)
                    rewriter.replace(op, new)
                elif splat_value(norm.beta) == 0.0:
                    eps = norm.eps.value.data
                    new = t.LayerNormOp(
                        norm.x, row, norm.beta, eps, wide=norm.wide, layer=norm.layer
                    )
                    rewriter.replace(op, new)
                return
            if not isinstance(op, t.AddOp) or not isinstance(norm, t.LayerNormOp):
                continue
            if splat_value(norm.beta) == 0.0:
                eps = norm.eps.value.data
                new = t.LayerNormOp(norm.x, norm.gamma, row, eps, wide=norm.wide, layer=norm.layer)
                rewriter.replace(op, new)
                return


@dataclass(frozen=True)
class FuseLayerNormPass(ModulePass):
    """Layer norm and RMS norm from their spellings."""

    name = "fuse-layer-norm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        patterns: list[RewritePattern] = [FuseNorm(), FoldAffine()]
        PatternRewriteWalker(GreedyRewritePatternApplier(patterns)).rewrite_module(op)
