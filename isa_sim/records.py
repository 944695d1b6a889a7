"""What a run leaves behind: logs of jobs, transfers, steps and sleeps, as structured arrays.

The compiled loop writes rows of integers; here they get names, types and their final form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.energy import Counters

JOB = np.dtype(
    [
        ("unit", "u1"),
        ("core", "u1"),
        ("start", "i8"),
        ("end", "i8"),
        ("tp", "u4"),
        ("pc", "u4"),
        ("work", "i8"),
        ("registers", "i8", (8,)),
        ("context", "u1"),
        ("acquired", "i8"),
        ("triggered", "i8"),
        ("stalled", "i8"),
        ("bytes", "i8"),
    ]
)
"""A unit job; `unit` is its place in `registry.units_of`. Programmed in `context` from `acquired`
to `triggered`, it runs from `start` (the trigger, or the end of the job before) to `end`; `stalled`
of these cycles were lost to others in the TCDM, of which it reads and writes `bytes`. `work` is
what the unit's energy counts by job: RedMulE's multiply-accumulates."""

TRANSFER = np.dtype(
    [
        ("channel", "u1"),
        ("core", "u1"),
        ("launch", "i8"),
        ("start", "i8"),
        ("end", "i8"),
        ("tp", "u4"),
        ("bytes", "i8"),
        ("id", "i8"),
        ("destination", "u4"),
        ("source", "u4"),
        ("length", "u4"),
        ("destination_stride_2", "i4"),
        ("source_stride_2", "i4"),
        ("reps_2", "u4"),
        ("destination_stride_3", "i4"),
        ("source_stride_3", "i4"),
        ("reps_3", "u4"),
        ("stalled", "i8"),
        ("pc", "u4"),
    ]
)
"""A DMA transfer: channel 0 in, 1 out; it streams from start to end, `stalled` of these cycles lost
to others in the TCDM; the instruction at `pc` launched it."""

SPENT = ("instructions", "stalls", "conflicts", "queue_stalls", "tcdm_accesses", "l2_accesses")
STEP = np.dtype(
    [
        ("stream", "u1"),
        ("cycle", "i8"),
        ("tp", "u4"),
        ("value", "i8"),
        *((name, "i8") for name in SPENT),
    ]
)
"""A store to a timeline counter, and what the cores of its stream have spent from reset up to it:
instructions, stall cycles, those of them lost in the TCDM (`conflicts`), cycles without room in a
DMA queue, accesses to TCDM and L2."""

SLEEP = np.dtype([("core", "u1"), ("start", "i8"), ("end", "i8"), ("tp", "u4"), ("pc", "u4")])
"""A core sleeps in the instruction at `pc`, from `start` until it goes on."""


@dataclass(frozen=True)
class JobRecord:
    """A unit's job as it was executed.

    Attributes:
        unit: its name.
        registers: the job registers in address order.
        trigger: cycle in which the trigger was accepted.
        cycles: from there (or from the end of the job before, if that came later) to the done
            event, memory granting every access.
        operands: (address, bytes) of what the job reads, before it.
        results: the same of what it writes, after it.
        warnings: quirks of the published RTL that it met.
    """

    unit: str
    registers: tuple[int, ...]
    trigger: int
    cycles: int
    operands: tuple[tuple[int, bytes], ...]
    results: tuple[tuple[int, bytes], ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class RunResult:
    """What happened in a run.

    Attributes:
        exit_code: what the program wrote to the end-of-computation register.
        cycles: cluster cycles from reset to that write.
        busy: busy cycles of every unit, of dma_in, dma_out (streaming) and of all cores.
        core_active: cycles each core was awake, int64 [cores].
        core_instructions: instructions each core retired, int64 [cores].
        core_stalls: cycles each core lost to TCDM contention and full DMA queues, int64 [cores].
        jobs: unit jobs in trigger order, dtype `JOB`.
        transfers: DMA transfers in launch order, dtype `TRANSFER`.
        steps: timeline-counter advances, dtype `STEP`.
        sleeps: the cores' waits for events and barriers, in the order of their ends, dtype `SLEEP`.
        core_spent: what each core has spent in all, int64 [cores, `SPENT`].
        counters: what the energy model charges.
        warnings: things the hardware may do otherwise, in words.
        races: what the race detector found (empty without `sanitize`).
    """

    exit_code: int
    cycles: int
    busy: Mapping[str, int]
    core_active: np.ndarray
    core_instructions: np.ndarray
    core_stalls: np.ndarray
    jobs: np.ndarray
    transfers: np.ndarray
    steps: np.ndarray
    sleeps: np.ndarray
    core_spent: np.ndarray
    counters: Counters
    warnings: tuple[str, ...] = field(default=())
    races: tuple[str, ...] = field(default=())


def job_records(log: np.ndarray) -> np.ndarray:
    """The log of jobs as `JOB`."""
    jobs = np.zeros(len(log), JOB)
    for name, index in _JOB_COLUMNS.items():
        jobs[name] = log[:, index] & (0xFFFFFFFF if name in ("tp", "pc") else -1)
    jobs["registers"] = log[:, 8:16]
    # Inside the unit a queued job begins in the cycle before its predecessor's done event.
    for unit in np.unique(jobs["unit"]):
        mine = np.flatnonzero(jobs["unit"] == unit)
        jobs["start"][mine[1:]] = np.maximum(jobs["start"][mine[1:]], jobs["end"][mine[:-1]])
    return jobs


_JOB_COLUMNS = {
    "unit": 0,
    "start": 1,
    "end": 2,
    "tp": 3,
    "core": 4,
    "pc": 5,
    "work": 6,
    "context": 7,
    "stalled": d.JOB_STALLED,
    "acquired": d.JOB_ACQUIRED_AT,
    "triggered": d.JOB_TRIGGERED_AT,
    "bytes": d.JOB_BYTES,
}


def transfer_records(log: np.ndarray) -> np.ndarray:
    """The log of transfers as `TRANSFER`."""
    transfers = np.zeros(len(log), TRANSFER)
    for index, name in enumerate(("launch", "start", "end", "channel", "id", "core", "tp")):
        transfers[name] = log[:, index] & (0xFFFFFFFF if name == "tp" else -1)
    for index, name in enumerate(TRANSFER.names[8:17]):  # type: ignore[index]
        words = log[:, 7 + index] & 0xFFFFFFFF
        transfers[name] = words.astype(np.uint32).view(TRANSFER[name])
    transfers["bytes"] = log[:, 9] * log[:, 12] * log[:, 15]
    transfers["stalled"] = log[:, d.DMA_STALLED]
    transfers["pc"] = log[:, d.DMA_PC] & 0xFFFFFFFF
    return transfers


def step_records(log: np.ndarray) -> np.ndarray:
    """The log of counter advances as `STEP`."""
    steps = np.zeros(len(log), STEP)
    for index, name in enumerate(("cycle", "stream", "tp", "value", *SPENT)):
        steps[name] = log[:, index] & (0xFFFFFFFF if name == "tp" else -1)
    return steps


def sleep_records(log: np.ndarray, dev: d.Devices, state: st.CoreState, end: int) -> np.ndarray:
    """The log of sleeps as `SLEEP`, with those that the end of the run (cycle `end`) cut short."""
    asleep = np.flatnonzero(dev.core[:, d.CORE_SLEEP] != d.AWAKE)
    sleeps = np.zeros(len(log) + len(asleep), SLEEP)
    done, cut = sleeps[: len(log)], sleeps[len(log) :]
    for index, name in enumerate(("core", "start", "end", "tp", "pc")):
        done[name] = log[:, index] & (0xFFFFFFFF if name in ("tp", "pc") else -1)
    cut["core"] = asleep
    cut["start"] = dev.core[asleep, d.CORE_SINCE]
    cut["tp"] = state.x[asleep, abi.RECORD_REGISTER].astype(np.int64) & 0xFFFFFFFF
    cut["pc"] = state.s[asleep, st.FAULT_PC].astype(np.int64) & 0xFFFFFFFF
    cut["end"] = end
    for name in ("start", "end"):
        sleeps[name] = np.minimum(sleeps[name], end)
    return sleeps


def core_spent(dev: d.Devices, state: st.CoreState) -> np.ndarray:
    """What each core has spent so far, int64 [cores, `SPENT`]."""
    s = state.s
    return np.stack(
        [
            s[:, st.INSTRUCTIONS],
            s[:, st.STALL_CYCLES],
            s[:, st.CONTENTION_STALLS],
            dev.core[:, d.CORE_STALLED],
            s[:, st.TCDM_LOADS] + s[:, st.TCDM_STORES],
            s[:, st.L2_ACCESSES],
        ],
        axis=1,
    )
