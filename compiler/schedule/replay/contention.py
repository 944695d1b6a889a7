"""What units, DMA and cores cost each other at the TCDM's banks, on average.

The arbiter's rules with chances in the place of addresses: accesses meet as often as random ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.growth import growth


@dataclass(frozen=True)
class Rival:
    """What who works does to the TCDM.

    Attributes:
        rate: accesses a cycle without denials; beats of the DMA.
        banks: that an access takes at once.
        wide: whether an access waits for narrow ones, unless it was denied often enough.
        masters: who share the accesses: the cores of the team.
        exposed, turnovers, burst: of a unit, as `growth` takes them.
    """

    rate: float
    banks: int
    wide: bool = False
    masters: int = 1
    exposed: float = 0.0
    turnovers: float = 0.0
    burst: float = 0.0


@dataclass
class Rivals:
    """The arbiter of a machine."""

    machine: Machine
    _known: dict[tuple[int, ...], list[float]] = field(
        default_factory=dict[tuple[int, ...], list[float]]
    )
    _kept: list[tuple[Rival | None, ...]] = field(default_factory=list[tuple[Rival | None, ...]])
    """So that no other rival gets the address of a known one."""

    def rates(self, active: tuple[Rival | None, ...]) -> list[float]:
        """How fast each of those who work gets on; 1 is undisturbed."""
        key = tuple(map(id, active))
        if key not in self._known:
            self._kept.append(active)
            self._known[key] = [self._rate(place, active) for place in range(len(active))]
        return self._known[key]

    def _rate(self, place: int, active: tuple[Rival | None, ...]) -> float:
        mine = active[place]
        if mine is None:
            return 1.0
        if not mine.wide:
            each = min(1.0, mine.rate / mine.masters)
            return 1.0 / (1.0 + each * self._lost(mine, place, active))
        chance = self._denied(mine, active)
        late = sum(chance**times for times in range(1, self._denials + 1))
        more = growth(late, mine.exposed, mine.turnovers, mine.burst)
        return 1.0 / max(1.0 + more, mine.rate * (1.0 + late))

    @property
    def _denials(self) -> int:
        return self.machine.cluster.tcdm_starvation

    def _hit(self, one: Rival, other: Rival) -> float:
        """Chance that an access of one meets an access of the other."""
        return min(1.0, (one.banks + other.banks - 1) / self.machine.cluster.tcdm_banks)

    def _denied(self, wide: Rival, active: tuple[Rival | None, ...]) -> float:
        """Chance that a wide access meets a narrow one."""
        free = 1.0
        for other in active:
            if other is not None and not other.wide:
                hit = self._hit(wide, other)
                # of several accesses a cycle each may meet it
                free *= 1.0 - other.rate * hit if other.rate <= 1.0 else (1.0 - hit) ** other.rate
        return 1.0 - free

    def _lost(self, narrow: Rival, place: int, active: tuple[Rival | None, ...]) -> float:
        """Cycles a narrow access loses: to wide ones that were denied and go first, and, every
        other time, to narrow ones."""
        lost = (1.0 - 1.0 / narrow.masters) * narrow.rate * self._hit(narrow, narrow) / 2
        for index, other in enumerate(active):
            if other is None or index == place:
                continue
            if other.wide:
                first = self._denied(other, active) ** self._denials
                lost += other.rate * first * self._hit(narrow, other)
            else:
                lost += other.rate * self._hit(narrow, other) / 2
        return lost
