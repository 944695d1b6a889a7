"""The kernel that lays out keys for attention by chunks: Kᵀ, chunk by chunk.

`dma_out` loads a chunk of a head's keys and, while the cores transpose the one before, stores the
transpose of the one before that.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, OUT, Index
from softex_mlir.compiler.schedule.kernels.kernel import (
    Buffer,
    Kernel,
    KernelEmitter,
    Operand,
    SlotUse,
)
from softex_mlir.compiler.schedule.search.costs import TRANSPOSE_CYCLES, core_cycles, dma_box_cycles


@dataclass(frozen=True)
class TransposeKernel(Kernel):
    """Keys [keys, heads*size] to [chunks, heads, size, chunk], the last chunk padded with zeros."""

    keys: int
    chunk: int
    heads: int
    size: int
    pitch: int
    """Elements between the rows of the keys."""
    offset: int

    @property
    def title(self) -> str:
        return f"transpose_{self.keys}x{self.heads * self.size}_by_{self.chunk}"

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
        size = round_up(self.chunk * self.size * 2, 64)
        return (
            Buffer("x", (self.chunk, self.size), 2, self.offset, size),
            Buffer("y", (self.size, self.chunk), 2, self.offset + 2 * size, size),
        )

    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("source", (self.keys, self.heads * self.size), (self.pitch, 1), "load"),
            Operand("zeros", (self.chunk, self.size), (0, 1), "load"),
            Operand("target", (self.steps * self.size, self.chunk), (self.chunk, 1), "store"),
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
            target = [s.mul(step, self.size)]
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
                self.chunk // 2,
                lambda pair: emit_transpose(
                    s.builder, x, y, pair, rows=self.chunk, columns=self.size
                ),
            )
            s.advance()

        s.loop(0, self.steps, step)

    def cycles(self) -> tuple[int, int, int, int]:
        machine, n = self.machine, self.steps
        load = dma_box_cycles(machine, self.size * 2, self.chunk)
        store = dma_box_cycles(machine, self.size * self.chunk * 2, 1)
        out = max(load, store)
        turn = core_cycles(machine, TRANSPOSE_CYCLES, self.chunk * self.size)
        return (0, n * out, 0, n * (turn + 60))
