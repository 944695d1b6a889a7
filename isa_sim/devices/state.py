"""State of what a core finds behind the peripheral interconnect, and the names of its columns.

Event unit and barriers, the control ports of the units (HWPEs), the DMA: int64 arrays that the
compiled code of `device_*` and `peripherals` shares.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import control, event_unit, registry
from softex_mlir.isa_sim.units.unit import Unit

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
WATCHED_WRITE: Final = 8
"""A watched register of a unit was written."""

# Sleep states of a core.
AWAKE: Final = 0
ON_EVENT: Final = 1
ON_EVENT_CLEAR: Final = 2
ON_BARRIER: Final = 3
ON_BARRIER_CLEAR: Final = 4

# Columns of `Devices.unit`: what never changes,
JOB_REGISTERS: Final = control.MOST_JOB_REGISTERS
PRESENT: Final = 0
OFFSET: Final = 1
"""Of the control port, from the peripheral base."""
EVENT: Final = 2
"""Number of the event that a job raises."""
FIRST_REGISTER: Final = 3
REGISTERS: Final = 4
DEPTH: Final = 5
READABLE: Final = 6
"""Job registers can be read back."""
IMPLICIT_ACQUIRE: Final = 7
"""While it is idle, the unit takes register writes without an ACQUIRE."""
COMMITS: Final = 8
"""A trigger with another value than 0 never starts the job."""
STARTING: Final = 9
"""Offset of the register that starts the unit's preparations, or -1."""
STARTING_LAST: Final = 10
"""No job register may be written after that one."""
NEEDS_CLEAR: Final = 11
"""A job needs a soft clear since the one before."""
CLEAR_CYCLES: Final = 12
"""From a soft clear that wipes the registers to the first register write that is not lost."""
KEEPS_STATE: Final = 13
"""Python wants to know of a soft clear."""
WATCHED: Final = 14
"""Offset of a register whose writes Python wants to know of, or -1,"""
WATCHED_BITS: Final = 15
"""if they set one of these bits."""
LONG_JOBS: Final = 16
"""Contention lengthens a running job window by window."""

# and what does.
LOCKED: Final = 17
"""Context being programmed, or -1."""
NEXT_CONTEXT: Final = 18
RUNNING: Final = 19
"""Context whose job is running, or -1."""
NEXT_ID: Final = 20
FINISHED: Final = 21
RUNNING_ID: Final = 22
PENDING: Final = 23
"""Jobs triggered and not done."""
CLEARED: Final = 24
"""A soft clear (or reset) happened and no job was triggered since."""
STARTING_TIME: Final = 25
"""When the starting register was written for the job being programmed, or -1."""
LAST_DONE: Final = 26
BUSY: Final = 27
"""Cycles with a job under way."""
STARTED: Final = 28
LOCKED_BY: Final = 29
TRIGGER_GAP: Final = 30
"""Cycles from the write to the starting register to the trigger of the job just triggered."""
CLEAR_TIME: Final = 31
"""When a soft clear that wipes the job registers was accepted, or -1."""
LOST: Final = 32
"""Register writes that were lost (`LENIENT`)."""
BANK: Final = 33
"""Job registers of context c from BANK + c * JOB_REGISTERS."""
JOB: Final = BANK + 2 * JOB_REGISTERS
"""Job of context c from JOB + c * JOB_COLUMNS."""
JOB_COLUMNS: Final = 6
HWPE_COLUMNS: Final = JOB + 2 * JOB_COLUMNS

# Columns of a context's job.
JOB_STATE: Final = 0
JOB_DONE: Final = 1
JOB_CORE: Final = 2
JOB_ID: Final = 3
JOB_LOG: Final = 4
JOB_ACQUIRED: Final = 5
"""When the context was acquired."""
FREE: Final = 0
PROGRAMMED: Final = 1
QUEUED: Final = 2

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
SLEEP_USED: Final = 27
COPIED: Final = 25
"""Bytes the DMA has moved since the run loop last returned for it."""
LENIENT: Final = 26
"""Writes that the published RTL loses are lost and counted instead of being a fault."""
LATE_EFFECTS: Final = 28
"""1: transfers move their data when they end."""
AWAITED: Final = 29
"""Units, by bits, the end of whose jobs the run loop returns for."""
WORDS: Final = 30

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
FAULT_COMMIT_ONLY: Final = 14
FAULT_DMA_BYTES: Final = 15
FAULT_CLEAR_DISTANCE: Final = 16

DMA_STALLED: Final = 16
DMA_PC: Final = 17
DMA_LOG_COLUMNS: Final = 18
"""launch, begin, done, channel, id, core, tp, the nine descriptor registers, then DMA_STALLED:
cycles lost to others in the TCDM, and DMA_PC: the instruction that launched it."""
JOB_STALLED: Final = 16
JOB_ACQUIRED_AT: Final = 17
JOB_TRIGGERED_AT: Final = 18
JOB_BYTES: Final = 19
JOB_LOG_COLUMNS: Final = 20
"""unit, start, end, tp, core, pc, work, context, the eight job registers, then these columns:
cycles lost to others in the TCDM, when the context was acquired and triggered, bytes of TCDM read
and written."""
STREAM_SPENT: Final = 4
SPENT_COLUMNS: Final = 6
STREAM_LOG_COLUMNS: Final = STREAM_SPENT + SPENT_COLUMNS
"""cycle, stream, tp, value; then what the stream's cores have spent up to here: instructions,
stall cycles, those of them lost in the TCDM, cycles without room in a DMA queue, accesses to TCDM
and to L2."""
SLEEP_LOG_COLUMNS: Final = 5
"""core, since, until, tp, pc."""


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
CORE_STREAM: Final = 10
"""Stream the core belongs to."""
DMA_DESCRIPTOR: Final = 11
"""The core's copy of the nine DMA descriptor registers."""
CORE_COLUMNS: Final = DMA_DESCRIPTOR + 9


def job_at(context: int) -> int:
    """Column of a context's job in a unit's row."""
    return JOB + context * JOB_COLUMNS


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
    units = registry.units_of(machine)
    unit = np.zeros((len(units), HWPE_COLUMNS), np.int64)
    unit[:, LOCKED] = unit[:, RUNNING] = unit[:, STARTING_TIME] = -1
    unit[:, CLEARED] = 1
    unit[:, LAST_DONE] = unit[:, CLEAR_TIME] = -1
    for row, description in zip(unit, units, strict=True):
        section = machine.section(description.name)
        if section is not None:
            _describe_unit(row, description, section.base - cluster.peripheral_base, section)
    channel = np.zeros((2, QUEUE + machine.dma.queue * TRANSFER_COLUMNS), np.int64)
    channel[:, CHANNEL_NEXT_ID] = 1
    core = np.zeros((cores, CORE_COLUMNS), np.int64)
    core[:, CORE_RESUME] = -1
    streams = abi.stream_cores(cores, machine.redmule is not None)
    for number, name in enumerate(abi.STREAMS):
        core[list(streams[name]), CORE_STREAM] = number
    core[:, DMA_DESCRIPTOR + 5] = core[:, DMA_DESCRIPTOR + 8] = 1
    barrier = np.zeros((event_unit.BARRIERS, 3), np.int64)
    barrier[0, 0] = barrier[0, 2] = (1 << cores) - 1
    return Devices(word, core, barrier, unit, channel)


def _describe_unit(row: Any, unit: Unit, offset: int, section: Any) -> None:
    """Fill in what never changes."""
    port = unit.control(section)
    registers = unit.job_registers
    row[PRESENT], row[OFFSET], row[EVENT] = 1, offset, unit.event
    row[FIRST_REGISTER], row[REGISTERS] = unit.first_register, len(registers)
    row[DEPTH] = port.queue_depth
    row[READABLE] = port.readable
    row[IMPLICIT_ACQUIRE] = port.implicit_acquire
    row[COMMITS] = port.commits
    row[STARTING] = registers[port.starting_register] if port.starting_register else -1
    row[STARTING_LAST] = port.starting_last
    row[NEEDS_CLEAR] = port.needs_clear
    row[CLEAR_CYCLES] = port.clear_cycles
    row[KEEPS_STATE] = port.keeps_state
    row[WATCHED], row[WATCHED_BITS] = -1, 0
    if port.watched is not None:
        row[WATCHED], row[WATCHED_BITS] = registers[port.watched[0]], port.watched[1]
    row[LONG_JOBS] = unit.long_jobs
