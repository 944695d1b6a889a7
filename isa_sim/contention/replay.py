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
from softex_mlir.isa_sim.intrinsics import leading_zeros
from softex_mlir.isa_sim.jit import call_pointer, njit
from softex_mlir.isa_sim.units.accesses import (
    ADDRESS,
    AGAIN,
    JOB_END,
    JOB_START,
    LEFT,
    PENDING,
    PITCH,
    STREAM_COLUMNS,
    STREAM_WORDS,
    STREAMS,
    THEN,
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
WIDTH: Final = 1
"""Banks that an access takes."""
CALL_COLUMNS: Final = 2

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
BEAT_ADDRESS: Final = 7
RUN_END: Final = 8
"""First beat of the next run."""
CHANNEL_COLUMNS: Final = 9

_LAST_STREAM: Final = (STREAMS - 1) * STREAM_COLUMNS
_PARTS_BITS: Final = 8
_PARTS: Final = 1 << _PARTS_BITS


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
def _begin_job(streams: Any, unit: int) -> None:
    """What a unit asks for before its job's first cycle: nothing."""
    streams[unit, :] = -1
    for stream in range(STREAMS):
        streams[unit, STREAM_COLUMNS * stream + PENDING] = 0


@njit(cache=True)
def _choose(streams: Any, unit: int, stream: int, width: int, banks: int) -> tuple[int, int]:
    """The first stream from one on that wants an access, and the banks it takes; 0 if none does."""
    for _ in range(STREAMS):
        if streams[unit, stream + PENDING] > 0:
            first = streams[unit, stream + ADDRESS] >> 2 & banks - 1
            span: Any = ((np.int64(1) << width) - 1) << first
            return stream, (span | span >> banks) & (np.int64(1) << banks) - 1
        stream = stream + STREAM_COLUMNS if stream < _LAST_STREAM else 0
    return stream, 0


@njit(cache=True)
def _expect(due: Any, wanted: Any, master: int, first: int) -> None:
    """Note when a narrow master wants its access, not before the cycle `first` of the stretch."""
    cycle = max(wanted[master] - due[0], first)
    if cycle < due.size - 1:
        due[cycle + 1] |= np.int64(1) << master


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
        bank[core] = (log[core, index, 1] - base) >> 2 & banks - 1


# A view of a row would be simpler and takes longer than what is done with it: hence the indices.


@njit(cache=True)
def _find_beat(dev: Any, dma_log: Any, channel: Any, index: int) -> None:
    """Where the channel's beat lies on the TCDM side: destination of channel 0, source of 1."""
    row, at = channel[index, ROW], DMA_DESCRIPTOR
    run = channel[index, BEAT] // channel[index, RUN]
    within = channel[index, BEAT] - run * channel[index, RUN]
    address = dma_log[row, at + index] + within * dev.word[d.DMA_WIDTH]
    inner = dma_log[row, at + 5]
    if inner > 1:
        address += signed(dma_log[row, at + 3 + index]) * (run % inner)
    if dma_log[row, at + 8] > 1:
        address += signed(dma_log[row, at + 6 + index]) * (run // inner)
    channel[index, BEAT_ADDRESS] = address
    channel[index, RUN_END] = (run + 1) * channel[index, RUN]


@njit(cache=True)
def _open_transfer(dev: Any, dma_log: Any, channel: Any, index: int, now: int, end: int) -> None:
    """Look at the transfer in the channel's row, where it stands at `now`."""
    used = dev.word[d.DMA_USED]
    row = channel[index, ROW]
    if row >= used or dma_log[row, DMA_BEGIN] >= end:
        channel[index, ROW] = used
        return
    registers = dma_log[row, DMA_DESCRIPTOR:]
    run = -(-registers[2] // dev.word[d.DMA_WIDTH])
    beats = run * registers[5] * registers[8]
    begin, over = dma_log[row, DMA_BEGIN], dma_log[row, DMA_END]
    beat, due = 0, _PARTS * begin
    if now > begin:
        beat = min(-(-beats * (now - begin) // (over - begin)), beats - 1)
        due += _PARTS * (over - begin) * beat // beats
    channel[index, RUN], channel[index, BEATS] = run, beats
    channel[index, PACE] = max(_PARTS, _PARTS * transfer_cycles(dev, registers) // beats)
    channel[index, BEAT], channel[index, DUE] = beat, due
    _find_beat(dev, dma_log, channel, index)


@njit(cache=True)
def _want_beat(dev: Any, channel: Any, index: int, wanted: Any, bank: Any, banks: int) -> None:
    """The two words of the channel's beat; none if its row is past the log."""
    first = dev.word[d.CORES] + 2 * index
    wanted[first] = wanted[first + 1] = d.NEVER
    if channel[index, ROW] >= dev.word[d.DMA_USED]:
        return
    channel[index, WAITING] = 2
    wanted[first] = wanted[first + 1] = channel[index, DUE] >> _PARTS_BITS
    word = channel[index, BEAT_ADDRESS] >> 2
    bank[first], bank[first + 1] = word & banks - 1, word + 1 & banks - 1


@njit(cache=True, makes_arrays=True)
def replay(
    dev: Any, state: Any, log: Any, job_log: Any, dma_log: Any, memory: Any, calls: Any,
    geometry: Any, slow: Any,
    firsts: Any, begin: int, end: int, core_result: Any, unit_result: Any, channel_result: Any,
) -> None:  # fmt: skip
    """Replay the cycles from `begin` to `end`; add to the results, int64 [n, (DONE, LOST)].

    `memory`: banks, a power of two, and starvation; `calls`, `geometry`: the units'
    (`units.accesses`). `slow`: slow-down of the units, float64 [units], at least 1; their jobs get
    on by so much less. `firsts`, int64 [units + 3]: the rows before which the logs hold nothing
    more for a unit or channel, and the `begin` they are for; later stretches go on from there.
    """
    cores, jobs = dev.word[d.CORES], dev.word[d.JOB_USED]
    units = calls.shape[0]
    banks, starvation = memory[BANKS], memory[STARVATION]
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
        _open_transfer(dev, dma_log, channel, index, begin, end)
        _want_beat(dev, channel, index, wanted, bank, banks)
    # When a unit's job may have ended or want more.
    look = np.full(units, begin, np.int64)
    streams = np.empty((units, STREAM_WORDS), np.int64)
    for unit in range(units):
        job[unit] = firsts[unit] = _first_row(job_log, jobs, JOB_UNIT, unit, begin, firsts[unit])
        if job[unit] >= jobs:
            look[unit] = d.NEVER
        _begin_job(streams, unit)
    # `due`: the first cycle of the stretch; then, for each cycle, the masters that begin to want
    # an access, by their bits.
    due = np.zeros(end - begin + 1, np.int64)
    due[0] = begin
    for master in range(masters):
        _expect(due, wanted, master, 0)
    # The masters that wait for a bank, by their bits, and the banks that somebody waits for.
    waiting = np.zeros(banks, np.int64)
    narrow = np.int64(0)
    turn = np.zeros(units, np.int64)
    denied = np.zeros(units, np.int64)
    # The stream of a unit that asks next and the banks it asks for, 0 for none.
    asking = np.zeros(units, np.int64)
    spans = np.zeros(units, np.int64)
    speed = 1.0 / slow
    next_want = np.full(units, begin, np.int64)
    first_unit = begin % units
    for time in range(begin, end):
        arrived = due[time - begin + 1]
        while arrived != 0:
            lowest = arrived & -arrived
            arrived ^= lowest
            where = bank[63 - leading_zeros(lowest)]
            waiting[where] |= lowest
            narrow |= np.int64(1) << where
        taken = np.int64(0)
        unit = first_unit
        first_unit = first_unit + 1 if first_unit + 1 < units else 0
        for _ in range(units):
            if time >= look[unit]:
                clock = begin + np.int64((time - begin) * speed[unit])
                while job[unit] < jobs and job_log[job[unit], JOB_END] <= time:
                    job[unit] = _next_row(job_log, jobs, JOB_UNIT, unit, job[unit])
                    _begin_job(streams, unit)
                    next_want[unit] = clock
                    spans[unit] = 0
                row = job[unit]
                if row >= jobs:
                    look[unit] = d.NEVER
                elif job_log[row, JOB_START] > time:
                    look[unit] = min(job_log[row, JOB_START], job_log[row, JOB_END])
                else:
                    if clock >= next_want[unit]:
                        next_want[unit] = clock + call_pointer(
                            calls[unit, WANTS], geometry, unit, job_log, row, clock, streams, unit
                        )
                        asking[unit], spans[unit] = _choose(
                            streams, unit, turn[unit], calls[unit, WIDTH], banks
                        )
                    # The unit's clock is never faster than time.
                    look[unit] = min(time + next_want[unit] - clock, job_log[row, JOB_END])
            span = spans[unit]
            if span != 0:
                if span & taken != 0 or (denied[unit] < starvation and span & narrow != 0):
                    denied[unit] += 1
                    unit_result[unit, LOST] += 1
                else:
                    stream = asking[unit]
                    denied[unit] = 0
                    taken |= span
                    unit_result[unit, DONE] += 1
                    streams[unit, stream + PENDING] -= 1
                    streams[unit, stream + ADDRESS] += streams[unit, stream + PITCH]
                    streams[unit, stream + LEFT] -= 1
                    if streams[unit, stream + LEFT] == 0:
                        streams[unit, stream + ADDRESS] = streams[unit, stream + THEN]
                        streams[unit, stream + LEFT] = streams[unit, stream + AGAIN]
                    stream = stream + STREAM_COLUMNS if stream < _LAST_STREAM else 0
                    turn[unit] = stream
                    asking[unit], spans[unit] = _choose(
                        streams, unit, stream, calls[unit, WIDTH], banks
                    )
            unit = unit + 1 if unit + 1 < units else 0
        granted = narrow & ~taken
        while granted != 0:
            lowest = granted & -granted
            granted ^= lowest
            where = 63 - leading_zeros(lowest)
            those = waiting[where]
            if those & (those - 1) != 0:
                # Round robin: the first from the master whose turn it is, else the first of all.
                later = those >> time % masters << time % masters
                chosen = later if later != 0 else those
            else:
                chosen = those
            chosen &= -chosen
            waiting[where] = those ^ chosen
            if those == chosen:
                narrow ^= lowest
            master = 63 - leading_zeros(chosen)
            if master < cores:
                late = time - wanted[master]
                core_result[master, DONE] += 1
                core_result[master, LOST] += late
                # Cycles lost so far in this stretch move all that follows.
                moved[master] += late
                passed[master] += 1
                _next_access(
                    dev, state, log, master, at, passed[master], moved[master], wanted, bank, banks
                )
                _expect(due, wanted, master, time - begin + 1)
                continue
            index = (master - cores) >> 1
            channel[index, WAITING] -= 1
            if channel[index, WAITING] > 0:
                continue
            beat = channel[index, DUE]
            channel_result[index, DONE] += 1
            channel_result[index, LOST] += time - (beat >> _PARTS_BITS)
            beat = max(beat, time << _PARTS_BITS) + channel[index, PACE]
            channel[index, DUE] = beat
            channel[index, BEAT] += 1
            if channel[index, BEAT] < channel[index, RUN_END]:
                channel[index, BEAT_ADDRESS] += dev.word[d.DMA_WIDTH]
            elif channel[index, BEAT] < channel[index, BEATS]:
                _find_beat(dev, dma_log, channel, index)
            else:
                used = dev.word[d.DMA_USED]
                row = _next_row(dma_log, used, DMA_CHANNEL, index, channel[index, ROW])
                channel[index, ROW] = row
                _open_transfer(dev, dma_log, channel, index, begin, end)
                channel[index, DUE] = max(channel[index, DUE], beat)
            _want_beat(dev, channel, index, wanted, bank, banks)
            for master in range(cores + 2 * index, cores + 2 * index + 2):
                _expect(due, wanted, master, time - begin + 1)
