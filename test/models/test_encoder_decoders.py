"""BART and T5: an encoder that runs once, and a decoder that attends to what it left."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models import built_in
from softex_mlir.errors import UserError
from softex_mlir.runtime.reference import evaluate

CHECKPOINTS = Path(__file__).parent / "checkpoints"
PROMPT = (3, 17, 50, 4, 33)
NAMES = {"bart": "bart", "t5": "t5", "flan-t5": "t5"}


def loaded(name: str, **sizes: int) -> Model:
    sizes = {"tokens": 24, "max_length": 128, **sizes}
    return built_in(NAMES[name], sizes, CHECKPOINTS / name / "model.safetensors")


@pytest.mark.parametrize("name", NAMES)
def test_entries_compute_what_transformers_computes(name: str):
    with np.load(CHECKPOINTS / name / "expected.npz") as file:
        arrays = dict(file)
    model = loaded(name, batch=2)
    ids, state = arrays["decoder_input_ids"], dict[str, np.ndarray]()
    run = partial(evaluate, model.module, model.weights, arithmetic="float32", state=state)
    source = {key: arrays[key] for key in ("input_ids", "attention_mask")}
    run(source, entry="encode")
    padded = np.zeros((2, 64), np.int64)
    padded[:, :36] = ids[:, :36]
    first = {"input_ids": padded, "position": np.zeros(2, int), "last": np.array([35, 3])}
    found = run(first, entry="prefill")["logits"]
    assert np.abs(found - arrays["logits"][[0, 1], [35, 3]]).max() < 1e-4
    for position in range(36, 40):
        inputs = {"input_ids": ids[:, position, None], "position": np.full(2, position)}
        found = run(inputs, entry="decode")["logits"]
        assert np.abs(found - arrays["logits"][:, position]).max() < 1e-4


def test_the_encoder_reads_the_prompt():
    program = Compilation.of(built_in("demo-t5", {"max_length": 50})).program()
    one, other = (program.generate([ids], 3, start=[0]) for ids in (PROMPT, PROMPT[::-1]))
    assert one.encode.cycles == other.encode.cycles
    inputs = {"input_ids": np.zeros((1, 24), int), "attention_mask": np.zeros((1, 24), int)}
    inputs["input_ids"][0, : len(PROMPT)], inputs["attention_mask"][0, : len(PROMPT)] = PROMPT, 1
    assert program.generate([[0]], 3, inputs=inputs).tokens == one.tokens
    with pytest.raises(UserError, match="--start-ids"):
        program.generate([PROMPT], 3)
    with pytest.raises(UserError, match="--tokens 25"):
        program.generate([[1] * 25], 3, start=[0])
    # the maximum is what was asked for, whatever memory there is
    with pytest.raises(UserError, match=r"room for 50: compile with --max-length 51"):
        program.generate([PROMPT], 51, start=[0])


def test_what_an_encoder_leaves_lies_as_attention_reads_it():
    # 67 tokens are a block of columns and a rest; no key is turned at every step
    model = built_in("demo-t5", {"max_length": 50, "tokens": 67, "batch": 2})
    program = Compilation.of(model).program()
    made = program.generate([PROMPT, PROMPT[::-1]], 2, start=[0], check=True)
    assert made.check is not None
    assert not made.check.different
    kernels = {launch["kernel"] for launch in program.at("decode").metadata["launches"]}
    assert any("_cached" in kernel for kernel in kernels)
    assert not any("transpose" in kernel for kernel in kernels)
