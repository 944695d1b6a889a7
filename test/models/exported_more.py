"""More families for `export_families.py`: mixtures, detectors, video, boxes, series."""

from __future__ import annotations

from typing import Any

from exported_models import (
    FAMILIES,
    INPUTS,
    SMALL,
    SPEECH,
    SWIN,
    Family,
    Inputs,
    decoder,
    image,
    image_of,
    next_ids,
    numbers,
    of_ids,
    ones,
    pair,
    text,
    wave,
)

TXT = {k: v for k, v in SMALL.items() if k not in ("image_size", "patch_size")}
MOE: dict[str, Any] = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "num_local_experts": 4,
    "moe_intermediate_size": 24,
}
VIS: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
}

MORE: dict[str, Family] = {
    "bert_generation": Family("BertGenerationEncoder", "BertGenerationConfig", "masked"),
    "lilt": Family(
        "LiltModel",
        "LiltConfig",
        "boxes",
        {"channel_shrink_ratio": 2, "hidden_size": 48, "max_2d_position_embeddings": 64},
    ),
    "markuplm": text(
        "MarkupLM",
        max_xpath_tag_unit_embeddings=16,
        max_xpath_subs_unit_embeddings=16,
        tag_pad_id=10,
        subs_pad_id=10,
        xpath_unit_hidden_size=8,
        max_depth=4,
    ),
    "mra": text("Mra"),
    "nomic_bert": text("NomicBert"),
    "eurobert": text("EuroBert"),
    "jina_v3": text("JinaEmbeddingsV3"),
    "roberta_prelayernorm": text("RobertaPreLayerNorm"),
    "roc_bert": text(
        "RoCBert",
        pronunciation_vocab_size=64,
        shape_vocab_size=64,
        pronunciation_embed_dim=16,
        shape_embed_dim=16,
    ),
    "tapas": text("Tapas"),
    "xlm_roberta_xl": text("XLMRobertaXL"),
    "dpr": Family("DPRQuestionEncoder", "DPRConfig", "masked"),
    "layoutlmv3": Family(
        "LayoutLMv3Model",
        "LayoutLMv3Config",
        "boxes",
        {
            "coordinate_size": 5,
            "shape_size": 6,
            "max_2d_position_embeddings": 64,
            "visual_embed": False,
        },
    ),
    "layoutlm_boxes": Family(
        "LayoutLMModel", "LayoutLMConfig", "boxes", {"max_2d_position_embeddings": 64}
    ),
    "perceiver": Family(
        "PerceiverForMaskedLM",
        "PerceiverConfig",
        "masked10",
        {
            "d_model": 32,
            "d_latents": 32,
            "num_latents": 8,
            "num_blocks": 1,
            "num_self_attends_per_block": 2,
            "num_self_attention_heads": 2,
            "num_cross_attention_heads": 2,
            "max_position_embeddings": 10,
        },
    ),
    "big_bird_sparse": text(
        "BigBird", attention_type="block_sparse", block_size=2, num_random_blocks=1
    ),
    "reformer": Family(
        "ReformerModel",
        "ReformerConfig",
        "ids12",
        {
            "attn_layers": ["local", "local"],
            "axial_pos_shape": [4, 3],
            "axial_pos_embds_dim": [16, 16],
            "local_attn_chunk_length": 4,
            "is_decoder": False,
            "feed_forward_size": 48,
            "attention_head_size": 16,
        },
    ),
    "gpt_neox_japanese": decoder("GPTNeoXJapanese"),
    "gpt_bigcode": decoder("GPTBigCode"),
    "bert_multi_token": Family("BertForTokenClassification", "BertConfig", "masked"),
    "bert_choice": Family("BertForMultipleChoice", "BertConfig", "choice"),
    "visual_bert": Family(
        "VisualBertModel", "VisualBertConfig", "visual", {"visual_embedding_dim": 16}
    ),
    "lxmert": Family(
        "LxmertModel",
        "LxmertConfig",
        "lxmert",
        {"l_layers": 1, "x_layers": 1, "r_layers": 1, "visual_feat_dim": 16},
    ),
    "modernbert_decoder": decoder(
        "ModernBertDecoder", local_attention=4, cls_token_id=1, sep_token_id=2
    ),
    "arcee": decoder("Arcee"),
    "apertus": decoder("Apertus"),
    "bitnet": decoder("BitNet"),
    "diffllama": decoder("DiffLlama", num_key_value_heads=2),
    "exaone4": decoder("Exaone4", sliding_window=4),
    "doge": decoder("Doge"),
    "falcon_h1": decoder(
        "FalconH1",
        mamba_d_ssm=32,
        mamba_n_heads=4,
        mamba_d_head=8,
        mamba_d_state=4,
        mamba_n_groups=1,
    ),
    "falcon_mamba": decoder("FalconMamba", state_size=4, time_step_rank=4),
    "bamba": decoder(
        "Bamba",
        mamba_n_heads=4,
        mamba_d_head=16,
        mamba_d_state=4,
        mamba_n_groups=1,
        attn_layer_indices=[1],
    ),
    "zamba2": decoder(
        "Zamba2",
        mamba_d_state=4,
        n_mamba_heads=4,
        mamba_headdim=16,
        mamba_ngroups=1,
        hybrid_layer_ids=[1],
        layers_block_type=["mamba", "hybrid"],
        num_key_value_heads=2,
    ),
    "jetmoe": decoder("JetMoe", num_local_experts=4, num_experts_per_tok=2, kv_channels=16),
    "olmo3": decoder("Olmo3", sliding_window=4),
    "hunyuan": decoder("HunYuanDenseV1"),
    "vaultgemma": decoder("VaultGemma", sliding_window=4, query_pre_attn_scalar=16),
    "xlstm": decoder("xLSTM", num_heads=2, num_blocks=1),
    "nanochat": decoder("NanoChat"),
    "cwm": decoder("Cwm", sliding_window=4),
    "ministral": decoder("Ministral", sliding_window=4),
    "qwen35": Family(
        "Qwen3_5ForCausalLM",
        "Qwen3_5TextConfig",
        "tokens",
        {
            "linear_num_value_heads": 2,
            "linear_num_key_heads": 2,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "layer_types": ["linear_attention", "full_attention"],
        },
    ),
    "gemma3n_text": Family(
        "Gemma3nForCausalLM",
        "Gemma3nTextConfig",
        "tokens",
        {
            "sliding_window": 4,
            "hidden_size_per_layer_input": 8,
            "vocab_size_per_layer_input": 64,
            "laurel_rank": 4,
            "altup_num_inputs": 2,
            "num_kv_shared_layers": 0,
            "layer_types": ["sliding_attention", "full_attention"],
            "intermediate_size": [48, 48],
            "activation_sparsity_pattern": [0.5, 0.0],
        },
    ),
    "minicpm3": decoder(
        "MiniCPM3",
        q_lora_rank=16,
        kv_lora_rank=16,
        qk_nope_head_dim=8,
        qk_rope_head_dim=8,
        v_head_dim=8,
        num_key_value_heads=2,
    ),
    "cpmant": Family(
        "CpmAntModel",
        "CpmAntConfig",
        "ids32",
        {"prompt_length": 4, "dim_head": 16, "segment_types": 4},
    ),
    "nemotron_h": decoder(
        "NemotronH",
        mamba_num_heads=4,
        mamba_head_dim=8,
        ssm_state_size=4,
        n_groups=1,
        hybrid_override_pattern="M*",
        chunk_size=8,
    ),
    "blenderbot_small": pair("BlenderbotSmall"),
    "mvp": Family("MvpModel", "MvpConfig", "pair"),
    "plbart": pair("PLBart"),
    "pegasus_x": pair("PegasusX", block_size=4, num_global_tokens=2),
    "fsmt": Family("FSMTModel", "FSMTConfig", "pair", {"src_vocab_size": 64, "tgt_vocab_size": 64}),
    "bigbird_pegasus": pair("BigBirdPegasus", attention_type="original_full"),
    "bart_summary": Family("BartForConditionalGeneration", "BartConfig", "pair"),
    "t5_summary": Family("T5ForConditionalGeneration", "T5Config", "pair"),
    "t5gemma": Family(
        "T5GemmaModel",
        "T5GemmaConfig",
        "pair",
        {
            "encoder": {**TXT, "sliding_window": 4},
            "decoder": {**TXT, "sliding_window": 4, "cross_attention_hidden_size": 32},
        },
    ),
    "encoder_decoder": Family(
        "EncoderDecoderModel",
        "EncoderDecoderConfig",
        "pair",
        {
            "encoder": {"model_type": "bert", **TXT},
            "decoder": {
                "model_type": "bert",
                "is_decoder": True,
                "add_cross_attention": True,
                **TXT,
            },
        },
    ),
    "trocr": Family(
        "VisionEncoderDecoderModel",
        "VisionEncoderDecoderConfig",
        "image pair",
        {
            "encoder": {"model_type": "vit", **VIS},
            "decoder": {"model_type": "trocr", **TXT, "cross_attention_hidden_size": 32},
        },
    ),
    "vit_gpt2": Family(
        "VisionEncoderDecoderModel",
        "VisionEncoderDecoderConfig",
        "image pair",
        {
            "encoder": {"model_type": "vit", **VIS},
            "decoder": {
                "model_type": "gpt2",
                **TXT,
                "add_cross_attention": True,
                "is_decoder": True,
            },
        },
    ),
    "udop": Family("UdopEncoderModel", "UdopConfig", "boxes float"),
    "aimv2": Family("Aimv2VisionModel", "Aimv2VisionConfig", "image"),
    "dinov3_convnext": image("DINOv3ConvNext", hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1]),
    "donut": image("DonutSwin", **SWIN),
    "depth_anything": image(
        "DepthAnything",
        "ForDepthEstimation",
        backbone_config={
            "model_type": "dinov2",
            **VIS,
            "num_hidden_layers": 4,
            "image_size": 32,
            "out_indices": [1, 2, 3, 4],
            "reshape_hidden_states": False,
        },
        reassemble_hidden_size=32,
        patch_size=8,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
    ),
    "detr": image(
        "Detr",
        "ForObjectDetection",
        num_queries=4,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config={
            "model_type": "resnet",
            "embedding_size": 16,
            "hidden_sizes": [16, 32],
            "depths": [1, 1],
            "layer_type": "basic",
            "out_features": ["stage2"],
        },
    ),
    "conditional_detr": image(
        "ConditionalDetr",
        "ForObjectDetection",
        num_queries=4,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config={
            "model_type": "resnet",
            "embedding_size": 16,
            "hidden_sizes": [16, 32],
            "depths": [1, 1],
            "layer_type": "basic",
            "out_features": ["stage2"],
        },
    ),
    "table_transformer": image(
        "TableTransformer",
        "ForObjectDetection",
        num_queries=4,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config={
            "model_type": "resnet",
            "embedding_size": 16,
            "hidden_sizes": [16, 32],
            "depths": [1, 1],
            "layer_type": "basic",
            "out_features": ["stage2"],
        },
    ),
    "dab_detr": image(
        "DabDetr",
        "ForObjectDetection",
        num_queries=4,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config={
            "model_type": "resnet",
            "embedding_size": 16,
            "hidden_sizes": [16, 32],
            "depths": [1, 1],
            "layer_type": "basic",
            "out_features": ["stage2"],
        },
    ),
    "deformable_detr": image(
        "DeformableDetr",
        "ForObjectDetection",
        num_queries=4,
        num_feature_levels=2,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config={
            "model_type": "resnet",
            "embedding_size": 16,
            "hidden_sizes": [16, 32],
            "depths": [1, 1],
            "layer_type": "basic",
            "out_features": ["stage1", "stage2"],
        },
    ),
    "rt_detr": image(
        "RTDetr",
        "ForObjectDetection",
        num_queries=4,
        decoder_layers=1,
        encoder_hidden_dim=32,
        d_model=32,
        decoder_ffn_dim=48,
        encoder_in_channels=[16, 32],
        feat_strides=[8, 16],
        encode_proj_layers=[1],
        num_feature_levels=2,
        decoder_in_channels=[32, 32],
        decoder_n_points=2,
        decoder_attention_heads=2,
        num_denoising=0,
        backbone_config={
            "model_type": "rt_detr_resnet",
            "embedding_size": 16,
            "hidden_sizes": [16, 32],
            "depths": [1, 1],
            "layer_type": "basic",
            "out_features": ["stage1", "stage2"],
        },
    ),
    "maskformer_swin": Family(
        "models.maskformer.modeling_maskformer_swin.MaskFormerSwinModel",
        "MaskFormerSwinConfig",
        "image",
        SWIN,
    ),
    "clipseg": Family(
        "CLIPSegForImageSegmentation",
        "CLIPSegConfig",
        "text and image",
        {
            "text_config": TXT,
            "vision_config": VIS,
            "extract_layers": [0, 1],
            "reduce_dim": 16,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 24,
        },
    ),
    "groupvit": Family(
        "GroupViTVisionModel",
        "GroupViTVisionConfig",
        "image",
        {"depths": [1, 1, 1], "num_group_tokens": [8, 4, 0], "num_output_groups": [8, 4, 4]},
    ),
    "altclip": Family(
        "AltCLIPModel",
        "AltCLIPConfig",
        "text and image",
        {"text_config": {**TXT, "project_dim": 24}, "vision_config": VIS},
    ),
    "chinese_clip": Family(
        "ChineseCLIPModel",
        "ChineseCLIPConfig",
        "text and image",
        {"text_config": TXT, "vision_config": VIS},
    ),
    "align_text": Family("AlignTextModel", "AlignTextConfig", "masked"),
    "flava_image": Family("FlavaImageModel", "FlavaImageConfig", "image"),
    "siglip": Family(
        "SiglipModel", "SiglipConfig", "text and image", {"text_config": TXT, "vision_config": VIS}
    ),
    "siglip2_vision": Family(
        "Siglip2VisionModel",
        "Siglip2VisionConfig",
        "siglip2",
        {"num_patches": 16, "num_channels": 3},
    ),
    "metaclip2": Family(
        "MetaClip2Model",
        "MetaClip2Config",
        "ended image",
        {"text_config": TXT, "vision_config": VIS},
    ),
    "mlcd": Family("MLCDVisionModel", "MLCDVisionConfig", "image"),
    "pixio": image("Pixio"),
    "hgnet_v2": image(
        "HGNetV2",
        "ForImageClassification",
        stem_channels=[3, 8, 16],
        stage_in_channels=[16, 16],
        stage_mid_channels=[8, 8],
        stage_out_channels=[16, 32],
        stage_num_blocks=[1, 1],
        stage_numb_of_layers=[2, 2],
        stage_downsample=[False, True],
        stage_light_block=[False, True],
        stage_kernel_size=[3, 5],
        embedding_size=16,
        hidden_sizes=[16, 32],
        depths=[1, 1],
        out_features=None,
    ),
    "pp_lcnet": image("PPLCNet", "ForImageClassification", scale=0.25),
    "seggpt": Family(
        "SegGptModel",
        "SegGptConfig",
        "seggpt",
        {
            "image_size": [64, 32],
            "merge_index": 0,
            "intermediate_hidden_state_indices": [1],
            "pretrain_image_size": 32,
            "mlp_dim": 48,
        },
    ),
    "textnet": image("TextNet"),
    "timesformer": Family("TimesformerModel", "TimesformerConfig", "video", {"num_frames": 2}),
    "videomae": Family(
        "VideoMAEModel", "VideoMAEConfig", "video", {"num_frames": 2, "tubelet_size": 2}
    ),
    "vivit": Family(
        "VivitModel", "VivitConfig", "video", {"num_frames": 2, "tubelet_size": [2, 8, 8]}
    ),
    "vjepa2": Family(
        "VJEPA2Model",
        "VJEPA2Config",
        "video vjepa",
        {
            "crop_size": 32,
            "frames_per_clip": 2,
            "tubelet_size": 2,
            "pred_hidden_size": 24,
            "pred_num_attention_heads": 2,
            "pred_num_hidden_layers": 1,
        },
    ),
    "vitdet": image("VitDet", window_size=2, window_block_indices=[0], residual_block_indices=[1]),
    "vitpose_full": image(
        "VitPose",
        "ForPoseEstimation",
        backbone_config={
            "model_type": "vitpose_backbone",
            **VIS,
            "image_size": [32, 32],
            "patch_size": [8, 8],
        },
    ),
    "zoedepth": image(
        "ZoeDepth",
        "ForDepthEstimation",
        backbone_config={
            "model_type": "beit",
            **VIS,
            "num_hidden_layers": 4,
            "out_indices": [1, 2, 3, 4],
            "reshape_hidden_states": False,
        },
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        bottleneck_features=16,
        num_relative_features=8,
        num_attractors=[4, 2, 2, 1],
        bin_embedding_dim=16,
        bin_configurations=[{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": None}],
    ),
    "git": Family("GitModel", "GitConfig", "text and image", {"vision_config": VIS}),
    "blip": Family(
        "BlipModel",
        "BlipConfig",
        "text and image",
        {"text_config": {**TXT, "encoder_hidden_size": 32}, "vision_config": VIS},
    ),
    "blip2_vision": Family("Blip2VisionModel", "Blip2VisionConfig", "image"),
    "blip2_qformer": Family(
        "Blip2QFormerModel", "Blip2QFormerConfig", "qformer", {"encoder_hidden_size": 32}
    ),
    "llava": Family(
        "LlavaForConditionalGeneration",
        "LlavaConfig",
        "llava",
        {
            "text_config": {"model_type": "llama", **TXT},
            "vision_config": {"model_type": "clip_vision_model", **VIS},
            "image_token_index": 5,
            "image_token_id": 5,
        },
    ),
    "idefics3_vision": Family(
        "models.idefics3.modeling_idefics3.Idefics3VisionTransformer",
        "Idefics3VisionConfig",
        "image",
    ),
    "internvl_vision": Family(
        "InternVLVisionModel",
        "InternVLVisionConfig",
        "image",
        {"image_size": [32, 32], "patch_size": [8, 8]},
    ),
    "smolvlm_vision": Family(
        "models.smolvlm.modeling_smolvlm.SmolVLMVisionTransformer", "SmolVLMVisionConfig", "image"
    ),
    "qwen2_vl_text": Family(
        "models.qwen2_vl.modeling_qwen2_vl.Qwen2VLTextModel",
        "Qwen2VLTextConfig",
        "tokens",
        {
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [2, 3, 3],
            }
        },
    ),
    "pixtral_vision": Family("PixtralVisionModel", "PixtralVisionConfig", "image"),
    "dinov2_classes": image("Dinov2", "ForImageClassification"),
    "layoutlmv3_image": Family(
        "LayoutLMv3Model",
        "LayoutLMv3Config",
        "boxes image",
        {"coordinate_size": 5, "shape_size": 6, "max_2d_position_embeddings": 64, "input_size": 32},
    ),
    "unispeech_sat": wave("UniSpeechSat"),
    "sew_d": Family(
        "SEWDModel",
        "SEWDConfig",
        "wave",
        {**SPEECH, "squeeze_factor": 2, "position_buckets": 8, "max_position_embeddings": 32},
    ),
    "clap_audio": Family(
        "ClapAudioModel",
        "ClapAudioConfig",
        "clap",
        {
            "spec_size": 32,
            "num_mel_bins": 8,
            "window_size": 4,
            "patch_embeds_hidden_size": 16,
            "depths": [1, 1],
            "num_attention_heads": [2, 2],
            "patch_size": 2,
            "patch_stride": [2, 2],
            "enable_fusion": False,
            "hidden_size": 32,
        },
    ),
    "speecht5": Family(
        "models.speecht5.modeling_speecht5.SpeechT5EncoderWithTextPrenet",
        "SpeechT5Config",
        "masked values",
        {"max_text_positions": 32, "encoder_max_relative_position": 8},
    ),
    "vits": Family(
        "models.vits.modeling_vits.VitsTextEncoder",
        "VitsConfig",
        "vits",
        {"flow_size": 16, "ffn_dim": 48, "window_size": 4},
    ),
    "parakeet": Family(
        "ParakeetEncoder",
        "ParakeetEncoderConfig",
        "mel features",
        {
            "num_mel_bins": 16,
            "subsampling_factor": 4,
            "subsampling_conv_channels": 8,
            "conv_kernel_size": 3,
            "num_key_value_heads": 2,
        },
    ),
    "seamless_text": Family(
        "models.seamless_m4t.modeling_seamless_m4t.SeamlessM4TEncoder",
        "SeamlessM4TConfig",
        "masked",
    ),
    "seamless_speech": Family(
        "models.seamless_m4t.modeling_seamless_m4t.SeamlessM4TSpeechEncoder",
        "SeamlessM4TConfig",
        "features",
        {
            "feature_projection_input_dim": 16,
            "speech_encoder_layers": 1,
            "speech_encoder_attention_heads": 2,
            "speech_encoder_intermediate_size": 48,
            "max_source_positions": 64,
            "num_adapter_layers": 1,
        },
    ),
    "wav2vec2_classes": Family(
        "Wav2Vec2ForSequenceClassification", "Wav2Vec2Config", "wave", SPEECH
    ),
    "wav2vec2_frames": Family(
        "Wav2Vec2ForAudioFrameClassification", "Wav2Vec2Config", "wave", SPEECH
    ),
    "wav2vec2_xvector": Family(
        "Wav2Vec2ForXVector",
        "Wav2Vec2Config",
        "wave",
        {
            **SPEECH,
            "tdnn_dim": [16, 16],
            "tdnn_kernel": [3, 3],
            "tdnn_dilation": [1, 2],
            "xvector_output_dim": 16,
        },
    ),
    "musicgen_decoder": Family(
        "MusicgenForCausalLM", "MusicgenDecoderConfig", "codebooks", {"num_codebooks": 2}
    ),
    "whisper_classes": Family(
        "WhisperForAudioClassification",
        "WhisperConfig",
        "spectrum",
        {"num_mel_bins": 16, "max_source_positions": 20},
    ),
    "qwen2_audio": Family(
        "Qwen2AudioEncoder",
        "Qwen2AudioEncoderConfig",
        "spectrum",
        {"num_mel_bins": 16, "max_source_positions": 20},
    ),
    "pop2piano": Family("Pop2PianoForConditionalGeneration", "Pop2PianoConfig", "pair"),
    "timesfm": Family(
        "TimesFmModel",
        "TimesFmConfig",
        "timesfm",
        {"patch_length": 4, "context_length": 16, "horizon_length": 4},
    ),
    "time_series": Family(
        "TimeSeriesTransformerModel",
        "TimeSeriesTransformerConfig",
        "time series",
        {
            "prediction_length": 4,
            "context_length": 12,
            "lags_sequence": [1, 2],
            "num_time_features": 2,
            "d_model": 32,
        },
    ),
    "informer": Family(
        "InformerModel",
        "InformerConfig",
        "time series",
        {
            "prediction_length": 4,
            "context_length": 12,
            "lags_sequence": [1, 2],
            "num_time_features": 2,
            "attention_type": "full",
        },
    ),
}


def _boxes(torch: Any) -> Any:
    """Corners of ten boxes."""
    low = torch.randint(0, 30, (1, 10, 2))
    return torch.cat([low, low + torch.randint(1, 30, (1, 10, 2))], -1)


def _series(torch: Any) -> dict[str, Any]:
    return {
        "past_values": numbers(torch, 1, 14),
        "past_time_features": numbers(torch, 1, 14, 2),
        "past_observed_mask": torch.ones(1, 14),
        "future_values": numbers(torch, 1, 4),
        "future_time_features": numbers(torch, 1, 4, 2),
    }


def _about_an_image(torch: Any) -> dict[str, Any]:
    """Text with a token for each of 16 patches."""
    ids = torch.randint(6, 60, (1, 22))
    ids[:, 1:17] = 5
    return {"input_ids": ids, **image_of(torch), "attention_mask": ones(torch, 22)}


MORE_INPUTS: dict[str, Inputs] = {
    "boxes": lambda torch: of_ids(torch, bbox=_boxes(torch), attention_mask=ones(torch, padding=3)),
    "boxes float": lambda torch: of_ids(
        torch, bbox=_boxes(torch).float() / 64, attention_mask=ones(torch, padding=3)
    ),
    "boxes image": lambda torch: of_ids(
        torch, bbox=_boxes(torch), attention_mask=ones(torch, padding=3), **image_of(torch)
    ),
    "masked10": INPUTS["masked"],
    "ids12": lambda torch: {"input_ids": torch.randint(4, 60, (1, 12))},
    "ids32": lambda torch: {"input_ids": torch.randint(4, 60, (1, 10)).int()},
    "choice": lambda torch: {
        "input_ids": torch.randint(4, 60, (1, 3, 10)),
        "attention_mask": torch.ones(1, 3, 10, dtype=torch.long),
    },
    "visual": lambda torch: of_ids(
        torch,
        attention_mask=ones(torch, padding=3),
        visual_embeds=numbers(torch, 1, 5, 16),
        visual_attention_mask=ones(torch, 5).float(),
    ),
    "lxmert": lambda torch: of_ids(
        torch,
        attention_mask=ones(torch, padding=3),
        visual_feats=numbers(torch, 1, 5, 16),
        visual_pos=numbers(torch, 1, 5, 4),
    ),
    "image pair": lambda torch: {**image_of(torch), **next_ids(torch)},
    "ended image": lambda torch: {**of_ids(torch, attention_mask=ones(torch)), **image_of(torch)},
    "siglip2": lambda torch: {
        "pixel_values": numbers(torch, 1, 16, 192),
        "pixel_attention_mask": ones(torch, 16),
        "spatial_shapes": torch.tensor([[4, 4]]),
    },
    "seggpt": lambda torch: {
        "pixel_values": numbers(torch, 1, 3, 32, 32),
        "prompt_pixel_values": numbers(torch, 1, 3, 32, 32),
        "prompt_masks": numbers(torch, 1, 3, 32, 32),
    },
    "video": lambda torch: {"pixel_values": numbers(torch, 1, 2, 3, 32, 32)},
    "video vjepa": lambda torch: {"pixel_values_videos": numbers(torch, 1, 2, 3, 32, 32)},
    "qformer": lambda torch: {
        "query_embeds": numbers(torch, 1, 4, 32),
        "encoder_hidden_states": numbers(torch, 1, 10, 32),
    },
    "llava": lambda torch: _about_an_image(torch),
    "clap": lambda torch: {"input_features": numbers(torch, 1, 1, 40, 8)},
    "masked values": lambda torch: {
        "input_values": torch.randint(4, 60, (1, 10)),
        "attention_mask": ones(torch, padding=3),
    },
    "vits": lambda torch: {
        "input_ids": torch.randint(4, 60, (1, 10)),
        "padding_mask": torch.ones(1, 10, 1),
    },
    "mel features": lambda torch: {
        "input_features": numbers(torch, 1, 40, 16),
        "attention_mask": torch.ones(1, 40, dtype=torch.long),
    },
    "codebooks": lambda torch: {"input_ids": torch.randint(4, 60, (2, 10))},
    "timesfm": lambda torch: {
        "past_values": numbers(torch, 1, 16),
        "past_values_padding": torch.zeros(1, 16),
        "freq": torch.zeros(1, 1, dtype=torch.long),
    },
    "time series": _series,
}

FAMILIES.update(MORE)
INPUTS.update(MORE_INPUTS)
