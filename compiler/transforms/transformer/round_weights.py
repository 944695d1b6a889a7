"""`round-weights`: parameters become BF16, which is the last thing fusion does to them."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from softex_mlir.compiler.compilation_context import weights_of


@dataclass(frozen=True)
class RoundWeightsPass(ModulePass):
    """Rounds every float32 parameter to BF16 (nearest, ties to even)."""

    name = "round-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        weights_of(ctx).round_to_bf16()
