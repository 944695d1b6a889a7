"""The kernels that lay out keys as attention reads them: Kᵀ, whole or chunk by chunk.

`dma_out` loads a chunk of a head's keys and, while the cores transpose the one before, stores the
transpose of the one before that.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.kernels.copies import POSITION, load_index
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, OUT, Index
from softex_mlir.compiler.schedule.kernels.kernel import (
    Buffer,
    Kernel,
    KernelEmitter,
    Operand,
    SlotUse,
)
from softex_mlir.compiler.schedule.search.costs import (
    DMA_QUEUE_CYCLES,
    TRANSPOSE_CYCLES,
    core_cycles,
    dma_box_cycles,
)


@dataclass(frozen=True)
class TransposeKernel(Kernel):
    """Keys [keys, heads*size] to [chunks, heads, size, chunk], the last chunk padded with zeros; or
    to [heads*size, keys]."""

    keys: int
    chunk: int
    heads: int
    size: int
    pitch: int
    """Elements between the rows of the keys."""
    out_pitch: int | None
    """Elements between the rows of the result; None if it is to lie chunk by chunk."""
    offset: int
    capacity: int | None = None
    """Columns of a result into which the keys go from a position on that is known at run time."""

    @property
    def title(self) -> str:
        what = "transpose" if self.capacity is None else "append_columns"
        return f"{what}_{self.keys}x{self.heads * self.size}_by_{self.chunk}"

    @property
    def chunks(self) -> int:
        """Chunks of keys."""
        return -(-self.keys // self.chunk)

    @property
    def padding(self) -> int:
        """Keys that the last chunk lacks."""
        return self.chunks * self.chunk - self.keys

    @property
    def steps(self) -> int:
        """Tiles: chunks times heads."""
        return self.chunks * self.heads

    def buffers(self) -> tuple[Buffer, ...]:
        even = round_up(self.chunk, 2)
        size = round_up(even * self.size * 2, 64)
        return (
            Buffer("x", (self.chunk, self.size), 2, self.offset, size),
            Buffer("y", (self.size, even), 2, self.offset + 2 * size, size),
        )

    def operands(self) -> tuple[Operand, ...]:
        if self.out_pitch is None:
            shape, pitch = (self.steps * self.size, self.chunk), self.chunk
        else:
            columns = self.keys if self.capacity is None else self.capacity
            shape, pitch = (self.heads * self.size, columns), self.out_pitch
        position = Operand(POSITION, (1,), (1,), "load", "i32")
        return (
            *(() if self.capacity is None else (position,)),
            Operand("source", (self.keys, self.heads * self.size), (self.pitch, 1), "load"),
            Operand("zeros", (self.chunk, self.size), (0, 1), "load"),
            Operand("target", shape, (pitch, 1), "store"),
        )

    def advances(self) -> tuple[int, int, int, int]:
        return (0, self.steps + min(2, self.steps), 0, self.steps)

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        return [SlotUse(self.offset, self.end, OUT, self.advances()[1], family="rows")]

    def emit(self, k: KernelEmitter) -> None:
        self._emit_out(k)
        self._emit_compute(k)

    def _emit_out(self, k: KernelEmitter) -> None:
        s = k.stream(OUT)
        first = 0 if self.capacity is None else load_index(s, k.values[POSITION], 0)

        def load(step: Index) -> None:
            chunk, slot = s.div(step, self.heads), s.mod(step, 2)
            source = [s.mul(chunk, self.chunk), s.mul(s.mod(step, self.heads), self.size)]

            def rows(count: int) -> None:
                tokens = [
                    s.transfer(
                        k.values["source"], source, k.memory["x"], [slot], [count, self.size]
                    )
                ]
                if count < self.chunk:
                    sizes = [self.chunk - count, self.size]
                    target = [slot, count]
                    tokens.append(s.transfer(k.values["zeros"], [], k.memory["x"], target, sizes))
                s.complete(*tokens)

            s.when(chunk, "slt", self.chunks - 1, lambda: rows(self.chunk))
            s.when(chunk, "eq", self.chunks - 1, lambda: rows(self.chunk - self.padding))

        def store(step: Index) -> SSAValue:
            s.wait(COMPUTE, s.add(step, 1))
            if self.out_pitch is None:
                target = [s.mul(step, self.size), 0]
            else:
                column = s.mul(s.div(step, self.heads), self.chunk)
                target = [s.mul(s.mod(step, self.heads), self.size), s.add(first, column)]
            sizes = [self.size, self.chunk]
            return s.transfer(k.memory["y"], [s.mod(step, 2)], k.values["target"], target, sizes)

        def both(step: Index) -> None:
            stored = store(s.add(step, -2))
            load(step)
            s.complete(stored)
            s.advance()

        for step in range(min(2, self.steps)):
            load(step)
            s.advance()
        s.loop(2, self.steps, both)
        for step in range(max(0, self.steps - 2), self.steps):
            s.complete(store(step))
            s.advance()

    def _emit_compute(self, k: KernelEmitter) -> None:
        from softex_mlir.compiler.bodies import TileRef, emit_transpose

        s = k.stream(COMPUTE)

        def step(index: Index) -> None:
            # its slot of y is free: what is two steps older was stored a step ago
            s.wait(OUT, s.add(index, 1))
            slot = s.value(s.mod(index, 2))
            x, y = (TileRef(k.memory[name], (slot,)) for name in ("x", "y"))
            s.parallel(
                -(-self.chunk // 2),
                lambda pair: emit_transpose(
                    s.builder, x, y, pair, rows=self.chunk, columns=self.size
                ),
            )
            s.advance()

        s.loop(0, self.steps, step)

    def cycles(self) -> tuple[int, int, int, int]:
        machine, n = self.machine, self.steps
        load = dma_box_cycles(machine, self.size * 2, self.chunk)
        if self.out_pitch is None:
            store = dma_box_cycles(machine, self.size * self.chunk * 2, 1)
        else:
            store = dma_box_cycles(machine, self.chunk * 2, self.size)
        # a tile is loaded when the one before is stored, behind others of this direction
        out = max(load + DMA_QUEUE_CYCLES, store)
        turn = core_cycles(machine, TRANSPOSE_CYCLES, self.chunk * self.size)
        return (0, n * out, 0, n * (turn + 60))


@dataclass(frozen=True)
class AppendColumnKernel(Kernel):
    """A row becomes a column of a matrix of `capacity` columns, at a position known at run time."""

    columns: int
    """Elements of the row."""
    capacity: int
    pitch: int
    """Elements between the rows of the matrix."""
    offset: int

    @property
    def title(self) -> str:
        return f"append_column_of_{self.columns}"

    def buffers(self) -> tuple[Buffer, ...]:
        size = round_up(self.columns * 2, 64)
        # the same bytes, as they come and as they go
        return (
            Buffer("row", (1, self.columns), 1, self.offset, size),
            Buffer("column", (self.columns, 1), 1, self.offset, size),
        )

    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand(POSITION, (1,), (1,), "load", "i32"),
            Operand("source", (1, self.columns), (self.columns, 1), "load"),
            Operand("target", (self.columns, self.capacity), (self.pitch, 1), "store"),
        )

    def advances(self) -> tuple[int, int, int, int]:
        return (0, 1, 0, 0)

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        return [SlotUse(self.offset, self.end, OUT, 1, family="rows")]

    def emit(self, k: KernelEmitter) -> None:
        s = k.stream(OUT)
        position = load_index(s, k.values[POSITION], 0)
        s.complete(s.transfer(k.values["source"], [0], k.memory["row"], [0], [1, self.columns]))
        sizes = [self.columns, 1]
        s.complete(s.transfer(k.memory["column"], [0], k.values["target"], [0, position], sizes))
        s.advance()

    def cycles(self) -> tuple[int, int, int, int]:
        load = dma_box_cycles(self.machine, self.columns * 2, 1)
        return (0, load + dma_box_cycles(self.machine, 2, self.columns), 0, 0)

    def moved_bytes(self) -> tuple[int, int]:
        return (2 * self.columns, 2 * self.columns)
