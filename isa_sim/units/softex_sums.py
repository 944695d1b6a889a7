"""Cycles of a sum of exponentials: SoftEx's loads, buffers and stores, clock by clock.

Input, slopes and weights are loaded in turns, over one queue; what waits at its head holds up what
is behind. So a job's duration depends on how many loads the unit made since the last soft clear,
and jobs of two blocks of coefficients (more than 16 terms) may block each other for ever. Equals
the durations recorded from the RTL, by turn: 20, 19, 21, 20 cycles before terms x beats; with one
term 29, 29, 32, 29 for nine beats; the jobs that hung.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

INPUT, SLOPES, WEIGHTS = 0, 2, 3
CHANNELS: Final = 4
"""Of loads; the one between takes in state slots."""
DEPTH: Final = 2
"""Entries of every queue."""
FIRST_LOAD: Final = 5
"""Cycle from the beginning of a job in which the first load is requested."""
LAST_CYCLES: Final = 3
"""From the last store to the done event."""
BLOCK: Final = 16
"""Coefficients of a load."""
STAGES: Final = 4
"""Registers of the product and the exponential."""
SETTLED_BEATS: Final = 24
"""From here on every beat takes the same time."""


@dataclass
class _Unit:
    """The state at the beginning of a cycle. ``turn`` is the number of loads so far, modulo 4."""

    terms: int
    beats: int
    turn: int
    requested: list[int] = field(default_factory=lambda: [0] * CHANNELS)
    requests: list[int] = field(default_factory=lambda: list[int]())
    memory: int | None = None
    responses: list[int] = field(default_factory=lambda: list[int]())
    inputs: int = 0
    term: int = 0
    blocks: list[int] = field(default_factory=lambda: [0] * CHANNELS)
    stages: list[int | None] = field(default_factory=lambda: list[int | None]([None] * STAGES))
    sum_done: bool = False
    results: int = 0
    stores: int = 0
    stored: int = 0
    store_first: bool = False

    def step(self) -> None:
        """One cycle; queues accept by what they held at its beginning."""
        load_room = len(self.requests) < DEPTH
        input_room = self.inputs < DEPTH
        input_there = self.inputs > 0
        stored, served = self._port()
        store_room, result_room = self.stores < DEPTH, self.results < DEPTH
        drained = self.results > 0 and store_room
        summed = self._compute(result_room, input_there)
        taken = self._take_response(input_room)
        if self.memory is not None:
            self.responses.append(self.memory)
        if load_room:
            self._request(input_room)
        if taken is not None and taken != INPUT:
            self.blocks[taken] += 1
        self.inputs += taken == INPUT
        self.memory = served
        self.stores += drained - stored
        self.stored += stored
        self.results += summed - drained

    def _port(self) -> tuple[bool, int | None]:
        """Whether a store goes out, or which load; they take turns if both are there."""
        load = bool(self.requests) and len(self.responses) < DEPTH
        store = self.stores > 0
        if load and store:
            store, self.store_first = self.store_first, not self.store_first
            load = not store
        return store, self.requests.pop(0) if load else None

    def _request(self, input_room: bool) -> None:
        """The channel whose turn it is comes first, then those below it."""
        total = {INPUT: self.beats if input_room else 0}
        total[SLOPES] = total[WEIGHTS] = -(-self.terms // BLOCK)
        for below in range(CHANNELS):
            channel = (CHANNELS - 1 - self.turn - below) % CHANNELS
            if self.requested[channel] < total.get(channel, 0):
                self.requested[channel] += 1
                self.requests.append(channel)
                self.turn = (self.turn + 1) % CHANNELS
                return

    def _take_response(self, input_room: bool) -> int | None:
        if not self.responses or (self.responses[0] == INPUT and not input_room):
            return None
        return self.responses.pop(0)

    def _compute(self, result_room: bool, input_there: bool) -> bool:
        """Products, exponentials and their sum; whether a result is handed on."""
        summed = self.sum_done and result_room
        if summed:
            self.sum_done = False
        last = self.stages[-1]
        if last is not None and self.blocks[WEIGHTS] > last // BLOCK:
            ends = last == self.terms - 1
            if not (ends and self.sum_done):
                self.sum_done |= ends
                self.stages[-1] = None
        for stage in range(STAGES - 1, 0, -1):
            if self.stages[stage] is None:
                self.stages[stage], self.stages[stage - 1] = self.stages[stage - 1], None
        if self.stages[0] is None and input_there and self.blocks[SLOPES] > self.term // BLOCK:
            self.stages[0] = self.term
            self.term += 1
            if self.term == self.terms:
                self.term = 0
                self.inputs -= 1
        return summed


@lru_cache(maxsize=1 << 12)
def _simulated(terms: int, beats: int, turn: int) -> int | None:
    unit = _Unit(terms, beats, turn)
    cycle = FIRST_LOAD
    # Twice what any job takes that ends.
    for cycle in range(FIRST_LOAD, 100 + 4 * max(terms, 2) * beats):
        unit.step()
        if unit.stored == beats:
            return cycle + LAST_CYCLES
    return None


def sum_cycles(terms: int, beats: int, loads: int = 0) -> int | None:
    """Beginning to done event of a sum of ``terms`` exponentials over ``beats`` beats.

    ``loads``: those through the unit's port since the last soft clear. None: it never ends.
    """
    if beats == 0:
        return 20
    simulated = min(beats, SETTLED_BEATS)
    cycles = _simulated(terms, simulated, loads % CHANNELS)
    # A beat takes a load and a store at least.
    return None if cycles is None else cycles + max(terms, 2) * (beats - simulated)
