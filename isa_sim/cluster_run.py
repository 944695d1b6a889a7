"""
One run of a cluster's program.

The loop itself is compiled (`isa_sim.engine`); Python takes part once a unit job: it executes
the job's arithmetic on TCDM and tells when the job ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim import engine
from softex_mlir.isa_sim.contention import windows as contention
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.devices.aside import WORTH_IT, AsideJobs
from softex_mlir.isa_sim.devices.hwpe import start_job
from softex_mlir.isa_sim.devices.late import LateJobs
from softex_mlir.isa_sim.diagnosis import Names, SimulationFault
from softex_mlir.isa_sim.energy import Counters
from softex_mlir.isa_sim.halts import Halts
from softex_mlir.isa_sim.loaded import LoadedCluster
from softex_mlir.isa_sim.logs import Logs
from softex_mlir.isa_sim.records import (
    JobRecord,
    RunResult,
    core_spent,
    job_records,
    sleep_records,
    step_records,
    transfer_records,
)
from softex_mlir.isa_sim.units import registry
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.unit import Execution, Trigger, UnitPort

_SLICE = 1 << 22
_LOG_ENTRIES = 4096
_END_OF_TIME = 1 << 60
_MOST_WARNINGS = 100

Effects = Literal["early", "late"]
"""When jobs and transfers read and write memory."""


class ClusterRun:
    """One run: owns the logs and answers the loop's calls for Python."""

    def __init__(
        self,
        cluster: LoadedCluster,
        sanitize: bool,
        functional: bool,
        progress: Callable[[int], None] | None,
        max_cycles: int | None,
        accesses: Callable[[int, np.ndarray], None] | None,
        lenient: bool,
        jobs: Callable[[JobRecord], None] | None,
        effects: Effects,
    ):
        self.cluster = cluster
        self.machine = cluster.machine
        self.dev = cluster.devices
        self.state = cluster.state
        self.s = cluster.state.s
        self.units = registry.units_of(cluster.machine)
        self.names = Names(cluster.symbolizer, cluster.devices, self.units)
        self.ports = self.make_ports(functional, lenient)
        self.dev.word[d.LENIENT] = lenient
        self.job_observer = jobs
        self.late: LateJobs | None = None
        if effects == "late":
            ports = self.make_ports(functional, lenient)
            self.late = LateJobs(ports, cluster.tcdm, self.dev)
            self.dev.word[d.LATE_EFFECTS] = 1
            self.dev.word[d.AWAITED] = -1
        self.timing: dict[int, UnitPort] = {}
        self.aside: AsideJobs | None = None
        if functional and not self.late:
            timing = self.make_ports(functional=False, lenient=lenient)
            self.timing = {unit: timing[unit] for unit in timing if self.units[unit].aside}
            self.aside = AsideJobs(
                self.ports, cluster.tcdm, cluster.machine.cluster.tcdm_base, self.dev
            )
        self.model = contention.make_model(cluster.machine)
        self.progress = progress
        self.max_cycles = max_cycles if max_cycles is not None else _END_OF_TIME
        self.logs = Logs()
        self.jobs = 0
        self.work = [0] * len(self.units)
        self.unit_bytes = 0
        self.warnings: list[str] = []
        self.control = np.zeros(engine.CONTROL_WORDS, np.int64)
        self.halts = Halts(cluster, self.names, self.control)
        self.control[engine.WINDOW_END] = contention.WINDOW
        self.control[engine.RECORDS] = accesses is not None
        self.control[engine.SLICE_END] = min(_SLICE, self.max_cycles)
        self.control[engine.CONTENTION] = cluster.contention
        self.sanitizer: Any = None
        self.accesses = accesses
        self.log: np.ndarray | None = None
        if sanitize or accesses or cluster.contention:
            self.log = np.zeros((self.machine.cluster.cores, _LOG_ENTRIES, 6), np.int64)
        if sanitize:
            from softex_mlir.isa_sim.race.detector import Sanitizer

            counters = cluster.tcdm[: abi.COUNTER_BYTES].view(np.int32).astype(np.int64)
            self.sanitizer = Sanitizer(
                cluster.machine,
                self.dev,
                cluster.written,
                cluster.code_span,
                counters & 0xFFFFFFFF,
                self.names,
            )

    def make_ports(self, functional: bool, lenient: bool) -> dict[int, UnitPort]:
        """What executes the jobs of each unit of the machine, by the unit's number."""
        machine, contended = self.machine, self.cluster.contention
        return {
            number: unit.port(machine, functional, contended, not lenient)
            for number, unit in enumerate(self.units)
            if machine.section(unit.name) is not None
        }

    def execute(self) -> RunResult:
        """Run to the end of computation, with the race detector as long behind as it watches."""
        try:
            self.execute_to_end()
        except SimulationFault:
            if not (self.sanitizer and self.sanitizer.has_ended):
                raise
        finally:
            if self.aside:
                for unit in self.timing:
                    self.finish_aside(unit)
                self.aside.close()
        if self.sanitizer:
            self.control[engine.NOW] = self.sanitizer.end(self.s)
        self.report_accesses()
        self.warn_of_lost_writes()
        return self.result()

    def execute_to_end(self) -> None:
        """Run until the program ends; with the race detector, as long behind as it watches."""
        control = self.control
        assert self.cluster.entry is not None
        self.s[:, st.PC] = self.cluster.entry
        self.bind()
        while True:
            reason = self.run_engine()
            if reason == engine.TRIGGER:
                self.trigger()
            elif reason == engine.SOFT_CLEAR:
                self.soft_clear()
            elif reason == engine.WATCHED_WRITE:
                self.watched_write()
            elif reason == engine.END:
                break
            elif reason == engine.JOB_DONE:
                self.before_done(int(control[engine.EFFECTS_TIME]))
            elif reason == engine.SLICE:
                self.slice()
            elif reason in (engine.DMA_LOG_FULL, engine.SLEEP_LOG_FULL):
                self.grow_logs()
            elif reason == engine.RACES:
                self.sanitizer.collect(self.logs.jobs, self.logs.transfers)
            elif reason == engine.ACCESSES:
                self.report_accesses()
            elif reason == engine.DEADLOCK:
                self.halts.deadlock()
            elif reason == engine.FAULT:
                self.halts.access_fault()
            else:
                self.halts.core_stop()

    def bind(self) -> None:
        """Have the compiled functions at hand that the run calls between jobs, with its arrays."""
        cluster, logs = self.cluster, self.logs
        shadow = self.sanitizer.shadow if self.sanitizer else None
        self.run_engine = engine.run.bind(
            self.dev, self.state, cluster.program, cluster.tcdm, cluster.l2, self.log, logs.jobs,
            logs.transfers, logs.steps, logs.sleeps, self.model, shadow, self.control,
        )  # fmt: skip
        self.start_job = start_job.bind(self.dev, logs.jobs)

    def grow_logs(self) -> None:
        """Make room in the logs, which are other arrays then."""
        self.logs.grow(self.dev)
        self.bind()

    def soft_clear(self) -> None:
        """A unit was told to forget what it keeps between jobs."""
        number = int(self.dev.word[d.CODE])
        self.ports[number].reset()
        if self.late:
            self.late.reset(number)

    def warn_of_lost_writes(self) -> None:
        """Warn of register writes that the published RTL would have lost."""
        for unit, lost in zip(self.units, self.dev.unit[:, d.LOST].tolist(), strict=True):
            if lost:
                self.warnings.append(
                    f"{unit.label}: {lost} register writes too close behind a soft clear were lost"
                )

    def report_accesses(self) -> None:
        """Hand the recorded accesses to who asked for them."""
        if self.accesses is None or self.log is None:
            return
        for core, used in enumerate(self.s[:, st.LOG_USED].tolist()):
            self.accesses(core, self.log[core, :used].copy())
        self.log[:, :, 5] = 0
        self.s[:, st.LOG_USED] = 0
        if self.sanitizer:
            self.sanitizer.shadow.checked[:] = 0

    def trigger(self) -> None:
        """A job was triggered: execute it, schedule its end."""
        dev = self.dev
        word = dev.word
        number, context = int(word[d.CODE]), int(word[d.CONTEXT])
        unit, port = self.units[number], self.ports[number]
        row, registers, core, tp = self.accessed(number)
        time = int(word[d.TRIGGER_TIME])
        before = int(row[d.job_at(1 - context) + d.JOB_DONE])
        trigger = Trigger(time, int(row[d.TRIGGER_GAP]), before)
        tcdm = self.memory_at_trigger()
        try:
            operands = self.contents(port, registers, tcdm, results=False)
            done, tcdm = self.executed(number, registers, tcdm, trigger, tp)
        except UnitFault as fault:
            self.halts.stop("unit", core, f"{fault}\n  {self.names.job(number, registers, tp)}")
        duration = done.cycles
        warnings = (*done.warnings, *port.notes())
        if self.job_observer is not None:
            values = tuple(int(value) & 0xFFFFFFFF for value in registers)
            results = self.contents(port, registers, tcdm, results=True)
            self.job_observer(
                JobRecord(unit.name, values, time, duration, operands, results, warnings)
            )
        stalled = 0
        if self.control[engine.CONTENTION]:
            model = self.model.unit[number]
            model[contention.RATE] = done.rate
            model[contention.EXPOSED] = done.exposed
            model[contention.TURNOVERS] = done.turnovers
            model[contention.BURST] = done.burst
            if not unit.long_jobs:
                duration = int(duration * model[contention.SLOW])
                stalled = duration - done.cycles
        job = self.jobs
        if job == len(self.logs.jobs):
            self.grow_logs()
        entry = self.logs.jobs[job]
        entry[0] = number
        entry[3] = tp
        entry[4] = core
        entry[5] = self.s[core, st.PC]
        entry[6] = done.work
        entry[7] = context
        entry[8:16] = registers
        entry[d.JOB_STALLED] = stalled
        entry[d.JOB_ACQUIRED_AT] = row[d.job_at(context) + d.JOB_ACQUIRED]
        entry[d.JOB_TRIGGERED_AT] = time
        entry[d.JOB_BYTES] = done.bytes
        self.jobs = job + 1
        word[d.JOB_USED] = job + 1
        self.work[number] += done.work
        self.warn(number, tp, warnings)
        self.unit_bytes += done.bytes
        if self.sanitizer:
            footprint = port.footprint(registers)
            unchecked = port.rewritten_from(registers)
            self.sanitizer.job(number, context, core, job, time, footprint, unchecked)
        if self.late:
            self.late.start(number, registers, trigger)
        self.start_job(job, number, context, duration)

    def executed(
        self, unit: int, registers: np.ndarray, tcdm: np.ndarray, trigger: Trigger, tp: int
    ) -> tuple[Execution, np.ndarray]:
        """Execute a job, or let it be executed until its done event; what it does, and the memory
        that holds its results, now or by then."""
        if self.aside is None or unit not in self.timing:
            return self.ports[unit].run(registers, tcdm, trigger), tcdm
        self.finish_aside(unit)
        expected = self.timing[unit].run(registers, tcdm, trigger)
        if expected.work < WORTH_IT:
            return self.ports[unit].run(registers, tcdm, trigger), tcdm
        self.aside.start(unit, registers, trigger, tp)
        return self.aside.outcome(unit) if self.job_observer else (expected, tcdm)

    def finish_aside(self, unit: int) -> None:
        """Have a unit's results in memory."""
        assert self.aside
        record, warnings = self.aside.finish(unit)
        self.warn(unit, record, warnings)

    def before_done(self, time: int) -> None:
        """Jobs end at a time: have done what they do."""
        if self.late:
            self.late.finish(time)
        elif self.aside:
            for unit in self.aside.ended(time):
                self.finish_aside(unit)

    def memory_at_trigger(self) -> np.ndarray:
        """The TCDM for a job at its trigger; with late effects a copy, to see how long it takes."""
        return self.cluster.tcdm.copy() if self.late else self.cluster.tcdm

    def accessed(self, unit: int) -> tuple[np.ndarray, np.ndarray, int, int]:
        """A unit's row, the job registers of the context just written to, the core that did it
        and its launch record's address."""
        row = self.dev.unit[unit]
        at = d.BANK + int(self.dev.word[d.CONTEXT]) * d.JOB_REGISTERS
        core = int(self.control[engine.CORE])
        tp = int(self.state.x[core, abi.RECORD_REGISTER]) & 0xFFFFFFFF
        return row, row[at : at + d.JOB_REGISTERS], core, tp

    def watched_write(self) -> None:
        """A register was written that the unit acts on at once, such as SoftEx's COMMANDS."""
        number, context = int(self.dev.word[d.CODE]), int(self.dev.word[d.CONTEXT])
        row, registers, core, tp = self.accessed(number)
        time = int(self.dev.word[d.TRIGGER_TIME])
        before = int(row[d.job_at(1 - context) + d.JOB_DONE])
        if self.late:
            self.late.written(number, registers, time, before)
        try:
            self.ports[number].written(registers, self.memory_at_trigger(), time, before)
        except UnitFault as fault:
            self.halts.stop("unit", core, f"{fault}\n  {self.names.job(number, registers, tp)}")

    def contents(
        self, port: UnitPort, registers: np.ndarray, tcdm: np.ndarray, *, results: bool
    ) -> tuple[tuple[int, bytes], ...]:
        """(address, bytes) of what a job reads or writes in the TCDM, if somebody wants it."""
        if self.job_observer is None:
            return ()
        base = self.machine.cluster.tcdm_base
        return tuple(
            (address, tcdm[address - base : address - base + size].tobytes())
            for address, size, writes in port.footprint(registers)
            if writes is results and address >= base
        )

    def warn(self, unit: int, tp: int, texts: tuple[str, ...]) -> None:
        """Note what the hardware may do otherwise, once a unit, layer and text."""
        for text in texts:
            line = f"{self.units[unit].label}, layer {self.names.layer(tp)}: {text}"
            if line not in self.warnings and len(self.warnings) < _MOST_WARNINGS:
                self.warnings.append(line)

    def slice(self) -> None:
        """Between slices: progress and the cycle limit."""
        now = int(self.control[engine.NOW])
        if now >= self.max_cycles:
            raise SimulationFault(
                "cycles", f"not finished after {now} cycles (limit {self.max_cycles})", cycle=now
            )
        self.control[engine.SLICE_END] = min(now + _SLICE, self.max_cycles)
        if self.progress is not None:
            self.progress(now)

    def progress_so_far(self) -> str:
        """Where the run stands: cycle, busy units, what each core is at."""
        now = self.control[engine.NOW] = int(self.s[:, st.CYCLE].max())
        so_far = self.result()
        cores = len(self.s)
        busy = {name: 100 * cycles // max(now, 1) for name, cycles in so_far.busy.items()}
        busy["cores"] //= cores
        lines = [
            f"interrupted at cycle {now:,}, after {so_far.counters.instructions:,} instructions, "
            f"{len(so_far.jobs)} jobs and {len(so_far.transfers)} transfers",
            "busy so far: " + ", ".join(f"{name} {share} %" for name, share in busy.items()),
        ]
        for core in range(cores):
            tp = int(self.state.x[core, abi.RECORD_REGISTER]) & 0xFFFFFFFF
            awake = int(self.dev.core[core, d.CORE_SLEEP]) == d.AWAKE
            pc = int(self.s[core, st.PC]) & 0xFFFFFFFF
            lines.append(
                f"core {core}: {'' if awake else 'asleep '}at pc {self.names.code(pc)}, "
                f"layer {self.names.layer(tp)}"
            )
        return "\n  ".join(lines)

    def result(self) -> RunResult:
        """What there is to tell of the run up to now."""
        dev, s = self.dev, self.s
        end = int(self.control[engine.NOW])
        asleep = dev.core[:, d.CORE_ASLEEP].copy()
        sleeping = dev.core[:, d.CORE_SLEEP] != d.AWAKE
        asleep[sleeping] += np.maximum(0, end - dev.core[sleeping, d.CORE_SINCE])
        active = np.maximum(0, end - asleep)
        self.logs.close(dev, self.machine.dma.queue, end)
        jobs = job_records(self.logs.jobs[: self.jobs])
        transfers = transfer_records(self.logs.transfers[: int(dev.word[d.DMA_USED])])
        busy = {"cores": int(active.sum())}
        for unit, row in zip(self.units, dev.unit, strict=True):
            running = max(0, end - int(row[d.STARTED])) if row[d.RUNNING] >= 0 else 0
            busy[unit.name] = int(row[d.BUSY]) + running
        for channel, name in enumerate(("dma_in", "dma_out")):
            mine = transfers[transfers["channel"] == channel]
            busy[name] = int((mine["end"] - mine["start"]).sum())
        moved = int(dev.channel[:, d.CHANNEL_BYTES].sum())
        core_accesses = int(s[:, st.TCDM_LOADS].sum() + s[:, st.TCDM_STORES].sum())
        l2_accesses = int(s[:, st.L2_ACCESSES].sum())
        counters = Counters(
            instructions=int(s[:, st.INSTRUCTIONS].sum()),
            core_active_cycles=int(active.sum()),
            core_asleep_cycles=int(asleep.sum()),
            units={
                unit.name: unit.energy.counted(section, work, busy[unit.name])
                for unit, work in zip(self.units, self.work, strict=True)
                if (section := self.machine.section(unit.name)) is not None
            },
            tcdm_bytes=4 * core_accesses + self.unit_bytes + moved,
            dma_bytes=moved,
            l2_bytes=moved + 4 * l2_accesses,
        )
        races: tuple[str, ...] = ()
        if self.sanitizer:
            self.sanitizer.collect(self.logs.jobs, self.logs.transfers)
            races = tuple(self.sanitizer.reports)
            self.warnings += self.sanitizer.warnings
        return RunResult(
            exit_code=int(dev.word[d.EXIT_CODE]),
            cycles=end,
            busy=busy,
            core_active=active,
            core_instructions=s[:, st.INSTRUCTIONS].copy(),
            core_stalls=s[:, st.STALL_CYCLES] + dev.core[:, d.CORE_STALLED],
            jobs=jobs,
            transfers=transfers,
            steps=step_records(self.logs.steps[: int(dev.word[d.STREAM_USED])]),
            sleeps=sleep_records(
                self.logs.sleeps[: int(dev.word[d.SLEEP_USED])], dev, self.state, end
            ),
            core_spent=core_spent(dev, self.state),
            counters=counters,
            warnings=tuple(self.warnings),
            races=races,
        )
