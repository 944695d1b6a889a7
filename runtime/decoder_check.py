"""The self-check of a decoder with a cache: its entries against the file on whole sequences."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from softex_mlir.abi import ENCODE
from softex_mlir.compiler.decoders import DecoderFiles
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.importers.onnx.decoder import (
    cache_sizes,
    cached_input,
    has_all_places,
)
from softex_mlir.compiler.importers.onnx.encoder import MASK, SCOPE, encoder_graph
from softex_mlir.compiler.importers.onnx.varying import Lengths
from softex_mlir.compiler.model import Model
from softex_mlir.dialects.transformer_attention import KEY_BLOCK
from softex_mlir.runtime.onnx_reference import (
    NoReference,
    evaluate_onnx,
    load_widened,
    typed_inputs,
)
from softex_mlir.runtime.reference import evaluate
from softex_mlir.runtime.self_check import (
    SEED,
    TOLERANCE,
    Array,
    SelfCheckError,
    Shapes,
    in_hardware,
    reason_to_skip,
    relative_error,
)

DECODED = 2
"""Tokens that go through `decode` behind a first block."""
AGAIN = 5
"""Tokens of a second block, which is padded."""


@dataclass
class DecoderCheck:
    """Watches the compilation of a decoder as `SelfCheck` does that of other models.

    A prompt goes through `prefill`, then tokens through `decode`, then, where there is room, they
    go through `prefill` again; the logits must be those of the file for the whole sequence at once,
    with an empty cache. Of a decoder with an encoder, `encode` runs first, the last tokens of its
    first sequence hidden.
    """

    path: Path
    shapes: Shapes
    forced: bool | None = None
    skipped: str = ""
    errors: dict[str, float] = field(default_factory=dict[str, float])
    _ids: Array = field(default_factory=lambda: np.zeros(0))
    _heard: dict[str, Array] = field(default_factory=dict[str, Array])
    """Inputs of `encode`, if there is one."""
    _expected: Array = field(default_factory=lambda: np.zeros(0))

    def observe(self, stage: str, model: Model) -> None:
        """Compare the model as it stands.

        Raises `SelfCheckError` if it differs from the file.
        """
        if stage == "import":
            self._start(model)
        if self.skipped:
            return
        error = relative_error(self._run(model, arithmetic="float32"), self._expected)
        if not error <= TOLERANCE:
            raise SelfCheckError(
                f"{self.path}: self-check: after {stage} the logits of prefill and decode differ "
                f"from those of the whole sequence by {error:.2g} of their largest value "
                f"({TOLERANCE:g} is allowed): the file's outputs depend on the number of tokens in "
                "the cache in a way that the compiler does not see, please report it "
                "(--no-self-check compiles nevertheless)"
            )
        self.errors[stage] = error

    def finish(self, compilation: Compilation) -> str:
        """One line about what was compared, and how close the hardware's arithmetic comes."""
        if self.skipped:
            return f"self-check: {self.skipped}"
        found = self._run(compilation.model, machine=compilation.machine)
        wrong = found.astype(np.float64) - self._expected
        rms = float(np.sqrt(np.mean(wrong**2) / max(np.mean(self._expected**2), 1e-30)))
        steps = ", ".join(f"{stage} {error:.1e}" for stage, error in self.errors.items())
        return f"self-check: prefill and decode, {steps} of float32; {in_hardware(rms)}"

    def _start(self, model: Model) -> None:
        self.skipped = reason_to_skip(model, self.forced)
        if self.skipped:
            return
        prefill = replace(model, entry="prefill")
        batch, _ = prefill.inputs[0].shape
        room = replace(model, entry="decode").inputs[1].limit
        tokens = min(KEY_BLOCK + AGAIN, room or KEY_BLOCK)
        random = np.random.default_rng(SEED)
        self._ids = random.integers(0, prefill.outputs[0].shape[-1], (batch, tokens))
        try:
            logits = self._behind_encoder(model) if model.entry == ENCODE else self._alone()
        except NoReference as error:
            self.skipped = f"not verified: {error}"
            return
        last = [end - 1 for _, _, end in self._protocol()]
        self._expected = logits[:, last].astype(np.float64)

    def _alone(self) -> Array:
        proto = load_widened(self.path)
        batch, tokens = self._ids.shape
        inputs = self._inputs(proto, Lengths(batch, tokens, 0))
        names = [o.name for o in proto.graph.output]
        name = "logits" if "logits" in names else names[0]
        return evaluate_onnx(proto, inputs, [name])[name]

    def _behind_encoder(self, model: Model) -> Array:
        files = DecoderFiles.of(self.path).encoder
        assert files is not None
        random = np.random.default_rng(SEED)
        for port in model.inputs:
            if port.name == "attention_mask":
                array = np.ones(port.shape, np.int64)
                array[0, port.shape[1] - port.shape[1] // 3 :] = 0
            elif port.dtype.startswith("int"):
                array = random.integers(0, int(self._ids.max()) + 1, port.shape)
            else:
                array = random.standard_normal(port.shape).astype(np.float32)
            self._heard[port.name] = array
        proto = encoder_graph(files, outputs=["logits"], read=load_widened)
        given = {**self._heard, f"{SCOPE}input_ids": self._ids}
        if "attention_mask" in self._heard:
            given[f"{SCOPE}{MASK}"] = self._heard["attention_mask"]
        name = f"{SCOPE}logits"
        return evaluate_onnx(proto, typed_inputs(proto, given), [name])[name]

    def _inputs(self, proto: Any, lengths: Lengths) -> dict[str, Array]:
        arrays: dict[str, Array] = {}
        given = {tensor.name for tensor in proto.graph.initializer}
        for value in [v for v in proto.graph.input if v.name not in given]:
            found = cached_input(proto.graph, value, lengths)
            if found is None:
                heads, size = cache_sizes(value, self.shapes)
                places = lengths.total if has_all_places(proto.graph, value.name) else 0
                found = np.zeros((lengths.batch, heads, places, size), np.float32)
            if value.name == "input_ids":
                found = self._ids.astype(found.dtype)
            arrays[value.name] = found
        return arrays

    def _run(self, model: Model, **arithmetic: Any) -> Array:
        """Logits [batch, steps, ids] of the protocol."""
        state: dict[str, Array] = {}
        batch = len(self._ids)
        go = partial(evaluate, model.module, model.weights, state=state, **arithmetic)
        if self._heard:
            go(self._heard, entry=ENCODE)

        def run(entry: str, first: int, count: int) -> Array:
            size = KEY_BLOCK if entry == "prefill" else 1
            ids = np.zeros((batch, size), np.int64)
            ids[:, :count] = self._ids[:, first : first + count]
            inputs = {"input_ids": ids, "position": np.full(batch, first)}
            if entry == "prefill":
                inputs["last"] = np.full(batch, count - 1)
            return np.asarray(go(inputs, entry=entry)["logits"], np.float64)

        steps = [run(entry, first, end - first) for entry, first, end in self._protocol()]
        return np.stack(steps, 1)

    def _protocol(self) -> list[tuple[str, int, int]]:
        """Entries in order, the first token that each takes, and the one behind its last."""
        tokens = self._ids.shape[1]
        first = min(KEY_BLOCK, max(tokens - DECODED, 1))
        found = [("prefill", 0, first)]
        found += [("decode", at, at + 1) for at in range(first, min(first + DECODED, tokens))]
        return found + ([("prefill", KEY_BLOCK, tokens)] if tokens > KEY_BLOCK else [])
