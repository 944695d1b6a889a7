"""A cycle-stepped TCDM arbiter: the reference the fast contention model is held against.

Every cycle each bank grants one access. Cores and the DMA's two words are narrow masters, served
round robin bank by bank; a wide access of a unit takes all its adjacent banks at once, after
the narrow masters unless it was denied `starvation` times in a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Core:
    """A core's phase: banks it accesses and the cycles of other work before each access."""

    banks: np.ndarray
    gaps: np.ndarray


@dataclass
class Unit:
    """A unit's phase: first bank of each wide access and the cycle it is wanted at.

    `slack` accesses may be late before the unit stalls (its FIFOs).
    """

    width: int
    banks: np.ndarray
    rate: float
    slack: int = 1


@dataclass
class Outcome:
    core_cycles: list[int] = field(default_factory=list)
    core_accesses: list[int] = field(default_factory=list)
    unit_cycles: list[int] = field(default_factory=list)
    dma_cycles: int = 0


def step_all(
    cores: list[Core],
    units: list[Unit],
    dma_beats: int,
    banks: int = 32,
    starvation: int = 1,
) -> Outcome:
    """Run every master to the end of its phase; the cycles each took."""
    position = [0] * len(cores)
    ready = [int(core.gaps[0]) if len(core.gaps) else 0 for core in cores]
    finished = [0] * len(cores)
    unit_position = [0] * len(units)
    unit_delay = [0.0] * len(units)
    denied = [0] * len(units)
    unit_done = [0] * len(units)
    beat = 0
    words = [True, True]
    dma_done = 0
    turn = 0
    cycle = 0
    while True:
        narrow: dict[int, list[int]] = {}
        for index, core in enumerate(cores):
            if position[index] < len(core.banks) and cycle >= ready[index]:
                narrow.setdefault(int(core.banks[position[index]]), []).append(index)
        if beat < dma_beats:
            for word in range(2):
                if words[word]:
                    narrow.setdefault((2 * beat + word) % banks, []).append(len(cores) + word)
        taken: set[int] = set()
        wide: list[int] = []
        for index, unit in enumerate(units):
            at = unit_position[index]
            if at < len(unit.banks) and cycle >= at / unit.rate + unit_delay[index]:
                wide.append(index)
        if len(wide) > 1 and cycle & 1:
            wide.reverse()
        for index in wide:
            unit = units[index]
            at = unit_position[index]
            window = {(int(unit.banks[at]) + i) % banks for i in range(unit.width)}
            blocked = bool(window & taken)
            if denied[index] < starvation:
                blocked = blocked or not window.isdisjoint(narrow)
            if blocked:
                denied[index] += 1
                continue
            denied[index] = 0
            taken |= window
            unit_position[index] = at + 1
            # The access is late by what the FIFOs do not hide: the unit's schedule moves.
            late = cycle - (at / unit.rate + unit_delay[index]) - unit.slack / unit.rate
            if late > 0:
                unit_delay[index] += late
            if at + 1 == len(unit.banks):
                unit_done[index] = cycle + 1
        for bank, masters in narrow.items():
            if bank in taken:
                continue
            winner = min(masters, key=lambda master: (master - turn) % (len(cores) + 2))
            if winner >= len(cores):
                words[winner - len(cores)] = False
                continue
            position[winner] += 1
            if position[winner] < len(cores[winner].banks):
                ready[winner] = cycle + 1 + int(cores[winner].gaps[position[winner]])
            else:
                finished[winner] = cycle + 1
        if beat < dma_beats and not any(words):
            beat += 1
            words = [True, True]
            dma_done = cycle + 1
        turn = (turn + 1) % (len(cores) + 2)
        cycle += 1
        if (
            all(position[i] >= len(core.banks) for i, core in enumerate(cores))
            and all(unit_position[i] >= len(unit.banks) for i, unit in enumerate(units))
            and beat >= dma_beats
        ):
            break
    return Outcome(finished, [len(core.banks) for core in cores], unit_done, dma_done)
