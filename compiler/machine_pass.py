"""Passes whose result depends on the machine."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.passes import ModulePass

from softex_mlir.dialects.target import read_machine
from softex_mlir.isa_sim.machine import Machine


@dataclass(frozen=True)
class MachinePass(ModulePass):
    """A pass for a machine.

    `machine` is the name of a shipped one, a TOML file or its text; `tcdm` overrides the size of
    the TCDM in bytes, 0 keeps it.
    """

    machine: str = "paper"
    tcdm: int = 0

    @property
    def target(self) -> Machine:
        """The machine.

        Raises:
            UserError: there is none of that name, or the description is wrong.
        """
        machine = read_machine(self.machine)
        return machine.with_tcdm_bytes(self.tcdm) if self.tcdm else machine
