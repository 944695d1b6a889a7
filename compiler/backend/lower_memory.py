"""
Lowering of memory accesses.

In innermost loops addresses that advance with the loop become pointers, which integer accesses
advance themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from xdsl.dialects.builtin import BFloat16Type, IntegerAttr, UnitAttr
from xdsl.dialects.riscv import Registers
from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue

from softex_mlir.compiler.backend.emitter import (
    FLOAT,
    INT,
    Linear,
    RiscvEmitter,
    fits_imm12,
    signed32,
)
from softex_mlir.compiler.backend.operands import float_class, is_float, width_of
from softex_mlir.compiler.backend.select_vectors import VectorSelector
from softex_mlir.dialects import xpulp
from softex_mlir.dialects import xpulp_bf16 as bf16
from softex_mlir.dialects.memory import AnyMemRef, element_bytes, static_strides

MHARTID = 0xF14


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


LOADS: dict[tuple[int, str], type[Operation]] = {
    (1, "s"): riscv.LbOp,
    (1, "u"): riscv.LbuOp,
    (2, "s"): riscv.LhOp,
    (2, "u"): riscv.LhuOp,
    (4, "s"): riscv.LwOp,
    (4, "u"): riscv.LwOp,
}
STORES: dict[int, type[Operation]] = {1: riscv.SbOp, 2: riscv.ShOp, 4: riscv.SwOp}
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


BIT_USERS = ("memref.store", "vector.store", "vector.shuffle", "vector.extract", "arith.bitcast")


def only_bits(value: SSAValue) -> bool:
    """
    Whether the users of a loaded float value move bits only: then an integer register is best.
    """
    uses = tuple(value.uses)
    return bool(uses) and all(use.operation.name in BIT_USERS for use in uses)


class MemoryLowering(VectorSelector):
    """Loads and stores of memrefs, of the launch record and of registers of units."""

    def __init__(self) -> None:
        super().__init__()
        self.memrefs: dict[SSAValue, Linear] = {}
        self.frames: list[LoopFrame] = []

    def view(self, op: Any) -> None:
        """Memory at an address."""
        self.memrefs[op.results[0]] = self.lin(op.operands[0])

    def address(
        self, memref: SSAValue, indices: Sequence[SSAValue]
    ) -> tuple[SSAValue, int, Pointer | None]:
        """Register and offset of an element, and the pointer that register is, if it is one."""
        type_ = cast(AnyMemRef, memref.type)
        size = element_bytes(type_)
        linear = self.memrefs[memref]
        for index, stride in zip(indices, static_strides(type_), strict=False):
            linear = linear.plus(self.lin(index), stride * size)
        return self.locate(linear)

    def locate(self, linear: Linear) -> tuple[SSAValue, int, Pointer | None]:
        """Register and offset of an address."""
        e = self.emitter
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
        e = self.emitter
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
        e = self.emitter
        if step.is_constant and self.can_post_increment(pointer, pointer.stride * step.constant):
            return self.post_increment(pointer, pointer.stride * step.constant)
        return e.value(Linear.of(pointer.argument).plus(step, pointer.stride))

    def can_post_increment(self, pointer: Pointer, advance: int) -> bool:
        """Whether the accesses can advance the pointer: integers, in one block, small steps."""
        ops = [op for _, op in pointer.accesses]
        if any(type(op) not in POST_INCREMENT or op.parent is not ops[0].parent for op in ops):
            return False
        if any(op.parent is not self.emitter.block for op in ops):
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
            self.emitter.depth[current] = self.emitter.depth[pointer.argument]
            op.detach()
            op.erase()
        return current

    def replace(self, old: SSAValue, new: SSAValue) -> None:
        """Put one register in the place of another, also in what is recorded of source values."""
        self.emitter.depth[new] = self.emitter.depth[old]
        old.replace_all_uses_with(new)
        for value, word in self.words.items():
            if word is old:
                self.words[value] = new
        for value, linear in self.linear.items():
            if any(term is old for term, _ in linear.terms):
                self.linear[value] = Linear(
                    linear.constant,
                    tuple((new if t is old else t, c) for t, c in linear.terms),
                )

    def load(self, op: Any) -> None:
        """memref.load and vector.load."""
        self.load_from(op, *self.address(op.operands[0], op.operands[1:]))

    def load_from(self, op: Any, base: SSAValue, offset: int, pointer: Pointer | None) -> None:
        """Load the op's result."""
        e = self.emitter
        result = op.results[0]
        if is_float(result.type) and only_bits(result):
            size = 2 if isinstance(result.type, BFloat16Type) else 4
            cls = riscv.LhOp if size == 2 else riscv.LwOp
            load = e.effect(cls, (base,), (INT,), RiscvEmitter.offset(offset))
            self.words[result] = load.results[0]
        elif is_float(result.type):
            kind = float_class(result.type)
            cls = bf16.FLoadHalfOp if kind == "bf16" else riscv.FLwOp
            load = e.effect(cls, (base,), (FLOAT,), RiscvEmitter.float_offset(offset))
            self.floats[result] = load.results[0]
        else:
            size = width_of(result.type) // 8
            uses = tuple(result.uses)
            unsigned = bool(uses) and all(use.operation.name == "arith.extui" for use in uses)
            self.extended[result] = "u" if unsigned else "s"
            load = e.effect(
                LOADS[size, self.extended[result]], (base,), (INT,), RiscvEmitter.offset(offset)
            )
            self.set_int(result, load.results[0])
        if pointer is not None:
            pointer.accesses.append((offset, load))

    def store(self, op: Any) -> None:
        """memref.store and vector.store."""
        value, memref, *indices = op.operands
        self.store_to(value, *self.address(memref, indices))

    def store_to(
        self, value: SSAValue, base: SSAValue, offset: int, pointer: Pointer | None
    ) -> None:
        """Store a value of any type."""
        e = self.emitter
        if value in self.words and value not in self.floats:
            cls = riscv.ShOp if isinstance(value.type, BFloat16Type) else riscv.SwOp
            store = e.effect(cls, (base, self.words[value]), (), RiscvEmitter.offset(offset))
            if pointer is not None:
                pointer.accesses.append((offset, store))
            return
        register = self.reg(value)
        if is_float(value.type):
            cls = bf16.FStoreHalfOp if isinstance(value.type, BFloat16Type) else riscv.FSwOp
            store = e.effect(cls, (base, register), (), RiscvEmitter.float_offset(offset))
        else:
            cls = STORES[width_of(value.type) // 8]
            store = e.effect(cls, (base, register), (), RiscvEmitter.offset(offset))
        if pointer is not None:
            pointer.accesses.append((offset, store))

    def launch_word(self, op: Any) -> None:
        """A word of the launch record, which register tp points at."""
        e = self.emitter
        offset = 4 * op.index.value.data
        record = e.register(Registers.TP)
        # The record does not change while a kernel runs: the load is as good as a constant.
        register = e.emit(riscv.LwOp, (record,), INT, RiscvEmitter.offset(offset), offset)
        self.set_int(op.results[0], register)

    def register_access(self, op: Any) -> None:
        """A read, a write or a wait of a memory-mapped register."""
        e = self.emitter
        base, offset = e.address(Linear(signed32(op.address())))
        attributes = RiscvEmitter.offset(offset)
        if op.name == "hwpe.write":
            e.effect(riscv.SwOp, (base, self.reg(op.operands[0])), (), attributes)
            return
        result = op.results[0]
        if op.name == "hwpe.wait" and not result.uses:
            # Register zero says that the program does not look at which event came.
            e.effect(xpulp.EventLoadWordOp, (base,), (Registers.ZERO,), attributes)
            return
        cls = xpulp.EventLoadWordOp if op.name == "hwpe.wait" else riscv.LwOp
        read = e.effect(cls, (base,), (INT,), attributes)
        self.set_int(result, read.results[0])

    def delay(self, op: Any) -> None:
        """An instruction that does nothing for each cycle."""
        for _ in range(op.cycles.value.data):
            self.emitter.effect(riscv.NopOp, ())

    def core_id(self, op: Operation) -> None:
        """CSR mhartid."""
        e = self.emitter
        attributes: dict[str, Attribute] = {
            "csr": IntegerAttr(MHARTID, 32),
            "readonly": UnitAttr(),
        }
        register = e.emit(riscv.CsrrsOp, (e.zero,), INT, attributes, MHARTID)
        self.set_int(op.results[0], register)
