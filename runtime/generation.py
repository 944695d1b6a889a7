"""Generation: a prompt through `prefill` block by block, then token by token through `decode`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from softex_mlir.abi import ENCODE
from softex_mlir.errors import Interrupted, UserError
from softex_mlir.runtime.costs.bounds import bound, needed_by
from softex_mlir.runtime.costs.verdict import unit_name
from softex_mlir.runtime.session import Memory, Result, run

if TYPE_CHECKING:
    from softex_mlir.runtime.check import RunsCheck
    from softex_mlir.runtime.program import Program


@dataclass
class Phase:
    """What the runs of an entry took together.

    `busy` are cycles by unit, `needed` the cycles that each resource needs at least for what was
    done (`costs.bounds`); `last` is the latest run.
    """

    runs: int = 0
    tokens: int = 0
    cycles: int = 0
    seconds: float = 0.0
    joules: float = 0.0
    busy: Counter[str] = field(default_factory=Counter[str])
    needed: Counter[str] = field(default_factory=Counter[str])
    last: Result | None = field(default=None, repr=False)

    def add(self, result: Result, tokens: int) -> None:
        """Count a run that computed so many tokens."""
        self.runs += 1
        self.tokens += tokens
        self.cycles += result.cycles
        self.seconds += result.profile.seconds
        self.joules += result.energy_joules
        self.busy.update({name: u.busy_cycles for name, u in result.profile.units.items()})
        self.needed.update(needed_by(result.profile.layers))
        self.last = result

    @property
    def tokens_per_second(self) -> float:
        """Tokens computed in a second."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def dma_share(self) -> float:
        """Of the cycles, those in which data moved into the TCDM."""
        return max(self.busy["dma_in"], self.busy["dma_out"]) / max(self.cycles, 1)

    @property
    def bound(self) -> tuple[str, float]:
        """The resource that needs most cycles for what was done, and their share of those taken."""
        name, cycles = bound(self.needed)
        return name, cycles / max(self.cycles, 1)

    def to_json(self) -> dict[str, Any]:
        """Cycles, ms, mJ, tokens a second, and what binds."""
        name, share = self.bound
        return {
            "runs": self.runs,
            "tokens": self.tokens,
            "cycles": self.cycles,
            "ms": self.seconds * 1e3,
            "mj": self.joules * 1e3,
            "tokens_per_second": self.tokens_per_second,
            "dma_share": self.dma_share,
            "bound": name,
            "bound_share": share,
        }


@dataclass
class Generation:
    """Tokens of every sequence so far, and what they took."""

    tokens: list[list[int]]
    encode: Phase = field(default_factory=Phase)
    prefill: Phase = field(default_factory=Phase)
    decode: Phase = field(default_factory=Phase)
    interrupted: bool = False
    check: RunsCheck | None = None
    """Of every run, if that was asked for."""

    @property
    def phases(self) -> dict[str, Phase]:
        """By entry."""
        return {"encode": self.encode, "prefill": self.prefill, "decode": self.decode}

    def to_json(self) -> dict[str, Any]:
        """Tokens and figures."""
        phases = {
            name: phase.to_json()
            for name, phase in self.phases.items()
            if name != ENCODE or phase.runs
        }
        check = {} if self.check is None else {"check": self.check.to_json()}
        return {"tokens": self.tokens, "interrupted": self.interrupted, **phases, **check}


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


Tokens = list["int | None"]
"""The next token of every sequence; None for one that has ended."""


def generate(
    program: Program,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    sampling: Sampling | None = None,
    stop: int | None = None,
    on_token: Callable[[Tokens], None] | None = None,
    progress: Callable[[int], None] | None = None,
    inputs: Mapping[str, np.ndarray] | None = None,
    start: Sequence[int] | None = None,
    check: bool = False,
) -> Generation:
    """Continue prompts, one for every sequence of the program's batch.

    Of a program whose encoder reads token ids (BART, T5) the prompts are what it reads, and
    decoding begins with `start`.

    Args:
        prompts: token ids; their lengths may differ.
        max_new_tokens: most tokens a sequence gets.
        sampling: how tokens are chosen; default: greedily.
        stop: ends a sequence; when all have met it, generation ends.
        on_token: called with the new token of every sequence.
        progress: called now and then with the cycle that a run has reached.
        inputs: of the entry `encode`, for a program that has one; it runs first. Default: the
            prompts, if it reads token ids, else random.
        start: ids that the decoder's sequences begin with (`decoder_start_token_id` of the model).
        check: compare every run with the evaluator, which does the same from its own state.

    Ctrl-C ends the generation; what there is by then is returned, marked as interrupted.

    Raises:
        UserError: the program has no such entries, or the prompts do not fit it.
    """
    capacity(program)
    batch = program.at("prefill").inputs[0].shape[0]
    _check_batch(prompts, batch)
    if inputs is not None and ENCODE not in program.entries:
        raise UserError(f"expected no inputs: the program has no entry {ENCODE}, found some")
    if inputs is None and reads_ids(program):
        inputs = _encoded(program, prompts)
        prompts = [_start(start)] * batch
    elif start is not None:
        raise UserError(
            "expected no start: the prompts are what the decoder begins with, unless an encoder of "
            "token ids reads them"
        )
    _check(program, prompts, max_new_tokens)
    running = _Running(program, prompts, progress)
    if check:
        from softex_mlir.runtime.check import RunsCheck

        running.made.check = RunsCheck(program)
    sampling = sampling or Sampling()
    random = np.random.default_rng(sampling.seed)
    made = running.made
    try:
        running.encode(inputs)
        logits = running.prefill()
        for step in range(max_new_tokens):
            new: Tokens = [
                None if stop is not None and stop in tokens else sampling.choose(row, random)
                for tokens, row in zip(made.tokens, logits, strict=True)
            ]
            for tokens, token in zip(made.tokens, new, strict=True):
                tokens += [] if token is None else [token]
            if on_token is not None:
                on_token(new)
            ended = stop is not None and all(stop in tokens for tokens in made.tokens)
            if ended or step + 1 == max_new_tokens:
                break
            logits = running.decode()
    except (Interrupted, KeyboardInterrupt):
        made.interrupted = True
    return made


@dataclass
class _Running:
    """A program whose cache fills."""

    program: Program
    prompts: Sequence[Sequence[int]]
    progress: Callable[[int], None] | None
    made: Generation = field(init=False)
    memory: Memory = field(init=False)

    def __post_init__(self) -> None:
        self.made = Generation([[] for _ in self.prompts])
        self.memory = Memory.of(self.program)

    def _run(
        self, entry: str, inputs: Mapping[str, np.ndarray] | None, tokens: int
    ) -> dict[str, np.ndarray]:
        program = self.program.at(entry)
        result = run(program, inputs, memory=self.memory, progress=self.progress)
        self.made.phases[entry].add(result, tokens)
        if self.made.check is not None:
            self.made.check.add(entry, result)
        return result.outputs

    def encode(self, inputs: Mapping[str, np.ndarray] | None) -> None:
        """Run the encoder, if there is one: it leaves what the decoder attends to."""
        if ENCODE in self.program.entries:
            rows = self.program.at(ENCODE).outputs[0].shape[:2]
            self._run(ENCODE, inputs, int(np.prod(rows)))

    def prefill(self) -> list[np.ndarray]:
        """The logits of every prompt's last token.

        A shorter prompt's blocks end before a longer one's: what then goes through for it lies
        behind its tokens, and is replaced before it is seen.
        """
        batch, block = self.program.at("prefill").inputs[0].shape
        lengths = [len(prompt) for prompt in self.prompts]
        ids = np.zeros((batch, -(-max(lengths) // block) * block), np.int64)
        for row, prompt in zip(ids, self.prompts, strict=True):
            row[: len(prompt)] = prompt
        found: list[np.ndarray] = [np.zeros(0)] * batch
        for start in range(0, max(lengths), block):
            count = [min(max(length - start, 0), block) for length in lengths]
            inputs = {
                "input_ids": ids[:, start : start + block],
                "position": np.full(batch, start),
                "last": np.array([max(n, 1) - 1 for n in count]),
            }
            logits = self._run("prefill", inputs, sum(count))["logits"]
            for index, length in enumerate(lengths):
                if start < length <= start + block:
                    found[index] = logits[index]
        return found

    def decode(self) -> list[np.ndarray]:
        """The logits behind every sequence's latest token."""
        latest = [tokens[-1] for tokens in self.made.tokens]
        position = [
            len(prompt) + len(tokens) - 1
            for prompt, tokens in zip(self.prompts, self.made.tokens, strict=True)
        ]
        inputs = {"input_ids": np.array(latest).reshape(-1, 1), "position": np.array(position)}
        return list(self._run("decode", inputs, len(latest))["logits"])


def capacity(program: Program) -> int:
    """Tokens that a sequence may have, prompt and new ones, but for the very last one.

    Raises:
        UserError: the program has no entries that generate.
    """
    if [name for name in program.entries if name != ENCODE] != ["prefill", "decode"]:
        raise UserError(
            "the program has no entries prefill and decode: compile the model with --max-length N"
        )
    return program.at("decode").inputs[1].limit or 1


def reads_ids(program: Program) -> bool:
    """Whether the program has an encoder, of token ids and a mask of them."""
    if ENCODE not in program.entries:
        return False
    return [port.name for port in program.at(ENCODE).inputs] == ["input_ids", "attention_mask"]


def _start(start: Sequence[int] | None) -> Sequence[int]:
    if not start:
        raise UserError(
            "the encoder reads the prompt: say what the decoder begins with (--start-ids; "
            "decoder_start_token_id in the model's config.json: T5 0, BART 2)"
        )
    return start


def _encoded(program: Program, prompts: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """The prompts as inputs of the encoder, padded and masked."""
    batch, room = program.at(ENCODE).inputs[0].shape
    ids, mask = np.zeros((2, batch, room), np.int64)
    for index, prompt in enumerate(prompts):
        if len(prompt) > room:
            raise UserError(
                f"a prompt of {len(prompt)} tokens: the encoder reads {room}: compile with "
                f"--tokens {len(prompt)}"
            )
        ids[index, : len(prompt)] = prompt
        mask[index, : len(prompt)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def _check_batch(prompts: Sequence[Sequence[int]], batch: int) -> None:
    if len(prompts) != batch:
        raise UserError(
            f"expected {batch} prompts, the program's batch, found {len(prompts)}: compile with "
            f"--batch {len(prompts)}"
        )
    if not all(prompts):
        raise UserError("expected at least one token in every prompt, found none")


def _check(program: Program, prompts: Sequence[Sequence[int]], wanted: int) -> None:
    room = capacity(program)
    lengths = [len(prompt) for prompt in prompts]
    if wanted < 1:
        raise UserError(f"expected at least one new token, found {wanted}")
    # the last new token is never looked at
    needed = max(lengths) + wanted - 1
    if needed > room:
        raise UserError(
            f"{max(lengths)} tokens and {wanted} new ones: the program has room for {room}: "
            f"compile with --max-length {needed}"
        )


def memory_line(program: Program) -> str:
    """What a program holds, for people."""
    mega = 1e6
    room, batch = capacity(program), program.at("prefill").inputs[0].shape[0]
    weights = sum(weight["bytes"] for weight in program.metadata["weights"])
    state = sum(port["rows"] * port["pitch_elements"] * 2 for port in program.metadata["states"])
    l2 = sum(
        s.memory_bytes for s in program.segments if s.address >= program.machine.cluster.l2_base
    )
    return (
        f"room for {room} tokens, batch {batch}; L2 {l2 / mega:.2f} of "
        f"{program.machine.cluster.l2_bytes / mega:.0f} MB: weights {weights / mega:.2f} MB, "
        f"cache {state / mega:.2f} MB"
    )


def lines(made: Generation) -> Iterator[str]:
    """The figures for people."""
    for name, phase in made.phases.items():
        if phase.runs:
            resource, share = phase.bound
            per_token = phase.cycles / phase.tokens, phase.joules * 1e3 / phase.tokens
            yield (
                f"{name:8}{phase.tokens} tokens, {phase.cycles:,} cycles, "
                f"{phase.seconds * 1e3:.3f} ms, {phase.joules * 1e3:.4f} mJ, "
                f"{phase.tokens_per_second:.1f} tokens/s"
            )
            yield (
                f"        a token: {per_token[0]:,.0f} cycles, {per_token[1]:.4f} mJ; DMA busy "
                f"{phase.dma_share:.0%}; bound by {unit_name(resource)}: {share:.0%} of the cycles "
                "at least"
            )
    if made.check is not None:
        yield made.check.line()
