"""What a run cost: cycles, time, energy, and where they went, by unit, layer and operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.energy import CALIBRATION, EnergyReport, coefficients, energy
from softex_mlir.isa_sim.machine import Machine, OperatingPoint
from softex_mlir.isa_sim.machine_basis import unrecorded
from softex_mlir.isa_sim.units import registry
from softex_mlir.runtime.costs.bounds import bound, needed_by
from softex_mlir.runtime.costs.exclusive import WAITING
from softex_mlir.runtime.costs.forecast import forecast_exclusive
from softex_mlir.runtime.costs.ledger import Ledger, ledger_of
from softex_mlir.runtime.costs.rows import CostRow, fold, labels_of

if TYPE_CHECKING:
    from softex_mlir.isa_sim.records import RunResult
    from softex_mlir.runtime.program import Program

SCHEMA_VERSION = 2
"""Of the profile's JSON, described in `runtime/schema/profile.schema.json`."""


@dataclass(frozen=True)
class UnitProfile:
    """Busy time of one unit. `busy_share` is a fraction of the run's cycles.

    `exclusive_cycles` of all units and `waiting` add up to the run's cycles (`costs.exclusive`);
    `stalled_cycles` were lost to others in the TCDM.
    """

    busy_cycles: int
    busy_share: float
    jobs: int
    exclusive_cycles: int = 0
    stalled_cycles: int = 0


@dataclass(frozen=True)
class PointFigures:
    """A run at one voltage and clock: s, J, and what follows from them."""

    point: OperatingPoint
    seconds: float
    energy_j: float
    macs: int

    @property
    def watts(self) -> float:
        """Average power, W."""
        return self.energy_j / self.seconds if self.seconds else 0.0

    @property
    def inferences_per_second(self) -> float:
        """1 / s."""
        return 1 / self.seconds if self.seconds else 0.0

    @property
    def tops_per_watt(self) -> float:
        """2 * macs / energy / 1e12."""
        return 2 * self.macs / self.energy_j / 1e12 if self.energy_j else 0.0

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            **asdict(self.point),
            "seconds": self.seconds,
            "inferences_per_second": self.inferences_per_second,
            "energy_j": self.energy_j,
            "watts": self.watts,
            "tops_per_watt": self.tops_per_watt,
        }


@dataclass(frozen=True)
class Profile:
    """Cycles, time and energy of one run at one operating point.

    Attributes:
        cycles: cluster cycles from reset to the end of the program.
        seconds: at the operating point's clock.
        macs: multiply-accumulates of the model (padding not counted): the nominal ones.
        computed_macs: those that the program does: without what no output depends on.
        gops: 2 * macs / seconds / 1e9.
        energy_j: J; `energy` splits it by cause and says what it rests on.
        tops_per_watt: 2 * macs / energy / 1e12.
        peak_macs: of RedMulE, a cycle; 0 without it.
        layers, kinds, operations: the run divided three ways; each adds up to the totals.
        forecast: cycles by the compiler's cost model; 0 if the program has none.
        padding: array cycles of RedMulE lost to tiles that are not full, by dimension.
    """

    machine: Machine
    operating_point: OperatingPoint
    cycles: int
    seconds: float
    macs: int
    computed_macs: int
    gops: float
    energy_j: float
    tops_per_watt: float
    peak_macs: int
    energy: EnergyReport
    units: dict[str, UnitProfile]
    layers: tuple[CostRow, ...]
    kinds: tuple[CostRow, ...]
    operations: tuple[CostRow, ...]
    padding: Mapping[str, float]
    waiting: int
    forecast: int
    ledger: Ledger

    @property
    def bound(self) -> tuple[str, int]:
        """The resource that needs most cycles for all of the work, and how many."""
        return bound(needed_by(self.layers))

    @cached_property
    def points(self) -> tuple[PointFigures, ...]:
        """The run at every operating point of the machine."""
        everything = np.arange(len(self.ledger.macs))
        counters = self.ledger.counters(everything, self.machine)
        return tuple(
            PointFigures(
                point,
                self.cycles / point.frequency_hz,
                energy(counters, self.cycles, self.machine, point).total_j,
                self.macs,
            )
            for point in self.machine.operating_points
        )

    @property
    def energy_by_basis(self) -> dict[str, float]:
        """J by what they rest on: the coefficient that each part is charged at."""
        basis = {c.cause: c.source.basis for c in reversed(coefficients(self.machine))}
        found: dict[str, float] = {}
        for cause, part in self.energy.parts.items():
            found[basis[cause].value] = found.get(basis[cause].value, 0.0) + part
        return found

    @property
    def peak_share(self) -> float:
        """Multiply-accumulates of the program over those RedMulE could have done."""
        possible = self.peak_macs * self.cycles
        return self.computed_macs / possible if possible else 0.0

    @property
    def watts(self) -> float:
        """Average power, W."""
        return self.energy_j / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """The profile as JSON-ready values, as its schema says."""
        point = self.operating_point
        bandwidth = self.machine.dma.bytes_per_cycle

        def rows(table: tuple[CostRow, ...]) -> list[dict[str, Any]]:
            return [row.to_json(self.peak_macs, point, bandwidth) for row in table]

        return {
            "schema_version": SCHEMA_VERSION,
            "machine": self.machine.name,
            "validity_estimated": list(unrecorded(self.machine)),
            "operating_point": asdict(point),
            "cycles": self.cycles,
            "seconds": self.seconds,
            "inferences_per_second": 1 / self.seconds if self.seconds else 0.0,
            "macs": self.macs,
            "macs_computed": self.computed_macs,
            "peak_share": self.peak_share,
            "gops": self.gops,
            "energy_j": self.energy_j,
            "watts": self.watts,
            "energy_parts_j": self.energy.parts,
            "energy_calibration": CALIBRATION,
            "energy_note": self.energy.note,
            "energy_by_basis_j": self.energy_by_basis,
            "energy_coefficients": [
                {
                    "cause": c.cause,
                    "value": c.value,
                    "unit": c.unit,
                    "basis": c.source.basis.value,
                    "source": c.source.words,
                }
                for c in coefficients(self.machine)
            ],
            "operating_points": [figures.to_json() for figures in self.points],
            "tops_per_watt": self.tops_per_watt,
            "units": {name: asdict(unit) for name, unit in self.units.items()},
            "waiting_cycles": self.waiting,
            "needed_cycles": needed_by(self.layers),
            "bound_cycles": self.bound[1],
            "forecast_cycles": self.forecast,
            "padding_cycles": dict(self.padding),
            "layers": rows(self.layers),
            "kinds": rows(self.kinds),
            "operations": rows(self.operations),
        }


def operating_point(machine: Machine, name: str | None) -> OperatingPoint:
    """The named operating point of `machine`; the first if no name is given.

    Raises:
        UserError: the machine has no such point.
    """
    if name is None:
        return machine.operating_points[0]
    for point in machine.operating_points:
        if point.name == name:
            return point
    known = ", ".join(point.name for point in machine.operating_points)
    raise UserError(f"machine {machine.name!r} has no operating point {name!r}; it has {known}")


def build_profile(
    program: Program, machine: Machine, result: RunResult, point_name: str | None = None
) -> Profile:
    """Fold the simulator's record of a run into figures a user reads."""
    launches = program.metadata["launches"]
    return profile_of(
        ledger_of(result, machine, launches),
        program.metadata,
        machine,
        operating_point(machine, point_name),
        energy(result.counters, result.cycles, machine, operating_point(machine, point_name)),
        _covered(result.transfers),
    )


def profile_of(
    ledger: Ledger,
    metadata: Mapping[str, Any],
    machine: Machine,
    point: OperatingPoint,
    report: EnergyReport,
    streaming: int,
) -> Profile:
    """The profile of a ledger; `metadata` has its `launches`, names of `layers`, `unread_macs`.

    `streaming`: cycles in which the DMA streams in any direction.
    """
    launches, labels = metadata["launches"], labels_of(metadata)
    computed = int(ledger.macs.sum())
    macs = computed + metadata.get("unread_macs", 0)
    seconds = ledger.cycles / point.frequency_hz
    unit = machine.redmule
    peak = unit.rows * unit.columns if unit else 0
    forecast = forecast_exclusive(launches, machine)

    def table(keys: list[Any]) -> tuple[CostRow, ...]:
        return tuple(fold(ledger, labels, keys, launches, forecast, machine, point))

    exclusive = dict(
        zip(ledger.exclusive.names, map(int, ledger.exclusive.cycles.sum(0)), strict=True)
    )
    return Profile(
        machine=machine,
        operating_point=point,
        cycles=ledger.cycles,
        seconds=seconds,
        macs=macs,
        computed_macs=computed,
        gops=2 * macs / seconds / 1e9 if seconds else 0.0,
        energy_j=report.total_j,
        tops_per_watt=2 * macs / report.total_j / 1e12 if report.total_j else 0.0,
        peak_macs=peak,
        energy=report,
        units=_units(ledger, machine, exclusive, streaming),
        layers=table([label.layer for label in labels]),
        kinds=table([label.kind for label in labels]),
        operations=table([(label.layer, label.operation) for label in labels]),
        padding={
            name: int(lost.sum()) / peak if peak else 0.0 for name, lost in ledger.padding.items()
        },
        waiting=exclusive[WAITING],
        forecast=int(forecast.sum()),
        ledger=ledger,
    )


def _units(
    ledger: Ledger, machine: Machine, exclusive: Mapping[str, int], streaming: int
) -> dict[str, UnitProfile]:
    cycles = max(ledger.cycles, 1)
    units: dict[str, UnitProfile] = {}
    for name, busy in ledger.busy.items():
        total = int(busy.sum())
        # A core is one of several: its share is of all the cores' cycles together.
        many = machine.cluster.cores if name == "cores" else 1
        units[name] = UnitProfile(
            total,
            total / cycles / many,
            int(ledger.jobs[name].sum()),
            exclusive[name],
            int(ledger.stalled[name].sum()),
        )
    transfers = units["dma_in"].jobs + units["dma_out"].jobs
    both = ("dma_in", "dma_out")
    units["dma"] = UnitProfile(
        streaming,
        streaming / cycles,
        transfers,
        sum(exclusive[name] for name in both),
        sum(units[name].stalled_cycles for name in both),
    )
    known = (unit.name for unit in registry.units_of(machine))
    order = ("cores", *known, "dma", "dma_in", "dma_out")
    return dict(sorted(units.items(), key=lambda item: order.index(item[0])))


def _covered(spans: np.ndarray) -> int:
    """Cycles in which at least one of the spans runs."""
    if not len(spans):
        return 0
    order = np.argsort(spans["start"], kind="stable")
    starts = spans["start"][order]
    ends = np.maximum.accumulate(spans["end"][order])
    gaps = starts[1:] - ends[:-1]
    return int(ends[-1] - starts[0] - gaps[gaps > 0].sum())
