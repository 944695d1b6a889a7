"""Contention for TCDM banks: the fast window model, compiled with numba.

A bank grants one access a cycle. Cores and DMA share the narrow side, round robin; a unit's
wide access (RedMulE 17 banks, SoftEx 9) needs all its adjacent banks at once and yields to the
narrow side, but not twice in a row: the starvation counter is assumed to stand at 1. The
published description does not give its value. With larger ones a streaming DMA, which sweeps the
banks in order, would leave RedMulE less bandwidth than its published throughput needs (a wide
access would wait for as long as the sweep is in its banks).

At the end of each window the access rates seen in it give, for the next one,

* per core, the expected stall cycles of an access: half of what the others put on its bank
  (each of two contenders loses half of the time), and what starved units take from it;
* per unit, the denial probability p of its accesses and from it the slow-down: RedMulE's FIFOs
  hide most denials (what is left is fitted on the published figures), and no unit can do more
  accesses than its port is granted.

The error against a cycle-stepped arbiter is stated and asserted in
`test/sim/test_contention.py`.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from softex_mlir.isa_sim import core_state as st
from softex_mlir.isa_sim import device_state as d
from softex_mlir.isa_sim.device_events import update_next_event
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.machine import Machine

DMA_BANKS: Final = 2
"""Banks one 8-byte beat of the DMA takes."""

WIDTH: Final = 0
"""Banks of a unit's access."""
RATE: Final = 1
"""Accesses a cycle of the unit's current job, without denials."""
SLOW: Final = 2
"""Slow-down of the unit in the current window (1 is none)."""
CARRY: Final = 3
"""Fraction of a cycle not yet added to a job."""
BUSY_BEFORE: Final = 4
TILE_RATE: Final = 5
"""RedMulE: output tiles a cycle of the current job, without denials."""
UNIT_COLUMNS: Final = 6

_TILE_CYCLES: Final = 80.0
"""RedMulE: cycles lost a tile when an access takes one cycle longer on average. Fitted on the
published growths at denial probabilities of 1, 5 and 10 % (24x32x32, 96x96x96, 24x256x64)."""
_SWEEP: Final = 0.85
"""Share of the accesses denied by a sweeping DMA that find it in their banks a cycle later."""


class Model(NamedTuple):
    """State of the window model."""

    unit: Any
    """float64 [2 units, UNIT_COLUMNS]"""
    channel: Any
    """float64 [2 channels, (moved cycles before, carry, slow-down)]"""
    core: Any
    """int64 [cores]: accesses counted up to the last window."""
    rate: Any
    """float64 [cores]: accesses a cycle in the last window."""
    banks: int


def make_model(machine: Machine) -> Model:
    """The model's state at reset."""
    unit = np.zeros((2, UNIT_COLUMNS))
    unit[:, SLOW] = 1.0
    if machine.redmule is not None:
        unit[d.REDMULE, WIDTH] = machine.redmule.tile_columns // 2 + 1
    if machine.softex is not None:
        unit[d.SOFTEX, WIDTH] = machine.softex.lanes // 2 + 1
    channel = np.zeros((2, 3))
    channel[:, 2] = 1.0
    cores = machine.cluster.cores
    return Model(
        unit, channel, np.zeros(cores, np.int64), np.zeros(cores), machine.cluster.tcdm_banks
    )


@njit(cache=True)
def redmule_growth(per_grant: float, tile_rate: float) -> float:
    """Relative growth of a RedMulE job's cycles.

    Its FIFOs hide most late accesses; what is left comes with the tiles' first and last accesses.

    Args:
        per_grant: cycles an access takes on average, 1 / (1 - denial probability).
        tile_rate: output tiles a cycle of the job without denials.
    """
    return _TILE_CYCLES * (per_grant - 1.0) * tile_rate


@njit(cache=True)
def predict(
    rates: Any, moved: Any, busy: Any, unit: Any, banks: int, stalls: Any, slow: Any
) -> float:
    """Stalls of an access for each core and slow-down of each unit, from rates of a window.

    Args:
        rates: accesses a cycle of each core, float64 [cores].
        moved: share of cycles each DMA channel streams, float64 [2].
        busy: share of cycles each unit has a job, float64 [2].
        unit: widths and port rates, float64 [2, UNIT_COLUMNS].
        banks: number of TCDM banks.
        stalls: result, expected stall cycles of an access, float64 [cores].
        slow: result, slow-down of each unit while busy, float64 [2].

    Returns:
        The slow-down of a DMA beat.
    """
    total = 0.0
    for core in range(rates.shape[0]):
        total += rates[core]
    dma = DMA_BANKS * (moved[0] + moved[1])
    starved = 0.0
    starved_dma = 0.0
    for index in range(2):
        width = unit[index, WIDTH]
        share = width / banks
        free = 1.0
        for core in range(rates.shape[0]):
            free *= 1.0 - min(1.0, rates[core]) * share
        for channel in range(2):
            free *= 1.0 - moved[channel] * min(1.0, (width + DMA_BANKS - 1) / banks)
        # Two units on one interconnect: the wide ports take turns.
        other = 1 - index
        overlap = min(1.0, (width + unit[other, WIDTH] - 1) / banks)
        shared = busy[other] * min(1.0, unit[other, RATE])
        free *= 1.0 - 0.5 * shared * overlap
        denied = 1.0 - free
        # A denied access is granted the cycle after.
        per_grant = 1.0 + denied
        growth = redmule_growth(per_grant, unit[0, TILE_RATE]) if index == 0 else 0.0
        slow[index] = max(1.0 + growth, unit[index, RATE] * per_grant)
        # A denied access takes its banks from the narrow side for a cycle.
        granted = busy[index] * min(1.0, unit[index, RATE] / slow[index])
        starved += granted * denied * share
        # While the DMA streams, it is mostly what denied the access, and loses the beat.
        swept = min(1.0, (width + DMA_BANKS - 1) / banks)
        starved_dma += granted * (_SWEEP * swept + (1.0 - swept) * denied * share)
    for core in range(rates.shape[0]):
        others = total - rates[core] + dma
        stalls[core] = others / (2.0 * banks) + starved
    return 1.0 + total * DMA_BANKS / (2.0 * banks) + starved_dma


@njit(cache=True)
def _streamed(dev: d.Devices, channel: int, now: int) -> float:
    """Cycles the channel has streamed up to now."""
    state = dev.channel[channel]
    cycles = state[d.CHANNEL_BUSY]
    for index in range(state[d.CHANNEL_COUNT]):
        slot = (state[d.CHANNEL_HEAD] + index) % dev.word[d.DMA_QUEUE]
        at = d.QUEUE + slot * d.TRANSFER_COLUMNS
        cycles -= max(0, state[at + d.TRANSFER_DONE] - max(now, state[at + d.TRANSFER_BEGIN]))
    return float(cycles)


@njit(cache=True)
def close_window(dev: d.Devices, state: Any, model: Model, now: int, window: int) -> None:
    """Charge the window that ends `now` to units and transfers; set the next one's stall rates."""
    cores = dev.word[d.CORES]
    for core in range(cores):
        count = state.s[core, st.TCDM_LOADS] + state.s[core, st.TCDM_STORES]
        model.rate[core] = min(1.0, (count - model.core[core]) / window)
        model.core[core] = count
    moved = np.zeros(2)
    busy = np.zeros(2)
    for channel in range(2):
        streamed = _streamed(dev, channel, now)
        moved[channel] = max(0.0, min(1.0, (streamed - model.channel[channel, 0]) / window))
        model.channel[channel, 0] = streamed
    for unit in range(d.UNITS):
        row = dev.unit[unit]
        if row[d.RUNNING] >= 0:
            row[d.BUSY] += max(0, now - row[d.STARTED])
            row[d.STARTED] = max(now, row[d.STARTED])
        busy[unit] = min(1.0, (row[d.BUSY] - model.unit[unit, BUSY_BEFORE]) / window)
        model.unit[unit, BUSY_BEFORE] = row[d.BUSY]
    stalls = np.zeros(cores)
    slow = np.ones(2)
    dma_slow = predict(model.rate, moved, busy, model.unit, model.banks, stalls, slow)
    for core in range(cores):
        state.s[core, st.STALL_RATE] = np.int64(stalls[core] * 65536.0)
    for unit in range(d.UNITS):
        row = dev.unit[unit]
        model.unit[unit, SLOW] = slow[unit]
        running = row[d.RUNNING]
        # Long jobs are lengthened window by window, SoftEx's short ones at their start.
        if unit == d.REDMULE and running >= 0:
            extra = model.unit[unit, CARRY] + busy[unit] * window * (1.0 - 1.0 / slow[unit])
            whole = np.int64(extra)
            model.unit[unit, CARRY] = extra - whole
            for context in range(2):
                at = d.JOB + context * d.JOB_COLUMNS
                if row[at + d.JOB_STATE] == d.QUEUED:
                    row[at + d.JOB_DONE] += whole
    for channel in range(2):
        row = dev.channel[channel]
        if row[d.CHANNEL_COUNT] == 0:
            model.channel[channel, 1] = 0.0
            continue
        extra = model.channel[channel, 1] + moved[channel] * window * (1.0 - 1.0 / dma_slow)
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
    update_next_event(dev)
