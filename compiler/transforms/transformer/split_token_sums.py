"""`split-token-sums`: sums of numbers that add up, in parts that BF16 holds.

Where products have one sign, a sum in BF16 stands still at 256 times the next of them: a mean over
600 tokens of 1 is 0.43. Products of two activations sum over tokens, and weights of one sign are
those of a pooling; weights of both signs are a projection's, whose sums `split-sums` splits by
accuracy. Small products are the cores', in float32 (`convert-transformer-to-linalg`).
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.passes import ModulePass

from softex_mlir.compiler.compilation_context import weights_of
from softex_mlir.compiler.transforms.transformer.split_sums import divisor
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import transformer as t

MOST = 256
"""Keys of an attention whose values are summed without a break: as many equal ones add up in BF16.
"""
CHAIN = 128
"""Inner values of a product that are: sums of as many positive random products are off by up to
5 %, of 256 by up to 8 %."""
PART = 64
"""Of longer sums, those of a part: a part of random products is off by up to 3 %, of equal ones by
up to 7 %, which products of many parts share if they are random."""


def sums_over_tokens(op: t.MatmulOp | t.LinearOp, weights: WeightStore) -> bool:
    """Whether a product has long sums of products that may all have one sign."""
    if op.inner <= CHAIN:
        return False
    if isinstance(op, t.MatmulOp):
        return True
    if not isinstance(op.w.owner, t.GetWeightOp):
        return False
    data = weights.find(op.w.owner.weight.string_value())
    if data is None:
        return False
    some = data.reshape(-1)[:CHAIN]
    if some.min() < 0 < some.max():
        return False
    low, high = data.min(), data.max()
    return bool(high > 0 <= low or low < 0 >= high)


@dataclass(frozen=True)
class SplitTokenSumsPass(ModulePass):
    """Sums over more than 128 tokens go by parts, unless something else says how they go; part of
    what products compute."""

    name = "split-token-sums"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        weights = weights_of(ctx)
        for product in op.walk():
            if not isinstance(product, t.MatmulOp | t.LinearOp) or product.wide is not None:
                continue
            if product.sum_chunk is None and sums_over_tokens(product, weights):
                part = divisor(product.inner, product.step, PART)
                product.sum_chunk = IntegerAttr(part, i64)
