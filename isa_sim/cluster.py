"""The cluster: eight cores, TCDM, L2, DMA and the accelerators, as one object to run programs on.

    cluster = Cluster(Machine.load("paper"))
    cluster.load_segment(address, data, memory_bytes, executable=True)
    cluster.set_entry(pc)
    result = cluster.run()

The loop itself is compiled (`isa_sim.engine`); Python takes part once a unit job: it executes
the job's arithmetic on TCDM and tells when the job ends. Deterministic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from softex_mlir import abi
from softex_mlir.errors import Interrupted
from softex_mlir.isa_sim import engine
from softex_mlir.isa_sim.contention import windows as contention
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.core.decode import PAGE_BYTES, DecodedCode
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.devices.events import job_at
from softex_mlir.isa_sim.devices.hwpe import start_job
from softex_mlir.isa_sim.devices.late import LateJobs
from softex_mlir.isa_sim.diagnosis import (
    AddressNames,
    Names,
    SimulationFault,
    access_fault,
    deadlock,
)
from softex_mlir.isa_sim.energy import Counters
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.records import (
    JOB,
    SLEEP,
    SPENT,
    STEP,
    TRANSFER,
    RunResult,
    core_spent,
    job_records,
    sleep_records,
    step_records,
    transfer_records,
)
from softex_mlir.isa_sim.units import registry
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.unit import Trigger, UnitPort

_FAULT_KINDS = {st.CAUSE_FETCH: "fetch", st.CAUSE_ILLEGAL: "illegal-instruction"}
_SLICE = 1 << 22
_LOG_ENTRIES = 4096
_END_OF_TIME = 1 << 60
_MOST_WARNINGS = 100

Effects = Literal["early", "late"]
"""When jobs and transfers read and write memory."""


@dataclass(frozen=True)
class JobRecord:
    """A unit's job as it was executed.

    Attributes:
        unit: its name.
        registers: the job registers in address order.
        trigger: cycle in which the trigger was accepted.
        cycles: from there (or from the end of the job before, if that came later) to the done
            event, memory granting every access.
        operands: (address, bytes) of what the job reads, before it.
        results: the same of what it writes, after it.
        warnings: quirks of the published RTL that it met.
    """

    unit: str
    registers: tuple[int, ...]
    trigger: int
    cycles: int
    operands: tuple[tuple[int, bytes], ...]
    results: tuple[tuple[int, bytes], ...]
    warnings: tuple[str, ...]


class Cluster:
    """One machine with its memories. Load a program, set the entry, run once."""

    def __init__(
        self,
        machine: Machine,
        symbolizer: AddressNames | None = None,
        *,
        contention: bool = True,
        l2: np.ndarray | None = None,
    ):
        """
        Args:
            machine: the hardware.
            symbolizer: names for addresses in error messages.
            contention: model bank conflicts in TCDM; without, memory grants every access.
            l2: contents of L2, as an earlier run left it; worked on in place. Default: zeros.
        """
        self.machine = machine
        self.symbolizer = symbolizer
        self.contention = contention
        description = machine.cluster
        self.tcdm = np.zeros(description.tcdm_bytes, np.uint8)
        # Pages are committed when touched, so a large L2 costs what the program uses.
        self.l2 = np.zeros(description.l2_bytes, np.uint8) if l2 is None else l2
        self.devices = d.make_devices(machine)
        self.state = st.make_state(machine, description.cores)
        self.program: DecodedCode | None = None
        self.written: list[tuple[int, int]] = []
        self._code: list[tuple[int, int]] = []
        self.entry: int | None = None

    def _span(self, address: int, size: int) -> np.ndarray:
        description = self.machine.cluster
        for base, memory in (
            (description.tcdm_base, self.tcdm),
            (description.l2_base, self.l2),
        ):
            if base <= address and address + size <= base + len(memory):
                return memory[address - base : address - base + size]
        raise SimulationFault(
            "unmapped",
            f"[{address:#x}, {address + size:#x}) is in no memory: expected TCDM "
            f"[{description.tcdm_base:#x}, {description.tcdm_base + len(self.tcdm):#x}) or L2 "
            f"[{description.l2_base:#x}, {description.l2_base + len(self.l2):#x})",
            cycle=0,
            address=address,
        )

    def write_memory(self, address: int, data: bytes | np.ndarray) -> None:
        """Copy bytes to an address in TCDM or L2."""
        array = np.frombuffer(data, np.uint8) if isinstance(data, bytes | bytearray) else data
        array = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        self._span(address, len(array))[:] = array
        self.written.append((address, len(array)))

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes at an address in TCDM or L2."""
        return self._span(address, size).tobytes()

    @property
    def loaded_l2(self) -> list[tuple[int, int]]:
        """(address, bytes) of what was loaded to L2, in order."""
        return sorted({span for span in self.written if span[0] >= self.machine.cluster.l2_base})

    def fill_never_written(self, pattern: bytes) -> None:
        """Fill what nothing was loaded to: all of TCDM but the counters, L2 between segments."""
        cluster = self.machine.cluster
        l2 = [(at, at + size) for at, size in self.loaded_l2]
        end = cluster.tcdm_base + cluster.tcdm_bytes
        loaded = sorted((at, at + size) for at, size in self.written)
        tcdm = [span for span in loaded if cluster.tcdm_base <= span[0] < end]
        counters = (cluster.tcdm_base, cluster.tcdm_base + abi.COUNTER_BYTES)
        for spans in ([counters, *tcdm, (end, end)], l2):
            covered = spans[0][1] if spans else 0
            for first, behind in spans[1:]:
                if first > covered:
                    hole = self._span(covered, first - covered)
                    hole[:] = np.resize(np.frombuffer(pattern, np.uint8), len(hole))
                covered = max(covered, behind)

    def load_segment(
        self, address: int, data: bytes, memory_bytes: int | None = None, executable: bool = False
    ) -> None:
        """Place a segment; what `memory_bytes` has beyond the data is zero."""
        size = len(data) if memory_bytes is None else memory_bytes
        self._span(address, size)
        if data:
            self.write_memory(address, data)
        self.written.append((address, size))
        if executable:
            self._make_executable(address - self.machine.cluster.l2_base, size, len(data))

    def _make_executable(self, offset: int, size: int, filled: int) -> None:
        """Let the cores execute a part of L2.

        What the file has of it is decoded now; the rest, and what the program writes, when reached.
        """
        if not 0 <= offset <= len(self.l2) - size:
            raise SimulationFault("entry", "code outside L2: cores fetch from L2 only", cycle=0)
        first, end = offset - offset % PAGE_BYTES, offset + size
        self._code.append((offset, filled))
        if self.program is not None:
            known = int(self.program.window[0])
            first, end = min(first, known), max(end, known + int(self.program.window[1]))
        cluster = self.machine.cluster
        self.program = DecodedCode.create(
            [(cluster.l2_base, cluster.l2_bytes, 0)], first, end - first
        )
        for start, length in self._code:
            self.program.decode_range(start, length, self.l2)

    @property
    def code_span(self) -> tuple[int, int]:
        """First address and bytes of what the segments hold of code."""
        if not self._code:
            return 0, 0
        first = min(start for start, _ in self._code)
        end = max(start + length for start, length in self._code)
        return first + self.machine.cluster.l2_base, end - first

    def set_entry(self, pc: int) -> None:
        """Where all cores start.

        Raises:
            SimulationFault: no instruction can be there.
        """
        if pc % 2:
            raise SimulationFault(
                "entry", f"the entry point {pc:#010x} is odd: no instruction is there", cycle=0
            )
        self.entry = pc

    def run(
        self,
        *,
        sanitize: bool = False,
        functional: bool = True,
        progress: Callable[[int], None] | None = None,
        max_cycles: int | None = None,
        accesses: Callable[[int, np.ndarray], None] | None = None,
        lenient: bool = False,
        jobs: Callable[[JobRecord], None] | None = None,
        effects: Effects = "early",
    ) -> RunResult:
        """Run from reset to the end of computation.

        Args:
            sanitize: watch every memory access for races (several times slower).
            functional: False skips the arithmetic of the accelerators; cycles stay the same.
            progress: called every few million cycles with the cycle reached.
            max_cycles: give up after so many cycles.
            accesses: called with a core and some of its loads and stores in order, int64
                [n, (pc, address, bytes, is a store, cycle)]; only without contention and
                without `sanitize`.
            lenient: what goes wrong between jobs of the published RTL (register writes lost
                behind a soft clear, state slots taken from a job in flight) happens, with a
                warning, instead of being a fault.
            jobs: called with every job of a unit after its execution.
            effects: when jobs and transfers read and write memory: "early", at their trigger, or
                "late", at their end. A program whose waits are right computes the same bits in
                the same cycles.

        Raises:
            SimulationFault: the program did something the hardware cannot do.
            Interrupted: the user pressed Ctrl-C.
        """
        if self.entry is None or self.program is None:
            raise SimulationFault(
                "entry", "no program: call load_segment(executable=True) and set_entry", cycle=0
            )
        run = _Run(
            self, sanitize, functional, progress, max_cycles, accesses, lenient, jobs, effects
        )
        try:
            return run.execute()
        except KeyboardInterrupt:
            raise Interrupted(run.progress_so_far()) from None


class _Run:
    """One run: owns the logs and answers the loop's calls for Python."""

    def __init__(
        self,
        cluster: Cluster,
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
        self.model = contention.make_model(cluster.machine)
        self.progress = progress
        self.max_cycles = max_cycles if max_cycles is not None else _END_OF_TIME
        self.dma_log = np.zeros((4096, d.DMA_LOG_COLUMNS), np.int64)
        self.stream_log = np.zeros((4096, d.STREAM_LOG_COLUMNS), np.int64)
        self.job_log = np.zeros((4096, d.JOB_LOG_COLUMNS), np.int64)
        self.sleep_log = np.zeros((4096, d.SLEEP_LOG_COLUMNS), np.int64)
        self.jobs = 0
        self.work = [0] * len(self.units)
        self.unit_bytes = 0
        self.warnings: list[str] = []
        self.control = np.zeros(engine.CONTROL_WORDS, np.int64)
        self.control[engine.WINDOW_END] = contention.WINDOW
        self.control[engine.RECORDS] = accesses is not None
        self.control[engine.SLICE_END] = min(_SLICE, self.max_cycles)
        self.control[engine.CONTENTION] = cluster.contention
        self.sanitizer: Any = None
        self.accesses = accesses
        self.log: np.ndarray | None = None
        if sanitize or accesses or cluster.contention:
            self.log = np.zeros((self.machine.cluster.cores, _LOG_ENTRIES, 5), np.int64)
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
        try:
            self.execute_to_end()
        except SimulationFault:
            if not (self.sanitizer and self.sanitizer.has_ended):
                raise
        if self.sanitizer:
            self.control[engine.NOW] = self.sanitizer.end(self.s)
        self.report_accesses()
        self.warn_of_lost_writes()
        return self.result()

    def execute_to_end(self) -> None:
        """Run until the program ends; with the race detector, as long behind as it watches."""
        cluster, dev, control = self.cluster, self.dev, self.control
        assert cluster.entry is not None
        self.s[:, st.PC] = cluster.entry
        shadow = self.sanitizer.shadow if self.sanitizer else None
        while True:
            reason = engine.run(
                dev, self.state, cluster.program, cluster.tcdm, cluster.l2, self.log,
                self.job_log, self.dma_log, self.stream_log, self.sleep_log, self.model, shadow,
                control,
            )  # fmt: skip
            if reason == engine.TRIGGER:
                self.trigger()
            elif reason == engine.SOFT_CLEAR:
                self.soft_clear()
            elif reason == engine.WATCHED_WRITE:
                self.watched_write()
            elif reason == engine.END:
                break
            elif reason == engine.JOB_DONE:
                assert self.late
                self.late.finish(int(control[engine.EFFECTS_TIME]))
            elif reason == engine.SLICE:
                self.slice()
            elif reason == engine.DMA_LOG_FULL:
                self.dma_log = _grown(self.dma_log, int(dev.word[d.DMA_USED]))
                self.stream_log = _grown(self.stream_log, int(dev.word[d.STREAM_USED]))
            elif reason == engine.SLEEP_LOG_FULL:
                self.sleep_log = _grown(self.sleep_log, int(dev.word[d.SLEEP_USED]))
            elif reason == engine.RACES:
                self.sanitizer.collect(self.job_log, self.dma_log)
            elif reason == engine.ACCESSES:
                self.report_accesses()
            elif reason == engine.DEADLOCK:
                self.deadlock()
            elif reason == engine.FAULT:
                self.access_fault()
            else:
                self.core_stop()

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
        self.s[:, st.LOG_USED] = 0

    def trigger(self) -> None:
        """A job was triggered: execute it, schedule its end."""
        dev = self.dev
        word = dev.word
        number, context = int(word[d.CODE]), int(word[d.CONTEXT])
        unit, port = self.units[number], self.ports[number]
        row, registers, core, tp = self.accessed(number)
        time = int(word[d.TRIGGER_TIME])
        before = int(row[job_at(1 - context) + d.JOB_DONE])
        trigger = Trigger(time, int(row[d.TRIGGER_GAP]), before)
        tcdm = self.memory_at_trigger()
        try:
            operands = self.contents(port, registers, tcdm, results=False)
            done = port.run(registers, tcdm, trigger)
        except UnitFault as fault:
            self.stop("unit", core, f"{fault}\n  {self.names.job(number, registers, tp)}")
            raise AssertionError("unreachable") from fault
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
        if self.jobs == len(self.job_log):
            self.job_log = _grown(self.job_log, self.jobs)
        job = self.jobs
        entry = self.job_log[job]
        entry[0] = number
        entry[3] = tp
        entry[4] = core
        entry[5] = self.s[core, st.PC]
        entry[6] = done.work
        entry[7] = context
        entry[8:16] = registers
        entry[d.JOB_STALLED] = stalled
        entry[d.JOB_ACQUIRED_AT] = row[job_at(context) + d.JOB_ACQUIRED]
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
        start_job(dev, number, context, duration, self.job_log, job)

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
        before = int(row[job_at(1 - context) + d.JOB_DONE])
        if self.late:
            self.late.written(number, registers, time, before)
        try:
            self.ports[number].written(registers, self.memory_at_trigger(), time, before)
        except UnitFault as fault:
            self.stop("unit", core, f"{fault}\n  {self.names.job(number, registers, tp)}")
            raise AssertionError("unreachable") from fault

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

    def where(self, core: int) -> tuple[int, str]:
        """PC and a text of where a core stands."""
        pc = int(self.s[core, st.FAULT_PC]) & 0xFFFFFFFF
        tp = int(self.state.x[core, abi.RECORD_REGISTER]) & 0xFFFFFFFF
        text = (
            f"core {core}, cycle {int(self.s[core, st.CYCLE])}, pc {self.names.code(pc)}: "
            f"{self.disassembly(pc)}, layer {self.names.layer(tp)}"
        )
        return pc, text

    def disassembly(self, pc: int) -> str:
        """The instruction at an address."""
        from softex_mlir.isa_sim.isa.encoding import disassemble

        try:
            word = int.from_bytes(self.cluster.read_memory(pc, 4), "little")
        except SimulationFault:
            return "(no memory)"
        if word & 3 != 3:
            word &= 0xFFFF
        try:
            return disassemble(word, pc)
        except (ValueError, KeyError):
            return f".word {word:#x}"

    def stop(self, kind: str, core: int, text: str, address: int | None = None) -> None:
        """Raise the fault of a core."""
        pc, where = self.where(core)
        raise SimulationFault(
            kind,
            f"{text}\n  {where}",
            cycle=int(self.s[core, st.CYCLE]),
            core=core,
            pc=pc,
            address=address,
        )

    def access_fault(self) -> None:
        core = int(self.control[engine.CORE])
        request = self.s[core, st.REQUEST : st.REQUEST + 4]
        tp = int(self.state.x[core, abi.RECORD_REGISTER]) & 0xFFFFFFFF
        kind, text = access_fault(self.dev, self.names, core, request, tp)
        self.stop(kind, core, text, int(request[0]) & 0xFFFFFFFF)

    def core_stop(self) -> None:
        core = int(self.control[engine.CORE])
        if self.control[engine.STATUS] == st.DECODE:
            # Code that a core wrote, or that no segment's data holds.
            assert self.cluster.program is not None
            pc = int(self.s[core, st.PC]) & 0xFFFFFFFF
            if self.cluster.program.decode_at(pc, self.cluster.l2):
                return
            self.s[core, st.FAULT_PC] = pc
            self.stop("fetch", core, f"{st.FAULT_TEXT[st.CAUSE_FETCH]} at {pc:#010x}", pc)
        code = int(self.s[core, st.FAULT_CODE])
        address = int(self.s[core, st.FAULT_ADDRESS]) & 0xFFFFFFFF
        text = st.FAULT_TEXT.get(code, f"stopped with code {code}")
        if code == st.CAUSE_FETCH:
            text += f" at {address:#010x}"
        self.stop(_FAULT_KINDS.get(code, "stopped"), core, text, address)

    def deadlock(self) -> None:
        state = self.state
        cycle = int(max(self.s[:, st.CYCLE].max(), self.dev.core[:, d.CORE_SINCE].max()))
        pcs = self.s[:, st.FAULT_PC].astype(np.int64) & 0xFFFFFFFF
        tps = state.x[:, abi.RECORD_REGISTER].astype(np.int64) & 0xFFFFFFFF
        counters = self.cluster.tcdm[: 4 * len(abi.STREAMS)].view(np.int32)
        machine = self.machine
        owners = abi.stream_cores(machine.cluster.cores, machine.redmule is not None)
        text = deadlock(self.dev, self.names, pcs, tps, counters, owners, cycle)
        raise SimulationFault("deadlock", text, cycle=cycle)

    def result(self) -> RunResult:
        dev, s = self.dev, self.s
        end = int(self.control[engine.NOW])
        asleep = dev.core[:, d.CORE_ASLEEP].copy()
        sleeping = dev.core[:, d.CORE_SLEEP] != d.AWAKE
        asleep[sleeping] += np.maximum(0, end - dev.core[sleeping, d.CORE_SINCE])
        active = np.maximum(0, end - asleep)
        self.close_logs(end)
        jobs = job_records(self.job_log[: self.jobs])
        transfers = transfer_records(self.dma_log[: int(dev.word[d.DMA_USED])])
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
            self.sanitizer.collect(self.job_log, self.dma_log)
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
            steps=step_records(self.stream_log[: int(dev.word[d.STREAM_USED])]),
            sleeps=sleep_records(
                self.sleep_log[: int(dev.word[d.SLEEP_USED])], dev, self.state, end
            ),
            core_spent=core_spent(dev, self.state),
            counters=counters,
            warnings=tuple(self.warnings),
            races=races,
        )

    def close_logs(self, end: int) -> None:
        """Let jobs and transfers that are under way at the end of the run end there."""
        for unit in range(len(self.units)):
            row = self.dev.unit[unit]
            for context in range(2):
                at = d.JOB + context * d.JOB_COLUMNS
                if row[at + d.JOB_STATE] == d.QUEUED:
                    entry = self.job_log[row[at + d.JOB_LOG]]
                    entry[1], entry[2] = min(entry[1], end), end
        for row in self.dev.channel:
            for index in range(row[d.CHANNEL_COUNT]):
                slot = (row[d.CHANNEL_HEAD] + index) % self.machine.dma.queue
                at = d.QUEUE + slot * d.TRANSFER_COLUMNS
                entry = self.dma_log[row[at + d.TRANSFER_LOG]]
                entry[1] = min(row[at + d.TRANSFER_BEGIN], end)
                entry[2] = min(row[at + d.TRANSFER_DONE], end)


def _grown(log: np.ndarray, used: int) -> np.ndarray:
    """The log with room for as many entries again, if it is more than half full."""
    if used < len(log) // 2:
        return log
    larger = np.zeros((2 * len(log), log.shape[1]), np.int64)
    larger[:used] = log[:used]
    return larger


__all__ = [
    "JOB",
    "SLEEP",
    "SPENT",
    "STEP",
    "TRANSFER",
    "Cluster",
    "RunResult",
    "SimulationFault",
]
