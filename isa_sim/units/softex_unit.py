"""SoftEx as a unit of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from softex_mlir import abi
from softex_mlir.isa_sim.units import event_unit, softex_jobs, softex_section
from softex_mlir.isa_sim.units.common import JobOutcome, Memory
from softex_mlir.isa_sim.units.control import ControlPort
from softex_mlir.isa_sim.units.softex_jobs import Command
from softex_mlir.isa_sim.units.softex_section import SoftExDescription
from softex_mlir.isa_sim.units.unit import (
    Accesses,
    Basis,
    EnergySource,
    EnergyTerm,
    Execution,
    Trigger,
    Unit,
    UnitPort,
)

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine

_COMMANDS = 3


class SoftExPort:
    """SoftEx of a running cluster."""

    def __init__(self, machine: Machine, functional: bool, stalls: bool, strict: bool):
        from softex_mlir.isa_sim.units.softex import SoftEx

        self.unit = SoftEx(machine, strict=strict)
        self.unit.memory_stalls = stalls
        self.tcdm_base = machine.cluster.tcdm_base
        self.functional = functional

    def run(self, registers: Any, tcdm: Memory, trigger: Trigger) -> Execution:
        """Execute a job; one that is queued begins a cycle before the done event."""
        unit = self.unit
        begin = max(trigger.time, trigger.previous_end - 1)
        cycles = unit.run(registers, tcdm, self.tcdm_base, self.functional, begin)
        rate = unit.last_bytes / (2 * unit.lanes * cycles)
        # A softmax job waits for every access; a sum of several terms has time in between.
        commands = int(registers[_COMMANDS])
        hidden = commands & Command.GELU_MODE and commands >> 16 & 0xFF > 2
        exposed = 0.0 if hidden else rate
        return Execution(cycles, 0, unit.last_bytes, unit.last_warnings, rate=rate, exposed=exposed)

    def execute(self, words: tuple[int, ...], tcdm: Memory) -> JobOutcome:
        """Execute a job; the load arbiter has its first turn."""
        self.unit.loads = 0
        return self.unit.execute(softex_jobs.decode_words(words), tcdm, self.tcdm_base)

    def footprint(self, registers: Any) -> list[tuple[int, int, bool]]:
        """Operands, results, and what state slots moved."""
        return self.unit.footprint(registers)

    def rewritten_from(self, registers: Any) -> int:
        """None of the operands."""
        del registers
        return 0

    def reset(self) -> None:
        """State slots are lost, the load arbiter starts over."""
        self.unit.reset()

    def written(self, registers: Any, tcdm: Memory, time: int, end: int) -> None:
        """COMMANDS of a job with a state slot: the unit looks for it at once."""
        if end >= 0:
            self.unit.slots.postpone(end)
        self.unit.request_slot(registers, tcdm, self.tcdm_base, time)

    def notes(self) -> tuple[str, ...]:
        """What requests for state slots met."""
        slots = self.unit.slots
        notes = tuple(slots.warnings)
        slots.warnings.clear()
        return notes


def _port(machine: Machine, functional: bool, stalls: bool, strict: bool) -> UnitPort:
    return SoftExPort(machine, functional, stalls, strict)


def _control(unit: SoftExDescription) -> ControlPort:
    return ControlPort(
        queue_depth=unit.queue_depth,
        clear_cycles=0 if unit.checked_slots else softex_jobs.SOFT_CLEAR_CYCLES,
        keeps_state=True,
        watched=("COMMANDS", Command.ACC_ONLY | Command.DIV_ONLY),
    )


def _accesses(unit: SoftExDescription) -> Accesses:
    from softex_mlir.isa_sim.units import softex_accesses

    return softex_accesses.of(unit)


SOFTEX = Unit(
    name="softex",
    label="SoftEx",
    event=event_unit.EVENT_SOFTEX,
    stream=abi.COMPUTE,
    job_registers=softex_jobs.JOB_REGISTERS,
    section=SoftExDescription,
    ranges=softex_section.RANGES,
    describe=softex_jobs.describe,
    control=_control,
    port=_port,
    accesses=_accesses,
    energy=EnergyTerm(
        counted=lambda section, work, busy: section.lanes * busy,
        picojoules=lambda machine: machine.energy.softex_pj_per_lane_cycle,
        each="lane and cycle",
        source=EnergySource(Basis.fitted, "softmax gains as much energy as time, as published"),
    ),
    faults=softex_section.faults,
    unrecorded=softex_section.unrecorded,
    rtl="SoftEx 77f219d, gelu 8df9697",
    standard=True,
    remedy="more lanes, or fewer terms",
)
