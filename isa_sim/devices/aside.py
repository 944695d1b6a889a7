"""Jobs whose arithmetic another host core does while the cores are simulated.

A job's operands are those of its trigger. Its results are in memory when its done event comes, or
when the unit gets its next job: nobody may look at them before. What a program without a needed
wait sees does not depend on the host: one that has a single core computes them at once and stores
them as late.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.numerics.gemm import host_cores
from softex_mlir.isa_sim.units.common import copy_in, copy_out
from softex_mlir.isa_sim.units.unit import Execution, Trigger, UnitPort

WORTH_IT = 400_000
"""Operations from which a job pays for the copy of the memory and the change of threads."""


class _Job(NamedTuple):
    execution: Future[Execution]
    tcdm: np.ndarray
    registers: np.ndarray
    record: int


class AsideJobs:
    """At most one job a unit that is being computed, and the thread that does it."""

    def __init__(
        self, ports: Mapping[int, UnitPort], tcdm: np.ndarray, tcdm_base: int, dev: d.Devices
    ):
        self._ports = ports
        self._tcdm = tcdm
        self._base = tcdm_base
        self._dev = dev
        self._jobs: dict[int, _Job] = {}
        self._spare: list[np.ndarray] = []
        several = host_cores() > 1
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jobs") if several else None

    def start(self, unit: int, registers: np.ndarray, trigger: Trigger, record: int) -> None:
        """Begin a job of a unit that has none; `record` is its launch record's address."""
        # Pages that were written before cost the host nothing.
        tcdm = self._spare.pop() if self._spare else np.empty_like(self._tcdm)
        np.copyto(tcdm, self._tcdm)
        registers = registers.copy()
        run = self._ports[unit].run
        if self._thread:
            execution = self._thread.submit(run, registers, tcdm, trigger)
        else:
            execution = Future[Execution]()
            execution.set_result(run(registers, tcdm, trigger))
        self._jobs[unit] = _Job(execution, tcdm, registers, record)
        self._dev.word[d.AWAITED] |= 1 << unit

    def outcome(self, unit: int) -> tuple[Execution, np.ndarray]:
        """What the unit's job did, and the TCDM with its results; waits for it."""
        job = self._jobs[unit]
        return job.execution.result(), job.tcdm

    def ended(self, time: int) -> list[int]:
        """The units whose jobs here have their done event by a time."""
        running = {unit: int(self._dev.unit[unit, d.RUNNING]) for unit in self._jobs}
        return [
            unit
            for unit, context in running.items()
            if context >= 0 and self._dev.unit[unit, d.job_at(context) + d.JOB_DONE] <= time
        ]

    def finish(self, unit: int) -> tuple[int, tuple[str, ...]]:
        """Store the results of a unit's job, if it has one here: its record and warnings."""
        job = self._jobs.pop(unit, None)
        if job is None:
            return 0, ()
        self._dev.word[d.AWAITED] &= ~(1 << unit)
        warnings = job.execution.result().warnings
        for address, size, writes in self._ports[unit].footprint(job.registers):
            if writes:
                data = copy_in(job.tcdm, self._base, address, size)
                copy_out(self._tcdm, self._base, address, data)
        self._spare.append(job.tcdm)
        return job.record, warnings

    def close(self) -> None:
        """End the thread."""
        if self._thread:
            self._thread.shutdown()
