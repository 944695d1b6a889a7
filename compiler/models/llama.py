"""Llama and its kin (Touvron et al. 2023): RMS norm, rotary positions, grouped heads, SwiGLU."""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder, Parameters
from softex_mlir.compiler.models.sequences import Sequences, decoder
from softex_mlir.compiler.weights import Array
from softex_mlir.dialects import transformer as t


def llama(
    name: str = "llama",
    *,
    tokens: int = 128,
    max_length: int | None = None,
    hidden: int = 768,
    layers: int = 12,
    heads: int = 12,
    key_heads: int | None = None,
    head_size: int | None = None,
    mlp: int = 2048,
    vocabulary: int = 32000,
    theta: float = 10000.0,
    eps: float = 1e-5,
    qkv_bias: bool = False,
    tied: bool = True,
    window: int | None = None,
    batch: int = 1,
    seed: int = 0,
    parameters: Parameters | None = None,
) -> Model:
    """Llama: input_ids [batch, tokens] -> logits [batch, tokens, vocabulary], causal.

    `key_heads` heads of keys and values serve `heads` heads of queries. `qkv_bias` is Qwen2's;
    `tied`: the table of the embedding is the head's, too. `theta` is the base of the rotary
    frequencies. Queries see `window` keys at most, Mistral's sliding window. With `max_length`,
    entries that keep keys and values; see `compiler.models.sequences`.
    """
    size, grouped = head_size or hidden // heads, key_heads or heads

    def body(b: ModelBuilder, sequences: Sequences) -> SSAValue:
        b.layer = "embed_tokens"
        ids = sequences.token_ids(b)
        x = b.add(t.EmbeddingOp(ids, b.normal("embed_tokens.weight", (vocabulary, hidden))))
        for index in range(layers):
            layer = f"layers.{index}"
            normed = b.rms_norm(x, f"{layer}.input_layernorm", eps=eps)
            projections = ((heads, "q"), (grouped, "k"), (grouped, "v"))
            q, k, v = (
                b.linear(normed, n * size, f"{layer}.self_attn.{p}_proj", bias=qkv_bias)
                for n, p in projections
            )
            b.layer = f"{layer}.self_attn.rotary"
            q = _rotated(b, q, sequences, size, theta, 1 / np.sqrt(size))
            k = _rotated(b, k, sequences, size, theta, 1.0)
            context = sequences.attention(
                b, (q, k, v), f"{layer}.self_attn", heads, grouped, scaled=True
            )
            x = b.linear(context, hidden, f"{layer}.self_attn.o_proj", bias=False, residual=x)
            normed = b.rms_norm(x, f"{layer}.post_attention_layernorm", eps=eps)
            gate = b.linear(normed, mlp, f"{layer}.mlp.gate_proj", bias=False, activation="silu")
            up = b.linear(normed, mlp, f"{layer}.mlp.up_proj", bias=False)
            b.layer = f"{layer}.mlp"
            product = b.add(t.MulOp(gate, up))
            x = b.linear(product, hidden, f"{layer}.mlp.down_proj", bias=False, residual=x)
        x = b.rms_norm(sequences.scored(b, x), "norm", eps=eps)
        table = "embed_tokens.weight" if tied else "lm_head.weight"
        b.layer = "lm_head"
        x = b.add(t.LinearOp(x, b.transposed(table, (vocabulary, hidden))))
        b.layer = "output"
        return sequences.logits(b, x)

    return decoder(
        name,
        body,
        batch=batch,
        tokens=tokens,
        max_length=max_length,
        seed=seed,
        parameters=parameters,
        window=window,
    )


def _rotated(
    b: ModelBuilder, x: SSAValue, sequences: Sequences, size: int, theta: float, scale: float
) -> SSAValue:
    """``x * cos + rotate_half(x) * sin`` of every head, times `scale`; x: [rows, heads * size]."""

    def make(tokens: int) -> Array:
        return _rotary_table(tokens, size, theta, scale)

    table = sequences.by_row(b, f"rotary.{scale:.6g}", make)
    return b.add(t.RotaryOp(x, table))


def _rotary_table(tokens: int, size: int, theta: float, scale: float) -> Array:
    """Cosines, then signed sines [tokens, 2 * size], float32."""
    frequencies = theta ** (-np.arange(0, size, 2, dtype=np.float64) / size)
    angles = np.arange(tokens)[:, np.newaxis] * np.concatenate([frequencies, frequencies])
    sign = np.where(np.arange(size) < size // 2, -1.0, 1.0)
    cosine, sine = np.cos(angles) * scale, np.sin(angles) * sign * scale
    return np.concatenate([cosine, sine], axis=1).astype(np.float32)
