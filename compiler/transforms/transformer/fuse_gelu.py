"""`fuse-gelu`: recognise activations that exporters write out in elementary functions."""

from __future__ import annotations

import math
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
    op_type_rewrite_pattern,
)

from softex_mlir.compiler.transforms.transformer.l1_values import (
    has_inverse,
    scale_of,
    splat_value,
)
from softex_mlir.dialects import transformer as t

TOLERANCE = 2**-8
"""Relative: constants such as 0.7978845608 may be printed with few digits or rounded to bf16."""


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=TOLERANCE)


def _product(value: SSAValue, *, outermost: bool = True) -> tuple[float, list[SSAValue]]:
    """A value as constant times factors, through multiplications nobody else uses."""
    owner = value.owner
    if not isinstance(owner, Operation) or not (outermost or value.has_one_use()):
        return 1.0, [value]
    scaled = scale_of(owner)
    if scaled is not None:
        constant, factors = _product(scaled[0], outermost=False)
        return constant * scaled[1], factors
    if isinstance(owner, t.MulOp):
        left, right = (_product(v, outermost=False) for v in (owner.lhs, owner.rhs))
        return left[0] * right[0], left[1] + right[1]
    return 1.0, [value]


def _plus_one(value: SSAValue) -> SSAValue | None:
    """x if the value is x + 1."""
    owner = value.owner
    if isinstance(owner, t.AddOp):
        for x, one in ((owner.lhs, owner.rhs), (owner.rhs, owner.lhs)):
            if splat_value(one) == 1.0:
                return x
    return None


def _cube(value: SSAValue, x: SSAValue) -> float | None:
    """c if the value is c * x^3."""
    return _power(value, x, 3)


def _power(value: SSAValue, x: SSAValue, exponent: int) -> float | None:
    """c if the value is c * x^exponent, spelled as products, powers or both."""
    constant, factors = _product(value)
    total = 0.0
    pending = list(factors)
    while pending:
        factor = pending.pop()
        owner = factor.owner
        if factor is x:
            total += 1
        elif isinstance(owner, t.PowOp) and owner.lhs is x:
            total += splat_value(owner.rhs) or math.nan
        elif isinstance(owner, t.MulOp) and {owner.lhs, owner.rhs} == {x}:
            total += 2
        else:
            return None
    return constant if total == exponent else None


def _tanh_argument(value: SSAValue, x: SSAValue) -> bool:
    """Whether the value is sqrt(2/pi) * (x + 0.044715 x^3), also as x * (1 + 0.044715 x^2)."""
    constant, factors = _product(value)
    if not _close(constant, math.sqrt(2 / math.pi)):
        return False
    if len(factors) == 2 and x in factors:
        other = factors[0] if factors[1] is x else factors[1]
        inner = _plus_one(other)
        square = None if inner is None else _power(inner, x, 2)
        return square is not None and _close(square, 0.044715)
    if len(factors) != 1 or not isinstance(add := factors[0].owner, t.AddOp):
        return False
    for left, right in ((add.lhs, add.rhs), (add.rhs, add.lhs)):
        if left is x and (cube := _cube(right, x)) is not None:
            return _close(cube, 0.044715)
    return False


class FuseGelu(RewritePattern):
    """c·x·(1 + erf(x/√2)) and c·x·(1 + tanh(..)) in any order; c is nearly always 0.5."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.MulOp, rewriter: PatternRewriter) -> None:
        constant, factors = _product(op.result)
        if len(factors) != 2:
            return
        for x, other in (factors, factors[::-1]):
            if x.type != op.result.type:
                continue
            inner = _plus_one(other)
            owner = other.owner if inner is None else inner.owner
            fused: t.UnaryOp | None = None
            if inner is not None:
                if isinstance(owner, t.ErfOp):
                    scale, arguments = _product(owner.x)
                    if arguments == [x] and _close(scale, math.sqrt(0.5)):
                        fused = t.GeluOp(x, layer=op.layer)
                elif isinstance(owner, t.TanhOp) and _tanh_argument(owner.x, x):
                    fused = t.GeluTanhOp(x, layer=op.layer)
            if fused is None:
                continue
            if _close(constant, 0.5):
                rewriter.replace(op, fused)
                return
            # Simplifiers move the 0.5 into the weights behind; the factor 2 goes there as well.
            factor = t.SplatOp(2 * constant)
            rewriter.replace(op, [fused, factor, t.MulOp(fused, factor, layer=op.layer)])
            return


class FuseSilu(RewritePattern):
    """x·sigmoid(x); x·sigmoid(c·x) is silu(c·x)/c, and both factors go into weights later."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.MulOp, rewriter: PatternRewriter) -> None:
        for x, other in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
            sigmoid = other.owner
            if not isinstance(sigmoid, t.SigmoidOp) or x.type != op.result.type:
                continue
            factor, arguments = _product(sigmoid.x)
            if arguments != [x] or not has_inverse(factor):
                continue
            if factor == 1.0:
                rewriter.replace(op, t.SiluOp(x, layer=op.layer))
                return
            silu = t.SiluOp(sigmoid.x, layer=op.layer)
            inverse = t.SplatOp(1 / factor)
            rewriter.replace(op, [silu, inverse, t.MulOp(silu, inverse, layer=op.layer)])
            return


@dataclass(frozen=True)
class FuseGeluPass(ModulePass):
    """GELU (erf and tanh form) and SiLU from their spellings."""

    name = "fuse-gelu"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        # From the end: the outermost multiplication sees the whole product.
        patterns: list[RewritePattern] = [FuseGelu(), FuseSilu()]
        walker = PatternRewriteWalker(GreedyRewritePatternApplier(patterns), walk_reverse=True)
        walker.rewrite_module(op)
