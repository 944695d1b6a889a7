"""A stretch of a run once more, cycle by cycle, at the TCDM's banks; compiled with numba.

The accesses are those of the run: the cores' from their access logs, the units' and the DMA's from
what the logs of jobs and transfers say they do at that time. A bank grants one access a cycle.
Cores and DMA are narrow masters, served round robin; a unit's wide access takes all its adjacent
banks at once, after the narrow masters unless it was denied `starvation` times in a row.
"""

from typing import Any, Final

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.devices.dma import transfer_cycles
from softex_mlir.isa_sim.devices.events import signed
from softex_mlir.isa_sim.jit import call_pointer, njit
from softex_mlir.isa_sim.units.accesses import (
    JOB_END,
    JOB_START,
    POINTER_COLUMNS,
    STREAMS,
)

# Columns of the result.
DONE: Final = 0
"""Accesses of a core or unit, beats of a channel."""
LOST: Final = 1
"""Cycles lost by them; denials of a unit."""

# Words of the memory's description.
BANKS: Final = 0
STARVATION: Final = 1
MEMORY_WORDS: Final = 2

# Columns of the units' calls.
WANTS: Final = 0
ADDRESS: Final = 1
WIDTH: Final = 2
"""Banks that an access takes."""
CALL_COLUMNS: Final = 3

JOB_UNIT: Final = 0
"""Column of the job log."""

# Columns of the DMA log.
DMA_BEGIN: Final = 1
DMA_END: Final = 2
DMA_CHANNEL: Final = 3
DMA_DESCRIPTOR: Final = 7

# Columns of a channel's state.
ROW: Final = 0
BEAT: Final = 1
BEATS: Final = 2
RUN: Final = 3
"""Beats of a run."""
PACE: Final = 4
"""Cycles a beat, in 1/256."""
DUE: Final = 5
"""When the beat is due, in 1/256 cycles."""
WAITING: Final = 6
"""Words of the beat that are not through."""
CHANNEL_COLUMNS: Final = 7

_PARTS: Final = 256


@njit(cache=True)
def _first_row(log: Any, used: int, column: int, value: int, begin: int, row: int) -> int:
    """First entry of a unit or channel, from a row on, that is not over at `begin` (column 2)."""
    while row < used and (log[row, column] != value or log[row, 2] <= begin):
        row += 1
    return row


@njit(cache=True)
def _next_row(log: Any, used: int, column: int, value: int, row: int) -> int:
    row += 1
    while row < used and log[row, column] != value:
        row += 1
    return row


@njit(cache=True)
def _seek(log: Any, core: int, used: int, begin: int) -> int:
    """Position before the core's first access at `begin` or later."""
    low, high = 0, used
    while low < high:
        middle = (low + high) // 2
        if log[core, middle, 4] < begin:
            low = middle + 1
        else:
            high = middle
    return low - 1


@njit(cache=True)
def _next_access(
    dev: Any, state: Any, log: Any, core: int, at: Any, passed: int, lost: int, wanted: Any,
    bank: Any, banks: int,
) -> None:  # fmt: skip
    """The core's next access to TCDM, `lost` cycles later than it would have come."""
    base, size = dev.word[d.TCDM_BASE], dev.word[d.TCDM_BYTES]
    used = state.s[core, st.LOG_USED]
    index = at[core] + 1
    while index < used and not abi.COUNTER_BYTES <= log[core, index, 1] - base < size:
        index += 1
    at[core] = index
    wanted[core] = d.NEVER
    if index < used:
        # The log has the stalls that were charged: they do not count here.
        charged = passed * state.s[core, st.STALL_RATE] >> 16
        wanted[core] = log[core, index, 4] - charged + lost
        bank[core] = (log[core, index, 1] - base) // 4 % banks


@njit(cache=True)
def _open_transfer(dev: Any, dma_log: Any, channel: Any, now: int, end: int) -> None:
    """Look at the transfer in the channel's row, where it stands at `now`."""
    used = dev.word[d.DMA_USED]
    if channel[ROW] >= used or dma_log[channel[ROW], DMA_BEGIN] >= end:
        channel[ROW] = used
        return
    entry = dma_log[channel[ROW]]
    registers = entry[DMA_DESCRIPTOR:]
    channel[RUN] = -(-registers[2] // dev.word[d.DMA_WIDTH])
    channel[BEATS] = channel[RUN] * registers[5] * registers[8]
    channel[PACE] = max(_PARTS, _PARTS * transfer_cycles(dev, registers) // channel[BEATS])
    channel[BEAT] = 0
    begin, over = entry[DMA_BEGIN], entry[DMA_END]
    channel[DUE] = _PARTS * begin
    if now > begin:
        channel[BEAT] = min(
            -(-channel[BEATS] * (now - begin) // (over - begin)), channel[BEATS] - 1
        )
        channel[DUE] += _PARTS * (over - begin) * channel[BEAT] // channel[BEATS]


@njit(cache=True)
def _next_beat(
    dev: Any, dma_log: Any, channel: Any, index: int, wanted: Any, bank: Any, banks: int
) -> None:
    """The two words of the channel's next beat; none if its row is past the log."""
    first = dev.word[d.CORES] + 2 * index
    wanted[first] = wanted[first + 1] = d.NEVER
    if channel[ROW] >= dev.word[d.DMA_USED]:
        return
    registers = dma_log[channel[ROW], DMA_DESCRIPTOR:]
    run, within = channel[BEAT] // channel[RUN], channel[BEAT] % channel[RUN]
    # The TCDM side: destination of channel 0, source of channel 1.
    address = registers[index] + within * dev.word[d.DMA_WIDTH]
    if registers[5] > 1:
        address += signed(registers[3 + index]) * (run % registers[5])
    if registers[8] > 1:
        address += signed(registers[6 + index]) * (run // registers[5])
    channel[WAITING] = 2
    for word in range(2):
        wanted[first + word] = channel[DUE] // _PARTS
        bank[first + word] = (address // 4 + word) % banks


@njit(cache=True)
def replay(
    dev: Any, state: Any, log: Any, job_log: Any, dma_log: Any, memory: Any, calls: Any,
    geometry: Any, slow: Any,
    firsts: Any, begin: int, end: int, core_result: Any, unit_result: Any, channel_result: Any,
) -> None:  # fmt: skip
    """Replay the cycles from `begin` to `end`; add to the results, int64 [n, (DONE, LOST)].

    `memory`: banks and starvation; `calls`, `geometry`: the units' (`units.accesses`). `slow`:
    slow-down of the units, float64 [units]; their jobs get on by so much less. `firsts`, int64
    [units + 3]: the rows before which the logs hold nothing more for a unit or channel, and the
    `begin` they are for; later stretches go on from there.
    """
    cores, jobs = dev.word[d.CORES], dev.word[d.JOB_USED]
    units = calls.shape[0]
    banks, starvation = memory[BANKS], memory[STARVATION]
    all_banks = (np.int64(1) << banks) - 1
    if begin < firsts[units + 2]:
        firsts[:] = 0
    firsts[units + 2] = begin
    masters = cores + 4
    wanted = np.full(masters, d.NEVER, np.int64)
    bank = np.zeros(masters, np.int64)
    at = np.zeros(cores, np.int64)
    moved = np.zeros(cores, np.int64)
    passed = np.zeros(cores, np.int64)
    for core in range(cores):
        at[core] = _seek(log, core, state.s[core, st.LOG_USED], begin)
        _next_access(dev, state, log, core, at, 0, 0, wanted, bank, banks)
    channel = np.zeros((2, CHANNEL_COLUMNS), np.int64)
    job = np.zeros(units, np.int64)
    for index in range(2):
        used = dev.word[d.DMA_USED]
        row = _first_row(dma_log, used, DMA_CHANNEL, index, begin, firsts[units + index])
        channel[index, ROW] = firsts[units + index] = row
        _open_transfer(dev, dma_log, channel[index], begin, end)
        _next_beat(dev, dma_log, channel[index], index, wanted, bank, banks)
    for unit in range(units):
        job[unit] = firsts[unit] = _first_row(job_log, jobs, JOB_UNIT, unit, begin, firsts[unit])
    # Masters that want nothing before the end are never looked at.
    active = np.flatnonzero(wanted < end)
    rivals = len(active)
    pending = np.zeros((units, STREAMS), np.int64)
    pointer = np.full((units, STREAMS, POINTER_COLUMNS), -1, np.int64)
    turn = np.zeros(units, np.int64)
    denied = np.zeros(units, np.int64)
    # What a unit asks for, the same until it is granted or the unit wants more.
    known = np.zeros(units, np.bool_)
    spans = np.zeros(units, np.int64)
    asking = np.zeros(units, np.int64)
    clock = np.full(units, begin, np.int64)
    speed = 1.0 / slow
    next_want = np.full(units, begin, np.int64)
    for time in range(begin, end):
        narrow = np.int64(0)
        for number in range(rivals):
            master = active[number]
            if wanted[master] <= time:
                narrow |= np.int64(1) << bank[master]
        taken = np.int64(0)
        turns = time % units
        for order in range(units):
            unit = turns + order if turns + order < units else turns + order - units
            if job[unit] >= jobs:
                continue
            clock[unit] = begin + np.int64((time - begin) * speed[unit])
            while job[unit] < jobs and job_log[job[unit], JOB_END] <= time:
                job[unit] = _next_row(job_log, jobs, JOB_UNIT, unit, job[unit])
                pointer[unit, :, :] = -1
                pending[unit, :] = 0
                next_want[unit] = clock[unit]
                known[unit] = False
            if job[unit] >= jobs or job_log[job[unit], JOB_START] > time:
                continue
            if clock[unit] >= next_want[unit]:
                next_want[unit] = clock[unit] + call_pointer(
                    calls[unit, WANTS], geometry, unit, job_log, job[unit], clock[unit],
                    pending, unit, pointer, unit,
                )  # fmt: skip
                known[unit] = False
            if not known[unit]:
                stream = turn[unit] % STREAMS
                for _ in range(STREAMS - 1):
                    if pending[unit, stream] == 0:
                        stream = (stream + 1) % STREAMS
                if pending[unit, stream] == 0:
                    continue
                address = call_pointer(
                    calls[unit, ADDRESS], geometry, unit, job_log, job[unit], stream,
                    pending, unit, pointer, unit,
                )  # fmt: skip
                wide = ((np.int64(1) << calls[unit, WIDTH]) - 1) << (address // 4 % banks)
                spans[unit] = (wide | wide >> banks) & all_banks
                asking[unit] = stream
                known[unit] = True
            span, stream = spans[unit], asking[unit]
            if span & taken != 0 or (denied[unit] < starvation and span & narrow != 0):
                denied[unit] += 1
                unit_result[unit, LOST] += 1
                continue
            denied[unit] = 0
            taken |= span
            unit_result[unit, DONE] += 1
            pending[unit, stream] -= 1
            pointer[unit, stream, 1] += 1
            turn[unit] = stream + 1
            known[unit] = False
        if narrow == 0:
            continue
        turn_of = time % masters
        first = 0
        while first < rivals and active[first] < turn_of:
            first += 1
        for offset in range(rivals):
            number = first + offset
            master = active[number if number < rivals else number - rivals]
            if wanted[master] > time or taken >> bank[master] & 1:
                continue
            taken |= np.int64(1) << bank[master]
            if master < cores:
                result = core_result[master]
                result[DONE] += 1
                result[LOST] += time - wanted[master]
                # Cycles lost so far in this stretch move all that follows.
                moved[master] += time - wanted[master]
                passed[master] += 1
                _next_access(
                    dev, state, log, master, at, passed[master], moved[master], wanted, bank, banks
                )
                continue
            index = (master - cores) // 2
            wanted[master] = d.NEVER
            mine = channel[index]
            mine[WAITING] -= 1
            if mine[WAITING] > 0:
                continue
            due = mine[DUE] // _PARTS
            channel_result[index, DONE] += 1
            channel_result[index, LOST] += time - due
            mine[DUE] = max(mine[DUE], _PARTS * time) + mine[PACE]
            mine[BEAT] += 1
            if mine[BEAT] == mine[BEATS]:
                used = dev.word[d.DMA_USED]
                mine[ROW] = _next_row(dma_log, used, DMA_CHANNEL, index, mine[ROW])
                after = mine[DUE]
                _open_transfer(dev, dma_log, mine, begin, end)
                mine[DUE] = max(mine[DUE], after)
            _next_beat(dev, dma_log, mine, index, wanted, bank, banks)
