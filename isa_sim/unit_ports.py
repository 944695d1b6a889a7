"""How the run loop uses the unit models: one port a unit, from job registers to a duration.

A port runs a job's arithmetic on TCDM and says how long the job takes from the acceptance of
its trigger, how many accesses a cycle it makes and what the energy model charges for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from softex_mlir.isa_sim import peripherals as p
from softex_mlir.isa_sim.machine import Machine


def make_ports(machine: Machine, functional: bool) -> list[Any]:
    """The ports of a machine's units, indexed by `peripherals.REDMULE` and `SOFTEX`."""
    return [
        RedMulEPort(machine, functional) if machine.redmule else None,
        SoftExPort(machine, functional) if machine.softex else None,
    ]


class RedMulEPort:
    """RedMulE: `macs` and `bytes` are those of the last job."""

    def __init__(self, machine: Machine, functional: bool):
        from softex_mlir.isa_sim.units.redmule import RedMulE

        assert machine.redmule is not None
        self.unit = RedMulE(machine)
        self.description = machine.redmule
        self.tcdm_base = machine.cluster.tcdm_base
        self.functional = functional
        self.macs = 0
        self.bytes = 0

    def run(self, registers: np.ndarray, tcdm: np.ndarray, row: np.ndarray) -> tuple[int, float]:
        """Cycles from trigger to done event, and port accesses a cycle."""
        raise NotImplementedError

    def footprint(self, registers: np.ndarray) -> list[tuple[int, int, bool]]:
        """(address, bytes, is write) of everything the job touches."""
        raise NotImplementedError

    def reset(self) -> None:
        """A soft clear."""


class SoftExPort:
    """SoftEx: `macs` is 0, `bytes` those of the last job."""

    def __init__(self, machine: Machine, functional: bool):
        from softex_mlir.isa_sim.units.softex import SoftEx

        self.unit = SoftEx(machine)
        self.tcdm_base = machine.cluster.tcdm_base
        self.functional = functional
        self.macs = 0
        self.bytes = 0

    def run(self, registers: np.ndarray, tcdm: np.ndarray, row: np.ndarray) -> tuple[int, float]:
        """Cycles from trigger to done event, and port accesses a cycle."""
        raise NotImplementedError

    def footprint(self, registers: np.ndarray) -> list[tuple[int, int, bool]]:
        """(address, bytes, is write) of everything the job touches."""
        raise NotImplementedError

    def reset(self) -> None:
        """A soft clear."""


__all__ = ["RedMulEPort", "SoftExPort", "make_ports", "p"]
