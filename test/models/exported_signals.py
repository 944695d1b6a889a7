"""Families that read sound or series, for `export_families.py`."""

from __future__ import annotations

from exported_family import SPEECH, Family, wave

SIGNALS: dict[str, Family] = {
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
