"""The energy model's free choice, swept: which conclusions depend on a core instruction's energy.

The published totals are two: efficiency of ViT-base with and without SoftEx. For every energy of
a core's instruction, the base and RedMulE's multiply-accumulate follow from them, so that both
totals stay as published. The instructions of the published runs are not public; those of this
compiler's programs stand in for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from softex_mlir.isa_sim.energy import energy
from softex_mlir.runtime.costs.verdict import Phrase

if TYPE_CHECKING:
    from softex_mlir.runtime.profile import Profile

CHOICES = (5.0, 6.5, 10.0, 15.0, 20.0, 25.0)
"""pJ a core instruction; 5 to 25 fit the published totals."""
CYCLES = (126.9e6, 200.5e6)
"""Of ViT-base with and without SoftEx, derived from the published throughputs."""
INSTRUCTIONS = (87.0e6, 610.0e6)
"""Of the cores, simulated; without SoftEx as many more a cycle as ours has (171.9 M in 24.2 M)."""
MACS = 17.56e9
"""Of ViT-base."""

SAME = "Over all choices the energy varies by {spread}; the largest part is the same at each."
OTHER = "Over all choices the energy varies by {spread}; which part is the largest depends on it."


@dataclass(frozen=True)
class Choice:
    """A program's energy at one value of the free choice.

    Attributes:
        core_pj: an instruction; chosen.
        base_pj, redmule_pj: a cycle, a multiply-accumulate; they follow.
        parts: J by cause.
        tops_per_watt: 2 * macs / energy / 1e12.
    """

    core_pj: float
    base_pj: float
    redmule_pj: float
    parts: Mapping[str, float]
    tops_per_watt: float

    @property
    def energy_j(self) -> float:
        """All parts together, J."""
        return sum(self.parts.values())

    @property
    def largest(self) -> str:
        """The cause of most of the energy."""
        return max(self.parts, key=lambda cause: self.parts[cause])


def swept(profile: Profile) -> list[Choice]:
    """A profile's energy at every choice, at its operating point."""
    machine, ledger = profile.machine, profile.ledger
    counters = ledger.counters(np.arange(len(ledger.macs)), machine)
    cost = machine.energy
    base_step = (INSTRUCTIONS[1] - INSTRUCTIONS[0]) / (CYCLES[1] - CYCLES[0])
    mac_step = (base_step * CYCLES[0] - INSTRUCTIONS[0]) / MACS
    found: list[Choice] = []
    for core in CHOICES:
        more = core - cost.core_pj_per_instruction
        changed = replace(
            cost,
            core_pj_per_instruction=core,
            base_pj_per_cycle=cost.base_pj_per_cycle - more * base_step,
            redmule_pj_per_mac=cost.redmule_pj_per_mac + more * mac_step,
        )
        report = energy(
            counters, profile.cycles, replace(machine, energy=changed), profile.operating_point
        )
        found.append(
            Choice(
                core,
                changed.base_pj_per_cycle,
                changed.redmule_pj_per_mac,
                report.parts,
                2 * profile.macs / report.total_j / 1e12 if report.total_j else 0.0,
            )
        )
    return found


def conclusion(choices: Sequence[Choice]) -> Phrase:
    """Which statements about a program's energy hold at every choice."""
    energies = [choice.energy_j for choice in choices]
    largest = dict.fromkeys(choice.largest for choice in choices)
    spread = max(energies) / min(energies) - 1 if min(energies) else 0.0
    return Phrase(SAME if len(largest) == 1 else OTHER, {"spread": f"{spread:.0%}"})
