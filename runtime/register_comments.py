"""What each access of a program's code to a register of a unit means, from the code alone.

Constants, words of the launch record and registers of the units are followed through each function
as far as they are the same on every way; a trigger is described where all that describes its job is
known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from softex_mlir import abi
from softex_mlir.dialects import hwpe
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.isa.encoding import Decoded
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import control, event_unit, registry

Value = int | str | None
"""Of a register: a number, in words, or unknown."""
Bank = Mapping[str, Value]
"""What is known of a context's registers, by name."""

_DECIMAL = 1 << 16
"""Larger numbers are addresses or several fields: hexadecimal."""
_MASK = 0xFFFFFFFF
_STORES = ("sw", "sh", "sb")
_LOADS = ("lw", "cv.elw")


@dataclass(frozen=True)
class KnownRegisters:
    """What is known of one unit's registers.

    Attributes:
        banks: of both contexts; if not `absolute`, the one programmed now and the other one.
        next: the context that is programmed now, if known.
        absolute: whether it is known which context is the first one.
    """

    banks: tuple[Bank, Bank] = ({}, {})
    next: int | None = 0
    absolute: bool = False

    @property
    def now(self) -> Bank:
        """What is known of the context that is programmed."""
        return {} if self.next is None else self.banks[self.next]

    def written(self, name: str, value: Value) -> KnownRegisters:
        """Behind a write of a job register."""
        if self.next is None:
            first, second = ({k: v for k, v in b.items() if k != name} for b in self.banks)
            return replace(self, banks=(first, second))
        banks = [*self.banks]
        banks[self.next] = {**banks[self.next], name: value}
        return replace(self, banks=(banks[0], banks[1]))

    def triggered(self) -> KnownRegisters:
        """Behind a trigger."""
        if self.absolute:
            return replace(self, next=None if self.next is None else 1 - self.next)
        return replace(self, banks=(self.banks[1], self.banks[0]))

    def cleared(self, value: Value) -> KnownRegisters:
        """Behind a soft clear: the first context is programmed next, and 0 wipes both."""
        if value == 0 or not isinstance(value, int):
            return KnownRegisters(absolute=True)
        if self.absolute:
            return replace(self, next=0)
        common = _common(*self.banks)
        return KnownRegisters((common, common), 0, True)

    def relative(self) -> KnownRegisters:
        """The same without knowing which context is the first one."""
        if not self.absolute:
            return self
        if self.next is None:
            common = _common(*self.banks)
            return KnownRegisters((common, common))
        return KnownRegisters((self.banks[self.next], self.banks[1 - self.next]))

    def meet(self, other: KnownRegisters) -> KnownRegisters:
        """What is known either way."""
        one = self
        if not (self.absolute and other.absolute):
            one, other = self.relative(), other.relative()
        first, second = map(_common, one.banks, other.banks)
        return KnownRegisters(
            (first, second), one.next if one.next == other.next else None, one.absolute
        )


def _common(one: Bank, other: Bank) -> Bank:
    return {name: value for name, value in one.items() if other.get(name) == value}


@dataclass(frozen=True)
class State:
    """What is known before an instruction."""

    cores: tuple[Value, ...] = (0, *(None,) * 31)
    """Integer registers."""
    units: Mapping[str, KnownRegisters] = field(default_factory=dict[str, KnownRegisters])

    def meet(self, other: State) -> State:
        """What is known either way."""
        cores = tuple(a if a == b else None for a, b in zip(self.cores, other.cores, strict=True))
        names = self.units.keys() | other.units.keys()
        return State(cores, {name: self.of(name).meet(other.of(name)) for name in names})

    def of(self, unit: str) -> KnownRegisters:
        """What is known of a unit."""
        return self.units.get(unit, KnownRegisters())

    def with_core(self, register: int, value: Value) -> State:
        """With another value in an integer register."""
        if register == 0:
            return self
        cores = (*self.cores[:register], value, *self.cores[register + 1 :])
        return replace(self, cores=cores)


@dataclass(frozen=True)
class Commenter:
    """Comments on the accesses of a program's functions.

    Attributes:
        machine: the program's.
        place: address, while a function runs, to the name of what lies there.
    """

    machine: Machine
    place: Callable[[int], str]

    @cached_property
    def registers(self) -> dict[int, tuple[str, str]]:
        """Unit and name of each register, by address."""
        found: dict[int, tuple[str, str]] = {}
        for unit in hwpe.units():
            if unit in hwpe_accelerators() and self.machine.section(unit) is None:
                continue
            for name in hwpe.registers(unit):
                found.setdefault(hwpe.register_address(unit, name, self.machine), (unit, name))
        return found

    def comments(self, code: Sequence[tuple[int, Decoded | None]]) -> Iterator[tuple[int, str]]:
        """Address and comment of each access in a function, given by its instructions."""
        for (address, decoded), state in zip(code, _states(code, self), strict=True):
            if decoded is None or state is None:
                continue
            if (comment := self.comment(decoded, state)) is not None:
                yield address, comment

    def access(self, decoded: Decoded, state: State) -> tuple[str, str] | None:
        """The register of a unit that an instruction accesses."""
        if decoded.instruction.name not in (*_STORES, *_LOADS):
            return None
        base = state.cores[decoded.operands["rs1"]]
        if not isinstance(base, int):
            return None
        return self.registers.get(base + decoded.operands["imm"] & _MASK)

    def comment(self, decoded: Decoded, state: State) -> str | None:
        """What an instruction does to a unit, or reads of the launch record."""
        name, operands = decoded.instruction.name, decoded.operands
        if name == "lw" and operands["rs1"] == abi.RECORD_REGISTER:
            return f"launch record: {_record_word(operands['imm'] // 4)}"
        found = self.access(decoded, state)
        if found is None:
            return None
        unit, register = found
        if unit == hwpe.DMA and register.startswith("NEXT_ID"):
            return f"{unit}.{register}: start {self.transfer(state)}"
        if name in _LOADS:
            return f"{unit}.{register}{_meaning(unit, register)}"
        value = state.cores[operands["rs2"]]
        if unit in hwpe_accelerators() and register == "TRIGGER" and value == 0:
            return f"{unit}.TRIGGER: start {self.job(unit, state)}"
        shown = "" if value is None else f" = {self.shown(register, value)}"
        return f"{unit}.{register}{shown}{_meaning(unit, register)}"

    def shown(self, register: str, value: int | str) -> str:
        """The value of a register for people."""
        if isinstance(value, str):
            return value
        if register.endswith("ADDR"):
            return self.place(value)
        return f"{value}" if value < _DECIMAL else f"{value:#x}"

    def job(self, unit: str, state: State) -> str:
        """The job in the context that is programmed: its description if that is certain."""
        kind = registry.unit(unit)
        now = state.of(unit).now
        known = {name: now.get(name) for name in kind.job_registers}
        numbers = {n: v for n, v in known.items() if isinstance(v, int)}
        texts: set[str] = set()
        for filler in (0, _MASK, 0x5A5A5A5A):
            try:
                texts.add(kind.describe({n: numbers.get(n, filler) for n in known}))
            except (UserError, ValueError, KeyError, ArithmeticError):
                return "the job"
        addresses = (
            f"{name} {self.shown(name, value)}"
            for name, value in known.items()
            if name.endswith("ADDR") and value is not None
        )
        return ", ".join([texts.pop() if len(texts) == 1 else "the job", *addresses])

    def transfer(self, state: State) -> str:
        """The transfer in the DMA's descriptor."""

        descriptor = state.of(hwpe.DMA).now
        # Functions find and leave the repetitions at 1.
        length, *repetitions = (descriptor.get(name) for name in ("LENGTH", "REPS_2", "REPS_3"))
        text = "a transfer"
        if isinstance(length, int):
            times = [f"{many}" for many in repetitions if isinstance(many, int) and many != 1]
            text = f"a transfer of {' x '.join([f'{length}', *times])} bytes"
        for word, name in (("from", "SRC_ADDR"), ("to", "DST_ADDR")):
            value = descriptor.get(name)
            if value is not None:
                text += f" {word} {self.shown(name, value)}"
        return text

    def after(self, decoded: Decoded, state: State) -> State:
        """What is known behind an instruction."""
        operands, layout = decoded.operands, decoded.instruction.layout
        state = self.written(decoded, state)
        if "rs1" in operands and decoded.instruction.format in ("PLOAD", "PSTORE"):
            state = state.with_core(operands["rs1"], None)
        if "rd" not in operands or layout.fields["rd"].kind != "x":
            return state
        return state.with_core(operands["rd"], _result(decoded, state))

    def written(self, decoded: Decoded, state: State) -> State:
        """The units' registers behind an instruction."""
        found = self.access(decoded, state)
        if found is None or decoded.instruction.name in _LOADS:
            return state
        unit, register = found
        value = state.cores[decoded.operands["rs2"]]
        registers = state.of(unit)
        if unit in hwpe_accelerators() and register == "TRIGGER":
            registers = registers.triggered()
        elif unit in hwpe_accelerators() and register == "SOFT_CLEAR":
            registers = registers.cleared(value)
        else:
            registers = registers.written(register, value)
        return replace(state, units={**state.units, unit: registers})


def hwpe_accelerators() -> tuple[str, ...]:
    """The units that take jobs."""
    return tuple(unit.name for unit in registry.units())


def _record_word(index: int) -> str:
    if index < abi.BASE_WORD:
        return f"entry of {abi.STREAMS[index]}"
    if index < abi.ARGUMENT_WORD:
        return f"counter of {abi.STREAMS[index - abi.BASE_WORD]} at the start"
    return f"argument {index - abi.ARGUMENT_WORD}"


def _meaning(unit: str, register: str) -> str:
    """What a register does that its name does not say."""
    if unit == hwpe.EVENT_UNIT and register.startswith("SW_EVENT_"):
        event = int(register.removeprefix("SW_EVENT_"))
        return f": {event_unit.EVENT_NAMES.get(event, '')}" if event < len(abi.STREAMS) else ""
    if unit == hwpe.EVENT_UNIT and "WAIT" in register:
        return ": sleep until all arrived" if "TRIGGER" in register else ": sleep until an event"
    if unit == hwpe.DMA and register.startswith("DONE_ID"):
        return ": last transfer done"
    if unit in hwpe_accelerators() and hwpe.registers(unit)[register] == control.ACQUIRE:
        return ": take the next context"
    return ""


def _result(decoded: Decoded, state: State) -> Value:
    """What an instruction writes to its destination."""
    name, operands = decoded.instruction.name, decoded.operands
    first = state.cores[operands["rs1"]] if "rs1" in operands else None
    if name == "lui":
        return operands["imm"] << 12 & _MASK
    if name == "lw" and operands["rs1"] == abi.RECORD_REGISTER:
        return _record_word(operands["imm"] // 4)
    if name == "addi" and isinstance(first, str):
        return first if operands["imm"] == 0 else f"{first} {operands['imm']:+}"
    if not isinstance(first, int):
        return None
    second = state.cores[operands["rs2"]] if "rs2" in operands else operands.get("imm")
    if not isinstance(second, int):
        return None
    match name.removesuffix("i"):
        case "add":
            return first + second & _MASK
        case "sub":
            return first - second & _MASK
        case "or":
            return (first | second) & _MASK
        case "and":
            return first & second & _MASK
        case "sll":
            return first << (second & 31) & _MASK
        case "srl":
            return first >> (second & 31)
        case "mul":
            return first * second & _MASK
        case _:
            return None


def _states(code: Sequence[tuple[int, Decoded | None]], commenter: Commenter) -> list[State | None]:
    """What is known before each instruction; None where none of the ways goes."""
    index = {address: i for i, (address, _) in enumerate(code)}
    ways = [[*_successors(code, i, index)] for i in range(len(code))]
    for i, (address, decoded) in enumerate(code):
        if decoded is not None and decoded.instruction.format in ("HLS", "HLSI"):
            end = index.get(address + decoded.operands["imm"], len(code))
            ways[end - 1].append(i + 1)
    known: list[State | None] = [None] * len(code)
    if code:
        known[0] = State()
    todo = [0] if code else []
    while todo:
        i = todo.pop()
        state, decoded = known[i], code[i][1]
        assert state is not None
        after = state if decoded is None else commenter.after(decoded, state)
        for way in ways[i]:
            before = known[way]
            met = after if before is None else before.meet(after)
            if met != before:
                known[way] = met
                todo.append(way)
    return known


def _successors(
    code: Sequence[tuple[int, Decoded | None]], i: int, index: Mapping[int, int]
) -> Iterator[int]:
    """Where control goes from an instruction, but for ends of hardware loops."""
    address, decoded = code[i]
    form = "" if decoded is None else decoded.instruction.format
    if form in ("B", "J"):
        assert decoded is not None
        target = index.get(address + decoded.operands["imm"])
        if target is not None:
            yield target
    leaves = form == "JALR" and decoded is not None and decoded.operands["rd"] == 0
    if form != "J" and not leaves and i + 1 < len(code):
        yield i + 1
