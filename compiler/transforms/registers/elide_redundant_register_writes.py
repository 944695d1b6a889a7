"""`elide-redundant-register-writes`: do not write a register what it holds already.

The job registers of an accelerator are banked: there are two contexts, a trigger moves on to the
other one, and each keeps what was last written to *it*, two jobs ago. A write is redundant only
against the bank it goes to. A soft clear with 0 wipes both banks; with another value it keeps
them, and the next job is programmed into bank 0. DMA descriptors are one bank per core.

The pass follows values through loops and branches. What a function finds in the registers at its
start is unknown.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import func, scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from softex_mlir.compiler.transforms.cluster.command_builder import stream_functions
from softex_mlir.compiler.transforms.registers.expression_keys import ExpressionKeys, is_inside
from softex_mlir.dialects.hwpe import DMA, WriteOp, job_registers
from softex_mlir.dialects.target import machine_of
from softex_mlir.isa_sim.units import dma, registry
from softex_mlir.isa_sim.units.control import ControlPort

DESCRIPTOR = frozenset(dma.REGISTER_NAMES[offset] for offset in dma.DESCRIPTOR)
"""The DMA registers that keep their value."""

Bank = dict[str, SSAValue]
"""Registers whose contents are known, by name."""


@dataclass
class Registers:
    """What is known of one unit's registers."""

    banks: tuple[Bank, Bank] = field(default_factory=lambda: (Bank(), Bank()))
    """Contents of bank 0 and bank 1; if not `absolute`, of the next bank and the other one."""
    next: int | None = 0
    """The bank that is programmed now or next, if known. Always 0 if not `absolute`."""
    absolute: bool = False
    """Whether it is known which bank is bank 0."""

    def copy(self) -> Registers:
        """The same, to be changed independently."""
        return Registers((dict(self.banks[0]), dict(self.banks[1])), self.next, self.absolute)


State = dict[str, Registers]


@dataclass
class RegisterContents:
    """Follows register contents through one function."""

    ports: Mapping[str, ControlPort]
    """The control ports of the accelerators, by name."""
    keys: ExpressionKeys = field(default_factory=ExpressionKeys)
    redundant: set[WriteOp] = field(default_factory=set[WriteOp])
    marking: bool = True
    _followed: dict[Block, list[Operation]] = field(default_factory=dict[Block, list[Operation]])
    """What matters of the blocks: loops are followed several times, arithmetic is most of them."""

    # region Joining states

    def meet_banks(self, a: Bank, b: Bank) -> Bank:
        """What is known either way."""
        return {r: v for r, v in a.items() if r in b and self.keys.key(b[r]) == self.keys.key(v)}

    def meet(self, a: Registers, b: Registers) -> Registers:
        """What is known of the registers either way."""
        if not (a.absolute and b.absolute):
            a, b = self.relative(a), self.relative(b)
        banks = (self.meet_banks(a.banks[0], b.banks[0]), self.meet_banks(a.banks[1], b.banks[1]))
        return Registers(banks, a.next if a.next == b.next else None, a.absolute)

    def relative(self, registers: Registers) -> Registers:
        """The same without knowing which bank is bank 0."""
        if not registers.absolute:
            return registers
        if registers.next is None:
            common = self.meet_banks(*registers.banks)
            return Registers((common, dict(common)))
        return Registers((registers.banks[registers.next], registers.banks[1 - registers.next]))

    def meet_states(self, a: State, b: State) -> State:
        """What is known either way, of all units."""
        return {unit: self.meet(a[unit], b[unit]) for unit in a}

    def fingerprint(self, state: State) -> Hashable:
        """Equal for equal knowledge."""
        return tuple(
            (
                unit,
                registers.next,
                registers.absolute,
                *(
                    frozenset((r, self.keys.key(v)) for r, v in bank.items())
                    for bank in registers.banks
                ),
            )
            for unit, registers in state.items()
        )

    def forget_values_of(self, loop: Operation, state: State) -> State:
        """Drop what belongs to one iteration: the next one's values differ."""

        def lasting(bank: Bank) -> Bank:
            return {
                r: v
                for r, v in bank.items()
                if not any(is_inside(leaf, loop) for leaf in self.keys.leaves(v))
            }

        return {
            unit: Registers((lasting(r.banks[0]), lasting(r.banks[1])), r.next, r.absolute)
            for unit, r in state.items()
        }

    # endregion

    def followed(self, block: Block) -> list[Operation]:
        """The operations of a block that write registers, or may: most loops only wait."""
        if (found := self._followed.get(block)) is None:
            found = self._followed[block] = [op for op in block.ops if self.may_write(op)]
        return found

    def may_write(self, op: Operation) -> bool:
        """Whether an operation writes registers, or may."""
        if not op.regions:
            return type(op) in (WriteOp, func.CallOp)
        return type(op) not in (scf.IfOp, scf.ForOp, scf.WhileOp) or any(
            self.followed(block) for region in op.regions for block in region.blocks
        )

    def block(self, block: Block, state: State) -> State:
        """Follow a block."""
        for op in self.followed(block):
            if isinstance(op, WriteOp):
                self.write(op, state)
            elif isinstance(op, scf.IfOp):
                before = copy(state)
                state = self.block(op.true_region.block, state)
                if op.false_region.blocks:
                    before = self.block(op.false_region.block, before)
                state = self.meet_states(state, before)
            elif isinstance(op, scf.ForOp):
                state = self.loop(op, (op.body.block,), state)
            elif isinstance(op, scf.WhileOp):
                state = self.loop(op, (op.before_region.block, op.after_region.block), state)
            else:
                state = {unit: Registers() for unit in state}
        return state

    def loop(self, op: Operation, blocks: tuple[Block, ...], state: State) -> State:
        """Find what holds at the start of every iteration, then look at the body with it."""
        marking, self.marking = self.marking, False
        while True:
            after = copy(state)
            for block in blocks:
                after = self.block(block, after)
            start = self.meet_states(state, self.forget_values_of(op, after))
            if self.fingerprint(start) == self.fingerprint(state):
                break
            state = start
        self.marking = marking
        # scf.for leaves before its block, scf.while after its first one.
        after = copy(state)
        leave = state
        for number, block in enumerate(blocks):
            after = self.block(block, after)
            if number + 1 < len(blocks):
                leave = copy(after)
        return self.forget_values_of(op, copy(leave))

    def write(self, op: WriteOp, state: State) -> None:
        """Follow one write."""
        unit, register = op.name_in_unit
        if unit not in state:
            return
        registers = state[unit]
        if unit in self.ports and register == "TRIGGER":
            state[unit] = self.triggered(registers)
        elif unit in self.ports and register == "SOFT_CLEAR":
            state[unit] = self.cleared(op, registers)
        elif register in DESCRIPTOR or register in job_registers(unit):
            self.set(op, registers)

    def set(self, op: WriteOp, registers: Registers) -> None:
        """Follow a write that sets a register of the next bank, or of either if that is open."""
        register = op.register.data
        which = (0, 1) if registers.next is None else (registers.next,)
        value = op.operands[0]
        key = self.keys.key(value)
        holds = [
            register in registers.banks[bank]
            and self.keys.key(registers.banks[bank][register]) == key
            for bank in which
        ]
        if all(holds) and not self.acts(op):
            if self.marking:
                self.redundant.add(op)
        elif registers.next is not None:
            registers.banks[registers.next][register] = value
        else:
            for bank, same in zip(registers.banks, holds, strict=True):
                if not same:
                    bank.pop(register, None)

    def triggered(self, registers: Registers) -> Registers:
        """After a trigger the other bank is next."""
        if not registers.absolute:
            return Registers((registers.banks[1], registers.banks[0]))
        following = None if registers.next is None else 1 - registers.next
        return Registers(registers.banks, following, True)

    def cleared(self, op: WriteOp, registers: Registers) -> Registers:
        """After a soft clear bank 0 is next."""
        value = self.keys.key(op.value)
        if value == 0 or not isinstance(value, int):
            return Registers(absolute=True)
        if registers.absolute:
            return Registers(registers.banks, 0, True)
        common = self.meet_banks(*registers.banks)
        return Registers((common, dict(common)), 0, True)

    def acts(self, op: WriteOp) -> bool:
        """Whether the write does more than set the register."""
        unit, register = op.name_in_unit
        if unit not in self.ports:
            return False
        port = self.ports[unit]
        watched, bits = port.watched or ("", 0)
        if register == watched:
            value = self.keys.key(op.value)
            return not isinstance(value, int) or bool(value & bits)
        return register == port.starting_register


def copy(state: State) -> State:
    """A state that can be changed independently."""
    return {unit: registers.copy() for unit, registers in state.items()}


def elide(function: func.FuncOp, ports: Mapping[str, ControlPort]) -> int:
    """Remove the redundant writes of a function; returns how many."""
    analysis = RegisterContents(ports)
    analysis.block(function.body.block, {unit: Registers() for unit in (*ports, DMA)})
    for op in analysis.redundant:
        Rewriter.erase_op(op)
    return len(analysis.redundant)


@dataclass(frozen=True)
class ElideRedundantRegisterWritesPass(ModulePass):
    """Removes register writes that would not change their bank."""

    name = "elide-redundant-register-writes"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Elide in all stream functions of the module."""
        ports = registry.control_ports(machine_of(op))
        for function, _ in stream_functions(op):
            elide(function, ports)
