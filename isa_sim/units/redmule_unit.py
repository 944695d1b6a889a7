"""RedMulE as a unit of the cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from softex_mlir import abi
from softex_mlir.isa_sim.units import event_unit, redmule, redmule_section
from softex_mlir.isa_sim.units.common import JobOutcome, Memory
from softex_mlir.isa_sim.units.control import ControlPort
from softex_mlir.isa_sim.units.redmule_section import RedMulEDescription
from softex_mlir.isa_sim.units.unit import (
    Accesses,
    Basis,
    EnergySource,
    EnergyTerm,
    Execution,
    Trigger,
    Unit,
)

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine


class RedMulEPort:
    """RedMulE of a running cluster."""

    def __init__(self, machine: Machine, functional: bool, stalls: bool, strict: bool):
        del stalls  # its buffers hide or show them: the contention model's part
        self.unit = redmule.RedMulE(machine, strict=strict)
        # The tiler works behind the gap between MACFG and trigger; beyond this it is done.
        longest = redmule.start_delay(1, machine)
        self.delays = [redmule.start_delay(gap, machine) for gap in range(longest + 2)]
        self.tcdm_base = machine.cluster.tcdm_base
        self.functional = functional
        self.rows = self.unit.unit.rows
        self.columns = self.unit.unit.tile_columns

    def run(self, registers: Any, tcdm: Memory, trigger: Trigger) -> Execution:
        """Execute a job; the sizes say where the array waits for its port."""
        unit = self.unit
        words = registers[: len(redmule.JOB_REGISTERS)]
        cycles = unit.run(words, tcdm, self.tcdm_base, functional=self.functional)
        m, k = int(registers[3]) & 0xFFFF, int(registers[3]) >> 16 & 0xFFFF
        tiles = -(-m // self.rows) * -(-k // self.columns)
        fill = min(m, self.rows) + self.rows + self.unit.unit.columns
        return Execution(
            cycles + self.delays[min(max(trigger.gap, 1), len(self.delays) - 1)],
            unit.last_macs,
            unit.last_bytes,
            unit.last_warnings,
            rate=unit.last_bytes / (2 * self.columns * cycles),
            exposed=(fill + self.rows) / cycles,
            turnovers=max(0, tiles - 2) / cycles,
            # X of the tile behind, Y of it, Z of the one before, and W meanwhile.
            burst=min(m, self.rows) + 3 * self.rows,
        )

    def execute(self, words: tuple[int, ...], tcdm: Memory) -> JobOutcome:
        """Execute a job whose trigger comes a cycle after the write to MACFG."""
        outcome = self.unit.execute(redmule.decode_words(words), tcdm, self.tcdm_base)
        return replace(outcome, cycles=outcome.cycles + self.delays[1])

    def footprint(self, registers: Any) -> list[tuple[int, int, bool]]:
        """Operands and result, with all of Z's rows."""
        return self.unit.footprint(registers)

    def rewritten_from(self, registers: Any) -> int:
        """Z's rows behind M."""
        m, k = int(registers[3]) & 0xFFFF, int(registers[3]) >> 16 & 0xFFFF
        return int(registers[2]) + 2 * m * k

    def reset(self) -> None:
        """Nothing outlives a job."""

    def written(self, registers: Any, tcdm: Memory, time: int, end: int) -> None:
        """No register is watched."""

    def notes(self) -> tuple[str, ...]:
        """Nothing happens between jobs."""
        return ()


def _control(unit: RedMulEDescription) -> ControlPort:
    return ControlPort(
        queue_depth=unit.queue_depth,
        # The register file returns its data a cycle early.
        readable=False,
        implicit_acquire=True,
        commits=True,
        starting_register="MACFG",
        starting_last=unit.macfg_last,
        needs_clear=unit.requires_soft_clear,
        clear_cycles=unit.soft_clear_cycles,
    )


def _accesses(unit: RedMulEDescription) -> Accesses:
    from softex_mlir.isa_sim.units import redmule_accesses

    return redmule_accesses.of(unit)


REDMULE = Unit(
    name="redmule",
    label="RedMulE",
    event=event_unit.EVENT_REDMULE,
    stream=abi.REDMULE,
    job_registers=redmule.JOB_REGISTERS,
    section=RedMulEDescription,
    ranges=redmule_section.RANGES,
    describe=redmule.describe,
    control=_control,
    port=RedMulEPort,
    accesses=_accesses,
    energy=EnergyTerm(
        counted=lambda section, work, busy: work,
        picojoules=lambda machine: machine.energy.redmule_pj_per_mac,
        each="multiply-accumulate",
        source=EnergySource(
            Basis.fitted, "on the published efficiency, given a core instruction's"
        ),
    ),
    faults=redmule_section.faults,
    inherited=redmule_section.inherited,
    short_forms={"shape": redmule_section.SHAPE},
    unrecorded=redmule_section.unrecorded,
    rtl="RedMulE 2.0.4 (51cd064)",
    standard=True,
    aside=True,
    long_jobs=True,
    remedy="a larger array",
)
