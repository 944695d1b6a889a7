"""The kernel of a product computed the other way round: (x·w)ᵀ = wᵀ·xᵀ.

    dma_in   xᵀ once, in chunks of the inner dimension; per tile its bias and rows of wᵀ
    redmule  per tile, per chunk: Z += rows of wᵀ · xᵀ
    compute  per tile: activation, and the tile turned
    dma_out  columns of the result

All of xᵀ stays in the TCDM, so the weights cross the DMA once: a job is one tile of RedMulE's rows
with all columns, on rows of wᵀ in a ring of two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from xdsl.ir import SSAValue

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.bodies import (
    GELU_SQUARE,
    RowRef,
    TileRef,
    emit_gelu_finish,
    emit_transpose,
    emit_unary,
)
from softex_mlir.compiler.row_operations.rows import Unary
from softex_mlir.compiler.row_operations.unary import sums_on_softex
from softex_mlir.compiler.schedule.kernels.emitter import (
    COMPUTE,
    GEMM,
    IN,
    OUT,
    Index,
    StreamEmitter,
)
from softex_mlir.compiler.schedule.kernels.kernel import (
    Buffer,
    Kernel,
    KernelEmitter,
    Operand,
    Room,
    SlotUse,
    place,
)
from softex_mlir.compiler.schedule.search.costs import (
    TRANSPOSE_CYCLES,
    core_cycles,
    dma_box_cycles,
    epilogue_cycles,
    gemm_job_cycles,
    softex_sum_cycles,
    streaming_slowdown,
)
from softex_mlir.compiler.weight_layout import ALIGNMENT
from softex_mlir.dialects.redmule import GemmOp

PAIR = 2
"""Rows that a core turns at a time."""
BIAS_COLUMNS = 16
"""Columns that the bias is repeated to in L2: more take the cores longer to write, fewer the DMA
longer to read."""


@dataclass(frozen=True)
class TurnedKernel(Kernel):
    """x [tokens, n·chunks] times w [n·chunks, columns], with a bias and an activation; or such
    products of one x one behind the other."""

    tokens: int
    n: int
    """Inner values of a job."""
    chunks: int
    columns: int
    activation: str
    biased: bool
    out_pitch: int
    turned_slots: int
    """Turned tiles in the TCDM: one is stored while the next is turned."""
    offset: int
    products: int = 1

    @property
    def title(self) -> str:
        epilogue = "" if self.activation == "none" else f"_{self.activation}"
        times = "" if self.products == 1 else f"_{self.products}_times"
        return f"turned_{self.tokens}x{self.n * self.chunks}x{self.columns}{epilogue}{times}"

    @property
    def rows(self) -> int:
        """Columns of the result in a tile: rows of RedMulE."""
        assert self.machine.redmule is not None
        return self.machine.redmule.rows

    @property
    def tiles(self) -> int:
        """Tiles of a product; the last one begins so that it ends with the last column."""
        return -(-self.columns // self.rows)

    @property
    def all_tiles(self) -> int:
        """Tiles of all products."""
        return self.products * self.tiles

    @property
    def on_softex(self) -> bool:
        """Whether the activation is GELU through SoftEx."""
        return sums_on_softex(self.activation, self.machine)

    @property
    def pieces(self) -> int:
        """Parts of a tile that SoftEx takes one by one, a row for every core."""
        return -(-self.rows // self.team)

    def buffers(self) -> tuple[Buffer, ...]:
        rows = self.pieces * self.team if self.on_softex else self.rows
        rooms = [
            Room("w", (self.n, self.tokens), self.chunks),
            Room("x", (self.rows, self.n), 2),
            Room("z", (rows, self.tokens), 2),
            Room("y", (self.tokens, round_up(self.rows, 2)), self.turned_slots),
        ]
        if self.on_softex:
            rooms.append(Room("q", (self.team, self.tokens), 2))
        return place(self.offset, rooms)

    def operands(self) -> tuple[Operand, ...]:
        inner = self.n * self.chunks
        pitch = round_up(BIAS_COLUMNS, ALIGNMENT) if self.biased else 0
        found = [Operand("turned", (inner, self.tokens), (self.tokens, 1), "feed")]
        for index in range(self.products):
            out = (self.tokens, self.columns)
            found += [
                Operand(f"rows{index}", (self.columns, inner), (inner, 1), "feed"),
                Operand(f"bias{index}", (self.columns, BIAS_COLUMNS), (pitch, 1), "feed"),
                Operand(f"out{index}", out, (self.out_pitch, 1), "store"),
            ]
        return tuple(found)

    def advances(self) -> tuple[int, int, int, int]:
        jobs = self.all_tiles * self.chunks
        return (jobs, self.all_tiles, jobs, self.all_tiles)

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        found: list[SlotUse] = []
        for buffer in self.buffers():
            end = buffer.offset + buffer.slots * buffer.slot_bytes
            if buffer.name in ("w", "x"):
                found.append(SlotUse(buffer.offset, end, GEMM, self.all_tiles * self.chunks))
            else:
                found.append(SlotUse(buffer.offset, end, OUT, self.all_tiles))
        return found

    # region Streams

    def emit(self, k: KernelEmitter) -> None:
        constants = k.sum_constants(self.machine) if self.on_softex else ()
        self._emit_in(k)
        self._emit_products(k)
        self._emit_compute(k, constants)
        self._emit_out(k)

    def _first(self, s: StreamEmitter, tile: Index) -> Index:
        """First column of the result in a tile."""
        first = s.mul(tile, self.rows)
        return s.smaller(first, self.columns - self.rows) if self.columns % self.rows else first

    def _emit_in(self, k: KernelEmitter) -> None:
        s = k.stream(IN)
        k.acquire(s)
        k.depend(s)

        def step(product: int, tile: Index, chunk: int) -> None:
            number = s.add(tile, product * self.tiles)
            job = s.add(s.mul(number, self.chunks), chunk)
            first = self._first(s, tile)
            source, target = [first, chunk * self.n], [s.mod(job, 2)]
            sizes = [self.rows, self.n]
            tokens = [s.transfer(k.values[f"rows{product}"], source, k.memory["x"], target, sizes)]
            if chunk == 0:
                sizes = [self.rows, BIAS_COLUMNS]
                bias, source = k.values[f"bias{product}"], [first]
                for column in range(0, self.tokens, BIAS_COLUMNS):
                    target = [s.mod(number, 2), 0, column]
                    tokens.append(s.transfer(bias, source, k.memory["z"], target, sizes))
            s.complete(*tokens)
            s.advance()

        for chunk in range(self.chunks):
            if chunk >= 2:
                s.wait(GEMM, chunk - 1)
            sizes = [self.n, self.tokens]
            source = [chunk * self.n]
            s.complete(s.transfer(k.values["turned"], source, k.memory["w"], [chunk], sizes))
            step(0, 0, chunk)

        def later(product: int, tile: Index) -> None:
            number = s.add(tile, product * self.tiles)
            for chunk in range(self.chunks):
                s.wait(GEMM, s.add(s.mul(number, self.chunks), chunk - 1))
                if chunk == 0:
                    s.wait(COMPUTE, s.add(number, -1))
                step(product, tile, chunk)

        for product in range(self.products):
            s.loop(int(product == 0), self.tiles, partial(later, product))

    def _emit_products(self, k: KernelEmitter) -> None:
        s = k.stream(GEMM)

        def count(token: SSAValue) -> None:
            s.complete(token)
            s.advance()

        def job(tile: Index, chunk: int, before: SSAValue | None) -> SSAValue:
            number = s.add(s.mul(tile, self.chunks), chunk)
            x, z = s.value(s.mod(number, 2)), s.value(s.mod(tile, 2))
            loaded, w = s.value(s.add(number, 1)), s.value(chunk)
            if before is not None:
                count(before)
            s.wait(IN, loaded)
            op = GemmOp(
                k.memory["x"],
                [x],
                k.memory["w"],
                [w],
                k.memory["z"],
                [z],
                m=self.rows,
                n=self.n,
                k=self.tokens,
                counts_meanwhile=before is not None,
            )
            s.insert(op)
            return op.token

        def tile_of(tile: Index, before: SSAValue | None) -> SSAValue:
            for chunk in range(self.chunks):
                before = job(tile, chunk, before)
            assert before is not None
            return before

        count(s.carry(1, self.all_tiles, tile_of(0, None), tile_of))

    def _emit_compute(self, k: KernelEmitter, constants: tuple[SSAValue, ...]) -> None:
        s = k.stream(COMPUTE)

        def tile_done(tile: Index) -> None:
            slot, to = s.value(s.mod(tile, 2)), s.value(s.mod(tile, self.turned_slots))
            s.wait(GEMM, s.mul(s.add(tile, 1), self.chunks))
            if self.on_softex:
                self._emit_gelu(k, s, slot, constants)
                s.barrier()
            elif self.activation != "none":
                function = Unary(self.activation)

                def row(r: SSAValue) -> None:
                    value = RowRef(k.memory["z"], (slot, r))
                    function.emit(s.builder, [value], value, self.tokens)

                s.parallel(self.rows, row)
                s.barrier()
            s.wait(OUT, s.add(tile, 1 - self.turned_slots))
            z, y = TileRef(k.memory["z"], (slot,)), TileRef(k.memory["y"], (to,))
            s.parallel(
                -(-self.rows // PAIR),
                lambda pair: emit_transpose(
                    s.builder, z, y, pair, rows=self.rows, columns=self.tokens
                ),
            )
            s.advance()

        s.loop(0, self.all_tiles, tile_done)

    def _emit_gelu(
        self, k: KernelEmitter, s: StreamEmitter, slot: SSAValue, constants: tuple[SSAValue, ...]
    ) -> None:
        """Squares of a piece, its job, the last step of the piece before."""
        assert self.machine.softex is not None
        terms, length = self.machine.softex.terms, self.team * self.tokens
        z, q = k.memory["z"], k.memory["q"]

        def rows(piece: Index, body: Callable[[RowRef, RowRef], None]) -> None:
            first, half = s.value(s.mul(piece, self.team)), s.value(s.mod(piece, 2))

            def row(r: SSAValue) -> None:
                index = s.value(s.add(first, r))
                body(RowRef(z, (slot, index)), RowRef(q, (half, r)))

            s.parallel(self.team, row)
            s.barrier()

        def square(piece: Index) -> None:
            rows(piece, lambda v, sq: emit_unary(s.builder, GELU_SQUARE, v, sq, self.tokens))

        def finish(piece: Index) -> None:
            rows(piece, lambda v, sq: emit_gelu_finish(s.builder, v, sq, v, self.tokens))

        def start(piece: Index, after_another: bool) -> None:
            half = s.value(s.mod(piece, 2))

            def job() -> None:
                if after_another:
                    s.drain()
                s.sum_exponentials(q, half, constants, length=length, terms=terms)

            s.leader(job)
            s.barrier()

        def step(piece: Index) -> None:
            square(piece)
            start(piece, True)
            finish(s.add(piece, -1))

        square(0)
        start(0, False)
        s.loop(1, self.pieces, step)
        s.leader(s.drain)
        s.barrier()
        finish(self.pieces - 1)

    def _emit_out(self, k: KernelEmitter) -> None:
        s = k.stream(OUT)

        def store(product: int, tile: Index) -> None:
            number, first = s.add(tile, product * self.tiles), self._first(s, tile)
            s.wait(COMPUTE, s.add(number, 1))
            slot, sizes = [s.mod(number, self.turned_slots)], [self.tokens, self.rows]
            target = k.values[f"out{product}"]
            s.complete(s.transfer(k.memory["y"], slot, target, [0, first], sizes))
            s.advance()

        for product in range(self.products):
            s.loop(0, self.tiles, partial(store, product))

    # endregion

    @property
    def _feed_cycles(self) -> int:
        """DMA of a tile: rows of wᵀ, and the bias."""
        rows = self.chunks * dma_box_cycles(self.machine, 2 * self.n, self.rows)
        return rows + dma_box_cycles(self.machine, 2 * self.tokens, self.rows)

    @property
    def tile_cycles(self) -> int:
        """From tile to tile: RedMulE, or the cores where they take longer."""
        machine, tokens, feed = self.machine, self.tokens, self._feed_cycles
        jobs = self.chunks * gemm_job_cycles(machine, self.rows, self.n, tokens)
        streaming = min(feed, jobs)
        jobs += int(streaming * (streaming_slowdown(machine, self.n) - 1.0))
        return max(jobs, feed, self._core_cycles)

    @property
    def _core_cycles(self) -> int:
        machine, elements = self.machine, self.rows * self.tokens
        piece = self.team if self.on_softex else self.rows
        cycles = epilogue_cycles(machine, self.activation, False, self.rows, self.tokens, piece)
        if self.on_softex:
            cycles += softex_sum_cycles(machine, self.team * self.tokens)
        return cycles + core_cycles(machine, TRANSPOSE_CYCLES, elements)

    def cycles(self) -> tuple[int, int, int, int]:
        machine = self.machine
        out = dma_box_cycles(machine, 2 * self.rows, self.tokens)
        first = self.chunks * dma_box_cycles(machine, 2 * self.n * self.tokens, 1)
        each = (self._feed_cycles, out, self.tile_cycles, self._core_cycles)
        feed, out, engine, compute = (self.all_tiles * cycles for cycles in each)
        return (first + feed, out, engine, compute)
