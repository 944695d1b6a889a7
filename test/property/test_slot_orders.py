"""Orders of SoftEx jobs on state slots: the compiler's never go wrong, others do so with a warning.

A leader core programs the unit: it takes a context as soon as one is free and writes registers, at
distances drawn at random within what a core may take. What it may know (done events) comes from
`run_sequence` of the accesses so far.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import sample

from softex_mlir.isa_sim import SequenceResult, run_sequence
from softex_mlir.isa_sim.machine import Machine

PAPER = Machine.load()
BASE = 0x10000000
SCORES, RESULTS, CACHE = 0x1000, 0x10000, 0x20000
CHUNK_BYTES = 512
ACCUMULATE, DIVIDE, ACQUIRE, LAST, SET_CACHE, NOTHING = 1, 2, 4, 8, 16, 32


@dataclass
class Rows:
    """Rows of scores, each in chunks of `length` elements."""

    count: int
    chunks: int
    length: int
    scores: np.ndarray

    @classmethod
    def random(cls, random: Random, count: int) -> Rows:
        chunks, length = random.randint(1, 3), 16 * random.choice((4, 5, 8, 12))
        generator = np.random.default_rng(random.randrange(1 << 32))
        scores = generator.normal(0, 3, (count, chunks, length)).astype(np.float32)
        return cls(count, chunks, length, scores.view(np.uint32) >> 16 << 16)

    def memory(self) -> np.ndarray:
        tcdm = np.zeros(1 << 18, np.uint8)
        for row in range(self.count):
            for chunk in range(self.chunks):
                at = SCORES + self.place(row, chunk)
                bits = (self.scores[row, chunk] >> 16).astype(np.uint16)
                tcdm[at : at + 2 * self.length] = bits.view(np.uint8)
        return tcdm

    def place(self, row: int, chunk: int) -> int:
        return (row * self.chunks + chunk) * CHUNK_BYTES

    def results(self, tcdm: np.ndarray) -> np.ndarray:
        """BF16 bits [row, chunk, element]."""
        return np.array(
            [
                [
                    tcdm[RESULTS + at : RESULTS + at + 2 * self.length].view(np.uint16)
                    for at in (self.place(row, chunk) for chunk in range(self.chunks))
                ]
                for row in range(self.count)
            ]
        )

    def expected(self) -> np.ndarray:
        """Every row alone in a unit that is idle before each job."""
        leader = Leader(self, Random(0))
        for row in range(self.count):
            leader.open_slots()
            for commands in (ACCUMULATE, DIVIDE):
                for chunk in range(self.chunks):
                    leader.chunk(commands, row, chunk, alone=True)
        result, tcdm = leader.play()
        assert result.finished
        assert not result.warnings
        found = self.results(tcdm)
        values = (found.astype(np.uint32) << 16).view(np.float32).reshape(self.count, -1)
        x = self.scores.view(np.float32).astype(np.float64).reshape(self.count, -1)
        exact = np.exp(x - x.max(1, keepdims=True))
        exact /= exact.sum(1, keepdims=True)
        np.testing.assert_allclose(values, exact, rtol=0.06, atol=1e-6)
        return found


@dataclass
class Leader:
    """A core that programs jobs; `time` is when it can do the next access."""

    rows: Rows
    random: Random
    accesses: list[tuple[int, int, int, int]] = field(
        default_factory=lambda: list[tuple[int, int, int, int]]()
    )
    time: int = 100

    def play(self) -> tuple[SequenceResult, np.ndarray]:
        tcdm = self.rows.memory()
        return run_sequence("softex", np.array(self.accesses, np.int64), tcdm, PAPER), tcdm

    def later(self) -> list[int]:
        """Done events that are still to come."""
        if not self.accesses:
            return []
        result, _ = self.play()
        return [event for event in result.events.tolist() if event > self.time]

    def write(self, offset: int, value: int, gap: int = 4) -> None:
        self.time += gap
        self.accesses.append((self.time, 1, offset, value))

    def take_context(self) -> None:
        """An ACQUIRE, at once or as soon as an event has woken the core."""
        later = self.later()
        if len(later) > 1:
            self.time = later[0] + self.random.randint(2, 12)
        self.time += self.random.randint(4, 12)
        self.accesses.append((self.time, 0, 4, 0))

    def drain(self) -> None:
        self.time = max([self.time, *self.later()]) + self.random.randint(4, 20)

    def open_slots(self) -> None:
        self.drain()
        self.write(0x14, 0)
        self.time += 1
        self.take_context()
        self.write(0x2C, NOTHING | SET_CACHE)
        self.write(0x30, BASE + CACHE)
        self.write(0, 0)

    def chunk(
        self,
        kind: int,
        row: int,
        chunk: int,
        *,
        alone: bool = False,
        early: bool = False,
        last: bool = False,
    ) -> None:
        """A job on a chunk of a row, in the slot of the row's number + 1."""
        commands = kind | row + 1 << 16
        if kind == ACCUMULATE:
            commands |= (ACQUIRE if chunk == 0 else 0) | (
                LAST if chunk == self.rows.chunks - 1 else 0
            )
        elif last:
            commands |= LAST
        self.take_context()
        if early:
            self.write(0x2C, commands, self.random.randint(4, 12))
        at = self.rows.place(row, chunk)
        self.write(0x20, BASE + SCORES + at, self.random.randint(2, 10))
        self.write(0x24, BASE + RESULTS + at)
        self.write(0x28, 2 * self.rows.length)
        if alone:
            self.drain()
        if not early:
            self.write(0x2C, commands)
        self.write(0, 0, self.random.randint(2, 10))


def in_attention_order(leader: Leader, rows: int, items: int, *, queued: bool) -> None:
    """As `schedule/kernels/attention/chunked.py` does it."""
    chunks = leader.rows.chunks
    leader.open_slots()
    for item in range(items + 1):
        for chunk in range(chunks):
            for row in range(rows if item > 0 else 0):
                last = chunk == chunks - 1 and not queued
                leader.chunk(DIVIDE, (item - 1) * rows + row, chunk, last=last, alone=last)
            leader.drain()
            if item == items:
                continue
            if queued and item > 0:
                leader.open_slots()
            for row in range(rows):
                leader.chunk(ACCUMULATE, item * rows + row, chunk, early=queued, alone=not queued)
            leader.drain()


@pytest.mark.parametrize("queued", [False, True])
def test_attention_is_right_whatever_time_the_core_takes(queued: bool) -> None:
    @sample(8, share=100)
    @given(st.randoms(use_true_random=False))
    def check(random: Random) -> None:
        count, items = random.randint(4 if queued else 1, 5), random.randint(1, 3)
        rows = Rows.random(random, count * items)
        leader = Leader(rows, random)
        in_attention_order(leader, count, items, queued=queued)
        result, tcdm = leader.play()
        assert result.finished
        assert result.warnings == ()
        np.testing.assert_array_equal(rows.results(tcdm), rows.expected())

    check()


@sample(40, share=100)
@given(st.randoms(use_true_random=False))
def test_rows_in_any_order_are_right_or_a_warning_says_why(random: Random) -> None:
    """Each row in order, rows mixed; requests at any time; divisions LAST or not."""
    rows = Rows.random(random, random.randint(2, 5))
    steps = [(kind, chunk) for kind in (ACCUMULATE, DIVIDE) for chunk in range(rows.chunks)]
    waiting = {row: list(steps) for row in range(rows.count)}
    leader = Leader(rows, random)
    leader.open_slots()
    while waiting:
        row = random.choice(list(waiting))
        kind, chunk = waiting[row].pop(0)
        if not waiting[row]:
            del waiting[row]
        mode = random.choice(("alone", "early", "queued"))
        leader.chunk(
            kind,
            row,
            chunk,
            alone=mode == "alone",
            early=mode == "early",
            last=chunk == rows.chunks - 1 and random.random() < 0.7,
        )
    result, tcdm = leader.play()
    if not result.warnings:
        assert result.finished
        np.testing.assert_array_equal(rows.results(tcdm), rows.expected())


@pytest.mark.parametrize("unit", ["softex", "redmule"])
def test_any_accesses_come_to_an_end(unit: str) -> None:
    """No access or order of them is an exception or a loop; what hangs says so."""
    registers = [0, 4, 8, 0xC, 0x10, 0x14, *range(0x20, 0x58, 4)]

    @sample(150, share=10)
    @given(st.randoms(use_true_random=False))
    def check(random: Random) -> None:
        rows = Rows.random(random, 4)
        time, accesses = 0, list[tuple[int, int, int, int]]()
        for _ in range(random.randint(1, 60)):
            time += random.choice((0, 1, 2, 4, 10, 200))
            offset = random.choice(registers)
            value = random.choice(
                (0, 1, 64, 128, BASE + SCORES, BASE + CACHE, random.randrange(1 << 32),
                 random.randrange(64) | random.randrange(8) << 16)
            )  # fmt: skip
            accesses.append((time, random.randrange(4) > 0, offset, value))
        result = run_sequence(unit, np.array(accesses, np.int64), rows.memory(), PAPER)
        assert len(result.reads) == sum(not write for _, write, *_ in accesses)
        assert result.finished or result.warnings

    check()
