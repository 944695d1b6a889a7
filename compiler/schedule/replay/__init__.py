"""When each launch will run: the launches replayed with the units' times.

The four streams walk the kernels' code as the cores will: waits for counters, transfers that queue
up in the DMA's two channels, jobs, and the team's work, whose cycles follow from its operations.
Each works as fast as those leave it the TCDM's banks who work at the same time. Times come from
the machine description and from the back end's instructions; none is fitted to a model's cycles.
The schedule is decided before: nothing of this goes back into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from softex_mlir.compiler.schedule.replay.activity import Activity
from softex_mlir.compiler.schedule.replay.contention import Rivals
from softex_mlir.compiler.schedule.replay.engine import Engine, Server
from softex_mlir.compiler.schedule.replay.times import Times
from softex_mlir.compiler.schedule.replay.units import Units
from softex_mlir.compiler.schedule.replay.walk import (
    SERVERS,
    SOFTEX,
    STREAM_LIST,
    Launched,
    ReplayedCluster,
    Stream,
)
from softex_mlir.isa_sim.machine import Machine

__all__ = ["Expected", "Launched", "replay"]


@dataclass(frozen=True)
class Expected:
    """Of a launch, by track: DMA in, DMA out, RedMulE, the cores.

    Attributes:
        spans: begin and end, in cycles; equal where there is no work.
        busy: cycles; of the cores the mean of the team, with what others are awake for.
    """

    spans: tuple[tuple[int, int], ...]
    busy: tuple[int, ...]


def replay(launches: Sequence[Launched], machine: Machine) -> list[Expected]:
    """What to expect of launches, in order."""
    servers = tuple(Server() for _ in range(SERVERS))
    if machine.softex is not None:
        servers[SOFTEX].gap = machine.softex.queued_start_cycles
    engine = Engine(Rivals(machine), servers, tuple([0.0] for _ in STREAM_LIST))
    log = [[Activity() for _ in STREAM_LIST] for _ in launches]
    times = Times(machine)
    cluster = ReplayedCluster(engine, Units(machine), times, log)
    for index in range(len(STREAM_LIST)):
        engine.start(Stream(index, cluster).process(launches))
    engine.run()
    if log:
        log[-1][3].span(cluster.ended, cluster.ended)
    return [_expected(tracks, times.team) for tracks in log]


def _expected(tracks: Sequence[Activity], team: int) -> Expected:
    for track in tracks:
        track.close()
    *units, cores = tracks
    busy = (*(track.busy for track in units), cores.busy / max(1, team))
    return Expected(
        tuple((round(max(0.0, track.begin)), round(max(0.0, track.end))) for track in tracks),
        tuple(map(round, busy)),
    )
