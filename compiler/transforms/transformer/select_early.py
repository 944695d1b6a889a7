"""`select-early`: rows that are selected at run time are selected before what works on each row.

A decoder's head makes logits of every token of a prompt, of which one token's are wanted: the
weights of the head then meet one row instead of all.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType, bf16
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from softex_mlir.dialects import transformer as t

BY_ROW = (t.LinearOp, t.LayerNormOp, t.RMSNormOp, *t.FUNCTIONS)
"""Operations each row of whose result is made of the same row of their operands and parameters."""


class SelectEarly(RewritePattern):
    """embedding(ids, f(x)) -> f(embedding(ids, x))."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.EmbeddingOp, rewriter: PatternRewriter) -> None:
        made = op.table.owner
        if not isinstance(made, BY_ROW) or len(list(op.table.uses)) > 1:
            return
        rows = t.shape_of(op.table)[0]
        # parameters have a row for all, or columns only
        by_row = [made.operands[0], *(x for x in _residuals(made))]
        if any(len(t.shape_of(x)) != 2 or t.shape_of(x)[0] != rows for x in by_row):
            return
        selected: dict[SSAValue, SSAValue] = {}
        for value in dict.fromkeys(by_row):
            one = t.EmbeddingOp(op.ids, value, layer=op.layer)
            rewriter.insert(one)
            selected[value] = one.result
        shape = (t.shape_of(op.result)[0], t.shape_of(op.table)[1])
        new = type(made).create(
            operands=[selected.get(x, x) for x in made.operands],
            result_types=[TensorType(bf16, shape)],
            properties=made.properties.copy(),
            attributes=made.attributes.copy(),
        )
        rewriter.replace(op, new)
        rewriter.erase(made)


def _residuals(op: Operation) -> list[SSAValue]:
    return [op.residual] if isinstance(op, t.LinearOp) and op.residual is not None else []


@dataclass(frozen=True)
class SelectEarlyPass(ModulePass):
    """Rows are selected before they are worked on."""

    name = "select-early"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(SelectEarly()).rewrite_module(op)
