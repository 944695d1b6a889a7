"""What the values of a machine description rest on, and which of them calibration covers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from softex_mlir.isa_sim.machine import Machine, shipped_machines, toml_value
from softex_mlir.isa_sim.units import registry
from softex_mlir.isa_sim.units.unit import Basis

_SECTIONS = {
    "cluster": Basis.sourced,
    "core": Basis.sourced,
    "redmule": Basis.measured,
    "softex": Basis.measured,
    "dma": Basis.sourced,
    "energy": Basis.assumed,
    "operating_points": Basis.sourced,
}
"""What most values of a section of the machine `paper` rest on."""

_FIELDS = {
    ("cluster", "tcdm_starvation"): Basis.assumed,
    ("cluster", "peripheral_latency_cycles"): Basis.assumed,
    ("cluster", "l2_bytes"): Basis.assumed,
    ("cluster", "l2_latency_cycles"): Basis.assumed,
    ("cluster", "icache_refill_cycles"): Basis.assumed,
    ("redmule", "base"): Basis.sourced,
    ("redmule", "rows"): Basis.sourced,
    ("redmule", "columns"): Basis.sourced,
    ("redmule", "pipeline_registers"): Basis.sourced,
    ("softex", "base"): Basis.sourced,
    ("softex", "lanes"): Basis.sourced,
    ("softex", "terms"): Basis.assumed,
    ("softex", "slopes"): Basis.fitted,
    ("softex", "weights"): Basis.fitted,
    ("energy", "reference_voltage"): Basis.sourced,
    ("energy", "base_pj_per_cycle"): Basis.fitted,
    ("energy", "redmule_pj_per_mac"): Basis.fitted,
    ("energy", "softex_pj_per_lane_cycle"): Basis.fitted,
    ("energy", "tcdm_pj_per_byte"): Basis.sourced,
    ("energy", "dma_pj_per_byte"): Basis.derived,
    ("energy", "dram_pj_per_byte"): Basis.sourced,
    ("energy", "leakage_tcdm_nw_per_byte"): Basis.sourced,
}
"""Values of the machine `paper` that rest on something else than most of their section."""


@dataclass(frozen=True)
class DescribedValue:
    """A value of a description.

    Attributes:
        other: what the machine that it is compared with has there; None where it has no such field.
    """

    section: str
    key: str
    value: Any
    other: Any
    basis: Basis

    @property
    def differs(self) -> bool:
        """Whether it is another value than that of the other machine."""
        return self.value != self.other


def fields_of(machine: Machine, other: Machine | None = None) -> Iterator[DescribedValue]:
    """All values of a description beside those of another one, `paper` if none is given.

    A unit that only one of them has is a field of its section, ``present``.
    """
    other = other or Machine.load("paper")
    recorded = other if other.name == "paper" else Machine.load("paper")
    for name, section in _sections(machine):
        beside = dict(_sections(other)).get(name)
        origin = dict(_sections(recorded)).get(name)
        if section is None or beside is None:
            if (section is None) != (beside is None):
                yield DescribedValue(
                    name, "present", section is not None, beside is not None, Basis.given
                )
            if section is None:
                continue
        for field in dataclasses.fields(section):
            value = getattr(section, field.name)
            same = origin is not None and value == getattr(origin, field.name, None)
            basis = _FIELDS.get((name, field.name), _SECTIONS.get(name, Basis.given))
            against = getattr(beside, field.name, None)
            yield DescribedValue(name, field.name, value, against, basis if same else Basis.given)


def differences(machine: Machine, other: Machine | None = None) -> tuple[DescribedValue, ...]:
    """What of a description is not as in another one, `paper` if none is given."""
    return tuple(field for field in fields_of(machine, other) if field.differs)


def changes(machine: Machine) -> tuple[str, ...]:
    """What is not as in the shipped machine of the same name, as settings."""
    if machine.name not in shipped_machines():
        return ()
    found = differences(machine, Machine.load(machine.name))
    return tuple(f"{field.section}.{field.key}={toml_value(field.value)}" for field in found)


def _sections(machine: Machine) -> list[tuple[str, Any]]:
    """Sections by name, None for an absent unit; operating points are numbered from the second."""
    found: list[tuple[str, Any]] = [
        (name, getattr(machine, name)) for name in ("cluster", "core", "dma", "energy")
    ]
    described: Any = machine  # the package's class has two names in an editable install
    found += [(unit.name, machine.section(unit.name)) for unit in registry.units_of(described)]
    return found


def unrecorded(machine: Machine) -> tuple[str, ...]:
    """Units of a machine whose bits, limits and cycles no recording of hardware covers."""
    described: Any = machine
    return tuple(
        text
        for unit in registry.units_of(described)
        if (section := machine.section(unit.name)) is not None
        for text in unit.unrecorded(section)
    )


def validity(machine: Machine) -> tuple[str, ...]:
    """The same in lines of a report; none where recordings cover all units."""
    return tuple(f"validity estimated: {text}" for text in unrecorded(machine))


def compared_with(machine: Machine) -> tuple[str, ...]:
    """RTL revisions that a machine's units were compared with in bits, limits and cycles."""
    described: Any = machine
    return tuple(
        unit.rtl
        for unit in registry.units_of(described)
        if unit.rtl
        and (section := machine.section(unit.name)) is not None
        and not unit.unrecorded(section)
    )


_ENERGY_FIT = (
    ("cluster", "cores"),
    ("cluster", "tcdm_bytes"),
    ("redmule", "rows"),
    ("redmule", "columns"),
    ("redmule", "pipeline_registers"),
    ("softex", "lanes"),
)
"""What the published totals, on which the energies were fitted, are of."""


def uncovered(machine: Machine) -> tuple[str, ...]:
    """What calibration no longer covers, in sentences."""
    found = [*validity(machine)]
    changed = {(field.section, field.key) for field in differences(machine)}
    off = [f"{section}.{key}" for section, key in _ENERGY_FIT if (section, key) in changed]
    if off:
        found.append(
            "energy: fitted on the published totals of paper, extrapolated to another "
            + ", ".join(off)
        )
    if any(section == "energy" for section, _ in changed):
        found.append("energy: values that differ from paper's are nobody's fit")
    timing = sorted(
        f"{section}.{key}" for section, key in changed if section == "core" or key in _TIMING
    )
    if timing:
        found.append(f"cycles: compared with recordings for paper's {', '.join(timing)} only")
    return tuple(found)


_TIMING = frozenset({"tcdm_banks", "tcdm_starvation", "bytes_per_cycle", "barrier_cycles"})
"""Fields whose models of time were compared with hardware or an arbiter as paper has them."""
