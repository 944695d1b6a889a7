"""A cycle-stepped TCDM arbiter: the reference the fast contention model is held against.

Every cycle each bank grants one access. Cores and the DMA channels' two words are narrow masters,
served round robin bank by bank; a wide access of a unit takes all its adjacent banks at once,
after the narrow masters unless it was denied `starvation` times in a row. A unit's port takes turns
between its streams.

Nothing is sampled: every access of every master is stepped through, and a master that is late stays
late. Written from the published structure of the interconnect, apart from `isa_sim`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np


@dataclass
class Core:
    """A core's phase: when it wants each access (without stalls) and in which bank."""

    wanted: np.ndarray
    banks: np.ndarray


@dataclass
class Channel:
    """A DMA channel's phase: when each 8-byte beat is wanted and the bank of its first word."""

    wanted: np.ndarray
    banks: np.ndarray


@dataclass
class Unit:
    """A unit's phase: for each stream [n, (wanted, needed, first bank)], in order.

    An access that is granted after it is needed delays all that follows of the unit.
    """

    width: int
    streams: list[np.ndarray]


@dataclass
class Outcome:
    """Cycles each master is behind at the end of the phase; denials and accesses of units."""

    cores: list[float] = field(default_factory=list)
    channels: list[float] = field(default_factory=list)
    units: list[float] = field(default_factory=list)
    denials: list[int] = field(default_factory=list)
    accesses: list[int] = field(default_factory=list)


def _join(parts: list[np.ndarray], columns: int) -> tuple[np.ndarray, np.ndarray]:
    bounds = np.zeros(len(parts) + 1, np.int64)
    bounds[1:] = np.cumsum([len(part) for part in parts])
    rows = [np.asarray(part, float).reshape(-1, columns) for part in parts]
    return bounds, np.concatenate(rows) if rows else np.zeros((0, columns))


def step_all(
    cores: list[Core],
    units: list[Unit],
    channels: list[Channel] | None = None,
    *,
    banks: int = 32,
    starvation: int = 1,
    denial: float = 0.0,
    seed: int = 1,
    cycles: int = 1 << 40,
) -> Outcome:
    """Run until every master has done what it wanted in the first `cycles` of its phase.

    What it wants later only keeps it a rival of those that are not there yet.
    `denial`: chance that a unit is denied anyway.
    """
    channels = channels or []
    streams = [unit.streams + [np.zeros((0, 3))] * (3 - len(unit.streams)) for unit in units]
    core_bounds, core_rows = _join([np.stack([c.wanted, c.banks], 1) for c in cores], 2)
    unit_bounds, unit_rows = _join([part for three in streams for part in three], 3)
    dma_bounds, dma_rows = _join([np.stack([c.wanted, c.banks], 1) for c in channels], 2)
    widths = np.array([unit.width for unit in units], np.int64)
    delays: Any = _step(
        core_bounds, core_rows.astype(np.int64), unit_bounds, unit_rows, widths,
        dma_bounds, dma_rows.astype(np.int64), banks, starvation, denial, seed, cycles,
    )  # fmt: skip
    return Outcome(*(delay.tolist() for delay in delays))


@numba.njit(cache=True)
def _step(
    core_bounds, core_rows, unit_bounds, unit_rows, widths, dma_bounds, dma_rows,
    banks, starvation, denial, seed, cycles,
):  # fmt: skip
    np.random.seed(seed)
    cores, units, channels = len(core_bounds) - 1, len(widths), len(dma_bounds) - 1
    masters = cores + 2 * channels
    core_at, core_late = core_bounds[:-1].copy(), np.zeros(cores, np.int64)
    unit_at, unit_late = unit_bounds[:-1].copy(), np.zeros(units)
    dma_at, dma_late = dma_bounds[:-1].copy(), np.zeros(channels, np.int64)
    words = np.ones((channels, 2), np.bool_)
    denied, denials = np.zeros(units, np.int64), np.zeros(units, np.int64)
    accesses, turn = np.zeros(units, np.int64), np.zeros(units, np.int64)
    bank = np.empty(masters, np.int64)
    taken, asked = np.empty(banks, np.bool_), np.empty(banks, np.bool_)
    late = np.zeros(cores + channels + units)
    cycle, open_masters = 0, 1
    while open_masters > 0:
        open_masters = 0
        bank[:] = -1
        for core in range(cores):
            at = core_at[core]
            if at < core_bounds[core + 1]:
                open_masters += core_rows[at, 0] < cycles
                if cycle >= core_rows[at, 0] + core_late[core]:
                    bank[core] = core_rows[at, 1]
        for channel in range(channels):
            at = dma_at[channel]
            if at < dma_bounds[channel + 1]:
                open_masters += dma_rows[at, 0] < cycles
                if cycle >= dma_rows[at, 0] + dma_late[channel]:
                    for word in range(2):
                        if words[channel, word]:
                            bank[cores + 2 * channel + word] = (dma_rows[at, 1] + word) % banks
        taken[:] = False
        asked[:] = False
        for master in range(masters):
            if bank[master] >= 0:
                asked[bank[master]] = True
        for order in range(units):
            unit = order if cycle % 2 == 0 else units - 1 - order
            chosen = -1
            for offset in range(3):
                stream = 3 * unit + (turn[unit] + offset) % 3
                at = unit_at[stream]
                if at < unit_bounds[stream + 1]:
                    open_masters += unit_rows[at, 0] < cycles
                    if chosen < 0 and cycle >= unit_rows[at, 0] + unit_late[unit]:
                        chosen = stream
            if chosen < 0:
                continue
            at = unit_at[chosen]
            blocked = denial > 0 and np.random.random() < denial
            for index in range(widths[unit]):
                here = (np.int64(unit_rows[at, 2]) + index) % banks
                if taken[here] or (denied[unit] < starvation and asked[here]):
                    blocked = True
            if blocked:
                denied[unit] += 1
                denials[unit] += 1
                continue
            for index in range(widths[unit]):
                taken[(np.int64(unit_rows[at, 2]) + index) % banks] = True
            denied[unit] = 0
            accesses[unit] += 1
            unit_at[chosen] += 1
            turn[unit] = chosen % 3 + 1
            unit_late[unit] += max(0.0, cycle - unit_rows[at, 1] - unit_late[unit])
            if unit_rows[at, 0] < cycles:
                late[cores + channels + unit] = unit_late[unit]
        for offset in range(masters):
            master = (cycle + offset) % masters
            if bank[master] < 0 or taken[bank[master]]:
                continue
            taken[bank[master]] = True
            if master < cores:
                core_late[master] = cycle - core_rows[core_at[master], 0]
                if core_rows[core_at[master], 0] < cycles:
                    late[master] = core_late[master]
                core_at[master] += 1
                continue
            channel, word = (master - cores) // 2, (master - cores) % 2
            words[channel, word] = False
            if not words[channel, 0] and not words[channel, 1]:
                dma_late[channel] = cycle - dma_rows[dma_at[channel], 0]
                if dma_rows[dma_at[channel], 0] < cycles:
                    late[cores + channel] = dma_late[channel]
                dma_at[channel] += 1
                words[channel, :] = True
        cycle += 1
    ends = cores, cores + channels
    return late[: ends[0]], late[ends[0] : ends[1]], late[ends[1] :], denials, accesses
