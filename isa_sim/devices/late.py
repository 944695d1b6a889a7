"""Jobs whose arithmetic takes place when they end instead of when they are triggered.

A job reads and writes memory at some time between. A program whose waits are right cannot tell
when; one without a needed wait computes other bits at one end of the interval or at the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.units.unit import Trigger, UnitPort


class LateJobs:
    """What the units have been told and have not done, in order, and the ports that will do it."""

    def __init__(self, ports: Mapping[int, UnitPort], tcdm: np.ndarray, dev: d.Devices):
        self.ports = ports
        self.tcdm = tcdm
        self.dev = dev
        self._to_do: dict[int, deque[tuple[Callable[[], object], bool]]] = {
            number: deque() for number in ports
        }

    def start(self, unit: int, registers: np.ndarray, trigger: Trigger) -> None:
        """A job was triggered with these registers."""
        step = partial(self.ports[unit].run, registers.copy(), self.tcdm, trigger)
        self._to_do[unit].append((step, True))

    def written(self, unit: int, registers: np.ndarray, time: int, before: int) -> None:
        """A register was written that the unit acts on: it may write memory before the next job."""
        step = partial(self.ports[unit].written, registers.copy(), self.tcdm, time, before)
        self._to_do[unit].append((step, False))

    def finish(self, time: int) -> None:
        """Execute the jobs that end by a time."""
        for unit, steps in self._to_do.items():
            row = self.dev.unit[unit]
            context = int(row[d.RUNNING])
            if context < 0 or row[d.job_at(context) + d.JOB_DONE] > time:
                continue
            while steps:
                step, is_job = steps.popleft()
                step()
                if is_job:
                    break

    def reset(self, unit: int) -> None:
        """A soft clear."""
        self._to_do[unit].clear()
        self.ports[unit].reset()
