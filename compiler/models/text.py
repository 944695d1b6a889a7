"""Text models: BERT and DistilBERT (post-norm), GPT-2 (pre-norm, causal), MobileBERT."""

from __future__ import annotations

from xdsl.ir import SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder, Parameters
from softex_mlir.compiler.models.sequences import Sequences, decoder
from softex_mlir.dialects import transformer as t


def token_ids(b: ModelBuilder, layer: str, batch: int, tokens: int) -> SSAValue:
    """Token ids as one row index after the other, for an embedding in a layer."""
    b.layer = layer
    ids = b.arguments[0]
    return b.add(t.ReshapeOp(ids, (batch * tokens,)))


def _bias(b: ModelBuilder, batch: int, tokens: int, masked: bool) -> tuple[SSAValue, str]:
    """The attention bias: constant, or from the mask input."""
    if not masked:
        return b.attention_bias(tokens)
    b.layer = "attention_mask"
    bias = b.add(t.MaskToBiasOp(b.arguments[1], t.padded_keys(tokens)))
    return bias, "batch" if batch > 1 else "all"


def text_inputs(batch: int, tokens: int, masked: bool) -> list[Port]:
    """Token ids, and a mask of them if asked for."""
    ports = [Port("input_ids", (batch, tokens), "int64")]
    return [*ports, Port("attention_mask", (batch, tokens), "int64")] if masked else ports


def by_token(b: ModelBuilder, x: SSAValue, batch: int, tokens: int) -> SSAValue:
    """Rows as [batch, tokens, columns]."""
    return b.add(t.ReshapeOp(x, (batch, tokens, t.shape_of(x)[1])))


def bert(
    name: str = "bert-base",
    *,
    tokens: int = 128,
    hidden: int = 768,
    layers: int = 12,
    heads: int = 12,
    mlp: int | None = None,
    vocabulary: int = 30522,
    types: int = 2,
    batch: int = 1,
    masked: bool = False,
    activation: str = "gelu",
    eps: float = 1e-12,
    seed: int = 0,
    parameters: Parameters | None = None,
) -> Model:
    """BERT encoder: input_ids [batch, tokens] -> last_hidden_state, pooler_output.

    `masked` adds the input attention_mask. With `types` 0 there is no token type embedding and no
    pooler (DistilBERT). All tokens are of type 0, whose embedding is part of the positions'.
    """
    b = ModelBuilder(name, text_inputs(batch, tokens, masked), seed=seed, parameters=parameters)
    ids = token_ids(b, "embeddings", batch, tokens)
    x = b.add(t.EmbeddingOp(ids, b.normal("embeddings.word", (vocabulary, hidden))))
    x = b.add(t.AddOp(x, b.normal("embeddings.position", (tokens, hidden))))
    x = b.layer_norm(x, "embeddings.LayerNorm", eps=eps)
    bias, kind = _bias(b, batch, tokens, masked)
    for index in range(layers):
        layer = f"encoder.layer.{index}"
        context = b.self_attention(
            x, f"{layer}.attention", heads=heads, batch=batch, bias=bias, bias_rows=kind
        )
        x = b.linear(context, hidden, f"{layer}.attention.output", residual=x)
        x = b.layer_norm(x, f"{layer}.attention.LayerNorm", eps=eps)
        inner = b.linear(x, mlp or 4 * hidden, f"{layer}.intermediate", activation=activation)
        x = b.linear(inner, hidden, f"{layer}.output", residual=x)
        x = b.layer_norm(x, f"{layer}.output.LayerNorm", eps=eps)
    b.layer = "output"
    results = {"last_hidden_state": by_token(b, x, batch, tokens)}
    if types:
        b.layer = "pooler"
        first = b.add(t.SliceOp(results["last_hidden_state"], [0, 0, 0], [batch, 1, hidden]))
        first = b.add(t.ReshapeOp(first, (batch, hidden)))
        results["pooler_output"] = b.linear(first, hidden, "pooler", activation="tanh")
    return b.finish(results)


def gpt2(
    name: str = "gpt2-small",
    *,
    tokens: int = 128,
    max_length: int | None = None,
    hidden: int = 768,
    layers: int = 12,
    heads: int = 12,
    vocabulary: int = 50257,
    mlp: int | None = None,
    activation: str = "gelu_tanh",
    eps: float = 1e-5,
    batch: int = 1,
    seed: int = 0,
    parameters: Parameters | None = None,
) -> Model:
    """GPT-2: input_ids [batch, tokens] -> logits [batch, tokens, vocabulary], causal.

    With `max_length`, entries that keep keys and values; see `compiler.models.sequences`.
    """

    def body(b: ModelBuilder, sequences: Sequences) -> SSAValue:
        b.layer = "embeddings"
        table = sequences.token_ids(b), b.normal("wte", (vocabulary, hidden))
        x = b.add(t.EmbeddingOp(*table))
        positions = sequences.at_positions(b, "wpe", lambda n: b.values_of("wpe", (n, hidden)))
        x = b.add(t.AddOp(x, positions))
        for index in range(layers):
            layer = f"h.{index}"
            normed = b.layer_norm(x, f"{layer}.ln_1", eps=eps)
            qkv = b.fused_projections(normed, f"{layer}.attn", heads)
            context = sequences.attention(b, qkv, f"{layer}.attn", heads, heads)
            x = b.linear(context, hidden, f"{layer}.attn.c_proj", residual=x)
            normed = b.layer_norm(x, f"{layer}.ln_2", eps=eps)
            inner = b.linear(normed, mlp or 4 * hidden, f"{layer}.mlp.c_fc", activation=activation)
            x = b.linear(inner, hidden, f"{layer}.mlp.c_proj", residual=x)
        x = b.layer_norm(sequences.scored(b, x), "ln_f", eps=eps)
        x = b.linear(x, vocabulary, "lm_head", bias=False)
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
    )


def mobilebert(
    name: str = "mobilebert",
    *,
    tokens: int = 128,
    hidden: int = 512,
    bottleneck: int = 128,
    layers: int = 24,
    heads: int = 4,
    feedforwards: int = 4,
    vocabulary: int = 30522,
    batch: int = 1,
    masked: bool = False,
    seed: int = 0,
) -> Model:
    """MobileBERT (Sun et al. 2020): bottlenecks, stacked feed-forward networks, NoNorm, ReLU.

    The word embeddings have bottleneck width and are widened by one linear layer; the published
    model concatenates three neighbouring embeddings before that layer.
    """
    b = ModelBuilder(name, text_inputs(batch, tokens, masked), seed=seed)

    def no_norm(x: SSAValue, where: str) -> SSAValue:
        outer, b.layer = b.layer, where
        columns = t.shape_of(x)[1]
        x = b.add(t.MulOp(x, b.normal(f"{where}.weight", (columns,), mean=1.0)))
        x = b.add(t.AddOp(x, b.normal(f"{where}.bias", (columns,))))
        b.layer = outer
        return x

    ids = token_ids(b, "embeddings", batch, tokens)
    x = b.add(t.EmbeddingOp(ids, b.normal("embeddings.word", (vocabulary, bottleneck))))
    x = b.linear(x, hidden, "embeddings.transformation")
    b.layer = "embeddings"
    x = b.add(t.AddOp(x, b.normal("embeddings.position", (tokens, hidden))))
    x = no_norm(x, "embeddings.norm")
    bias, kind = _bias(b, batch, tokens, masked)
    for index in range(layers):
        layer = f"encoder.layer.{index}"
        narrow = no_norm(b.linear(x, bottleneck, f"{layer}.bottleneck.input"), f"{layer}.norm_in")
        shared = no_norm(
            b.linear(x, bottleneck, f"{layer}.bottleneck.attention"), f"{layer}.norm_attention"
        )
        context = b.self_attention(
            shared,
            f"{layer}.attention",
            heads=heads,
            batch=batch,
            bias=bias,
            bias_rows=kind,
            key_value=x,
            columns=bottleneck,
        )
        y = b.linear(context, bottleneck, f"{layer}.attention.output", residual=narrow)
        y = no_norm(y, f"{layer}.attention.norm")
        for inner in range(feedforwards):
            where = f"{layer}.ffn.{inner}"
            wide = b.linear(y, 4 * bottleneck, f"{where}.intermediate", activation="relu")
            y = b.linear(wide, bottleneck, f"{where}.output", residual=y)
            y = no_norm(y, f"{where}.norm")
        x = b.linear(y, hidden, f"{layer}.output.bottleneck", residual=x)
        x = no_norm(x, f"{layer}.output.norm")
    b.layer = "output"
    return b.finish({"last_hidden_state": by_token(b, x, batch, tokens)})
