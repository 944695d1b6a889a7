"""Access patterns of a simulated program, for the cycle-stepped arbiter.

The cores' accesses are the simulator's own, recorded without contention; what RedMulE, SoftEx and
the DMA access follows from the jobs and transfers of the run and the units' documented schedules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from arbiter import Channel, Core, Unit

from softex_mlir.isa_sim.cluster import Cluster
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.records import RunResult
from softex_mlir.isa_sim.units import redmule, softex_jobs

MACHINE = Machine.load("paper")
BASE = MACHINE.cluster.tcdm_base
ROWS, WIDTH, STEP, AHEAD = 24, 32, 4, 8
TURNOVER = 98
"""Cycles into a tile by which its Y and the last one's Z have to be through: fitted on the
published growth of 96x96x96 (4,774 to 4,876 cycles when 10 % of the accesses are denied)."""


def bank(address: int | np.ndarray) -> np.ndarray:
    return (np.asarray(address) - BASE) // 4 % 32


def in_turns(streams: list[list[int]], start: float) -> list[np.ndarray]:
    """Accesses that the port does one a cycle, stream by stream in turns, each needed at once."""
    rows: list[list[tuple[float, float, int]]] = [[] for _ in streams]
    left = [list(stream) for stream in streams]
    time = start
    while any(left):
        for index, stream in enumerate(left):
            if stream:
                rows[index].append((time, time, int(bank(stream.pop(0)))))
                time += 1
    return [np.array(row, float).reshape(-1, 3) for row in rows]


@lru_cache(maxsize=64)
def redmule_streams(x: int, w: int, z: int, m: int, n: int, k: int) -> tuple[np.ndarray, ...]:
    """X, W and Y/Z of a job [n, (wanted, needed, bank)], from the job's start.

    The array waits for each access of the preload and of the last stores. In between W is needed
    eight steps after it is asked for, X a chunk later, Y and Z `TURNOVER` cycles later.
    """
    down, across = -(-m // ROWS), -(-k // WIDTH)
    padded, chunks = -(-n // 8) * 8, -(-n // WIDTH)
    tiles = [(i, j) for i in range(down) for j in range(across)]
    tile_cycles = STEP * padded
    total = redmule.redmule_run_cycles(m, n, k, MACHINE)
    last = (k - 1) % WIDTH + 1
    begin = total - 5 - ROWS - last - tile_cycles * len(tiles)

    def x_rows(i: int, chunk: int) -> list[int]:
        return [
            x + 2 * ((ROWS * i + r) * n + WIDTH * chunk) for r in range(min(ROWS, m - ROWS * i))
        ]

    def z_rows(i: int, j: int) -> list[int]:
        return [z + 2 * ((ROWS * i + r) * k + WIDTH * j) for r in range(ROWS)]

    first = [x_rows(0, 0), [w + 2 * r * k for r in range(AHEAD)], z_rows(0, 0)]
    fill = sum(len(rows) for rows in first)
    streams = [[part] for part in in_turns(first, begin - fill)]

    def add(
        stream: int, addresses: list[int], wanted: float | np.ndarray, needed: float | np.ndarray
    ):
        rows = np.empty((len(addresses), 3))
        rows[:, 0], rows[:, 1] = wanted, needed
        rows[:, 2] = bank(np.array(addresses, np.int64))
        streams[stream].append(rows)

    for index, (i, j) in enumerate(tiles):
        at = begin + tile_cycles * index
        following = tiles[index + 1] if index + 1 < len(tiles) else None
        steps = [
            (
                w
                + 2
                * (
                    (r + AHEAD) % padded * k
                    + WIDTH * (j if r + AHEAD < padded or not following else following[1])
                ),
                r,
            )
            for r in range(padded)
            if r + AHEAD < padded or following
        ]
        when = at + STEP * np.array([r for _, r in steps])
        add(1, [address for address, _ in steps], when, when + STEP * (AHEAD - 1))
        for chunk in range(chunks):
            here = at + STEP * WIDTH * chunk
            until = min(at + tile_cycles, here + STEP * WIDTH)
            if chunk + 1 < chunks:
                add(0, x_rows(i, chunk + 1), here, until)
            elif following:
                add(0, x_rows(following[0], 0), here, until)
        if following:
            add(2, z_rows(*following), at, at + TURNOVER)
        if index > 0:
            add(2, z_rows(*tiles[index - 1]), at, at + TURNOVER)
    end = begin + tile_cycles * len(tiles) + last
    add(2, z_rows(*tiles[-1]), end + np.arange(ROWS), end + np.arange(ROWS))
    return tuple(np.concatenate(parts) for parts in streams)


def softex_streams(job: softex_jobs.SoftExJob, cycles: int) -> tuple[np.ndarray, ...]:
    """Reads and writes of a job from its trigger, as the timing pages of the unit have them."""
    beats = np.arange(job.beats(16))
    reads, writes = bank(job.input + 32 * beats), bank(job.output + 32 * beats)
    if job.kind is softex_jobs.Kind.SUM_OF_EXPONENTIALS:
        each = max(2, job.terms)
        start, end = 8 + each * beats, cycles - 3 - each * beats[::-1]
        slack = 8 if job.terms > 2 else 0
        return (
            np.stack([start, start + slack, reads], 1).astype(float),
            np.stack([end, end + slack, writes], 1).astype(float),
        )
    first, last = 6 + beats, cycles - 3 - 2 * beats[::-1]
    again = last - 12
    wanted = np.concatenate([first, again])
    return (
        np.stack([wanted, wanted, np.concatenate([reads, reads])], 1).astype(float),
        np.stack([last, last, writes], 1).astype(float),
    )


@dataclass
class Recording:
    """A run without contention: accesses of the cores [n, (cycle, bank)], jobs, transfers."""

    cores: list[np.ndarray]
    run: RunResult
    logs: list[np.ndarray] = field(repr=False)

    @staticmethod
    def of(cluster: Cluster) -> Recording:
        """Run the program loaded in a cluster."""
        parts: list[list[np.ndarray]] = [[] for _ in range(MACHINE.cluster.cores)]
        cluster.contention = False
        run = cluster.run(accesses=lambda core, rows: parts[core].append(rows))
        logs = [np.concatenate(rows) for rows in parts]
        cores = []
        for log in logs:
            offset = log[:, 1] - BASE
            log = log[(offset >= 64) & (offset < MACHINE.cluster.tcdm_bytes)]
            cores.append(np.stack([log[:, 4], bank(log[:, 1])], 1))
        return Recording(cores, run, logs)

    def phase(self, begin: int, end: int) -> tuple[list[Core], list[Unit], list[Channel]]:
        """What every master wants between two cycles, from the first one on."""
        cores = []
        for rows in self.cores:
            low, high = np.searchsorted(rows[:, 0], [begin, end])
            cores.append(Core(rows[low:high, 0] - begin, rows[low:high, 1]))
        units = [Unit(width, self._streams(unit, begin, end)) for unit, width in ((0, 17), (1, 9))]
        return cores, units, [self._beats(channel, begin, end) for channel in range(2)]

    def _streams(self, unit: int, begin: int, end: int) -> list[np.ndarray]:
        jobs = self.run.jobs
        parts: list[list[np.ndarray]] = [[np.zeros((0, 3))] for _ in range(3)]
        for job in jobs[(jobs["unit"] == unit) & (jobs["start"] < end) & (jobs["end"] > begin)]:
            words = tuple(int(word) for word in job["registers"])
            if unit == 0:
                g = redmule.decode_words(words)
                streams = redmule_streams(g.x, g.w, g.z, g.m, g.n, g.k)
                start = job["end"] - redmule.redmule_run_cycles(g.m, g.n, g.k, MACHINE)
            else:
                start = job["start"]
                streams = softex_streams(softex_jobs.decode_words(words), int(job["end"] - start))
            for stream, rows in enumerate(streams):
                moved = rows + np.array([start - begin, start - begin, 0])
                parts[stream].append(moved[(moved[:, 0] >= 0) & (moved[:, 0] < end - begin)])
        return [np.concatenate(rows) for rows in parts]

    def _beats(self, channel: int, begin: int, end: int) -> Channel:
        transfers = self.run.transfers
        mine = transfers[
            (transfers["channel"] == channel)
            & (transfers["start"] < end)
            & (transfers["end"] > begin)
        ]
        wanted: list[np.ndarray] = [np.zeros(0)]
        banks: list[np.ndarray] = [np.zeros(0, np.int64)]
        side = "source" if channel else "destination"
        for transfer in mine:
            outer = np.arange(transfer["reps_3"])[:, None, None] * int(transfer[f"{side}_stride_3"])
            inner = np.arange(transfer["reps_2"])[:, None] * int(transfer[f"{side}_stride_2"])
            run = 8 * np.arange(-(-int(transfer["length"]) // 8))
            addresses = (int(transfer[side]) + outer + inner + run).reshape(-1)
            start, cycles = int(transfer["start"]), int(transfer["end"] - transfer["start"])
            times = start + np.arange(len(addresses)) * max(1.0, cycles / len(addresses))
            here = (times >= begin) & (times < end)
            wanted.append(times[here] - begin)
            banks.append(bank(addresses[here]))
        return Channel(np.concatenate(wanted), np.concatenate(banks))
