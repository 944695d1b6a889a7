"""How long the cores take for what a stream does: register accesses, waits, launches, in cycles.

Instructions as the back end emits them, at the costs of the machine description.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from softex_mlir import abi
from softex_mlir.isa_sim.machine import Machine


@dataclass(frozen=True)
class Times:
    """Costs of a machine's cores around units and counters."""

    machine: Machine

    @cached_property
    def register(self) -> int:
        """A load or store of a register of a unit."""
        return self.machine.cluster.peripheral_latency_cycles

    @cached_property
    def record(self) -> int:
        """A word of a launch's record, which lies in L2."""
        return self.machine.cluster.l2_latency_cycles

    @cached_property
    def check(self) -> int:
        """Loading a counter, comparing it, going on."""
        core = self.machine.core
        return 1 + core.load_use_cycles + core.branch_taken_cycles

    @cached_property
    def poll(self) -> int:
        """Loading a status register, comparing it, going on."""
        return self.register + self.machine.core.branch_taken_cycles

    @cached_property
    def wake(self) -> int:
        """From an event to the check that follows it."""
        core = self.machine.core
        return core.event_wait_cycles + core.jump_cycles

    @cached_property
    def count(self) -> int:
        """Loading a counter, adding, storing it: what others see."""
        return 3 + self.machine.core.load_use_cycles

    @cached_property
    def barrier(self) -> int:
        """From the last arrival to the instruction behind it."""
        return self.machine.cluster.barrier_cycles + self.register

    @cached_property
    def team(self) -> int:
        """Cores of the compute stream."""
        machine = self.machine
        cores = abi.stream_cores(machine.cluster.cores, machine.redmule is not None)
        return len(cores[abi.COMPUTE])

    @cached_property
    def boot(self) -> float:
        """From reset to the first launch."""
        return 24 * self.fetch + 8 * self.register

    @cached_property
    def walk(self) -> int:
        """A launch in the table: its record's word of the stream."""
        core = self.machine.core
        return self.record + core.branch_taken_cycles + core.jump_cycles + 5

    @cached_property
    def call(self) -> int:
        """Calling a stream's function and returning, the mask of events to wait for."""
        return 2 * self.machine.core.jump_register_cycles + self.register + 2

    @cached_property
    def fetch(self) -> float:
        """An instruction's share of fetching its line the first time."""
        cluster = self.machine.cluster
        return 4 * cluster.icache_refill_cycles / cluster.icache_line_bytes

    @cached_property
    def iteration(self) -> int:
        """Counting and going back in a loop of a stream."""
        core = self.machine.core
        return 1 + core.branch_not_taken_cycles + core.jump_cycles

    @cached_property
    def branch(self) -> int:
        """A condition."""
        return self.machine.core.branch_not_taken_cycles + 1

    def division(self, divisor: int) -> int:
        """A quotient or a remainder."""
        core = self.machine.core
        return min(core.div_base_cycles + 32 - divisor.bit_length(), core.div_max_cycles)
