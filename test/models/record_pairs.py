"""Record encoder-decoder models as Optimum writes them: `python test/models/record_pairs.py`.

Needs torch, transformers and Optimum (`pip install optimum-onnx onnxruntime`), which no test does.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

torch: Any = import_module("torch")
transformers: Any = import_module("transformers")
main_export: Any = import_module("optimum.exporters.onnx").main_export

FOLDER = Path(__file__).parent / "pairs"
MERGED, PARTS = ("decoder_model_merged",), ("decoder_model", "decoder_with_past_model")


def export(name: str, model: Any, task: str, kept: tuple[str, ...], **sizes: int) -> None:
    """Write the encoder and the decoder, merged or in two files."""
    with TemporaryDirectory() as checkpoint, TemporaryDirectory() as written:
        model.eval().save_pretrained(checkpoint)
        main_export(checkpoint, written, task=f"{task}-with-past", do_validation=False, **sizes)
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
        for file in ("encoder_model", *kept):
            data = (Path(written) / f"{file}.onnx").read_bytes()
            (FOLDER / name / f"{file}.onnx").write_bytes(data)


def main() -> None:
    """Write all of them."""
    torch.manual_seed(0)
    sides = ("encoder", "decoder")
    layers: dict[str, Any] = {f"{side}_layers": 1 for side in sides}
    layers |= {f"{side}_attention_heads": 2 for side in sides}
    layers |= {f"{side}_ffn_dim": 32 for side in sides}
    t5 = transformers.T5Config(
        vocab_size=96, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_decoder_layers=1, num_heads=2
    )
    bart = transformers.BartConfig(vocab_size=96, d_model=32, max_position_embeddings=128, **layers)
    whisper = transformers.WhisperConfig(
        vocab_size=96,
        d_model=32,
        num_mel_bins=8,
        max_source_positions=24,
        max_target_positions=128,
        **dict.fromkeys(("pad_token_id", "bos_token_id", "decoder_start_token_id"), 0),
        **{"eos_token_id": 1, "suppress_tokens": None, "begin_suppress_tokens": None, **layers},
    )
    text = "text2text-generation"
    export("t5", transformers.T5ForConditionalGeneration(t5), text, MERGED)
    export("bart", transformers.BartForConditionalGeneration(bart), text, PARTS)
    heard = "automatic-speech-recognition"
    speech = transformers.WhisperForConditionalGeneration(whisper)
    export("whisper", speech, heard, MERGED, nb_max_frames=48)


if __name__ == "__main__":
    main()
