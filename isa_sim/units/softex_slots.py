"""SoftEx's state slots: maximum and denominator (or reciprocal) of rows that come in chunks.

A few slots are in the unit; the others spill to memory at the cache base, 8 bytes a slot: the
maximum in bits 15:0 of the first word, the value with bit 31 set in the second (its sign is lost).

A write to COMMANDS with ACC_ONLY or DIV_ONLY requests the job's slot at once, whatever runs then.
The published RTL counts the requests of each physical slot; the end of an accumulation and of a
division with LAST lower the count, a division without LAST never does. A request for a slot that is
not resident takes an empty physical slot, else the first without uses, else number 0, even if a
job in flight uses it: that job's result then goes to the other row's state. Reproduced on 26
sequences of 668 jobs recorded from the RTL, results and cycles.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np

from softex_mlir.isa_sim.machine import SoftExDescription
from softex_mlir.isa_sim.units.common import Memory, span
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.softex_jobs import Kind, SoftExJob

_PRESENT = 0x80000000
NOW: Final = 1 << 62
"""A time at which whatever was in flight has ended."""

SPILL_CYCLES: Final = 2
RELOAD_CYCLES: Final = 4
"""From the write to COMMANDS until a state is where the job finds it."""


@dataclass
class Slot:
    """A physical slot: BF16 bits of the maximum, binary32 bits of the value.

    All have id 0 after reset, which is why slot 0 alone fails in the published RTL.
    """

    id: int = 0
    valid: bool = False
    uses: int = 0
    maximum: int = 0
    value: int = 0


@dataclass(frozen=True)
class Claim:
    """A job's hold on physical slot `index` from its request at `time`, whose state is there
    `cycles` later; `moved` as :attr:`StateSlots.moved`."""

    index: int
    time: int
    cycles: int
    moved: tuple[tuple[int, int, bool], ...] = ()


@dataclass(frozen=True)
class _Update:
    """What the job that was triggered last does to its slot when it ends."""

    job: SoftExJob
    claim: Claim
    maximum: int
    value: int

    @property
    def writes(self) -> bool:
        """Whether the slot changes: an accumulation, or a division that frees it."""
        return self.job.kind is Kind.ACCUMULATE or self.job.last


class StateSlots:
    """The slots of one unit since its last soft clear.

    Attributes:
        cache_base: where slots spill to; 0 until it is given.
        moved: (address, bytes, is write) of what the last job's slot spilled or brought in.
        strict: whether what goes wrong in the published RTL is a :class:`UnitFault`; else it
            happens, and `warnings` says so.
        warnings: one line for every request that went wrong.
    """

    def __init__(self, softex: SoftExDescription, *, strict: bool = True):
        self._checked = softex.checked_slots
        self._slots = [Slot() for _ in range(softex.state_slots)]
        self._claims: list[Claim] = []
        self._update: _Update | None = None
        self.cache_base = 0
        self.moved: tuple[tuple[int, int, bool], ...] = ()
        self.strict = strict
        self.warnings: list[str] = []

    def request(
        self, job: SoftExJob, memory: Memory, base: int, time: int = NOW, end: int = 0
    ) -> None:
        """A write to COMMANDS at `time`, while the job triggered last has its end event at `end`.

        Raises :class:`UnitFault` if the slot holds no state, there is no room for it, or (where
        `strict`) the published RTL would use another one or take one away from a job in flight.
        """
        running = self._update
        finishing = running is not None and time == end - 1
        if running is None or time >= end - 1:
            self._settle()
        moved: list[tuple[int, int, bool]] = []
        index, cycles = self._resident(job.slot), 0
        if index is None:
            index = self._victim(running if finishing else None)
            cycles = self._bring(index, job, memory, base, moved)
            if cycles and finishing and running is not None and running.job.last:
                # The slot that is being freed takes the cycle.
                cycles += running.job.kind is Kind.NORMALISE
        index = self._looked_up(index, job.slot)
        self._slots[index].uses += 1
        self._claims.append(Claim(index, time, cycles, tuple(moved)))

    def claim(self, job: SoftExJob, memory: Memory, base: int) -> tuple[Claim, Slot]:
        """The claim of a job that is triggered, and the state it will find."""
        self._settle()
        if not self._claims:
            self.request(job, memory, base)
        claim = self._claims.pop(0)
        self.moved = claim.moved
        return claim, self._slots[claim.index]

    def finish(self, job: SoftExJob, claim: Claim, maximum: int, value: int) -> None:
        """Note what a triggered job leaves in its slot when it ends."""
        self._update = _Update(job, claim, maximum, value)

    def _settle(self) -> None:
        """The job triggered last has ended."""
        update, self._update = self._update, None
        if update is None:
            return
        slot = self._slots[update.claim.index]
        if update.job.kind is Kind.ACCUMULATE:
            slot.maximum, slot.value = update.maximum, update.value
        elif update.job.last:
            slot.valid = False
        if update.writes or self._checked:
            slot.uses = max(0, slot.uses - 1)

    def _resident(self, number: int) -> int | None:
        return next((i for i, s in enumerate(self._slots) if s.valid and s.id == number), None)

    def _victim(self, finishing: _Update | None) -> int:
        """The physical slot that makes room."""
        empty = (i for i, slot in enumerate(self._slots) if not slot.valid)
        unused = (i for i, slot in enumerate(self._slots) if slot.uses == 0)
        found = next(chain(empty, unused), None)
        if found is not None:
            return found
        # Recorded once: not the one whose division ends in this very cycle.
        return 1 if finishing is not None and finishing.claim.index == 0 else 0

    def _bring(
        self, index: int, job: SoftExJob, memory: Memory, base: int, moved: list[Any]
    ) -> int:
        """Make a physical slot the job's; cycles until its state is there."""
        slot, cycles = self._slots[index], 0
        if slot.valid:
            self._check_idle(index, slot, job)
            self._spill(slot, job, memory, base, moved)
            cycles += SPILL_CYCLES
        if not job.acquire:
            slot.maximum, slot.value = self._reload(job, memory, base, moved)
            cycles += RELOAD_CYCLES
        slot.id, slot.valid, slot.uses = job.slot, True, 0
        return cycles

    def _check_idle(self, index: int, slot: Slot, job: SoftExJob) -> None:
        running = self._update
        if running is None or running.claim.index != index or not running.writes:
            return
        self._wrong(
            "softex.slot_in_use",
            f"slot {job.slot} takes the place of slot {slot.id} in the unit while the "
            f"{running.job.kind.value} of that one is in flight: its result goes to the wrong row; "
            "wait until the unit is idle before an accumulation or a division with LAST",
        )

    def _looked_up(self, index: int, number: int) -> int:
        """The physical slot that the published RTL's lookup finds: it ignores `valid`."""
        found = max(i for i, slot in enumerate(self._slots) if slot.id == number)
        if found == index or self._checked:
            return index
        self._wrong(
            "softex.slot",
            f"slot {number} is also the id of an empty physical slot, which the published "
            "RTL reads instead; use slots from 1 on",
        )
        return found

    def _wrong(self, rule: str, message: str) -> None:
        if self.strict:
            raise UnitFault("softex", rule, message)
        self.warnings.append(message)

    def _spill(
        self, slot: Slot, job: SoftExJob, memory: Memory, base: int, moved: list[Any]
    ) -> None:
        if not self.cache_base:
            raise UnitFault(
                "softex",
                "softex.slot",
                f"slot {job.slot} is one more than the {len(self._slots)} in the unit: give "
                "CACHE_BASE_ADDR with SET_CACHE_ADDR for the others to spill to",
            )
        words = self._place(slot.id, memory, base)
        moved.append((self.cache_base + 8 * slot.id, 8, True))
        words[0] = slot.maximum
        words[1] = _PRESENT | (slot.value & 0x7FFFFFFF)

    def _reload(
        self, job: SoftExJob, memory: Memory, base: int, moved: list[Any]
    ) -> tuple[int, int]:
        words = self._place(job.slot, memory, base).tolist() if self.cache_base else (0, 0)
        if not words[1] & _PRESENT:
            self._wrong(
                "softex.slot",
                f"slot {job.slot} holds no state, neither in the unit nor at its place in memory "
                f"(CACHE_BASE_ADDR {self.cache_base:#x}): start the row with ACC_ONLY and "
                "ACQUIRE_SLOT, and set SET_CACHE_ADDR for more than two open rows",
            )
        moved.append((self.cache_base + 8 * job.slot, 8, False))
        return words[0] & 0xFFFF, words[1] & 0x7FFFFFFF

    def _place(self, slot: int, memory: Memory, base: int) -> Any:
        address = self.cache_base + 8 * slot
        start, stop = span("softex", memory, base, address, 8, f"the spill area of slot {slot}")
        if start % 4:
            raise UnitFault(
                "softex", "softex.alignment", f"CACHE_BASE_ADDR {self.cache_base:#x} is unaligned"
            )
        return memory[start:stop].view(np.uint32)
