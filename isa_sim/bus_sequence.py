"""A bus trace on a bare unit: register accesses in, done events and read values out.

The unit behaves as the published RTL does, quirks and all, with zero-stall memory: what the
cluster reports as a fault happens here, and a warning says so. Compared with recordings of the
RTL (`test/golden/sequences`): state slots and soft clear in results and events, SoftEx's jobs in
results and cycles.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import control, registry
from softex_mlir.isa_sim.units.common import Memory
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.unit import Trigger, Unit

Accesses = npt.NDArray[np.int64]

CONTEXTS: Final = control.CONTEXTS
FINISHED_LIMIT: Final = 2
"""The counter of finished jobs saturates here."""
CLEAR_CYCLES: Final = 4
"""A soft clear lasts so long: the effects of accesses in these cycles are lost."""
RUNNING_CYCLES: Final = 3
"""From the last cycle of a job to the first read of RUNNING_JOB that counts it."""
NEVER: Final = -(1 << 62)


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


class _Hang(Exception):
    """The unit never finishes the job."""


class _Jobs:
    """A unit's jobs: what it does with register writes, triggers and soft clears."""

    def __init__(self, unit: Unit, machine: Machine, memory: Memory, warn: Callable[[str], None]):
        self.control = unit.control(machine.section(unit.name))
        self.first, self.count = unit.first_register, len(unit.job_registers)
        self.port = unit.port(machine, True, False, False)
        self.memory = memory
        self.warn = warn
        watched, self.bits = self.control.watched or ("", 0)
        self.watched = unit.job_registers.get(watched)
        self.starting_name = self.control.starting_register or ""
        self.starting = unit.job_registers.get(self.starting_name)
        self.started = NEVER
        self.cleared = True

    def is_watched(self, offset: int, value: int) -> bool:
        """Whether the unit acts at once on a write to a job register."""
        return offset == self.watched and bool(value & self.bits)

    def write(self, offset: int, value: int, registers: list[int], time: int) -> None:
        """A job register was written at a cycle; `registers` of the context with the value."""
        if offset == self.starting:
            self.started = time
        elif self.started > NEVER and self.control.starting_last:
            self.warn(
                f"a job register is written after {self.starting_name}, which starts the unit: it "
                "has sampled the value before"
            )
        if self.is_watched(offset, value):
            self.port.written(registers, self.memory, time, -1)
            self._take_notes()

    def run(self, registers: list[int], time: int, previous_end: int) -> int | None:
        """Execute a job triggered at `time`, behind one that ends at `previous_end`; its done
        event.

        None: the job waits, and later accesses may let it go on.
        """
        if self.control.needs_clear and not self.cleared:
            self.warn(
                "a job without a soft clear since the one before: the published RTL computes it "
                "from what that one left in its buffers"
            )
        if self.starting is not None and self.started == NEVER:
            raise _Hang(f"a job is triggered without a write to {self.starting_name}")
        trigger = Trigger(time, max(1, time - self.started), previous_end)
        try:
            done = self.port.run(registers, self.memory, trigger)
        except UnitFault as fault:
            if not fault.waits:
                raise
            return None
        finally:
            self._take_notes()
        for text in done.warnings:
            self.warn(text)
        self.started, self.cleared = NEVER, False
        return max(time, previous_end - 1) + done.cycles

    def clear(self) -> None:
        """A soft clear."""
        self.port.reset()
        self.started, self.cleared = NEVER, True

    def _take_notes(self) -> None:
        for text in self.port.notes():
            self.warn(text)


@dataclass
class _Job:
    """A job that was committed at a cycle (triggered, if that came later)."""

    context: int
    time: int


@dataclass
class _Port:
    """The control port of a unit (hwpe-ctrl): two contexts, one running, one queued.

    Registers and triggers are taken with and without an ACQUIRE. A commit (a trigger other than
    0) waits for a trigger, if there was none since the soft clear.
    """

    jobs: _Jobs
    warn: Callable[[str], None]
    bank: list[list[int]] = field(
        default_factory=lambda: [[0] * control.MOST_JOB_REGISTERS for _ in range(CONTEXTS)]
    )
    queue: list[_Job] = field(default_factory=lambda: list[_Job]())
    """All jobs since the soft clear."""
    ends: list[int] = field(default_factory=lambda: list[int]())
    """The done events of the first ones of them, which have begun."""
    events: list[int] = field(default_factory=lambda: list[int]())
    committed: int = 0
    """Jobs before `queue`: a soft clear with another value than 0 keeps their numbers."""
    acquired: int = 0
    is_locked: bool = False
    is_triggered: bool = False
    finished_read: int = NEVER
    cleared: int = NEVER
    wiped: int = NEVER
    stuck: str = ""

    def access(self, time: int, write: bool, offset: int, value: int) -> int:
        """One access; the value a read returns."""
        if write:
            self._write(time, offset, value & 0xFFFFFFFF)
            return 0
        return self._read(time, offset)

    @property
    def is_finished(self) -> bool:
        """Whether every job that was to start has a done event."""
        return len(self.ends) == len(self.queue) or not self.is_triggered

    def _pending(self, time: int) -> list[_Job]:
        """The jobs that are not done, as seen at a cycle."""
        return self.queue[bisect_right(self.ends, time) :]

    def _context(self) -> int:
        """The context that is programmed."""
        return len(self.queue) % CONTEXTS

    def _read(self, time: int, offset: int) -> int:
        if offset == control.ACQUIRE:
            return self._acquire(time)
        if self.wiped + 2 <= time <= self.wiped + CLEAR_CYCLES:
            return 0
        if offset == control.FINISHED:
            count = bisect_right(self.ends, time) - bisect_right(self.ends, self.finished_read)
            self.finished_read = time
            return min(count, FINISHED_LIMIT)
        if offset == control.STATUS:
            contexts = {job.context for job in self._pending(time)}
            return sum(1 << (8 * context) for context in contexts)
        if offset == control.RUNNING_JOB:
            return self.committed + bisect_right(self.ends, time + 1 - RUNNING_CYCLES) & 0xFF
        register = self._register(offset)
        if register is None or not self.jobs.control.readable:
            return 0
        return self.bank[self._context()][register]

    def _acquire(self, time: int) -> int:
        if self.is_locked:
            return -2
        if len(self._pending(time)) == CONTEXTS:
            return -1
        number = self.acquired & 0xFF
        if not self._is_clearing(time):
            self.is_locked = True
            self.acquired += 1
        elif time == self.cleared + CLEAR_CYCLES:
            # The context is not locked, but the number is used up.
            self.acquired += 1
        return number

    def _is_clearing(self, time: int) -> bool:
        return self.cleared < time <= self.cleared + CLEAR_CYCLES

    def _register(self, offset: int) -> int | None:
        register, rest = divmod(offset - self.jobs.first, 4)
        return register if rest == 0 and 0 <= register < self.jobs.count else None

    def _write(self, time: int, offset: int, value: int) -> None:
        if offset == control.SOFT_CLEAR:
            if not self.cleared < time < self.cleared + CLEAR_CYCLES:
                self._clear(time, wipe=value == 0)
        elif offset == control.FINISHED:
            self.finished_read = time
        elif offset == control.TRIGGER:
            self._commit(time, value)
        elif (register := self._register(offset)) is not None:
            self._write_register(time, offset, register, value)

    def _write_register(self, time: int, offset: int, register: int, value: int) -> None:
        if time - self.wiped < self.jobs.control.clear_cycles:
            self.warn(
                f"a register write {time - self.wiped} cycles after the soft clear is lost: the "
                f"first that counts comes {self.jobs.control.clear_cycles} cycles after it"
            )
            return
        if len(self._pending(time)) >= CONTEXTS:
            self.warn("a job register is written while both contexts are taken: a job changes")
        registers = self.bank[self._context()]
        registers[register] = value
        if self._is_clearing(time):
            # The register is kept, what its write starts is not.
            if self.jobs.is_watched(offset, value):
                self.warn("the request for a state slot is lost: the soft clear is under way")
            return
        self.jobs.write(offset, value, registers, time)
        self._start()

    def _clear(self, time: int, *, wipe: bool) -> None:
        if self._pending(time + 2):
            self.warn("a soft clear while a job is under way: the job is lost")
            self.events = [event for event in self.events if event <= time + 2]
        self.jobs.clear()
        self.cleared, self.is_locked, self.is_triggered, self.stuck = time, False, False, ""
        if wipe:
            self.wiped, self.committed, self.acquired = time, 0, 0
            self.bank = [[0] * control.MOST_JOB_REGISTERS for _ in range(CONTEXTS)]
        else:
            self.committed += bisect_right(self.ends, time + 2)
        self.queue, self.ends = [], []

    def _commit(self, time: int, value: int) -> None:
        if self._is_clearing(time):
            self.warn("a trigger is lost: the soft clear is under way")
            return
        if len(self._pending(time)) >= CONTEXTS:
            self.warn("a trigger while both contexts are taken")
        self.is_locked = False
        self.queue.append(_Job(self._context(), time))
        if value == 0 and not self.is_triggered:
            self.is_triggered = True
            for job in self.queue:
                job.time = time
        elif not self.is_triggered:
            self.warn("a trigger other than 0 commits the job and does not start it")
        self._start()

    def _start(self) -> None:
        """Let the jobs begin that can, one after the other."""
        if not self.is_triggered or self.stuck:
            return
        for job in self.queue[len(self.ends) :]:
            before = self.ends[-1] if self.ends else -1
            try:
                end = self.jobs.run(self.bank[job.context], job.time, before)
            except (_Hang, UnitFault) as fault:
                self.stuck = str(fault)
                self.warn(f"the job never ends or is wrong: {fault}")
                return
            if end is None:
                return
            self.ends.append(end)
            self.events.append(end)

    def close(self) -> None:
        """Warn of a job that still waits at the end of the sequence."""
        if not self.is_finished and not self.stuck:
            self.warn("a job waits for ever for its state slot, which is not in the unit")


def run_sequence(
    unit: str,
    accesses: Accesses,
    tcdm: Memory,
    machine: Machine | str | None = None,
) -> SequenceResult:
    """Play register accesses on a bare unit from reset, with zero-stall memory.

    Args:
        unit: its name, such as ``"softex"`` or ``"redmule"``.
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
    bus.close()
    return SequenceResult(
        np.array(bus.events, np.int64),
        np.array(reads, np.int64),
        bus.is_finished,
        tuple(warnings),
    )


def _bus(name: str, machine: Machine, tcdm: Memory, warn: Callable[[str], None]) -> _Port:
    unit = registry.unit(name)
    if machine.section(name) is None:
        raise UserError(f"machine '{machine.name}' has no {unit.label}")
    return _Port(_Jobs(unit, machine, tcdm, warn), warn)


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
