"""The logs of one run: rows of integers that the compiled loop writes, grown when they are full."""

from __future__ import annotations

import numpy as np

from softex_mlir.isa_sim.devices import state as d


class Logs:
    """Jobs, transfers, counter steps and sleeps; `records` gives them names and types."""

    def __init__(self) -> None:
        self.jobs = np.zeros((4096, d.JOB_LOG_COLUMNS), np.int64)
        self.transfers = np.zeros((4096, d.DMA_LOG_COLUMNS), np.int64)
        self.steps = np.zeros((4096, d.STREAM_LOG_COLUMNS), np.int64)
        self.sleeps = np.zeros((4096, d.SLEEP_LOG_COLUMNS), np.int64)

    def grow(self, dev: d.Devices) -> None:
        """Make room in every log that is more than half full."""
        self.jobs = _grown(self.jobs, int(dev.word[d.JOB_USED]))
        self.transfers = _grown(self.transfers, int(dev.word[d.DMA_USED]))
        self.steps = _grown(self.steps, int(dev.word[d.STREAM_USED]))
        self.sleeps = _grown(self.sleeps, int(dev.word[d.SLEEP_USED]))

    def close(self, dev: d.Devices, queue: int, end: int) -> None:
        """Let jobs and transfers that are under way at the end of the run end there."""
        for row in dev.unit:
            for context in range(2):
                at = d.JOB + context * d.JOB_COLUMNS
                if row[at + d.JOB_STATE] == d.QUEUED:
                    entry = self.jobs[row[at + d.JOB_LOG]]
                    entry[1], entry[2] = min(entry[1], end), end
        for row in dev.channel:
            for index in range(row[d.CHANNEL_COUNT]):
                slot = (row[d.CHANNEL_HEAD] + index) % queue
                at = d.QUEUE + slot * d.TRANSFER_COLUMNS
                entry = self.transfers[row[at + d.TRANSFER_LOG]]
                entry[1] = min(row[at + d.TRANSFER_BEGIN], end)
                entry[2] = min(row[at + d.TRANSFER_DONE], end)


def _grown(log: np.ndarray, used: int) -> np.ndarray:
    """The log with room for as many entries again, if it is more than half full."""
    if used < len(log) // 2:
        return log
    larger = np.zeros((2 * len(log), log.shape[1]), np.int64)
    larger[:used] = log[:used]
    return larger
