"""A run as a timeline for Perfetto or chrome://tracing (Chrome's JSON trace events).

Timestamps are microseconds at the operating point; every slice has its cycles in its arguments.
Slices of a track never overlap. Tracks: what binds (each cycle once, `costs.exclusive`), layers,
units with a track for each context (programming, queued, running), directions of the DMA, cores
(working, waiting). Counters: bytes of the TCDM in use, DMA bytes a cycle, power.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import softex_mlir
from softex_mlir import abi
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.units import registry
from softex_mlir.runtime.costs.occupancy import occupied_bytes
from softex_mlir.runtime.costs.rows import CostRow, labels_of
from softex_mlir.runtime.costs.tracks import CHANNELS, Ints, Launches, awake_spans
from softex_mlir.runtime.symbolizer import Symbolizer

if TYPE_CHECKING:
    from softex_mlir.isa_sim.records import RunResult
    from softex_mlir.runtime.profile import Profile
    from softex_mlir.runtime.program import Program

SAMPLES = 400
"""Points of a counter over the time shown."""
BINDING, LAYERS, UNITS, CORES = "what binds", "layers", "units", "cores"
GROUPS = (BINDING, LAYERS, UNITS, CORES)
"""Processes of the trace, in the order of their numbers."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Window:
    """Cycles [start, end) of a run."""

    start: int
    end: int

    @staticmethod
    def of(profile: Profile, layer: str | None) -> Window:
        """The cycles in which a layer (its name, title or kind) works; all without one.

        Raises:
            UserError: no layer is called so.
        """
        if layer is None:
            return Window(0, profile.cycles)
        rows = [row for row in profile.layers if layer in (row.name, row.title, row.kind)]
        if not rows:
            known = ", ".join(dict.fromkeys(row.kind for row in profile.layers))
            raise UserError(
                f"--trace-window: expected a layer's name or title as --per-layer shows them, or a "
                f"kind ({known}), found {layer!r}"
            )
        return Window(min(row.start for row in rows), max(row.end for row in rows))

    def inside(self, spans: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which spans have a part in the window."""
        return (spans["start"] < self.end) & (spans["end"] > self.start)


def timeline(
    program: Program, run: RunResult, profile: Profile, layer: str | None = None
) -> dict[str, Any]:
    """The trace of a run, whole or while `layer` works, as JSON-ready values.

    Raises:
        UserError: there is no such layer.
    """
    window = Window.of(profile, layer)
    writer = _Writer(program, run, profile, window)
    for part in (
        writer.binding, writer.layers, writer.units, writer.transfers, writer.cores, writer.counters
    ):  # fmt: skip
        part()
    machine, point = program.machine, profile.operating_point
    return {
        "displayTimeUnit": "ns",
        "otherData": {
            "tool": f"softex-mlir {softex_mlir.__version__}",
            "model": program.metadata.get("model", ""),
            "machine": machine.name,
            "machine_hash": machine.hash,
            "operating_point": point.name,
            "frequency_hz": point.frequency_hz,
            "cycles": run.cycles,
            "window": [window.start, window.end],
            "energy": profile.energy.note,
        },
        "traceEvents": [*writer.names(), *writer.events],
    }


def timeline_text(
    program: Program, run: RunResult, profile: Profile, layer: str | None = None
) -> str:
    """The trace as JSON text."""
    return json.dumps(timeline(program, run, profile, layer)) + "\n"


@dataclass
class _Writer:
    program: Program
    run: RunResult
    profile: Profile
    window: Window
    events: list[Event] = field(default_factory=list[Event])
    tracks: dict[tuple[str, str], tuple[int, int]] = field(
        default_factory=dict[tuple[str, str], tuple[int, int]]
    )

    def __post_init__(self) -> None:
        self.symbolizer = Symbolizer(self.program)
        self.labels = labels_of(self.program.metadata)
        self.launches = Launches(self.program.metadata["launches"])
        self.us = 1e6 / self.profile.operating_point.frequency_hz

    # region writing

    def track(self, group: str, name: str) -> tuple[int, int]:
        """Process and thread of a track."""
        numbers = (GROUPS.index(group), len(self.tracks))
        return self.tracks.setdefault((group, name), numbers)

    def slice(self, group: str, track: str, name: str, start: int, end: int, **args: Any) -> None:
        """A slice, cut to the window; nothing if it has no cycle in it."""
        start, end = max(start, self.window.start), min(end, self.window.end)
        pid, tid = self.track(group, track)
        if end > start:
            self.events.append(
                {
                    "ph": "X",
                    "pid": pid,
                    "tid": tid,
                    "name": name,
                    "ts": start * self.us,
                    "dur": (end - start) * self.us,
                    "args": {"cycle": start, "cycles": end - start, **args},
                }
            )

    def names(self) -> Iterator[Event]:
        """Metadata: names and order of the tracks."""
        for number, group in enumerate(GROUPS):
            args = {"name": group}
            yield {"ph": "M", "pid": number, "name": "process_name", "args": args}
            args = {"sort_index": number}
            yield {"ph": "M", "pid": number, "name": "process_sort_index", "args": args}
        for (_, name), (pid, tid) in self.tracks.items():
            thread = {"ph": "M", "pid": pid, "tid": tid}
            yield {**thread, "name": "thread_name", "args": {"name": name}}
            yield {**thread, "name": "thread_sort_index", "args": {"sort_index": tid}}

    def launches_of(self, log: npt.NDArray[Any]) -> list[int]:
        """The launch that each entry of a log works for."""
        return list(map(int, self.launches.of(log["tp"])))

    def work(self, launch: int) -> dict[str, Any]:
        """What a launch is: arguments of every slice that works for it."""
        label = self.labels[launch]
        return {
            "layer": label.layer,
            "kind": label.kind,
            "operation": label.operation,
            "launch": launch,
        }

    # endregion

    def binding(self) -> None:
        """Each cycle once: who binds, and what for."""
        found = self.profile.ledger.exclusive
        change = np.append(True, np.diff(found.launch) | np.diff(found.unit)).astype(bool)
        first = np.flatnonzero(change)
        last = np.append(first[1:], len(change)) - 1
        for a, b in zip(first.tolist(), last.tolist(), strict=True):
            launch = int(found.launch[a])
            self.slice(
                BINDING,
                "each cycle once",
                self.labels[launch].title,
                int(found.start[a]),
                int(found.end[b]),
                unit=found.names[found.unit[a]],
                **self.work(launch),
            )

    def layers(self) -> None:
        """First to last activity of every layer, on as many tracks as overlap."""
        free: list[int] = []
        rows = [row for row in self.profile.layers if row.end > row.start]
        for row in sorted(rows, key=lambda row: (row.start, row.end)):
            lane = next((n for n, end in enumerate(free) if end <= row.start), len(free))
            free[lane : lane + 1] = [row.end]
            self.slice(LAYERS, f"layers {lane}", row.title, row.start, row.end, **_figures(row))

    def units(self) -> None:
        """Jobs on their units, and programming, queued and running on their contexts."""
        for number, unit in enumerate(registry.units_of(self.program.machine)):
            jobs = self.run.jobs[self.run.jobs["unit"] == number]
            jobs = jobs[(jobs["acquired"] < self.window.end) & (jobs["end"] > self.window.start)]
            for job, launch in zip(jobs, self.launches_of(jobs), strict=True):
                tp = int(job["tp"])
                registers = unit.values(job["registers"])
                args = {
                    **self.work(launch),
                    "job": unit.describe(registers),
                    **{
                        name: self.symbolizer.buffer(value, tp)
                        if name.endswith("ADDR")
                        else f"{value:#x}"
                        for name, value in registers.items()
                    },
                    "stalled_cycles": int(job["stalled"]),
                    "tcdm_bytes": int(job["bytes"]),
                    "core": int(job["core"]),
                }
                start, end = int(job["start"]), int(job["end"])
                acquired, triggered = int(job["acquired"]), int(job["triggered"])
                title = self.labels[launch].title
                self.slice(UNITS, unit.label, title, start, end, **args)
                context = f"{unit.label} context {job['context']}"
                for name, begin, until in (
                    ("programming", acquired, triggered),
                    ("queued", triggered, start),
                    ("running", start, end),
                ):
                    self.slice(UNITS, context, name, begin, until, **args)

    def transfers(self) -> None:
        """What each direction of the DMA moves."""
        moved = self.run.transfers[self.window.inside(self.run.transfers)]
        for transfer, launch in zip(moved, self.launches_of(moved), strict=True):
            tp = int(transfer["tp"])
            self.slice(
                UNITS,
                ("DMA in", "DMA out")[int(transfer["channel"])],
                self.labels[launch].title,
                int(transfer["start"]),
                int(transfer["end"]),
                **self.work(launch),
                bytes=int(transfer["bytes"]),
                source=self.symbolizer.buffer(int(transfer["source"]), tp),
                destination=self.symbolizer.buffer(int(transfer["destination"]), tp),
                shape=[int(transfer[name]) for name in ("reps_3", "reps_2", "length")],
                launched=int(transfer["launch"]),
                stalled_cycles=int(transfer["stalled"]),
                core=int(transfer["core"]),
            )

    def cores(self) -> None:
        """Cores at work and waiting; work is cut where the core's stream takes a step."""
        machine = self.program.machine
        streams = abi.stream_cores(machine.cluster.cores, machine.redmule is not None)
        for number, (stream, cores) in enumerate(streams.items()):
            steps = self.run.steps[self.run.steps["stream"] == number]
            steps = steps[np.argsort(steps["cycle"], kind="stable")]
            cycle = steps["cycle"].astype(np.int64)
            launch = np.append(self.launches.of(steps["tp"]), self.launches.none)
            for core in cores:
                name = f"core {core} ({stream})"
                for start, end in zip(*awake_spans(self.run, [core]), strict=True):
                    low, high = np.searchsorted(cycle, [start, end], "right")
                    cuts = [int(start), *map(int, cycle[low:high]), int(end)]
                    for place, (a, b) in enumerate(pairwise(cuts)):
                        mine = int(launch[min(low + place, len(launch) - 1)])
                        title = self.labels[mine].title
                        self.slice(CORES, name, title, a, b, state="work", **self.work(mine))
                sleeps = self.run.sleeps[self.run.sleeps["core"] == core]
                sleeps = sleeps[self.window.inside(sleeps)]
                for sleep, mine in zip(sleeps, self.launches_of(sleeps), strict=True):
                    self.slice(
                        CORES,
                        name,
                        "waiting",
                        int(sleep["start"]),
                        int(sleep["end"]),
                        state="waiting",
                        at=self.symbolizer.function(int(sleep["pc"])),
                        **self.work(mine),
                    )

    def counters(self) -> None:
        """TCDM in use, DMA bandwidth and power, at even steps."""
        edges = np.linspace(self.window.start, self.window.end, SAMPLES + 1).astype(np.int64)
        edges = np.unique(edges)
        start, end = edges[:-1], edges[1:]
        length = np.maximum(end - start, 1)
        bandwidth = {
            name: _spread(self.run.transfers[self.run.transfers["channel"] == number], edges)
            / length
            for number, name in enumerate(CHANNELS)
        }
        power = self._power(edges) / (length * self.us * 1e-6)
        occupied = occupied_bytes(self.program.metadata, self.profile.ledger, start, end)
        for place, cycle in enumerate(start.tolist()):
            for name, values in (
                ("TCDM in use", {"bytes": int(occupied[place])}),
                ("DMA bytes a cycle", {n: round(float(v[place]), 3) for n, v in bandwidth.items()}),
                ("power", {"mW": round(float(power[place]) * 1e3, 3)}),
            ):
                self.events.append(
                    {"ph": "C", "pid": 0, "name": name, "ts": cycle * self.us, "args": values}
                )

    def _power(self, edges: Ints) -> npt.NDArray[np.float64]:
        """Energy in J between edges: that of each launch, spread over its exclusive cycles."""
        found = self.profile.ledger.exclusive
        energy = np.zeros(len(self.labels))
        names = [(label.layer, label.operation) for label in self.labels]
        rows = {(row.name, row.operation): row for row in self.profile.operations}
        for place, name in enumerate(names):
            row = rows[name]
            energy[place] = row.energy.total_j / max(row.exclusive_cycles, 1)
        joules = (found.end - found.start) * energy[found.launch]
        total = np.concatenate([[0.0], np.cumsum(joules)])
        at = np.concatenate([found.start, found.end[-1:]])
        return np.diff(np.interp(edges, at, total))


def _figures(row: CostRow) -> dict[str, Any]:
    """What a layer's slice says of it."""
    return {
        "layer": row.name,
        "kind": row.kind,
        "exclusive_cycles": row.exclusive_cycles,
        "bound_by": row.bound_by,
        "macs": row.macs,
        "energy_uj": round(row.energy.total_j * 1e6, 6),
    }


def _spread(transfers: npt.NDArray[Any], edges: Ints) -> npt.NDArray[np.float64]:
    """Bytes moved between edges, each transfer's evenly over its time."""
    if not len(transfers):
        return np.zeros(len(edges) - 1)
    times = np.stack([transfers["start"], transfers["end"]], 1).reshape(-1)
    moved = np.cumsum(transfers["bytes"])
    before = np.stack([moved - transfers["bytes"], moved], 1).reshape(-1)
    return np.diff(np.interp(edges, times, before))
