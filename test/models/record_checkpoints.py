"""Records small checkpoints and what `transformers` computes from them, in float32.

    python test/models/record_checkpoints.py

needs torch and transformers (the extra `torch`); the tests need only what it wrote.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent / "checkpoints"

_TEXT = {"vocab_size": 60, "num_hidden_layers": 2, "num_attention_heads": 2}
_BERT = {**_TEXT, "hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 24}
_LLAMA = {**_BERT, "num_attention_heads": 4, "num_key_value_heads": 2, "eos_token_id": 1}
_T5 = {
    **{"vocab_size": 60, "d_model": 32, "d_kv": 16, "d_ff": 48, "num_heads": 2, "num_layers": 1},
    **{"relative_attention_num_buckets": 8, "relative_attention_max_distance": 20},
}

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertModel", {**_BERT, "hidden_act": "gelu_new", "layer_norm_eps": 1e-5}),
    "roberta": ("RobertaModel", {**_BERT, "type_vocab_size": 1}),
    "distilbert": (
        "DistilBertModel",
        {
            "vocab_size": 60,
            "dim": 32,
            "n_layers": 2,
            "n_heads": 2,
            "hidden_dim": 64,
            "max_position_embeddings": 24,
        },
    ),
    "vit": (
        "ViTForImageClassification",
        {**_BERT, "image_size": 16, "patch_size": 4, "num_labels": 5},
    ),
    "gpt2": (
        "GPT2LMHeadModel",
        {"vocab_size": 60, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 24},
    ),
    "whisper": (
        "WhisperForConditionalGeneration",
        {
            "vocab_size": 60,
            "num_mel_bins": 8,
            "d_model": 32,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "decoder_ffn_dim": 64,
            "max_source_positions": 24,
            "max_target_positions": 128,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 1,
            "decoder_start_token_id": 2,
        },
    ),
    "bart": (
        "BartForConditionalGeneration",
        {
            "vocab_size": 60,
            "d_model": 32,
            **{f"{part}_layers": 1 for part in ("encoder", "decoder")},
            **{f"{part}_attention_heads": 2 for part in ("encoder", "decoder")},
            **{"encoder_ffn_dim": 48, "decoder_ffn_dim": 64, "max_position_embeddings": 128},
        },
    ),
    "t5": ("T5ForConditionalGeneration", {**_T5, "feed_forward_proj": "relu"}),
    "flan-t5": (
        "T5ForConditionalGeneration",
        {**_T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "llama": ("LlamaForCausalLM", {**_LLAMA, "tie_word_embeddings": False, "rope_theta": 500.0}),
    "mistral": (
        "MistralForCausalLM",
        {**_LLAMA, "tie_word_embeddings": False, "sliding_window": 5, "num_hidden_layers": 1},
    ),
    "qwen2": ("Qwen2ForCausalLM", {**_LLAMA, "tie_word_embeddings": True}),
}


def main() -> None:
    """Write NAME/model.safetensors, NAME/config.json and NAME/expected.npz for every family, or
    those named."""
    # not among the dependencies that types are checked with
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    chosen = sys.argv[1:] or list(MODELS)
    for name in chosen:
        model_class, fields = MODELS[name]
        torch.manual_seed(0)
        cls = getattr(transformers, model_class)
        model = cls(cls.config_class(**fields)).eval()
        if fields.get("tie_word_embeddings") is False and name == "flan-t5":
            # whatever its configuration says, the class ties them
            model.config.tie_word_embeddings = False
            model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
        for parameter in model.parameters():
            # larger than the default, and no bias 0, so that nothing goes unnoticed
            noise = torch.randn_like(parameter) * 0.1
            parameter.data = (parameter.data + noise).to(torch.bfloat16).to(torch.float32)
        random = np.random.default_rng(0)
        if name == "vit":
            inputs = {"pixel_values": random.standard_normal((2, 3, 16, 16)).astype(np.float32)}
        elif name == "whisper":
            features = random.standard_normal((2, 8, 48)).astype(np.float32)
            inputs = {
                "input_features": features,
                "decoder_input_ids": random.integers(3, 60, (2, 12)),
            }
        elif name == "bart" or "t5" in name:
            mask = np.ones((2, 24), np.int64)
            mask[1, 17:] = 0
            inputs = {
                "input_ids": random.integers(3, 60, (2, 24)),
                "attention_mask": mask,
                "decoder_input_ids": random.integers(3, 60, (2, 40)),
            }
        else:
            inputs = {"input_ids": random.integers(3, 60, (2, 12))}
            if "bert" in name:
                mask = np.ones((2, 12), np.int64)
                mask[1, 9:] = 0
                inputs["attention_mask"] = mask
        with torch.no_grad():
            found = model(**{k: torch.from_numpy(v) for k, v in inputs.items()})
        outputs = {
            key: value.numpy()
            for key, value in found.items()
            if key in ("last_hidden_state", "pooler_output", "logits")
        }
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        model.to(torch.bfloat16).save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        np.savez_compressed(folder / "expected.npz", **inputs, **outputs)
        (folder / "config.json").write_text(
            json.dumps(model.config.to_dict(), indent=1, sort_keys=True) + "\n"
        )


if __name__ == "__main__":
    main()
