"""The units there are: what iterates over accelerators, or is given the name of one, asks here.

A unit is registered before a machine description with its section is read. Its number in the
simulator's arrays and logs is its place in :func:`units_of`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.units import control, event_unit
from softex_mlir.isa_sim.units.control import ControlPort
from softex_mlir.isa_sim.units.redmule_unit import REDMULE
from softex_mlir.isa_sim.units.softex_unit import SOFTEX
from softex_mlir.isa_sim.units.unit import Unit

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine

_units: dict[str, Unit] = {}


def register(unit: Unit) -> Unit:
    """Make a unit known; the same again is fine. Raises ValueError for one that cannot be."""
    if _units.get(unit.name) == unit:
        return unit
    offsets = list(unit.job_registers.values())
    expected = [offsets[0] + 4 * index for index in range(len(offsets))] if offsets else []
    problems = {
        f"the name '{unit.name}' is taken": unit.name in _units or unit.name in _RESERVED,
        f"event {unit.event} is taken or not among {_EVENTS.start}..{_EVENTS.stop - 1}": (
            unit.event not in _EVENTS or any(other.event == unit.event for other in units())
        ),
        f"job registers must be 1..{control.MOST_JOB_REGISTERS}, in order and 4 bytes apart, from "
        f"{control.FIRST_JOB_REGISTER:#x} on": not 1 <= len(offsets) <= control.MOST_JOB_REGISTERS
        or offsets != expected
        or not control.FIRST_JOB_REGISTER <= offsets[0] <= offsets[-1] <= control.BYTES - 4,
    }
    for problem, found in problems.items():
        if found:
            raise ValueError(f"unit '{unit.name}': {problem}")
    _units[unit.name] = unit
    return unit


def forget(unit: Unit) -> None:
    """Take a unit that was registered out again; machines that have one must not be used."""
    del _units[unit.name]


_RESERVED = (
    "name",
    "cluster",
    "core",
    "dma",
    "energy",
    "operating_points",
    "event_unit",
    "timeline",
)
_EVENTS = range(event_unit.EVENT_DMA + 1, event_unit.EVENT_BARRIER)


def units() -> tuple[Unit, ...]:
    """All of them, in the order of their registration."""
    return tuple(_units.values())


def unit(name: str) -> Unit:
    """The unit with a name. Raises :class:`UserError` if there is none."""
    if name not in _units:
        raise UserError(f"no unit '{name}': expected one of {', '.join(_units)}")
    return _units[name]


def units_of(machine: Machine) -> tuple[Unit, ...]:
    """The units of a machine by number: the standard ones, present or not, and what else it has."""
    return tuple(u for u in units() if u.standard or machine.section(u.name) is not None)


def control_ports(machine: Machine) -> dict[str, ControlPort]:
    """The control ports of the units that a machine has, by name."""
    sections = ((unit, machine.section(unit.name)) for unit in units_of(machine))
    return {unit.name: unit.control(section) for unit, section in sections if section is not None}


def number(machine: Machine, name: str) -> int:
    """The number of a unit of a machine."""
    return [u.name for u in units_of(machine)].index(name)


for _unit in (REDMULE, SOFTEX):
    register(_unit)
