"""The race detector's compiled part (see `isa_sim.sanitizer` for the model).

Agents are the cores, then the two units, then the two DMA channels. `clock[a]` is the vector
clock of agent a. Shadow memory has one entry for each `GRANULE` bytes of TCDM (last write,
last read of every agent) and of L2 (last write).
"""

from typing import Any, Final, NamedTuple

import numpy as np

from softex_mlir.isa_sim import core_state as st
from softex_mlir.isa_sim import device_state as d
from softex_mlir.isa_sim.device_events import signed
from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.units import dma, event_unit

GRANULE: Final = 2
"""Bytes of a shadow entry: a BF16 element. Accesses to single bytes count as both."""

# `Shadow.word`
RACE_FOUND: Final = 0
"""The report buffer wants to be emptied."""
REPORTS: Final = 1
AGENTS: Final = 2
TCDM_BASE: Final = 3
TCDM_GRANULES: Final = 4
L2_BASE: Final = 5
L2_GRANULES: Final = 6
WORDS: Final = 8

# Writers in shadow entries.
NEVER_WRITTEN: Final = 0
INITIAL: Final = 1
FIRST_AGENT: Final = 2
"""Agent a is writer FIRST_AGENT + a."""

# Kinds of report.
READ_AFTER_WRITE: Final = 0
WRITE_AFTER_WRITE: Final = 1
WRITE_AFTER_READ: Final = 2
UNINITIALISED: Final = 3
REPORT_COLUMNS: Final = 6
"""kind, address, agent, site, earlier agent, earlier site."""

EVENTS: Final = 17


class Shadow(NamedTuple):
    """State of the race detector."""

    word: Any
    clock: Any
    """int64 [agents, agents]"""
    sync: Any
    """int64 [16 words + barriers, agents]: released clocks of timeline words and barriers."""
    event: Any
    """int64 [cores, EVENTS, agents]: clocks an event hands to a core."""
    job: Any
    """int64 [2 units * 3, agents]: clocks of the last job of context 0, 1, and the last done."""
    transfer: Any
    """int64 [2, queue + 1, agents]: clocks of the transfers under way, and the last done."""
    writer: Any
    writer_clock: Any
    writer_site: Any
    reader: Any
    """uint64: agents that read since the last write."""
    reader_clock: Any
    reader_site: Any
    l2_writer: Any
    l2_clock: Any
    l2_site: Any
    report: Any


@njit(cache=True)
def _join(into: Any, other: Any) -> None:
    for index in range(into.shape[0]):
        into[index] = max(into[index], other[index])


@njit(cache=True)
def _report(
    shadow: Any, kind: int, address: int, agent: int, site: int, other: int, other_site: int
) -> None:
    used = shadow.word[REPORTS]
    if used < shadow.report.shape[0]:
        row = shadow.report[used]
        row[0] = kind
        row[1] = address
        row[2] = agent
        row[3] = site
        row[4] = other
        row[5] = other_site
        shadow.word[REPORTS] = used + 1
    if 2 * shadow.word[REPORTS] >= shadow.report.shape[0]:
        shadow.word[RACE_FOUND] = 1


@njit(cache=True)
def _check_tcdm(
    shadow: Any, agent: int, site: int, first: int, last: int, write: bool, known: int
) -> None:
    """Granules first..last-1 of TCDM are read or written; those before `known` must be written."""
    clock = shadow.clock[agent]
    base = shadow.word[TCDM_BASE]
    now = clock[agent]
    reported = False
    for granule in range(first, last):
        writer = shadow.writer[granule]
        if writer >= FIRST_AGENT:
            other = writer - FIRST_AGENT
            late = other != agent and shadow.writer_clock[granule] > clock[other]
            if late and not reported:
                reported = True
                kind = WRITE_AFTER_WRITE if write else READ_AFTER_WRITE
                at = base + granule * GRANULE
                _report(shadow, kind, at, agent, site, other, shadow.writer_site[granule])
        elif writer == NEVER_WRITTEN and not write and granule < known and not reported:
            reported = True
            _report(shadow, UNINITIALISED, base + granule * GRANULE, agent, site, -1, 0)
        if not write:
            shadow.reader[granule] |= np.uint64(1) << np.uint64(agent)
            shadow.reader_clock[granule, agent] = now
            shadow.reader_site[granule, agent] = site
            continue
        readers = shadow.reader[granule]
        if readers != 0:
            if not reported:
                for other in range(shadow.word[AGENTS]):
                    if (
                        other != agent
                        and (readers >> np.uint64(other)) & np.uint64(1) != 0
                        and shadow.reader_clock[granule, other] > clock[other]
                        and not reported
                    ):
                        reported = True
                        _report(
                            shadow,
                            WRITE_AFTER_READ,
                            base + granule * GRANULE,
                            agent,
                            site,
                            other,
                            shadow.reader_site[granule, other],
                        )
            shadow.reader[granule] = 0
        shadow.writer[granule] = FIRST_AGENT + agent
        shadow.writer_clock[granule] = now
        shadow.writer_site[granule] = site


@njit(cache=True)
def _check_l2(shadow: Any, agent: int, site: int, first: int, last: int, write: bool) -> None:
    """Granules first..last-1 of L2 are read or written (only writes are remembered)."""
    clock = shadow.clock[agent]
    base = shadow.word[L2_BASE]
    reported = False
    for granule in range(first, min(last, shadow.word[L2_GRANULES])):
        writer = shadow.l2_writer[granule]
        if writer >= FIRST_AGENT:
            other = writer - FIRST_AGENT
            if other != agent and shadow.l2_clock[granule] > clock[other] and not reported:
                reported = True
                kind = WRITE_AFTER_WRITE if write else READ_AFTER_WRITE
                at = base + granule * GRANULE
                _report(shadow, kind, at, agent, site, other, shadow.l2_site[granule])
        elif writer == NEVER_WRITTEN and not write and not reported:
            reported = True
            _report(shadow, UNINITIALISED, base + granule * GRANULE, agent, site, -1, 0)
        if write:
            shadow.l2_writer[granule] = FIRST_AGENT + agent
            shadow.l2_clock[granule] = clock[agent]
            shadow.l2_site[granule] = site


@njit(cache=True)
def check(
    shadow: Any, agent: int, site: int, address: int, size: int, write: bool, known: int
) -> None:
    """An agent accesses `size` bytes at an address; the first `known` of a read must be written."""
    offset = address - shadow.word[TCDM_BASE]
    if 0 <= offset < shadow.word[TCDM_GRANULES] * GRANULE:
        first = offset // GRANULE
        last = (offset + size + GRANULE - 1) // GRANULE
        _check_tcdm(shadow, agent, site, first, last, write, (offset + known) // GRANULE)
        return
    offset = address - shadow.word[L2_BASE]
    if offset >= 0:
        last = (offset + size + GRANULE - 1) // GRANULE
        _check_l2(shadow, agent, site, offset // GRANULE, last, write)


@njit(cache=True)
def flush(dev: Any, state: Any, shadow: Any, log: Any, core: int) -> None:
    """Check the accesses a core has logged."""
    for index in range(state.s[core, st.LOG_USED]):
        row = log[core, index]
        site = row[4] << 32 | (row[0] & 0xFFFFFFFF)
        check(shadow, core, site, row[1] & 0xFFFFFFFF, row[2], row[3] != 0, row[2])
    state.s[core, st.LOG_USED] = 0


@njit(cache=True)
def woken(dev: Any, shadow: Any) -> None:
    """Cores about to be woken acquire what their events hand over."""
    for core in range(dev.word[d.CORES]):
        if dev.core[core, d.CORE_RESUME] >= 0:
            _acquire_events(shadow, core, dev.core[core, d.CORE_RESULT])


@njit(cache=True)
def _acquire_events(shadow: Any, core: int, bits: int) -> None:
    for event in range(EVENTS):
        if bits >> event & 1:
            _join(shadow.clock[core], shadow.event[core, event])


@njit(cache=True)
def before_completion(dev: Any, shadow: Any, time: int) -> None:
    """Unit jobs and transfers due at `time` hand their clocks to their events."""
    for unit in range(d.UNITS):
        context = dev.unit[unit, d.RUNNING]
        if context < 0:
            continue
        at = d.JOB + context * d.JOB_COLUMNS
        if dev.unit[unit, at + d.JOB_DONE] > time:
            continue
        event = event_unit.EVENT_REDMULE if unit == d.REDMULE else event_unit.EVENT_SOFTEX
        core = dev.unit[unit, at + d.JOB_CORE]
        _join(shadow.event[core, event], shadow.job[3 * unit + context])
        shadow.job[3 * unit + 2, :] = shadow.job[3 * unit + context]
    capacity = dev.word[d.DMA_QUEUE]
    for channel in range(2):
        state = dev.channel[channel]
        for index in range(state[d.CHANNEL_COUNT]):
            slot = (state[d.CHANNEL_HEAD] + index) % capacity
            at = d.QUEUE + slot * d.TRANSFER_COLUMNS
            if state[at + d.TRANSFER_DONE] > time:
                break
            core = state[at + d.TRANSFER_CORE]
            _join(shadow.event[core, event_unit.EVENT_DMA], shadow.transfer[channel, slot])
            shadow.transfer[channel, capacity, :] = shadow.transfer[channel, slot]


@njit(cache=True)
def _fork(shadow: Any, agent: int, core: int) -> None:
    """A core starts work of a unit or channel: the agent's clock for that work."""
    _join(shadow.clock[agent], shadow.clock[core])
    shadow.clock[agent, agent] += 1
    shadow.clock[core, core] += 1


@njit(cache=True)
def start_job(dev: Any, shadow: Any, unit: int, context: int, core: int) -> int:
    """A unit's job begins; its agent. Its accesses are checked with `check` afterwards."""
    agent = dev.word[d.CORES] + unit
    _fork(shadow, agent, core)
    shadow.job[3 * unit + context, :] = shadow.clock[agent]
    return agent


@njit(cache=True)
def _start_transfer(dev: Any, shadow: Any, channel: int, core: int, time: int) -> None:
    agent = dev.word[d.CORES] + d.UNITS + channel
    _fork(shadow, agent, core)
    state = dev.channel[channel]
    capacity = dev.word[d.DMA_QUEUE]
    slot = (state[d.CHANNEL_HEAD] + state[d.CHANNEL_COUNT] - 1) % capacity
    shadow.transfer[channel, slot, :] = shadow.clock[agent]
    site = time << 32 | (dev.word[d.DMA_USED] - 1)
    reg = dev.core[core, d.DMA_DESCRIPTOR :]
    dst, src, length = reg[0], reg[1], reg[2]
    d2, s2 = signed(reg[3]), signed(reg[4])
    d3, s3 = signed(reg[6]), signed(reg[7])
    for k in range(reg[8]):
        for j in range(reg[5]):
            check(shadow, agent, site, src + k * s3 + j * s2, length, False, length)
            check(shadow, agent, site, dst + k * d3 + j * d2, length, True, 0)


@njit(cache=True)
def _event_unit(dev: Any, shadow: Any, core: int, offset: int, kind: int, status: int) -> None:
    clock = shadow.clock[core]
    if offset >= event_unit.BARRIER:
        barrier = (offset - event_unit.BARRIER) // event_unit.BARRIER_STRIDE
        register = (offset - event_unit.BARRIER) % event_unit.BARRIER_STRIDE
        if register < event_unit.BARRIER_TRIGGER or barrier >= event_unit.BARRIERS:
            return
        released = shadow.sync[16 + barrier]
        _join(released, clock)
        clock[core] += 1
        if dev.barrier[barrier, 1] == 0:
            # It opened: whoever waits or is a target acquires what all have released.
            members = dev.barrier[barrier, 0] | dev.barrier[barrier, 2]
            for other in range(dev.word[d.CORES]):
                if members >> other & 1:
                    _join(shadow.event[other, event_unit.EVENT_BARRIER], released)
            released[:] = 0
        return
    if kind == d.STORE:
        event = (offset - event_unit.SW_EVENT_TRIGGER) // 4
        if 0 <= event < event_unit.SW_EVENTS:
            for target in range(dev.word[d.CORES]):
                _join(shadow.event[target, event], clock)
            clock[core] += 1
    elif status == d.DONE and offset >= event_unit.BUFFER:
        _acquire_events(shadow, core, dev.word[d.VALUE])


@njit(cache=True)
def after_access(
    dev: Any, shadow: Any, core: int, time: int, address: int, kind: int, status: int
) -> None:
    """Apply the synchronisation edges of an access that was performed."""
    if status == d.RETRY:
        return
    clock = shadow.clock[core]
    word = address - dev.word[d.TCDM_BASE]
    if 0 <= word < 64:
        if kind == d.STORE:
            _join(shadow.sync[word // 4], clock)
            clock[core] += 1
        else:
            _join(clock, shadow.sync[word // 4])
        return
    offset = address - dev.word[d.PERIPHERAL_BASE]
    for base in (event_unit.ALIAS_OFFSET, event_unit.GLOBAL_OFFSET):
        if base <= offset < base + event_unit.ALIAS_BYTES:
            _event_unit(dev, shadow, core, offset - base, kind, status)
            woken(dev, shadow)
            return
    if kind == d.STORE:
        return
    for base in (dma.ALIAS_OFFSET, dma.GLOBAL_OFFSET):
        if base <= offset < base + dma.ALIAS_BYTES:
            register = offset - base
            capacity = dev.word[d.DMA_QUEUE]
            if register == dma.NEXT_ID_0 or register == dma.NEXT_ID_1:
                _start_transfer(dev, shadow, 0 if register == dma.NEXT_ID_0 else 1, core, time)
            elif register == dma.DONE_ID_0:
                _join(clock, shadow.transfer[0, capacity])
            elif register == dma.DONE_ID_1:
                _join(clock, shadow.transfer[1, capacity])
            elif register == dma.STATUS_0 and dev.word[d.VALUE] == 0:
                _join(clock, shadow.transfer[0, capacity])
            elif register == dma.STATUS_1 and dev.word[d.VALUE] == 0:
                _join(clock, shadow.transfer[1, capacity])
            return
    for unit in range(d.UNITS):
        register = offset - dev.unit[unit, d.OFFSET]
        if dev.unit[unit, d.PRESENT] and 0 <= register < d.HWPE_BYTES:
            if register == d.HWPE_ACQUIRE:
                # A context is free: the job it had before is done.
                if dev.word[d.VALUE] < 0x80000000 and dev.word[d.VALUE] >= 0:
                    _join(clock, shadow.job[3 * unit + dev.unit[unit, d.LOCKED]])
            elif register == d.HWPE_STATUS:
                for context in range(2):
                    if dev.word[d.VALUE] >> (8 * context) & 1 == 0:
                        _join(clock, shadow.job[3 * unit + context])
            elif dev.word[d.VALUE] != 0 and (
                register == d.HWPE_FINISHED or register == d.HWPE_RUNNING_JOB
            ):
                _join(clock, shadow.job[3 * unit + 2])
            return
