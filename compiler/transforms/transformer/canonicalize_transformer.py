"""`canonicalize-transformer`: remove data movement that moves nothing, fold views of constants."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

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
from xdsl.transforms.common_subexpression_elimination import cse

from softex_mlir.compiler.transforms.transformer.dead_code import remove_dead
from softex_mlir.compiler.transforms.transformer.l1_values import (
    Constants,
    apply_view,
    has_inverse,
    is_constant,
    is_view,
    name_of,
    splat_value,
    trace,
)
from softex_mlir.compiler.transforms.transformer.row_order import in_order, row_order
from softex_mlir.dialects import transformer as t


class MergeReshapes(RewritePattern):
    """A reshape of a reshape is one, and a reshape to the same shape is none."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.ReshapeOp, rewriter: PatternRewriter) -> None:
        inner = op.x.owner
        root = inner.x if isinstance(inner, t.ReshapeOp) else op.x
        if root.type == op.result.type:
            rewriter.replace(op, [], [root])
        elif root is not op.x:
            rewriter.replace(op, t.ReshapeOp(root, t.shape_of(op.result), layer=op.layer))


class SimplifyViews(RewritePattern):
    """A chain of reshapes and transposes that keeps the order of the elements is one reshape."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, t.ReshapeOp | t.TransposeOp | t.SliceOp | t.ExpandOp):
            return
        if isinstance(op, t.ReshapeOp):
            inner = op.x.owner
            if op.x.type != op.result.type and not (
                isinstance(inner, Operation) and is_view(inner)
            ):
                return
        found = trace(op.result)
        size = prod(t.shape_of(found.root))
        if found.indices.size != size or not np.array_equal(found.indices.ravel(), np.arange(size)):
            return
        if found.root.type == op.result.type:
            rewriter.replace(op, [], [found.root])
        elif not (isinstance(op, t.ReshapeOp) and op.x is found.root):
            shape = t.shape_of(op.result)
            rewriter.replace(op, t.ReshapeOp(found.root, shape, layer=op.layer))


class SimplifyTransposes(RewritePattern):
    """A chain of views that as a whole swaps two blocks of dimensions is one such transpose."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, t.ReshapeOp | t.TransposeOp):
            return
        if any(is_view(use.operation) for use in op.result.uses):
            return
        if not self._worthwhile(op):
            return
        found = trace(op.result)
        flat = found.indices.ravel()
        size = prod(t.shape_of(found.root))
        breaks = np.flatnonzero(np.diff(flat) != 1)
        if flat.size != size or not breaks.size or flat[0] != 0:
            return
        width = int(breaks[0]) + 1
        stride = int(flat[width])
        if stride <= 0 or stride % width or size % stride:
            return
        sizes = (size // stride, stride // width, width)
        if not np.array_equal(flat, np.arange(size).reshape(sizes).transpose(1, 0, 2).ravel()):
            return
        split = t.ReshapeOp(found.root, sizes, layer=op.layer)
        order = t.TransposeOp(split, (1, 0, 2), layer=op.layer)
        shaped = t.ReshapeOp(order, t.shape_of(op.result), layer=op.layer)
        rewriter.replace(op, [split, order, shaped])

    @staticmethod
    def _worthwhile(op: Operation) -> bool:
        """Whether the chain holds more than one transpose, or one of more than 3 dimensions."""
        transposes = 0
        while is_view(op):
            if isinstance(op, t.SliceOp | t.ExpandOp):
                return False
            if isinstance(op, t.TransposeOp):
                transposes += 2 if len(t.shape_of(op.x)) > 3 else 1
            owner = op.operands[0].owner
            if not isinstance(owner, Operation):
                break
            op = owner
        return transposes > 1


class SinkTranspose(RewritePattern):
    """An activation function of a transposed tensor: transpose its result instead."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        # Not erf, tanh and sigmoid: `fuse-gelu` has to see them on the operand they share.
        if not isinstance(op, t.GeluOp | t.GeluTanhOp | t.SiluOp | t.ReluOp):
            return
        transpose = op.x.owner
        if not isinstance(transpose, t.TransposeOp) or not op.x.has_one_use():
            return
        new = type(op)(transpose.x, layer=op.layer)
        order = [int(p) for p in transpose.permutation.get_values()]
        rewriter.replace(op, [new, t.TransposeOp(new, order, layer=transpose.layer)])


class RestoreRowOrder(RewritePattern):
    """Rows that are reordered, worked on one by one and put back stay where they are."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, t.ReshapeOp | t.TransposeOp):
            return
        found = row_order(op.result)
        rows = np.arange(prod(t.shape_of(op.result)[:-1]))
        if found is None or np.array_equal(found[1], rows):
            return
        made: list[Operation] = []
        value = in_order(op.result, rows, made)
        if value is not None:
            rewriter.replace(op, [*made, t.ReshapeOp(value, t.shape_of(op.result))])


@dataclass
class FoldViewsOfConstants(RewritePattern):
    """Rearrange parameters at compile time."""

    constants: Constants

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not is_view(op):
            return
        operand = op.operands[0]
        value = splat_value(operand)
        if value is not None:
            rewriter.replace(op, t.SplatOp(value, t.shape_of(op.results[0])))
            return
        data = self.constants.data(operand)
        if data is not None and data.dtype.kind == "f":
            rewriter.replace(op, self.constants.make(name_of(operand), apply_view(op, data)))


class ExpandPowers(RewritePattern):
    """x^2 and x^3 are products."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.PowOp, rewriter: PatternRewriter) -> None:
        exponent = splat_value(op.rhs)
        if exponent not in (2.0, 3.0) or op.lhs.type != op.result.type:
            return
        made = [t.MulOp(op.lhs, op.lhs, layer=op.layer)]
        if exponent == 3.0:
            made.append(t.MulOp(made[0], op.lhs, layer=op.layer))
        rewriter.replace(op, made)


class DropNeutral(RewritePattern):
    """x * 1, x + 0, x / constant; constants of sums and products are their second operand."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, t.AddOp | t.SubOp | t.MulOp | t.DivOp):
            return
        value = splat_value(op.rhs)
        neutral = 0.0 if isinstance(op, t.AddOp | t.SubOp) else 1.0
        if value == neutral and op.lhs.type == op.result.type:
            rewriter.replace(op, [], [op.lhs])
        elif isinstance(op, t.DivOp) and value is not None and has_inverse(value):
            factor = t.SplatOp(1.0 / value, t.shape_of(op.rhs))
            rewriter.replace(op, [factor, t.MulOp(op.lhs, factor, layer=op.layer)])
        elif isinstance(op, t.AddOp | t.MulOp) and is_constant(op.lhs) and not is_constant(op.rhs):
            lhs, rhs = t.shape_of(op.lhs), t.shape_of(op.rhs)
            if t.broadcast(rhs, lhs) == t.shape_of(op.result):
                rewriter.replace(op, type(op)(op.rhs, op.lhs, layer=op.layer))


@dataclass(frozen=True)
class CanonicalizeTransformerPass(ModulePass):
    """Views that cancel, neutral elements, views of constants, dead and double operations."""

    name = "canonicalize-transformer"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        patterns: list[RewritePattern] = [
            MergeReshapes(),
            SimplifyViews(),
            SimplifyTransposes(),
            SinkTranspose(),
            RestoreRowOrder(),
            FoldViewsOfConstants(Constants.of(ctx, op)),
            ExpandPowers(),
            DropNeutral(),
        ]
        PatternRewriteWalker(GreedyRewritePatternApplier(patterns)).rewrite_module(op)
        remove_dead(op)
        cse(op)
