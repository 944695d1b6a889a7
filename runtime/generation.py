"""Generation: a prompt through `prefill` block by block, then token by token through `decode`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from softex_mlir.errors import Interrupted, UserError
from softex_mlir.runtime.session import Memory, Result, run

if TYPE_CHECKING:
    from softex_mlir.runtime.program import Program


@dataclass
class Phase:
    """What the runs of an entry took together."""

    runs: int = 0
    tokens: int = 0
    cycles: int = 0
    seconds: float = 0.0
    joules: float = 0.0

    def add(self, result: Result, tokens: int) -> None:
        """Count a run that computed so many tokens."""
        self.runs += 1
        self.tokens += tokens
        self.cycles += result.cycles
        self.seconds += result.profile.seconds
        self.joules += result.energy_joules

    def to_json(self) -> dict[str, Any]:
        """Cycles, ms, mJ and tokens a second."""
        rate = self.tokens / self.seconds if self.seconds else 0.0
        return {
            "runs": self.runs,
            "tokens": self.tokens,
            "cycles": self.cycles,
            "ms": self.seconds * 1e3,
            "mj": self.joules * 1e3,
            "tokens_per_second": rate,
        }


@dataclass
class Generation:
    """Tokens of every sequence so far, and what they took."""

    tokens: list[list[int]]
    prefill: Phase = field(default_factory=Phase)
    decode: Phase = field(default_factory=Phase)
    interrupted: bool = False


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen: the likeliest, or drawn from the `top_k` likeliest."""

    top_k: int | None = None
    temperature: float = 1.0
    seed: int = 0

    def choose(self, logits: np.ndarray, random: np.random.Generator) -> int:
        """A token id. Of equal logits the first is the likeliest."""
        values = logits.astype(np.float64)
        if self.top_k is None:
            return int(np.argmax(values))
        best = np.argsort(-values, kind="stable")[: self.top_k]
        scaled = (values[best] - values[best[0]]) / self.temperature
        weights = np.exp(scaled)
        return int(random.choice(best, p=weights / weights.sum()))


def generate(
    program: Program,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    sampling: Sampling | None = None,
    stop: int | None = None,
    on_token: Callable[[list[int]], None] | None = None,
) -> Generation:
    """Continue prompts, one for every sequence of the program's batch.

    Args:
        prompts: token ids; all of one length.
        max_new_tokens: most tokens a sequence gets.
        sampling: how tokens are chosen; default: greedily.
        stop: ends a sequence; when all have met it, generation ends.
        on_token: called with the new token of every sequence.

    Raises:
        UserError: the program has no such entries, or the prompts do not fit it.
    """
    if program.entries != ("prefill", "decode"):
        raise UserError(
            "the program has no entries prefill and decode: compile the model with --max-length N"
        )
    prefill, decode = program.at("prefill"), program.at("decode")
    ports = {port.name: port for port in prefill.inputs}
    batch, block = ports["input_ids"].shape
    _check(prompts, max_new_tokens, batch, (decode.inputs[1].limit or 1))
    sampling = sampling or Sampling()
    random = np.random.default_rng(sampling.seed)
    made = Generation([[] for _ in prompts])
    memory = Memory.of(program)
    length = len(prompts[0])
    ids = np.zeros((batch, -(-length // block) * block), np.int64)
    ids[:, :length] = np.asarray(prompts)
    result: Result | None = None
    try:
        for start in range(0, length, block):
            last = min(block, length - start) - 1
            inputs = {
                "input_ids": ids[:, start : start + block],
                "position": np.full(batch, start),
                "last": np.full(batch, last),
            }
            result = run(prefill, inputs, memory=memory)
            made.prefill.add(result, batch * (last + 1))
        for step in range(max_new_tokens):
            assert result is not None
            new = [sampling.choose(row, random) for row in result.outputs["logits"]]
            for sequence, token in zip(made.tokens, new, strict=True):
                sequence.append(token)
            if on_token is not None:
                on_token(new)
            if stop is not None and all(stop in sequence for sequence in made.tokens):
                break
            if step + 1 == max_new_tokens:
                break
            position = np.full(batch, length + step)
            result = run(
                decode,
                {"input_ids": np.asarray(new).reshape(batch, 1), "position": position},
                memory=memory,
            )
            made.decode.add(result, batch)
    except (Interrupted, KeyboardInterrupt):
        made.interrupted = True
    return made


def _check(prompts: Sequence[Sequence[int]], wanted: int, batch: int, capacity: int) -> None:
    if len(prompts) != batch:
        raise UserError(
            f"expected {batch} prompts, the program's batch, found {len(prompts)}: compile with "
            f"--batch {len(prompts)}"
        )
    lengths = sorted({len(prompt) for prompt in prompts})
    if lengths[0] == 0 or len(lengths) > 1:
        raise UserError(f"expected prompts of one length, found lengths {lengths}")
    if wanted < 1:
        raise UserError(f"expected at least one new token, found {wanted}")
    if lengths[0] + wanted - 1 > capacity:
        raise UserError(
            f"{lengths[0]} tokens and {wanted} new ones: the program has room for {capacity}: "
            f"compile with --max-length {lengths[0] + wanted}"
        )


def lines(made: Generation) -> Iterator[str]:
    """The figures for people."""
    for name, phase in (("prefill", made.prefill), ("decode", made.decode)):
        if phase.runs:
            yield (
                f"{name:8}{phase.tokens} tokens, {phase.cycles:,} cycles, "
                f"{phase.seconds * 1e3:.3f} ms, {phase.joules * 1e3:.4f} mJ, "
                f"{phase.tokens / phase.seconds:.1f} tokens/s"
            )
