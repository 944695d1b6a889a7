"""A bus trace on a bare unit: register accesses in, done events and read values out.

The unit behaves as the published RTL does, quirks and all, with zero-stall memory: what the
cluster reports as a fault happens here, and a warning says so. Compared with recordings of the
RTL (`test/golden/sequences`): state slots and soft clear in results and events, SoftEx's jobs in
results and cycles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.machine import Machine, RedMulEDescription
from softex_mlir.isa_sim.units.common import Memory
from softex_mlir.isa_sim.units.faults import UnitFault

Accesses = npt.NDArray[np.int64]

FREE, PROGRAMMED, TRIGGERED = range(3)
CONTEXTS: Final = 2
MAX_PENDING_FINISHED: Final = 2
"""The counter of finished jobs saturates here."""


@dataclass(frozen=True)
class SequenceResult:
    """What a unit did in a sequence of accesses.

    Attributes:
        events: cycles of the done events, int64.
        reads: values that the reads returned, int64, in their order (ACQUIRE may be negative).
        finished: whether every job that was triggered ended; False: the unit hangs.
        warnings: one line for every quirk of the published RTL that was met.
    """

    events: npt.NDArray[np.int64]
    reads: npt.NDArray[np.int64]
    finished: bool
    warnings: tuple[str, ...] = ()


class _Jobs(Protocol):
    """What a unit's jobs do; the control port is the same for all."""

    first: int
    count: int
    readable: bool
    """Whether job registers can be read; RedMulE's file returns its data a cycle early: zeros."""

    def write(self, offset: int, registers: list[int], time: int, end: int) -> None:
        """A job register was written at a cycle; the last job ends at `end`."""
        ...

    def run(self, registers: list[int], time: int, begin: int) -> int:
        """Execute a job triggered at `time` that begins at `begin`; its done event."""
        ...

    def clear(self) -> None:
        """A soft clear."""
        ...


@dataclass
class _Hang(Exception):
    """The unit never finishes the job."""

    why: str


@dataclass
class _SoftExJobs:
    machine: Machine
    memory: Memory
    warn: Callable[[str], None]
    first: int = 0x20
    count: int = 8
    readable: bool = True

    def __post_init__(self) -> None:
        from softex_mlir.isa_sim.units.softex import SoftEx

        self.unit = SoftEx(self.machine, strict=False)
        self.base = self.machine.cluster.tcdm_base

    def write(self, offset: int, registers: list[int], time: int, end: int) -> None:
        if offset != d.SOFTEX_COMMANDS or not registers[3] & d.SLOT_COMMANDS:
            return
        self.unit.request_slot(registers, self.memory, self.base, time, end)
        self._take_warnings()

    def run(self, registers: list[int], time: int, begin: int) -> int:
        del time
        cycles = self.unit.run(registers, self.memory, self.base, True, begin)
        for text in self.unit.last_warnings:
            self.warn(text)
        self._take_warnings()
        return begin + cycles

    def clear(self) -> None:
        self.unit.reset()

    def _take_warnings(self) -> None:
        for text in self.unit.slots.warnings:
            self.warn(text)
        self.unit.slots.warnings.clear()


@dataclass
class _RedMulEJobs:
    machine: Machine
    memory: Memory
    warn: Callable[[str], None]
    first: int = 0x40
    count: int = 6
    readable: bool = False
    macfg: int = -1
    cleared: bool = True

    def __post_init__(self) -> None:
        from softex_mlir.isa_sim.units.redmule import RedMulE

        self.unit = RedMulE(self.machine, strict=False)
        self.base = self.machine.cluster.tcdm_base
        description = self.machine.redmule
        assert description is not None
        self.description: RedMulEDescription = description

    def write(self, offset: int, registers: list[int], time: int, end: int) -> None:
        del registers, end
        if offset == d.REDMULE_MACFG:
            self.macfg = time
        elif self.macfg >= 0 and self.description.macfg_last:
            self.warn(
                "a job register is written after MACFG, which starts the tiler: the tiler has "
                "sampled the value before"
            )

    def run(self, registers: list[int], time: int, begin: int) -> int:
        from softex_mlir.isa_sim.units.redmule import start_delay

        if not self.cleared and self.description.requires_soft_clear:
            self.warn(
                "a job without a soft clear since the one before: the published RTL computes it "
                "from what that one left in its buffers"
            )
        if self.macfg < 0:
            raise _Hang("a job is triggered without a write to MACFG")
        gap = max(1, time - self.macfg)
        cycles = self.unit.run(registers[: self.count], self.memory, self.base)
        for text in self.unit.last_warnings:
            self.warn(text)
        self.macfg, self.cleared = -1, False
        return begin + start_delay(gap, self.machine) + cycles

    def clear(self) -> None:
        self.macfg, self.cleared = -1, True


@dataclass
class _Bus:
    """The control port of a unit (hwpe-ctrl): two contexts, one running, one queued."""

    jobs: _Jobs
    warn: Callable[[str], None]
    clear_cycles: int
    """From a clear of the registers to the first register write that is not lost."""
    bank: list[list[int]] = field(default_factory=lambda: [[0] * 8 for _ in range(CONTEXTS)])
    state: list[int] = field(default_factory=lambda: [FREE] * CONTEXTS)
    ends: list[int] = field(default_factory=lambda: [0] * CONTEXTS)
    events: list[int] = field(default_factory=lambda: list[int]())
    context: int = 0
    locked: bool = False
    next_id: int = 0
    done_jobs: int = 0
    finished_counter: int = 0
    cleared: int | None = None
    hung: bool = False

    def access(self, time: int, write: bool, offset: int, value: int) -> int:
        """One access; the value a read returns."""
        self._complete(time)
        if write:
            self._write(time, offset, value)
            return 0
        return self._read(offset)

    def _complete(self, time: int) -> None:
        """Jobs whose done event has come."""
        for context in sorted(range(CONTEXTS), key=lambda c: self.ends[c]):
            if self.state[context] == TRIGGERED and self.ends[context] <= time and not self.hung:
                self.state[context] = FREE
                self.done_jobs = (self.done_jobs + 1) & 0xFF
                self.finished_counter = min(self.finished_counter + 1, MAX_PENDING_FINISHED)

    def _read(self, offset: int) -> int:
        if offset == d.HWPE_ACQUIRE:
            return self._acquire()
        if offset == d.HWPE_FINISHED:
            found, self.finished_counter = self.finished_counter, 0
            return found
        if offset == d.HWPE_STATUS:
            return sum((s == TRIGGERED) << (8 * c) for c, s in enumerate(self.state))
        if offset == d.HWPE_RUNNING_JOB:
            return self.done_jobs
        register = self._register(offset)
        if register is None or not self.jobs.readable:
            return 0
        return self.bank[self.context][register]

    def _acquire(self) -> int:
        if self.locked:
            return -2
        if self.state[self.context] != FREE:
            return -1
        self.locked, self.state[self.context] = True, PROGRAMMED
        self.next_id, found = (self.next_id + 1) & 0xFF, self.next_id
        return found

    def _register(self, offset: int) -> int | None:
        register, rest = divmod(offset - self.jobs.first, 4)
        return register if rest == 0 and 0 <= register < self.jobs.count else None

    def _write(self, time: int, offset: int, value: int) -> None:
        if offset == d.HWPE_SOFT_CLEAR:
            self._clear(time, wipe=value == 0)
            return
        if self.cleared is not None and time - self.cleared < self.clear_cycles:
            self.warn(
                f"a register write {time - self.cleared} cycles after the soft clear is lost: the "
                f"first that counts comes {self.clear_cycles} cycles after it"
            )
            return
        if offset == d.HWPE_FINISHED:
            self.finished_counter = 0
            return
        if offset == d.HWPE_TRIGGER:
            self._trigger(time, value)
            return
        register = self._register(offset)
        if register is None:
            return
        if not self.locked and self.state[self.context] == FREE:
            # Registers can be written without an ACQUIRE while a context is free.
            self._acquire()
        self.bank[self.context][register] = value & 0xFFFFFFFF
        last = self.ends[1 - self.context]
        self.jobs.write(offset, self.bank[self.context], time, last)

    def _clear(self, time: int, *, wipe: bool) -> None:
        if TRIGGERED in self.state:
            self.warn("a soft clear while a job is under way: the job is lost")
            self.events = [event for event in self.events if event <= time]
        self.jobs.clear()
        self.state = [FREE] * CONTEXTS
        self.ends = [0] * CONTEXTS
        self.context = self.next_id = self.done_jobs = self.finished_counter = 0
        self.locked = self.hung = False
        self.cleared = time if wipe else None
        if wipe:
            self.bank = [[0] * 8 for _ in range(CONTEXTS)]

    def _trigger(self, time: int, value: int) -> None:
        if value != 0:
            self.warn("a trigger other than 0 commits the job and never starts it")
            return
        if not self.locked:
            return
        context = self.context
        begin = max(time, self.ends[1 - context] - 1)
        self.locked = False
        self.state[context] = TRIGGERED
        self.context = 1 - context
        if self.hung:
            return
        try:
            self.ends[context] = self.jobs.run(self.bank[context], time, begin)
        except (_Hang, UnitFault) as fault:
            self.warn(f"the job never ends or is wrong: {fault}")
            self.hung = True
            return
        self.events.append(self.ends[context])


def run_sequence(
    unit: str,
    accesses: Accesses,
    tcdm: Memory,
    machine: Machine | str | None = None,
) -> SequenceResult:
    """Play register accesses on a bare unit from reset, with zero-stall memory.

    Args:
        unit: ``"softex"`` or ``"redmule"``.
        accesses: int64[n, 4], rows of (cycle accepted, 1 write / 0 read, byte offset, value), in
            rising order of cycles; the value of a read is not looked at.
        tcdm: a writable 1-D uint8 array whose first byte has the machine's TCDM base address
            (0x1000_0000), changed in place.
        machine: a description or its name, default ``paper``.

    Reads of status within a cycle of a done event may differ from the RTL by that cycle.

    Raises :class:`~softex_mlir.errors.UserError` for arguments that are no sequence.
    """
    from softex_mlir.isa_sim.job import check_memory

    if machine is None or isinstance(machine, str):
        machine = Machine.load(machine or "paper")
    check_memory(tcdm)
    rows = _checked(accesses)
    warnings: list[str] = []

    def warn(text: str) -> None:
        warnings.append(f"cycle {cycle}: {text}")

    cycle = 0
    bus = _bus(unit, machine, tcdm, warn)
    reads: list[int] = []
    for cycle, write, offset, value in rows:
        found = bus.access(cycle, bool(write), offset, value)
        if not write:
            reads.append(found)
    return SequenceResult(
        np.array(bus.events, np.int64), np.array(reads, np.int64), not bus.hung, tuple(warnings)
    )


def _bus(unit: str, machine: Machine, tcdm: Memory, warn: Callable[[str], None]) -> _Bus:
    if unit == "softex" and machine.softex is not None:
        return _Bus(_SoftExJobs(machine, tcdm, warn), warn, 0)
    if unit == "redmule" and machine.redmule is not None:
        description = machine.redmule
        return _Bus(_RedMulEJobs(machine, tcdm, warn), warn, description.soft_clear_cycles)
    raise UserError(f"machine '{machine.name}' has no unit '{unit}': expected softex or redmule")


def _checked(accesses: Any) -> list[list[int]]:
    array = np.asarray(accesses)
    if array.ndim != 2 or array.shape[1] != 4 or array.dtype.kind not in "iu":
        raise UserError(
            "accesses must be integers [n, 4] (cycle, 1 write / 0 read, offset, value), found "
            f"{array.dtype} {array.shape}"
        )
    if (np.diff(array[:, 0].astype(np.int64)) < 0).any():
        raise UserError("accesses must be in rising order of their cycles")
    return array.astype(np.int64).tolist()
