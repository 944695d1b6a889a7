"""The kernel of `linear`: a group of neighbouring tiles of the result, and their epilogue.

    dma_in   Z[g] <- bias rows; per chunk: X chunk, and a W chunk for each tile, into rings of two
    redmule  per chunk, per tile g: Z[g] += X·W in place
    compute  per tile, per piece of rows: activation, residual
    dma_out  residual pieces in, finished pieces out

An X chunk serves all tiles of the group, which halves the traffic that keeps RedMulE from the
TCDM's banks. The rings of X and W continue from launch to launch: their first slots are launch
arguments, so `dma_in` loads a launch's first chunk while RedMulE still works on the last one of
the launch before. Z needs no second copy: while RedMulE finishes the last tiles of a group, the
first ones are stored and preset for the next group, tile by tile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.ir import SSAValue

from softex_mlir.compiler.schedule.costs import (
    DMA_CONTENTION,
    DMA_QUEUE_CYCLES,
    dma_box_cycles,
    epilogue_cycles,
    gemm_job_cycles,
    softex_sum_cycles,
    streaming_slowdown,
)
from softex_mlir.compiler.schedule.emitter import COMPUTE, GEMM, IN, OUT, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernel import (
    SLOPES,
    WEIGHTS,
    X_LOADED,
    X_NEXT_READY,
    Z_FREE,
    Z_STEP,
    Buffer,
    Kernel,
    KernelEmitter,
    Operand,
    SlotUse,
)
from softex_mlir.compiler.weight_layout import round_up
from softex_mlir.dialects.cluster import StreamKind
from softex_mlir.dialects.redmule import GemmOp
from softex_mlir.dialects.softex import DrainOp, SumOfExponentialsOp

X_SLOTS = 2
"""Chunks of X in the TCDM."""

X_FIRST_JOBS = 8
"""Jobs of a launch from which on X is fetched before W. In a short launch the operands are often
still being computed, and W can be fetched meanwhile."""


@dataclass(frozen=True)
class LinearArena:
    """Where the rings of `linear` kernels of one inner size lie; offsets and slot sizes in bytes.

    The epilogue's slots are at the same place in all arenas: `dma_out` is the first to touch them
    and waits for nobody.
    """

    epilogue: int
    epilogue_slot: int
    z: int
    z_slot: int
    z_bytes: int
    """All Z tiles of a group together."""
    x: int
    x_slot: int
    w: int
    w_slot: int
    end: int
    """First byte behind the arena."""


@dataclass(frozen=True)
class LinearKernel(Kernel):
    """`group` Z tiles of m x k with `chunks` inner chunks of n."""

    arena: LinearArena
    m: int
    n: int
    k: int
    chunks: int
    group: int
    piece: int
    """Rows the epilogue handles at a time."""
    activation: str
    x_pitch: int
    out_pitch: int
    residual_pitch: int | None
    w_pitch: int | None
    """None: weights packed in tiles; else W is a matrix in L2 with this pitch."""
    next_rows: int = 0
    """Rows of the next launch's X whose first chunk this launch loads; 0 if it does not."""

    @property
    def title(self) -> str:
        epilogue = "" if self.activation == "none" else f"_{self.activation}"
        residual = "" if self.residual_pitch is None else "_residual"
        width = self.k * self.group
        return f"linear_{self.m}x{self.n * self.chunks}x{width}{epilogue}{residual}"

    @property
    def engine(self) -> StreamKind:
        """Stream that computes the products."""
        return COMPUTE if self.machine.redmule is None else GEMM

    @property
    def epilogue(self) -> bool:
        """Whether the cores touch the result."""
        return self.activation != "none" or self.residual_pitch is not None

    @property
    def on_softex(self) -> bool:
        """Whether the activation is GELU through SoftEx."""
        return self.activation in ("gelu", "gelu_tanh") and self.machine.softex is not None

    @property
    def pieces(self) -> int:
        """Row pieces of a tile in the epilogue."""
        return -(-self.m // self.piece) if self.epilogue else 1

    @property
    def jobs(self) -> int:
        """Matrix products of a launch."""
        return self.chunks * self.group

    @property
    def stores(self) -> int:
        """Steps of `dma_out` for one tile."""
        return self.pieces if self.residual_pitch is None else 2 * self.pieces + 2

    @property
    def z_stride(self) -> int:
        """Bytes from tile to tile of a group; the arena's where it has room, so that the tiles of
        successive launches lie on one another."""
        own = round_up(self.z_rows * self.k * 2, 64)
        fits = own <= self.arena.z_slot and self.group * self.arena.z_slot <= self.arena.z_bytes
        return self.arena.z_slot if fits else own

    @property
    def z_rows(self) -> int:
        """Rows of Z in memory: RedMulE writes whole tiles, the epilogue whole pieces."""
        unit = self.machine.redmule
        rows = self.m if unit is None or unit.masked_rows else round_up(self.m, unit.rows)
        return max(rows, self.pieces * self.piece if self.epilogue else 0)

    def buffers(self) -> tuple[Buffer, ...]:
        a = self.arena
        w_shape = (self.n * self.k,) if self.flat_w else (self.n, self.k)
        found = [
            Buffer("z", (self.z_rows, self.k), self.group, a.z, self.z_stride),
            Buffer("x", (self.m, self.n), 2, a.x, a.x_slot),
            Buffer("w", w_shape, 2, a.w, a.w_slot),
        ]
        # dense slots: SoftEx takes a whole piece as one run
        slot = self.piece * self.k * 2
        offset = a.epilogue
        if self.on_softex:
            found.append(Buffer("q", (self.piece, self.k), 2, offset, slot))
            offset += 2 * slot
        if self.residual_pitch is not None:
            found.append(Buffer("r", (self.piece, self.k), 2, offset, slot))
        return tuple(found)

    @property
    def flat_w(self) -> bool:
        """Packed chunks are one run; the cores' matrix product wants rows."""
        return self.w_pitch is None and self.machine.redmule is not None

    def operands(self) -> tuple[Operand, ...]:
        inner, width = self.n * self.chunks, self.k * self.group
        if self.w_pitch is not None:
            w = Operand("w_l2", (inner, width), (self.w_pitch, 1))
        elif self.flat_w:
            w = Operand("w_l2", (inner * width,), (1,))
        else:
            w = Operand("w_l2", (self.group * inner, self.k), (self.k, 1))
        found = [
            Operand("x_l2", (self.m, inner), (self.x_pitch, 1)),
            w,
            Operand("bias", (self.m, width), (0, 1)),
            Operand("out", (self.m, width), (self.out_pitch, 1)),
        ]
        if self.residual_pitch is not None:
            found.append(Operand("residual", (self.m, width), (self.residual_pitch, 1)))
        if self.next_rows:
            found.append(Operand("x_next", (self.next_rows, inner), (self.x_pitch, 1)))
        return tuple(found)

    def integers(self) -> tuple[str, ...]:
        ahead = (X_NEXT_READY,) if self.next_rows else ()
        return ("first_w", "first_x", X_LOADED, Z_FREE, Z_STEP, *ahead)

    def same_ring(self, other: LinearKernel) -> bool:
        """Whether both launches have the same slots for chunks of X of the same width."""
        return (self.arena, self.n, self.chunks, self.x_pitch) == (
            other.arena,
            other.n,
            other.chunks,
            other.x_pitch,
        )

    @property
    def can_load_ahead(self) -> bool:
        """Whether the last pass leaves time and a slot for the next launch's first chunk of X."""
        return self.chunks > 1 and self.group > 1

    def advances(self) -> tuple[int, int, int, int]:
        out = self.group * self.stores
        compute = self.group * self.pieces if self.epilogue else 0
        if self.engine is COMPUTE:
            return (self.jobs, out, 0, self.jobs + compute)
        return (self.jobs, out, self.jobs, compute)

    def uses(self, first_w: int = 0, first_x: int = 0) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        out = self.advances()[1]
        found: list[SlotUse] = []
        for buffer in self.buffers():
            if buffer.name == "z":
                for tile in range(self.group):
                    stored = self.stores * (tile + 1)
                    found.append(SlotUse(*buffer.slot_range(tile), OUT, stored, lane=tile))
            elif buffer.name == "x":
                for chunk in range(min(2, self.chunks)):
                    last = self.chunks - 1 - (self.chunks - 1 - chunk) % 2
                    place = buffer.slot_range((first_x + chunk) % 2)
                    done = (last + 1) * self.group
                    found.append(SlotUse(*place, self.engine, done, chunk > 0))
            elif buffer.name == "w":
                for job in range(min(2, self.jobs)):
                    last = self.jobs - 1 - (self.jobs - 1 - job) % 2
                    place = buffer.slot_range((first_w + job) % 2)
                    found.append(SlotUse(*place, self.engine, last + 1, job > 0, ring=True))
            else:
                for slot in range(2):
                    place = buffer.slot_range(slot)
                    found.append(SlotUse(*place, OUT, out, family="epilogue"))
        return found

    # region Streams

    def emit(self, k: KernelEmitter) -> None:
        self._emit_in(k)
        constants: tuple[SSAValue, ...] = ()
        if self.on_softex:
            assert self.machine.softex is not None
            terms = self.machine.softex.terms
            constants = (k.constant(SLOPES, terms), k.constant(WEIGHTS, terms))
        if self.engine is GEMM:
            self._emit_redmule(k)
        if self.epilogue or self.engine is COMPUTE:
            self._emit_compute(k, constants)
        self._emit_out(k)

    def _slot(self, s: StreamEmitter, k: KernelEmitter, ring: str, index: Index) -> Index:
        return s.mod(s.add(k.values[ring], index), 2)

    def _emit_in(self, k: KernelEmitter) -> None:
        s = k.stream(IN)

        def load_w(chunk: Index, tile: Index) -> list[SSAValue]:
            source, target = k.values["w_l2"], k.memory["w"]
            slot = self._slot(s, k, "first_w", s.add(s.mul(chunk, self.group), tile))
            if self.w_pitch is not None:
                row, column = s.mul(chunk, self.n), s.mul(tile, self.k)
            else:
                row, column = s.mul(s.add(s.mul(tile, self.chunks), chunk), self.n), 0

            def piece(first: int, rows: int) -> SSAValue:
                if not self.flat_w:
                    where = [s.add(row, first), column]
                    return s.transfer(source, where, target, [slot, first], [rows, self.k])
                start, size = s.mul(s.add(row, first), self.k), rows * self.k
                return s.transfer(source, [start], target, [slot, first * self.k], [size])

            return s.transfer_pieces(self.n, 2 * self.k, piece)

        def load_rows(
            operand: str, chunk: Index, column: Index, start: Index, count: int
        ) -> list[SSAValue]:
            """`count` rows of a chunk of X, or of the next launch's X, from row `start` on."""
            slot = self._slot(s, k, "first_x", chunk)

            def piece(first: int, rows: int) -> SSAValue:
                row = s.add(start, first)
                source, target = k.values[operand], k.memory["x"]
                return s.transfer(source, [row, column], target, [slot, row], [rows, self.n])

            return s.transfer_pieces(count, 2 * self.n, piece)

        def load_x(chunk: Index) -> list[SSAValue]:
            return load_rows("x_l2", chunk, s.mul(chunk, self.n), 0, self.m)

        def preset(tile: Index) -> list[SSAValue]:
            free = k.values[Z_FREE]
            if isinstance(tile, int) and tile == 0:
                s.wait_value(OUT, free)
            else:
                steps = s.builder.insert(arith.MuliOp(k.values[Z_STEP], s.value(tile)))
                s.wait_value(OUT, s.add(free, steps.result))
            column = s.mul(tile, self.k)

            def piece(first: int, rows: int) -> SSAValue:
                target = [tile, first]
                return s.transfer(
                    k.values["bias"], [0, column], k.memory["z"], target, [rows, self.k]
                )

            return s.transfer_pieces(self.m, 2 * self.k, piece)

        k.acquire(s)
        if self.jobs >= X_FIRST_JOBS or self.w_pitch is not None:
            # X and Z are free before the ring of W, which RedMulE still reads; and a W that is an
            # activation depends on earlier launches as X does
            k.depend(s)
            s.when(k.values[X_LOADED], "eq", 0, lambda: s.complete(*load_x(0)))
            tokens = preset(0)
            s.wait(self.engine, -1)
            s.complete(*tokens, *load_w(0, 0))
        else:
            s.wait(self.engine, -1)
            s.complete(*load_w(0, 0), *preset(0))
            k.depend(s)
            s.when(k.values[X_LOADED], "eq", 0, lambda: s.complete(*load_x(0)))
        s.advance()

        def step(chunk: Index, tile: Index, first: bool) -> None:
            s.wait(self.engine, s.add(s.add(s.mul(chunk, self.group), tile), -1))
            tokens = load_w(chunk, tile)
            if first:
                tokens += preset(tile)
            s.complete(*tokens)
            if self.group == 1:
                s.when(chunk, "sge", k.values[X_LOADED], lambda: s.complete(*load_x(chunk)))
            s.advance()

        # The slot of the next chunk of X is free from the second tile on: the tiles that follow
        # load a share each, so that no W has to queue behind a whole chunk.
        def share_of(rows: int, tile: Index, load: Callable[[Index, int], None]) -> None:
            share = -(-rows // max(1, self.group - 1))
            shares = -(-rows // share)
            over = shares * share - rows
            index = s.add(tile, -1)

            def mine() -> None:
                row = s.mul(index, share)
                if over:
                    row = s.sub(row, s.mul(s.div(index, shares - 1), over))
                load(row, share)

            if shares < self.group - 1:
                s.when(index, "slt", shares, mine)
            else:
                mine()

        def next_chunk(chunk: Index, tile: Index) -> None:
            following = s.add(chunk, 1)
            column = s.mul(following, self.n)

            def load(row: Index, rows: int) -> None:
                s.complete(*load_rows("x_l2", following, column, row, rows))

            share_of(self.m, tile, load)

        def next_launch(tile: Index) -> None:
            def load(row: Index, rows: int) -> None:
                s.complete(*load_rows("x_next", self.chunks, 0, row, rows))

            s.wait_value(OUT, k.values[X_NEXT_READY])
            share_of(self.next_rows, tile, load)

        def with_next_x(chunk: Index, tile: Index, first: bool) -> None:
            step(chunk, tile, first)
            missing = s.add(k.values[X_LOADED], -1)

            def unless_loaded() -> None:
                s.when(chunk, "sge", missing, lambda: next_chunk(chunk, tile))

            s.when(chunk, "slt", self.chunks - 1, unless_loaded)
            if self.next_rows:
                s.when(chunk, "eq", self.chunks - 1, lambda: next_launch(tile))

        def pass_over(chunk: Index, first: bool) -> None:
            """All tiles of a chunk."""
            if not first:
                step(chunk, 0, False)
            s.loop(1, self.group, lambda tile: with_next_x(chunk, tile, first))

        pass_over(0, True)
        s.loop(1, self.chunks, lambda chunk: pass_over(chunk, False))

    def _emit_redmule(self, k: KernelEmitter) -> None:
        s = k.stream(GEMM)

        def step(chunk: Index, tile: Index) -> None:
            index = s.add(s.mul(chunk, self.group), tile)
            x_slot = s.value(self._slot(s, k, "first_x", chunk))
            w_slot = s.value(self._slot(s, k, "first_w", index))
            s.wait(IN, s.add(index, 1))
            job = GemmOp(
                k.memory["x"],
                [x_slot],
                k.memory["w"],
                [w_slot],
                k.memory["z"],
                [s.value(tile)],
                m=self.m,
                n=self.n,
                k=self.k,
            )
            s.insert(job)
            s.complete(job.token)
            s.advance()

        s.loop(0, self.chunks, lambda c: s.loop(0, self.group, lambda g: step(c, g)))

    def _emit_compute(self, k: KernelEmitter, constants: tuple[SSAValue, ...]) -> None:
        s = k.stream(COMPUTE)
        if self.engine is COMPUTE:
            self._emit_products_on_cores(k, s)
        if not self.epilogue:
            return

        def tile_done(tile: Index) -> None:
            if self.engine is GEMM:
                s.wait(GEMM, s.add(tile, (self.chunks - 1) * self.group + 1))
            if self.on_softex:
                self._emit_gelu(k, s, tile, constants)
            else:
                s.loop(0, self.pieces, lambda piece: self._emit_piece(k, s, tile, piece))

        s.loop(0, self.group, tile_done)

    def _emit_products_on_cores(self, k: KernelEmitter, s: StreamEmitter) -> None:
        from softex_mlir.compiler.kernels import TileRef, emit_gemm, gemm_blocks

        def step(chunk: Index, tile: Index) -> None:
            index = s.add(s.mul(chunk, self.group), tile)
            x_slot = s.value(self._slot(s, k, "first_x", chunk))
            w_slot = s.value(self._slot(s, k, "first_w", index))
            z_slot = s.value(tile)
            s.wait(IN, s.add(index, 1))
            s.parallel(
                gemm_blocks(self.m, self.k),
                lambda block: emit_gemm(
                    s.builder,
                    TileRef(k.memory["x"], (x_slot,)),
                    TileRef(k.memory["w"], (w_slot,)),
                    TileRef(k.memory["z"], (z_slot,)),
                    block,
                    rows=self.m,
                    inner=self.n,
                    columns=self.k,
                ),
            )
            s.advance()

        s.loop(0, self.chunks, lambda c: s.loop(0, self.group, lambda g: step(c, g)))

    def _wait_residual(self, s: StreamEmitter, tile: Index, piece: Index) -> None:
        if self.residual_pitch is not None:
            s.wait(OUT, s.add(s.add(s.mul(tile, self.stores), s.mul(piece, 2)), 1))

    def _emit_piece(self, k: KernelEmitter, s: StreamEmitter, tile: Index, piece: Index) -> None:
        """Activation and residual of a piece, then an advance."""
        from softex_mlir.compiler.kernels import RowRef, emit_binary, emit_unary

        name = self.activation
        if name in ("gelu", "gelu_tanh"):
            name += "_software"
        self._wait_residual(s, tile, piece)
        first, slot = s.mul(piece, self.piece), s.mod(piece, 2)
        z_slot = s.value(tile)
        # materialise before the loop body: the cores share these values
        first_value, slot_value = s.value(first), s.value(slot)

        def row(r: SSAValue) -> None:
            z = RowRef(k.memory["z"], (z_slot, s.value(s.add(first_value, r))))
            if self.activation != "none":
                emit_unary(s.builder, name, z, z, self.k)
            if self.residual_pitch is not None:
                residual = RowRef(k.memory["r"], (slot_value, r))
                emit_binary(s.builder, "add", z, residual, z, self.k)

        s.parallel(self.piece, row)
        s.advance()

    def _emit_gelu(
        self,
        k: KernelEmitter,
        s: StreamEmitter,
        tile: Index,
        constants: tuple[SSAValue, ...],
    ) -> None:
        """Squares on the cores, exponentials on SoftEx, the rest on the cores; SoftEx works on one
        piece while the cores square the next."""
        from softex_mlir.compiler.kernels import RowRef, emit_binary, emit_gelu_finish, emit_unary

        assert self.machine.softex is not None
        terms = self.machine.softex.terms
        z, q = k.memory["z"], k.memory["q"]
        z_slot = s.value(tile)

        def rows(piece: Index, finish: bool) -> None:
            first, slot = s.value(s.mul(piece, self.piece)), s.value(s.mod(piece, 2))

            def row(r: SSAValue) -> None:
                value = RowRef(z, (z_slot, s.value(s.add(first, r))))
                square = RowRef(q, (slot, r))
                if not finish:
                    emit_unary(s.builder, "gelu_square", value, square, self.k)
                    return
                emit_gelu_finish(s.builder, value, square, value, self.k)
                if self.residual_pitch is not None:
                    residual = RowRef(k.memory["r"], (slot, r))
                    emit_binary(s.builder, "add", value, residual, value, self.k)

            s.parallel(self.piece, row)

        def start(piece: Index, drain: bool) -> None:
            slot = s.value(s.mod(piece, 2))
            s.barrier()

            def job() -> None:
                if drain:
                    s.insert(DrainOp())
                length = self.piece * self.k
                s.insert(
                    SumOfExponentialsOp(
                        q, [slot], q, [slot], *constants, length=length, terms=terms
                    )
                )

            s.leader(job)

        def finish(piece: Index) -> None:
            s.barrier()
            self._wait_residual(s, tile, piece)
            rows(piece, True)
            s.advance()

        def step(piece: Index) -> None:
            rows(piece, False)
            start(piece, True)
            finish(s.add(piece, -1))

        rows(0, False)
        start(0, False)
        s.loop(1, self.pieces, step)
        s.leader(lambda: (s.insert(DrainOp()), None)[1])
        finish(self.pieces - 1)

    def _emit_out(self, k: KernelEmitter) -> None:
        s = k.stream(OUT)
        s.loop(0, self.group, lambda tile: self._emit_tile_out(k, s, tile))

    def _emit_tile_out(self, k: KernelEmitter, s: StreamEmitter, tile: Index) -> None:
        """Store a finished tile, piece by piece if it has an epilogue."""
        column = s.mul(tile, self.k)
        if not self.epilogue:
            s.wait(self.engine, s.add(tile, (self.chunks - 1) * self.group + 1))
            sizes = [self.m, self.k]
            s.complete(s.transfer(k.memory["z"], [tile], k.values["out"], [0, column], sizes))
            s.advance()
            return
        before = (self.jobs if self.engine is COMPUTE else 0) + 1
        done = s.add(s.mul(tile, self.pieces), before)
        tail = self.m - (self.pieces - 1) * self.piece

        def store(piece: Index, rows: int) -> None:
            s.wait(COMPUTE, s.add(piece, done))
            row = s.mul(piece, self.piece)
            sizes = [rows, self.k]
            target = k.values["out"]
            s.complete(s.transfer(k.memory["z"], [tile, row], target, [row, column], sizes))
            s.advance()

        def load(piece: Index, rows: int) -> None:
            row = s.mul(piece, self.piece)
            sizes = [rows, self.k]
            slot = s.mod(piece, 2)
            source = k.values["residual"]
            s.complete(s.transfer(source, [row, column], k.memory["r"], [slot], sizes))
            s.advance()

        if self.residual_pitch is None:
            s.loop(0, self.pieces - 1, lambda piece: store(piece, self.piece))
            store(self.pieces - 1, tail)
            return

        def step(piece: Index) -> None:
            load(piece, self.piece)
            store(s.add(piece, -1), self.piece)

        if self.pieces > 1:
            load(0, self.piece)
            s.advance()
            s.loop(1, self.pieces - 1, step)
            load(self.pieces - 1, tail)
            store(self.pieces - 2, self.piece)
        else:
            load(0, tail)
            s.advance()
        s.advance()
        store(self.pieces - 1, tail)

    # endregion

    def cycles(self) -> tuple[int, int, int, int]:
        machine = self.machine
        w_run = self.n * self.k * 2 if self.flat_w else self.k * 2
        w = dma_box_cycles(machine, w_run, 1 if self.flat_w else self.n)
        x = dma_box_cycles(machine, self.n * 2, self.m)
        tile = dma_box_cycles(machine, self.k * 2, self.m)
        # a ring that holds all of X keeps it from launch to launch
        x_loads = self.chunks if self.chunks > X_SLOTS else 0
        feed = int((self.jobs * w + x_loads * x + self.group * tile) * DMA_CONTENTION)
        compute = epilogue_cycles(
            machine, self.activation, self.residual_pitch is not None, self.m, self.k, self.piece
        )
        if self.on_softex:
            compute += softex_sum_cycles(machine, self.piece * self.k)
        out = tile
        if self.residual_pitch is not None:
            # a piece's load waits for others, and the next piece's for this one's addition
            piece = dma_box_cycles(machine, self.k * 2, self.piece)
            out += self.pieces * (piece + DMA_QUEUE_CYCLES)
        job = gemm_job_cycles(machine, self.m, self.n, self.k)
        if self.engine is COMPUTE:
            total = self.group * compute + self.jobs * job
            return (feed, self.group * out, 0, total)
        streaming = min(feed, self.jobs * job)
        engine = self.jobs * job + int(streaming * (streaming_slowdown(machine, self.n) - 1.0))
        return (feed, self.group * out, engine, self.group * compute)
