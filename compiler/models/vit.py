"""Vision transformers (Dosovitskiy et al. 2020): patches, a class token, pre-norm layers."""

from __future__ import annotations

from softex_mlir.abi import Port
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder, Parameters
from softex_mlir.dialects import transformer as t


def vit(
    name: str = "vit",
    *,
    image: int = 224,
    patch: int = 16,
    channels: int = 3,
    hidden: int = 768,
    layers: int = 12,
    heads: int = 12,
    mlp: int | None = None,
    classes: int = 1000,
    batch: int = 1,
    fused_qkv: bool = False,
    activation: str = "gelu",
    eps: float = 1e-12,
    seed: int = 0,
    parameters: Parameters | None = None,
) -> Model:
    """A ViT classifier: pixel_values [batch, channels, image, image] -> logits [batch, classes]."""
    pixels = Port("pixel_values", (batch, channels, image, image), "float32")
    b = ModelBuilder(name, [pixels], seed=seed, parameters=parameters)
    patches = (image // patch) ** 2
    tokens = patches + 1
    b.layer = "embeddings.patch"
    x = b.add(t.PatchifyOp(b.arguments[0], (patch, patch)))
    x = b.linear(x, hidden, "embeddings.patch.projection")
    b.layer = "embeddings"
    position = b.normal("embeddings.position", (tokens, hidden))
    if batch == 1:
        x = b.add(t.ConcatOp([b.normal("embeddings.cls_token", (1, hidden)), x], 0))
    else:
        token = b.normal("embeddings.cls_token", (batch, 1, hidden))
        x = b.add(t.ConcatOp([token, b.add(t.ReshapeOp(x, [batch, patches, hidden]))], 1))
        x = b.add(t.ReshapeOp(x, [batch * tokens, hidden]))
    x = b.add(t.AddOp(x, position))
    bias, kind = b.attention_bias(tokens)
    for index in range(layers):
        layer = f"encoder.layer.{index}"
        b.layer = layer
        normed = b.layer_norm(x, f"{layer}.layernorm_before", eps=eps)
        name = f"{layer}.attention"
        if fused_qkv:
            qkv = b.fused_projections(normed, name, heads)
            context = b.attention(*qkv, name, heads, batch, bias, kind)
        else:
            context = b.self_attention(
                normed, name, heads=heads, batch=batch, bias=bias, bias_rows=kind
            )
        x = b.linear(context, hidden, f"{layer}.attention.output", residual=x)
        normed = b.layer_norm(x, f"{layer}.layernorm_after", eps=eps)
        inner = b.linear(normed, mlp or 4 * hidden, f"{layer}.mlp.fc1", activation=activation)
        x = b.linear(inner, hidden, f"{layer}.mlp.fc2", residual=x)
    b.layer = "pooler"
    if batch == 1:
        x = b.add(t.SliceOp(x, [0, 0], [1, hidden]))
    else:
        x = b.add(t.ReshapeOp(x, [batch, tokens, hidden]))
        x = b.add(t.SliceOp(x, [0, 0, 0], [batch, 1, hidden]))
        x = b.add(t.ReshapeOp(x, [batch, hidden]))
    x = b.layer_norm(x, "layernorm", eps=eps)
    return b.finish({"logits": b.linear(x, classes, "classifier")})
