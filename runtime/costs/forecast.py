"""The compiler's forecast of a program, as its note holds it: who will work when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import registry
from softex_mlir.runtime.costs.exclusive import divide
from softex_mlir.runtime.costs.tracks import CHANNELS, CORES, Ints, Track

ENDING_CYCLES = 30
"""From the last launch to the end of the program: a barrier of all cores, the exit code."""
STREAM_TRACKS = (*CHANNELS, "redmule", CORES)
"""Tracks of the streams, in the order of `abi.STREAMS`."""


def spans_of(launches: Sequence[Mapping[str, Any]]) -> Ints:
    """Begin and end of launches on the streams, int64 [launches, streams, 2]; 0 if unknown."""
    none = [(0, 0)] * len(abi.STREAMS)
    spans = [launch.get("forecast", none) for launch in launches]
    return np.array(spans, np.int64).reshape(-1, len(abi.STREAMS), 2)


def forecast_cycles(launches: Sequence[Mapping[str, Any]]) -> int:
    """Cycles of the whole program."""
    return int(spans_of(launches).max(initial=0)) + ENDING_CYCLES


def forecast_exclusive(launches: Sequence[Mapping[str, Any]], machine: Machine) -> Ints:
    """Exclusive cycles by launch, the last entry of none; zeros if there is no forecast."""
    if not spans_of(launches).any():
        return np.zeros(len(launches) + 1, np.int64)
    tracks = forecast_tracks(launches, machine)
    return divide(tracks, forecast_cycles(launches), len(launches)).cycles.sum(1)


def forecast_tracks(launches: Sequence[Mapping[str, Any]], machine: Machine) -> list[Track]:
    """What works when; within its span a stream waits first and works at the end."""
    tracks: list[Track] = []
    spans = spans_of(launches)
    for stream, name in enumerate(STREAM_TRACKS):
        start: list[int] = []
        end: list[int] = []
        mine: list[int] = []
        for place, launch in enumerate(launches):
            work, (begin, last) = launch["cycles"][stream], spans[place, stream].tolist()
            if work and last > begin:
                start.append(max(begin, last - work))
                end.append(last)
                mine.append(place)
        tracks.append(Track(name, _ints(start), _ints(end), _ints(mine)))
    none = _ints([])
    return [
        *tracks,
        *(
            Track(unit.name, none, none, none)
            for unit in registry.units_of(machine)
            if unit.name not in STREAM_TRACKS
        ),
    ]


def _ints(values: list[int]) -> Ints:
    return np.array(values, np.int64)
