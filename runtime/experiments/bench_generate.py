"""Generation: cycles and mJ a token for prefill and decode, and how far decode is from the DMA.

**Definition.** The bound of a decoding step is the time the DMA takes for what the step cannot do
without: all matrices (layers and head) once, and the keys and values of every sequence, up to the
position in whole blocks, and what an encoder left. Tables of which a step reads a row do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.dialects.transformer_attention import KEY_BLOCK
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.measure import Table
from softex_mlir.runtime.generation import Phase
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.session import Memory, run

PROMPTS = (16, 128, 512)
"""Tokens of a prompt."""
BATCHES = (1, 4, 8)
"""Sequences that share the weights, of the second table."""

MODELS: dict[str, Callable[..., Any]] = {
    "GPT-2 small": BUILTIN["gpt2"],
    "Llama, 15 M": BUILTIN["llama-15m"],
    "Whisper tiny": BUILTIN["whisper-tiny"],
}
"""Models with a cache, by name; each takes `max_length`, `batch` and `layers`."""


@dataclass(frozen=True)
class Steps:
    """The prefill of a prompt and the decoding step behind it."""

    prefill: Phase
    decode: Phase


def steps(program: Program, prompt: int) -> Steps:
    """Run a prompt and one step, without arithmetic: cycles do not depend on it."""
    memory = Memory.of(program)
    batch, block = program.at("prefill").inputs[0].shape
    found = Steps(Phase(), Phase())
    go = partial(run, memory=memory, functional=False)
    for start in range(0, prompt, block):
        count = min(block, prompt - start)
        inputs = {
            "input_ids": np.zeros((batch, block), np.int64),
            "position": np.full(batch, start),
            "last": np.full(batch, count - 1),
        }
        found.prefill.add(go(program.at("prefill"), inputs), batch * count)
    inputs = {"input_ids": np.zeros((batch, 1), np.int64), "position": np.full(batch, prompt)}
    found.decode.add(go(program.at("decode"), inputs), batch)
    return found


def decode_bound(program: Program, position: int) -> int:
    """Cycles that the DMA takes at least for a decoding step at a position."""
    decode = program.at("decode")
    batch, capacity = decode.inputs[0].shape[0], decode.inputs[1].limit or 1
    read = {place for launch in decode.metadata["launches"] for place in launch["args"].values()}
    matrices = sum(
        w["bytes"]
        for w in program.metadata["weights"]
        if w["layout"]["kind"] == "tiled" and w["address"] in read
    )
    visible = round_up(position + 1, KEY_BLOCK)
    caches = sum(
        # what an encoder left is read whole
        port["columns"]
        * 2
        * (batch * visible if port["rows"] == batch * capacity else port["rows"])
        for port in program.metadata["states"]
    )
    return -(-(matrices + caches) // program.machine.dma.bytes_per_cycle)


def generation(machine: Machine, prompts: Sequence[int] = PROMPTS) -> list[Table]:
    """Tables over prompt lengths, with and without SoftEx, and over batches."""
    longest = round_up(max(prompts) + 1, KEY_BLOCK)
    rows: list[tuple[str, ...]] = []
    batched: list[tuple[str, ...]] = []
    for name, build in MODELS.items():
        with_softex = Compilation.of(build(max_length=longest), machine).program()
        without = Compilation.of(build(max_length=longest), machine.without_softex()).program()
        for prompt in prompts:
            unit, cores = steps(with_softex, prompt), steps(without, prompt)
            rows.append(
                (
                    name,
                    str(prompt),
                    *_figures(unit.prefill),
                    _ratio(cores.prefill, unit.prefill),
                    *_figures(unit.decode),
                    _ratio(cores.decode, unit.decode),
                    f"{decode_bound(with_softex, prompt):,}",
                    f"{decode_bound(with_softex, prompt) / unit.decode.cycles:.1%}",
                )
            )
        for batch in BATCHES:
            program = Compilation.of(build(max_length=128, batch=batch), machine).program()
            phase, bound = steps(program, 16).decode, decode_bound(program, 16)
            batched.append((name, str(batch), *_figures(phase), f"{bound / phase.cycles:.1%}"))
    return [
        Table(
            "Cycles and mJ a token, batch 1; times as many cycles without SoftEx; of a step the "
            "DMA bound (matrices, head and cache) and its share of the cycles",
            (
                *("model", "prompt", "prefill", "mJ", "without"),
                *("decode", "mJ", "without", "bound", "share"),
            ),
            tuple(rows),
        ),
        Table(
            "A decoding step behind 16 tokens, a token of each sequence",
            ("model", "batch", "cycles a token", "mJ", "DMA bound's share"),
            tuple(batched),
        ),
    ]


def _figures(phase: Phase) -> tuple[str, str]:
    """Cycles and mJ a token."""
    return f"{phase.cycles / phase.tokens:,.0f}", f"{phase.joules * 1e3 / phase.tokens:.4f}"


def _ratio(cores: Phase, unit: Phase) -> str:
    return f"{cores.cycles / unit.cycles:.2f}x"
