"""Contention for TCDM banks: what masters lose to each other, window by window.

At the end of each window a stretch of it is replayed cycle by cycle (`replay`) with
the accesses the run made. What the masters lost there gives, for the next window,

* per core, the expected stall cycles of an access;
* per unit, the denials of its accesses and from them its slow-down, by which of them it waits for:
  RedMulE's FIFOs hide most (what is left is fitted on the published figures), SoftEx's softmax
  waits for each;
* per DMA channel, the slow-down of a beat.

So the model follows the patterns of the program, and costs what the stretches cost. The error
against a cycle-stepped arbiter that sees every cycle, on accesses recorded from programs and on
random ones, is stated and asserted in `test/sim/test_contention.py`.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from softex_mlir.isa_sim.contention import replay as r
from softex_mlir.isa_sim.contention.replay import DONE, LOST, replay
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.devices.events import job_at, update_next_event
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.machine import WINDOW, Machine
from softex_mlir.isa_sim.units import registry
from softex_mlir.isa_sim.units.accesses import GEOMETRY_WORDS, JOB_END, JOB_START
from softex_mlir.isa_sim.units.growth import growth as relative_growth

STRETCH: Final = 512
"""Cycles of a window that are replayed where only units and DMA meet: its first or second half.
Cores come and go: where they take part, it is the whole window."""
_ENOUGH: Final = 16
"""Accesses in a stretch that make what was seen before obsolete."""
_MOST_STALL: Final = 4.0
"""Stall cycles of an access that making up for earlier ones does not exceed."""

# Columns of `ContentionModel.unit`.
EXPOSED: Final = 0
"""Accesses a cycle of the unit's current job that it waits for one by one."""
RATE: Final = 1
"""Accesses a cycle of the unit's current job, without denials."""
TURNOVERS: Final = 2
"""Bursts of accesses a cycle of the current job (RedMulE: changes of the tile), without denials."""
BURST: Final = 3
"""Accesses of a burst."""
SLOW: Final = 4
"""Slow-down of the unit in the current window (1 is none)."""
CARRY: Final = 5
"""Fraction of a cycle not yet added to a job."""
BUSY_BEFORE: Final = 6
UNIT_COLUMNS: Final = 7

growth = njit(cache=True)(relative_growth)


class ContentionModel(NamedTuple):
    """State of the window model."""

    memory: Any
    """int64 [replay.MEMORY_WORDS]"""
    calls: Any
    """int64 [units, replay.CALL_COLUMNS]"""
    geometry: Any
    """int64 [units, units.accesses.GEOMETRY_WORDS]"""
    firsts: Any
    """int64 [units + 3]: rows of the logs where the next stretch begins (`replay`)"""
    unit: Any
    """float64 [units, UNIT_COLUMNS]"""
    channel: Any
    """float64 [2 channels, (moved cycles before, carry)]"""
    cores_seen: Any
    """float64 [cores, (accesses, cycles lost)]: of late."""
    units_seen: Any
    """float64 [units, (grants, denials)]"""
    channels_seen: Any
    """float64 [2 channels, (beats, cycles lost)]"""
    accesses: Any
    """int64 [cores]: accesses to TCDM up to the last window."""
    owed: Any
    """float64 [cores]: stall cycles the core was charged too little."""


def make_model(machine: Machine) -> ContentionModel:
    """The model's state at reset."""
    present = [machine.section(unit.name) for unit in registry.units_of(machine)]
    units = len(present)
    calls = np.zeros((units, r.CALL_COLUMNS), np.int64)
    geometry = np.zeros((units, GEOMETRY_WORDS), np.int64)
    for number, (unit, section) in enumerate(zip(registry.units_of(machine), present, strict=True)):
        if section is not None:
            accesses = unit.accesses(section)
            banks = accesses.access_bytes // 4 + 1
            calls[number] = accesses.wants, banks
            geometry[number, : len(accesses.geometry)] = accesses.geometry
    unit = np.zeros((units, UNIT_COLUMNS))
    unit[:, SLOW] = 1.0
    return ContentionModel(
        np.array([machine.cluster.tcdm_banks, machine.cluster.tcdm_starvation], np.int64),
        calls,
        geometry,
        np.zeros(units + 3, np.int64),
        unit,
        np.zeros((2, 2)),
        np.zeros((machine.cluster.cores, 2)),
        np.zeros((units, 2)),
        np.zeros((2, 2)),
        np.zeros(machine.cluster.cores, np.int64),
        np.zeros(machine.cluster.cores),
    )


@njit(cache=True)
def _streamed(dev: Any, channel: int, now: int) -> float:
    """Cycles the channel has streamed up to now."""
    state = dev.channel[channel]
    cycles = state[d.CHANNEL_BUSY]
    for index in range(state[d.CHANNEL_COUNT]):
        slot = (state[d.CHANNEL_HEAD] + index) % dev.word[d.DMA_QUEUE]
        at = d.QUEUE + slot * d.TRANSFER_COLUMNS
        cycles -= max(0, state[at + d.TRANSFER_DONE] - max(now, state[at + d.TRANSFER_BEGIN]))
    return float(cycles)


@njit(cache=True)
def _per_access(seen: Any) -> float:
    return seen[LOST] / seen[DONE] if seen[DONE] > 0.0 else 0.0


@njit(cache=True)
def _learn(seen: Any, found: Any) -> None:
    """What was found counts if it is enough, else together with what was seen before."""
    for index in range(seen.shape[0]):
        if found[index, DONE] >= _ENOUGH:
            seen[index, :] = 0.0
        seen[index, DONE] += found[index, DONE]
        seen[index, LOST] += found[index, LOST]


@njit(cache=True, makes_arrays=True)
def look(
    dev: Any, state: Any, model: ContentionModel, log: Any, job_log: Any, dma_log: Any, begin: int
) -> None:  # fmt: skip
    """Replay a stretch of the window from `begin`; what was seen of the masters is up to date."""
    end = begin + WINDOW
    if state.s[:, st.LOG_USED].max() == 0:
        number = begin // WINDOW
        # 0 1 1 0: no program has this rhythm.
        begin += STRETCH * ((number ^ number >> 1) & 1)
        end = begin + STRETCH
    cores = np.zeros(model.cores_seen.shape, np.int64)
    units = np.zeros(model.units_seen.shape, np.int64)
    channels = np.zeros((2, 2), np.int64)
    replay(
        dev, state, log, job_log, dma_log, model.memory, model.calls, model.geometry,
        model.unit[:, SLOW], model.firsts, begin, end, cores, units, channels,
    )  # fmt: skip
    _learn(model.cores_seen, cores)
    _learn(model.units_seen, units)
    _learn(model.channels_seen, channels)


@njit(cache=True)
def stall_rate(model: ContentionModel, core: int, accesses: int, charged: int) -> int:
    """Stall cycles an access of a core in the next window, in 1/65536.

    Args:
        accesses: of the core to TCDM in the window that ends.
        charged: the rate they were charged at; what was too much or too little is made up for.
    """
    late = _per_access(model.cores_seen[core])
    if accesses == 0:
        return int(late * 65536.0)
    model.owed[core] += accesses * (late - charged / 65536.0)
    rate = max(0.0, late + model.owed[core] / accesses)
    return int(min(rate, _MOST_STALL) * 65536.0)


@njit(cache=True)
def _lengthen_job(dev: Any, model: ContentionModel, unit: int, busy: float, job_log: Any) -> None:
    """Charge a unit's job under way, and those queued behind it, for the window."""
    row = dev.unit[unit]
    extra = model.unit[unit, CARRY] + busy * (1.0 - 1.0 / model.unit[unit, SLOW])
    whole = np.int64(extra)
    model.unit[unit, CARRY] = extra - whole
    for context in range(2):
        at = job_at(context)
        if row[at + d.JOB_STATE] == d.QUEUED:
            row[at + d.JOB_DONE] += whole
            entry = job_log[row[at + d.JOB_LOG]]
            entry[JOB_END] = row[at + d.JOB_DONE]
            if context != row[d.RUNNING]:
                entry[JOB_START] += whole
            else:
                entry[d.JOB_STALLED] += whole


@njit(cache=True)
def _lengthen_transfers(
    dev: Any, model: ContentionModel, channel: int, moved: float, dma_log: Any
) -> None:
    """Charge the channel's transfer under way, and those queued behind it, for the window."""
    row = dev.channel[channel]
    if row[d.CHANNEL_COUNT] == 0:
        model.channel[channel, 1] = 0.0
        return
    slow = 1.0 + _per_access(model.channels_seen[channel])
    extra = model.channel[channel, 1] + moved * (1.0 - 1.0 / slow)
    whole = np.int64(extra)
    model.channel[channel, 1] = extra - whole
    row[d.CHANNEL_FREE] += whole
    row[d.CHANNEL_BUSY] += whole
    for index in range(row[d.CHANNEL_COUNT]):
        slot = (row[d.CHANNEL_HEAD] + index) % dev.word[d.DMA_QUEUE]
        at = d.QUEUE + slot * d.TRANSFER_COLUMNS
        row[at + d.TRANSFER_DONE] += whole
        if index > 0:
            row[at + d.TRANSFER_BEGIN] += whole
        entry = dma_log[row[at + d.TRANSFER_LOG]]
        if index == 0:
            entry[d.DMA_STALLED] += whole
        entry[1], entry[2] = row[at + d.TRANSFER_BEGIN], row[at + d.TRANSFER_DONE]


@njit(cache=True, makes_arrays=True)
def close_window(
    dev: Any, state: Any, model: ContentionModel, log: Any, job_log: Any, dma_log: Any, now: int
) -> bool:
    """Charge the window that ends `now` to units and transfers; set the next one's stall rates.

    Returns whether anybody had a rival.
    """
    cores = dev.word[d.CORES]
    moved = np.zeros(2)
    units = dev.unit.shape[0]
    busy = np.zeros(units)
    active = 0
    for core in range(cores):
        active += state.s[core, st.LOG_USED] > 0
    for channel in range(2):
        streamed = _streamed(dev, channel, now)
        moved[channel] = max(0.0, min(float(WINDOW), streamed - model.channel[channel, 0]))
        model.channel[channel, 0] = streamed
        active += moved[channel] > 0.0
    for unit in range(units):
        row = dev.unit[unit]
        if row[d.RUNNING] >= 0:
            row[d.BUSY] += max(0, now - row[d.STARTED])
            row[d.STARTED] = max(now, row[d.STARTED])
        busy[unit] = min(float(WINDOW), row[d.BUSY] - model.unit[unit, BUSY_BEFORE])
        model.unit[unit, BUSY_BEFORE] = row[d.BUSY]
        active += busy[unit] > 0.0
    if active > 1:
        look(dev, state, model, log, job_log, dma_log, now - WINDOW)
    else:
        model.cores_seen[:, :] = 0.0
        model.units_seen[:, :] = 0.0
        model.channels_seen[:, :] = 0.0
    for core in range(cores):
        count = state.s[core, st.TCDM_LOADS] + state.s[core, st.TCDM_STORES]
        charged = state.s[core, st.STALL_RATE]
        accesses = count - model.accesses[core]
        state.s[core, st.STALL_RATE] = stall_rate(model, core, accesses, charged)
        model.accesses[core] = count
        state.s[core, st.LOG_USED] = 0
    for unit in range(units):
        late = _per_access(model.units_seen[unit])
        mine = model.unit[unit]
        more = growth(late, mine[EXPOSED], mine[TURNOVERS], mine[BURST])
        mine[SLOW] = max(1.0 + more, mine[RATE] * (1.0 + late))
        # Long jobs are lengthened window by window, short ones at their start.
        if dev.unit[unit, d.LONG_JOBS] and dev.unit[unit, d.RUNNING] >= 0:
            _lengthen_job(dev, model, unit, busy[unit], job_log)
    for channel in range(2):
        _lengthen_transfers(dev, model, channel, moved[channel], dma_log)
    update_next_event(dev)
    return active > 1
