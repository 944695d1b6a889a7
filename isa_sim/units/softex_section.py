"""SoftEx's section of a machine description."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from softex_mlir.isa_sim.units.unit import Fault

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine


@dataclass(frozen=True)
class SoftExDescription:
    """The softmax and sum-of-exponentials unit. Coefficients are BF16 bit patterns."""

    base: int
    lanes: int
    expp: str
    terms: int
    slopes: tuple[int, ...]
    weights: tuple[int, ...]
    accumulator_bits: int
    soe_rounding_carry: bool
    masked_tail: bool
    max_terms: int
    state_slots: int
    checked_slots: bool
    queue_depth: int
    queued_start_cycles: int


RANGES: dict[str, tuple[float, float]] = {
    "max_terms": (1, 32),
    "terms": (1, 32),
    "accumulator_bits": (8, 24),
    "state_slots": (1, 256),
    "queue_depth": (1, 2),
    "queued_start_cycles": (0, 4096),
}


RECORDED_LANES = (8, 16)
"""Lanes whose bits were recorded on the unit's RTL."""

_PUBLISHED: dict[str, bool] = {
    "soe_rounding_carry": False,
    "masked_tail": False,
    "checked_slots": False,
}
"""Restrictions of the published RTL."""


def unrecorded(section: SoftExDescription) -> tuple[str, ...]:
    """What no recording covers."""
    found: list[str] = []
    if section.lanes not in RECORDED_LANES:
        found.append(f"SoftEx of {section.lanes} lanes")
    lifted = [key for key, value in _PUBLISHED.items() if getattr(section, key) != value]
    if lifted:
        found.append(f"SoftEx repaired in {', '.join(lifted)} (RTL not seen)")
    return tuple(found)


def faults(machine: Machine, unit: SoftExDescription) -> Iterator[Fault]:
    """What does not go together in a section, or with the machine's memory."""
    if unit.lanes not in (4, 8, 16, 32):
        yield "lanes", f"must be 4, 8, 16 or 32, found {unit.lanes}"
    elif unit.lanes > 2 * machine.cluster.tcdm_banks:
        yield (
            "lanes",
            f"must be at most {2 * machine.cluster.tcdm_banks}, what the "
            f"{machine.cluster.tcdm_banks} banks give a cycle, found {unit.lanes}",
        )
    if unit.expp not in ("rtl", "paper"):
        yield "expp", f"must be 'rtl' or 'paper', found '{unit.expp}'"
    if unit.terms > unit.max_terms:
        yield "terms", f"must be 1..{unit.max_terms}, found {unit.terms}"
    for name in ("slopes", "weights"):
        patterns: tuple[int, ...] = getattr(unit, name)
        if len(patterns) != unit.terms or not all(0 <= bits < 65536 for bits in patterns):
            yield name, f"must be {unit.terms} BF16 bit patterns (as softex.terms says)"
            return
    largest = _largest_tail(unit)
    if not largest <= 0.5:
        yield (
            "weights",
            f"must add up to at most 1/2, the value of 1 - Φ at 0: found {largest:.4g}",
        )


def _largest_tail(softex: SoftExDescription) -> float:
    """The largest sum of exponentials, at 0, as a BF16 value: NaN if a weight is no number."""
    words = struct.pack(f"<{2 * softex.terms}H", *(w for bits in softex.weights for w in (0, bits)))
    weights = struct.unpack(f"<{softex.terms}f", words)
    if not all(math.isfinite(weight) for weight in weights):
        return math.nan
    unit = 2.0**-softex.accumulator_bits
    total = sum(math.floor(abs(weight) / unit + 0.5) for weight in weights) * unit
    return math.floor(total * 2**8 + 0.5) / 2**8 if total >= 0.5 else total
