"""The cluster: eight cores, TCDM, L2, DMA and the accelerators, as one object to run programs on.

    cluster = Cluster(Machine.load("paper"))
    cluster.load_segment(address, data, memory_bytes, executable=True)
    cluster.set_entry(pc)
    result = cluster.run()

Deterministic: the same program takes the same cycles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from softex_mlir import abi
from softex_mlir.errors import Interrupted
from softex_mlir.isa_sim.cluster_run import ClusterRun, Effects
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.core.decode import PAGE_BYTES, DecodedCode
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.diagnosis import AddressNames, SimulationFault
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.records import JobRecord, RunResult


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
                [n, (pc, address, bytes, is a store, cycle, value)], the value of accesses to
                counters and devices, 0 of others; only without contention.
            lenient: what goes wrong between jobs of the published RTL (register writes lost
                behind a soft clear, state slots taken from a job in flight) happens, with a
                warning, instead of being a fault.
            jobs: called with every job of a unit after its execution.
            effects: when jobs and transfers read and write memory: "early", at their trigger (a
                RedMulE job of many operations stores its results by its done event), or
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
        run = ClusterRun(
            self, sanitize, functional, progress, max_cycles, accesses, lenient, jobs, effects
        )
        try:
            return run.execute()
        except KeyboardInterrupt:
            raise Interrupted(run.progress_so_far()) from None
