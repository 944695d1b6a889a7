"""Costs by the compiler's cost model, without a simulation: the forecast of a program as a ledger.

What the model does not tell apart stays together: SoftEx' time is with the cores that drive it.
Errors against simulations are in `test/models/test_estimate.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim.energy import energy
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.records import SPENT
from softex_mlir.isa_sim.units import registry
from softex_mlir.runtime.costs.exclusive import divide
from softex_mlir.runtime.costs.forecast import (
    STREAM_TRACKS,
    forecast_cycles,
    forecast_tracks,
    spans_of,
)
from softex_mlir.runtime.costs.ledger import PADDED, Ledger
from softex_mlir.runtime.costs.tracks import CHANNELS, CORES, Ints
from softex_mlir.runtime.profile import Profile, operating_point, profile_of

INSTRUCTIONS_A_CYCLE = 0.67
"""Of a core that is awake, measured on simulated built-in models."""


def estimate(
    metadata: Mapping[str, Any], machine: Machine, point_name: str | None = None
) -> Profile:
    """The profile of a program (its note, or a compilation's outline) by the cost model."""
    point = operating_point(machine, point_name)
    ledger = estimated_ledger(metadata["launches"], machine)
    everything = np.arange(len(ledger.macs))
    report = energy(ledger.counters(everything, machine), ledger.cycles, machine, point)
    streaming = int(max(ledger.busy[name].sum() for name in CHANNELS))
    return profile_of(ledger, metadata, machine, point, report, streaming)


def estimated_ledger(launches: Sequence[Mapping[str, Any]], machine: Machine) -> Ledger:
    """The ledger of launches as the cost model expects it."""
    rows = len(launches) + 1
    tracks = forecast_tracks(launches, machine)
    cycles = forecast_cycles(launches)
    spans = np.zeros((rows, len(abi.STREAMS), 2), np.int64)
    spans[:-1] = spans_of(launches)
    zeros = np.zeros(rows, np.int64)
    units = [unit.name for unit in registry.units_of(machine)]
    busy = dict.fromkeys((*units, *CHANNELS, CORES), zeros)
    jobs = dict(busy)
    for stream, name in enumerate(STREAM_TRACKS):
        busy[name] = np.append([launch["cycles"][stream] for launch in launches], 0)
    cores = abi.stream_cores(machine.cluster.cores, machine.redmule is not None)
    busy[CORES] = busy[CORES] * len(cores[abi.COMPUTE])
    macs = np.array([*(launch["macs"] for launch in launches), 0], np.int64)
    moved = np.array([*(launch["bytes"] for launch in launches), (0, 0)], np.int64)
    unit = machine.redmule
    on_unit = macs if unit else zeros
    accesses = on_unit * (2 / unit.tile_columns + 2 / unit.rows) if unit else zeros
    spent: dict[str, Ints] = dict.fromkeys(SPENT, zeros)
    spent["instructions"] = (busy[CORES] * INSTRUCTIONS_A_CYCLE).astype(np.int64)
    active = spans[:, :, 1] > spans[:, :, 0]
    return Ledger(
        cycles=cycles,
        tracks=tuple(tracks),
        exclusive=divide(tracks, cycles, len(launches)),
        busy=busy,
        stalled=dict.fromkeys(busy, zeros),
        jobs=jobs,
        spent=spent,
        bytes={
            CHANNELS[0]: moved[:, 0],
            CHANNELS[1]: moved[:, 1],
            "units": np.asarray(accesses, np.int64),
        },
        macs=macs,
        work={name: on_unit if name == "redmule" else zeros for name in units},
        array_macs=on_unit,
        padding=dict.fromkeys(PADDED, zeros),
        start=np.where(active, spans[:, :, 0], cycles).min(1),
        end=np.where(active, spans[:, :, 1], 0).max(1),
    )
