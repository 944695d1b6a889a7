"""The other streams of `linear`: products, epilogues, results."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies import RowRef, emit_mul_add, emit_rotary
from softex_mlir.compiler.row_operations.finish import emit_finish
from softex_mlir.compiler.row_operations.rows import Unary
from softex_mlir.compiler.schedule.kernels.emitter import (
    COMPUTE,
    GEMM,
    OUT,
    Index,
    StreamEmitter,
)
from softex_mlir.compiler.schedule.kernels.kernel import PARTIALS_CLEARED, KernelEmitter
from softex_mlir.compiler.schedule.kernels.linear.feed import ROW_OF_JOBS, start_product
from softex_mlir.compiler.schedule.kernels.linear.geometry import AFFINE, LinearGeometry
from softex_mlir.compiler.schedule.kernels.linear.odd_rows import emit_odd_rows, odd_rows_before
from softex_mlir.compiler.schedule.kernels.linear.sums import (
    clear_rows,
    each_job,
    emit_partial_sums,
    emit_products_on_cores,
    emit_ring_sums,
    last_sum,
)


def emit_products(kernel: LinearGeometry, k: KernelEmitter) -> None:
    """RedMulE's jobs, chunk by chunk, tile by tile."""
    s = k.stream(GEMM)
    if kernel.splits == 1 and kernel.jobs >= ROW_OF_JOBS:
        emit_jobs_in_a_row(kernel, k, s)
        return

    def step(chunk: Index, tile: Index, target: str = "z") -> None:
        s.complete(start_product(kernel, k, s, chunk, tile, target=(target, tile)))
        s.advance()

    def partial(chunk: Index, tile: Index) -> None:
        step(chunk, tile, "partial")

    def once_added(split: Index) -> None:
        """A partial sum whose tiles wait until the cores have added the one before."""
        added = s.add(s.mul(split, kernel.group), 2 - 2 * kernel.group)

        def first(tile: Index) -> None:
            s.wait(COMPUTE, s.add(added, tile))
            partial(s.mul(split, kernel.sum_chunks), tile)

        s.loop(0, kernel.group, first)
        each_job(kernel, s, split, partial, start=1)

    each_job(kernel, s, 0, step)
    if kernel.splits > 1:
        s.when(k.values[PARTIALS_CLEARED], "eq", 0, lambda: s.wait(COMPUTE, 1))
        each_job(kernel, s, 1, partial)
        s.loop(2, kernel.splits, once_added)


def emit_jobs_in_a_row(kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter) -> None:
    """Jobs of which each is counted when the next one's registers are written."""

    def count(token: SSAValue) -> None:
        s.complete(token)
        s.advance()

    def step(chunk: Index, tile: Index, before: SSAValue) -> SSAValue:
        return start_product(kernel, k, s, chunk, tile, behind=lambda: count(before))

    def pass_over(chunk: Index, before: SSAValue, first: int) -> SSAValue:
        return s.carry(first, kernel.group, before, lambda tile, token: step(chunk, tile, token))

    token = pass_over(0, start_product(kernel, k, s, 0, 0), 1)
    count(s.carry(1, kernel.chunks, token, lambda chunk, before: pass_over(chunk, before, 0)))


def emit_compute(kernel: LinearGeometry, k: KernelEmitter, constants: tuple[SSAValue, ...]) -> None:
    """The cores' products, if there is no RedMulE, and the epilogues."""
    s = k.stream(COMPUTE)
    if kernel.engine is COMPUTE:
        emit_products_on_cores(kernel, k, s)
    elif kernel.splits > 1 and not kernel.in_ring:
        emit_partial_sums(kernel, k, s)

    def tile_done(tile: Index) -> None:
        if kernel.engine is GEMM:
            done = ((kernel.chunks - 1) * kernel.group + 1) * kernel.parts
            s.wait(GEMM, s.add(s.mul(tile, kernel.parts), done))
        sums = last_sum(kernel, k, s, tile)
        if sums is not None:
            # the others are rows of its pieces
            clear_rows(kernel, k, s, sums, kernel.pieces * kernel.piece)
        if kernel.on_softex:
            _emit_gelu(kernel, k, s, tile, constants)
        else:
            s.loop(0, kernel.pieces, lambda piece: _emit_piece(kernel, k, s, tile, piece))

    if kernel.in_ring:
        emit_ring_sums(kernel, k, s, tile_done)
    elif kernel.odd is not None:
        emit_odd_rows(kernel, kernel.odd, k, s, tile_done)
    elif kernel.epilogue:
        s.loop(0, kernel.group, tile_done)


def _wait_residual(kernel: LinearGeometry, s: StreamEmitter, tile: Index, piece: Index) -> None:
    if kernel.residual_pitch is not None:
        s.wait(OUT, s.add(s.add(s.mul(tile, kernel.stores), s.mul(piece, 2)), 1))


def _emit_piece(
    kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter, tile: Index, piece: Index
) -> None:
    """Activation and residual of a piece, then an advance."""
    from softex_mlir.compiler.bodies import emit_accumulate, emit_binary

    _wait_residual(kernel, s, tile, piece)
    first, slot = s.mul(piece, kernel.piece), s.mod(piece, 2)
    z_slot = s.value(tile)
    sums = last_sum(kernel, k, s, tile)
    # materialise before the loop body: the cores share these values
    first_value, slot_value = s.value(first), s.value(slot)
    affine = _affine(kernel, k, s)

    def row(r: SSAValue) -> None:
        index = s.value(s.add(first_value, r))
        z = RowRef(k.memory["z"], (z_slot, index))
        if kernel.in_parts:
            low = RowRef(k.memory["low"], (z_slot, index))
            rest = None
            if kernel.residual_pitch is not None:
                rest = RowRef(k.memory["r"], (slot_value, r))
            emit_finish(s.builder, z, low, kernel.activation, rest, kernel.k)
            affine(z)
            return
        if sums is not None:
            emit_accumulate(s.builder, z, RowRef(k.memory["partial"], (sums, index)), kernel.k)
        if kernel.activation != "none":
            Unary(kernel.activation).emit(s.builder, [z], z, kernel.k)
        if kernel.residual_pitch is not None:
            residual = RowRef(k.memory["r"], (slot_value, r))
            if kernel.rotary:
                emit_rotary(s.builder, z, residual, z, kernel.rotary, kernel.k)
            else:
                emit_binary(s.builder, kernel.combine, z, residual, z, kernel.k)
        affine(z)

    s.parallel(kernel.piece, row)
    s.advance()


def _affine(kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter) -> Callable[[RowRef], None]:
    """The product and the sum at the end of an epilogue, in place."""
    if not kernel.affine:
        return lambda _row: None
    scale, shift = (RowRef(k.memory["a"], (s.value(0), s.value(i))) for i in range(len(AFFINE)))
    return lambda row: emit_mul_add(s.builder, row, scale, shift, row, kernel.k)


def _emit_gelu(
    kernel: LinearGeometry,
    k: KernelEmitter,
    s: StreamEmitter,
    tile: Index,
    constants: tuple[SSAValue, ...],
) -> None:
    """Squares on the cores, exponentials on SoftEx, the rest on the cores; SoftEx works on one
    piece while the cores square the next."""
    from softex_mlir.compiler.bodies import (
        GELU_SQUARE,
        emit_accumulate,
        emit_binary,
        emit_gelu_finish,
        emit_unary,
    )

    assert kernel.machine.softex is not None
    terms = kernel.machine.softex.terms
    z, q = k.memory["z"], k.memory["q"]
    z_slot = s.value(tile)
    sums = last_sum(kernel, k, s, tile)

    def rows(piece: Index, finish: bool) -> None:
        first, slot = s.value(s.mul(piece, kernel.piece)), s.value(s.mod(piece, 2))
        affine = _affine(kernel, k, s)

        def row(r: SSAValue) -> None:
            index = s.value(s.add(first, r))
            value = RowRef(z, (z_slot, index))
            square = RowRef(q, (slot, r))
            if not finish and sums is not None:
                partial = RowRef(k.memory["partial"], (sums, index))
                emit_accumulate(s.builder, value, partial, kernel.k, square=square)
                return
            if not finish:
                emit_unary(s.builder, GELU_SQUARE, value, square, kernel.k)
                return
            emit_gelu_finish(s.builder, value, square, value, kernel.k)
            if kernel.residual_pitch is not None:
                residual = RowRef(k.memory["r"], (slot, r))
                emit_binary(s.builder, kernel.combine, value, residual, value, kernel.k)
            affine(value)

        s.parallel(kernel.piece, row)

    def start(piece: Index, drain: bool) -> None:
        slot = s.value(s.mod(piece, 2))
        s.barrier()

        def job() -> None:
            if drain:
                s.drain()
            s.sum_exponentials(q, slot, constants, length=kernel.piece * kernel.k, terms=terms)

        s.leader(job)

    def finish(piece: Index) -> None:
        s.barrier()
        _wait_residual(kernel, s, tile, piece)
        rows(piece, True)
        s.advance()

    def step(piece: Index) -> None:
        rows(piece, False)
        start(piece, True)
        finish(s.add(piece, -1))

    rows(0, False)
    start(0, False)
    s.loop(1, kernel.pieces, step)
    s.leader(s.drain)
    finish(kernel.pieces - 1)


def emit_results(kernel: LinearGeometry, k: KernelEmitter) -> None:
    """Residuals in, finished tiles out."""
    s = k.stream(OUT)
    s.loop(0, kernel.group, lambda tile: _emit_tile_out(kernel, k, s, tile))


def _emit_tile_out(kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter, tile: Index) -> None:
    """Store a finished tile, piece by piece if it has an epilogue."""
    column = s.mul(tile, kernel.k)
    if not kernel.epilogue:
        s.wait(kernel.engine, s.add(tile, (kernel.chunks - 1) * kernel.group + 1))
        sizes = [kernel.m, kernel.k]
        s.complete(s.transfer(k.memory["z"], [tile], k.values["out"], [0, column], sizes))
        s.advance()
        return
    before: Index = kernel.jobs if kernel.engine is COMPUTE else kernel.counted_sums
    if kernel.odd is not None:
        before = odd_rows_before(kernel, kernel.odd, s, tile)
    done = s.add(s.mul(tile, kernel.steps_between_epilogues), s.add(before, 1))
    tail = kernel.m - (kernel.pieces - 1) * kernel.piece

    def start_store(piece: Index, rows: int) -> SSAValue:
        s.wait(COMPUTE, s.add(piece, done))
        row = s.mul(piece, kernel.piece)
        sizes = [rows, kernel.k]
        return s.transfer(k.memory["z"], [tile, row], k.values["out"], [row, column], sizes)

    def start_load(piece: Index, rows: int) -> SSAValue:
        row = s.mul(piece, kernel.piece)
        place: list[Index] = [row, 0 if kernel.rotary else column]
        sizes = [rows, kernel.residual_columns]
        return s.transfer(k.values["residual"], place, k.memory["r"], [s.mod(piece, 2)], sizes)

    def finish(token: SSAValue) -> None:
        s.complete(token)
        s.advance()

    def store(piece: Index, rows: int) -> None:
        finish(start_store(piece, rows))

    def load(piece: Index, rows: int) -> None:
        vectors = [
            s.transfer(k.values[name], [0, column], k.memory["a"], [0, place], [1, kernel.k])
            for place, name in enumerate(AFFINE if kernel.affine else ())
        ]
        s.complete(*vectors, start_load(piece, rows))
        s.advance()

    def step(piece: Index, rows: int) -> None:
        # one direction each: the piece to come and the one that is done move together
        coming = start_load(piece, rows)
        going = start_store(s.add(piece, -1), kernel.piece)
        finish(coming)
        finish(going)

    if kernel.residual_pitch is None:
        s.loop(0, kernel.pieces - 1, lambda piece: store(piece, kernel.piece))
        store(kernel.pieces - 1, tail)
        return

    if kernel.pieces > 1:
        load(0, kernel.piece)
        s.advance()
        s.loop(1, kernel.pieces - 1, lambda piece: step(piece, kernel.piece))
        step(kernel.pieces - 1, tail)
    else:
        load(0, tail)
        s.advance()
    s.advance()
    store(kernel.pieces - 1, tail)
