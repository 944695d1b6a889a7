"""`flatten-rows`: operations on the last dimension become operations on [rows, features]."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
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
    Constants,
    discard,
    is_constant,
    name_of,
    splat_value,
)
from softex_mlir.dialects import transformer as t


def rows_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """[rows, features] of a shape; a number is a matrix of one element."""
    return prod(shape[:-1]), prod(shape[-1:])


class FlattenFirstOperand(RewritePattern):
    """Norms, functions, softmax and products with a weight matrix work on the rows of their x."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if isinstance(op, t.MatmulOp):
            if len(t.shape_of(op.b)) != 2 or not is_constant(op.b):
                return
        elif not isinstance(op, t.LayerNormOp | t.RMSNormOp | t.UnaryOp):
            return
        shape = t.shape_of(op.operands[0])
        if len(shape) == 2:
            return
        flat = t.ReshapeOp(op.operands[0], rows_of(shape), layer=op.layer)
        new: t.TransformerOp
        match op:
            case t.LayerNormOp():
                eps = op.eps.value.data
                new = t.LayerNormOp(flat, op.gamma, op.beta, eps, wide=op.wide, layer=op.layer)
            case t.RMSNormOp():
                eps = op.eps.value.data
                new = t.RMSNormOp(flat, op.gamma, eps, wide=op.wide, layer=op.layer)
            case t.MatmulOp():
                new = t.MatmulOp(flat, op.b, layer=op.layer)
            case _:
                new = type(op)(flat, layer=op.layer)
        back = t.ReshapeOp(new, t.shape_of(op.results[0]))
        rewriter.replace(op, [flat, new, back])


class FlattenMatmul(RewritePattern):
    """Products of activations are of two matrices, or of two equal stacks of them."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.MatmulOp, rewriter: PatternRewriter) -> None:
        a, b = t.shape_of(op.a), t.shape_of(op.b)
        if op.is_fused or (len(b) == 2 and is_constant(op.b)):
            return
        lead = t.shape_of(op.result)[:-2]
        if prod(b[:-2]) == 1:
            left = t.ReshapeOp(op.a, (prod(a[:-1]), a[-1]), layer=op.layer)
            right = t.ReshapeOp(op.b, b[-2:], layer=op.layer)
            made: list[Operation] = [left, right]
        else:
            made = []
            left, right = (_stack(value, lead, made, op.layer) for value in (op.a, op.b))
        product = t.MatmulOp(left, right, layer=op.layer)
        back = t.ReshapeOp(product, t.shape_of(op.result), layer=op.layer)
        rewriter.replace(op, [*made, product, back])


def _stack(
    value: SSAValue, lead: tuple[int, ...], made: list[Operation], layer: StringAttr | None
) -> t.ReshapeOp:
    """Matrices repeated to the leading dimensions, as one stack."""
    shape = t.shape_of(value)
    if shape[:-2] != lead:
        expanded = t.ExpandOp(value, (*lead, *shape[-2:]), layer=layer)
        made.append(expanded)
        value = expanded.result
    stack = t.ReshapeOp(value, (prod(lead), *shape[-2:]), layer=layer)
    made.append(stack)
    return stack


class FlattenSlice(RewritePattern):
    """A choice of columns is one of the rows' columns: a view."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.SliceOp, rewriter: PatternRewriter) -> None:
        before, after = t.shape_of(op.x), t.shape_of(op.result)
        # A slice as long as its operand may still reverse it.
        if len(before) <= 2 or before[:-1] != after[:-1] or set(op.steps[:-1]) != {1}:
            return
        (rows, columns), size = rows_of(before), after[-1]
        flat = t.ReshapeOp(op.x, (rows, columns), layer=op.layer)
        first = int(op.offsets.get_values()[-1])
        part = t.SliceOp(flat, (0, first), (rows, size), (1, op.steps[-1]), layer=op.layer)
        rewriter.replace(op, [flat, part, t.ReshapeOp(part, after)])


class RepeatByConcat(RewritePattern):
    """An expanded dimension is the tensor several times."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.ExpandOp, rewriter: PatternRewriter) -> None:
        before, after = t.shape_of(op.x), t.shape_of(op.result)
        sizes = (1,) * (len(after) - len(before)) + before
        made: list[Operation] = [t.ReshapeOp(op.x, sizes, layer=op.layer)]
        for axis, (size, wanted) in enumerate(zip(sizes, after, strict=True)):
            if size != wanted:
                made.append(t.ConcatOp([made[-1].results[0]] * wanted, axis, layer=op.layer))
        rewriter.replace(op, made)


@dataclass
class FlattenBinary(RewritePattern):
    """Elementwise operations: lhs [rows, features], rhs the same, fewer rows, or one row."""

    constants: Constants

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, t.AddOp | t.SubOp | t.MulOp):
            return
        shape = t.shape_of(op.result)
        lhs, rhs = op.lhs, op.rhs
        if t.shape_of(lhs) != shape and t.shape_of(rhs) == shape and not isinstance(op, t.SubOp):
            lhs, rhs = rhs, lhs
        done = len(shape) == 2 and t.shape_of(lhs) == shape and lhs is op.lhs
        if done and t.shape_of(rhs) in (shape, shape[1:]):
            return
        other = t.shape_of(rhs)
        if done and len(other) == 2 and other[1] == shape[1] and other[0] > 1:
            return
        left = self._full(lhs, shape)
        if left is None:
            return
        right = self._partial(rhs, shape)
        if right is None:
            discard([left])
            return
        new = type(op)(left, right, layer=op.layer)
        rewriter.replace(op, [left, right, new, t.ReshapeOp(new, shape)])

    def _full(self, value: SSAValue, shape: tuple[int, ...]) -> Operation | None:
        if t.shape_of(value) == shape:
            return t.ReshapeOp(value, rows_of(shape))
        data = self.constants.data(value)
        if data is None:
            return None
        full = np.broadcast_to(data, shape).reshape(rows_of(shape))
        return self.constants.make(name_of(value), full)

    def _partial(self, value: SSAValue, shape: tuple[int, ...]) -> Operation | None:
        found, (rows, columns) = t.shape_of(value), rows_of(shape)
        splat = splat_value(value)
        if splat is not None:
            return t.SplatOp(splat, (columns,))
        if found == shape:
            return t.ReshapeOp(value, (rows, columns))
        core = found
        while core and core[0] == 1 and len(core) > 1:
            core = core[1:]
        if core == shape[len(shape) - len(core) :]:
            flat = core if len(core) == 1 else rows_of(core)
            return t.ReshapeOp(value, flat)
        data = self.constants.data(value)
        if data is None:
            return None
        full = np.broadcast_to(data, shape).reshape(rows, columns)
        return self.constants.make(name_of(value), full)


@dataclass(frozen=True)
class FlattenRowsPass(ModulePass):
    """Everything that works on the last dimension works on matrices; reshapes go around it."""

    name = "flatten-rows"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        constants = Constants.of(ctx, op)
        patterns: list[RewritePattern] = [
            FlattenFirstOperand(),
            FlattenMatmul(),
            FlattenSlice(),
            RepeatByConcat(),
            FlattenBinary(constants),
        ]
        PatternRewriteWalker(GreedyRewritePatternApplier(patterns)).rewrite_module(op)
