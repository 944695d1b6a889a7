"""What a kernel is to the scheduler, and how one becomes a `cluster.kernel`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal, NamedTuple, TypeAlias, cast

from xdsl.dialects.builtin import BFloat16Type, Float32Type, IndexType, TensorType, f32, i32
from xdsl.ir import Attribute, SSAValue

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.kernels.emitter import Index, StreamEmitter, memref_type
from softex_mlir.dialects.cluster import BufferOp, GetGlobalOp, KernelOp, StreamKind
from softex_mlir.dialects.memory import AnyMemRef, L2Space, TcdmSpace
from softex_mlir.isa_sim.machine import Machine

Dtype: TypeAlias = Literal["bf16", "i32", "f32"]

ARENA_ALIGNMENT = 64
"""Bytes that slots of buffers are a multiple of."""

ELEMENT_BYTES: dict[str, int] = {"bf16": 2, "i32": 4, "f32": 4}
ACQUIRE = {
    StreamKind.DMA_OUT: "acquire_dma_out",
    StreamKind.REDMULE: "acquire_redmule",
    StreamKind.COMPUTE: "acquire_compute",
}
"""Launch arguments: counter values after which the launch's TCDM bytes are free."""

DEPEND = "depend_dma_out"
"""Launch argument: counter value of `dma_out` after which the operands are in L2."""

Z_FREE = "z_free"
Z_STEP = "z_step"
"""Launch arguments: tile g of Z is free when `dma_out`'s counter is at z_free + g * z_step."""

X_LOADED = "x_loaded"
X_NEXT_READY = "x_next_ready"
"""Launch arguments: how many chunks of X are there already; value of `dma_out`'s counter at which
the next launch's X is stored."""

PARTIALS_CLEARED = "partials_cleared"
"""Launch argument: 1 if the memory of partial sums holds zeros already."""

FIRST_PARTIAL = "first_partial"
PARTIAL_FREE = "partial_free"
PARTIAL_STEP = "partial_step"
"""Launch arguments: the first slot of a ring of partial sums, by whose first use the cores' counter
is at partial_free; for each slot behind it at partial_step more."""

SLOPES = "softex_slopes"
WEIGHTS = "softex_weights"
ZEROS = "zeros"


def element_type(dtype: Dtype) -> Attribute:
    """The IR's element type."""
    return {"bf16": BFloat16Type(), "i32": i32, "f32": f32}[dtype]


Access: TypeAlias = Literal["feed", "load", "store", "own"]
"""What a kernel does with an L2 argument: `dma_in` reads it, `dma_out` reads it, `dma_out` writes
it, or launches use the memory for themselves."""


def dtype_of(value: SSAValue) -> Dtype:
    """Element type of a tensor."""
    kind = cast("TensorType[Attribute]", value.type)
    if isinstance(kind.element_type, BFloat16Type):
        return "bf16"
    return "f32" if isinstance(kind.element_type, Float32Type) else "i32"


@dataclass(frozen=True)
class Buffer:
    """TCDM memory of a kernel: `slots` times `shape`, slots `slot_bytes` apart.

    `offset` is in bytes from the start of the TCDM.
    """

    name: str
    shape: tuple[int, ...]
    slots: int
    offset: int
    slot_bytes: int
    dtype: Dtype = "bf16"

    @property
    def bytes_of_slot(self) -> int:
        """Bytes a slot really occupies."""
        size = ELEMENT_BYTES[self.dtype]
        for extent in self.shape:
            size *= extent
        return size

    @property
    def type(self) -> AnyMemRef:
        """The memref: the slots are its first dimension."""
        strides: list[int] = [1]
        for extent in reversed(self.shape[1:]):
            strides.insert(0, strides[0] * extent)
        stride = self.slot_bytes // ELEMENT_BYTES[self.dtype]
        return memref_type(
            (self.slots, *self.shape), element_type(self.dtype), TcdmSpace(), (stride, *strides)
        )

    def slot_range(self, slot: int) -> tuple[int, int]:
        """First byte and end of a slot."""
        start = self.offset + slot * self.slot_bytes
        return start, start + self.bytes_of_slot


@dataclass(frozen=True)
class Operand:
    """A kernel's L2 argument. Strides in elements."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    access: Access
    dtype: Dtype = "bf16"

    @property
    def item_bytes(self) -> int:
        """Bytes of an element."""
        return ELEMENT_BYTES[self.dtype]

    @property
    def type(self) -> AnyMemRef:
        """The memref."""
        return memref_type(self.shape, element_type(self.dtype), L2Space(), self.strides)


@dataclass(frozen=True)
class SlotUse:
    """A launch uses TCDM bytes [start, end) until `stream`'s counter is `offset` above its base.

    Uses of equal, non-empty `family` are ordered by the streams that touch them first (`dma_out`
    and `compute` walk the launches in order) and need no wait.
    """

    start: int
    end: int
    stream: StreamKind
    offset: int
    behind: int | None = None
    """The kernel itself waits for all matrix products of earlier launches but the last so many
    before it touches the bytes; None if it waits for none."""
    family: str = ""
    kept: bool = False
    """Whether the launch finds there what it needs: it writes nothing and waits for nobody."""
    lane: int = -1
    """Tile number, if the kernel waits for its tiles one by one (`Z_FREE`, `Z_STEP`)."""


@dataclass(frozen=True)
class Kernel(ABC):
    """A schedule with static shapes. Equal kernels are emitted once."""

    machine: Machine = field(repr=False)

    @property
    @abstractmethod
    def title(self) -> str:
        """Readable stem of the kernel's name."""

    @abstractmethod
    def buffers(self) -> tuple[Buffer, ...]:
        """All TCDM memory of the kernel."""

    @property
    def end(self) -> int:
        """First TCDM byte (from the start) behind the buffers."""
        last = self.buffers()[-1]
        return last.offset + last.slots * last.slot_bytes

    @abstractmethod
    def operands(self) -> tuple[Operand, ...]:
        """L2 arguments."""

    @property
    def engine(self) -> StreamKind:
        """Stream that computes matrix products, if there are any."""
        return StreamKind.COMPUTE if self.machine.redmule is None else StreamKind.REDMULE

    def integers(self) -> tuple[str, ...]:
        """Integer arguments besides waits."""
        return ()

    @abstractmethod
    def advances(self) -> tuple[int, int, int, int]:
        """How far a launch moves the four counters."""

    @abstractmethod
    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""

    @abstractmethod
    def emit(self, k: KernelEmitter) -> None:
        """Write the streams."""

    @abstractmethod
    def cycles(self) -> tuple[int, int, int, int]:
        """Predicted busy cycles of the four streams."""

    def moved_bytes(self) -> tuple[int, int]:
        """Predicted bytes the DMA moves into the TCDM and out of it: each operand once."""
        moved = [0, 0]
        for operand in self.operands():
            if operand.access != "own":
                moved[operand.access == "store"] += prod(operand.shape) * operand.item_bytes
        return (moved[0], moved[1])

    @property
    def team(self) -> int:
        """Cores that share the rows of the compute stream."""
        return team_size(self.machine)


class Room(NamedTuple):
    """What a kernel wants of the TCDM: a buffer without its place."""

    name: str
    shape: tuple[int, ...]
    slots: int
    dtype: Dtype = "bf16"


def place(offset: int, rooms: Iterable[Room]) -> tuple[Buffer, ...]:
    """Buffers one behind the other from a TCDM offset on, slots a multiple of 64 bytes apart."""
    found: list[Buffer] = []
    for name, shape, slots, dtype in rooms:
        size = round_up(prod(shape) * ELEMENT_BYTES[dtype], ARENA_ALIGNMENT)
        found.append(Buffer(name, shape, slots, offset, size, dtype))
        offset += slots * size
    return tuple(found)


def team_size(machine: Machine) -> int:
    """Cores of the compute stream: all but the ones that drive DMA and RedMulE."""
    return machine.cluster.cores - (2 if machine.redmule is None else 3)


@dataclass
class KernelEmitter:
    """Gives a kernel's body access to buffers, arguments and streams."""

    op: KernelOp
    values: dict[str, SSAValue]
    memory: dict[str, SSAValue]

    @staticmethod
    def open(kernel: Kernel, name: str, waits: Sequence[str]) -> KernelEmitter:
        """A `cluster.kernel` with its arguments and buffers."""
        operands = kernel.operands()
        integers = (*kernel.integers(), *waits)
        types: list[Attribute] = [operand.type for operand in operands]
        types += [IndexType()] * len(integers)
        op = KernelOp(name, types)
        values: dict[str, SSAValue] = {}
        for label, argument in zip(
            (*(o.name for o in operands), *integers), op.arguments, strict=True
        ):
            argument.name_hint = label
            values[label] = argument
        for label, base in zip(("b_in", "b_out", "b_gemm", "b_compute"), op.bases, strict=True):
            base.name_hint = label
        emitter = KernelEmitter(op, values, {})
        for buffer in kernel.buffers():
            emitter.memory[buffer.name] = emitter.buffer(buffer)
        kernel.emit(emitter)
        return emitter

    def buffer(self, buffer: Buffer) -> SSAValue:
        """TCDM memory, which may be another view of a buffer's."""
        op = BufferOp(buffer.name, buffer.type, buffer.offset)
        self.op.body.block.add_op(op)
        op.memref.name_hint = buffer.name
        return op.memref

    def stream(self, kind: StreamKind) -> StreamEmitter:
        """Begin a stream."""
        return StreamEmitter.open(self.op.body.block, kind)

    def blocks(self, s: StreamEmitter, most: int) -> Index:
        """Blocks that this execution is for, at most `most`: all, but where run time tells."""
        return most

    def acquire(self, s: StreamEmitter) -> None:
        """Wait until earlier launches have left the bytes this launch uses."""
        for stream, name in ACQUIRE.items():
            if name in self.values:
                s.wait_value(stream, self.values[name])

    def depend(self, s: StreamEmitter) -> None:
        """Wait until the operands have been stored."""
        if DEPEND in self.values:
            s.wait_value(StreamKind.DMA_OUT, self.values[DEPEND])

    def constant(self, symbol: str, elements: int) -> SSAValue:
        """A TCDM constant of the program."""
        type_ = memref_type((elements,), BFloat16Type(), TcdmSpace())
        op = GetGlobalOp(symbol, type_)
        self.op.body.block.add_op(op)
        return op.memref

    def sum_constants(self, machine: Machine) -> tuple[SSAValue, SSAValue]:
        """Slopes and weights of SoftEx's sums of exponentials."""
        assert machine.softex is not None
        terms = machine.softex.terms
        return self.constant(SLOPES, terms), self.constant(WEIGHTS, terms)
