"""Kernels of `dma_out` alone: strided copies through the TCDM, gathering rows of a table, and
storing rows at a place known at run time."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import arith, memref
from xdsl.dialects.builtin import IndexType
from xdsl.ir import SSAValue

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.kernels.emitter import OUT, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import (
    ELEMENT_BYTES,
    Buffer,
    Dtype,
    Kernel,
    KernelEmitter,
    Operand,
    SlotUse,
)
from softex_mlir.compiler.schedule.search.costs import DMA_COMMAND_CYCLES, dma_box_cycles


@dataclass(frozen=True)
class CopyKernel(Kernel):
    """Copy a box of any rank. The last three dimensions are one transfer, the others are loops.

    Strides in elements; the innermost dimension is contiguous on both sides or has size 1.
    """

    shape: tuple[int, ...]
    source_strides: tuple[int, ...]
    target_strides: tuple[int, ...]
    dtype: Dtype
    offset: int

    @property
    def title(self) -> str:
        return "copy_" + "x".join(map(str, self.shape))

    @property
    def box(self) -> tuple[int, ...]:
        """Shape of one transfer."""
        return self.shape[-3:]

    @property
    def steps(self) -> int:
        """Number of transfers in each direction."""
        count = 1
        for size in self.shape[:-3]:
            count *= size
        return count

    def buffers(self) -> tuple[Buffer, ...]:
        size = ELEMENT_BYTES[self.dtype]
        for extent in self.box:
            size *= extent
        return (Buffer("box", self.box, 2, self.offset, round_up(size, 64), self.dtype),)

    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("source", self.shape, self.source_strides, "load", self.dtype),
            Operand("target", self.shape, self.target_strides, "store", self.dtype),
        )

    def advances(self) -> tuple[int, int, int, int]:
        return (0, 1, 0, 0)

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        return [SlotUse(self.offset, self.end, OUT, 1, family="rows")]

    def emit(self, k: KernelEmitter) -> None:
        s = k.stream(OUT)
        outer = self.shape[:-3]

        def indices(step: Index) -> list[Index]:
            found: list[Index] = []
            for position, size in enumerate(outer):
                inner = 1
                for extent in outer[position + 1 :]:
                    inner *= extent
                index = s.div(step, inner)
                found.append(index if position == 0 else s.mod(index, size))
            return found

        def load(step: Index):
            target = [s.mod(step, 2)]
            return s.transfer(k.values["source"], indices(step), k.memory["box"], target, self.box)

        def store(step: Index):
            source = [s.mod(step, 2)]
            return s.transfer(k.memory["box"], source, k.values["target"], indices(step), self.box)

        def both(step: Index) -> None:
            s.complete(load(s.add(step, 1)), store(step))

        s.complete(load(0))
        s.loop(0, self.steps - 1, both)
        s.complete(store(self.steps - 1))
        s.advance()

    def cycles(self) -> tuple[int, int, int, int]:
        runs = 1
        for extent in self.box[:-1]:
            runs *= extent
        run = self.box[-1] * ELEMENT_BYTES[self.dtype]
        once = dma_box_cycles(self.machine, run, runs)
        return (0, (self.steps + 1) * once, 0, 0)


POSITION = "position"
"""Operand of kernels that work at a place known at run time."""


def load_index(s: StreamEmitter, ids: SSAValue, position: Index) -> SSAValue:
    """An element of an integer tensor in L2, as an index."""
    load = memref.LoadOp.get(ids, [s.value(position)])
    s.insert(load)
    index = arith.IndexCastOp(load.res, IndexType())
    s.insert(index)
    return index.result


def _block_of_rows(rows: int, columns: int, offset: int) -> Buffer:
    return Buffer("rows", (rows, columns), 1, offset, round_up(rows * columns * 2, 64))


@dataclass(frozen=True)
class EmbeddingKernel(Kernel):
    """Rows of a table by index, `block` rows gathered at a time."""

    rows: int
    vocabulary: int
    columns: int
    table_pitch: int
    out_pitch: int
    block: int
    offset: int

    @property
    def title(self) -> str:
        return f"embedding_{self.rows}x{self.columns}"

    def buffers(self) -> tuple[Buffer, ...]:
        return (_block_of_rows(self.block, self.columns, self.offset),)

    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("ids", (self.rows,), (1,), "load", "i32"),
            Operand("table", (self.vocabulary, self.columns), (self.table_pitch, 1), "load"),
            Operand("target", (self.rows, self.columns), (self.out_pitch, 1), "store"),
        )

    def advances(self) -> tuple[int, int, int, int]:
        return (0, 1, 0, 0)

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        return [SlotUse(self.offset, self.end, OUT, 1, family="rows")]

    def emit(self, k: KernelEmitter) -> None:
        s = k.stream(OUT)
        full, tail = divmod(self.rows, self.block)

        def gather(block: Index, rows: int) -> None:
            first = s.mul(block, self.block)

            def row(r: Index) -> None:
                position = s.add(first, r)
                source = [load_index(s, k.values["ids"], position)]
                s.complete(
                    s.transfer(
                        k.values["table"], source, k.memory["rows"], [0, r], [1, self.columns]
                    )
                )

            s.loop(0, rows, row)
            s.complete(
                s.transfer(k.memory["rows"], [0], k.values["target"], [first], [rows, self.columns])
            )

        s.loop(0, full, lambda block: gather(block, self.block))
        if tail:
            gather(full, tail)
        s.advance()

    def cycles(self) -> tuple[int, int, int, int]:
        once = dma_box_cycles(self.machine, self.columns * 2, 1) + DMA_COMMAND_CYCLES
        return (0, 2 * self.rows * once, 0, 0)

    def moved_bytes(self) -> tuple[int, int]:
        return (2 * self.rows * self.columns, 2 * self.rows * self.columns)


@dataclass(frozen=True)
class AppendKernel(Kernel):
    """Rows into a tensor of `capacity` rows from a position on, `block` rows at a time."""

    rows: int
    capacity: int
    columns: int
    rows_pitch: int
    state_pitch: int
    block: int
    offset: int

    @property
    def title(self) -> str:
        return f"append_{self.rows}x{self.columns}"

    def buffers(self) -> tuple[Buffer, ...]:
        return (_block_of_rows(self.block, self.columns, self.offset),)

    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand(POSITION, (1,), (1,), "load", "i32"),
            Operand("source", (self.rows, self.columns), (self.rows_pitch, 1), "load"),
            Operand("target", (self.capacity, self.columns), (self.state_pitch, 1), "store"),
        )

    def advances(self) -> tuple[int, int, int, int]:
        return (0, 1, 0, 0)

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        return [SlotUse(self.offset, self.end, OUT, 1, family="rows")]

    def emit(self, k: KernelEmitter) -> None:
        s = k.stream(OUT)
        full, tail = divmod(self.rows, self.block)
        position = load_index(s, k.values[POSITION], 0)

        def store(block: Index, rows: int) -> None:
            first = s.mul(block, self.block)
            sizes = [rows, self.columns]
            s.complete(s.transfer(k.values["source"], [first], k.memory["rows"], [0], sizes))
            target = [s.add(position, first)]
            s.complete(s.transfer(k.memory["rows"], [0], k.values["target"], target, sizes))

        s.loop(0, full, lambda block: store(block, self.block))
        if tail:
            store(full, tail)
        s.advance()

    def cycles(self) -> tuple[int, int, int, int]:
        blocks = -(-self.rows // self.block)
        rows = -(-self.rows // blocks)
        once = dma_box_cycles(self.machine, self.columns * 2, rows) + DMA_COMMAND_CYCLES
        return (0, 2 * blocks * once, 0, 0)

    def moved_bytes(self) -> tuple[int, int]:
        return (2 * self.rows * self.columns, 2 * self.rows * self.columns)
