"""
Register allocation by graph colouring, with coalescing and spilling.

Every value of a function on `riscv`, `riscv_cf` and `xpulp` gets one of the 27 integer or 32
float registers that hold nothing else (zero, ra, sp, gp and tp are not used). A value for which
there is none lives on the stack, or is computed again where that is as cheap: no function fails
for its size.

Block arguments and tied operands become copies first, most of which coalescing then removes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import riscv_func, rv32
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.riscv import Registers
from xdsl.dialects.riscv import ops as riscv
from xdsl.dialects.riscv.registers import FloatRegisterType, IntRegisterType
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from softex_mlir.compiler.backend.allocation import Allocation, BlockCode, VirtualInstruction
from softex_mlir.compiler.backend.emitter import plain12, signed12
from softex_mlir.dialects.shared_attributes import words_attribute
from softex_mlir.errors import UserError

INT_REGISTERS: tuple[IntRegisterType, ...] = (
    *Registers.A,
    *Registers.T,
    *(IntRegisterType.from_name(f"s{i}") for i in range(12)),
)
FLOAT_REGISTERS: tuple[FloatRegisterType, ...] = (
    *(FloatRegisterType.from_name(f"fa{i}") for i in range(8)),
    *(FloatRegisterType.from_name(f"ft{i}") for i in range(12)),
    *(FloatRegisterType.from_name(f"fs{i}") for i in range(12)),
)

STACK_LIMIT = 480
"""Bytes of a core's stack that a function may use: the stack has 512."""


class StackOverflow(UserError):
    """A function needs more stack than a core has."""


class AllocatedFunction(Allocation):
    """The allocation of one function, written into its IR."""

    def apply(self) -> None:
        """Write the registers into the IR's types and make ops of copies, reloads and stores."""
        colors = self.allocate()
        self.definition: dict[int, SSAValue] = {}
        types = [
            (FLOAT_REGISTERS if self.is_float[n] else INT_REGISTERS)[max(colors[self.find(n)], 0)]
            for n in range(len(self.values))
        ]
        stack = None
        if self.slots:
            stack = rv32.GetRegisterOp(Registers.SP)
            first = self.blocks[0].block.first_op
            assert first is not None
            self.blocks[0].block.insert_op_before(stack, first)
        for entry, arguments in zip(self.blocks, self.arguments, strict=True):
            for argument, number in zip(entry.block.args, arguments, strict=True):
                if number >= 0:
                    set_type(argument, types[number])
                    self.definition[number] = argument
        for entry in self.blocks:
            self.write_block(entry, types, stack.res if stack else None)
        for entry, arguments in zip(self.blocks, self.arguments, strict=True):
            for position in range(len(arguments) - 1, -1, -1):
                if arguments[position] < 0:
                    entry.block.erase_arg(entry.block.args[position], safe_erase=False)
        if stack is not None:
            self.frame(stack)

    def write_block(
        self,
        entry: BlockCode,
        types: Sequence[IntRegisterType | FloatRegisterType],
        stack: SSAValue | None,
    ) -> None:
        """The instructions of a block as ops, in their order."""
        block = entry.block
        definition = self.definition
        following = block.first_op
        kept = {id(instruction.op) for instruction in entry.code}
        while following is not None and id(following) not in kept:
            following = following.next_op
        op = block.first_op
        while op is not None:
            behind = op.next_op
            if id(op) not in kept and not isinstance(op, rv32.GetRegisterOp):
                if op is following:
                    following = behind
                op.detach()
                op.erase(safe_erase=False)
            op = behind
        for instruction in entry.code:
            if (op := instruction.op) is not None:
                following = op.next_op
                operands = op.operands
                for position, number in enumerate(instruction.uses):
                    if number >= 0 and operands[position] is not definition[number]:
                        operands[position] = definition[number]
                for result, number in zip(op.results, instruction.defs, strict=True):
                    if number >= 0:
                        set_type(result, types[number])
                        definition[number] = result
                continue
            anchor = following
            new: Operation
            if instruction.remake is not None:
                new = instruction.remake.clone()
            elif instruction.slot is not None:
                assert stack is not None
                new = self.stack_access(instruction, stack)
            else:
                source, target = instruction.uses[0], instruction.defs[0]
                value = definition[source]
                if value.type == types[target]:
                    definition[target] = value
                    continue
                cls = riscv.FMVOp if self.is_float[target] else riscv.MVOp
                new = cls.create(operands=(value,), result_types=(types[target],))
            if new.results:
                number = instruction.defs[0]
                set_type(new.results[0], types[number])
                definition[number] = new.results[0]
            assert anchor is not None
            block.insert_op_before(new, anchor)
        self.write_terminator(entry)

    def stack_access(self, instruction: VirtualInstruction, stack: SSAValue) -> Operation:
        """A reload or a store of a spilled value."""
        slot = instruction.slot
        assert slot is not None
        if instruction.uses:
            number = instruction.uses[0]
            operands = (stack, self.definition[number])
            if self.is_float[number]:
                return riscv.FSwOp.create(
                    operands=operands, attributes={"immediate": plain12(4 * slot)}
                )
            return riscv.SwOp.create(
                operands=operands, attributes={"immediate": signed12(4 * slot)}
            )
        if self.is_float[instruction.defs[0]]:
            return riscv.FLwOp.create(
                operands=(stack,),
                result_types=(Registers.UNALLOCATED_FLOAT,),
                attributes={"immediate": plain12(4 * slot)},
            )
        return riscv.LwOp.create(
            operands=(stack,),
            result_types=(Registers.UNALLOCATED_INT,),
            attributes={"immediate": signed12(4 * slot)},
        )

    def write_terminator(self, entry: BlockCode) -> None:
        """Pass the copies to the successors, and nothing for arguments that live on the stack."""
        terminator = entry.block.last_op
        assert terminator is not None
        if not entry.passed:
            return
        own = len(terminator.operands) - sum(
            len(self.arguments[s]) if passed else 0
            for s, passed in zip(entry.successors, entry.passed, strict=True)
        )
        operands = list(terminator.operands[:own])
        lengths: list[int] = []
        for successor, passed in zip(entry.successors, entry.passed, strict=True):
            arguments = self.arguments[successor]
            kept = [
                self.definition[n]
                for n, argument in zip(passed, arguments, strict=False)
                if argument >= 0
            ]
            lengths.append(len(kept))
            operands += kept
        terminator.operands = operands
        if "operandSegmentSizes" in terminator.attributes and len(entry.successors) == 2:
            sizes = (*[1] * own, *lengths)
            terminator.attributes["operandSegmentSizes"] = words_attribute(sizes)

    def frame(self, stack: rv32.GetRegisterOp) -> None:
        """Reserve the stack at the function's start, release it at each return."""
        size = 4 * self.slots + 15 & ~15
        if size > STACK_LIMIT:
            raise StackOverflow(
                f"@{self.function.sym_name.data} needs {size} bytes of stack for values that find "
                f"no register, a core has {STACK_LIMIT}: split the kernel"
            )

        def adjust(amount: int) -> Operation:
            return riscv.AddiOp(stack.res, amount, rd=Registers.SP)

        block = stack.parent
        assert block is not None
        block.insert_op_after(adjust(-size), stack)
        for entry in self.blocks:
            last = entry.block.last_op
            if isinstance(last, riscv_func.ReturnOp):
                entry.block.insert_op_before(adjust(size), last)


def set_type(value: SSAValue, type_: IntRegisterType | FloatRegisterType) -> None:
    """Give a value its register. In place: every user already expects a register."""
    value._type = type_  # pyright: ignore[reportPrivateUsage]


def has_registers(function: riscv_func.FuncOp) -> bool:
    """Whether every value of a function has its register."""
    values = (
        value
        for block in function.body.blocks
        for value in (*block.args, *(result for op in block.ops for result in op.results))
    )
    return all(
        value.type.is_allocated
        for value in values
        if isinstance(value.type, IntRegisterType | FloatRegisterType)
    )


@dataclass(frozen=True)
class AllocateRegistersPass(ModulePass):
    """Chooses registers for the values of all riscv_func.func that have none yet."""

    name = "allocate-registers"

    integers: int = len(INT_REGISTERS)
    """Integer registers to use."""
    floats: int = len(FLOAT_REGISTERS)
    """Float registers to use."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Allocate each function."""
        registers = (self.integers, self.floats)
        for function in op.body.block.ops:
            if isinstance(function, riscv_func.FuncOp) and not has_registers(function):
                AllocatedFunction(function, registers).apply()
