"""Records small exports of real architectures and what torch computes from them, in float32.

    python test/models/record_families.py

needs torch, transformers and onnxscript; the tests need only what it wrote (`families/`): the
graph, its inputs and its output `out_0`. transformers 5.24 and torch 2.14 made these.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

HERE = Path(__file__).parent / "families"
WIDTH = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
TEXT = {**WIDTH, "vocab_size": 64, "max_position_embeddings": 32}
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
DECODER = {**TEXT, **TOKENS, "num_key_value_heads": 1}
PAIR = {"vocab_size": 64, "d_model": 32, "use_cache": False}
IMAGE = {**WIDTH, "image_size": 32, "patch_size": 8}
AUDIO = {
    "conv_dim": (16, 16),
    "conv_stride": (5, 2),
    "conv_kernel": (10, 3),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}

FAMILIES: dict[str, tuple[str, str, dict[str, Any], str, bool]] = {
    "deberta": (
        "DebertaV2Model",
        "DebertaV2Config",
        {**TEXT, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
        "masked",
        False,
    ),
    "modernbert": (
        "ModernBertModel",
        "ModernBertConfig",
        {**TEXT, **TOKENS, "local_attention": 4, "cls_token_id": 1, "sep_token_id": 2},
        "masked",
        True,
    ),
    "mpnet": ("MPNetModel", "MPNetConfig", TEXT, "masked", False),
    "bloom": (
        "BloomModel",
        "BloomConfig",
        {"vocab_size": 64, "hidden_size": 32, "n_layer": 1, "n_head": 2},
        "tokens",
        False,
    ),
    "gemma": (
        "Gemma3ForCausalLM",
        "Gemma3TextConfig",
        {**DECODER, "head_dim": 16, "sliding_window": 4},
        "tokens",
        True,
    ),
    "t5": (
        "T5Model",
        "T5Config",
        {**PAIR, "d_kv": 16, "d_ff": 48, "num_layers": 1, "num_heads": 2},
        "pair",
        False,
    ),
    "whisper": (
        "models.whisper.modeling_whisper.WhisperEncoder",
        "WhisperConfig",
        {
            "d_model": 32,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "num_mel_bins": 16,
            "max_source_positions": 20,
        },
        "spectrum",
        False,
    ),
    "wav2vec2": ("Wav2Vec2Model", "Wav2Vec2Config", {**WIDTH, **AUDIO}, "wave", False),
    "clip": (
        "CLIPTextModelWithProjection",
        "CLIPTextConfig",
        {**TEXT, "eos_token_id": 63, "projection_dim": 24},
        "ended",
        False,
    ),
    "swin": (
        "SwinModel",
        "SwinConfig",
        {
            "image_size": 16,
            "patch_size": 2,
            "embed_dim": 16,
            "depths": [2],
            "num_heads": [2],
            "window_size": 4,
        },
        "small image",
        True,
    ),
    "segformer": (
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        {
            "num_encoder_blocks": 2,
            "depths": [1, 1],
            "sr_ratios": [2, 1],
            "hidden_sizes": [16, 32],
            "patch_sizes": [7, 3],
            "strides": [4, 2],
            "num_attention_heads": [1, 2],
            "mlp_ratios": [2, 2],
            "decoder_hidden_size": 16,
        },
        "image",
        False,
    ),
    "dinov2": ("Dinov2Model", "Dinov2Config", IMAGE, "image", True),
}
"""Class, configuration, its values, kind of inputs, whether by the exporter of torch.export."""


def inputs_of(kind: str, torch: Any) -> dict[str, Any]:
    """Inputs of a kind, numbers that BF16 holds."""
    ids = torch.randint(4, 60, (1, 10))
    mask = torch.ones_like(ids)

    def numbers(*shape: int) -> Any:
        return torch.randn(*shape).bfloat16().float()

    match kind:
        case "tokens":
            return {"input_ids": ids, "attention_mask": mask}
        case "masked":
            mask[:, -3:] = 0
            return {"input_ids": ids, "attention_mask": mask}
        case "ended":
            ids[:, -1] = 63
            return {"input_ids": ids, "attention_mask": mask}
        case "pair":
            mask[:, -3:] = 0
            return {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": ids[:, :6]}
        case "spectrum":
            return {"input_features": numbers(1, 16, 40)}
        case "wave":
            return {"input_values": numbers(1, 200)}
        case "small image":
            return {"pixel_values": numbers(1, 3, 16, 16)}
        case _:
            return {"pixel_values": numbers(1, 3, 32, 32)}


def record(name: str) -> None:
    """Write a family's graph, inputs and outputs."""
    import torch  # pyright: ignore
    import transformers  # pyright: ignore

    kind, config, values, inputs, exported = FAMILIES[name]
    torch.manual_seed(7)
    made: Any = transformers
    for part in kind.split("."):
        made = getattr(made, part)
    model = made(getattr(transformers, config)(**values)).eval()
    for weight in model.parameters():
        if weight.dim() > 1 and weight.std() < 0.06:
            torch.nn.init.normal_(weight, std=0.15)
    given = inputs_of(inputs, torch)
    decodes = inputs == "tokens"

    class Positional(torch.nn.Module):  # pyright: ignore
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Any) -> Any:
            named = dict(zip(given, tensors, strict=True))
            extra = {"use_cache": False} if decodes else {}
            return self.model(**named, **extra, return_dict=True)[0]

    module = Positional().eval()
    with torch.no_grad():
        out = module(*given.values())
        torch.onnx.export(
            module,
            tuple(given.values()),
            str(HERE / f"{name}.onnx"),
            input_names=list(given),
            output_names=["out_0"],
            opset_version=18 if exported else 17,
            dynamo=exported,
            external_data=False,
            verbose=False,
        )
    _strip(HERE / f"{name}.onnx")
    arrays = {n: t.numpy() for n, t in given.items()}
    np.savez_compressed(HERE / f"{name}.npz", **arrays, out_0=out.numpy())


def _strip(path: Path) -> None:
    """Leave out what exporters tell about the machine and the source."""
    model: Any = onnx.load(path)
    model.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    for node in model.graph.node:
        node.ClearField("doc_string")
        kept = [p for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField("metadata_props")
    onnx.save(model, path)


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for family in FAMILIES:
        record(family)
        print(f"written: {family}")
