"""The fast contention model, fed with a recorded or made-up run instead of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from softex_mlir.isa_sim.contention import windows as contention
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import redmule, registry
from softex_mlir.isa_sim.units.unit import Trigger

MACHINE = Machine.load("paper")


@dataclass
class Prediction:
    """Cycles the model adds in a phase, one number a master."""

    cores: np.ndarray
    channels: np.ndarray
    units: np.ndarray


class FastModel:
    """Runs the model over logs of accesses, jobs and transfers without contention."""

    def __init__(self, logs: list[np.ndarray], jobs: np.ndarray, transfers: np.ndarray):
        """
        Args:
            logs: accesses of each core [n, (pc, address, bytes, is a store, cycle, ..)].
            jobs, transfers: as `RunResult` has them.
        """
        self.logs = logs
        self.dev = d.make_devices(MACHINE)
        self.state = st.make_state(MACHINE, MACHINE.cluster.cores)
        self.model = contention.make_model(MACHINE)
        self.charged = [0] * len(logs)
        self.log = np.zeros((len(logs), 4096, 5), np.int64)
        self.jobs = np.zeros((len(jobs), d.JOB_LOG_COLUMNS), np.int64)
        for column, name in enumerate(("unit", "start", "end")):
            self.jobs[:, column] = jobs[name]
        self.jobs[:, 8:16] = jobs["registers"]
        self.dma = np.zeros((len(transfers), d.DMA_LOG_COLUMNS), np.int64)
        for column, name in enumerate(("start", "end", "channel"), 1):
            self.dma[:, column] = transfers[name]
        for column, name in enumerate((transfers.dtype.names or ())[8:], 7):
            self.dma[:, column] = transfers[name]
        self.rates = [self._rates(job) for job in jobs]

    def _rates(self, job: np.ndarray) -> np.ndarray:
        """What a port tells the model of a job."""
        registers, tcdm = job["registers"], np.zeros(1 << 18, np.uint8)
        port = registry.units_of(MACHINE)[int(job["unit"])].port(MACHINE, False, True, False)
        done = port.run(registers, tcdm, Trigger(int(job["start"])))
        return np.array([done.exposed, done.rate, done.turnovers, done.burst])

    def window(self, begin: int, total: Prediction | None = None) -> None:
        """Let the model see a window; add what it charges for it."""
        end = begin + contention.WINDOW
        counts = []
        for core, log in enumerate(self.logs):
            low, high = np.searchsorted(log[:, 4], [begin, end])
            self.state.s[core, st.LOG_USED] = high - low
            self.log[core, : high - low] = log[low:high, :5]
            offset = log[low:high, 1] - MACHINE.cluster.tcdm_base
            inside = (offset >= 64) & (offset < MACHINE.cluster.tcdm_bytes)
            counts.append(int(np.count_nonzero(inside)))
            if total is not None:
                total.cores[core] += self.charged[core] / 65536 * counts[-1]
        for word, log in ((d.JOB_USED, self.jobs), (d.DMA_USED, self.dma)):
            begun = np.flatnonzero(log[:, 1] < end)
            self.dev.word[word] = begun[-1] + 1 if begun.size else 0
        contention.look(
            self.dev, self.state, self.model, self.log, self.jobs, self.dma, begin
        )  # fmt: skip
        for core, count in enumerate(counts):
            self.charged[core] = contention.stall_rate(self.model, core, count, self.charged[core])
        if total is None:
            return
        for channel in range(2):
            mine = self.dma[self.dma[:, 3] == channel]
            moved = np.clip(mine[:, 2], begin, end) - np.clip(mine[:, 1], begin, end)
            late = contention._per_access(self.model.channels_seen[channel])
            total.channels[channel] += moved.sum() * late
        for job, (exposed, rate, turnovers, burst) in zip(self.jobs, self.rates, strict=True):
            cycles = min(job[2], end) - max(job[1], begin)
            if cycles <= 0:
                continue
            unit = job[0]
            late = contention._per_access(self.model.units_seen[unit])
            growth = contention.growth(late, exposed, turnovers, burst)
            slow = max(1 + growth, rate * (1 + late))
            self.model.unit[unit, contention.SLOW] = slow
            total.units[unit] += cycles * (slow - 1)

    def phase(self, begin: int, end: int) -> Prediction:
        """What the model adds between two cycles, after a look at the windows before."""
        total = Prediction(np.zeros(len(self.logs)), np.zeros(2), np.zeros(2))
        for window in range(begin - 2 * contention.WINDOW, end, contention.WINDOW):
            if window == begin:
                self.model.owed[:] = 0
            if window >= 0:
                self.window(window, total if window >= begin else None)
        return total


__all__ = ["FastModel", "Prediction", "redmule"]
