"""What units, DMA and cores cost each other at the TCDM's banks, on average.

The arbiter's rules with chances in the place of addresses: accesses meet as often as random ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.growth import growth


@dataclass(frozen=True, eq=False)
class Rival:
    """What who works does to the TCDM; known by its identity.

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
    _known: dict[tuple[Rival | None, ...], list[float]] = field(
        default_factory=dict[tuple[Rival | None, ...], list[float]]
    )

    def rates(self, active: tuple[Rival | None, ...]) -> list[float]:
        """How fast each of those who work gets on; 1 is undisturbed."""
        if (known := self._known.get(active)) is None:
            known = [self._rate(place, active) for place in range(len(active))]
            self._known[active] = known
        return known

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

    def _hit(self, one: Rival, other: Rival, more: float = 0.0) -> float:
        """Chance that an access of one, or of so many more beside it, meets one of the other."""
        return min(1.0, (one.banks + other.banks - 1 + more) / self.machine.cluster.tcdm_banks)

    def _denied(self, wide: Rival, active: tuple[Rival | None, ...], without: int = -1) -> float:
        """Chance that a wide access meets a narrow one; of all but the one at a place."""
        free = 1.0
        for place, other in enumerate(active):
            if other is not None and not other.wide and place != without:
                free *= 1.0 - self._met(wide, other)
        return 1.0 - free

    def _met(self, wide: Rival, narrow: Rival) -> float:
        """Chance that any of a cycle's accesses of a narrow one is in a wide access' way."""
        hit = self._hit(wide, narrow)
        return narrow.rate * hit if narrow.rate <= 1.0 else 1.0 - (1.0 - hit) ** narrow.rate

    def _lost(self, narrow: Rival, place: int, active: tuple[Rival | None, ...]) -> float:
        """Cycles a narrow access loses: to wide ones that were denied and go first, and, every
        other time, to narrow ones.

        Cores that do the same come one behind the other through the banks: who is held up holds up
        those behind.
        """
        train = (narrow.masters - 1) / 2
        lost = (1.0 - 1.0 / narrow.masters) * narrow.rate * self._hit(narrow, narrow) / 2
        for index, other in enumerate(active):
            if other is None or index == place:
                continue
            hit = self._hit(narrow, other)
            more = self._hit(narrow, other, train) / hit
            if other.wide:
                lost += other.rate * self._overtaken(narrow, other, place, active) * more
            else:
                lost += other.rate * hit * more / 2
        return lost

    def _overtaken(
        self, narrow: Rival, wide: Rival, place: int, active: tuple[Rival | None, ...]
    ) -> float:
        """Chance that a wide access was denied often enough and then is in a narrow one's way.

        The narrow one goes on through the banks in order: it is still there, if it was the one
        that denied the access, unless it has just left.
        """
        met, hit = self._met(wide, narrow), self._hit(wide, narrow)
        stays = 1.0 - narrow.banks / (wide.banks + narrow.banks - 1)
        comes = (1.0 - stays) * hit / (1.0 - hit) if hit < 1.0 else 1.0
        by_others = self._denied(wide, active, without=place)
        found = met * stays + (1.0 - met) * by_others * min(1.0, comes)
        return found * self._denied(wide, active) ** (self._denials - 1)
