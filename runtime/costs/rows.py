"""Rows of a report: the ledger's launches folded by layer, kind, or layer and operation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim.energy import EnergyReport, energy
from softex_mlir.isa_sim.machine import Machine, OperatingPoint
from softex_mlir.runtime.costs.bounds import bound, needed_cycles
from softex_mlir.runtime.costs.exclusive import WAITING
from softex_mlir.runtime.costs.ledger import Ledger
from softex_mlir.runtime.costs.tracks import CHANNELS, Ints

OUTSIDE = "start and end"
"""Row of what no launch is charged for."""


@dataclass(frozen=True)
class CostRow:
    """What a layer, a kind of layers or an operation cost. Rows of one table add up to the run.

    Attributes:
        name: the layer's name in the model, or the kind.
        title: the name for people.
        kind: the kind of work: "MLP 1", "attention".
        operation: of the transformer level; empty where a row has several.
        layers: how many layers the row folds.
        start, end: first and last cycle of activity. Layers overlap: spans do not add up.
        exclusive: exclusive cycles by unit (`costs.exclusive`), and `waiting`.
        programming: those of them in which a unit was programmed.
        busy: busy cycles by unit and DMA direction; `cores`: awake cycles, all cores added.
        stalled: cycles of these lost to others in the TCDM, likewise.
        jobs: jobs and transfers, likewise.
        instructions: of the cores.
        dma_in_bytes, dma_out_bytes, tcdm_bytes, l2_bytes: moved; read and written.
        macs: multiply-accumulates of the model; `unit_macs` with what the compiler pads;
            `array_macs` with what RedMulE pads to whole tiles.
        energy: by cause, J.
        predicted: RedMulE's busy cycles as the compiler's cost model expected them.
        forecast: exclusive cycles by the cost model (`softex estimate`); 0 if it has none.
        needed: cycles that each resource needs at least (`costs.bounds`).
    """

    name: str
    title: str
    kind: str
    operation: str
    layers: int
    start: int
    end: int
    exclusive: Mapping[str, int]
    programming: int
    busy: Mapping[str, int]
    stalled: Mapping[str, int]
    jobs: Mapping[str, int]
    instructions: int
    dma_in_bytes: int
    dma_out_bytes: int
    tcdm_bytes: int
    l2_bytes: int
    macs: int
    unit_macs: int
    array_macs: int
    energy: EnergyReport
    predicted: int
    forecast: int
    needed: Mapping[str, int]

    @property
    def cycles(self) -> int:
        """Cycles from the first activity to the last."""
        return self.end - self.start

    @property
    def exclusive_cycles(self) -> int:
        """Exclusive cycles; those of all rows add up to the run's."""
        return sum(self.exclusive.values())

    @property
    def bound_by(self) -> str:
        """The unit with most of the exclusive cycles; empty if there are none."""
        units = {name: n for name, n in self.exclusive.items() if name != WAITING}
        found = max(units, key=lambda name: units[name], default="")
        return found if found and units[found] else ""

    @property
    def bound_cycles(self) -> int:
        """What the resource that needs most needs: no plan with this work is faster."""
        return bound(self.needed)[1]

    @property
    def redmule(self) -> int:
        """RedMulE's busy cycles."""
        return self.busy["redmule"]

    @property
    def softex(self) -> int:
        """SoftEx' busy cycles."""
        return self.busy["softex"]

    @property
    def dma_in(self) -> int:
        """Cycles in which the DMA streams into the TCDM."""
        return self.busy["dma_in"]

    @property
    def dma_out(self) -> int:
        """Cycles in which the DMA streams out of the TCDM."""
        return self.busy["dma_out"]

    def to_json(self, peak_macs: int, point: OperatingPoint, bandwidth: int) -> dict[str, Any]:
        """The row as JSON-ready values.

        `peak_macs`: of RedMulE, a cycle; `bandwidth`: of a DMA direction, bytes a cycle.
        """
        seconds = self.exclusive_cycles / point.frequency_hz
        operations = 2 * self.macs
        moved = self.dma_in_bytes + self.dma_out_bytes
        peak = 2 * peak_macs * point.frequency_hz / 1e9
        intensity = operations / moved if moved else None
        memory = (intensity or 0.0) * bandwidth * point.frequency_hz / 1e9
        roof = min(peak, memory) if intensity is not None else peak
        joules = self.energy.total_j
        return {
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "operation": self.operation,
            "layers": self.layers,
            "start": self.start,
            "end": self.end,
            "cycles": self.cycles,
            "exclusive_cycles": self.exclusive_cycles,
            "exclusive_by_unit": dict(self.exclusive),
            "programming_cycles": self.programming,
            "bound_by": self.bound_by,
            "needed_cycles": dict(self.needed),
            "bound_cycles": self.bound_cycles,
            "slack_by_unit": {
                name: self.exclusive_cycles - cycles for name, cycles in self.needed.items()
            },
            **{name: n for name, n in self.busy.items() if name != "cores"},
            "core_cycles": self.busy["cores"],
            "stalled_by_unit": dict(self.stalled),
            "jobs_by_unit": {name: n for name, n in self.jobs.items() if name != "cores"},
            "instructions": self.instructions,
            "dma_in_bytes": self.dma_in_bytes,
            "dma_out_bytes": self.dma_out_bytes,
            "tcdm_bytes": self.tcdm_bytes,
            "l2_bytes": self.l2_bytes,
            "predicted": self.predicted,
            "forecast_cycles": self.forecast,
            "macs": self.macs,
            "macs_executed": self.unit_macs,
            "macs_array": self.array_macs,
            "gops": operations / seconds / 1e9 if seconds else 0.0,
            "energy_j": joules,
            "energy_parts_j": dict(self.energy.parts),
            "tops_per_watt": operations / joules / 1e12 if joules else 0.0,
            "roofline": {
                "operations_per_byte": intensity,
                "attainable_gops": roof,
                "bound_by": "compute" if intensity is None or memory >= peak else "memory",
            },
        }


@dataclass(frozen=True)
class Label:
    """Where a launch belongs: its layer, operation, and their names."""

    layer: str
    title: str
    kind: str
    operation: str


def labels_of(metadata: Mapping[str, Any]) -> list[Label]:
    """Labels of a program's launches, and one of `OUTSIDE`."""
    names: Mapping[str, Any] = metadata.get("layers", {})
    found: list[Label] = []
    for launch in metadata["launches"]:
        layer, operation = launch["layer"], launch["operation"]
        name = names.get(layer, {})
        found.append(Label(layer, name.get("title", layer), name.get("kind", operation), operation))
    return [*found, Label(OUTSIDE, OUTSIDE, OUTSIDE, "")]


def fold(
    ledger: Ledger,
    labels: Sequence[Label],
    keys: Sequence[Hashable],
    launches: Sequence[Mapping[str, Any]],
    forecast: Ints,
    machine: Machine,
    point: OperatingPoint,
) -> list[CostRow]:
    """One row for every different key of a launch, in the order of first appearance."""
    members: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        members.setdefault(key, []).append(place)
    return [
        _row(ledger, labels, places, launches, forecast, machine, point)
        for places in members.values()
    ]


def _row(
    ledger: Ledger,
    labels: Sequence[Label],
    members: Sequence[int],
    launches: Sequence[Mapping[str, Any]],
    forecast: Ints,
    machine: Machine,
    point: OperatingPoint,
) -> CostRow:
    places = np.array(members)
    mine = [labels[place] for place in members]
    layers = {label.layer for label in mine}
    operations = {label.operation for label in mine}
    exclusive = ledger.exclusive.cycles[places].sum(0)
    counters = ledger.counters(places, machine)
    active = places[ledger.end[places] > ledger.start[places]]
    engine = abi.STREAMS.index(abi.REDMULE)

    def total(columns: Mapping[str, Any]) -> dict[str, int]:
        return {name: int(column[places].sum()) for name, column in columns.items()}

    busy, stalled = total(ledger.busy), total(ledger.stalled)
    moved = total({name: ledger.bytes[name] for name in CHANNELS})
    array_macs = int(ledger.array_macs[places].sum())
    alone = len(layers) == 1
    return CostRow(
        name=mine[0].layer if alone else mine[0].kind,
        title=mine[0].title if alone else mine[0].kind,
        kind=mine[0].kind,
        operation=mine[0].operation if len(operations) == 1 else "",
        layers=len(layers),
        start=int(ledger.start[active].min(initial=ledger.cycles)) if len(active) else 0,
        end=int(ledger.end[active].max(initial=0)),
        exclusive=dict(zip(ledger.exclusive.names, map(int, exclusive), strict=True)),
        programming=int(ledger.exclusive.programming[places].sum()),
        busy=busy,
        stalled=stalled,
        jobs=total(ledger.jobs),
        instructions=counters.instructions,
        dma_in_bytes=moved["dma_in"],
        dma_out_bytes=moved["dma_out"],
        tcdm_bytes=counters.tcdm_bytes,
        l2_bytes=counters.l2_bytes,
        macs=int(ledger.macs[places].sum()),
        unit_macs=int(ledger.work["redmule"][places].sum()),
        array_macs=array_macs,
        energy=energy(counters, int(exclusive.sum()), machine, point),
        predicted=sum(
            launches[place]["cycles"][engine] for place in members if place < len(launches)
        ),
        forecast=int(forecast[places].sum()),
        needed=needed_cycles(machine, array_macs, busy, stalled, moved),
    )
