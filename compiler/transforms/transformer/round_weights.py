"""`round-weights`: parameters become BF16, which is the last thing fusion does to them."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from softex_mlir.compiler.transforms.transformer.l1_values import weights_of


@dataclass(frozen=True)
class RoundWeightsPass(ModulePass):
    """Rounds every float32 parameter to BF16 (nearest, ties to even)."""

    name = "round-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        weights_of(op).round_to_bf16()
