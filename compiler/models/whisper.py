"""Whisper (Radford et al. 2022): log-mel frames through an encoder, then tokens from a decoder.

Three entries: `encode` takes the frames once and keeps the keys and values that the decoder's
layers attend to, in the layout that attention reads; `prefill` and `decode` are those of any
decoder (`compiler.models.sequences`), with a cache of their own.
"""

from __future__ import annotations

import math

import numpy as np
from xdsl.ir import SSAValue

from softex_mlir.abi import ENCODE, Port
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder, Parameters
from softex_mlir.compiler.models.sequences import ENTRIES, CachedSequences
from softex_mlir.compiler.models.source import Source
from softex_mlir.dialects import transformer as t

KERNEL = 3
"""Frames that a convolution of the stem sees."""


def whisper(
    name: str = "whisper",
    *,
    mels: int = 80,
    source: int = 1500,
    hidden: int = 384,
    encoder_layers: int = 4,
    layers: int = 4,
    heads: int = 6,
    encoder_heads: int | None = None,
    mlp: int | None = None,
    encoder_mlp: int | None = None,
    vocabulary: int = 51865,
    activation: str = "gelu",
    max_length: int = 448,
    eps: float = 1e-5,
    batch: int = 1,
    seed: int = 0,
    parameters: Parameters | None = None,
) -> Model:
    """Whisper: input_features [batch, mels, 2 * source] -> last_hidden_state [batch, source,
    hidden]; then input_ids [batch, tokens] -> logits [batch, vocabulary] of one token.

    `source` are the encoder's positions, half as many as frames; `layers` those of the decoder.
    """
    frames = Port("input_features", (batch, mels, 2 * source), "float32")
    b = ModelBuilder(name, [frames], seed=seed, parameters=parameters, entry=ENCODE)
    width = mlp or 4 * hidden
    shape = (batch, source, hidden)
    x = _stem(b, mels, source, hidden, batch, activation)
    bias, kind = b.attention_bias(source)
    for index in range(encoder_layers):
        layer = f"encoder.layers.{index}"
        normed = b.layer_norm(x, f"{layer}.self_attn_layer_norm", eps=eps)
        q, k, v = _projections(b, normed, normed, f"{layer}.self_attn", encoder_heads or heads)
        context = b.attention(
            *(q, k, v, f"{layer}.self_attn", encoder_heads or heads, batch, bias, kind), scaled=True
        )
        x = b.linear(context, hidden, f"{layer}.self_attn.out_proj", residual=x)
        x = _mlp(b, x, layer, encoder_mlp or width, activation, eps)
    x = b.layer_norm(x, "encoder.layer_norm", eps=eps)
    attended = Source(batch, source, heads, masked=False)
    for index in range(layers):
        layer = f"decoder.layers.{index}.encoder_attn"
        key = b.linear(x, hidden, f"{layer}.k_proj", bias=False)
        attended.keep(b, layer, key, b.linear(x, hidden, f"{layer}.v_proj"))
    b.layer = "output"
    b.end({"last_hidden_state": b.add(t.ReshapeOp(x, shape))})
    for entry, count in ENTRIES.items():
        sequences = CachedSequences(batch, count, max_length)
        b.begin(entry, sequences.inputs)
        x = _embedded(b, sequences, vocabulary, hidden)
        for index in range(layers):
            layer = f"decoder.layers.{index}"
            normed = b.layer_norm(x, f"{layer}.self_attn_layer_norm", eps=eps)
            qkv = _projections(b, normed, normed, f"{layer}.self_attn", heads)
            context = sequences.attention(b, qkv, f"{layer}.self_attn", heads, heads, scaled=True)
            x = b.linear(context, hidden, f"{layer}.self_attn.out_proj", residual=x)
            where = f"{layer}.encoder_attn"
            normed = b.layer_norm(x, f"{where}_layer_norm", eps=eps)
            scale = 1 / math.sqrt(hidden // heads)
            q = b.linear(normed, hidden, f"{where}.q_proj", scale=scale)
            context = attended.attention(b, q, where)
            x = b.linear(context, hidden, f"{where}.out_proj", residual=x)
            x = _mlp(b, x, layer, width, activation, eps)
        x = b.layer_norm(sequences.scored(b, x), "decoder.layer_norm", eps=eps)
        b.layer = "proj_out"
        table = b.transposed("decoder.embed_tokens.weight", (vocabulary, hidden))
        x = b.add(t.LinearOp(x, table))
        b.layer = "output"
        b.end({"logits": sequences.logits(b, x)})
    return b.finish()


def _stem(
    b: ModelBuilder, mels: int, source: int, hidden: int, batch: int, activation: str
) -> SSAValue:
    """Two convolutions over the frames, the second one of every other frame; and positions."""
    b.layer = "encoder.conv1"
    x = b.add(t.TransposeOp(b.arguments[0], (0, 2, 1)))
    for number, (columns, step) in enumerate(((mels, 1), (hidden, 2)), 1):
        layer = b.layer = f"encoder.conv{number}"
        edge = b.constant(f"{layer}.edge", np.zeros((batch, 1, columns), np.float32))
        padded = b.add(t.ConcatOp([edge, x, edge], 1))
        rows = 2 * source // step
        taps = [
            b.add(t.SliceOp(padded, [0, tap, 0], [batch, rows, columns], [1, step, 1]))
            for tap in range(KERNEL)
        ]
        joined = b.add(t.ConcatOp(taps, 2))
        flat = b.add(t.ReshapeOp(joined, (batch * rows, KERNEL * columns)))
        made = b.linear(flat, hidden, layer, activation=activation)
        x = b.add(t.ReshapeOp(made, (batch, rows, hidden)))
    b.layer = "encoder.embed_positions"
    x = b.add(t.ReshapeOp(x, (batch * source, hidden)))
    table = np.tile(b.values_of("encoder.embed_positions.weight", (source, hidden)), (batch, 1))
    return b.add(t.AddOp(x, b.constant("encoder.embed_positions.weight", table)))


def _embedded(
    b: ModelBuilder, sequences: CachedSequences, vocabulary: int, hidden: int
) -> SSAValue:
    b.layer = "decoder.embed_tokens"
    table = b.normal("decoder.embed_tokens.weight", (vocabulary, hidden))
    x = b.add(t.EmbeddingOp(sequences.token_ids(b), table))
    name = "decoder.embed_positions.weight"
    positions = sequences.at_positions(b, name, lambda n: b.values_of(name, (n, hidden)))
    return b.add(t.AddOp(x, positions))


def _projections(
    b: ModelBuilder, x: SSAValue, other: SSAValue, layer: str, heads: int
) -> tuple[SSAValue, SSAValue, SSAValue]:
    """Queries of `x`, scaled, and keys and values of `other`; keys have no bias."""
    hidden = t.shape_of(x)[1]
    return (
        b.linear(x, hidden, f"{layer}.q_proj", scale=1 / math.sqrt(hidden // heads)),
        b.linear(other, hidden, f"{layer}.k_proj", bias=False),
        b.linear(other, hidden, f"{layer}.v_proj"),
    )


def _mlp(
    b: ModelBuilder, x: SSAValue, layer: str, width: int, activation: str, eps: float
) -> SSAValue:
    normed = b.layer_norm(x, f"{layer}.final_layer_norm", eps=eps)
    inner = b.linear(normed, width, f"{layer}.fc1", activation=activation)
    return b.linear(inner, t.shape_of(x)[1], f"{layer}.fc2", residual=x)
