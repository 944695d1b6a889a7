"""The kernel of `linear`: one tile of the result, all inner chunks, and its epilogue.

    dma_in   Z <- bias rows; per chunk: W chunk and X chunk into rings of two
    redmule  per chunk: Z += X·W in place
    compute  per piece of rows: activation, residual
    dma_out  residual pieces in, finished pieces out

The rings of X, W and Z continue from launch to launch: the first chunk's slot and the tile's
slot are launch arguments, so `dma_in` loads a launch's first chunk while RedMulE still works on
the last one of the launch before.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from softex_mlir.compiler.schedule.costs import (
    compute_row_cycles,
    dma_box_cycles,
    gemm_job_cycles,
    softex_sum_cycles,
)
from softex_mlir.compiler.schedule.emitter import COMPUTE, GEMM, IN, OUT, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernel import (
    SLOPES,
    WEIGHTS,
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


@dataclass(frozen=True)
class LinearArena:
    """Where the rings of all `linear` kernels lie; offsets and slot sizes in bytes."""

    z: int
    z_slot: int
    x: int
    x_slot: int
    w: int
    w_slot: int
    epilogue: int
    epilogue_slot: int

    @property
    def end(self) -> int:
        """First byte behind the arena."""
        return self.epilogue + 2 * self.epilogue_slot


@dataclass(frozen=True)
class LinearKernel(Kernel):
    """One Z tile of m x k with `chunks` inner chunks of n."""

    arena: LinearArena
    m: int
    n: int
    k: int
    chunks: int
    piece: int
    """Rows the epilogue handles at a time."""
    activation: str
    x_pitch: int
    out_pitch: int
    residual_pitch: int | None
    w_pitch: int | None
    """None: weights packed in tiles; else W is a matrix in L2 with this pitch."""

    @property
    def title(self) -> str:
        epilogue = "" if self.activation == "none" else f"_{self.activation}"
        residual = "" if self.residual_pitch is None else "_residual"
        return f"linear_{self.m}x{self.n * self.chunks}x{self.k}{epilogue}{residual}"

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
        """Row pieces of the epilogue."""
        return -(-self.m // self.piece) if self.epilogue else 1

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
            Buffer("z", (self.z_rows, self.k), 2, a.z, a.z_slot),
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
        inner = self.n * self.chunks
        if self.w_pitch is not None:
            w = Operand("w_l2", (inner, self.k), (self.w_pitch, 1))
        elif self.flat_w:
            w = Operand("w_l2", (inner * self.k,), (1,))
        else:
            w = Operand("w_l2", (inner, self.k), (self.k, 1))
        found = [
            Operand("x_l2", (self.m, inner), (self.x_pitch, 1)),
            w,
            Operand("bias", (self.m, self.k), (0, 1)),
            Operand("out", (self.m, self.k), (self.out_pitch, 1)),
        ]
        if self.residual_pitch is not None:
            found.append(Operand("residual", (self.m, self.k), (self.residual_pitch, 1)))
        return tuple(found)

    def integers(self) -> tuple[str, ...]:
        return ("first_slot", "z_slot")

    def advances(self) -> tuple[int, int, int, int]:
        out = self.pieces if self.residual_pitch is None else 2 * self.pieces + 2
        compute = self.pieces if self.epilogue else 0
        if self.engine is COMPUTE:
            return (self.chunks, out, 0, self.chunks + compute)
        return (self.chunks, out, self.chunks, compute)

    def uses(self, first_slot: int, z_slot: int) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        out = self.advances()[1]
        found: list[SlotUse] = []
        for buffer in self.buffers():
            if buffer.name == "z":
                found.append(SlotUse(*buffer.slot_range(z_slot), OUT, out))
            elif buffer.name in ("x", "w"):
                for chunk in range(min(2, self.chunks)):
                    last = self.chunks - 1 - (self.chunks - 1 - chunk) % 2
                    place = buffer.slot_range((first_slot + chunk) % 2)
                    found.append(SlotUse(*place, self.engine, last + 1, chunk > 0))
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

    def _slot(self, s: StreamEmitter, k: KernelEmitter, chunk: Index) -> Index:
        return s.mod(s.add(k.values["first_slot"], chunk), 2)

    def _emit_in(self, k: KernelEmitter) -> None:
        s = k.stream(IN)
        z_slot = k.values["z_slot"]

        def load_w(chunk: Index, slot: Index) -> SSAValue:
            source, target = k.values["w_l2"], k.memory["w"]
            if self.flat_w:
                size = self.n * self.k
                return s.transfer(source, [s.mul(chunk, size)], target, [slot], [size])
            sizes = [self.n, self.k]
            return s.transfer(source, [s.mul(chunk, self.n)], target, [slot], sizes)

        def load_x(chunk: Index, slot: Index) -> SSAValue:
            column = s.mul(chunk, self.n)
            sizes = [self.m, self.n]
            return s.transfer(k.values["x_l2"], [0, column], k.memory["x"], [slot], sizes)

        k.acquire(s)
        preset = s.transfer(k.values["bias"], [], k.memory["z"], [z_slot], [self.m, self.k])
        w = load_w(0, k.values["first_slot"])
        k.depend(s)
        x = load_x(0, k.values["first_slot"])
        s.complete(preset, w, x)
        s.advance()

        def step(chunk: Index) -> None:
            slot = self._slot(s, k, chunk)
            s.wait(self.engine, s.add(chunk, -1))
            tokens = load_w(chunk, slot), load_x(chunk, slot)
            s.complete(*tokens)
            s.advance()

        s.loop(1, self.chunks, step)

    def _emit_redmule(self, k: KernelEmitter) -> None:
        s = k.stream(GEMM)
        z_slot = k.values["z_slot"]

        def step(chunk: Index) -> None:
            slot = s.value(self._slot(s, k, chunk))
            s.wait(IN, s.add(chunk, 1))
            job = GemmOp(
                k.memory["x"],
                [slot],
                k.memory["w"],
                [slot],
                k.memory["z"],
                [z_slot],
                m=self.m,
                n=self.n,
                k=self.k,
            )
            s.insert(job)
            s.complete(job.token)
            s.advance()

        s.loop(0, self.chunks, step)

    def _emit_compute(self, k: KernelEmitter, constants: tuple[SSAValue, ...]) -> None:
        s = k.stream(COMPUTE)
        if self.engine is COMPUTE:
            self._emit_products_on_cores(k, s)
        else:
            s.wait(GEMM, self.chunks)
        if not self.epilogue:
            return
        if self.on_softex:
            self._emit_gelu(k, s, constants)
            return
        s.loop(0, self.pieces, lambda piece: self._emit_piece(k, s, piece))

    def _emit_products_on_cores(self, k: KernelEmitter, s: StreamEmitter) -> None:
        from softex_mlir.compiler.kernels import GEMM_ROWS, TileRef, emit_gemm

        def step(chunk: Index) -> None:
            slot = s.value(self._slot(s, k, chunk))
            s.wait(IN, s.add(chunk, 1))
            s.parallel(
                -(-self.m // GEMM_ROWS),
                lambda block: emit_gemm(
                    s.builder,
                    TileRef(k.memory["x"], (slot,)),
                    TileRef(k.memory["w"], (slot,)),
                    TileRef(k.memory["z"], (k.values["z_slot"],)),
                    block,
                    rows=self.m,
                    inner=self.n,
                    columns=self.k,
                ),
            )
            s.advance()

        s.loop(0, self.chunks, step)

    def _wait_residual(self, s: StreamEmitter, piece: Index) -> None:
        if self.residual_pitch is not None:
            s.wait(OUT, s.add(s.mul(piece, 2), 1))

    def _emit_piece(self, k: KernelEmitter, s: StreamEmitter, piece: Index) -> None:
        """Activation and residual of a piece, then an advance."""
        from softex_mlir.compiler.kernels import RowRef, emit_binary, emit_unary

        name = self.activation
        if name in ("gelu", "gelu_tanh"):
            name += "_software"
        self._wait_residual(s, piece)
        first, slot = s.mul(piece, self.piece), s.mod(piece, 2)
        # materialise before the loop body: the cores share these values
        first_value, slot_value = s.value(first), s.value(slot)

        def row(r: SSAValue) -> None:
            z = RowRef(k.memory["z"], (k.values["z_slot"], s.value(s.add(first_value, r))))
            if self.activation != "none":
                emit_unary(s.builder, name, z, z, self.k)
            if self.residual_pitch is not None:
                residual = RowRef(k.memory["r"], (slot_value, r))
                emit_binary(s.builder, "add", z, residual, z, self.k)

        s.parallel(self.piece, row)
        s.advance()

    def _emit_gelu(
        self, k: KernelEmitter, s: StreamEmitter, constants: tuple[SSAValue, ...]
    ) -> None:
        """Squares on the cores, exponentials on SoftEx, the rest on the cores; SoftEx works on one
        piece while the cores square the next."""
        from softex_mlir.compiler.kernels import RowRef, emit_binary, emit_gelu_finish, emit_unary

        assert self.machine.softex is not None
        terms = self.machine.softex.terms
        z, q = k.memory["z"], k.memory["q"]

        def rows(piece: Index, finish: bool) -> None:
            first, slot = s.value(s.mul(piece, self.piece)), s.value(s.mod(piece, 2))

            def row(r: SSAValue) -> None:
                value = RowRef(z, (k.values["z_slot"], s.value(s.add(first, r))))
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
            self._wait_residual(s, piece)
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
        z_slot = k.values["z_slot"]
        if not self.epilogue:
            s.wait(self.engine, self.chunks)
            s.complete(s.transfer(k.memory["z"], [z_slot], k.values["out"], [], [self.m, self.k]))
            s.advance()
            return
        before = self.chunks if self.engine is COMPUTE else 0
        tail = self.m - (self.pieces - 1) * self.piece

        def store(piece: Index, rows: int) -> None:
            s.wait(COMPUTE, s.add(piece, before + 1))
            row = s.mul(piece, self.piece)
            sizes = [rows, self.k]
            s.complete(s.transfer(k.memory["z"], [z_slot, row], k.values["out"], [row], sizes))
            s.advance()

        def load(piece: Index, rows: int) -> None:
            row = s.mul(piece, self.piece)
            sizes = [rows, self.k]
            target = [s.mod(piece, 2)]
            s.complete(s.transfer(k.values["residual"], [row], k.memory["r"], target, sizes))
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
        w_row = self.n * self.k * 2 if self.flat_w else self.k * 2
        w_runs = 1 if self.flat_w else self.n
        chunk = dma_box_cycles(machine, w_row, w_runs)
        chunk += dma_box_cycles(machine, self.n * 2, self.m)
        tile = dma_box_cycles(machine, self.k * 2, self.m)
        elements = self.m * self.k
        compute = 0
        if self.epilogue:
            compute = compute_row_cycles(machine, self.activation, elements)
            if self.residual_pitch is not None:
                compute += compute_row_cycles(machine, "add", elements)
            if self.on_softex:
                compute += softex_sum_cycles(machine, self.piece * self.k)
            compute += 60 * self.pieces
        out = tile * (2 if self.residual_pitch is not None else 1)
        job = gemm_job_cycles(machine, self.m, self.n, self.k)
        if self.engine is COMPUTE:
            return (self.chunks * chunk + tile, out, 0, compute + self.chunks * job)
        return (self.chunks * chunk + tile, out, self.chunks * job, compute)
