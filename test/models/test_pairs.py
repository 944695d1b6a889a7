"""Encoder-decoder models from ONNX files as Optimum writes them (`record_pairs.py`)."""

from __future__ import annotations

from pathlib import Path
from shutil import copy

import pytest

from softex_mlir.compiler.decoders import DecoderFiles, read_decoder
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError
from softex_mlir.front_door import compile_and_check, named_model
from softex_mlir.runtime.decoder_check import DecoderCheck

FOLDER = Path(__file__).parent / "pairs"
SIZES = {"max_length": 128, "tokens": 24}


@pytest.mark.parametrize("name", ["t5", "bart", "whisper"])
def test_entries_compute_what_the_files_say(name: str):
    # the files with no cache, on whole sequences and with padding, in ONNX's own implementation
    watch = DecoderCheck(FOLDER / name, {}, True)
    model = read_decoder(FOLDER / name, {**SIZES, "batch": 2})
    model.module.verify()
    watch.observe("import", model)
    assert watch.errors["import"] < 1e-5


def test_a_folder_is_compiled_and_checked():
    model = named_model(FOLDER / "bart", SIZES)
    compilation, line = compile_and_check(model)
    assert line.startswith("self-check: prefill and decode, import ")
    program = compilation.program()
    made = program.generate([[3, 17, 50]], 4, start=[2], check=True)
    assert made.check is not None
    assert not made.check.different
    # what the encoder leaves: keys and values of a layer, and which of its tokens count
    kept = [op for op in compilation.model.module.walk() if isinstance(op, t.KeepOp)]
    assert sorted(op.state.string_value() for op in kept) == [
        "encoder_attention_mask.32",
        "past_key_values.0.encoder.key",
        "past_key_values.0.encoder.value",
    ]


def test_files_are_found_by_their_names(tmp_path: Path):
    t5, bart = FOLDER / "t5", FOLDER / "bart"
    merged = t5 / "decoder_model_merged.onnx"
    for path in (t5, merged, t5 / "encoder_model.onnx"):
        files = DecoderFiles.of(path)
        assert files.decoder == merged
        assert files.encoder is not None
        assert files.encoder.first == merged
    files = DecoderFiles.of(bart)
    assert files.decoder == bart / "decoder_with_past_model.onnx"
    assert files.encoder is not None
    assert files.encoder.first == bart / "decoder_model.onnx"
    with pytest.raises(UserError, match=r"expected a decoder with a past .* found no \.onnx file"):
        DecoderFiles.of(tmp_path)
    copy(files.decoder, tmp_path)
    with pytest.raises(UserError, match=r"expected encoder_model\.onnx and decoder_model\.onnx"):
        DecoderFiles.of(tmp_path)
    alone = FOLDER.parent / "decoders" / "gpt2.onnx"
    assert DecoderFiles.of(alone).encoder is None
    copy(alone, tmp_path / "model.onnx")
    (tmp_path / files.decoder.name).unlink()
    assert DecoderFiles.of(tmp_path).decoder == tmp_path / "model.onnx"
    with pytest.raises(UserError, match="has no encoder, expected no --tokens"):
        read_decoder(tmp_path, SIZES)
