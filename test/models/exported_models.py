"""Small configurations of transformers' classes, and their inputs, for `export_families.py`."""

from __future__ import annotations

from collections.abc import Callable
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


@dataclass(frozen=True)
class Family:
    """A model class with its configuration; `inputs` names a kind of inputs."""

    model: str
    config: str
    inputs: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    pool: str = ""


def _text(name: str, **values: Any) -> Family:
    return Family(f"{name}Model", f"{name}Config", "masked", values)


def _decoder(name: str, head: str = "ForCausalLM", **values: Any) -> Family:
    return Family(f"{name}{head}", f"{name}Config", "tokens", values)


def _image(name: str, head: str = "Model", **values: Any) -> Family:
    return Family(f"{name}{head}", f"{name}Config", "image", values)


def _wave(name: str, **values: Any) -> Family:
    return Family(f"{name}Model", f"{name}Config", "wave", {**SPEECH, **values})


def _pair(name: str, head: str = "Model", **values: Any) -> Family:
    return Family(f"{name}{head}", f"{name}Config", "pair", values)


FAMILIES: dict[str, Family] = {
    # encoders of text
    "bert": _text("Bert"),
    "bert_classes": Family("BertForSequenceClassification", "BertConfig", "masked"),
    "bert_answers": Family("BertForQuestionAnswering", "BertConfig", "masked"),
    "bert_words": Family("BertForMaskedLM", "BertConfig", "masked"),
    "bert_mean_pool": Family("BertModel", "BertConfig", "masked", {}, "mean"),
    "bert_max_pool": Family("BertModel", "BertConfig", "masked", {}, "max"),
    "mpnet_mean_pool": Family("MPNetModel", "MPNetConfig", "masked", {}, "mean"),
    "qwen_last_pool": Family("Qwen2Model", "Qwen2Config", "masked", {}, "last"),
    "roberta": _text("Roberta"),
    "xlm_roberta": _text("XLMRoberta"),
    "distilbert": _text("DistilBert"),
    "albert": _text("Albert"),
    "electra": _text("Electra"),
    "deberta": _text("Deberta", relative_attention=True, pos_att_type=["p2c", "c2p"]),
    "deberta_v2": _text(
        "DebertaV2", relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8
    ),
    "mpnet": _text("MPNet"),
    "modernbert": _text("ModernBert", local_attention=4, cls_token_id=1, sep_token_id=2),
    "camembert": _text("Camembert"),
    "ernie": _text("Ernie"),
    "fnet": Family("FNetModel", "FNetConfig", "ids"),
    "nystromformer": _text("Nystromformer", num_landmarks=5, segment_means_seq_len=10),
    "squeezebert": _text("SqueezeBert"),
    "mobilebert": _text("MobileBert", intra_bottleneck_size=16, true_hidden_size=16),
    "convbert": _text("ConvBert", head_ratio=2, conv_kernel_size=3),
    "funnel": _text("Funnel", block_sizes=[1, 1], d_inner=48, d_head=16),
    "roformer": _text("RoFormer"),
    "megatron_bert": _text("MegatronBert"),
    "rembert": _text("RemBert", input_embedding_size=16),
    "ibert": _text("IBert"),
    "xlnet": _text("XLNet", d_inner=48),
    "esm": _text("Esm", position_embedding_type="rotary", mask_token_id=3, token_dropout=True),
    "luke": _text("Luke"),
    "canine": Family("CanineModel", "CanineConfig", "masked", {"num_hash_buckets": 64}),
    "layoutlm": _text("LayoutLM"),
    "big_bird": _text("BigBird", attention_type="original_full"),
    "longformer": _text("Longformer", attention_window=4),
    "xlm": _text("XLM"),
    "flaubert": _text("Flaubert"),
    "data2vec_text": _text("Data2VecText"),
    "xmod": _text("Xmod", languages=["en"], default_language="en"),
    "yoso": _text("Yoso"),
    "splinter": _text("Splinter"),
    # decoders
    "gpt2": _decoder("GPT2", "LMHeadModel"),
    "gpt_neo": _decoder("GPTNeo", attention_types=[[["global", "local"], 1]], window_size=4),
    "gpt_neox": _decoder("GPTNeoX"),
    "gptj": _decoder("GPTJ", rotary_dim=8),
    "codegen": _decoder("CodeGen", rotary_dim=8, n_head=4),
    "opt": _decoder("OPT"),
    "bloom": _decoder("Bloom"),
    "falcon": _decoder("Falcon"),
    "falcon_alibi": _decoder("Falcon", alibi=True, multi_query=False),
    "llama": _decoder("Llama"),
    "mistral": _decoder("Mistral", sliding_window=4),
    "qwen2": _decoder("Qwen2"),
    "qwen3": _decoder("Qwen3"),
    "gemma": _decoder("Gemma"),
    "gemma2": _decoder("Gemma2", sliding_window=4, query_pre_attn_scalar=16),
    "gemma3_text": Family("Gemma3ForCausalLM", "Gemma3TextConfig", "tokens", {"sliding_window": 4}),
    "phi": _decoder("Phi"),
    "phi3": _decoder("Phi3"),
    "stablelm": _decoder("StableLm"),
    "starcoder2": _decoder("Starcoder2"),
    "cohere": _decoder("Cohere"),
    "cohere2": _decoder("Cohere2", sliding_window=4),
    "olmo": _decoder("Olmo"),
    "olmo2": _decoder("Olmo2"),
    "mpt": _decoder("Mpt"),
    "biogpt": _decoder("BioGpt"),
    "xglm": _decoder("XGLM", attention_heads=2),
    "ctrl": _decoder("CTRL", "LMHeadModel", dff=48),
    "openai_gpt": _decoder("OpenAIGPT", "LMHeadModel"),
    "granite": _decoder("Granite"),
    "persimmon": _decoder("Persimmon"),
    "glm": _decoder("Glm"),
    "glm4": _decoder("Glm4"),
    "smollm3": _decoder("SmolLM3"),
    "helium": _decoder("Helium"),
    "nemotron": _decoder("Nemotron"),
    "mamba": _decoder("Mamba", state_size=4, time_step_rank=4),
    "mamba2": _decoder("Mamba2", num_heads=4, head_dim=16, state_size=4, n_groups=1),
    "mixtral": _decoder("Mixtral", num_local_experts=2),
    "qwen2_moe": _decoder("Qwen2Moe", num_experts=4, num_experts_per_tok=2),
    "recurrent_gemma": _decoder("RecurrentGemma", lru_width=32, attention_window_size=8),
    "rwkv": _decoder("Rwkv", attention_hidden_size=32),
    "decoder_positions": Family("LlamaForCausalLM", "LlamaConfig", "positions"),
    "gpt2_positions": Family("GPT2LMHeadModel", "GPT2Config", "positions"),
    "gpt2_classes": Family("GPT2ForSequenceClassification", "GPT2Config", "tokens"),
    "lfm2": _decoder("Lfm2"),
    "ernie45": _decoder("Ernie4_5"),
    "seed_oss": _decoder("SeedOss"),
    "gpt_oss": _decoder("GptOss", num_local_experts=2, sliding_window=4),
    # encoder and decoder
    "t5": _pair("T5"),
    "mt5": _pair("MT5"),
    "umt5": _pair("UMT5"),
    "t5_encoder": Family("T5EncoderModel", "T5Config", "masked"),
    "longt5": _pair("LongT5", local_radius=4),
    "bart": _pair("Bart"),
    "mbart": _pair("MBart"),
    "pegasus": _pair("Pegasus"),
    "marian": _pair("Marian", decoder_start_token_id=0),
    "m2m_100": _pair("M2M100"),
    "blenderbot": _pair("Blenderbot"),
    "prophetnet": _pair("ProphetNet", num_encoder_layers=1, num_encoder_attention_heads=2),
    "led": _pair("LED", attention_window=4, max_encoder_position_embeddings=64),
    "switch": _pair("SwitchTransformers", num_experts=2),
    "whisper": Family(
        "WhisperModel",
        "WhisperConfig",
        "spectrum pair",
        {"num_mel_bins": 16, "max_source_positions": 20, "max_target_positions": 32},
    ),
    "speech_to_text": Family(
        "Speech2TextModel",
        "Speech2TextConfig",
        "features pair",
        {"input_feat_per_channel": 16, "conv_channels": 32},
    ),
    # images
    "vit": _image("ViT"),
    "vit_classes": _image("ViT", "ForImageClassification"),
    "deit": _image("DeiT"),
    "beit": _image("Beit", use_relative_position_bias=True),
    "data2vec_vision": _image("Data2VecVision", use_shared_relative_position_bias=True),
    "swin": Family("SwinModel", "SwinConfig", "image", SWIN),
    "swinv2": Family("Swinv2Model", "Swinv2Config", "image", SWIN),
    "swin2sr": Family(
        "Swin2SRForImageSuperResolution", "Swin2SRConfig", "image", {**SWIN, "patch_size": 1}
    ),
    "convnext": _image("ConvNext", **STAGES, num_stages=2, patch_size=4),
    "convnextv2": _image("ConvNextV2", **STAGES, num_stages=2, patch_size=4),
    "mobilevit": _image(
        "MobileViT",
        hidden_sizes=[16, 24, 32],
        neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 32],
        patch_size=2,
        image_size=64,
    ),
    "mobilevitv2": _image("MobileViTV2", patch_size=2, image_size=64, width_multiplier=0.25),
    "segformer": _image(
        "Segformer",
        "ForSemanticSegmentation",
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[16, 32],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
    ),
    "dinov2": _image("Dinov2"),
    "dinov2_registers": _image("Dinov2WithRegisters"),
    "dinov2_other_size": Family("Dinov2Model", "Dinov2Config", "image", {"image_size": 48}),
    "dinov3": _image("DINOv3ViT", num_register_tokens=2),
    "dpt": _image("DPT", "ForDepthEstimation", backbone_out_indices=[0, 0, 1, 1]),
    "yolos": _image("Yolos", num_detection_tokens=4),
    "pvt": _image(
        "Pvt",
        depths=[1, 1, 1, 1],
        hidden_sizes=[16, 16, 32, 32],
        sequence_reduction_ratios=[2, 2, 1, 1],
        patch_sizes=[4, 2, 2, 2],
        num_attention_heads=[1, 1, 2, 2],
        mlp_ratios=[2, 2, 2, 2],
    ),
    "pvt_v2": _image(
        "PvtV2",
        depths=[1, 1, 1, 1],
        hidden_sizes=[16, 16, 32, 32],
        num_attention_heads=[1, 1, 2, 2],
        mlp_ratios=[2, 2, 2, 2],
    ),
    "cvt": _image("Cvt", embed_dim=[16, 24, 32], num_heads=[1, 2, 2], depth=[1, 1, 1]),
    "levit": _image(
        "Levit",
        hidden_sizes=[16, 24, 32],
        num_attention_heads=[1, 2, 2],
        depths=[1, 1, 1],
        key_dim=[8, 8, 8],
    ),
    "poolformer": _image(
        "PoolFormer",
        hidden_sizes=[16, 16, 32, 32],
        depths=[1, 1, 1, 1],
        num_encoder_blocks=4,
    ),
    "van": _image("Van", hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1]),
    "focalnet": _image("FocalNet", embed_dim=16, depths=[1, 1], focal_levels=[2, 2], patch_size=4),
    "resnet": _image("ResNet", embedding_size=16, **STAGES, layer_type="bottleneck"),
    "regnet": _image("RegNet", embedding_size=16, **STAGES, groups_width=8),
    "mobilenet_v1": _image("MobileNetV1", depth_multiplier=0.25),
    "mobilenet_v2": _image("MobileNetV2", depth_multiplier=0.25),
    "efficientnet": _image("EfficientNet", width_coefficient=0.25, depth_coefficient=0.2),
    "bit": _image("Bit", embedding_size=32, hidden_sizes=[32, 32], depths=[1, 1], num_groups=4),
    "hiera": _image("Hiera", embed_dim=16, depths=[1, 1], num_heads=[1, 2], image_size=[32, 32]),
    "vit_msn": _image("ViTMSN"),
    "vit_mae": _image("ViTMAE", decoder_hidden_size=16, mask_ratio=0.0),
    "ijepa": _image("IJepa"),
    "imagegpt": Family("ImageGPTModel", "ImageGPTConfig", "ids", {}),
    "swiftformer": _image("SwiftFormer", depths=[1, 1], embed_dims=[16, 32], image_size=64),
    "upernet_segment": _image("Beit", "ForSemanticSegmentation", out_indices=[1, 2, 1, 2]),
    "glpn": _image(
        "GLPN", "ForDepthEstimation", hidden_sizes=[16, 16, 32, 32], decoder_hidden_size=16
    ),
    "sam_vision": Family(
        "SamVisionModel",
        "SamVisionConfig",
        "image",
        {"window_size": 2, "global_attn_indexes": [1], "output_channels": 16},
    ),
    "siglip_vision": Family("SiglipVisionModel", "SiglipVisionConfig", "image"),
    "clip_vision": Family("CLIPVisionModelWithProjection", "CLIPVisionConfig", "image"),
    "clip_text": Family("CLIPTextModelWithProjection", "CLIPTextConfig", "ended"),
    "clip_text_old_end": Family(
        "CLIPTextModelWithProjection", "CLIPTextConfig", "ended", {"eos_token_id": 2}
    ),
    "siglip_text": Family("SiglipTextModel", "SiglipTextConfig", "masked"),
    "clip": Family(
        "CLIPModel",
        "CLIPConfig",
        "text and image",
        {"text_config": SMALL, "vision_config": SMALL},
    ),
    "blip_vision": Family("BlipVisionModel", "BlipVisionConfig", "image"),
    "vilt": Family("ViltModel", "ViltConfig", "text and image"),
    # sound
    "wav2vec2": _wave("Wav2Vec2"),
    "wav2vec2_ctc": Family("Wav2Vec2ForCTC", "Wav2Vec2Config", "wave", SPEECH),
    "wav2vec2_stable": _wave("Wav2Vec2", do_stable_layer_norm=True, feat_extract_norm="layer"),
    "hubert": _wave("Hubert"),
    "wavlm": _wave("WavLM"),
    "sew": _wave("SEW", squeeze_factor=2),
    "unispeech": _wave("UniSpeech"),
    "data2vec_audio": _wave("Data2VecAudio", conv_pos_kernel_size=3),
    "wav2vec2_conformer": _wave("Wav2Vec2Conformer", conv_depthwise_kernel_size=3),
    "ast": Family(
        "ASTModel", "ASTConfig", "mels", {"max_length": 32, "num_mel_bins": 16, "patch_size": 8}
    ),
    "whisper_encoder": Family(
        "models.whisper.modeling_whisper.WhisperEncoder",
        "WhisperConfig",
        "spectrum",
        {"num_mel_bins": 16, "max_source_positions": 20},
    ),
    "moonshine_encoder": Family(
        "models.moonshine.modeling_moonshine.MoonshineEncoder", "MoonshineConfig", "long wave"
    ),
    "wav2vec2_bert": Family(
        "Wav2Vec2BertModel",
        "Wav2Vec2BertConfig",
        "features",
        {"feature_projection_input_dim": 16, "conv_depthwise_kernel_size": 3},
    ),
    # series
    "patchtst": Family(
        "PatchTSTModel",
        "PatchTSTConfig",
        "series",
        {"context_length": 32, "patch_length": 8, "patch_stride": 8, "num_input_channels": 3},
    ),
    "patchtst_forecast": Family(
        "PatchTSTForPrediction",
        "PatchTSTConfig",
        "series",
        {
            "context_length": 32,
            "patch_length": 8,
            "patch_stride": 8,
            "num_input_channels": 3,
            "prediction_length": 4,
        },
    ),
    "patchtsmixer": Family(
        "PatchTSMixerModel",
        "PatchTSMixerConfig",
        "series",
        {"context_length": 32, "patch_length": 8, "patch_stride": 8, "num_input_channels": 3},
    ),
    "decision": Family(
        "DecisionTransformerModel", "DecisionTransformerConfig", "decision", {"max_ep_len": 16}
    ),
}


Inputs = Callable[[Any], dict[str, Any]]


def _numbers(torch: Any, *shape: int) -> Any:
    """Numbers that BF16 holds."""
    return torch.randn(*shape).bfloat16().float()


def _ids(torch: Any, **more: Any) -> dict[str, Any]:
    return {"input_ids": torch.randint(4, 60, (1, 10)), **more}


def _ones(torch: Any, count: int = 10, padding: int = 0) -> Any:
    mask = torch.ones(1, count, dtype=torch.long)
    mask[:, count - padding :] = 0
    return mask


def _ended(torch: Any) -> dict[str, Any]:
    """An end-of-text token, padding of the oldest kind behind it."""
    found = _ids(torch, attention_mask=_ones(torch))
    found["input_ids"][:, -3] = 63
    found["input_ids"][:, -2:] = 2
    return found


def _next_ids(torch: Any) -> dict[str, Any]:
    return {"decoder_input_ids": torch.randint(4, 60, (1, 6))}


def _image_of(torch: Any) -> dict[str, Any]:
    return {"pixel_values": _numbers(torch, 1, 3, 32, 32)}


def _decisions(torch: Any) -> dict[str, Any]:
    numbers = {"states": 17, "actions": 4, "rewards": 1, "returns_to_go": 1}
    return {
        **{name: _numbers(torch, 1, 4, width) for name, width in numbers.items()},
        "timesteps": torch.arange(4)[None],
        "attention_mask": _ones(torch, 4),
    }


INPUTS: dict[str, Inputs] = {
    "ids": lambda torch: _ids(torch),
    "tokens": lambda torch: _ids(torch, attention_mask=_ones(torch)),
    "positions": lambda torch: _ids(torch, position_ids=torch.arange(10)[None] + 1),
    "masked": lambda torch: _ids(torch, attention_mask=_ones(torch, padding=3)),
    "ended": _ended,
    "pair": lambda torch: _ids(torch, attention_mask=_ones(torch, padding=3), **_next_ids(torch)),
    "spectrum": lambda torch: {"input_features": _numbers(torch, 1, 16, 40)},
    "spectrum pair": lambda torch: {
        "input_features": _numbers(torch, 1, 16, 40),
        **_next_ids(torch),
    },
    "features": lambda torch: {"input_features": _numbers(torch, 1, 20, 16)},
    "features pair": lambda torch: {
        "input_features": _numbers(torch, 1, 40, 16),
        **_next_ids(torch),
    },
    "wave": lambda torch: {"input_values": _numbers(torch, 1, 200)},
    "long wave": lambda torch: {"input_values": _numbers(torch, 1, 4000)},
    "mels": lambda torch: {"input_values": _numbers(torch, 1, 32, 16)},
    "series": lambda torch: {"past_values": _numbers(torch, 1, 32, 3)},
    "image": _image_of,
    "text and image": lambda torch: {
        **_ids(torch),
        **_image_of(torch),
        "attention_mask": _ones(torch),
    },
    "decision": _decisions,
}
"""Inputs of a kind, given torch; sizes are those of `SMALL`."""
