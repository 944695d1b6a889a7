"""Which register each value of a function gets: graph colouring with coalescing and spilling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import NamedTuple

from xdsl.dialects import riscv_func, rv32
from xdsl.dialects.riscv import Registers
from xdsl.dialects.riscv import ops as riscv
from xdsl.dialects.riscv.registers import FloatRegisterType, IntRegisterType
from xdsl.ir import Block, Operation, SSAValue

from softex_mlir.compiler.backend.interference import (
    InterferenceGraph,
    color,
    members,
    mirrored,
)
from softex_mlir.dialects import xpulp
from softex_mlir.dialects.xpulp_base import TiedInstruction


@dataclass(eq=False, slots=True)
class VirtualInstruction:
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


class Touched(NamedTuple):
    """The values that an instruction reads and writes, those with one register as one."""

    written: Sequence[int]
    writes: int
    """Bit set."""
    reads: int
    """Bit set."""
    copied: int
    """Bit set of what a copy copies; empty for others."""


@dataclass(eq=False)
class BlockCode:
    """The instructions of a block."""

    block: Block
    code: list[VirtualInstruction]
    successors: list[int]
    frequency: int = 1
    passed: list[list[int]] = field(default_factory=lambda: list[list[int]]())
    """For each successor the values passed to its arguments."""


@cache
def is_tied(kind: type[Operation]) -> bool:
    """Whether operations of a class read and write one register: asked of each instruction."""
    return issubclass(kind, TiedInstruction)


def is_unallocated(value: SSAValue) -> bool:
    """Whether a register has to be chosen for the value."""
    type_ = value.type
    return isinstance(type_, IntRegisterType | FloatRegisterType) and not type_.is_allocated


class Allocation:
    """
    The allocation of one function, up to the numbers of the registers.

    `registers` are how many integer and float registers may be used.
    """

    def __init__(self, function: riscv_func.FuncOp, registers: tuple[int, int]) -> None:
        self.function = function
        self.registers = registers
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
            code: list[VirtualInstruction] = []
            for op in block.ops:
                self.add_op(code, op)
            terminator = code.pop()
            op = terminator.op
            assert op is not None
            entry = BlockCode(block, code, [index[s] for s in op.successors], frequencies[i])
            copies: list[VirtualInstruction] = []
            seconds: list[VirtualInstruction] = []
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
        copies: list[VirtualInstruction],
        seconds: list[VirtualInstruction],
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
            copies.append(VirtualInstruction(None, [source], [temporary]))
            source = temporary
        result = self.new(self.is_float[target])
        self.root[result] = target
        seconds.append(VirtualInstruction(None, [source], [result]))
        return result

    def add_op(self, code: list[VirtualInstruction], op: Operation) -> None:
        """One op, a copy of its tied operand before it."""
        uses = [self.number_of(operand) for operand in op.operands]
        defs = [self.number_of(result) for result in op.results]
        if is_tied(type(op)):
            assert isinstance(op, TiedInstruction)
            position = op.operands.index(op.tied_operand)
            result = self.number_of(op.tied_result)
            copy = self.new(self.is_float[result])
            self.root[copy] = result
            code.append(VirtualInstruction(None, [uses[position]], [copy]))
            uses[position] = copy
        code.append(VirtualInstruction(op, uses, defs))

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
                self.registers,
                self.spill_costs,
            )
            if not spilled:
                return colors
            self.spill(spilled, graph)
        raise AssertionError("register allocation does not converge")

    def touched(self, instruction: VirtualInstruction, roots: Sequence[int]) -> Touched:
        """Of an instruction; `roots` are the representatives of all values."""
        written = [roots[number] for number in instruction.defs if number >= 0]
        writes = reads = 0
        for root in written:
            writes |= 1 << root
        for number in instruction.uses:
            if number >= 0:
                reads |= 1 << roots[number]
        return Touched(written, writes, reads, reads if instruction.is_copy else 0)

    def live_in(self, code: Sequence[Sequence[Touched]]) -> list[int]:
        """Bit set of live values at the start of each block, of which `code` is the last
        instruction first."""
        gen: list[int] = []
        kill: list[int] = []
        for block in code:
            used = defined = 0
            for _, writes, reads, _ in block:
                defined |= writes
                used = used & ~writes | reads
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

    def interference(self) -> InterferenceGraph:
        """Which values are live at the same time."""
        roots = [self.find(number) for number in range(len(self.values))]
        code = [[self.touched(i, roots) for i in reversed(block.code)] for block in self.blocks]
        live_in = self.live_in(code)
        neighbours = [0] * len(self.values)
        masks = [0, 0]
        for number, is_float in enumerate(self.is_float):
            masks[is_float] |= 1 << number
        used = 0
        for block, instructions in zip(self.blocks, code, strict=True):
            live = 0
            for successor in block.successors:
                live |= live_in[successor]
            for written, writes, reads, copied in instructions:
                live |= writes
                for number in written:
                    others = live & masks[self.is_float[number]]
                    neighbours[number] |= others & ~(1 << number | copied)
                live = live & ~writes | reads
                used |= writes | reads
        return InterferenceGraph(mirrored(neighbours), set(members(used)))

    def coalesce(self, graph: InterferenceGraph) -> None:
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
                    elif type(op) is rv32.LiOp or (
                        type(op) is riscv.LwOp and op.rs1.type == Registers.TP
                    ):
                        result[root] = op
                    else:
                        several.add(root)
        return result

    def stack_slots(self, roots: Sequence[int], graph: InterferenceGraph) -> dict[int, int]:
        """A slot of the stack for each value; values that are never live together share one."""
        slots: dict[int, int] = {}
        first = self.slots
        for is_float in (False, True):
            members = [root for root in roots if self.is_float[root] is is_float]
            for root in members:
                taken = {
                    slots[o] for o in members if o in slots and graph.neighbours[root] >> o & 1
                }
                slot = next(n for n in count(first) if n not in taken)
                slots[root] = slot
                self.slots = max(self.slots, slot + 1)
            # The graph does not say which integers and floats live together.
            first = self.slots
        return slots

    def spill(self, roots: Sequence[int], graph: InterferenceGraph) -> None:
        """Move values to the stack, reloading them before each use."""
        remakeable = self.remakeable()
        slots = self.stack_slots([root for root in roots if root not in remakeable], graph)
        spilled = set(roots)
        for block in self.blocks:
            code: list[VirtualInstruction] = []
            for instruction in block.code:
                before: list[VirtualInstruction] = []
                after: list[VirtualInstruction] = []
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
                            before.append(
                                VirtualInstruction(None, [], [fresh], remake=remakeable[root])
                            )
                        else:
                            before.append(VirtualInstruction(None, [], [fresh], slot=slots[root]))
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
                    after.append(VirtualInstruction(None, [fresh], [], slot=slots[root]))
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

    def tied_root(self, instruction: VirtualInstruction) -> int | None:
        """The value that a tied instruction both reads and writes."""
        op = instruction.op
        if op is None or not is_tied(type(op)):
            return None
        assert isinstance(op, TiedInstruction)
        return self.find(instruction.uses[op.operands.index(op.tied_operand)])

    # endregion


def passes_arguments(op: Operation, successor: Block) -> bool:
    """
    Whether a terminator passes arguments to a successor (a loop's end passes none to its exit).
    """
    return not (isinstance(op, xpulp.LoopEndOp) and successor is op.exit)


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
