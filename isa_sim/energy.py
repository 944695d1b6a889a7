"""Energy of a run: counted events times their energy, plus leakage over time.

E = (V / V_ref)^2 * sum(count * pJ) + leakage(V) * time. The energies are fields of the machine
description. They were fitted so that the published totals of the paper come out, and validate
nothing by themselves: every report says so, names the one free choice, the energy of a core's
instruction, and says of each energy what it rests on (:func:`coefficients`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache

from softex_mlir.isa_sim.machine import Machine, OperatingPoint
from softex_mlir.isa_sim.units import registry
from softex_mlir.isa_sim.units.unit import GIVEN, Basis, EnergySource

CALIBRATION = "calibrated on the published totals"
CALIBRATED = "paper"
"""Name of the machine that the energies were calibrated for."""
EXTRAPOLATED = f"extrapolated: calibrated on {CALIBRATED} only"


@dataclass(frozen=True)
class Counters:
    """What a run is charged for."""

    instructions: int = 0
    core_active_cycles: int = 0
    """Sum over the cores."""
    core_asleep_cycles: int = 0
    """Sum over the cores."""
    units: Mapping[str, int] = field(default_factory=dict[str, int])
    """What each unit is charged for, by its name: BF16 multiply-accumulates of RedMulE, the padded
    ones of partial tiles not counted; lanes times cycles with a job under way of SoftEx."""
    tcdm_bytes: int = 0
    """Bytes read and written by cores, units and DMA."""
    dma_bytes: int = 0
    l2_bytes: int = 0
    """Bytes read and written in L2 by DMA and cores."""

    def __add__(self, other: Counters) -> Counters:
        sums = {
            f.name: getattr(self, f.name) + getattr(other, f.name)
            for f in fields(self)
            if f.name != "units"
        }
        names = dict.fromkeys((*self.units, *other.units))
        units = {name: self.units.get(name, 0) + other.units.get(name, 0) for name in names}
        return Counters(**sums, units=units)


@dataclass(frozen=True)
class Coefficient:
    """One energy of the model.

    Attributes:
        cause: the part of an :class:`EnergyReport` that it is charged to.
        value: at the reference voltage, in `unit`: "pJ an instruction".
        source: what the value rests on.
    """

    cause: str
    value: float
    unit: str
    source: EnergySource


@dataclass(frozen=True)
class EnergyReport:
    """Energy in J at one operating point, by cause.

    Attributes:
        parts: base, cores, each unit by its name, tcdm, dma, l2, leakage.
        note: what the figures rest on, for every place that shows them.
    """

    total_j: float
    parts: dict[str, float]
    note: str

    def __str__(self) -> str:
        lines = [f"energy {self.total_j * 1e3:.4f} mJ ({self.note})"]
        for name, joules in self.parts.items():
            share = joules / self.total_j if self.total_j else 0.0
            lines.append(f"  {name:8} {joules * 1e3:10.4f} mJ {share:6.1%}")
        return "\n".join(lines)


def energy(
    counters: Counters, cycles: int, machine: Machine, point: OperatingPoint
) -> EnergyReport:
    """Energy of a run of `cycles` cycles at an operating point.

    Leakage is scaled with the voltage (leakage power V * I with a current taken as constant).
    """
    cost = machine.energy
    scale = (point.voltage / cost.reference_voltage) ** 2 * 1e-12
    leakage_w = (
        cost.leakage_logic_mw * 1e-3
        + cost.leakage_tcdm_nw_per_byte * 1e-9 * machine.cluster.tcdm_bytes
    )
    seconds = cycles / point.frequency_hz
    parts = {
        "base": scale * cycles * cost.base_pj_per_cycle,
        "cores": scale
        * (
            counters.instructions * cost.core_pj_per_instruction
            + counters.core_asleep_cycles * cost.core_sleep_pj_per_cycle
        ),
        **{
            unit.name: scale * counters.units.get(unit.name, 0) * unit.energy.picojoules(machine)
            for unit in registry.units_of(machine)
        },
        "tcdm": scale * counters.tcdm_bytes * cost.tcdm_pj_per_byte,
        "dma": scale * counters.dma_bytes * cost.dma_pj_per_byte,
        "l2": scale * counters.l2_bytes * cost.l2_pj_per_byte,
        "leakage": leakage_w * (point.voltage / cost.reference_voltage) * seconds,
    }
    return EnergyReport(sum(parts.values()), parts, note(machine))


@cache
def _calibrated() -> Machine:
    return Machine.load(CALIBRATED)


def is_calibrated(machine: Machine) -> bool:
    """Whether the energies were calibrated for this very machine."""
    return machine.hash == _calibrated().hash


def note(machine: Machine) -> str:
    """What energies on a machine rest on, in one sentence."""
    chosen = f"chosen: {machine.energy.core_pj_per_instruction:g} pJ a core instruction"
    if is_calibrated(machine):
        return f"{CALIBRATION}; {chosen}"
    return f"{EXTRAPOLATED}; the base is not scaled with what the machine has; {chosen}"


def coefficients(machine: Machine) -> tuple[Coefficient, ...]:
    """Every energy the model uses on a machine, and what it rests on, in the order of the parts.

    A value that is not the calibrated machine's rests on the machine description alone.
    """
    calibrated = {(c.cause, c.unit): c.value for c in _coefficients(_calibrated())}
    return tuple(
        c
        if calibrated.get((c.cause, c.unit)) == c.value
        else Coefficient(c.cause, c.value, c.unit, GIVEN)
        for c in _coefficients(machine)
    )


def _coefficients(machine: Machine) -> tuple[Coefficient, ...]:
    cost = machine.energy
    fitted, derived, sourced, assumed = Basis.fitted, Basis.derived, Basis.sourced, Basis.assumed
    chip = "a chip in 12 nm: 0.28 at 0.6 V, 0.48 at 0.9 V"
    free = "the free choice: 5 to 25 fit the published totals, a 28 nm chip says at most 6.5"
    units = tuple(
        Coefficient(u.name, u.energy.picojoules(machine), f"pJ a {u.energy.each}", u.energy.source)
        for u in registry.units_of(machine)
    )
    before = (
        ("base", cost.base_pj_per_cycle, "pJ a cycle", fitted, "on the published efficiency"),
        ("cores", cost.core_pj_per_instruction, "pJ an instruction", assumed, free),
        ("cores", cost.core_sleep_pj_per_cycle, "pJ a cycle asleep", assumed, "part of the base"),
    )
    behind = (
        ("tcdm", cost.tcdm_pj_per_byte, "pJ a byte", sourced, chip),
        ("dma", cost.dma_pj_per_byte, "pJ a byte", derived, "twice the TCDM's"),
        ("l2", cost.l2_pj_per_byte, "pJ a byte", assumed, "the paper ends at the cluster"),
        ("leakage", cost.leakage_logic_mw, "mW of logic", assumed, "not published"),
        ("leakage", cost.leakage_tcdm_nw_per_byte, "nW a TCDM byte", sourced, "published memories"),
    )

    def made(rows: Iterable[tuple[str, float, str, Basis, str]]) -> tuple[Coefficient, ...]:
        return tuple(
            Coefficient(c, v, unit, EnergySource(basis, w)) for c, v, unit, basis, w in rows
        )

    return (*made(before), *units, *made(behind))
