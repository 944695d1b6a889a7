"""Whisper: an encoder that runs once, and a decoder that attends to what it left."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import built_in
from softex_mlir.errors import UserError
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.reference import evaluate

FOLDER = Path(__file__).parent / "checkpoints" / "whisper"


def test_entries_compute_what_transformers_computes():
    with np.load(FOLDER / "expected.npz") as file:
        arrays = dict(file)
    model = built_in("whisper", {"batch": 2}, FOLDER / "model.safetensors")
    assert [port.shape for port in model.inputs] == [(2, 8, 48)]
    ids, state = arrays["decoder_input_ids"], dict[str, np.ndarray]()
    run = partial(evaluate, model.module, model.weights, arithmetic="float32", state=state)
    run({"input_features": arrays["input_features"]}, entry="encode")
    padded = np.zeros((2, 64), np.int64)
    padded[:, :8] = ids[:, :8]
    first = {"input_ids": padded, "position": np.zeros(2, int), "last": np.array([7, 3])}
    found = run(first, entry="prefill")["logits"]
    assert np.abs(found - arrays["logits"][[0, 1], [7, 3]]).max() < 1e-4
    for position in range(8, 12):
        inputs = {"input_ids": ids[:, position, None], "position": np.full(2, position)}
        found = run(inputs, entry="decode")["logits"]
        assert np.abs(found - arrays["logits"][:, position]).max() < 1e-4


def test_a_program_is_bit_identical_entry_by_entry():
    model = built_in("whisper", {"max_length": 64}, FOLDER / "model.safetensors")
    program = Compilation.of(model).program()
    assert program.entries == ("encode", "prefill", "decode")
    features = np.random.default_rng(0).standard_normal((1, 8, 48), np.float32)
    inputs = {
        "encode": {"input_features": features},
        "prefill": {
            "input_ids": np.arange(64).reshape(1, 64) % 60,
            "position": np.array([0]),
            "last": np.array([3]),
        },
        "decode": {"input_ids": np.array([[5]]), "position": np.array([4])},
    }
    memory, state = session.Memory.of(program), dict[str, np.ndarray]()
    for entry, arrays in inputs.items():
        at = program.at(entry)
        result = session.run(at, arrays, memory=memory)
        assert check(at, result, {}, state).identical, entry
    # what is heard decides what is said
    heard = [
        program.generate([[3, 4]], 4, inputs={"input_features": x}).tokens
        for x in (features, features, -features)
    ]
    assert heard[0] == heard[1]
    made = program.generate([[3, 4]], 2, inputs={"input_features": features})
    assert (made.encode.runs, made.prefill.runs, made.decode.runs) == (1, 1, 1)


def test_sizes_that_it_does_not_have_are_refused():
    with pytest.raises(UserError, match="whisper has no tokens"):
        built_in("whisper", {"tokens": 3}, FOLDER / "model.safetensors")
    with pytest.raises(UserError, match="allows 128 positions"):
        built_in("whisper", {"max_length": 129}, FOLDER / "model.safetensors")
