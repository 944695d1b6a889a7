"""Who works when: for each unit the spans in which it works, and for which launch.

A *track* is a unit, a direction of the DMA, or the cores; where a core of its own drives a unit,
that core's instructions are a track too (`redmule programming`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from softex_mlir import abi
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import registry

if TYPE_CHECKING:
    from softex_mlir.isa_sim.records import RunResult

Ints = npt.NDArray[np.int64]

CORES = "cores"
CHANNELS = (abi.DMA_IN, abi.DMA_OUT)
"""Of the DMA, by number."""


def ascending(cycles: Ints) -> Ints:
    """Distinct cycles in order: numpy's `unique` hashes, forty times as long for these."""
    cycles = np.sort(cycles)
    return cycles[np.diff(cycles, prepend=cycles[:1] - 1) != 0]


@dataclass(frozen=True)
class Track:
    """Disjoint spans [start, end) in order of time, each for a launch.

    Attributes:
        name: a unit, `cores`, `dma_in` or `dma_out`.
        launch: index of the launch each span works for; the number of launches for none.
        programming: spans of the core that drives the unit, not of the unit.
    """

    name: str
    start: Ints
    end: Ints
    launch: Ints
    programming: bool = False

    @property
    def cycles(self) -> int:
        """Cycles in which the track works."""
        return int((self.end - self.start).sum())


class Launches:
    """The launches of a program by the addresses of their records; `none` stands for no launch."""

    def __init__(self, launches: list[dict[str, Any]]):
        self.none = len(launches)
        self._addresses = np.array([launch["record_address"] for launch in launches], np.int64)

    def of(self, tp: npt.NDArray[Any]) -> Ints:
        """The launch of each record address."""
        if not self.none:
            return np.zeros(len(tp), np.int64)
        found = np.searchsorted(self._addresses, tp.astype(np.int64))
        found = np.minimum(found, self.none - 1)
        return np.where(self._addresses[found] == tp, found, self.none)


def tracks_of(run: RunResult, machine: Machine, launches: Launches) -> list[Track]:
    """The tracks of a run."""
    tracks: list[Track] = []
    for number, unit in enumerate(registry.units_of(machine)):
        jobs = run.jobs[run.jobs["unit"] == number]
        tracks.append(Track(unit.name, jobs["start"], jobs["end"], launches.of(jobs["tp"])))
    for channel, name in enumerate(CHANNELS):
        moved = run.transfers[run.transfers["channel"] == channel]
        tracks.append(Track(name, moved["start"], moved["end"], launches.of(moved["tp"])))
    streams = abi.stream_cores(machine.cluster.cores, machine.redmule is not None)
    for number, stream in enumerate(abi.STREAMS):
        cores = streams[stream]
        if not len(cores):
            continue
        steps = run.steps[run.steps["stream"] == number]
        awake = awake_spans(run, list(cores))
        name = CORES if stream == abi.COMPUTE else stream
        tracks.append(_labelled(name, awake, steps, launches, stream != abi.COMPUTE))
    return tracks


def awake_spans(run: RunResult, cores: list[int]) -> tuple[Ints, Ints]:
    """Starts and ends of the spans in which at least one of the cores executes instructions."""
    sleeps = run.sleeps[np.isin(run.sleeps["core"], cores)]
    times = np.concatenate([sleeps["start"], sleeps["end"]]).astype(np.int64)
    change = np.repeat(np.array([1, -1]), len(sleeps))
    order = np.argsort(times, kind="stable")
    times, asleep = times[order], np.cumsum(change[order])
    # All changes of a cycle count before it is looked at.
    last = np.append(times[1:] != times[:-1], [True])[: len(times)]
    times, asleep = times[last], asleep[last]
    edges = np.concatenate([[0], times, [run.cycles]])
    working = np.concatenate([[True], asleep < len(cores)])
    start, end = edges[:-1][working], edges[1:][working]
    kept = end > start
    return start[kept], end[kept]


def _labelled(
    name: str,
    spans: tuple[Ints, Ints],
    steps: npt.NDArray[Any],
    launches: Launches,
    programming: bool,
) -> Track:
    """Spans of a stream's cores, cut at its steps: each part leads to the step at its end."""
    start, end = spans
    edges = ascending(np.concatenate([start, end, steps["cycle"].astype(np.int64)]))
    inside = np.searchsorted(start, edges[:-1], "right") - 1
    ends = np.append(end, 0)  # of no span, for what stands before the first
    working = edges[:-1] < ends[inside]
    first, last = edges[:-1][working], edges[1:][working]
    order = np.argsort(steps["cycle"], kind="stable")
    following = np.searchsorted(steps["cycle"][order], last, "left")
    labels = np.append(launches.of(steps["tp"][order]), launches.none)
    return Track(name, first, last, labels[following], programming)
