"""The race detector: every access to TCDM and L2 ordered by vector clocks, or reported.

Agents are the cores and, for every core, what it has started on the two accelerators and the two
DMA channels. What orders two agents:

* a store to a timeline counter (the first `abi.COUNTER_BYTES` of TCDM) releases, a load of it
  acquires; a software event likewise: the first one since the core took the last;
* a barrier orders all before it against all after it;
* a trigger or a DMA launch orders what the core did before against the job; the job against a core
  that observed its end: its event, DONE_ID, RUNNING_JOB, STATUS, FINISHED, or an ACQUIRE that gave
  the context. Work of one device is ordered as it was started, if the starts were ordered.

Two accesses to the same two bytes, one of them a write, that nothing orders are a race, whatever
the timing of this run was. So that a lucky order does not hide a missing wait, a core that looks at
a timeline word, or for the end of a job or transfer, is shown the oldest state that it may see, and
the next one only when it looks again; cycles with the detector are therefore not those without.
A store to a timeline word that does not know of the one before may undo it: a race as well. Behind
the end of a program the other cores go on for a while: what they still store may be cut off.

Reading what nobody wrote is reported too (initial images, inputs and .bss count as written; rows of
Z that RedMulE reads and rewrites behind M do not have to be): by a unit or DMA among the races, by
a core as a warning, since it may read ahead and drop the value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.diagnosis import Names
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.race import memory, order
from softex_mlir.isa_sim.race import state as k

MOST_REPORTS = 50
_TEXT = {
    k.READ_AFTER_WRITE: "reads what was written by",
    k.WRITE_AFTER_WRITE: "overwrites what was written by",
    k.WRITE_AFTER_READ: "overwrites what was read by",
}


class Sanitizer:
    """Shadow state of one run. `reports` holds the races found, in words, first ones first."""

    def __init__(
        self,
        machine: Machine,
        devices: d.Devices,
        written: list[tuple[int, int]],
        code: tuple[int, int],
        counters: np.ndarray,
        names: Names,
    ):
        """
        Args:
            written: (address, bytes) of what is in the memories before the run.
            code: (first address, bytes) of what the cores may execute.
            counters: the timeline words before the run.
        """
        description = machine.cluster
        self.dev = devices
        self.names = names
        self.cores = description.cores
        self.reports: list[str] = []
        self.warnings: list[str] = []
        self._seen: set[tuple[int, ...]] = set()
        self._jobs: Any = None
        self._dma_log: Any = None
        base = description.l2_base
        ends = [address + size - base for address, size in written if address >= base]
        watched = min(max(ends, default=0) + k.L2_BEHIND, description.l2_bytes)
        self.shadow = k.make_shadow(machine, watched)
        self.shadow.word[k.CODE : k.CODE + 2] = code
        self.shadow.store_first[:] = counters
        self.shadow.writer[: abi.COUNTER_BYTES // k.GRANULE] = k.INITIAL
        for address, size in written:
            in_l2 = address >= base
            shadow = self.shadow.l2_writer if in_l2 else self.shadow.writer
            first = address - (base if in_l2 else description.tcdm_base)
            shadow[first // k.GRANULE : -(-(first + size) // k.GRANULE)] = k.INITIAL

    def job(
        self,
        unit: int,
        context: int,
        core: int,
        number: int,
        time: int,
        footprint: list[tuple[int, int, bool]],
        unchecked: int,
    ) -> None:
        """A unit's job begins: check what it touches.

        Args:
            number: the job's row in the job log.
            footprint: (address, bytes, is write) of its operands.
            unchecked: of the reads, this address is read and rewritten whatever it holds from
                here on (RedMulE's rows of Z behind M); 0 for none.
        """
        agent = int(order.start_job(self.shadow, unit, context, core))
        site = time << 32 | number
        for address, size, write in footprint:
            known = size
            if not write and unchecked and address < unchecked <= address + size:
                known = unchecked - address
            memory.check(self.shadow, agent, site, address, size, write, known)

    @property
    def has_ended(self) -> bool:
        """Whether the program ended; the other cores go on behind that for a while."""
        return int(self.shadow.word[k.ENDED_BY]) >= 0

    def end(self, s: Any) -> int:
        """Report what the end may have cut off; the cycle of the end.

        Args:
            s: the state of the cores (`core.state`).
        """
        order.after_end(self.shadow)
        by, at = self.shadow.word[k.ENDED_BY], self.shadow.word[k.ENDED_AT]
        s[by, st.CYCLE] = at
        return int(at)

    def collect(self, jobs: Any, dma_log: Any) -> None:
        """Turn the compiled part's reports into words; the logs name jobs and transfers."""
        self._jobs, self._dma_log = jobs, dma_log
        word = self.shadow.word
        for row in self.shadow.report[: int(word[k.REPORTS])]:
            kind, address, agent, site, other, other_site = (int(value) for value in row)
            if kind == k.WRITE_AFTER_L2_READ:
                kind, other_site = k.WRITE_AFTER_READ, self._launch_of(other, other_site)
            key = (kind, *self._identity(agent, site), *self._identity(other, other_site))
            if key in self._seen or len(self.reports) + len(self.warnings) >= MOST_REPORTS:
                continue
            self._seen.add(key)
            text = self._describe(kind, address, agent, site, other, other_site)
            # A core may read ahead and drop the value; units and DMA use what they read.
            harmless = kind == k.UNINITIALISED and agent < self.cores
            (self.warnings if harmless else self.reports).append(text)
        word[k.REPORTS] = word[k.RACE_FOUND] = 0

    def _device(self, agent: int) -> int:
        """The device that an agent's work runs on (`race.state`); -1 for a core."""
        return -1 if agent < self.cores else int(self.shadow.slot_device[agent - self.cores])

    def _launch_of(self, agent: int, clock: int) -> int:
        """Site of the transfer of channel 0 that an agent made its clock with: one tick each."""
        core = int(self.shadow.slot_core[agent - self.cores])
        mine = (
            (self._dma_log[:, 3] == 0) & (self._dma_log[:, 5] == core) & (self._dma_log[:, 2] > 0)
        )
        number = np.flatnonzero(mine)[clock - 1]
        return int(self._dma_log[number, 0]) << 32 | int(number)

    def _tp(self, agent: int, site: int) -> int:
        number = site & 0xFFFFFFFF
        device = self._device(agent)
        if device < 0:
            return 0
        if device >= k.FIRST_UNIT:
            return int(self._jobs[number, 3])
        return int(self._dma_log[number, 6]) & 0xFFFFFFFF

    def _identity(self, agent: int, site: int) -> tuple[int, int]:
        """What makes two sites the same for a reader: the instruction, or the job's layer."""
        if agent < 0:
            return -1, 0
        if agent < self.cores:
            return 0, site & 0xFFFFFFFF
        return agent, self._tp(agent, site)

    def _who(self, agent: int, site: int) -> str:
        cycle, number = site >> 32, site & 0xFFFFFFFF
        device = self._device(agent)
        if device < 0:
            return f"core {agent} at cycle {cycle}, pc {self.names.code(number)}"
        layer = self.names.layer(self._tp(agent, site))
        if device >= k.FIRST_UNIT:
            name = self.names.units[device - k.FIRST_UNIT].label
            return f"{name} job {number} triggered at cycle {cycle}, layer {layer}"
        row = self._dma_log[number]
        transfer = self.names.transfer(row[7:16], self._tp(agent, site))
        return (
            f"DMA {('in', 'out')[device]} transfer {int(row[4])} launched at cycle "
            f"{cycle}, layer {layer} ({transfer})"
        )

    def _describe(
        self, kind: int, address: int, agent: int, site: int, other: int, other_site: int
    ) -> str:
        if kind == k.ENDS_BEFORE:
            if other < self.cores:
                return (
                    f"{self._who(agent, site)} ends the program, and nothing makes it wait for the "
                    f"store of {self._who(other, other_site)}: a counter, an event or a barrier "
                    "has to lie between them"
                )
            device = self._device(other)
            work = "DMA transfer"
            if device >= k.FIRST_UNIT:
                work = f"{self.names.units[device - k.FIRST_UNIT].label} job"
            return (
                f"{self._who(agent, site)} ends the program, and the last {work} that core "
                f"{int(self.shadow.slot_core[other - self.cores])} started may be under way: wait "
                "for its done event first"
            )
        tp = self._tp(agent, site) or (self._tp(other, other_site) if other >= 0 else 0)
        where = self.names.data(address, tp)
        if kind == k.COUNTER_OVERWRITTEN:
            return (
                f"{self._who(agent, site)} writes the timeline counter at {where}: "
                "only stores of cores order what others do"
            )
        if kind == k.CODE_OVERWRITTEN:
            return f"{self._who(agent, site)} writes over code, at {where}"
        if kind == k.UNINITIALISED:
            return f"read of never-written memory at {where}: {self._who(agent, site)}"
        if agent >= self.cores and other >= self.cores:
            advice = "a core has to observe the end of the first before it starts the second"
        elif agent >= self.cores:
            advice = "it has to be started after a counter, event or barrier of the other core"
        elif other >= self.cores:
            advice = "wait for its done event, or for a counter advanced after it"
        else:
            advice = "a counter, an event or a barrier has to lie between them"
        return (
            f"race at {where}: {self._who(agent, site)} {_TEXT[kind]} "
            f"{self._who(other, other_site)}, and nothing orders the two: {advice}"
        )
