"""The ledger of a run: for every launch what it used of each unit, the memories and the cores.

Columns add up to the run's totals; the last row is of no launch (boot, end). What a core spends
between two steps of its stream is charged to the launch of the step at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from softex_mlir import abi
from softex_mlir.arithmetic import round_up
from softex_mlir.isa_sim.energy import Counters
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.records import SPENT
from softex_mlir.isa_sim.units import redmule, registry
from softex_mlir.runtime.costs.exclusive import Exclusive, divide
from softex_mlir.runtime.costs.tracks import (
    CHANNELS,
    CORES,
    Ints,
    Launches,
    Track,
    tracks_of,
)

if TYPE_CHECKING:
    from softex_mlir.isa_sim.records import RunResult

PADDED = ("rows", "columns", "inner")
"""Dimensions of a job that RedMulE rounds up to whole tiles: of X, of W, and what they share."""


@dataclass(frozen=True)
class Ledger:
    """Charges by launch; arrays are int64 [launches + 1].

    Attributes:
        tracks: who worked when.
        exclusive: the division of the cycles.
        busy: busy cycles by unit and DMA direction, and core cycles awake (`cores`).
        stalled: cycles of these lost to others in the TCDM, likewise.
        jobs: jobs and transfers, likewise.
        spent: the cores' `SPENT`.
        bytes: moved by each direction of the DMA (`dma_in`, `dma_out`), read and written by units
            in the TCDM (`units`).
        macs: of the model, padding not counted.
        work: of each unit's jobs, as it counts it: RedMulE's multiply-accumulates, padding to whole
            tiles not counted.
        array_macs: gone through by RedMulE's array.
        padding: those of them lost to tiles that are not full, by `rows`, `columns`, `inner`.
        start, end: first and last cycle of activity; start > end for none.
    """

    cycles: int
    tracks: tuple[Track, ...]
    exclusive: Exclusive
    busy: Mapping[str, Ints]
    stalled: Mapping[str, Ints]
    jobs: Mapping[str, Ints]
    spent: Mapping[str, Ints]
    bytes: Mapping[str, Ints]
    macs: Ints
    work: Mapping[str, Ints]
    array_macs: Ints
    padding: Mapping[str, Ints]
    start: Ints
    end: Ints

    def counters(self, rows: npt.NDArray[Any], machine: Machine) -> Counters:
        """What the energy model charges for some rows."""
        units = {
            unit.name: unit.energy.counted(
                section,
                int(self.work[unit.name][rows].sum()),
                int(self.busy[unit.name][rows].sum()),
            )
            for unit in registry.units_of(machine)
            if (section := machine.section(unit.name)) is not None
        }
        moved = sum(int(self.bytes[name][rows].sum()) for name in CHANNELS)
        accesses = int(self.spent["tcdm_accesses"][rows].sum())
        active = int(self.busy[CORES][rows].sum())
        cores = machine.cluster.cores
        return Counters(
            instructions=int(self.spent["instructions"][rows].sum()),
            core_active_cycles=active,
            core_asleep_cycles=cores * int(self.exclusive.cycles[rows].sum()) - active,
            units=units,
            tcdm_bytes=4 * accesses + int(self.bytes["units"][rows].sum()) + moved,
            dma_bytes=moved,
            l2_bytes=moved + 4 * int(self.spent["l2_accesses"][rows].sum()),
        )


def ledger_of(run: RunResult, machine: Machine, launches: list[dict[str, Any]]) -> Ledger:
    """The ledger of a run of a program with these launches."""
    index = Launches(launches)
    rows = index.none + 1
    tracks = tracks_of(run, machine, index)
    busy: dict[str, Ints] = {}
    stalled: dict[str, Ints] = {}
    jobs: dict[str, Ints] = {}
    moved: dict[str, Ints] = {}
    work: dict[str, Ints] = {}
    start = np.full(rows, run.cycles, np.int64)
    end = np.zeros(rows, np.int64)

    def add(launch: Ints, amount: npt.NDArray[Any] | None = None) -> Ints:
        return np.bincount(launch, amount, rows).astype(np.int64)

    units = [unit.name for unit in registry.units_of(machine)]
    logs = {
        **{name: run.jobs[run.jobs["unit"] == number] for number, name in enumerate(units)},
        **{
            name: run.transfers[run.transfers["channel"] == number]
            for number, name in enumerate(CHANNELS)
        },
    }
    for name, log in logs.items():
        launch = index.of(log["tp"])
        busy[name] = add(launch, log["end"] - log["start"])
        stalled[name] = add(launch, log["stalled"])
        jobs[name] = add(launch)
        moved[name] = add(launch, log["bytes"])
        if name in units:
            work[name] = add(launch, log["work"])
        np.minimum.at(start, launch, log["start"])
        np.maximum.at(end, launch, log["end"])
    steps = index.of(run.steps["tp"])
    np.minimum.at(start, steps, run.steps["cycle"])
    np.maximum.at(end, steps, run.steps["cycle"])
    spent, awake = _cores(run, machine, index)
    busy[CORES], stalled[CORES] = awake, spent["conflicts"]
    jobs[CORES] = np.zeros(rows, np.int64)
    launch = index.of(run.jobs["tp"])
    array, padding = _array_macs(run, machine)
    return Ledger(
        cycles=run.cycles,
        tracks=tuple(tracks),
        exclusive=divide(tracks, run.cycles, index.none),
        busy=busy,
        stalled=stalled,
        jobs=jobs,
        spent=spent,
        bytes={
            **{name: moved[name] for name in CHANNELS},
            "units": sum((moved[name] for name in units), np.zeros(rows, np.int64)),
        },
        macs=np.array([*(entry["macs"] for entry in launches), 0], np.int64),
        work=work,
        array_macs=add(launch, array),
        padding={name: add(launch, lost) for name, lost in padding.items()},
        start=np.minimum(start, end),
        end=end,
    )


def _cores(run: RunResult, machine: Machine, index: Launches) -> tuple[dict[str, Ints], Ints]:
    """The cores' `SPENT` and their cycles awake, by launch."""
    spent = {name: np.zeros(index.none + 1, np.int64) for name in SPENT}
    awake = np.zeros(index.none + 1, np.int64)
    for number, stream in enumerate(
        abi.stream_cores(machine.cluster.cores, machine.redmule is not None).values()
    ):
        steps = run.steps[run.steps["stream"] == number]
        steps = steps[np.argsort(steps["cycle"], kind="stable")]
        launch = np.append(index.of(steps["tp"]), index.none)
        cores = list(stream)
        for place, name in enumerate(SPENT):
            total = run.core_spent[cores, place].sum()
            amount = np.diff(np.concatenate([[0], steps[name], [total]]))
            np.add.at(spent[name], launch, amount.astype(np.int64))
        times = np.concatenate([[0], steps["cycle"], [run.cycles]]).astype(np.int64)
        for core in cores:
            asleep = _slept(run.sleeps[run.sleeps["core"] == core], times)
            np.add.at(awake, launch, np.diff(times) - np.diff(asleep))
    return spent, awake


def _slept(sleeps: npt.NDArray[Any], times: Ints) -> Ints:
    """Cycles a core has slept up to each of some times."""
    if not len(sleeps):
        return np.zeros(len(times), np.int64)
    length = sleeps["end"] - sleeps["start"]
    before = np.concatenate([[0], np.cumsum(length)])
    at = np.searchsorted(sleeps["start"], times, "right") - 1
    last = np.maximum(at, 0)
    inside = np.minimum(times - sleeps["start"][last], length[last])
    return np.where(at < 0, 0, before[last] + inside)


def _array_macs(run: RunResult, machine: Machine) -> tuple[Ints, dict[str, Ints]]:
    """MACs the array goes through, by job (0 for other units' jobs), and what is lost of them."""
    macs = np.zeros(len(run.jobs), np.int64)
    padding = {name: np.zeros(len(run.jobs), np.int64) for name in PADDED}
    unit = machine.redmule
    if unit is None:
        return macs, padding
    places = np.flatnonzero(run.jobs["unit"] == registry.number(machine, "redmule"))
    sizes, inverse = np.unique(run.jobs["registers"][places, 3:5], axis=0, return_inverse=True)
    for number, words in enumerate(sizes):
        job = redmule.decode_words((0, 0, 0, *(int(word) & 0xFFFFFFFF for word in words), 0))
        mine = places[inverse.reshape(-1) == number]
        whole = redmule.array_macs(job.m, job.n, job.k, unit)
        macs[mine] = whole
        # Of the array's work rows are lost first, then columns of the rest, then inner steps.
        for name, used, step in (
            ("rows", job.m, unit.rows),
            ("columns", job.k, unit.tile_columns),
            ("inner", job.n, unit.columns),
        ):
            kept = whole * used // round_up(used, step)
            padding[name][mine] = whole - kept
            whole = kept
    return macs, padding
