"""What a core finds behind the peripheral interconnect, compiled with numba.

Event unit and barriers, the control ports of the two HWPE units, the DMA, the timer, the
end-of-computation register and the first 64 bytes of TCDM (the timeline counters, which go
this way so that synchronisation happens in exact global time order).

`access` performs one access of one core at one time; `complete` retires the unit events due
at a time. The run loop (`isa_sim.engine`) calls both in global time order.

Timing: an access of a core at cycle t takes effect in that order, and the core goes on at t + the
peripheral latency (1 for TCDM). A trigger is accepted at the end of its access.
A sleeping core resumes `event_wait_cycles` after its event, and not before
`event_wait_cycles` after it went to sleep; all cores of a barrier resume `barrier_cycles`
after the last arrival.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from softex_mlir.isa_sim.jit import njit
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import dma, event_unit

NEVER: Final = 1 << 62
"""A time that never comes."""

# Kinds of access.
LOAD: Final = 0
STORE: Final = 1
WAIT: Final = 2
"""`cv.elw`."""

# What became of an access.
DONE: Final = 0
SLEEP: Final = 1
TRIGGER: Final = 2
RETRY: Final = 3
"""The DMA queue is full: the access is repeated when it has room."""
FAULT: Final = 4
END: Final = 5
LOG_FULL: Final = 6
SOFT_CLEAR: Final = 7

# Sleep states of a core.
AWAKE: Final = 0
ON_EVENT: Final = 1
ON_EVENT_CLEAR: Final = 2
ON_BARRIER: Final = 3
ON_BARRIER_CLEAR: Final = 4

# Units, and their columns in `Devices.unit`.
REDMULE: Final = 0
SOFTEX: Final = 1
UNITS: Final = 2
JOB_REGISTERS: Final = 8
PRESENT: Final = 0
LOCKED: Final = 1
"""Context being programmed, or -1."""
NEXT_CONTEXT: Final = 2
RUNNING: Final = 3
"""Context whose job is running, or -1."""
NEXT_ID: Final = 4
FINISHED: Final = 5
RUNNING_ID: Final = 6
PENDING: Final = 7
"""Jobs triggered and not done."""
CLEARED: Final = 8
"""A soft clear (or reset) happened and no job was triggered since."""
MACFG_TIME: Final = 9
"""When the last job register that must come last was written, or -1."""
DEPTH: Final = 10
NEEDS_CLEAR: Final = 11
LAST_DONE: Final = 12
FIRST_REGISTER: Final = 13
REGISTERS: Final = 14
OFFSET: Final = 15
BUSY: Final = 16
"""Cycles with a job under way."""
STARTED: Final = 17
LOCKED_BY: Final = 18
TRIGGER_GAP: Final = 19
"""Cycles from the MACFG write to the trigger of the job just triggered."""
BANK: Final = 20
"""Job registers of context c from BANK + c * JOB_REGISTERS."""
JOB: Final = BANK + 2 * JOB_REGISTERS
"""Job of context c from JOB + c * JOB_COLUMNS."""
JOB_COLUMNS: Final = 5
HWPE_COLUMNS: Final = JOB + 2 * JOB_COLUMNS

# Columns of a context's job.
JOB_STATE: Final = 0
JOB_DONE: Final = 1
JOB_CORE: Final = 2
JOB_ID: Final = 3
JOB_LOG: Final = 4
FREE: Final = 0
PROGRAMMED: Final = 1
QUEUED: Final = 2

# HWPE control registers.
HWPE_TRIGGER: Final = 0x00
HWPE_ACQUIRE: Final = 0x04
HWPE_FINISHED: Final = 0x08
HWPE_STATUS: Final = 0x0C
HWPE_RUNNING_JOB: Final = 0x10
HWPE_SOFT_CLEAR: Final = 0x14
HWPE_SW_EVENT: Final = 0x1C
HWPE_BYTES: Final = 0x200

# Columns of `Devices.channel`, then those of a transfer in its queue.
CHANNEL_NEXT_ID: Final = 0
CHANNEL_DONE_ID: Final = 1
CHANNEL_FREE: Final = 2
CHANNEL_COUNT: Final = 3
CHANNEL_HEAD: Final = 4
CHANNEL_BUSY: Final = 5
CHANNEL_BYTES: Final = 6
CHANNEL_TRANSFERS: Final = 7
QUEUE: Final = 8
"""Ring of transfers under way: slot i from QUEUE + i * TRANSFER_COLUMNS."""
TRANSFER_DONE: Final = 0
TRANSFER_ID: Final = 1
TRANSFER_CORE: Final = 2
TRANSFER_LOG: Final = 3
TRANSFER_BEGIN: Final = 4
TRANSFER_COLUMNS: Final = 5

# `Devices.word`: constants of the machine,
TCDM_BASE: Final = 0
TCDM_BYTES: Final = 1
L2_BASE: Final = 2
L2_BYTES: Final = 3
PERIPHERAL_BASE: Final = 4
LATENCY: Final = 5
L2_LATENCY: Final = 6
BARRIER_CYCLES: Final = 7
WAIT_CYCLES: Final = 8
CORES: Final = 9
DMA_WIDTH: Final = 10
DMA_BURST: Final = 11
DMA_OUTSTANDING: Final = 12
DMA_QUEUE: Final = 13

# and what an access hands back.
VALUE: Final = 14
UNTIL: Final = 15
"""The time the core goes on."""
CODE: Final = 16
"""Fault code, or unit of a TRIGGER."""
CONTEXT: Final = 17
NEXT_EVENT: Final = 18
EXIT_CODE: Final = 19
DMA_USED: Final = 20
STREAM_USED: Final = 21
TRIGGER_TIME: Final = 22
DETAIL: Final = 23
JOB_USED: Final = 24
WORDS: Final = 25

# Faults of an access.
FAULT_UNMAPPED: Final = 1
FAULT_WIDTH: Final = 2
FAULT_REGISTER: Final = 3
FAULT_NOT_ACQUIRED: Final = 4
FAULT_NOT_CLEARED: Final = 5
FAULT_QUEUE: Final = 6
FAULT_ORDER: Final = 7
FAULT_NO_UNIT: Final = 8
FAULT_DMA_RANGE: Final = 9
FAULT_DMA_SHAPE: Final = 10
FAULT_CLEAR_BUSY: Final = 11
FAULT_WAIT: Final = 12
FAULT_BARRIER_TWICE: Final = 13

DMA_LOG_COLUMNS: Final = 16
"""launch, begin, done, channel, id, core, tp, then the nine descriptor registers."""
STREAM_LOG_COLUMNS: Final = 4
"""cycle, stream, tp, value."""


# Columns of `Devices.core`.
CORE_MASK: Final = 0
CORE_BUFFER: Final = 1
CORE_SLEEP: Final = 2
CORE_SINCE: Final = 3
"""When the core went to sleep."""
CORE_ASLEEP: Final = 4
"""Cycles the core has slept."""
CORE_BARRIER: Final = 5
"""Barrier the core sleeps on."""
CORE_RESUME: Final = 6
"""When a core that was just woken goes on, else -1."""
CORE_RESULT: Final = 7
"""What the woken core's `cv.elw` returns."""
CORE_PENDING: Final = 8
"""1 while the core stands before an access."""
CORE_STALLED: Final = 9
"""Cycles the core waited for room in a DMA queue."""
DMA_DESCRIPTOR: Final = 10
"""The core's copy of the nine DMA descriptor registers."""
CORE_COLUMNS: Final = DMA_DESCRIPTOR + 9


class Devices(NamedTuple):
    """State of everything but cores and memories: int64 arrays with named columns."""

    word: Any
    core: Any
    """[cores, CORE_COLUMNS]"""
    barrier: Any
    """[barriers, 3]: trigger mask, arrived, target mask."""
    unit: Any
    """[units, HWPE_COLUMNS]"""
    channel: Any
    """[2, QUEUE + queue * TRANSFER_COLUMNS]"""


def make_devices(machine: Machine) -> Devices:
    """The devices of a machine after reset."""
    cluster = machine.cluster
    cores = cluster.cores
    word = np.zeros(WORDS, np.int64)
    word[TCDM_BASE] = cluster.tcdm_base
    word[TCDM_BYTES] = cluster.tcdm_bytes
    word[L2_BASE] = cluster.l2_base
    word[L2_BYTES] = cluster.l2_bytes
    word[PERIPHERAL_BASE] = cluster.peripheral_base
    word[LATENCY] = cluster.peripheral_latency_cycles
    word[L2_LATENCY] = cluster.l2_latency_cycles
    word[BARRIER_CYCLES] = cluster.barrier_cycles
    word[WAIT_CYCLES] = machine.core.event_wait_cycles
    word[CORES] = cores
    word[DMA_WIDTH] = machine.dma.bytes_per_cycle
    word[DMA_BURST] = machine.dma.burst_bytes
    word[DMA_OUTSTANDING] = machine.dma.outstanding
    word[DMA_QUEUE] = machine.dma.queue
    word[NEXT_EVENT] = NEVER
    unit = np.zeros((UNITS, HWPE_COLUMNS), np.int64)
    unit[:, LOCKED] = unit[:, RUNNING] = unit[:, MACFG_TIME] = -1
    unit[:, CLEARED] = 1
    unit[:, LAST_DONE] = -1
    if machine.redmule is not None:
        row = unit[REDMULE]
        row[PRESENT] = 1
        row[DEPTH] = machine.redmule.queue_depth
        row[NEEDS_CLEAR] = machine.redmule.requires_soft_clear
        row[FIRST_REGISTER], row[REGISTERS] = 0x40, 6
        row[OFFSET] = machine.redmule.base - cluster.peripheral_base
    if machine.softex is not None:
        row = unit[SOFTEX]
        row[PRESENT] = 1
        row[DEPTH] = machine.softex.queue_depth
        row[FIRST_REGISTER], row[REGISTERS] = 0x20, 8
        row[OFFSET] = machine.softex.base - cluster.peripheral_base
    channel = np.zeros((2, QUEUE + machine.dma.queue * TRANSFER_COLUMNS), np.int64)
    channel[:, CHANNEL_NEXT_ID] = 1
    core = np.zeros((cores, CORE_COLUMNS), np.int64)
    core[:, CORE_RESUME] = -1
    core[:, DMA_DESCRIPTOR + 5] = core[:, DMA_DESCRIPTOR + 8] = 1
    barrier = np.zeros((event_unit.BARRIERS, 3), np.int64)
    barrier[0, 0] = barrier[0, 2] = (1 << cores) - 1
    return Devices(word, core, barrier, unit, channel)


@njit(cache=True)
def signed(value: int) -> int:
    """A 32-bit word as a signed number."""
    value &= 0xFFFFFFFF
    return value - 0x100000000 if value >= 0x80000000 else value


@njit(cache=True)
def _wake(dev: Devices, core: int, time: int, value: int) -> None:
    """End the sleep of a core: it goes on at `time` with `value` as its load's result."""
    dev.core[core, CORE_SLEEP] = AWAKE
    dev.core[core, CORE_ASLEEP] += time - dev.core[core, CORE_SINCE]
    dev.core[core, CORE_RESUME] = time
    dev.core[core, CORE_RESULT] = value


@njit(cache=True)
def raise_event(dev: Devices, core: int, event: int, time: int) -> None:
    """Latch an event for a core at a time; wakes it if that is what it waits for."""
    dev.core[core, CORE_BUFFER] |= 1 << event
    pending = dev.core[core, CORE_BUFFER] & dev.core[core, CORE_MASK]
    state = dev.core[core, CORE_SLEEP]
    if ON_EVENT <= state <= ON_EVENT_CLEAR and pending != 0:
        if state == ON_EVENT_CLEAR:
            dev.core[core, CORE_BUFFER] &= ~pending
        wait = dev.word[WAIT_CYCLES]
        _wake(dev, core, max(time, dev.core[core, CORE_SINCE]) + wait, pending)


@njit(cache=True)
def update_next_event(dev: Devices) -> None:
    """Recompute the time of the next completion of a unit or transfer."""
    next_event = NEVER
    for unit in range(UNITS):
        running = dev.unit[unit, RUNNING]
        if running >= 0:
            next_event = min(next_event, dev.unit[unit, JOB + (running) * JOB_COLUMNS + JOB_DONE])
    for channel in range(2):
        if dev.channel[channel, CHANNEL_COUNT] > 0:
            head = dev.channel[channel, CHANNEL_HEAD]
            at = QUEUE + head * TRANSFER_COLUMNS
            next_event = min(next_event, dev.channel[channel, at + TRANSFER_DONE])
    dev.word[NEXT_EVENT] = next_event


@njit(cache=True)
def complete(dev: Devices, time: int) -> None:
    """Retire every job and transfer that is done at or before `time`."""
    for unit in range(UNITS):
        while True:
            context = dev.unit[unit, RUNNING]
            if context < 0 or dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_DONE] > time:
                break
            done = dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_DONE]
            dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_STATE] = FREE
            dev.unit[unit, FINISHED] = min(2, dev.unit[unit, FINISHED] + 1)
            dev.unit[unit, RUNNING_ID] = (dev.unit[unit, RUNNING_ID] + 1) & 0xFF
            dev.unit[unit, PENDING] -= 1
            dev.unit[unit, LAST_DONE] = done
            dev.unit[unit, BUSY] += done - dev.unit[unit, STARTED]
            dev.unit[unit, STARTED] = done
            other = 1 - context
            if dev.unit[unit, JOB + (other) * JOB_COLUMNS + JOB_STATE] == QUEUED:
                dev.unit[unit, RUNNING] = other
            else:
                dev.unit[unit, RUNNING] = -1
            event = event_unit.EVENT_REDMULE if unit == REDMULE else event_unit.EVENT_SOFTEX
            raise_event(dev, dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_CORE], event, done)
    for channel in range(2):
        state = dev.channel[channel]
        while state[CHANNEL_COUNT] > 0:
            head = state[CHANNEL_HEAD]
            at = QUEUE + head * TRANSFER_COLUMNS
            if state[at + TRANSFER_DONE] > time:
                break
            state[CHANNEL_HEAD] = (head + 1) % dev.word[DMA_QUEUE]
            state[CHANNEL_COUNT] -= 1
            state[CHANNEL_DONE_ID] = state[at + TRANSFER_ID]
            raise_event(
                dev, state[at + TRANSFER_CORE], event_unit.EVENT_DMA, state[at + TRANSFER_DONE]
            )
    update_next_event(dev)


@njit(cache=True)
def _fault(dev: Devices, code: int, detail: int) -> int:
    dev.word[CODE] = code
    dev.word[DETAIL] = detail
    return FAULT


@njit(cache=True)
def _finish(dev: Devices, time: int, value: int) -> int:
    dev.word[VALUE] = value
    dev.word[UNTIL] = time
    return DONE


@njit(cache=True)
def _arrive(dev: Devices, barrier: int, cores: int, time: int) -> None:
    """Cores (a mask) arrive at a barrier; the last one releases everybody."""
    state = dev.barrier[barrier]
    state[1] |= cores
    if state[1] & state[0] != state[0] or state[0] == 0:
        return
    state[1] = 0
    wake = time + dev.word[BARRIER_CYCLES]
    bit = 1 << event_unit.EVENT_BARRIER
    for core in range(dev.word[CORES]):
        sleeping = dev.core[core, CORE_SLEEP]
        if ON_BARRIER <= sleeping <= ON_BARRIER_CLEAR and dev.core[core, CORE_BARRIER] == barrier:
            if sleeping == ON_BARRIER:
                dev.core[core, CORE_BUFFER] |= bit
            _wake(dev, core, wake, bit)
        elif state[2] >> core & 1 and cores >> core & 1 == 0:
            raise_event(dev, core, event_unit.EVENT_BARRIER, wake - dev.word[WAIT_CYCLES])


@njit(cache=True)
def _event_unit(dev: Devices, core: int, time: int, offset: int, kind: int, value: int) -> int:
    latency = dev.word[LATENCY]
    if offset >= event_unit.BARRIER:
        barrier = (offset - event_unit.BARRIER) // event_unit.BARRIER_STRIDE
        register = (offset - event_unit.BARRIER) % event_unit.BARRIER_STRIDE
        if barrier >= event_unit.BARRIERS:
            return _fault(dev, FAULT_REGISTER, offset)
        state = dev.barrier[barrier]
        if kind == STORE:
            if register == event_unit.BARRIER_TRIGGER_MASK:
                state[0] = value
            elif register == event_unit.BARRIER_TARGET_MASK:
                state[2] = value
            elif register == event_unit.BARRIER_TRIGGER:
                _arrive(dev, barrier, value, time)
            elif register == event_unit.BARRIER_TRIGGER_SELF:
                _arrive(dev, barrier, 1 << core, time)
            else:
                return _fault(dev, FAULT_REGISTER, offset)
            return _finish(dev, time + latency, 0)
        if register == event_unit.BARRIER_TRIGGER_MASK:
            return _finish(dev, time + latency, state[0])
        if register == event_unit.BARRIER_STATUS:
            return _finish(dev, time + latency, state[1])
        if register == event_unit.BARRIER_TARGET_MASK:
            return _finish(dev, time + latency, state[2])
        waits = register == event_unit.BARRIER_TRIGGER_WAIT
        if waits or register == event_unit.BARRIER_TRIGGER_WAIT_CLEAR:
            if kind != WAIT:
                return _fault(dev, FAULT_WAIT, offset)
            if state[1] >> core & 1:
                return _fault(dev, FAULT_BARRIER_TWICE, barrier)
            dev.core[core, CORE_SLEEP] = ON_BARRIER if waits else ON_BARRIER_CLEAR
            dev.core[core, CORE_SINCE] = time
            dev.core[core, CORE_BARRIER] = barrier
            _arrive(dev, barrier, 1 << core, time)
            return SLEEP
        return _fault(dev, FAULT_REGISTER, offset)
    if kind == STORE:
        if offset == event_unit.MASK:
            dev.core[core, CORE_MASK] = value
        elif offset == event_unit.MASK_AND:
            dev.core[core, CORE_MASK] &= ~value
        elif offset == event_unit.MASK_OR:
            dev.core[core, CORE_MASK] |= value
        elif offset == event_unit.BUFFER_CLEAR:
            dev.core[core, CORE_BUFFER] &= ~value
        elif 0 <= offset - event_unit.SW_EVENT_TRIGGER < 4 * event_unit.SW_EVENTS:
            event = (offset - event_unit.SW_EVENT_TRIGGER) // 4
            for target in range(dev.word[CORES]):
                if value == 0 or value >> target & 1:
                    raise_event(dev, target, event, time + latency)
        else:
            return _fault(dev, FAULT_REGISTER, offset)
        return _finish(dev, time + latency, 0)
    if offset == event_unit.MASK:
        return _finish(dev, time + latency, dev.core[core, CORE_MASK])
    if offset == event_unit.BUFFER:
        return _finish(dev, time + latency, dev.core[core, CORE_BUFFER])
    if offset == event_unit.BUFFER_MASKED:
        return _finish(dev, time + latency, dev.core[core, CORE_BUFFER] & dev.core[core, CORE_MASK])
    clears = offset == event_unit.EVENT_WAIT_CLEAR
    if clears or offset == event_unit.EVENT_WAIT:
        pending = dev.core[core, CORE_BUFFER] & dev.core[core, CORE_MASK]
        if pending != 0:
            if clears:
                dev.core[core, CORE_BUFFER] &= ~pending
            return _finish(dev, time + dev.word[WAIT_CYCLES], pending)
        if kind != WAIT:
            return _fault(dev, FAULT_WAIT, offset)
        dev.core[core, CORE_SLEEP] = ON_EVENT_CLEAR if clears else ON_EVENT
        dev.core[core, CORE_SINCE] = time
        return SLEEP
    return _fault(dev, FAULT_REGISTER, offset)


@njit(cache=True)
def _hwpe_reset(dev: Devices, unit: int, wipe: bool) -> None:
    state = dev.unit[unit]
    state[LOCKED] = state[RUNNING] = state[MACFG_TIME] = -1
    state[NEXT_CONTEXT] = state[NEXT_ID] = state[FINISHED] = 0
    state[RUNNING_ID] = state[PENDING] = 0
    state[CLEARED] = 1
    state[LAST_DONE] = -1
    state[JOB:] = 0
    if wipe:
        state[BANK:JOB] = 0


@njit(cache=True)
def _acquire(dev: Devices, unit: int, core: int) -> int:
    """Lock the next context; the job id, -1 if none is free, -2 if one is locked already."""
    state = dev.unit[unit]
    if state[LOCKED] >= 0:
        return -2
    context = state[NEXT_CONTEXT]
    if dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_STATE] != FREE:
        return -1
    state[LOCKED] = context
    state[LOCKED_BY] = core
    state[MACFG_TIME] = -1
    dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_STATE] = PROGRAMMED
    dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_ID] = state[NEXT_ID]
    state[NEXT_ID] = (state[NEXT_ID] + 1) & 0xFF
    return dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_ID]


@njit(cache=True)
def _hwpe(dev: Devices, unit: int, core: int, time: int, offset: int, kind: int, value: int) -> int:
    """Control port of an accelerator (hwpe-ctrl): two contexts, banked job registers."""
    state = dev.unit[unit]
    until = time + dev.word[LATENCY]
    if state[PRESENT] == 0:
        return _fault(dev, FAULT_NO_UNIT, unit)
    first = state[FIRST_REGISTER]
    if kind == STORE:
        if offset == HWPE_SOFT_CLEAR:
            if state[PENDING] > 0:
                return _fault(dev, FAULT_CLEAR_BUSY, unit)
            _hwpe_reset(dev, unit, value == 0)
            dev.word[CODE] = unit
            _finish(dev, until, 0)
            return SOFT_CLEAR
        if offset == HWPE_SW_EVENT:
            event = event_unit.EVENT_REDMULE if unit == REDMULE else event_unit.EVENT_SOFTEX
            raise_event(dev, core, event, until)
            return _finish(dev, until, 0)
        if state[LOCKED] < 0 and unit == REDMULE and state[PENDING] == 0:
            # The published unit takes register writes without an ACQUIRE when it is idle.
            _acquire(dev, unit, core)
        context = state[LOCKED]
        if context < 0:
            return _fault(dev, FAULT_NOT_ACQUIRED, offset)
        if offset == HWPE_TRIGGER:
            if unit == REDMULE:
                if state[MACFG_TIME] < 0:
                    return _fault(dev, FAULT_ORDER, offset)
                if state[NEEDS_CLEAR] and not state[CLEARED]:
                    return _fault(dev, FAULT_NOT_CLEARED, unit)
            if state[PENDING] >= state[DEPTH]:
                return _fault(dev, FAULT_QUEUE, unit)
            state[TRIGGER_GAP] = until - state[MACFG_TIME]
            state[LOCKED] = -1
            state[NEXT_CONTEXT] = 1 - context
            state[CLEARED] = 0
            dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_STATE] = QUEUED
            dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_CORE] = core
            dev.word[CODE] = unit
            dev.word[CONTEXT] = context
            dev.word[TRIGGER_TIME] = until
            _finish(dev, until, 0)
            return TRIGGER
        register = (offset - first) // 4
        if offset < first or register >= state[REGISTERS]:
            return _fault(dev, FAULT_REGISTER, offset)
        if unit == REDMULE:
            if offset == 0x54:
                state[MACFG_TIME] = until
            elif state[MACFG_TIME] >= 0:
                return _fault(dev, FAULT_ORDER, offset)
        dev.unit[unit, BANK + context * JOB_REGISTERS + register] = value
        return _finish(dev, until, 0)
    if offset == HWPE_ACQUIRE:
        return _finish(dev, until, _acquire(dev, unit, core))
    if offset == HWPE_FINISHED:
        finished = state[FINISHED]
        state[FINISHED] = 0
        return _finish(dev, until, finished)
    if offset == HWPE_STATUS:
        status = 0
        for context in range(2):
            if dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_STATE] == QUEUED:
                status |= 1 << (8 * context)
        return _finish(dev, until, status)
    if offset == HWPE_RUNNING_JOB:
        return _finish(dev, until, state[RUNNING_ID])
    if first <= offset < first + 4 * state[REGISTERS]:
        # RedMulE's register file returns its data one cycle early: reads give 0.
        if unit == REDMULE:
            return _finish(dev, until, 0)
        context = state[LOCKED] if state[LOCKED] >= 0 else state[NEXT_CONTEXT]
        return _finish(
            dev, until, dev.unit[unit, BANK + context * JOB_REGISTERS + (offset - first) // 4]
        )
    return _fault(dev, FAULT_REGISTER, offset)


@njit(cache=True)
def start_job(dev: Devices, unit: int, context: int, duration: int, log: Any, row: int) -> None:
    """Schedule the end of a triggered job that takes `duration` cycles from its trigger.

    A queued job's trigger counts from the FINISHED state of the one before it, one cycle
    before that one's done event. `log[row]` receives start and end.
    """
    state = dev.unit[unit]
    start = dev.word[TRIGGER_TIME]
    if state[PENDING] > 0:
        start = max(start, dev.unit[unit, JOB + (1 - context) * JOB_COLUMNS + JOB_DONE] - 1)
    else:
        state[RUNNING] = context
        state[STARTED] = start
    state[PENDING] += 1
    done = start + duration
    dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_DONE] = done
    dev.unit[unit, JOB + (context) * JOB_COLUMNS + JOB_LOG] = row
    log[row, 1] = start
    log[row, 2] = done
    update_next_event(dev)


@njit(cache=True)
def _copy(
    dst: Any, src: Any, d: int, s: int, length: int, d2: int, s2: int, n2: int,
    d3: int, s3: int, n3: int,
) -> None:  # fmt: skip
    for k in range(n3):
        for j in range(n2):
            # Unsigned indices: numba then emits no wrap-around, and LLVM a vector copy.
            to = np.uint64(d + k * d3 + j * d2)
            at = np.uint64(s + k * s3 + j * s2)
            for i in range(np.uint64(length)):
                dst[to + i] = src[at + i]


@njit(cache=True)
def _extent(length: int, stride_2: int, n2: int, stride_3: int, n3: int) -> tuple[int, int]:
    """Lowest and past-highest byte a transfer touches, relative to its address."""
    low = min(0, stride_2 * (n2 - 1)) + min(0, stride_3 * (n3 - 1))
    high = max(0, stride_2 * (n2 - 1)) + max(0, stride_3 * (n3 - 1)) + length
    return low, high


@njit(cache=True)
def _within(dev: Devices, base: int, size: int, address: int, low: int, high: int) -> bool:
    return address + low >= dev.word[base] and address + high <= dev.word[base] + dev.word[size]


@njit(cache=True)
def streaming(dev: Devices, length: int, runs: int) -> int:
    """Channel cycles of `runs` separate runs; `units.dma.streaming_cycles` compiled."""
    burst = dev.word[DMA_BURST]
    width = dev.word[DMA_WIDTH]
    spacing = -(-dev.word[L2_LATENCY] // dev.word[DMA_OUTSTANDING])
    full = length // burst
    rest = length % burst
    cycles = full * max(burst // width, spacing)
    if rest:
        cycles += max(-(-rest // width), spacing)
    return runs * cycles


@njit(cache=True)
def _launch(
    dev: Devices, core: int, time: int, channel: int, tp: int, tcdm: Any, l2: Any, log: Any
) -> int:
    """Launch a transfer: data move at once, the completion is scheduled."""
    state = dev.channel[channel]
    until = time + dev.word[LATENCY]
    capacity = dev.word[DMA_QUEUE]
    if state[CHANNEL_COUNT] >= capacity:
        dev.word[UNTIL] = state[QUEUE + state[CHANNEL_HEAD] * TRANSFER_COLUMNS + TRANSFER_DONE]
        return RETRY
    row = dev.word[DMA_USED]
    if row >= log.shape[0]:
        return LOG_FULL
    reg = dev.core[core, DMA_DESCRIPTOR:]
    dst, src, length = reg[0], reg[1], reg[2]
    d2, s2, n2 = signed(reg[3]), signed(reg[4]), reg[5]
    d3, s3, n3 = signed(reg[6]), signed(reg[7]), reg[8]
    if length <= 0 or n2 <= 0 or n3 <= 0:
        return _fault(dev, FAULT_DMA_SHAPE, channel)
    if n2 == 1:
        d2 = s2 = length
    if n3 == 1:
        d3 = s3 = length * n2
    low, high = _extent(length, d2, n2, d3, n3)
    src_low, src_high = _extent(length, s2, n2, s3, n3)
    to_tcdm = _within(dev, TCDM_BASE, TCDM_BYTES, dst, low, high)
    from_tcdm = _within(dev, TCDM_BASE, TCDM_BYTES, src, src_low, src_high)
    latency = dev.word[L2_LATENCY]
    at_dst = dst - dev.word[TCDM_BASE]
    at_src = src - dev.word[TCDM_BASE]
    if channel == 0:
        if not to_tcdm:
            return _fault(dev, FAULT_DMA_RANGE, 0)
        if from_tcdm:
            latency = 1
            _copy(tcdm, tcdm, at_dst, at_src, length, d2, s2, n2, d3, s3, n3)
        elif _within(dev, L2_BASE, L2_BYTES, src, src_low, src_high):
            at_src = src - dev.word[L2_BASE]
            _copy(tcdm, l2, at_dst, at_src, length, d2, s2, n2, d3, s3, n3)
        else:
            return _fault(dev, FAULT_DMA_RANGE, 1)
    else:
        if not from_tcdm:
            return _fault(dev, FAULT_DMA_RANGE, 1)
        if not _within(dev, L2_BASE, L2_BYTES, dst, low, high):
            return _fault(dev, FAULT_DMA_RANGE, 0)
        at_dst = dst - dev.word[L2_BASE]
        _copy(l2, tcdm, at_dst, at_src, length, d2, s2, n2, d3, s3, n3)
    # Runs that follow one another on both sides are one long run.
    run, runs = length, n2 * n3
    if n2 > 1 and d2 == length and s2 == length:
        run, runs = length * n2, n3
        if n3 > 1 and d3 == run and s3 == run:
            run, runs = run * n3, 1
    begin = max(until + latency, state[CHANNEL_FREE])
    done = begin + streaming(dev, run, runs)
    state[CHANNEL_FREE] = done
    state[CHANNEL_BUSY] += done - begin
    state[CHANNEL_BYTES] += length * n2 * n3
    state[CHANNEL_TRANSFERS] += 1
    slot = (state[CHANNEL_HEAD] + state[CHANNEL_COUNT]) % capacity
    identifier = state[CHANNEL_NEXT_ID]
    state[CHANNEL_NEXT_ID] = (identifier + 1) & 0x7FFFFFFF
    state[CHANNEL_COUNT] += 1
    at = QUEUE + slot * TRANSFER_COLUMNS
    state[at + TRANSFER_DONE] = done
    state[at + TRANSFER_ID] = identifier
    state[at + TRANSFER_CORE] = core
    state[at + TRANSFER_LOG] = row
    state[at + TRANSFER_BEGIN] = begin
    log[row, 0] = until
    log[row, 1] = begin
    log[row, 2] = done
    log[row, 3] = channel
    log[row, 4] = identifier
    log[row, 5] = core
    log[row, 6] = tp
    for index in range(9):
        log[row, 7 + index] = reg[index]
    dev.word[DMA_USED] = row + 1
    update_next_event(dev)
    return _finish(dev, until, identifier)


@njit(cache=True)
def _dma(
    dev: Devices, core: int, time: int, offset: int, kind: int, value: int, tp: int,
    tcdm: Any, l2: Any, log: Any,
) -> int:  # fmt: skip
    until = time + dev.word[LATENCY]
    if kind == STORE:
        register = (offset - dma.DST_ADDR) // 8
        if offset < dma.DST_ADDR or register >= 9 or (offset - dma.DST_ADDR) % 8 != 0:
            return _fault(dev, FAULT_REGISTER, offset)
        dev.core[core, DMA_DESCRIPTOR + register] = value
        return _finish(dev, until, 0)
    if offset == dma.NEXT_ID_0:
        return _launch(dev, core, time, 0, tp, tcdm, l2, log)
    if offset == dma.NEXT_ID_1:
        return _launch(dev, core, time, 1, tp, tcdm, l2, log)
    if offset == dma.STATUS_0 or offset == dma.STATUS_1:
        channel = 0 if offset == dma.STATUS_0 else 1
        return _finish(dev, until, 1 if dev.channel[channel, CHANNEL_COUNT] > 0 else 0)
    if offset == dma.DONE_ID_0:
        return _finish(dev, until, dev.channel[0, CHANNEL_DONE_ID])
    if offset == dma.DONE_ID_1:
        return _finish(dev, until, dev.channel[1, CHANNEL_DONE_ID])
    register = (offset - dma.DST_ADDR) // 8
    if offset >= dma.DST_ADDR and register < 9 and (offset - dma.DST_ADDR) % 8 == 0:
        return _finish(dev, until, dev.core[core, DMA_DESCRIPTOR + register])
    return _fault(dev, FAULT_REGISTER, offset)


@njit(cache=True)
def access(
    dev: Devices, core: int, time: int, address: int, size: int, kind: int, value: int, tp: int,
    tcdm: Any, l2: Any, dma_log: Any, stream_log: Any,
) -> int:  # fmt: skip
    """Perform one access of a core at a time; what became of it (DONE, SLEEP, TRIGGER, ...).

    The value of a load is in `dev.word[VALUE]`, the time the core goes on in
    `dev.word[UNTIL]`, the explanation of a fault in `[CODE]` and `[DETAIL]`.
    """
    address &= 0xFFFFFFFF
    value &= 0xFFFFFFFF
    word = address - dev.word[TCDM_BASE]
    if 0 <= word < 64:
        if size != 4 or word % 4 != 0:
            return _fault(dev, FAULT_WIDTH, address)
        if kind == STORE:
            if word < 16:
                used = dev.word[STREAM_USED]
                if used >= stream_log.shape[0]:
                    return LOG_FULL
                stream_log[used, 0] = time
                stream_log[used, 1] = word // 4
                stream_log[used, 2] = tp
                stream_log[used, 3] = value
                dev.word[STREAM_USED] = used + 1
            for byte in range(4):
                tcdm[word + byte] = (value >> (8 * byte)) & 0xFF
            return _finish(dev, time + 1, 0)
        loaded = 0
        for byte in range(4):
            loaded |= np.int64(tcdm[word + byte]) << (8 * byte)
        return _finish(dev, time + 1, loaded)
    offset = address - dev.word[PERIPHERAL_BASE]
    if offset < 0 or offset >= 0x10000:
        return _fault(dev, FAULT_UNMAPPED, address)
    if size != 4 or offset % 4 != 0:
        return _fault(dev, FAULT_WIDTH, address)
    until = time + dev.word[LATENCY]
    alias = offset - event_unit.ALIAS_OFFSET
    if 0 <= alias < event_unit.ALIAS_BYTES:
        return _event_unit(dev, core, time, alias, kind, value)
    alias = offset - event_unit.GLOBAL_OFFSET
    if 0 <= alias < event_unit.ALIAS_BYTES:
        return _event_unit(dev, core, time, alias, kind, value)
    alias = offset - dma.ALIAS_OFFSET
    if 0 <= alias < dma.ALIAS_BYTES:
        return _dma(dev, core, time, alias, kind, value, tp, tcdm, l2, dma_log)
    alias = offset - dma.GLOBAL_OFFSET
    if 0 <= alias < dma.ALIAS_BYTES:
        return _dma(dev, core, time, alias, kind, value, tp, tcdm, l2, dma_log)
    for unit in range(UNITS):
        base = dev.unit[unit, OFFSET]
        if base <= offset < base + HWPE_BYTES and dev.unit[unit, PRESENT]:
            return _hwpe(dev, unit, core, time, offset - base, kind, value)
    if offset == 0 and kind == STORE:
        dev.word[EXIT_CODE] = signed(value)
        return END
    if 0x400 <= offset < 0x420 and kind != STORE:
        # The PULP timer has its counter at +8 and +12; the words before are its configuration.
        if offset == 0x408:
            return _finish(dev, until, time & 0xFFFFFFFF)
        if offset == 0x40C:
            return _finish(dev, until, time >> 32)
    return _fault(dev, FAULT_UNMAPPED, address)
