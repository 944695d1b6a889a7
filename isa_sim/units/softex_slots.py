"""SoftEx's state slots: maximum and denominator (or reciprocal) of rows that come in chunks.

A few slots are in the unit; the others spill to memory at the cache base, 8 bytes a slot: the
maximum in bits 15:0 of the first word, the value with bit 31 set in the second (its sign is lost).

A write to COMMANDS with ACC_ONLY or DIV_ONLY queues a request for the job's slot at once, whatever
runs then; the end of an accumulation and of a division with LAST queues an update. A state machine
beside the jobs takes one of either at a time, updates first. Its steps are followed here at their
cycles, with those of the published RTL that go wrong:

- A request raises the slot's count of uses (2 bits), an update lowers it. A division without LAST
  sends none: its use is never taken back.
- A slot that is not resident takes an empty physical slot, else the first without uses, else
  number 0, even if a job in flight needs what is there.
- An update whose slot is not resident goes to the physical slot that a request would take, which
  then also gets the id and the uses of number 0.
- A state that arrives from memory while an update waits is written over the slot of the update.
- A job waits until its slot is resident; if nothing brings it there, for ever. It then reads the
  last physical slot with its id, also an empty one (all have id 0 after a soft clear).

``checked_slots`` lifts all of it: requests wait for a slot without uses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from softex_mlir.isa_sim.units.common import Memory, copy_in, copy_out
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.softex_jobs import Kind, SoftExJob
from softex_mlir.isa_sim.units.softex_section import SoftExDescription

_PRESENT: Final = 0x80000000
_USES: Final = 3
"""Mask of the counter of uses."""
_REQUESTS: Final = 4
"""Requests that the queue holds; more are lost."""

SPILL_CYCLES: Final = 2
"""From the start of a spill until the next step."""
RELOAD_CYCLES: Final = 5
"""From the start of a reload until the state arrives."""


@dataclass
class Slot:
    """A physical slot: BF16 bits of the maximum, binary32 bits of the value."""

    id: int = 0
    valid: bool = False
    uses: int = 0
    maximum: int = 0
    value: int = 0
    is_kept: bool = True
    """Whether memory holds the same, so that nothing is lost with the slot."""


@dataclass(eq=False)
class _Request:
    """A job's request for its slot, queued at a cycle; kept while the job needs the slot.

    ``read`` is the cycle at which the job took its state.
    """

    job: SoftExJob
    time: int
    read: int | None = None

    @property
    def updates(self) -> bool:
        """Whether the job changes its slot when it ends: it accumulates, or frees it."""
        return self.job.kind is Kind.ACCUMULATE or self.job.last


@dataclass
class _Update:
    """What the job of a request leaves in its slot, queued in the last cycle of the job."""

    request: _Request
    maximum: int
    value: int
    time: int


class StateSlots:
    """The slots of one unit since its last soft clear.

    Attributes:
        cache_base: where slots spill to; 0 until it is given.
        moved: (address, bytes, is write) of what was spilled or brought in and not yet taken.
        lost: slots whose state was in the unit only when a soft clear or a division emptied it.
        strict: whether what goes wrong in the published RTL is a :class:`UnitFault`; else it
            happens, and `warnings` says so.
        warnings: one line for everything that went wrong and was not yet taken.
    """

    def __init__(self, softex: SoftExDescription, *, strict: bool = True):
        self._softex = softex
        self._checked = softex.checked_slots
        self._slots = [Slot() for _ in range(softex.state_slots)]
        self._requests: list[_Request] = []
        self._updates: list[_Update] = []
        self._in_flight: list[_Request] = []
        self._running: _Request | None = None
        self._free = 0
        self._arrival: int | None = None
        self._spilling = False
        self.cache_base = 0
        self.lost: set[int] = set()
        self.moved: list[tuple[int, int, bool]] = []
        self.strict = strict
        self.warnings: list[str] = []

    # --- what jobs do ------------------------------------------------------------------------

    def request(self, job: SoftExJob, time: int, memory: Memory, base: int) -> None:
        """COMMANDS was written at a cycle for a job with a slot."""
        self._settle(time, memory, base)
        if len(self._requests) == _REQUESTS:
            self._wrong("softex.slot", f"more than {_REQUESTS} requests for slots: one is lost")
            return
        request = _Request(job, time)
        self._requests.append(request)
        if job.kind in (Kind.ACCUMULATE, Kind.NORMALISE):
            self._in_flight.append(request)

    def set_cache_base(self, address: int, time: int, memory: Memory, base: int) -> None:
        """A job with SET_CACHE_ADDR started at a cycle."""
        self._settle(time + 1, memory, base)
        self.cache_base = address

    def begin(self, job: SoftExJob, time: int, memory: Memory, base: int) -> tuple[int, Slot]:
        """The cycle from `time` on at which a job finds its slot resident, and what it reads.

        Raises :class:`UnitFault` if that never happens, or (where `strict`) something went wrong.
        """
        while True:
            self._settle(time, memory, base)
            if self._is_resident(job.slot, time):
                break
            step = self._next_step()
            if step is None:
                raise UnitFault(
                    "softex",
                    "softex.slot_missing",
                    f"the job waits for ever for slot {job.slot}, which is not in the unit and not "
                    "on its way there",
                    waits=True,
                )
            time = max(time, step) + 1
        waiting = (r for r in self._in_flight if r.job.slot == job.slot and r.read is None)
        self._running = next(waiting, None) or _Request(job, time)
        self._running.read = time
        return time, self._looked_up(job)

    def end(self, job: SoftExJob, maximum: int, value: int, time: int) -> None:
        """The job that began last has its last cycle at `time`, with this state."""
        request, self._running = self._running or _Request(job, time), None
        if any(request is other for other in self._in_flight):
            self._in_flight.remove(request)
        request.job = job
        if request.updates or self._checked:
            self._updates.append(_Update(request, maximum, value, time))

    def postpone(self, end: int) -> None:
        """The job triggered last has its done event at `end`, later than it was to be expected."""
        if self._updates:
            last = self._updates[-1]
            last.time = max(last.time, end - 1)

    def cleared(self) -> StateSlots:
        """The slots after a soft clear."""
        fresh = StateSlots(self._softex, strict=self.strict)
        fresh.lost = self.lost | {s.id for s in self._slots if s.valid and not s.is_kept}
        return fresh

    # --- the state machine -------------------------------------------------------------------

    def _settle(self, until: int, memory: Memory, base: int) -> None:
        """Follow the steps before a cycle."""
        while (step := self._next_step()) is not None and step < until:
            self._step(step, memory, base)

    def _next_step(self) -> int | None:
        """The cycle of the next step, if there is one."""
        if self._arrival is not None:
            return self._arrival
        if self._spilling:
            return self._free
        waiting = [update.time for update in self._updates[:1]]
        if self._requests and not self._is_blocked(self._requests[0]):
            waiting.append(self._requests[0].time)
        return max(self._free, min(waiting) + 1) if waiting else None

    def _is_blocked(self, request: _Request) -> bool:
        """Whether a request waits for a slot that nobody uses, as it should."""
        if not self._checked or self._resident(request.job.slot) is not None:
            return False
        return all(slot.valid and slot.uses for slot in self._slots)

    def _step(self, now: int, memory: Memory, base: int) -> None:
        if self._arrival is not None:
            self._arrive(now, memory, base)
        elif self._spilling:
            self._spill(now, memory, base)
        elif self._updates and self._updates[0].time < now:
            self._update(self._updates.pop(0))
            self._free = now + 1
        else:
            self._take(now)

    def _take(self, now: int) -> None:
        """Begin with the first request."""
        job = self._requests[0].job
        index = self._resident(job.slot)
        if index is not None:
            self._slots[index].uses = self._slots[index].uses + 1 & _USES
            self._requests.pop(0)
            self._free = now + 1
        elif all(slot.valid for slot in self._slots):
            self._check_unused(job, now)
            self._spilling, self._free = True, now + SPILL_CYCLES
        elif job.acquire:
            self._acquire(now + 1)
        else:
            self._arrival = now + RELOAD_CYCLES

    def _acquire(self, free: int) -> None:
        """The first request's slot begins a row: what it holds does not matter."""
        job = self._requests.pop(0).job
        slot = self._slots[self._victim()]
        slot.id, slot.valid, slot.uses = job.slot, True, 1
        slot.maximum, slot.value = self._slots[0].maximum, self._slots[0].value
        slot.is_kept = True
        self.lost.discard(job.slot)
        self._free = free

    def _spill(self, now: int, memory: Memory, base: int) -> None:
        job, slot = self._requests[0].job, self._slots[self._victim()]
        if not self.cache_base:
            self._wrong(
                "softex.slot",
                f"slot {job.slot} is one more than the {len(self._slots)} in the unit: give "
                "CACHE_BASE_ADDR with SET_CACHE_ADDR for the others to spill to",
            )
        words = np.array([slot.maximum, _PRESENT | (slot.value & ~_PRESENT)], np.uint32)
        address = self._place(slot.id, memory, base)
        copy_out(memory, base, address, words.view(np.uint8))
        self.moved.append((address, 8, True))
        slot.is_kept = True
        self.lost.discard(slot.id)
        self._spilling = False
        if job.acquire:
            self._acquire(now + 2)
        else:
            self._arrival = now + RELOAD_CYCLES

    def _arrive(self, now: int, memory: Memory, base: int) -> None:
        """The state of the first request's slot comes from memory."""
        job = self._requests.pop(0).job
        address = self._place(job.slot, memory, base)
        words = copy_in(memory, base, address, 8).view(np.uint32).tolist()
        if not words[1] & _PRESENT:
            self._wrong(
                "softex.slot",
                f"slot {job.slot} holds no state, neither in the unit nor at its place in memory "
                f"(CACHE_BASE_ADDR {self.cache_base:#x}): start the row with ACC_ONLY and "
                "ACQUIRE_SLOT, and set SET_CACHE_ADDR for more than two open rows",
            )
        elif job.slot in self.lost:
            self._wrong(
                "softex.slot_lost",
                f"the state of slot {job.slot} was in the unit only when a soft clear or a "
                "division with LAST emptied it; what its place in memory holds is an earlier one",
            )
        self.moved.append((address, 8, False))
        index = self._victim()
        if self._updates and self._updates[0].time < now and not self._checked:
            self._wrong(
                "softex.slot_in_use",
                f"the state of slot {job.slot} arrives in the cycle in which another job's is to "
                "be written, and takes its place",
            )
            found = self._resident(self._updates[0].request.job.slot)
            index = index if found is None else found
        slot = self._slots[index]
        slot.id, slot.valid, slot.uses = job.slot, True, 1
        slot.maximum, slot.value = words[0] & 0xFFFF, words[1] & ~_PRESENT
        slot.is_kept = True
        self._arrival, self._free = None, now + 2

    def _update(self, update: _Update) -> None:
        job = update.request.job
        index = self._resident(job.slot)
        if index is None:
            # The header that is written back is the one of number 0.
            self._wrong(
                "softex.slot_in_use",
                f"slot {job.slot} is not in the unit when its {job.kind.value} ends: the state of "
                "another row is overwritten",
            )
            index, header = self._victim(), self._slots[0]
        else:
            header = self._slots[index]
        slot = replace(header)
        if job.kind is Kind.NORMALISE and job.last:
            slot.valid, slot.uses = False, 0
            if not slot.is_kept:
                self.lost.add(slot.id)
        else:
            slot.uses = slot.uses - 1 & _USES
            if job.kind is Kind.ACCUMULATE:
                slot.maximum, slot.value, slot.is_kept = update.maximum, update.value, False
        self._slots[index] = slot

    def _resident(self, number: int) -> int | None:
        """The last physical slot that holds a slot."""
        found = [i for i, slot in enumerate(self._slots) if slot.valid and slot.id == number]
        return found[-1] if found else None

    def _victim(self) -> int:
        """The physical slot that is written if the wanted one is not resident."""
        empty = (i for i, slot in enumerate(self._slots) if not slot.valid)
        unused = (i for i, slot in enumerate(self._slots) if not slot.uses)
        return next(empty, next(unused, 0))

    # --- what a job finds --------------------------------------------------------------------

    def _is_resident(self, number: int, now: int) -> bool:
        coming = self._updates and self._updates[0].time < now
        if coming and self._updates[0].request.job.slot == number:
            return False
        return self._resident(number) is not None

    def _looked_up(self, job: SoftExJob) -> Slot:
        index = self._resident(job.slot)
        assert index is not None
        found = max(i for i, slot in enumerate(self._slots) if slot.id == job.slot)
        if found == index or self._checked:
            return self._slots[index]
        if self.strict or not job.acquire:
            # A job that begins a row reads nothing, but the next one on the slot will.
            self._wrong(
                "softex.slot",
                f"slot {job.slot} is also the id of an empty physical slot, which the published "
                "RTL reads instead; use slots from 1 on",
            )
        return self._slots[found]

    def _check_unused(self, job: SoftExJob, now: int) -> None:
        """Warn if the slot that makes room is needed by a job in flight."""
        number = self._slots[self._victim()].id
        for request in (*self._in_flight, *(update.request for update in self._updates)):
            taken = request.read is not None and request.read <= now
            if request.job.slot != number or (taken and not request.updates):
                continue
            if any(request is waiting for waiting in self._requests):
                continue
            self._wrong(
                "softex.slot_in_use",
                f"slot {job.slot} takes the place of slot {number} in the unit while the "
                f"{request.job.kind.value} of that one is in flight: its result goes to the wrong "
                "row; wait until the unit is idle before an accumulation or a division with LAST",
            )
            return

    def _place(self, number: int, memory: Memory, base: int) -> int:
        address = self.cache_base + 8 * number
        if address % 4:
            self._wrong("softex.alignment", f"CACHE_BASE_ADDR {self.cache_base:#x} is unaligned")
        if self.cache_base and not base <= address <= base + memory.size - 8:
            self._wrong(
                "softex.address",
                f"the spill area of slot {number} lies at {address:#x}, outside the TCDM",
            )
        return address

    def _wrong(self, rule: str, message: str) -> None:
        if self.strict:
            raise UnitFault("softex", rule, message)
        self.warnings.append(message)
