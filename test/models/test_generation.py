"""Tokens that programs generate against those of the evaluator, with a cache and without."""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from sampling import matrix

from softex_mlir.compiler.decoders import read_decoder
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.bart import bart
from softex_mlir.compiler.models.llama import llama
from softex_mlir.compiler.models.t5 import t5
from softex_mlir.compiler.models.text import gpt2
from softex_mlir.compiler.models.whisper import whisper
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.reference import evaluate

SMALL = {"hidden": 32, "layers": 1, "mlp": 64, "vocabulary": 96}
LLAMA = {**SMALL, "heads": 4, "key_heads": 2, "tied": False}
FAMILIES = {
    "gpt2": partial(gpt2, "gpt2", **SMALL, heads=2),
    "llama": partial(llama, "llama", **{**LLAMA, "key_heads": 4}),
    "qwen2": partial(llama, "qwen2", **LLAMA, qkv_bias=True),
    "mistral": partial(llama, "mistral", **LLAMA, window=20),
}
TOKENS = 64
PROMPT = (3, 17, 90, 4, 33)


@matrix("name, kib", list(product(FAMILIES, (256, 48))), 1)
def test_tokens_are_those_of_the_evaluator(name: str, kib: int):
    machine = Machine.load("paper").with_tcdm_bytes(kib * 1024)
    compilation = Compilation.of(FAMILIES[name](max_length=128), machine)
    made = compilation.program().generate([PROMPT], TOKENS)
    (tokens,) = made.tokens
    assert len(tokens) == TOKENS
    model, state = compilation.model, dict[str, np.ndarray]()
    run = partial(evaluate, model.module, model.weights, machine=machine, state=state)
    ids = np.zeros((1, 64), np.int64)
    ids[0, : len(PROMPT)] = PROMPT
    first = {"input_ids": ids, "position": np.zeros(1, int), "last": np.array([len(PROMPT) - 1])}
    cached = [run(first, entry="prefill")["logits"][0]]
    for position, token in enumerate(tokens[:-1], len(PROMPT)):
        inputs = {"input_ids": np.array([[token]]), "position": np.array([position])}
        cached.append(run(inputs, entry="decode")["logits"][0])
    assert tokens == [likeliest(row) for row in cached]
    # the same bits without a cache: padded keys add nothing to sums in the same order
    whole = FAMILIES[name](tokens=len(PROMPT) + TOKENS - 1)
    sequence = np.array([[*PROMPT, *tokens[:-1]]])
    found = evaluate(whole.module, whole.weights, {"input_ids": sequence}, machine=machine)
    assert np.array_equal(found["logits"][0, len(PROMPT) - 1 :], np.stack(cached))


def from_files(name: str, max_length: int) -> Model:
    folder = Path(__file__).parent / "pairs" / name
    return read_decoder(folder, {"max_length": max_length, "tokens": 24})


PAIRS = {
    "bart": partial(
        bart, "bart", tokens=24, hidden=32, encoder_layers=1, layers=1, heads=2, vocabulary=96
    ),
    "t5": partial(
        *(t5, "t5"),
        **{"tokens": 24, "hidden": 32, "encoder_layers": 1, "layers": 1, "heads": 2},
        **{"head_size": 16, "mlp": 64, "vocabulary": 96},
    ),
    "whisper": partial(
        *(whisper, "whisper"),
        **{"source": 24, "mels": 8, "hidden": 32, "encoder_layers": 1, "layers": 1},
        **{"heads": 2, "vocabulary": 96},
    ),
    **{f"{name}.onnx": partial(from_files, name) for name in ("bart", "t5", "whisper")},
}


@matrix("name, kib", list(product(PAIRS, (256, 48))), 1)
def test_tokens_behind_an_encoder_are_those_of_the_evaluator(name: str, kib: int):
    machine = Machine.load("paper").with_tcdm_bytes(kib * 1024)
    compilation = Compilation.of(PAIRS[name](max_length=TOKENS), machine)
    program, model = compilation.program(), compilation.model
    if name.startswith("whisper"):
        features = np.random.default_rng(0).standard_normal((1, 8, 48), np.float32)
        heard = {"input_features": features}
        made = program.generate([[2]], TOKENS, inputs=heard)
    else:
        heard = {"input_ids": np.zeros((1, 24), int), "attention_mask": np.zeros((1, 24), int)}
        heard["input_ids"][0, : len(PROMPT)], heard["attention_mask"][0, : len(PROMPT)] = PROMPT, 1
        made = program.generate([PROMPT], TOKENS, start=[2])
    assert (made.encode.runs, made.prefill.tokens, made.decode.tokens) == (1, 1, TOKENS - 1)
    run = partial(evaluate, model.module, model.weights, machine=machine, state={})
    run(heard, entry="encode")
    block = np.zeros((1, 64), np.int64)
    block[0, 0] = 2
    first = {"input_ids": block, "position": np.zeros(1, int), "last": np.zeros(1, int)}
    row, tokens = run(first, entry="prefill")["logits"][0], list[int]()
    for position in range(1, TOKENS):
        tokens.append(likeliest(row))
        inputs = {"input_ids": np.array([tokens[-1:]]), "position": np.array([position])}
        row = run(inputs, entry="decode")["logits"][0]
    assert made.tokens == [[*tokens, likeliest(row)]]
    # the same bits for the whole sequence at once, of which nothing was kept
    run = partial(evaluate, model.module, model.weights, machine=machine, state={})
    run(heard, entry="encode")
    block[0] = [2, *tokens]
    whole = {"input_ids": block, "position": np.zeros(1, int), "last": np.array([TOKENS - 1])}
    assert np.array_equal(run(whole, entry="prefill")["logits"][0], row)


def likeliest(row: np.ndarray) -> int:
    return int(np.argmax(row.astype(np.float64)))
