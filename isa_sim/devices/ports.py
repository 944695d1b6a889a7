"""How the run loop uses the unit models: one port a unit, from job registers to a duration.

A port runs a job's arithmetic on TCDM and says how long the job takes from the acceptance of
its trigger, how many accesses a cycle it makes and what the energy model charges for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.machine import Machine

_COMMANDS = 3
_GELU_MODE = 1 << 8


def make_ports(
    machine: Machine, functional: bool, stalls: bool, *, strict: bool = True
) -> list[Any]:
    """The ports of a machine's units, indexed by `devices.state.REDMULE` and `SOFTEX`.

    `stalls`: memory may deny accesses, so SoftEx warns about rows that this could endanger.
    `strict`: what goes wrong between jobs of the published RTL is a fault; else it happens.
    """
    return [
        RedMulEPort(machine, functional, strict) if machine.redmule else None,
        SoftExPort(machine, functional, stalls, strict) if machine.softex else None,
    ]


class RedMulEPort:
    """RedMulE. `macs`, `bytes` and `warnings` are those of the last job."""

    def __init__(self, machine: Machine, functional: bool, strict: bool):
        from softex_mlir.isa_sim.units.redmule import RedMulE, start_delay

        self.unit = RedMulE(machine, strict=strict)
        # The tiler works behind the gap between MACFG and trigger; beyond this it is done.
        longest = start_delay(1, machine)
        self.delays = [start_delay(gap, machine) for gap in range(longest + 2)]
        self.machine = machine
        self.tcdm_base = machine.cluster.tcdm_base
        self.functional = functional
        self.rows = self.unit.unit.rows
        self.columns = self.unit.unit.tile_columns
        self.access_bytes = 2 * self.columns
        self.exposed = 0.0
        self.turnovers = 0.0
        self.burst = 0
        self.macs = 0
        self.bytes = 0
        self.warnings: tuple[str, ...] = ()

    def run(
        self, registers: np.ndarray, tcdm: np.ndarray, row: np.ndarray, time: int
    ) -> tuple[int, float]:
        """Cycles from trigger to done event, and port accesses a cycle.

        `row` is the unit's row of `Devices.unit`, before the job is started; `time` that of the
        trigger.
        """
        unit = self.unit
        cycles = unit.run(registers, tcdm, self.tcdm_base, functional=self.functional)
        gap = int(row[d.TRIGGER_GAP])
        self.macs = unit.last_macs
        self.bytes = unit.last_bytes
        self.warnings = unit.last_warnings
        rate = unit.last_bytes / (self.access_bytes * cycles)
        m, k = int(registers[3]) & 0xFFFF, int(registers[3]) >> 16 & 0xFFFF
        tiles = -(-m // self.rows) * -(-k // self.columns)
        fill = min(m, self.rows) + self.rows + self.unit.unit.columns
        self.exposed = (fill + self.rows) / cycles
        self.turnovers = max(0, tiles - 2) / cycles
        # X of the tile behind, Y of it, Z of the one before, and W meanwhile.
        self.burst = min(m, self.rows) + 3 * self.rows
        return cycles + self.delays[min(max(gap, 1), len(self.delays) - 1)], rate

    def footprint(self, registers: np.ndarray) -> list[tuple[int, int, bool]]:
        """(address, bytes, is write) of everything the job touches."""
        return self.unit.footprint(registers)

    def rewritten_from(self, registers: np.ndarray) -> int:
        """Address from which Z is read and rewritten whatever it holds: its rows behind M."""
        m, k = int(registers[3]) & 0xFFFF, int(registers[3]) >> 16 & 0xFFFF
        return int(registers[2]) + 2 * m * k

    def reset(self) -> None:
        """A soft clear."""
        self.unit.reset()


class SoftExPort:
    """SoftEx. `macs` is 0; `bytes` and `warnings` are those of the last job."""

    def __init__(self, machine: Machine, functional: bool, stalls: bool, strict: bool):
        from softex_mlir.isa_sim.units.softex import SoftEx

        self.unit = SoftEx(machine, strict=strict)
        self.tcdm_base = machine.cluster.tcdm_base
        self.functional = functional
        self.access_bytes = 2 * self.unit.lanes
        self.unit.memory_stalls = stalls
        self.exposed = 0.0
        self.turnovers = 0.0
        self.burst = 0
        self.macs = 0
        self.bytes = 0
        self.warnings: tuple[str, ...] = ()

    def run(
        self, registers: np.ndarray, tcdm: np.ndarray, row: np.ndarray, time: int
    ) -> tuple[int, float]:
        """Cycles from trigger to done event, and port accesses a cycle; see `RedMulEPort.run`."""
        unit = self.unit
        begin = max(time, _end(row, int(row[d.NEXT_CONTEXT])) - 1)
        cycles = unit.run(registers, tcdm, self.tcdm_base, self.functional, begin)
        self.bytes = unit.last_bytes
        self.warnings = (*unit.last_warnings, *unit.slots.warnings)
        unit.slots.warnings.clear()
        rate = unit.last_bytes / (self.access_bytes * cycles)
        # A softmax job waits for every access; a sum of several terms has time in between.
        terms = int(registers[_COMMANDS]) >> 16 & 0xFF
        hidden = int(registers[_COMMANDS]) & _GELU_MODE and terms > 2
        self.exposed = 0.0 if hidden else rate
        return cycles, rate

    def footprint(self, registers: np.ndarray) -> list[tuple[int, int, bool]]:
        """(address, bytes, is write) of everything the job touches."""
        return self.unit.footprint(registers)

    def rewritten_from(self, registers: np.ndarray) -> int:
        """None of SoftEx's operands."""
        return 0

    def reset(self) -> None:
        """A soft clear: state slots are lost, the load arbiter starts over."""
        self.unit.reset()

    def request_slot(
        self, registers: np.ndarray, tcdm: np.ndarray, row: np.ndarray, time: int
    ) -> None:
        """COMMANDS was written at `time` for a job with a state slot."""
        # Until its trigger, the context being programmed is the next one.
        self.unit.slots.postpone(_end(row, 1 - int(row[d.NEXT_CONTEXT])))
        self.unit.request_slot(registers, tcdm, self.tcdm_base, time)


def _end(row: np.ndarray, context: int) -> int:
    """Done event of the job that a context was given last."""
    return int(row[d.JOB + context * d.JOB_COLUMNS + d.JOB_DONE])
