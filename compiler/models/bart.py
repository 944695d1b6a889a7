"""BART (Lewis et al. 2019): a post-norm encoder, and a decoder that attends to what it left.

The entry `encode` takes the tokens once, padded to the length that the model is built for;
`prefill` and `decode` are those of any decoder (`compiler.models.sequences`).
"""

from __future__ import annotations

import math

from xdsl.ir import SSAValue

from softex_mlir.abi import ENCODE
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder, Parameters
from softex_mlir.compiler.models.sequences import ENTRIES, CachedSequences
from softex_mlir.compiler.models.source import Source
from softex_mlir.dialects import transformer as t

_POSITIONS = "decoder.embed_positions.weight"


def bart(
    name: str = "bart",
    *,
    tokens: int = 128,
    max_length: int = 128,
    hidden: int = 768,
    encoder_layers: int = 6,
    layers: int = 6,
    heads: int = 12,
    encoder_heads: int | None = None,
    mlp: int | None = None,
    encoder_mlp: int | None = None,
    vocabulary: int = 50265,
    activation: str = "gelu",
    eps: float = 1e-5,
    batch: int = 1,
    seed: int = 0,
    parameters: Parameters | None = None,
) -> Model:
    """BART: input_ids and attention_mask [batch, tokens] -> last_hidden_state [batch, tokens,
    hidden]; then input_ids [batch, n] -> logits [batch, vocabulary] of one token.

    `tokens` are the encoder's, `max_length` the decoder's; `layers` those of the decoder.
    """
    source = Source(batch, tokens, heads)
    b = ModelBuilder(name, source.inputs, seed=seed, parameters=parameters, entry=ENCODE)
    b.layer = "encoder.embed_tokens"
    ids = b.add(t.ReshapeOp(b.arguments[0], (batch * tokens,)))
    x = b.add(t.EmbeddingOp(ids, b.normal("shared.weight", (vocabulary, hidden))))
    x = b.add(t.AddOp(x, b.normal("encoder.embed_positions.weight", (tokens, hidden))))
    x = b.layer_norm(x, "encoder.layernorm_embedding", eps=eps)
    bias, width = source.padding(b), mlp or 4 * hidden
    for index in range(encoder_layers):
        layer = f"encoder.layers.{index}"
        where, count = f"{layer}.self_attn", encoder_heads or heads
        q = _queries(b, x, where, count)
        k, v = _keys_and_values(b, x, where)
        context = b.attention(q, k, v, where, count, batch, bias, "batch", scaled=True)
        x = b.linear(context, hidden, f"{where}.out_proj", residual=x)
        x = b.layer_norm(x, f"{layer}.self_attn_layer_norm", eps=eps)
        x = _mlp(b, x, layer, encoder_mlp or width, activation, eps)
    for index in range(layers):
        where = f"decoder.layers.{index}.encoder_attn"
        source.keep(b, where, *_keys_and_values(b, x, where))
    b.layer = "output"
    b.end({"last_hidden_state": b.add(t.ReshapeOp(x, (batch, tokens, hidden)))})
    for entry, count in ENTRIES.items():
        sequences = CachedSequences(batch, count, max_length)
        b.begin(entry, sequences.inputs)
        b.layer = "decoder.embed_tokens"
        x = b.add(
            t.EmbeddingOp(sequences.token_ids(b), b.normal("shared.weight", (vocabulary, hidden)))
        )
        rows = sequences.at_positions(b, _POSITIONS, lambda n: b.values_of(_POSITIONS, (n, hidden)))
        x = b.add(t.AddOp(x, rows))
        x = b.layer_norm(x, "decoder.layernorm_embedding", eps=eps)
        for index in range(layers):
            layer = f"decoder.layers.{index}"
            where = f"{layer}.self_attn"
            qkv = (_queries(b, x, where, heads), *_keys_and_values(b, x, where))
            context = sequences.attention(b, qkv, where, heads, heads, scaled=True)
            x = b.linear(context, hidden, f"{where}.out_proj", residual=x)
            x = b.layer_norm(x, f"{layer}.self_attn_layer_norm", eps=eps)
            where = f"{layer}.encoder_attn"
            context = source.attention(b, _queries(b, x, where, heads), where)
            x = b.linear(context, hidden, f"{where}.out_proj", residual=x)
            x = b.layer_norm(x, f"{layer}.encoder_attn_layer_norm", eps=eps)
            x = _mlp(b, x, layer, width, activation, eps)
        b.layer = "lm_head"
        table = b.transposed("shared.weight", (vocabulary, hidden))
        offset = b.normal("final_logits_bias", (vocabulary,))
        x = b.add(t.LinearOp(sequences.scored(b, x), table, offset))
        b.layer = "output"
        b.end({"logits": sequences.logits(b, x)})
    return b.finish()


def _queries(b: ModelBuilder, x: SSAValue, layer: str, heads: int) -> SSAValue:
    """Scaled by 1/sqrt(d)."""
    hidden = t.shape_of(x)[1]
    return b.linear(x, hidden, f"{layer}.q_proj", scale=1 / math.sqrt(hidden // heads))


def _keys_and_values(b: ModelBuilder, x: SSAValue, layer: str) -> tuple[SSAValue, SSAValue]:
    hidden = t.shape_of(x)[1]
    return b.linear(x, hidden, f"{layer}.k_proj"), b.linear(x, hidden, f"{layer}.v_proj")


def _mlp(
    b: ModelBuilder, x: SSAValue, layer: str, width: int, activation: str, eps: float
) -> SSAValue:
    inner = b.linear(x, width, f"{layer}.fc1", activation=activation)
    x = b.linear(inner, t.shape_of(x)[1], f"{layer}.fc2", residual=x)
    return b.layer_norm(x, f"{layer}.final_layer_norm", eps=eps)
