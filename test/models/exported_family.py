"""What a small configuration of one of transformers' classes is, for `export_families.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SMALL: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "hidden_dim", "emb_dim"), 32),
    **dict.fromkeys(("embedding_size", "word_embed_proj_dim", "model_dim"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 2),
    **dict.fromkeys(("encoder_layers", "decoder_layers", "num_decoder_layers"), 1),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2),
    **dict.fromkeys(("intermediate_size", "d_ff", "ffn_dim", "n_inner", "mlp_dim"), 48),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 48),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"), 64),
    **dict.fromkeys(("d_kv", "head_dim"), 16),
    "num_key_value_heads": 1,
    "vocab_size": 64,
    "image_size": 32,
    "patch_size": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "type_vocab_size": 2,
    "projection_dim": 24,
}
"""Sizes for the fields of configurations that have them."""

SPEECH: dict[str, Any] = {
    "conv_dim": (16, 16),
    "conv_stride": (5, 2),
    "conv_kernel": (10, 3),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
STAGES: dict[str, Any] = {"hidden_sizes": [16, 32], "depths": [1, 1]}
SWIN: dict[str, Any] = {
    "image_size": 32,
    "patch_size": 2,
    "embed_dim": 16,
    "depths": [2, 2],
    "num_heads": [2, 2],
    "window_size": 4,
}

TEXT: dict[str, Any] = {k: v for k, v in SMALL.items() if k not in ("image_size", "patch_size")}
"""Of a part of a model that reads text."""
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
}
"""Of a part of a model that sees images."""


@dataclass(frozen=True)
class Family:
    """A model class with its configuration; `inputs` names a kind of inputs."""

    model: str
    config: str
    inputs: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    pool: str = ""


def text(name: str, **values: Any) -> Family:
    return Family(f"{name}Model", f"{name}Config", "masked", values)


def decoder(name: str, head: str = "ForCausalLM", **values: Any) -> Family:
    return Family(f"{name}{head}", f"{name}Config", "tokens", values)


def image(name: str, head: str = "Model", **values: Any) -> Family:
    return Family(f"{name}{head}", f"{name}Config", "image", values)


def wave(name: str, **values: Any) -> Family:
    return Family(f"{name}Model", f"{name}Config", "wave", {**SPEECH, **values})


def pair(name: str, head: str = "Model", **values: Any) -> Family:
    return Family(f"{name}{head}", f"{name}Config", "pair", values)


def detector(name: str, stages: Sequence[str] = ("stage2",), **values: Any) -> Family:
    """A detector behind a small ResNet."""
    backbone = {
        "model_type": "resnet",
        "embedding_size": 16,
        **STAGES,
        "layer_type": "basic",
        "out_features": list(stages),
    }
    plain = {"use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None}
    return image(
        name, "ForObjectDetection", num_queries=4, backbone_config=backbone, **plain, **values
    )
