"""Generation: cycles and mJ a token for prefill and decode, and how far decode is from the DMA.

**Definition.** The bound of a decoding step is the time the DMA takes for what the step cannot do
without: all matrices (layers and head) once, and the keys and values of every sequence, up to the
position in whole blocks, and what an encoder left. Tables of which a step reads a row do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from softex_mlir.abi import ENCODE
from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.dialects.transformer_attention import KEY_BLOCK
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.kept import Kept, Progress
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
CONTEXTS = {"Whisper tiny": 448}
"""Tokens that a model's positions end with, where that is less than the longest prompt."""


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
    batch = decode.inputs[0].shape[0]
    read = _places(decode)
    matrices = sum(
        w["bytes"]
        for w in program.metadata["weights"]
        if w["layout"]["kind"] == "tiled" and w["address"] in read
    )
    visible = batch * round_up(position + 1, KEY_BLOCK)
    # what an encoder left is read whole
    whole = _places(program.at(ENCODE)) if ENCODE in program.entries else set[int]()
    (capacity,) = {batch * round_up(p.limit or 0, KEY_BLOCK) for p in decode.inputs[1:]}
    caches = sum(
        size if port["address"] in whole else size * visible // capacity
        for port in program.metadata["states"]
        if (size := port["rows"] * port["columns"] * 2)
    )
    return -(-(matrices + caches) // program.machine.dma.bytes_per_cycle)


def _places(program: Program) -> set[int]:
    """The addresses that the launches of an entry are given."""
    return {place for launch in program.metadata["launches"] for place in launch["args"].values()}


def _encoded(program: Program) -> dict[str, Any]:
    """A run of the encoder, without arithmetic."""
    result = run(program.at(ENCODE), memory=Memory.of(program), functional=False)
    return {"cycles": result.cycles, "joules": result.energy_joules}


def _measured(program: Program, prompts: Sequence[int]) -> dict[str, Any]:
    """What a program takes: a token of prefill and of the step behind, by length of the prompt."""
    found: dict[str, Any] = {}
    for prompt in prompts:
        both = steps(program, prompt)
        found[str(prompt)] = {
            "prefill": _a_token(both.prefill),
            "decode": _a_token(both.decode),
            "step": both.decode.cycles,
            "bound": decode_bound(program, prompt),
        }
    if ENCODE in program.entries:
        found[ENCODE] = _encoded(program)
    return found


def _a_token(phase: Phase) -> dict[str, float]:
    return {"cycles": phase.cycles / phase.tokens, "joules": phase.joules / phase.tokens}


def generation(
    machine: Machine,
    state: Path | None = None,
    progress: Progress | None = None,
    *,
    models: Mapping[str, Callable[..., Any]] = MODELS,
    prompts: Sequence[int] = PROMPTS,
    batches: Sequence[int] = BATCHES,
) -> list[Table]:
    """Tables over lengths of prompts, with and without SoftEx, and over batches.

    Args:
        state: keeps what was measured, for this machine and this code; another run goes on from it.
        progress: is told what is done now.
    """
    kept = Kept(state, machine, progress)
    rows: list[tuple[str, ...]] = []
    encoded: list[tuple[str, ...]] = []
    batched: list[tuple[str, ...]] = []

    def measured(
        title: str, build: Callable[[], Any], target: Machine, lengths: Sequence[int]
    ) -> dict[str, Any]:
        return kept.get(
            title, lambda: _measured(Compilation.of(build(), target).program(), lengths)
        )

    for name, model in models.items():
        lengths = [n for n in prompts if n < CONTEXTS.get(name, n + 1)]
        build = partial(model, max_length=round_up(max(lengths) + 1, KEY_BLOCK))
        unit = measured(name, build, machine, lengths)
        cores = measured(f"{name}, without SoftEx", build, machine.without_softex(), lengths)
        for prompt in map(str, lengths):
            one, other = unit[prompt], cores[prompt]
            rows.append(
                (
                    *(name, prompt),
                    *_compared(one["prefill"], other["prefill"]),
                    *_compared(one["decode"], other["decode"]),
                    f"{one['bound']:,}",
                    f"{one['bound'] / one['step']:.1%}",
                )
            )
        if ENCODE in unit:
            encoded.append((name, *_compared(unit[ENCODE], cores[ENCODE])))
        for batch in batches:
            build = partial(model, max_length=KEY_BLOCK, batch=batch)
            title = f"{name}, batch {batch}"
            found = measured(title, build, machine, [min(prompts)])[str(min(prompts))]
            share = f"{found['bound'] / found['step']:.1%}"
            batched.append((name, str(batch), *_figures(found["decode"]), share))
    tables = [
        Table(
            "Cycles and mJ a token, batch 1, and times as many cycles without SoftEx; of a step "
            "the DMA bound (matrices, head and cache) and its share of the cycles",
            (
                *("model", "prompt", "prefill", "mJ", "without"),
                *("decode", "mJ", "without", "bound", "share"),
            ),
            tuple(rows),
        ),
        Table(
            f"A decoding step behind {min(prompts)} tokens, a token of each sequence",
            ("model", "batch", "cycles a token", "mJ", "DMA bound's share"),
            tuple(batched),
        ),
    ]
    if encoded:
        columns = ("model", "cycles", "mJ", "without")
        tables.append(Table("An encoder's run, once a prompt", columns, tuple(encoded)))
    return tables


def _figures(of: Mapping[str, float]) -> tuple[str, str]:
    return f"{of['cycles']:,.0f}", f"{of['joules'] * 1e3:.4f}"


def _compared(unit: Mapping[str, float], cores: Mapping[str, float]) -> tuple[str, str, str]:
    return (*_figures(unit), f"{cores['cycles'] / unit['cycles']:.2f}x")
