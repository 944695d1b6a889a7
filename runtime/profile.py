"""What a run cost: cycles, time, energy, and where they went, by unit and by layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from softex_mlir import abi
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.energy import EnergyReport, energy
from softex_mlir.isa_sim.machine import Machine, OperatingPoint

if TYPE_CHECKING:
    from softex_mlir.isa_sim.cluster import RunResult
    from softex_mlir.runtime.program import Program


@dataclass(frozen=True)
class UnitProfile:
    """Busy time of one unit. `busy_share` is a fraction of the run's cycles."""

    busy_cycles: int
    busy_share: float
    jobs: int


@dataclass(frozen=True)
class LayerProfile:
    """Figures of one layer; layers overlap, so spans do not add up to the run's cycles.

    Attributes:
        name: the layer's name in the model.
        start, end: first and last cycle in which a unit or stream worked for the layer.
        redmule, softex, dma_in, dma_out: busy cycles of the units.
        predicted: RedMulE's busy cycles as the compiler's cost model expected them.
        macs: multiply-accumulates of the model.
    """

    name: str
    start: int
    end: int
    redmule: int
    softex: int
    dma_in: int
    dma_out: int
    predicted: int
    macs: int

    @property
    def cycles(self) -> int:
        """Cycles from the layer's first activity to its last."""
        return self.end - self.start


@dataclass(frozen=True)
class Profile:
    """Cycles, time and energy of one run at one operating point.

    Attributes:
        cycles: cluster cycles from reset to the end of the program.
        seconds: at the operating point's clock.
        macs: multiply-accumulates of the model (padding not counted).
        gops: 2 * macs / seconds / 1e9.
        energy_j: J; `energy_parts` splits it by cause. Calibrated on the published totals.
        tops_per_watt: 2 * macs / energy / 1e12.
    """

    operating_point: OperatingPoint
    cycles: int
    seconds: float
    macs: int
    gops: float
    energy_j: float
    tops_per_watt: float
    energy: EnergyReport
    units: dict[str, UnitProfile]
    layers: tuple[LayerProfile, ...]

    def to_json(self) -> dict[str, Any]:
        """The profile as JSON-ready values; every key is documented in `runtime/README.md`."""
        return {
            "operating_point": asdict(self.operating_point),
            "cycles": self.cycles,
            "seconds": self.seconds,
            "macs": self.macs,
            "gops": self.gops,
            "energy_j": self.energy_j,
            "energy_parts_j": self.energy.parts,
            "energy_calibration": "calibrated on the published totals",
            "tops_per_watt": self.tops_per_watt,
            "units": {name: asdict(unit) for name, unit in self.units.items()},
            "layers": [{**asdict(layer), "cycles": layer.cycles} for layer in self.layers],
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
    point = operating_point(machine, point_name)
    macs = sum(launch["macs"] for launch in program.metadata["launches"])
    seconds = result.cycles / point.frequency_hz
    report = energy(result.counters, result.cycles, machine, point)
    operations = 2 * macs
    return Profile(
        operating_point=point,
        cycles=result.cycles,
        seconds=seconds,
        macs=macs,
        gops=operations / seconds / 1e9 if seconds else 0.0,
        energy_j=report.total_j,
        tops_per_watt=operations / report.total_j / 1e12 if report.total_j else 0.0,
        energy=report,
        units=_units(machine, result),
        layers=_layers(program, result),
    )


def _units(machine: Machine, result: RunResult) -> dict[str, UnitProfile]:
    cycles = max(result.cycles, 1)

    def unit(busy: int, jobs: int) -> UnitProfile:
        return UnitProfile(int(busy), float(busy / cycles), int(jobs))

    active = int(np.sum(result.core_active))
    channels = [result.transfers[result.transfers["channel"] == channel] for channel in (0, 1)]
    return {
        # A core is one of several: its share is of all the cores' cycles together.
        "cores": UnitProfile(active, active / cycles / machine.cluster.cores, 0),
        "redmule": unit(result.busy["redmule"], int(np.sum(result.jobs["unit"] == 0))),
        "softex": unit(result.busy["softex"], int(np.sum(result.jobs["unit"] == 1))),
        "dma": unit(_covered(result.transfers), len(result.transfers)),
        "dma_in": unit(result.busy["dma_in"], len(channels[0])),
        "dma_out": unit(result.busy["dma_out"], len(channels[1])),
    }


def _covered(spans: np.ndarray) -> int:
    """Cycles in which at least one of the spans runs."""
    if not len(spans):
        return 0
    order = np.argsort(spans["start"], kind="stable")
    starts = spans["start"][order]
    ends = np.maximum.accumulate(spans["end"][order])
    gaps = starts[1:] - ends[:-1]
    return int(ends[-1] - starts[0] - gaps[gaps > 0].sum())


def _layers(program: Program, result: RunResult) -> tuple[LayerProfile, ...]:
    launches = program.metadata["launches"]
    names = list(dict.fromkeys(launch["layer"] for launch in launches))
    index = {name: position for position, name in enumerate(names)}
    addresses = np.array([launch["record_address"] for launch in launches], np.int64)
    layer_of_launch = np.array([index[launch["layer"]] for launch in launches], np.int64)
    start = np.full(len(names), np.iinfo(np.int64).max)
    end = np.zeros(len(names), np.int64)
    busy = np.zeros((4, len(names)), np.int64)

    def layers_of(tp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        position = np.searchsorted(addresses, tp)
        position = np.minimum(position, len(addresses) - 1)
        known = addresses[position] == tp
        return layer_of_launch[position[known]], known

    if len(addresses):
        for row, spans in enumerate(
            (
                result.jobs[result.jobs["unit"] == 0],
                result.jobs[result.jobs["unit"] == 1],
                result.transfers[result.transfers["channel"] == 0],
                result.transfers[result.transfers["channel"] == 1],
            )
        ):
            layers, known = layers_of(spans["tp"].astype(np.int64))
            np.minimum.at(start, layers, spans["start"][known])
            np.maximum.at(end, layers, spans["end"][known])
            np.add.at(busy[row], layers, spans["end"][known] - spans["start"][known])
        layers, known = layers_of(result.steps["tp"].astype(np.int64))
        np.minimum.at(start, layers, result.steps["cycle"][known])
        np.maximum.at(end, layers, result.steps["cycle"][known])

    predicted = dict.fromkeys(names, 0)
    macs = dict.fromkeys(names, 0)
    for launch in launches:
        predicted[launch["layer"]] += launch["cycles"][abi.STREAMS.index(abi.REDMULE)]
        macs[launch["layer"]] += launch["macs"]
    return tuple(
        LayerProfile(
            name=name,
            start=int(min(start[i], end[i])),
            end=int(end[i]),
            redmule=int(busy[0, i]),
            softex=int(busy[1, i]),
            dma_in=int(busy[2, i]),
            dma_out=int(busy[3, i]),
            predicted=predicted[name],
            macs=macs[name],
        )
        for name, i in index.items()
    )
