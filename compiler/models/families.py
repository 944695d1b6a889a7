"""Architectures that take a user's weights: how `config.json` and tensor names map to builders.

The names are those of Hugging Face's `transformers`; a linear layer's weight is stored [out, in]
there and [in, out] here, but for GPT-2's, which are stored as here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.bart import bart
from softex_mlir.compiler.models.checkpoint import Checkpoint, Config
from softex_mlir.compiler.models.llama import llama
from softex_mlir.compiler.models.t5 import t5
from softex_mlir.compiler.models.text import bert, gpt2
from softex_mlir.compiler.models.vit import vit
from softex_mlir.compiler.models.whisper import whisper
from softex_mlir.compiler.weights import Array
from softex_mlir.errors import UserError

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}

DEFAULT_TOKENS = 128

LOG = logging.getLogger("softex_mlir")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """An architecture.

    Attributes:
        build: the builder.
        settings: the builder's arguments from a configuration and the names in the checkpoint.
        parameter: a parameter of the builder, by its name there and shape, from a checkpoint.
        model_types: values of `model_type` in the configuration.
        prefixes: what tensor names may begin with.
        buffers: ends of names of tensors that the architecture computes.
    """

    build: Callable[..., Model]
    settings: Callable[[Config, Checkpoint], dict[str, Any]]
    parameter: Callable[[Checkpoint, str, Shape], Array]
    model_types: tuple[str, ...]
    prefixes: tuple[str, ...]
    buffers: tuple[str, ...] = ()


def load(name: str, weights: Path, config: Path | None, sizes: Mapping[str, int]) -> Model:
    """A model of a family with a checkpoint's weights, float32; what it leaves over is logged.

    `config` defaults to the `config.json` beside the weights; `sizes` are arguments of the builder
    that no checkpoint decides: tokens, batch.

    Raises:
        UserError: a file cannot be read, a field or size is not supported, or tensors are missing.
    """
    family = FAMILIES[name]
    fields = Config(config or weights.with_name("config.json"))
    kind = fields.fields.get("model_type", family.model_types[0])
    if kind not in family.model_types:
        known = [other for other, one in FAMILIES.items() if kind in one.model_types]
        advice = f"compile it as '{known[0]}'" if known else "export it to ONNX"
        raise UserError(f"{fields.path}: model_type '{kind}' is no '{name}': {advice}")
    checkpoint = Checkpoint(weights, family.prefixes)
    settings = family.settings(fields, checkpoint)
    positions = settings.pop("positions", None)
    if positions is not None:
        taken = signature(family.build).parameters
        if "tokens" not in taken:
            settings["max_length"] = positions
        else:
            settings["tokens"] = min(DEFAULT_TOKENS, positions)
            if "max_length" in taken and taken["max_length"].default is not None:
                settings["max_length"] = settings["tokens"]
        wanted = max(sizes.get("tokens", 0), sizes.get("max_length", 0))
        if wanted > positions:
            raise UserError(f"{wanted} tokens: {fields.path} allows {positions} positions at most")

    def parameter(key: str, shape: Shape) -> Array:
        return family.parameter(checkpoint, key, shape)

    model = family.build(name, **{**settings, **sizes}, parameters=parameter)
    checkpoint.require_all()
    checkpoint.skip(family.buffers)
    if left := checkpoint.left_over:
        LOG.warning("%s: not used: %s", weights, ", ".join(left))
    return model


def _linear(c: Checkpoint, name: str, shape: Shape) -> Array:
    """A weight that is stored transposed, or a bias."""
    if name.endswith(".weight") and len(shape) == 2:
        return np.ascontiguousarray(c.take(name, shape[::-1]).T)
    return c.take(name, shape)


def _renamed(name: str, parts: Mapping[str, str]) -> str:
    """The first part of a dotted name that has another one there, replaced."""
    for ours, theirs in parts.items():
        if f".{ours}." in f".{name}":
            return name.replace(f"{ours}.", f"{theirs}.", 1)
    return name


_BERT = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention.LayerNorm": "attention.output.LayerNorm",
    "output.LayerNorm": "output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "pooler": "pooler.dense",
}


def _bert_settings(config: Config, c: Checkpoint) -> dict[str, Any]:
    config.expect(position_embedding_type="absolute", is_decoder=False)
    config.expect(embedding_size=config.fields.get("hidden_size"))
    return {
        "positions": config.size("max_position_embeddings", 512),
        "hidden": config.size("hidden_size"),
        "layers": config.size("num_hidden_layers"),
        "heads": config.size("num_attention_heads"),
        "mlp": config.size("intermediate_size"),
        "vocabulary": config.size("vocab_size"),
        "types": 2 if "pooler.dense.weight" in c else 0,
        "activation": config.choice("hidden_act", "gelu", ACTIVATIONS),
        "eps": config.number("layer_norm_eps", 1e-12),
        "masked": True,
    }


def _positions(c: Checkpoint, first: int, tokens: int) -> Array:
    """Rows of the table of positions, the embedding of token type 0 added."""
    key = "embeddings.position_embeddings.weight"
    table = c.whole(key)[first : first + tokens]
    types = "embeddings.token_type_embeddings.weight"
    return table + c.whole(types)[0] if types in c else table


def _bert_parameter(c: Checkpoint, name: str, shape: Shape, first: int = 0) -> Array:
    match name:
        case "embeddings.word":
            return c.take("embeddings.word_embeddings.weight", shape)
        case "embeddings.position":
            return _positions(c, first, shape[0])
        case _ if name.startswith("embeddings."):
            return c.take(name, shape)
        case _:
            return _linear(c, _renamed(name, _BERT), shape)


def _roberta_settings(config: Config, c: Checkpoint) -> dict[str, Any]:
    settings = _bert_settings(config, c)
    return {**settings, "positions": settings["positions"] - _ROBERTA_FIRST}


def _roberta_parameter(c: Checkpoint, name: str, shape: Shape) -> Array:
    return _bert_parameter(c, name, shape, _ROBERTA_FIRST)


_ROBERTA_FIRST = 2
"""Position of the first token: behind the padding id, 1."""

_DISTILBERT = {
    "attention.query": "attention.q_lin",
    "attention.key": "attention.k_lin",
    "attention.value": "attention.v_lin",
    "attention.output": "attention.out_lin",
    "attention.LayerNorm": "sa_layer_norm",
    "output.LayerNorm": "output_layer_norm",
    "intermediate": "ffn.lin1",
    "output": "ffn.lin2",
}


def _distilbert_settings(config: Config, c: Checkpoint) -> dict[str, Any]:
    return {
        "positions": config.size("max_position_embeddings", 512),
        "hidden": config.size("dim"),
        "layers": config.size("n_layers"),
        "heads": config.size("n_heads"),
        "mlp": config.size("hidden_dim"),
        "vocabulary": config.size("vocab_size"),
        "types": 0,
        "activation": config.choice("activation", "gelu", ACTIVATIONS),
        "masked": True,
    }


def _distilbert_parameter(c: Checkpoint, name: str, shape: Shape) -> Array:
    if name.startswith("embeddings."):
        return _bert_parameter(c, name, shape)
    name = name.replace("encoder.layer.", "transformer.layer.")
    return _linear(c, _renamed(name, _DISTILBERT), shape)


_VIT = {
    "embeddings.patch.projection": "embeddings.patch_embeddings.projection",
    "attention.query": "attention.attention.query",
    "attention.key": "attention.attention.key",
    "attention.value": "attention.attention.value",
    "attention.output": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


def _vit_settings(config: Config, c: Checkpoint) -> dict[str, Any]:
    config.expect(qkv_bias=True)
    if "classifier.weight" not in c:
        raise UserError(
            f"{c.path}: has no classifier; a ViT without one is compiled from an ONNX export"
        )
    return {
        "image": config.size("image_size", 224),
        "patch": config.size("patch_size", 16),
        "channels": config.size("num_channels", 3),
        "hidden": config.size("hidden_size"),
        "layers": config.size("num_hidden_layers"),
        "heads": config.size("num_attention_heads"),
        "mlp": config.size("intermediate_size"),
        "classes": c.shape("classifier.weight")[0],
        "activation": config.choice("hidden_act", "gelu", ACTIVATIONS),
        "eps": config.number("layer_norm_eps", 1e-12),
    }


def _vit_parameter(c: Checkpoint, name: str, shape: Shape) -> Array:
    match name:
        case "embeddings.position":
            return c.take("embeddings.position_embeddings", (1, *shape))[0]
        case "embeddings.cls_token":
            return np.broadcast_to(c.take("embeddings.cls_token", (1, 1, shape[-1]))[0], shape)
        case "embeddings.patch.projection.weight":
            kernel = c.whole("embeddings.patch_embeddings.projection.weight")
            return np.ascontiguousarray(kernel.reshape(len(kernel), -1).T)
        case _:
            return _linear(c, _renamed(name, _VIT), shape)


_GPT2 = {"attn.qkv": "attn.c_attn"}


def _gpt2_settings(config: Config, c: Checkpoint) -> dict[str, Any]:
    config.expect(
        scale_attn_weights=True,
        scale_attn_by_inverse_layer_idx=False,
        add_cross_attention=False,
        tie_word_embeddings=True,
    )
    hidden = config.size("n_embd")
    return {
        "positions": config.size("n_positions", 1024),
        "hidden": hidden,
        "layers": config.size("n_layer"),
        "heads": config.size("n_head"),
        "mlp": config.size("n_inner", 4 * hidden),
        "vocabulary": config.size("vocab_size"),
        "activation": config.choice("activation_function", "gelu_new", ACTIVATIONS),
        "eps": config.number("layer_norm_epsilon", 1e-5),
    }


def _gpt2_parameter(c: Checkpoint, name: str, shape: Shape) -> Array:
    match name:
        case "wte":
            return c.take("wte.weight", shape)
        case "wpe":
            return c.whole("wpe.weight")[: shape[0]]
        case "lm_head.weight":
            return np.ascontiguousarray(c.take("wte.weight", shape[::-1]).T)
        case _:
            return c.take(_renamed(name, _GPT2), shape)


def _llama_settings(config: Config, c: Checkpoint) -> dict[str, Any]:
    config.expect(
        attention_bias=False,
        mlp_bias=False,
        hidden_act="silu",
        use_sliding_window=False,
    )
    if config.fields.get("rope_scaling") is not None:
        raise UserError(f"{config.path}: rope_scaling is not supported")
    hidden, heads = config.size("hidden_size"), config.size("num_attention_heads")
    kind = config.fields.get("model_type")
    window = config.fields.get("sliding_window") if kind == "mistral" else None
    rope = config.fields.get("rope_parameters") or config.fields
    return {
        "positions": config.size("max_position_embeddings", 2048),
        "hidden": hidden,
        "layers": config.size("num_hidden_layers"),
        "heads": heads,
        "key_heads": config.size("num_key_value_heads", heads),
        "head_size": config.size("head_dim", hidden // heads),
        "mlp": config.size("intermediate_size"),
        "vocabulary": config.size("vocab_size"),
        "theta": float(rope.get("rope_theta", 10000.0)),
        "eps": config.number("rms_norm_eps", 1e-6),
        "window": None if window is None else int(window),
        "qkv_bias": "layers.0.self_attn.q_proj.bias" in c,
        "tied": "lm_head.weight" not in c,
    }


def _llama_parameter(c: Checkpoint, name: str, shape: Shape) -> Array:
    tables = ("embed_tokens.weight", "lm_head.weight")
    return c.take(name, shape) if name in tables else _linear(c, name, shape)


def _two_stacks(config: Config) -> dict[str, Any]:
    """Sizes of an encoder and a decoder, as BART and Whisper name them."""
    return {
        "hidden": config.size("d_model"),
        "encoder_layers": config.size("encoder_layers"),
        "layers": config.size("decoder_layers"),
        "heads": config.size("decoder_attention_heads"),
        "encoder_heads": config.size("encoder_attention_heads"),
        "mlp": config.size("decoder_ffn_dim"),
        "encoder_mlp": config.size("encoder_ffn_dim"),
        "vocabulary": config.size("vocab_size"),
        "activation": config.choice("activation_function", "gelu", ACTIVATIONS),
    }


def _whisper_settings(config: Config, c: Checkpoint) -> dict[str, Any]:
    config.expect(scale_embedding=False, tie_word_embeddings=True)
    return {
        "positions": config.size("max_target_positions", 448),
        "mels": config.size("num_mel_bins", 80),
        "source": config.size("max_source_positions", 1500),
        **_two_stacks(config),
    }


def _whisper_parameter(c: Checkpoint, name: str, shape: Shape) -> Array:
    if name.endswith("embed_positions.weight"):
        return c.whole(name)[: shape[0]]
    if ".conv" in name and name.endswith(".weight"):
        # [out, in, taps] there
        return np.ascontiguousarray(c.whole(name).transpose(2, 1, 0)).reshape(shape)
    return c.take(name, shape) if name == "decoder.embed_tokens.weight" else _linear(c, name, shape)


def _bart_settings(config: Config, c: Checkpoint) -> dict[str, Any]:
    config.expect(
        scale_embedding=False,
        normalize_before=False,
        add_final_layer_norm=False,
        tie_word_embeddings=True,
    )
    return {
        "positions": config.size("max_position_embeddings", 1024),
        **_two_stacks(config),
    }


_BART_FIRST = 2
"""Row of the first position."""


def _bart_parameter(c: Checkpoint, name: str, shape: Shape) -> Array:
    match name:
        case "shared.weight":
            return c.take(name, shape)
        case "final_logits_bias":
            return c.whole(name).reshape(-1) if name in c else np.zeros(shape, np.float32)
        case _ if name.endswith("embed_positions.weight"):
            return c.whole(name)[_BART_FIRST : _BART_FIRST + shape[0]]
        case _:
            return _linear(c, name, shape)


def _t5_settings(config: Config, c: Checkpoint) -> dict[str, Any]:
    kind = config.fields.get("feed_forward_proj", "relu")
    gated = kind.startswith("gated-")
    activation = "gelu_new" if kind == "gated-gelu" else kind.removeprefix("gated-")
    if activation not in ACTIVATIONS:
        raise UserError(
            f"{config.path}: feed_forward_proj: expected relu, gelu or gated-gelu, found {kind!r}"
        )
    layers = config.size("num_layers")
    tied = config.fields.get("tie_word_embeddings", True)
    return {
        "hidden": config.size("d_model"),
        "encoder_layers": layers,
        "layers": config.size("num_decoder_layers", layers),
        "heads": config.size("num_heads"),
        "head_size": config.size("d_kv"),
        "mlp": config.size("d_ff"),
        "vocabulary": config.size("vocab_size"),
        "activation": ACTIVATIONS[activation],
        "gated": gated,
        "tied": "lm_head.weight" not in c,
        # of a file that does not say it, only a head of its own is not scaled
        "scaled": config.fields.get("scale_decoder_outputs", tied) is not False,
        "buckets": config.size("relative_attention_num_buckets", 32),
        "furthest": config.size("relative_attention_max_distance", 128),
        "eps": config.number("layer_norm_epsilon", 1e-6),
    }


def _t5_parameter(c: Checkpoint, name: str, shape: Shape) -> Array:
    tables = ("shared.weight", "lm_head.weight")
    plain = name in tables or "relative_attention_bias" in name
    return c.take(name, shape) if plain else _linear(c, name, shape)


_VIT_LIKE = Family(vit, _vit_settings, _vit_parameter, ("vit", "deit"), ("vit.", "deit."))
_BERT_LIKE = Family(
    bert,
    _bert_settings,
    _bert_parameter,
    ("bert",),
    ("bert.", "model."),
    ("embeddings.position_ids",),
)
_LLAMA_LIKE = Family(
    llama,
    _llama_settings,
    _llama_parameter,
    ("llama", "qwen2", "mistral"),
    ("model.",),
    (".inv_freq",),
)

FAMILIES: dict[str, Family] = {
    "vit": _VIT_LIKE,
    "deit": _VIT_LIKE,
    "bert": _BERT_LIKE,
    "minilm": _BERT_LIKE,
    "roberta": Family(
        bert,
        _roberta_settings,
        _roberta_parameter,
        ("roberta", "xlm-roberta"),
        ("roberta.",),
        ("embeddings.position_ids",),
    ),
    "distilbert": Family(
        bert,
        _distilbert_settings,
        _distilbert_parameter,
        ("distilbert",),
        ("distilbert.",),
        ("embeddings.position_ids",),
    ),
    "gpt2": Family(
        gpt2,
        _gpt2_settings,
        _gpt2_parameter,
        ("gpt2",),
        ("transformer.",),
        (".attn.bias", ".attn.masked_bias", "lm_head.weight"),
    ),
    "whisper": Family(
        whisper,
        _whisper_settings,
        _whisper_parameter,
        ("whisper",),
        ("model.",),
        ("proj_out.weight",),
    ),
    "bart": Family(
        bart,
        _bart_settings,
        _bart_parameter,
        ("bart",),
        ("model.",),
        (".embed_tokens.weight", "lm_head.weight"),
    ),
    "t5": Family(
        t5,
        _t5_settings,
        _t5_parameter,
        ("t5",),
        (),
        (".embed_tokens.weight", "lm_head.weight"),
    ),
    "llama": _LLAMA_LIKE,
    "qwen2": _LLAMA_LIKE,
    "smollm": _LLAMA_LIKE,
    "mistral": _LLAMA_LIKE,
}
"""By name; those of one architecture stand for the same one."""
