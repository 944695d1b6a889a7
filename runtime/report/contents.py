"""What a report says, before it is spelt as HTML, Markdown, CSV or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from softex_mlir.isa_sim.units import registry
from softex_mlir.runtime.costs.occupancy import occupied_bytes
from softex_mlir.runtime.costs.summary import Summary
from softex_mlir.runtime.costs.tracks import CHANNELS, Track
from softex_mlir.runtime.costs.verdict import unit_name

if TYPE_CHECKING:
    from softex_mlir.runtime.check import CheckReport
    from softex_mlir.runtime.program import Program
    from softex_mlir.runtime.session import Result

MOST_SPANS = 3000
"""Of a track in the drawing; gaps are closed until it has no more."""
INTERVALS = 400
"""Of the curves over time."""


@dataclass(frozen=True)
class Curves:
    """Figures over time.

    Attributes:
        start_us: of each interval, µs.
        tcdm_bytes: in use.
        traffic: L2 traffic by direction of the DMA, bytes a second.
    """

    start_us: tuple[float, ...]
    tcdm_bytes: tuple[int, ...]
    traffic: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Spans:
    """A track of the timeline: spans of cycles, each for a layer (an index into the layers)."""

    name: str
    label: str
    spans: tuple[tuple[int, int, int], ...]
    closed: int


@dataclass(frozen=True)
class Placed:
    """What runs on a unit, or on several together: operations, and their share of the cycles."""

    unit: str
    operations: int
    share: float


@dataclass(frozen=True)
class Contents:
    """Everything a report shows."""

    summary: Summary
    machine_hash: str
    inputs: str
    check: CheckReport | None
    tracks: tuple[Spans, ...]
    layers: tuple[str, ...]
    curves: Curves
    placement: Sequence[Mapping[str, str]]
    operations: Sequence[Mapping[str, Any]] = ()
    """Every operation's value against evaluator and FP32 (`OperationCheck`); empty if unasked."""

    source: str = ""
    """What the model was read from, with its hash."""

    def placed(self) -> list[Placed]:
        """The placement by unit, the largest share of the time first."""
        profile = self.summary.profile
        cycles = {(row.name, row.operation): row.exclusive_cycles for row in profile.operations}
        number: Counter[str] = Counter()
        time: Counter[str] = Counter()
        for row in self.placement:
            number[row["unit"]] += 1
            # A layer with several operations of a kind has their cycles in one row.
            time[row["unit"]] += cycles.pop((row["layer"], row["op"]), 0)
        whole = max(profile.cycles, 1)
        return sorted(
            (Placed(unit, count, time[unit] / whole) for unit, count in number.items()),
            key=lambda row: (-row.share, row.unit),
        )

    def to_json(self) -> dict[str, Any]:
        """The summary's JSON with what the report adds."""
        return {
            **self.summary.to_json(),
            "machine_hash": self.machine_hash,
            "source": self.source,
            "inputs": self.inputs,
            "check": None if self.check is None else self.check.to_json(),
            "placement": list(self.placement),
            "operations": [dict(row) for row in self.operations],
            "timeline": {
                "layers": list(self.layers),
                "tracks": [
                    {"name": t.name, "spans": [list(span) for span in t.spans], "closed": t.closed}
                    for t in self.tracks
                ],
            },
            "curves": {
                "start_us": list(self.curves.start_us),
                "tcdm_bytes": list(self.curves.tcdm_bytes),
                "l2_bytes_per_second": {n: list(c) for n, c in self.curves.traffic.items()},
            },
        }


def contents_of(
    program: Program,
    result: Result,
    check: CheckReport | None,
    quality: tuple[str, ...],
    operations: Sequence[Mapping[str, Any]] = (),
) -> Contents:
    """The contents of the report of a run."""
    metadata, profile = program.metadata, result.profile
    summary = Summary.of(profile, metadata, simulated=True, quality=quality)
    titles = metadata.get("layers", {})
    launches = [launch["layer"] for launch in metadata["launches"]]
    layers = list(dict.fromkeys(launches))
    number = {layer: place for place, layer in enumerate(layers)}
    of_launch = np.array([*(number[layer] for layer in launches), -1], np.int64)
    tracks = [track for track in profile.ledger.tracks if not track.programming]
    units = [unit.name for unit in registry.units_of(program.machine)]
    order = {name: place for place, name in enumerate((*units, "cores", *CHANNELS))}
    return Contents(
        summary=summary,
        machine_hash=program.machine.hash,
        inputs="; ".join(result.notices),
        check=check,
        operations=operations,
        tracks=tuple(
            _drawn(track, of_launch)
            for track in sorted(tracks, key=lambda track: order.get(track.name, len(order)))
        ),
        layers=tuple(titles.get(layer, {}).get("title", layer) for layer in layers),
        curves=_curves(program, result),
        placement=metadata.get("placement", ()),
        source=_source(metadata.get("source") or {}),
    )


def _source(source: Mapping[str, Any]) -> str:
    """The place that a program's note names, with the beginning of its hash."""
    place, found = str(source.get("path", "")), str(source.get("sha256", ""))
    return f"{place} (sha256 {found[:12]})" if place and found else place


def _drawn(track: Track, of_launch: np.ndarray[Any, Any]) -> Spans:
    """A track with spans of one layer joined where little lies between them."""
    start, end = track.start, track.end
    layer = of_launch[track.launch]
    closed = 0
    while True:
        if len(start):
            apart = (start[1:] - end[:-1] > closed) | (layer[1:] != layer[:-1])
            first = np.flatnonzero(np.append([True], apart))
            last = np.append(first[1:], len(start)) - 1
            start, end, layer = start[first], end[last], layer[first]
        if len(start) <= MOST_SPANS or closed > track.cycles:
            break
        closed = 2 * closed or 16
    spans = tuple(zip(start.tolist(), end.tolist(), layer.tolist(), strict=True))
    return Spans(track.name, unit_name(track.name), spans, closed)


def _curves(program: Program, result: Result) -> Curves:
    profile, run = result.profile, result.run
    edges = np.unique(np.linspace(0, max(run.cycles, 1), INTERVALS + 1).astype(np.int64))
    frequency = profile.operating_point.frequency_hz
    seconds = np.diff(edges) / frequency
    traffic: dict[str, tuple[float, ...]] = {}
    for channel, name in enumerate(CHANNELS):
        moved = run.transfers[run.transfers["channel"] == channel]
        middle = (moved["start"] + moved["end"]) // 2
        total, _ = np.histogram(middle, edges, weights=moved["bytes"])
        traffic[name] = tuple((total / seconds).tolist())
    occupied = occupied_bytes(program.metadata, profile.ledger, edges[:-1], edges[1:])
    return Curves(tuple((edges[:-1] / frequency * 1e6).tolist()), tuple(occupied.tolist()), traffic)
