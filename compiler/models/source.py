"""What an encoder leaves for the steps of a decoder: keys and values of each layer, computed once,
and which of its tokens are padding."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.dialects import transformer as t

_PADDING = "source.padding"


@dataclass(frozen=True)
class Source:
    """`tokens` encoded tokens of every sequence; `masked`: some of them may be padding."""

    batch: int
    tokens: int
    heads: int
    """Of the decoder's attention to them."""
    masked: bool = True

    @property
    def inputs(self) -> list[Port]:
        """Inputs of an encoder of token ids."""
        shape = (self.batch, self.tokens)
        return [Port("input_ids", shape, "int64"), Port("attention_mask", shape, "int64")]

    def padding(self, b: ModelBuilder) -> SSAValue:
        """A bias that hides padding, [batch, padded tokens]; left for the decoder, too."""
        b.layer = "attention_mask"
        bias = b.add(t.MaskToBiasOp(b.arguments[1], t.padded_keys(self.tokens)))
        b.add(t.KeepOp(bias, b.state(_PADDING, self._padding)))
        return bias

    @property
    def _padding(self) -> tuple[int, int]:
        return self.batch, t.padded_keys(self.tokens)

    def keep(self, b: ModelBuilder, layer: str, key: SSAValue, value: SSAValue) -> None:
        """Leave keys and values of a layer, in the layout that attention reads."""
        outer, b.layer = b.layer, layer
        for what, rows in (("key", key), ("value", value)):
            b.add(t.KeepOp(rows, b.state(f"{layer}.{what}", self._rows(rows))))
        b.layer = outer

    def attention(self, b: ModelBuilder, q: SSAValue, layer: str) -> SSAValue:
        """Attention of projected, scaled queries to what `keep` left of a layer."""
        b.layer = layer
        k, v = (
            b.add(t.RecallOp(b.state(f"{layer}.{what}", self._rows(q))))
            for what in ("key", "value")
        )
        if self.masked:
            bias, kind = b.add(t.RecallOp(b.state(_PADDING, self._padding))), "batch"
        else:
            bias, kind = b.attention_bias(self.tokens)
        return b.attention(q, k, v, layer, self.heads, self.batch, bias, kind, scaled=True)

    def _rows(self, like: SSAValue) -> tuple[int, int]:
        return self.batch * self.tokens, t.shape_of(like)[1]
