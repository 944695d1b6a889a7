"""`split-sums`: long sums of linear layers as partial sums, which lose less to rounding."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.passes import ModulePass

from softex_mlir.compiler.accuracy import ACCURACIES, Chunks, read_chunks
from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError


def split_sums(module: ModuleOp, chunk: int, layers: Chunks | None = None) -> None:
    """Write `sum_chunk` on every linear layer: the most inner values up to `chunk` that divide its
    sums evenly. 0 leaves the sums whole.

    Args:
        layers: the chunks of some of them, exactly.

    Raises:
        UserError: one of these is no linear layer, or cannot be summed so.
    """
    given = layers or {}
    left = set(given)
    for op in module.walk():
        if not isinstance(op, t.LinearOp):
            continue
        name = layer_of(op)
        limit = given.get(name, chunk) or op.inner
        found = divisor(op.inner, op.step, limit)
        if name in given:
            _expect(name, op, limit, found)
            left.discard(name)
        op.sum_chunk = None if found == op.inner else IntegerAttr(found, i64)
    if left:
        raise UserError(
            f"sums of layer {', '.join(map(repr, sorted(left)))}: no linear layer has this name"
        )


def _expect(name: str, op: t.LinearOp, wanted: int, found: int) -> None:
    if wanted != found:
        raise UserError(
            f"sums of layer '{name}': expected a multiple of {op.step} that divides {op.inner}, or "
            f"0 for all, found {wanted}"
        )


def divisor(inner: int, step: int, limit: int) -> int:
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
    layers: str = ""
    """Lines `"name" = chunk` of layers that have their own."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        op.attributes.pop(t.FOR_CORES, None)
        for inner in op.walk():
            if isinstance(inner, t.CAN_BE_WIDE):
                inner.wide = None
            if isinstance(inner, t.LinearOp | t.AttentionOp):
                inner.software = None
        split_sums(op, self.chunk, read_chunks(self.layers))
