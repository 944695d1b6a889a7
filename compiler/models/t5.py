"""T5 (Raffel et al. 2019): RMS norms, no biases, attention by the distance of two tokens.

The entry `encode` takes the tokens once, padded to the length that the model is built for;
`prefill` and `decode` are those of any decoder (`compiler.models.sequences`). What attention adds
to scores is the same in all layers: of the encoder a constant, of the decoder windows of a vector
of all distances (`transformer.windows`), which grows with the maximum length as the cache does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import SSAValue

from softex_mlir.abi import ENCODE
from softex_mlir.compiler.entries import by_falling_distance, first_windows, window_starts
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder, Parameters
from softex_mlir.compiler.models.sequences import ENTRIES, CachedSequences
from softex_mlir.compiler.models.source import Source
from softex_mlir.compiler.weights import Array
from softex_mlir.dialects import transformer as t


def t5(
    name: str = "t5",
    *,
    tokens: int = 128,
    max_length: int = 128,
    hidden: int = 512,
    encoder_layers: int = 6,
    layers: int = 6,
    heads: int = 8,
    head_size: int = 64,
    mlp: int = 2048,
    vocabulary: int = 32128,
    activation: str = "relu",
    gated: bool = False,
    tied: bool = True,
    scaled: bool = True,
    buckets: int = 32,
    furthest: int = 128,
    eps: float = 1e-6,
    batch: int = 1,
    seed: int = 0,
    parameters: Parameters | None = None,
) -> Model:
    """T5: input_ids and attention_mask [batch, tokens] -> last_hidden_state [batch, tokens,
    hidden]; then input_ids [batch, n] -> logits [batch, vocabulary] of one token.

    `tokens` are the encoder's, `max_length` the decoder's; `layers` those of the decoder. `gated`
    is T5 1.1's MLP; `tied`: the table of the embedding is the head's, too; `scaled`: what the head
    takes is divided by sqrt(hidden). Distances have `buckets`, those of `furthest` and more the
    same one.
    """
    source = Source(batch, tokens, heads)
    distances = _Distances(heads, buckets, furthest)
    b = ModelBuilder(name, source.inputs, seed=seed, parameters=parameters, entry=ENCODE)
    body = _Body(b, hidden, heads * head_size, mlp, activation, gated, eps)
    b.layer = "encoder.embed_tokens"
    ids = b.add(t.ReshapeOp(b.arguments[0], (batch * tokens,)))
    x = b.add(t.EmbeddingOp(ids, b.normal("shared.weight", (vocabulary, hidden))))
    bias = distances.between(b, source)
    for index in range(encoder_layers):
        layer = f"encoder.block.{index}.layer"
        where = f"{layer}.0.SelfAttention"
        normed = body.normed(x, f"{layer}.0")
        q, k, v = (body.projected(normed, f"{where}.{p}") for p in "qkv")
        context = b.attention(q, k, v, where, heads, batch, bias, "batch_query", scaled=True)
        x = body.back(context, f"{where}.o", x)
        x = body.mlp(x, f"{layer}.1")
    x = b.rms_norm(x, "encoder.final_layer_norm", eps=eps)
    for index in range(layers):
        where = f"decoder.block.{index}.layer.1.EncDecAttention"
        source.keep(b, where, *(body.projected(x, f"{where}.{p}") for p in "kv"))
    b.layer = "output"
    b.end({"last_hidden_state": b.add(t.ReshapeOp(x, (batch, tokens, hidden)))})
    for entry, count in ENTRIES.items():
        sequences = CachedSequences(batch, count, max_length)
        b.begin(entry, sequences.inputs)
        b.layer = "decoder.embed_tokens"
        table = b.normal("shared.weight", (vocabulary, hidden))
        x = b.add(t.EmbeddingOp(sequences.token_ids(b), table))
        bias = distances.before(b, sequences)
        for index in range(layers):
            layer = f"decoder.block.{index}.layer"
            where = f"{layer}.0.SelfAttention"
            normed = body.normed(x, f"{layer}.0")
            q, k, v = (body.projected(normed, f"{where}.{p}") for p in "qkv")
            context = sequences.attention(b, (q, k, v), where, heads, heads, bias=bias)
            x = body.back(context, f"{where}.o", x)
            where = f"{layer}.1.EncDecAttention"
            q = body.projected(body.normed(x, f"{layer}.1"), f"{where}.q")
            x = body.back(source.attention(b, q, where), f"{where}.o", x)
            x = body.mlp(x, f"{layer}.2")
        x = b.rms_norm(sequences.scored(b, x), "decoder.final_layer_norm", eps=eps)
        b.layer = "lm_head"
        x = b.add(t.LinearOp(x, _head(b, vocabulary, hidden, tied=tied, scaled=scaled)))
        b.layer = "output"
        b.end({"logits": sequences.logits(b, x)})
    return b.finish()


def _head(b: ModelBuilder, vocabulary: int, hidden: int, *, tied: bool, scaled: bool) -> SSAValue:
    """The table of the embedding or a matrix of its own, scaled by 1/sqrt(hidden) or not."""
    if tied and not scaled:
        return b.transposed("shared.weight", (vocabulary, hidden))
    if (found := b.declared("lm_head")) is not None:
        return found
    if tied:
        table = b.weights["shared.weight"].astype(np.float32)
    else:
        table = b.values_of("lm_head.weight", (vocabulary, hidden))
    factor = np.float32(hidden**-0.5 if scaled else 1.0)
    return b.constant("lm_head", np.ascontiguousarray(table.T) * factor)


@dataclass(frozen=True)
class _Body:
    """Layers of encoder and decoder."""

    b: ModelBuilder
    hidden: int
    width: int
    """Columns of all heads."""
    inner: int
    activation: str
    gated: bool
    eps: float

    def normed(self, x: SSAValue, layer: str) -> SSAValue:
        return self.b.rms_norm(x, f"{layer}.layer_norm", eps=self.eps)

    def projected(self, x: SSAValue, name: str) -> SSAValue:
        return self.b.linear(x, self.width, name, bias=False)

    def back(self, context: SSAValue, name: str, x: SSAValue) -> SSAValue:
        return self.b.linear(context, self.hidden, name, bias=False, residual=x)

    def mlp(self, x: SSAValue, layer: str) -> SSAValue:
        b, where, normed = self.b, f"{layer}.DenseReluDense", self.normed(x, layer)
        first = f"{where}.wi_0" if self.gated else f"{where}.wi"
        y = b.linear(normed, self.inner, first, bias=False, activation=self.activation)
        if self.gated:
            other = b.linear(normed, self.inner, f"{where}.wi_1", bias=False)
            b.layer = where
            y = b.add(t.MulOp(y, other))
        return b.linear(y, self.hidden, f"{where}.wo", bias=False, residual=x)


@dataclass(frozen=True)
class _Distances:
    """What attention adds by the distance between two tokens, for each head."""

    heads: int
    buckets: int
    furthest: int

    def between(self, b: ModelBuilder, source: Source) -> SSAValue:
        """Among the encoder's tokens, padding hidden: [batch * tokens, heads * padded tokens]."""
        padding = source.padding(b)
        tokens, padded = source.tokens, t.padded_keys(source.tokens)
        at = np.arange(tokens)
        # what a key's place is above the query's
        found = self._values(b, "encoder", at[np.newaxis] - at[:, np.newaxis], both=True)
        bias = np.zeros((self.heads, tokens, padded), np.float32)
        bias[:, :, :tokens] = found
        rows = bias.transpose(1, 0, 2).reshape(tokens, self.heads * padded)
        b.layer = "encoder.relative_attention_bias"
        constant = b.constant("encoder.relative_attention_bias", rows)
        added: list[SSAValue] = []
        for element in range(source.batch):
            hidden = padding
            if source.batch > 1:
                hidden = b.add(t.SliceOp(padding, [element, 0], [1, padded]))
            wide = b.add(t.ConcatOp([hidden] * self.heads, 1)) if self.heads > 1 else hidden
            added.append(b.add(t.AddOp(constant, wide)))
        return added[0] if source.batch == 1 else b.add(t.ConcatOp(added, 0))

    def before(self, b: ModelBuilder, sequences: CachedSequences) -> SSAValue:
        """From the decoder's tokens to those up to them: [rows, heads * capacity]."""
        capacity = sequences.capacity
        rows = sequences.positions(b)
        b.layer = "decoder.relative_attention_bias"
        vector = b.declared("decoder.relative_attention_bias")
        if vector is None:
            values = self._values(b, "decoder", -np.arange(capacity), both=False)
            vector = b.constant("decoder.relative_attention_bias", by_falling_distance(values))
        first = b.constant(
            "decoder.relative_attention_bias.starts", first_windows(self.heads, capacity)
        )
        count = t.shape_of(rows)[0]
        column = b.add(t.ReshapeOp(rows, (count, 1)))
        begin = b.nest(window_starts(column, first))
        flat = b.add(t.ReshapeOp(begin, (count * self.heads,)))
        windows = b.add(t.WindowsOp(flat, vector, capacity))
        return b.add(t.ReshapeOp(windows, (count, self.heads * capacity)))

    def _values(self, b: ModelBuilder, part: str, offset: Array, *, both: bool) -> Array:
        """[heads, *offset] for keys so far behind (above) their queries."""
        name = f"{part}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        table = b.values_of(name, (self.buckets, self.heads))
        return np.moveaxis(table[self._bucket(offset, both=both)], -1, 0)

    def _bucket(self, offset: Array, *, both: bool) -> Array:
        """Half of the buckets are single distances, the others grow up to the furthest; with
        `both` keys behind the query have half of all."""
        count, first = self.buckets, np.zeros(offset.shape, np.int64)
        if both:
            count //= 2
            first = np.where(offset > 0, count, 0)
            distance = np.abs(offset)
        else:
            distance = np.maximum(-offset, 0)
        exact = count // 2
        # in float32, as the weights were trained with: bounds of buckets depend on it
        ratio = np.log(np.maximum(distance, 1).astype(np.float32) / exact)
        ratio /= np.float32(np.log(self.furthest / exact))
        far = np.minimum(exact + (ratio * (count - exact)).astype(np.int64), count - 1)
        return first + np.where(distance < exact, distance, far)
