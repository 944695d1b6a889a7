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


FAMILIES: dict[str, Family] = {
    # encoders of text
    "bert": text("Bert"),
    "bert_classes": Family("BertForSequenceClassification", "BertConfig", "masked"),
    "bert_answers": Family("BertForQuestionAnswering", "BertConfig", "masked"),
    "bert_words": Family("BertForMaskedLM", "BertConfig", "masked"),
    "bert_mean_pool": Family("BertModel", "BertConfig", "masked", {}, "mean"),
    "bert_max_pool": Family("BertModel", "BertConfig", "masked", {}, "max"),
    "mpnet_mean_pool": Family("MPNetModel", "MPNetConfig", "masked", {}, "mean"),
    "qwen_last_pool": Family("Qwen2Model", "Qwen2Config", "masked", {}, "last"),
    "roberta": text("Roberta"),
    "xlm_roberta": text("XLMRoberta"),
    "distilbert": text("DistilBert"),
    "albert": text("Albert"),
    "electra": text("Electra"),
    "deberta": text("Deberta", relative_attention=True, pos_att_type=["p2c", "c2p"]),
    "deberta_v2": text(
        "DebertaV2", relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8
    ),
    "mpnet": text("MPNet"),
    "modernbert": text("ModernBert", local_attention=4, cls_token_id=1, sep_token_id=2),
    "camembert": text("Camembert"),
    "ernie": text("Ernie"),
    "fnet": Family("FNetModel", "FNetConfig", "ids"),
    "nystromformer": text("Nystromformer", num_landmarks=5, segment_means_seq_len=10),
    "squeezebert": text("SqueezeBert"),
    "mobilebert": text("MobileBert", intra_bottleneck_size=16, true_hidden_size=16),
    "convbert": text("ConvBert", head_ratio=2, conv_kernel_size=3),
    "funnel": text("Funnel", block_sizes=[1, 1], d_inner=48, d_head=16),
    "roformer": text("RoFormer"),
    "megatron_bert": text("MegatronBert"),
    "rembert": text("RemBert", input_embedding_size=16),
    "ibert": text("IBert"),
    "xlnet": text("XLNet", d_inner=48),
    "esm": text("Esm", position_embedding_type="rotary", mask_token_id=3, token_dropout=True),
    "luke": text("Luke"),
    "canine": Family("CanineModel", "CanineConfig", "masked", {"num_hash_buckets": 64}),
    "layoutlm": text("LayoutLM"),
    "big_bird": text("BigBird", attention_type="original_full"),
    "longformer": text("Longformer", attention_window=4),
    "xlm": text("XLM"),
    "flaubert": text("Flaubert"),
    "data2vec_text": text("Data2VecText"),
    "xmod": text("Xmod", languages=["en"], default_language="en"),
    "yoso": text("Yoso"),
    "splinter": text("Splinter"),
    # decoders
    "gpt2": decoder("GPT2", "LMHeadModel"),
    "gpt_neo": decoder("GPTNeo", attention_types=[[["global", "local"], 1]], window_size=4),
    "gpt_neox": decoder("GPTNeoX"),
    "gptj": decoder("GPTJ", rotary_dim=8),
    "codegen": decoder("CodeGen", rotary_dim=8, n_head=4),
    "opt": decoder("OPT"),
    "bloom": decoder("Bloom"),
    "falcon": decoder("Falcon"),
    "falcon_alibi": decoder("Falcon", alibi=True, multi_query=False),
    "llama": decoder("Llama"),
    "mistral": decoder("Mistral", sliding_window=4),
    "qwen2": decoder("Qwen2"),
    "qwen3": decoder("Qwen3"),
    "gemma": decoder("Gemma"),
    "gemma2": decoder("Gemma2", sliding_window=4, query_pre_attn_scalar=16),
    "gemma3_text": Family("Gemma3ForCausalLM", "Gemma3TextConfig", "tokens", {"sliding_window": 4}),
    "phi": decoder("Phi"),
    "phi3": decoder("Phi3"),
    "stablelm": decoder("StableLm"),
    "starcoder2": decoder("Starcoder2"),
    "cohere": decoder("Cohere"),
    "cohere2": decoder("Cohere2", sliding_window=4),
    "olmo": decoder("Olmo"),
    "olmo2": decoder("Olmo2"),
    "mpt": decoder("Mpt"),
    "biogpt": decoder("BioGpt"),
    "xglm": decoder("XGLM", attention_heads=2),
    "ctrl": decoder("CTRL", "LMHeadModel", dff=48),
    "openai_gpt": decoder("OpenAIGPT", "LMHeadModel"),
    "granite": decoder("Granite"),
    "persimmon": decoder("Persimmon"),
    "glm": decoder("Glm"),
    "glm4": decoder("Glm4"),
    "smollm3": decoder("SmolLM3"),
    "helium": decoder("Helium"),
    "nemotron": decoder("Nemotron"),
    "mamba": decoder("Mamba", state_size=4, time_step_rank=4),
    "mamba2": decoder("Mamba2", num_heads=4, head_dim=16, state_size=4, n_groups=1),
    "mixtral": decoder("Mixtral", num_local_experts=2),
    "qwen2_moe": decoder("Qwen2Moe", num_experts=4, num_experts_per_tok=2),
    "recurrent_gemma": decoder("RecurrentGemma", lru_width=32, attention_window_size=8),
    "rwkv": decoder("Rwkv", attention_hidden_size=32),
    "decoder_positions": Family("LlamaForCausalLM", "LlamaConfig", "positions"),
    "gpt2_positions": Family("GPT2LMHeadModel", "GPT2Config", "positions"),
    "gpt2_classes": Family("GPT2ForSequenceClassification", "GPT2Config", "tokens"),
    "lfm2": decoder("Lfm2"),
    "ernie45": decoder("Ernie4_5"),
    "seed_oss": decoder("SeedOss"),
    "gpt_oss": decoder("GptOss", num_local_experts=2, sliding_window=4),
    # encoder and decoder
    "t5": pair("T5"),
    "mt5": pair("MT5"),
    "umt5": pair("UMT5"),
    "t5_encoder": Family("T5EncoderModel", "T5Config", "masked"),
    "longt5": pair("LongT5", local_radius=4),
    "bart": pair("Bart"),
    "mbart": pair("MBart"),
    "pegasus": pair("Pegasus"),
    "marian": pair("Marian", decoder_start_token_id=0),
    "m2m_100": pair("M2M100"),
    "blenderbot": pair("Blenderbot"),
    "prophetnet": pair("ProphetNet", num_encoder_layers=1, num_encoder_attention_heads=2),
    "led": pair("LED", attention_window=4, max_encoder_position_embeddings=64),
    "switch": pair("SwitchTransformers", num_experts=2),
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
    "vit": image("ViT"),
    "vit_classes": image("ViT", "ForImageClassification"),
    "deit": image("DeiT"),
    "beit": image("Beit", use_relative_position_bias=True),
    "data2vec_vision": image("Data2VecVision", use_shared_relative_position_bias=True),
    "swin": Family("SwinModel", "SwinConfig", "image", SWIN),
    "swinv2": Family("Swinv2Model", "Swinv2Config", "image", SWIN),
    "swin2sr": Family(
        "Swin2SRForImageSuperResolution", "Swin2SRConfig", "image", {**SWIN, "patch_size": 1}
    ),
    "convnext": image("ConvNext", **STAGES, num_stages=2, patch_size=4),
    "convnextv2": image("ConvNextV2", **STAGES, num_stages=2, patch_size=4),
    "mobilevit": image(
        "MobileViT",
        hidden_sizes=[16, 24, 32],
        neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 32],
        patch_size=2,
        image_size=64,
    ),
    "mobilevitv2": image("MobileViTV2", patch_size=2, image_size=64, width_multiplier=0.25),
    "segformer": image(
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
    "dinov2": image("Dinov2"),
    "dinov2_registers": image("Dinov2WithRegisters"),
    "dinov2_other_size": Family("Dinov2Model", "Dinov2Config", "image", {"image_size": 48}),
    "dinov3": image("DINOv3ViT", num_register_tokens=2),
    "dpt": image("DPT", "ForDepthEstimation", backbone_out_indices=[0, 0, 1, 1]),
    "yolos": image("Yolos", num_detection_tokens=4),
    "pvt": image(
        "Pvt",
        depths=[1, 1, 1, 1],
        hidden_sizes=[16, 16, 32, 32],
        sequence_reduction_ratios=[2, 2, 1, 1],
        patch_sizes=[4, 2, 2, 2],
        num_attention_heads=[1, 1, 2, 2],
        mlp_ratios=[2, 2, 2, 2],
    ),
    "pvt_v2": image(
        "PvtV2",
        depths=[1, 1, 1, 1],
        hidden_sizes=[16, 16, 32, 32],
        num_attention_heads=[1, 1, 2, 2],
        mlp_ratios=[2, 2, 2, 2],
    ),
    "cvt": image("Cvt", embed_dim=[16, 24, 32], num_heads=[1, 2, 2], depth=[1, 1, 1]),
    "levit": image(
        "Levit",
        hidden_sizes=[16, 24, 32],
        num_attention_heads=[1, 2, 2],
        depths=[1, 1, 1],
        key_dim=[8, 8, 8],
    ),
    "poolformer": image(
        "PoolFormer",
        hidden_sizes=[16, 16, 32, 32],
        depths=[1, 1, 1, 1],
        num_encoder_blocks=4,
    ),
    "van": image("Van", hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1]),
    "focalnet": image("FocalNet", embed_dim=16, depths=[1, 1], focal_levels=[2, 2], patch_size=4),
    "resnet": image("ResNet", embedding_size=16, **STAGES, layer_type="bottleneck"),
    "regnet": image("RegNet", embedding_size=16, **STAGES, groups_width=8),
    "mobilenet_v1": image("MobileNetV1", depth_multiplier=0.25),
    "mobilenet_v2": image("MobileNetV2", depth_multiplier=0.25),
    "efficientnet": image("EfficientNet", width_coefficient=0.25, depth_coefficient=0.2),
    "bit": image("Bit", embedding_size=32, hidden_sizes=[32, 32], depths=[1, 1], num_groups=4),
    "hiera": image("Hiera", embed_dim=16, depths=[1, 1], num_heads=[1, 2], image_size=[32, 32]),
    "vit_msn": image("ViTMSN"),
    "vit_mae": image("ViTMAE", decoder_hidden_size=16, mask_ratio=0.0),
    "ijepa": image("IJepa"),
    "imagegpt": Family("ImageGPTModel", "ImageGPTConfig", "ids", {}),
    "swiftformer": image("SwiftFormer", depths=[1, 1], embed_dims=[16, 32], image_size=64),
    "upernet_segment": image("Beit", "ForSemanticSegmentation", out_indices=[1, 2, 1, 2]),
    "glpn": image(
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
    "wav2vec2": wave("Wav2Vec2"),
    "wav2vec2_ctc": Family("Wav2Vec2ForCTC", "Wav2Vec2Config", "wave", SPEECH),
    "wav2vec2_stable": wave("Wav2Vec2", do_stable_layer_norm=True, feat_extract_norm="layer"),
    "hubert": wave("Hubert"),
    "wavlm": wave("WavLM"),
    "sew": wave("SEW", squeeze_factor=2),
    "unispeech": wave("UniSpeech"),
    "data2vec_audio": wave("Data2VecAudio", conv_pos_kernel_size=3),
    "wav2vec2_conformer": wave("Wav2Vec2Conformer", conv_depthwise_kernel_size=3),
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


def numbers(torch: Any, *shape: int) -> Any:
    """Numbers that BF16 holds."""
    return torch.randn(*shape).bfloat16().float()


def of_ids(torch: Any, **more: Any) -> dict[str, Any]:
    return {"input_ids": torch.randint(4, 60, (1, 10)), **more}


def ones(torch: Any, count: int = 10, padding: int = 0) -> Any:
    mask = torch.ones(1, count, dtype=torch.long)
    mask[:, count - padding :] = 0
    return mask


def _ended(torch: Any) -> dict[str, Any]:
    """An end-of-text token, padding of the oldest kind behind it."""
    found = of_ids(torch, attention_mask=ones(torch))
    found["input_ids"][:, -3] = 63
    found["input_ids"][:, -2:] = 2
    return found


def next_ids(torch: Any) -> dict[str, Any]:
    return {"decoder_input_ids": torch.randint(4, 60, (1, 6))}


def image_of(torch: Any) -> dict[str, Any]:
    return {"pixel_values": numbers(torch, 1, 3, 32, 32)}


def _decisions(torch: Any) -> dict[str, Any]:
    widths = {"states": 17, "actions": 4, "rewards": 1, "returns_to_go": 1}
    return {
        **{name: numbers(torch, 1, 4, width) for name, width in widths.items()},
        "timesteps": torch.arange(4)[None],
        "attention_mask": ones(torch, 4),
    }


INPUTS: dict[str, Inputs] = {
    "ids": lambda torch: of_ids(torch),
    "tokens": lambda torch: of_ids(torch, attention_mask=ones(torch)),
    "positions": lambda torch: of_ids(torch, position_ids=torch.arange(10)[None] + 1),
    "masked": lambda torch: of_ids(torch, attention_mask=ones(torch, padding=3)),
    "ended": _ended,
    "pair": lambda torch: of_ids(torch, attention_mask=ones(torch, padding=3), **next_ids(torch)),
    "spectrum": lambda torch: {"input_features": numbers(torch, 1, 16, 40)},
    "spectrum pair": lambda torch: {
        "input_features": numbers(torch, 1, 16, 40),
        **next_ids(torch),
    },
    "features": lambda torch: {"input_features": numbers(torch, 1, 20, 16)},
    "features pair": lambda torch: {
        "input_features": numbers(torch, 1, 40, 16),
        **next_ids(torch),
    },
    "wave": lambda torch: {"input_values": numbers(torch, 1, 200)},
    "long wave": lambda torch: {"input_values": numbers(torch, 1, 4000)},
    "mels": lambda torch: {"input_values": numbers(torch, 1, 32, 16)},
    "series": lambda torch: {"past_values": numbers(torch, 1, 32, 3)},
    "image": image_of,
    "text and image": lambda torch: {
        **of_ids(torch),
        **image_of(torch),
        "attention_mask": ones(torch),
    },
    "decision": _decisions,
}
"""Inputs of a kind, given torch; sizes are those of `SMALL`."""
