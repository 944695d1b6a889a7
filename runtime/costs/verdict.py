"""The verdict on a run or an estimate: what binds it, where the time goes, what it loses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from softex_mlir.isa_sim.units import registry
from softex_mlir.runtime.costs.exclusive import WAITING

if TYPE_CHECKING:
    from softex_mlir.runtime.profile import Profile

NAMES = {
    "cores": "cores",
    "dma": "DMA",
    "dma_in": "DMA in",
    "dma_out": "DMA out",
    "tcdm": "TCDM",
    "l2": "L2",
    WAITING: "waiting",
    "": "",
}
"""What is no unit, as reports spell it."""

PADDING = "padding {name} to multiples of {step}"
CHOOSE = "choose sizes whose {name} are multiples of {step} (tokens, batch, widths)"
ALONE = "work of {unit} alone"
REMEDIES = {
    "dma_in": "more rows for each load of weights (batch, tokens), or a wider DMA",
    "dma_out": "fewer passes through L2: larger tiles, fused operations",
    "cores": "operations that a unit can take over, or more cores",
}
"""Of what is no unit; units have their own."""

MOST_KINDS = 3
ENOUGH = 0.6
"""Kinds of layers are named until they take this share of the time."""
WORTH_SAYING = 0.02
"""Losses below this share of the time are not mentioned."""


def unit_name(name: str) -> str:
    """A unit as reports spell it."""
    labels = {unit.name: unit.label for unit in registry.units()}
    return NAMES.get(name) or labels.get(name, name)


class Phrase(NamedTuple):
    """Words with places for names and numbers, which a report may translate."""

    words: str
    values: Mapping[str, str | int] = MappingProxyType({})

    def __str__(self) -> str:
        return self.words.format(**self.values)


@dataclass(frozen=True)
class Loss:
    """Cycles that could be saved: their share of the run, why, and what to do."""

    share: float
    reason: Phrase
    remedy: Phrase


@dataclass(frozen=True)
class Verdict:
    """What binds a run.

    Attributes:
        unit: the unit with most of the exclusive cycles.
        share: of the run's cycles, that the unit binds.
        kinds: the kinds of layers that take most of the time, and the share of them together.
        losses: what the run loses, the largest first.
    """

    unit: str
    share: float
    kinds: tuple[str, ...]
    kinds_share: float
    losses: tuple[Loss, ...]

    def __str__(self) -> str:
        take = "takes" if len(self.kinds) == 1 else "take"
        *others, last = self.kinds or ("nothing",)
        kinds = f"{', '.join(others)} and {last}" if others else last
        text = f"bound by {unit_name(self.unit) or 'nothing'} ({self.share:.0%}): "
        text += f"{kinds} {take} {self.kinds_share:.0%} of the time"
        for loss in self.losses[:2]:
            text += f"; {loss.reason} costs {loss.share:.1%}"
        return text

    @property
    def advice(self) -> Phrase:
        """What would help most."""
        if self.unit == "redmule" and self.losses:
            return self.losses[0].remedy
        return _remedy(self.unit)


def verdict(profile: Profile) -> Verdict:
    """The verdict on a profile."""
    cycles = max(profile.cycles, 1)
    units = {name: unit.exclusive_cycles for name, unit in profile.units.items() if name != "dma"}
    unit = max(units, key=lambda name: units[name])
    ordered = sorted(profile.kinds, key=lambda row: -row.exclusive_cycles)
    chosen = 0
    total = 0
    for row in ordered[:MOST_KINDS]:
        total += row.exclusive_cycles
        chosen += 1
        if total >= ENOUGH * cycles:
            break
    return Verdict(
        unit,
        units[unit] / cycles,
        tuple(row.kind for row in ordered[:chosen]),
        total / cycles,
        tuple(_losses(profile, unit)),
    )


def _losses(profile: Profile, binding: str) -> list[Loss]:
    cycles = max(profile.cycles, 1)
    description = profile.machine.redmule
    found: list[Loss] = []
    if description is not None and binding == "redmule":
        for name, lost in profile.padding.items():
            step = {
                "rows": description.rows,
                "columns": description.tile_columns,
                "inner": description.columns,
            }[name]
            found.append(
                Loss(
                    lost / cycles,
                    Phrase(PADDING, {"name": name, "step": step}),
                    Phrase(CHOOSE, {"name": name, "step": step}),
                )
            )
    mine = profile.units[binding]
    if mine.stalled_cycles and binding != "cores":
        found.append(
            Loss(
                mine.stalled_cycles / cycles,
                Phrase("waiting for banks of the TCDM"),
                Phrase("more TCDM banks, or less traffic beside it"),
            )
        )
    programming = sum(row.programming for row in profile.kinds)
    found.append(
        Loss(
            programming / cycles,
            Phrase("programming units"),
            Phrase("larger tiles: fewer, longer jobs and transfers (more TCDM, more rows)"),
        )
    )
    found.append(
        Loss(
            profile.waiting / cycles,
            Phrase("waiting for each other"),
            Phrase("more independent work at a time: a larger batch"),
        )
    )
    units = (unit.name for unit in reversed(registry.units_of(profile.machine)))
    for name in ("dma_in", "dma_out", "cores", *units):
        share = profile.units[name].exclusive_cycles / cycles
        if name != binding:
            found.append(Loss(share, Phrase(ALONE, {"unit": unit_name(name)}), _remedy(name)))
    found = [loss for loss in found if loss.share >= WORTH_SAYING]
    return sorted(found, key=lambda loss: -loss.share)


def _remedy(unit: str) -> Phrase:
    return Phrase(REMEDIES[unit] if unit in REMEDIES else registry.unit(unit).remedy)
