"""
Register allocation by graph colouring, with coalescing and spilling.

Every value of a function on `riscv`, `riscv_cf` and `xpulp` gets one of the 27 integer or 32
float registers that hold nothing else (zero, ra, sp, gp and tp are not used). A value for which
there is none lives on the stack, or is computed again where that is as cheap: no function fails
for its size.

Block arguments and tied operands become copies first, most of which coalescing then removes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import riscv_func, rv32
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.riscv import Registers
from xdsl.dialects.riscv import ops as riscv
from xdsl.dialects.riscv.registers import FloatRegisterType, IntRegisterType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from softex_mlir.compiler.backend.emitter import plain12, signed12
from softex_mlir.compiler.backend.interference import Graph, color, members
from softex_mlir.dialects import xpulp
from softex_mlir.dialects.xpulp_base import TiedInstruction
from softex_mlir.isa_sim.errors import UserError

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


@dataclass(eq=False)
class Instruction:
    """An instruction during allocation: what it reads and writes, by number of value."""

    op: Operation | None
    """The op; None for a copy, a reload or a store of a spilled value, until the end."""
    uses: list[int]
    defs: list[int]
    slot: int | None = None
    """The stack slot that a reload or a store accesses."""
    remake: Operation | None = None
    """The op of which this makes a copy, instead of a reload."""

    @property
    def is_copy(self) -> bool:
        """Whether it only moves a value."""
        return self.op is None and self.slot is None and self.remake is None


@dataclass(eq=False)
class BlockCode:
    """The instructions of a block."""

    block: Block
    code: list[Instruction]
    successors: list[int]
    frequency: int = 1
    passed: list[list[int]] = field(default_factory=lambda: list[list[int]]())
    """For each successor the values passed to its arguments."""


def is_unallocated(value: SSAValue) -> bool:
    """Whether a register has to be chosen for the value."""
    type_ = value.type
    return isinstance(type_, IntRegisterType | FloatRegisterType) and not type_.is_allocated


class Allocation:
    """The allocation of one function."""

    def __init__(self, function: riscv_func.FuncOp) -> None:
        self.function = function
        self.values: list[SSAValue | None] = []
        self.is_float: list[bool] = []
        self.root: list[int] = []
        self.number: dict[SSAValue, int] = {}
        self.unspillable: set[int] = set()
        self.slots = 0
        self.blocks: list[BlockCode] = []
        self.arguments: list[list[int]] = []
        self.build()

    # region From IR

    def new(self, is_float: bool, value: SSAValue | None = None) -> int:
        """A new value's number."""
        number = len(self.values)
        self.values.append(value)
        self.is_float.append(is_float)
        self.root.append(number)
        return number

    def number_of(self, value: SSAValue) -> int:
        """The number of an IR value; -1 where its register is fixed."""
        number = self.number.get(value)
        if number is None:
            if is_unallocated(value):
                number = self.new(isinstance(value.type, FloatRegisterType), value)
            else:
                number = -1
            self.number[value] = number
        return number

    def find(self, number: int) -> int:
        """Representative of the values that share a register."""
        root = self.root
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    def build(self) -> None:
        """Number all values; add copies for block arguments and tied operands."""
        blocks = tuple(self.function.body.blocks)
        index = {block: i for i, block in enumerate(blocks)}
        self.arguments = [[self.number_of(a) for a in block.args] for block in blocks]
        frequencies = loop_frequencies(blocks, index)
        for i, block in enumerate(blocks):
            code: list[Instruction] = []
            for op in block.ops:
                self.add_op(code, op)
            terminator = code.pop()
            op = terminator.op
            assert op is not None
            entry = BlockCode(block, code, [index[s] for s in op.successors], frequencies[i])
            copies: list[Instruction] = []
            seconds: list[Instruction] = []
            position = len(op.operands)
            # The operands passed to successors are the last ones, successor by successor.
            for successor in reversed(op.successors):
                count = len(successor.args) if passes_arguments(op, successor) else 0
                values = op.operands[position - count : position] if count else ()
                targets = self.arguments[index[successor]]
                passed = [
                    self.edge_copy(copies, seconds, value, target, successor)
                    for value, target in zip(values, targets, strict=False)
                ]
                position -= count
                entry.passed.insert(0, passed)
            terminator.uses = terminator.uses[:position]
            setup = code and isinstance(code[-1].op, xpulp.LoopSetupOp | xpulp.LoopSetupImmediateOp)
            # The instruction behind a loop setup is the first of the loop.
            at = len(code) - 1 if setup else len(code)
            code[at:at] = copies + seconds
            code.append(terminator)
            self.blocks.append(entry)

    def edge_copy(
        self,
        copies: list[Instruction],
        seconds: list[Instruction],
        value: SSAValue,
        target: int,
        successor: Block,
    ) -> int:
        """
        Copy a passed value to the argument.

        Where it is itself an argument of the successor, it is first saved from being overwritten.
        """
        source = self.number_of(value)
        if source < 0:
            raise ValueError("a fixed register can not be passed to a block argument")
        if source == target:
            return source
        if value.owner is successor:
            temporary = self.new(self.is_float[target])
            copies.append(Instruction(None, [source], [temporary]))
            source = temporary
        result = self.new(self.is_float[target])
        self.root[result] = target
        seconds.append(Instruction(None, [source], [result]))
        return result

    def add_op(self, code: list[Instruction], op: Operation) -> None:
        """One op, a copy of its tied operand before it."""
        uses = [self.number_of(operand) for operand in op.operands]
        defs = [self.number_of(result) for result in op.results]
        if isinstance(op, TiedInstruction):
            position = op.operands.index(op.tied_operand)
            result = self.number_of(op.tied_result)
            copy = self.new(self.is_float[result])
            self.root[copy] = result
            code.append(Instruction(None, [uses[position]], [copy]))
            uses[position] = copy
        code.append(Instruction(op, uses, defs))

    # endregion
    # region Allocation

    def allocate(self) -> list[int]:
        """Register index by value number (of representatives); inserts spill code until all fit."""
        for _ in range(50):
            graph = self.interference()
            self.coalesce(graph)
            colors, spilled = color(
                graph,
                self.is_float,
                (len(INT_REGISTERS), len(FLOAT_REGISTERS)),
                self.spill_costs(),
            )
            if not spilled:
                return colors
            self.spill(spilled)
        raise AssertionError("register allocation does not converge")

    def live_in(self) -> list[int]:
        """Bit set of live values at the start of each block."""
        find = self.find
        gen: list[int] = []
        kill: list[int] = []
        for block in self.blocks:
            used = defined = 0
            for instruction in reversed(block.code):
                for number in instruction.defs:
                    if number >= 0:
                        bit = 1 << find(number)
                        defined |= bit
                        used &= ~bit
                for number in instruction.uses:
                    if number >= 0:
                        used |= 1 << find(number)
            gen.append(used)
            kill.append(defined)
        live = list(gen)
        changed = True
        while changed:
            changed = False
            for i in range(len(self.blocks) - 1, -1, -1):
                out = 0
                for successor in self.blocks[i].successors:
                    out |= live[successor]
                new = gen[i] | out & ~kill[i]
                if new != live[i]:
                    live[i] = new
                    changed = True
        return live

    def interference(self) -> Graph:
        """Which values are live at the same time."""
        find = self.find
        live_in = self.live_in()
        neighbours = [0] * len(self.values)
        masks = [0, 0]
        for number, is_float in enumerate(self.is_float):
            masks[is_float] |= 1 << number
        for block in self.blocks:
            live = 0
            for successor in block.successors:
                live |= live_in[successor]
            for instruction in reversed(block.code):
                source = -1
                if instruction.is_copy and instruction.uses[0] >= 0:
                    source = find(instruction.uses[0])
                defs = [find(number) for number in instruction.defs if number >= 0]
                for number in defs:
                    live |= 1 << number
                for number in defs:
                    others = live & masks[self.is_float[number]] & ~(1 << number)
                    if source >= 0:
                        others &= ~(1 << source)
                    neighbours[number] |= others
                for number in defs:
                    live &= ~(1 << number)
                for number in instruction.uses:
                    if number >= 0:
                        live |= 1 << find(number)
        for number, others in enumerate(tuple(neighbours)):
            bit = 1 << number
            for other in members(others):
                neighbours[other] |= bit
        used = {find(n) for b in self.blocks for i in b.code for n in (*i.uses, *i.defs) if n >= 0}
        return Graph(neighbours, used)

    def coalesce(self, graph: Graph) -> None:
        """Give the two sides of a copy one register where they are never live together."""
        find = self.find
        copies = [
            (block.frequency, instruction)
            for block in self.blocks
            for instruction in block.code
            if instruction.is_copy and instruction.uses[0] >= 0
        ]
        copies.sort(key=lambda item: -item[0])
        for _, instruction in copies:
            a, b = find(instruction.uses[0]), find(instruction.defs[0])
            if a != b and not graph.neighbours[a] >> b & 1:
                graph.merge(a, b)
                self.root[b] = a
                if b in self.unspillable:
                    self.unspillable.add(a)

    def spill_costs(self) -> list[float]:
        """What it costs to keep a value on the stack: accesses weighted by loop depth."""
        costs = [0.0] * len(self.values)
        for block in self.blocks:
            for instruction in block.code:
                for number in (*instruction.uses, *instruction.defs):
                    if number >= 0:
                        costs[self.find(number)] += block.frequency
        for number in self.unspillable:
            costs[self.find(number)] = float("inf")
        for number, remake in self.remakeable().items():
            if costs[number] != float("inf"):
                costs[number] *= 0.5 if remake else 1.0
        return costs

    def remakeable(self) -> dict[int, Operation]:
        """Values that one instruction without register operands makes: constants, launch words."""
        result: dict[int, Operation] = {}
        several: set[int] = set()
        for block in self.blocks:
            for instruction in block.code:
                for number in instruction.defs:
                    if number < 0:
                        continue
                    root = self.find(number)
                    op = instruction.op or instruction.remake
                    if root in result or root in several or op is None:
                        several.add(root)
                        result.pop(root, None)
                    elif isinstance(op, rv32.LiOp) or (
                        isinstance(op, riscv.LwOp) and op.rs1.type == Registers.TP
                    ):
                        result[root] = op
                    else:
                        several.add(root)
        return result

    def spill(self, roots: Iterable[int]) -> None:
        """Move values to the stack, reloading them before each use."""
        remakeable = self.remakeable()
        slots: dict[int, int] = {}
        for root in roots:
            if root not in remakeable:
                slots[root] = self.slots
                self.slots += 1
        spilled = set(roots)
        for block in self.blocks:
            code: list[Instruction] = []
            for instruction in block.code:
                before: list[Instruction] = []
                after: list[Instruction] = []
                loaded: dict[int, int] = {}
                skip = False
                tied = self.tied_root(instruction)
                for k, number in enumerate(instruction.uses):
                    if number < 0 or (root := self.find(number)) not in spilled:
                        continue
                    if root not in loaded:
                        fresh = self.new(self.is_float[number])
                        self.unspillable.add(fresh)
                        loaded[root] = fresh
                        if root in remakeable:
                            before.append(Instruction(None, [], [fresh], remake=remakeable[root]))
                        else:
                            before.append(Instruction(None, [], [fresh], slot=slots[root]))
                    instruction.uses[k] = loaded[root]
                for k, number in enumerate(instruction.defs):
                    if number < 0 or (root := self.find(number)) not in spilled:
                        continue
                    if root in remakeable:
                        skip = True
                        continue
                    fresh = self.new(self.is_float[number])
                    self.unspillable.add(fresh)
                    if tied is not None and root == tied:
                        self.root[fresh] = loaded[root]
                    if instruction.op is not None:
                        self.values[fresh] = instruction.op.results[k]
                    instruction.defs[k] = fresh
                    after.append(Instruction(None, [fresh], [], slot=slots[root]))
                if skip:
                    continue
                code += before
                code.append(instruction)
                code += after
            block.code = code
        for block in self.blocks:
            for passed in block.passed:
                passed[:] = [-1 if n >= 0 and self.find(n) in spilled else n for n in passed]
        for arguments in self.arguments:
            arguments[:] = [-1 if n >= 0 and self.find(n) in spilled else n for n in arguments]

    def tied_root(self, instruction: Instruction) -> int | None:
        """The value that a tied instruction both reads and writes."""
        op = instruction.op
        if not isinstance(op, TiedInstruction):
            return None
        return self.find(instruction.uses[op.operands.index(op.tied_operand)])

    # endregion
    # region To IR

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
        kept = {instruction.op for instruction in entry.code}
        while following is not None and following not in kept:
            following = following.next_op
        for op in tuple(block.ops):
            if op not in kept and not isinstance(op, rv32.GetRegisterOp):
                if op is following:
                    following = op.next_op
                op.detach()
                op.erase(safe_erase=False)
        for instruction in entry.code:
            if (op := instruction.op) is not None:
                following = op.next_op
                for position, number in enumerate(instruction.uses):
                    if number >= 0 and op.operands[position] is not definition[number]:
                        op.operands[position] = definition[number]
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

    def stack_access(self, instruction: Instruction, stack: SSAValue) -> Operation:
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
            from xdsl.dialects.builtin import DenseArrayBase
            from xdsl.dialects.builtin import i32 as i32_

            sizes = [1] * own + lengths
            terminator.attributes["operandSegmentSizes"] = DenseArrayBase.from_list(i32_, sizes)

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

    # endregion


def passes_arguments(op: Operation, successor: Block) -> bool:
    """
    Whether a terminator passes arguments to a successor (a loop's end passes none to its exit).
    """
    return not (isinstance(op, xpulp.LoopEndOp) and successor is op.exit)


def set_type(value: SSAValue, type_: IntRegisterType | FloatRegisterType) -> None:
    """Give a value its register. In place: every user already expects a register."""
    value._type = type_  # pyright: ignore[reportPrivateUsage]


def loop_frequencies(blocks: Sequence[Block], index: dict[Block, int]) -> list[int]:
    """8 to the depth of loops around each block: a jump back makes a loop of what it spans."""
    depth = [0] * len(blocks)
    for i, block in enumerate(blocks):
        terminator = block.last_op
        assert terminator is not None
        for successor in terminator.successors:
            if (start := index[successor]) <= i:
                for j in range(start, i + 1):
                    depth[j] += 1
    return [8 ** min(d, 6) for d in depth]


@dataclass(frozen=True)
class AllocateRegistersPass(ModulePass):
    """Chooses registers for the values of all riscv_func.func."""

    name = "allocate-registers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Allocate each function."""
        for function in op.body.block.ops:
            if isinstance(function, riscv_func.FuncOp) and function.body.blocks:
                Allocation(function).apply()
