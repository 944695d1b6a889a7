"""Which machine a module is for: the `cluster.machine` attribute of its outermost operation."""

from __future__ import annotations

from functools import lru_cache

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation

from softex_mlir import abi
from softex_mlir.isa_sim.machine import Machine

MACHINE_ATTRIBUTE = "cluster.machine"
"""Name of a shipped machine (`"paper"`), or the whole description as TOML text."""


@lru_cache(maxsize=32)
def read_machine(text: str) -> Machine:
    """The machine with this name, or described by this TOML text."""
    return Machine.from_toml(text) if "\n" in text else Machine.load(text)


def machine_text(machine: Machine) -> str:
    """What `read_machine` reads this machine from: the name of a shipped one, or TOML text."""
    try:
        shipped = read_machine(machine.name) == machine
    except ValueError:
        shipped = False
    return machine.name if shipped else machine.to_toml()


def set_machine(module: Operation, machine: Machine) -> None:
    """Record the machine a module is compiled for."""
    module.attributes[MACHINE_ATTRIBUTE] = StringAttr(machine_text(machine))


def machine_of(op: Operation) -> Machine:
    """The machine of the module around `op`; `paper` when the module does not say."""
    top = op
    while (parent := top.parent_op()) is not None:
        top = parent
    text = top.attributes.get(MACHINE_ATTRIBUTE)
    return read_machine(text.data if isinstance(text, StringAttr) else "paper")


def team_cores(machine: Machine) -> range:
    """The cores of the compute team: all that drive no other stream. The first one leads."""
    return abi.stream_cores(machine.cluster.cores, machine.redmule is not None)[abi.COMPUTE]
