"""
Emission of riscv ops into a growing control-flow graph, with values numbered and placed as they
are made.

A function is lowered in one walk over its structured control flow. Each nested region being
lowered is a `Scope`; a pure instruction is put into the outermost loop preheader its operands
allow, and an equal one already available there is used again. Loop-invariant code motion and
common subexpression elimination therefore cost no pass over the IR.

Integer values are kept as linear expressions (`Linear`) until an instruction needs them in a
register, so that address arithmetic is reassociated: the part that is constant in a loop is
summed outside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import NamedTuple

from xdsl.dialects import rv32
from xdsl.dialects.builtin import IntegerAttr
from xdsl.dialects.riscv import Registers
from xdsl.dialects.riscv import ops as riscv
from xdsl.dialects.riscv.attrs import LabelAttr, i12, si12, ui5
from xdsl.dialects.riscv.registers import IntRegisterType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from softex_mlir.arithmetic import signed32
from softex_mlir.dialects.shared_attributes import word_attribute

INT = Registers.UNALLOCATED_INT
FLOAT = Registers.UNALLOCATED_FLOAT


def fits_imm12(value: int) -> bool:
    """Whether an I-type immediate can hold the value."""
    return -2048 <= value <= 2047


@cache
def signed12(value: int) -> IntegerAttr:
    """The immediate of an integer instruction. Attributes are dear to make: each is made once."""
    return IntegerAttr(value, si12)


@cache
def plain12(value: int) -> IntegerAttr:
    """The immediate of a float memory access."""
    return IntegerAttr(value, i12)


@cache
def unsigned5(value: int) -> IntegerAttr:
    """The amount of a shift."""
    return IntegerAttr(value, ui5)


class Linear(NamedTuple):
    """constant + sum of coefficient * register, modulo 2^32."""

    constant: int = 0
    terms: tuple[tuple[SSAValue, int], ...] = ()

    @classmethod
    def of(cls, value: SSAValue) -> Linear:
        """The expression that is one register."""
        return cls(0, ((value, 1),))

    @property
    def is_constant(self) -> bool:
        """Whether no register takes part."""
        return not self.terms

    def plus(self, other: Linear, factor: int = 1) -> Linear:
        """self + factor * other."""
        if not other.terms:
            return Linear(signed32(self.constant + factor * other.constant), self.terms)
        terms = dict(self.terms)
        for value, coefficient in other.terms:
            terms[value] = signed32(terms.get(value, 0) + factor * coefficient)
        return Linear(
            signed32(self.constant + factor * other.constant),
            tuple((value, coefficient) for value, coefficient in terms.items() if coefficient),
        )

    def plus_constant(self, constant: int) -> Linear:
        """self + constant."""
        return Linear(signed32(self.constant + constant), self.terms)

    def times(self, factor: int) -> Linear:
        """factor * self."""
        return Linear().plus(self, factor)


class ScopeKind(Enum):
    """What is being lowered inside a scope."""

    FUNCTION = "function"
    LOOP = "loop"
    BRANCH = "branch"


@dataclass
class Scope:
    """
    A region being lowered: the block that takes the next instruction and the values already
    computed.
    """

    kind: ScopeKind
    block: Block
    known: dict[object, SSAValue] = field(default_factory=dict[object, SSAValue])


class RiscvEmitter:
    """Builds the blocks of one function."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.region = Region()
        self.labels = 0
        self.scopes: list[Scope] = []
        self.depth: dict[SSAValue, int] = {}
        entry = Block()
        self.region.add_block(entry)
        self.scopes.append(Scope(ScopeKind.FUNCTION, entry))
        self.entry = entry
        self.pure: set[Operation] = set()
        self.fixed: dict[IntRegisterType, SSAValue] = {}

    # region Blocks

    def new_block(self, arguments: Sequence[Attribute] = ()) -> tuple[Block, str]:
        """A labelled block, not yet placed."""
        self.labels += 1
        label = f".L{self.name}_{self.labels}"
        block = Block(arg_types=arguments)
        block.add_op(riscv.LabelOp.create(attributes={"label": LabelAttr(label)}))
        return block, label

    def place(self, block: Block) -> None:
        """Put a block behind all placed so far, and emit into it from now on."""
        self.region.add_block(block)
        self.scopes[-1].block = block
        for argument in block.args:
            self.depth[argument] = len(self.scopes) - 1

    def push(self, kind: ScopeKind, block: Block) -> None:
        """Enter a nested region that begins with a block."""
        self.scopes.append(Scope(kind, block))
        self.place(block)

    def pop(self) -> Block:
        """Leave a nested region; returns the block that ends it."""
        return self.scopes.pop().block

    @property
    def block(self) -> Block:
        """The block that takes the next instruction."""
        return self.scopes[-1].block

    # endregion
    # region Instructions

    def effect(
        self,
        cls: type[Operation],
        operands: Sequence[SSAValue],
        results: Sequence[Attribute] = (),
        attributes: dict[str, Attribute] | None = None,
    ) -> Operation:
        """An instruction that must happen here and now."""
        op = cls.create(
            operands=operands,
            result_types=results,
            attributes={} if attributes is None else attributes,
        )
        self.block.add_op(op)
        level = len(self.scopes) - 1
        for result in op.results:
            self.depth[result] = level
        return op

    def level_for(self, operands: Sequence[SSAValue]) -> int:
        """
        The scope for a pure instruction: in front of the outermost loop that its operands do not
        need.
        """
        depth = self.depth
        needed = 0
        for operand in operands:
            level = depth[operand]
            if level > needed:
                needed = level
        for level in range(needed + 1, len(self.scopes)):
            if self.scopes[level].kind is ScopeKind.LOOP:
                return level - 1
        return len(self.scopes) - 1

    def emit(
        self,
        cls: type[Operation],
        operands: Sequence[SSAValue],
        result: Attribute,
        attributes: dict[str, Attribute] | None = None,
        key: object = None,
    ) -> SSAValue:
        """The result of a pure instruction, hoisted and shared. `key` stands for the attributes."""
        identity = (cls, tuple(operands), key)
        for scope in self.scopes:
            if (known := scope.known.get(identity)) is not None:
                return known
        level = self.level_for(operands)
        op = cls.create(
            operands=operands,
            result_types=(result,),
            attributes={} if attributes is None else attributes,
        )
        scope = self.scopes[level]
        scope.block.add_op(op)
        (value,) = op.results
        scope.known[identity] = value
        self.depth[value] = level
        self.pure.add(op)
        return value

    def register(self, register: IntRegisterType) -> SSAValue:
        """The value of a register that is never allocated: zero, sp, tp."""
        if (value := self.fixed.get(register)) is None:
            op = rv32.GetRegisterOp(register)
            first = self.entry.first_op
            if first is None:
                self.entry.add_op(op)
            else:
                self.entry.insert_op_before(op, first)
            value = self.fixed[register] = op.res
            self.depth[value] = 0
        return value

    @property
    def zero(self) -> SSAValue:
        """The register that is always 0."""
        return self.register(Registers.ZERO)

    def li(self, value: int) -> SSAValue:
        """A constant in a register."""
        value = signed32(value)
        if value == 0:
            return self.zero
        return self.emit(rv32.LiOp, (), INT, {"immediate": word_attribute(value)}, value)

    def fresh_zero(self) -> SSAValue:
        """A register of its own that is 0 here, to start a loop-carried value from."""
        op = self.effect(rv32.LiOp, (), (INT,), {"immediate": word_attribute(0)})
        self.pure.add(op)
        return op.results[0]

    def imm(self, cls: type[Operation], operand: SSAValue, immediate: int) -> SSAValue:
        """An I-type instruction."""
        return self.emit(cls, (operand,), INT, {"immediate": signed12(immediate)}, immediate)

    def shift(self, cls: type[Operation], operand: SSAValue, amount: int) -> SSAValue:
        """A shift by a constant."""
        if amount == 0:
            return operand
        return self.emit(cls, (operand,), INT, {"immediate": unsigned5(amount)}, amount)

    def int2(self, cls: type[Operation], a: SSAValue, b: SSAValue) -> SSAValue:
        """A pure instruction of two operands with an integer result."""
        return self.emit(cls, (a, b), INT)

    def float_op(self, cls: type[Operation], *operands: SSAValue) -> SSAValue:
        """A pure instruction with a float result."""
        return self.emit(cls, operands, FLOAT)

    # endregion
    # region Linear expressions

    def scaled(self, value: SSAValue, coefficient: int) -> SSAValue:
        """coefficient * value."""
        magnitude = coefficient & 0xFFFFFFFF
        if magnitude & (magnitude - 1) == 0:
            return self.shift(rv32.SlliOp, value, magnitude.bit_length() - 1)
        return self.int2(riscv.MulOp, value, self.li(coefficient))

    def value(self, linear: Linear) -> SSAValue:
        """A register that holds the expression; what is invariant is summed first."""
        if not linear.terms:
            return self.li(linear.constant)
        if linear.constant == 0 and len(linear.terms) == 1 and linear.terms[0][1] == 1:
            return linear.terms[0][0]
        terms = sorted(linear.terms, key=lambda term: (self.depth[term[0]], -term[1]))
        total: SSAValue | None = None
        constant = linear.constant
        if terms[0][1] == -1 or (constant and not fits_imm12(constant)):
            total, constant = self.li(constant), 0
        for value, coefficient in terms:
            if coefficient == -1:
                assert total is not None
                total = self.int2(riscv.SubOp, total, value)
                continue
            scaled = self.scaled(value, coefficient)
            total = scaled if total is None else self.int2(riscv.AddOp, total, scaled)
            if constant:
                total, constant = self.imm(riscv.AddiOp, total, constant), 0
        assert total is not None
        return total

    def address(self, linear: Linear) -> tuple[SSAValue, int]:
        """Base register and 12-bit offset of an address."""
        offset = (linear.constant + 0x800 & 0xFFF) - 0x800
        return self.value(linear.plus_constant(-offset)), offset

    # endregion

    @staticmethod
    def offset(offset: int) -> dict[str, Attribute]:
        """The attributes of an integer memory access."""
        return {"immediate": signed12(offset)}

    @staticmethod
    def float_offset(offset: int) -> dict[str, Attribute]:
        """The attributes of a float memory access."""
        return {"immediate": plain12(offset)}
