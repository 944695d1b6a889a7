"""The `hwpe` dialect: accesses to memory-mapped registers, by name.

Kernels end up as functions that write and read registers of the accelerators, of their core's DMA
and event unit, and of the timeline counters. The operations keep program order. Registers of the
accelerators are *banked*: a job is programmed into one of two contexts, which last held the job
before the previous one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from xdsl.dialects.builtin import I32, IntegerAttr, StringAttr, i32
from xdsl.ir import Attribute, Data, Dialect, Operation, SpacedOpaqueSyntaxAttribute, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException

from softex_mlir.dialects.cluster import STREAMS
from softex_mlir.dialects.target import machine_of
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import dma, event_unit, registry

DMA = "dma"
EVENT_UNIT = "event_unit"
TIMELINE = "timeline"


@cache
def _common_registers(unit: str) -> dict[str, int] | None:
    """The registers of what every cluster has."""
    if unit == DMA:
        return {name: offset for offset, name in dma.REGISTER_NAMES.items()}
    if unit == TIMELINE:
        return {stream.name: 4 * number for number, stream in enumerate(STREAMS)}
    if unit != EVENT_UNIT:
        return None
    named = {name: offset for offset, name in event_unit.REGISTER_NAMES.items()}
    for event in range(event_unit.SW_EVENTS):
        named[f"SW_EVENT_{event}"] = event_unit.SW_EVENT_TRIGGER + 4 * event
    for barrier in range(event_unit.BARRIERS):
        start = event_unit.BARRIER + barrier * event_unit.BARRIER_STRIDE
        for offset, name in event_unit.BARRIER_REGISTER_NAMES.items():
            named[f"BARRIER_{barrier}_{name}"] = start + offset
    return named


def units() -> tuple[str, ...]:
    """What has registers: the accelerators by the names of their sections, and the rest."""
    return (*(unit.name for unit in registry.units()), DMA, EVENT_UNIT, TIMELINE)


@irdl_attr_definition
class UnitAttr(Data[str], SpacedOpaqueSyntaxAttribute):
    """A unit with registers, by name: `#hwpe<unit softex>`."""

    name = "hwpe.unit"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> str:
        return parser.expect(
            lambda: parser.parse_optional_keyword_in(units()), f"expected {', '.join(units())}"
        )

    def print_parameter(self, printer: Printer) -> None:
        printer.print_string(self.data)

    def verify(self) -> None:
        if self.data not in units():
            raise VerifyException(f"no unit {self.data}: expected {', '.join(units())}")


def registers(unit: str) -> dict[str, int]:
    """The registers of a unit: name to byte offset from `base_address`."""
    return _common_registers(unit) or registry.unit(unit).registers


def base_address(unit: str, machine: Machine) -> int:
    """Byte address of a unit's first register, as the core that uses it sees it."""
    cluster = machine.cluster
    common = {
        DMA: cluster.peripheral_base + dma.ALIAS_OFFSET,
        EVENT_UNIT: cluster.peripheral_base + event_unit.ALIAS_OFFSET,
        TIMELINE: cluster.tcdm_base,
    }
    if unit in common:
        return common[unit]
    section = machine.section(unit)
    if section is None:
        raise VerifyException(f"this machine has no {registry.unit(unit).label}")
    return section.base


def register_address(unit: str, register: str, machine: Machine) -> int:
    """Byte address of a register."""
    return base_address(unit, machine) + registers(unit)[register]


@cache
def _named(unit: str, register: str) -> Mapping[str, Attribute]:
    """The properties of an access, which are made once: there are thousands of a few registers."""
    return {"unit": UnitAttr(unit), "register": StringAttr(register)}


class RegisterAccess(IRDLOperation):
    """An access to one register."""

    unit = prop_def(UnitAttr)
    """Whose register."""

    register = prop_def(StringAttr)
    """Its name."""

    @property
    def name_in_unit(self) -> tuple[str, str]:
        """Unit and name of the register."""
        return self.unit.data, self.register.data

    def address(self) -> int:
        """Byte address of the register on the module's machine."""
        return register_address(self.unit.data, self.register.data, machine_of(self))

    def verify_(self) -> None:
        known = registers(self.unit.data)
        if self.register.data not in known:
            raise VerifyException(
                f"{self.unit.data} has no register {self.register.data}; it has {', '.join(known)}"
            )


def job_registers(unit: str) -> frozenset[str]:
    """The registers of an accelerator that are banked by context; none for others."""
    return frozenset() if _common_registers(unit) else frozenset(registry.unit(unit).job_registers)


@irdl_op_definition
class WriteOp(RegisterAccess):
    """Write a register."""

    name = "hwpe.write"

    value = operand_def(I32)
    """The word to write."""

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$unit $register `,` $value attr-dict"

    def __init__(self, unit: str, register: str, value: SSAValue | Operation):
        Operation.__init__(self, operands=(SSAValue.get(value),), properties=_named(unit, register))


@irdl_op_definition
class ReadOp(RegisterAccess):
    """Read a register. Reads have effects: ACQUIRE takes a context, NEXT_ID starts a transfer."""

    name = "hwpe.read"

    value = result_def(I32)
    """The word read."""

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$unit $register attr-dict"

    def __init__(self, unit: str, register: str):
        Operation.__init__(self, properties=_named(unit, register), result_types=(i32,))


@irdl_op_definition
class WaitOp(RegisterAccess):
    """Read a register of the event unit and sleep until what it waits for has happened (`cv.elw`).

    EVENT_WAIT_CLEAR: until an event of MASK is latched; clears the latched ones. Events say that
    something may have changed, so the condition is checked again in a loop around this.
    BARRIER_<b>_TRIGGER_WAIT_CLEAR: arrive at the barrier, until all its cores have.
    """

    name = "hwpe.wait"

    value = result_def(I32)
    """The events that were latched."""

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$unit $register attr-dict"

    def __init__(self, register: str = "EVENT_WAIT_CLEAR"):
        Operation.__init__(self, properties=_named(EVENT_UNIT, register), result_types=(i32,))

    def verify_(self) -> None:
        super().verify_()
        if self.unit.data != EVENT_UNIT or "WAIT" not in self.register.data:
            raise VerifyException(
                "a core can sleep on EVENT_WAIT, EVENT_WAIT_CLEAR and BARRIER_<b>_TRIGGER_WAIT "
                f"registers of the event unit, found {self.unit.data} {self.register.data}"
            )


@irdl_op_definition
class DelayOp(IRDLOperation):
    """Let at least some cycles pass between the accesses before and after."""

    name = "hwpe.delay"

    cycles = prop_def(IntegerAttr[I32])
    """Cycles of the core's clock."""

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    assembly_format = "$cycles attr-dict"

    def __init__(self, cycles: int):
        super().__init__(properties={"cycles": IntegerAttr(cycles, i32)})


Hwpe = Dialect("hwpe", [DelayOp, ReadOp, WaitOp, WriteOp], [UnitAttr])
