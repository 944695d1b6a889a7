"""Exclusive cycles: the cycles of a run divided among layers and units, so that they add up.

**Definition.** Every cycle counts once. It belongs to the busiest unit of the whole run that works
in it, and to the launch that unit works for: what the unit that binds the run does, and while it
waits, what the next busiest does. A unit that is being programmed works (the gap between two of its
jobs is its own). A cycle in which nothing works belongs to what works next; the cycles behind the
last work to no launch.

Every report that divides time uses these figures. They are no dependence analysis: while the
binding unit waits, several others may work, and the busiest of them is charged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from softex_mlir.runtime.costs.tracks import Ints, Track, ascending

WAITING = "waiting"


@dataclass(frozen=True)
class Exclusive:
    """The division of a run's cycles.

    Attributes:
        names: the units (tracks), in the order of their busy cycles; last `waiting`.
        cycles: int64 [launches + 1, names]; the last row is of no launch.
        programming: the cycles of each row that a unit was programmed in, not working; part of
            `cycles`.
        start, end, launch, unit: the pieces of the division in order of time; `unit` is an index
            into `names`.
    """

    names: tuple[str, ...]
    cycles: Ints
    programming: Ints
    start: Ints
    end: Ints
    launch: Ints
    unit: Ints


def divide(tracks: Sequence[Track], cycles: int, launches: int) -> Exclusive:
    """Divide the `cycles` of a run among `launches` and the units of `tracks`."""
    order = sorted(
        (track for track in tracks if not track.programming), key=lambda t: (-t.cycles, t.name)
    )
    names = (*(track.name for track in order), WAITING)
    driven = {track.name: track for track in tracks if track.programming}
    ranked: list[Track] = []
    for track in order:
        ranked.append(track)
        if track.name in driven:
            ranked.append(driven[track.name])
    edges = ascending(
        np.concatenate(
            [np.array([0, cycles], np.int64)]
            + [edge for track in ranked for edge in (track.start, track.end)]
        )
    )
    edges = edges[(edges >= 0) & (edges <= cycles)]
    start, end = edges[:-1], edges[1:]
    launch = np.full(len(start), -1, np.int64)
    unit = np.full(len(start), len(names) - 1, np.int64)
    programmed = np.zeros(len(start), bool)
    for track in ranked:
        if not len(track.start):
            continue
        free = launch < 0
        at = np.searchsorted(track.start, start[free], "right") - 1
        works = (at >= 0) & (start[free] < track.end[np.maximum(at, 0)])
        pieces = np.flatnonzero(free)[works]
        launch[pieces] = track.launch[at[works]]
        unit[pieces] = names.index(track.name)
        programmed[pieces] = track.programming
    _give_to_the_next(launch, launches)
    length = end - start
    size = (launches + 1) * len(names)
    where = launch * len(names) + unit
    total = np.bincount(where, length, size).astype(np.int64)
    mine = np.bincount(launch[programmed], length[programmed], launches + 1)
    return Exclusive(
        names,
        total.reshape(launches + 1, len(names)),
        mine.astype(np.int64),
        start,
        end,
        launch,
        unit,
    )


def _give_to_the_next(launch: Ints, none: int) -> None:
    """Give the pieces of no launch, in place, to the one that follows."""
    known = np.flatnonzero(launch >= 0)
    empty = np.flatnonzero(launch < 0)
    following = np.searchsorted(known, empty)
    launch[empty] = np.append(launch[known], none)[following]
