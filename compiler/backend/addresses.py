"""
Addresses of memory accesses.

In innermost loops addresses that advance with the loop become pointers, which integer accesses
advance themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Block, BlockArgument, Operation, SSAValue

from softex_mlir.compiler.backend.emitter import INT, Linear, RiscvEmitter, fits_imm12
from softex_mlir.compiler.backend.operands import Operands
from softex_mlir.dialects import xpulp
from softex_mlir.dialects.memory import AnyMemRef, element_bytes, static_strides

POST_INCREMENT: dict[type[Operation], type[Operation]] = {
    riscv.LbOp: xpulp.PostLoadByteOp,
    riscv.LbuOp: xpulp.PostLoadByteUnsignedOp,
    riscv.LhOp: xpulp.PostLoadHalfOp,
    riscv.LhuOp: xpulp.PostLoadHalfUnsignedOp,
    riscv.LwOp: xpulp.PostLoadWordOp,
    riscv.SbOp: xpulp.PostStoreByteOp,
    riscv.ShOp: xpulp.PostStoreHalfOp,
    riscv.SwOp: xpulp.PostStoreWordOp,
}


@dataclass
class Pointer:
    """A register that walks through memory with an innermost loop."""

    start: int
    argument: BlockArgument
    stride: int
    accesses: list[tuple[int, Operation]] = field(
        default_factory=lambda: list[tuple[int, Operation]]()
    )
    """Offset from the register, and the access, in program order."""


@dataclass
class LoopFrame:
    """A loop being lowered."""

    block: Block
    induction: SSAValue
    lower: Linear
    depth: int
    innermost: bool
    initial: list[SSAValue]
    pointers: dict[object, list[Pointer]] = field(
        default_factory=lambda: dict[object, list[Pointer]]()
    )


class Addresses:
    """Where memrefs lie, and the pointers of the loops being lowered."""

    def __init__(self, values: Operands) -> None:
        self.values = values
        self.memrefs: dict[SSAValue, Linear] = {}
        self.frames: list[LoopFrame] = []

    def address(
        self, memref: SSAValue, indices: Sequence[SSAValue]
    ) -> tuple[SSAValue, int, Pointer | None]:
        """Register and offset of an element, and the pointer that register is, if it is one."""
        type_ = cast(AnyMemRef, memref.type)
        size = element_bytes(type_)
        linear = self.memrefs[memref]
        for index, stride in zip(indices, static_strides(type_), strict=False):
            linear = linear.plus(self.values.lin(index), stride * size)
        return self.locate(linear)

    def locate(self, linear: Linear) -> tuple[SSAValue, int, Pointer | None]:
        """Register and offset of an address."""
        e = self.values.emitter
        if self.frames and self.frames[-1].innermost:
            frame = self.frames[-1]
            terms = dict(linear.terms)
            stride = terms.pop(frame.induction, 0)
            if stride and all(e.depth[value] < frame.depth for value in terms):
                pointer = self.pointer(frame, linear, stride, terms)
                return pointer.argument, linear.constant - pointer.start, pointer
        base, offset = e.address(linear)
        return base, offset, None

    def pointer(
        self, frame: LoopFrame, linear: Linear, stride: int, terms: dict[SSAValue, int]
    ) -> Pointer:
        """The pointer that reaches an address, a new one if need be."""
        e = self.values.emitter
        key = (stride, frozenset(terms.items()))
        group = frame.pointers.setdefault(key, [])
        for pointer in group:
            if fits_imm12(linear.constant - pointer.start):
                return pointer
        first = Linear(linear.constant, tuple(terms.items())).plus(frame.lower, stride)
        # Two pointers must not begin as one value: each is advanced in its own register.
        start = e.value(first)
        argument = frame.block.insert_arg(INT, len(frame.block.args))
        e.depth[argument] = frame.depth
        frame.initial.append(start)
        pointer = Pointer(linear.constant, argument, stride)
        group.append(pointer)
        return pointer

    def advance(self, frame: LoopFrame, pointer: Pointer, step: Linear) -> SSAValue:
        """The pointer's value in the next iteration."""
        e = self.values.emitter
        if step.is_constant and self.can_post_increment(pointer, pointer.stride * step.constant):
            return self.post_increment(pointer, pointer.stride * step.constant)
        return e.value(Linear.of(pointer.argument).plus(step, pointer.stride))

    def can_post_increment(self, pointer: Pointer, advance: int) -> bool:
        """Whether the accesses can advance the pointer: integers, in one block, small steps."""
        ops = [op for _, op in pointer.accesses]
        if any(type(op) not in POST_INCREMENT or op.parent is not ops[0].parent for op in ops):
            return False
        if any(op.parent is not self.values.emitter.block for op in ops):
            return False
        offsets = [offset for offset, _ in pointer.accesses]
        if offsets[0] != 0:
            return False
        steps = zip(offsets, [*offsets[1:], advance], strict=True)
        used_otherwise = sum(1 for _ in pointer.argument.uses) != len(ops)
        return all(fits_imm12(b - a) for a, b in steps) and not used_otherwise

    def post_increment(self, pointer: Pointer, advance: int) -> SSAValue:
        """Each access moves the pointer to where the next one is."""
        current = pointer.argument
        offsets = [offset for offset, _ in pointer.accesses]
        for (offset, op), following in zip(pointer.accesses, [*offsets[1:], advance], strict=True):
            cls = POST_INCREMENT[type(op)]
            is_load = bool(op.results)
            new = cls.create(
                operands=(current, *op.operands[1:]),
                result_types=(INT, INT) if is_load else (INT,),
                attributes=RiscvEmitter.offset(following - offset),
            )
            block = op.parent
            assert block is not None
            block.insert_op_before(new, op)
            if is_load:
                self.replace(op.results[0], new.results[0])
            current = new.results[-1]
            self.values.emitter.depth[current] = self.values.emitter.depth[pointer.argument]
            op.detach()
            op.erase()
        return current

    def replace(self, old: SSAValue, new: SSAValue) -> None:
        """Put one register in the place of another, also in what is recorded of source values."""
        self.values.emitter.depth[new] = self.values.emitter.depth[old]
        old.replace_all_uses_with(new)
        for value, word in self.values.words.items():
            if word is old:
                self.values.words[value] = new
        for value, linear in self.values.linear.items():
            if any(term is old for term, _ in linear.terms):
                self.values.linear[value] = Linear(
                    linear.constant,
                    tuple((new if t is old else t, c) for t, c in linear.terms),
                )
