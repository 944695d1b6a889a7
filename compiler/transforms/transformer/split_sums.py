"""`split-sums`: long sums of linear layers as partial sums, which lose less to rounding."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.passes import ModulePass

from softex_mlir.compiler.accuracy import ACCURACIES
from softex_mlir.dialects import transformer as t


def split_sums(module: ModuleOp, chunk: int) -> None:
    """Write `sum_chunk` on every linear layer: the most inner values up to `chunk` that divide its
    sums evenly. 0 leaves the sums whole."""
    for op in module.walk():
        if isinstance(op, t.LinearOp):
            found = _divisor(op.inner, op.step, chunk or op.inner)
            op.sum_chunk = None if found == op.inner else IntegerAttr(found, i64)


def _divisor(inner: int, step: int, limit: int) -> int:
    """The largest multiple of `step` up to `limit` that divides `inner`."""
    steps = inner // step
    fitting = (n for n in range(1, steps + 1) if steps % n == 0 and n * step <= limit)
    return step * max(fitting, default=1)


@dataclass(frozen=True)
class SplitSumsPass(ModulePass):
    """Linear layers accumulate by at most `chunk` inner values; part of what they compute.

    RedMulE rounds every step of a sum to bf16, so the error grows with the sum's length; adding
    partial sums on the cores costs less accuracy than it gains. 0: whole sums.
    """

    name = "split-sums"

    chunk: int = ACCURACIES["balanced"].sum_chunk

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        split_sums(op, self.chunk)
