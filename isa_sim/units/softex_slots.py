"""SoftEx's state slots: maximum and denominator (or reciprocal) of rows that come in chunks.

A few slots are in the unit; the others spill to memory at the cache base, 8 bytes a slot: the
maximum in bits 15:0 of the first word, the value with bit 31 set in the second (its sign is lost).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softex_mlir.isa_sim.machine import SoftExDescription
from softex_mlir.isa_sim.units.common import Memory, span
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.softex_jobs import SoftExJob

_PRESENT = 0x80000000


@dataclass
class Slot:
    """A physical slot: BF16 bits of the maximum, binary32 bits of the value.

    All have id 0 after reset, which is why slot 0 alone fails in the published RTL.
    """

    id: int = 0
    valid: bool = False
    maximum: int = 0
    value: int = 0


class StateSlots:
    """The slots of one unit since its last soft clear. ``cache_base`` is 0 until it is given."""

    def __init__(self, softex: SoftExDescription):
        self._checked = softex.checked_slots
        self._slots = [Slot() for _ in range(softex.state_slots)]
        self.cache_base = 0
        self.moved: list[tuple[int, int, bool]] = []
        """(address, bytes, is write) of what the last job's slot spilled or brought in."""

    def find(self, job: SoftExJob, memory: Memory, base: int) -> Slot:
        """The physical slot of the job's id: resident, or brought in (another one spills).

        Raises :class:`UnitFault` if the slot holds no state, there is no room for it, or the
        published RTL would read another one.
        """
        self.moved = []
        found = next((s for s in self._slots if s.valid and s.id == job.slot), None)
        if found is None:
            found = next((s for s in self._slots if not s.valid), None)
            if found is None:
                # Nothing is in use between jobs: the first slot makes room.
                found = self._slots[0]
                self._spill(found, job, memory, base)
            if not job.acquire:
                found.maximum, found.value = self._reload(job, memory, base)
            found.id, found.valid = job.slot, True
        matching = [s for s in self._slots if s.id == job.slot]
        if matching[-1] is not found and not self._checked:
            raise UnitFault(
                "softex",
                "softex.slot",
                f"slot {job.slot} is also the id of an empty physical slot, which the published "
                "RTL reads instead; use slots from 1 on",
            )
        return found

    def _spill(self, slot: Slot, job: SoftExJob, memory: Memory, base: int) -> None:
        if not self.cache_base:
            raise UnitFault(
                "softex",
                "softex.slot",
                f"slot {job.slot} is one more than the {len(self._slots)} in the unit: give "
                "CACHE_BASE_ADDR with SET_CACHE_ADDR for the others to spill to",
            )
        words = self._place(slot.id, memory, base)
        self.moved.append((self.cache_base + 8 * slot.id, 8, True))
        words[0] = slot.maximum
        words[1] = _PRESENT | (slot.value & 0x7FFFFFFF)

    def _reload(self, job: SoftExJob, memory: Memory, base: int) -> tuple[int, int]:
        words = self._place(job.slot, memory, base).tolist() if self.cache_base else (0, 0)
        if not words[1] & _PRESENT:
            raise UnitFault(
                "softex",
                "softex.slot",
                f"slot {job.slot} holds no state, neither in the unit nor at its place in memory "
                f"(CACHE_BASE_ADDR {self.cache_base:#x}): start the row with ACC_ONLY and "
                "ACQUIRE_SLOT, and set SET_CACHE_ADDR for more than two open rows",
            )
        self.moved.append((self.cache_base + 8 * job.slot, 8, False))
        return words[0] & 0xFFFF, words[1] & 0x7FFFFFFF

    def _place(self, slot: int, memory: Memory, base: int) -> Any:
        address = self.cache_base + 8 * slot
        start, stop = span("softex", memory, base, address, 8, f"the spill area of slot {slot}")
        if start % 4:
            raise UnitFault(
                "softex", "softex.alignment", f"CACHE_BASE_ADDR {self.cache_base:#x} is unaligned"
            )
        return memory[start:stop].view(np.uint32)
