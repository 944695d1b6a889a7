"""Energy of a run: counted events times their energy, plus leakage over time.

E = (V / V_ref)^2 * sum(count * pJ) + leakage(V) * time. The energies are fields of the machine
description. They were fitted so that the published totals of the paper come out, and validate
nothing by themselves: every report says so and names the one free choice, the energy of a
core's instruction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from softex_mlir.isa_sim.machine import Machine, OperatingPoint
from softex_mlir.isa_sim.units import registry

CALIBRATION = "calibrated on the published totals"


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
    note = f"{CALIBRATION}; chosen: {cost.core_pj_per_instruction:g} pJ a core instruction"
    return EnergyReport(sum(parts.values()), parts, note)
