"""`round-weights`: parameters become BF16, which is the last thing fusion does to them."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, f32
from xdsl.passes import ModulePass

from softex_mlir.compiler.compilation_context import weights_of
from softex_mlir.dialects.transformer import WeightOp


@dataclass(frozen=True)
class RoundWeightsPass(ModulePass):
    """Rounds parameters to BF16 (nearest, ties to even) but those of type f32."""

    name = "round-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        wide = {
            weight.sym_name.data
            for weight in op.ops
            if isinstance(weight, WeightOp) and weight.type.get_element_type() == f32
        }
        weights_of(ctx).round_to_bf16(wide)
