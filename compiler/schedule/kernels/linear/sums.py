"""Sums on the cores: partial sums of RedMulE, and whole products where there is no RedMulE.

The first partial sum grows in Z, from the bias; every other one in `partial`, from zeros. RedMulE
goes on to the next tile while the cores add a tile's partial sum to Z and clear it. Where the inner
values of a job are those of a partial sum, `partial` is a ring, else every tile of a group has one.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects import arith
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies import (
    RowRef,
    emit_accumulate,
    emit_fill,
)
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, GEMM, IN, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import (
    FIRST_PARTIAL,
    PARTIAL_FREE,
    PARTIAL_STEP,
    PARTIALS_CLEARED,
    KernelEmitter,
)
from softex_mlir.compiler.schedule.kernels.linear.feed import (
    emit_product_on_cores,
    job_index,
    start_product,
)
from softex_mlir.compiler.schedule.kernels.linear.geometry import LinearGeometry


def emit_partial_sums(kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter) -> None:
    """Clear `partial` unless an earlier launch left zeros, which is counted as one step; then add
    it to Z after every partial sum but the last, which the epilogue adds: a step for each tile."""

    def clear() -> None:
        # dma_in has waited for whoever used the bytes before
        s.wait(IN, 1)
        _clear(kernel, k, s)

    def add(split: Index, tile: Index) -> None:
        last = s.add(s.mul(s.add(split, 1), kernel.sum_chunks * kernel.group), 1 - kernel.group)
        s.wait(GEMM, s.add(last, tile))
        _add(kernel, k, s, tile)
        s.advance()

    s.when(k.values[PARTIALS_CLEARED], "eq", 0, clear)
    s.advance()
    s.loop(1, kernel.splits - 1, lambda n: s.loop(0, kernel.group, lambda g: add(n, g)))


def emit_ring_sums(
    kernel: LinearGeometry,
    k: KernelEmitter,
    s: StreamEmitter,
    epilogue: Callable[[Index], None],
) -> None:
    """The same for a ring, every sum with as many steps as an epilogue; and the epilogues."""

    def clear() -> None:
        # dma_in has waited for whoever used the bytes before
        s.wait(IN, 1)
        _clear(kernel, k, s)

    def add(chunk: Index, tile: Index, part: int) -> None:
        s.wait(GEMM, s.add(job_index(kernel, s, chunk, tile, part), 1))
        slot = s.value(ring_of_sums(kernel, k, s, chunk, tile, part))
        _add(kernel, k, s, tile, slot)
        s.advance(kernel.pieces)

    def sums(chunk: Index, tile: Index) -> None:
        last = isinstance(chunk, int) and chunk == kernel.chunks - 1
        for part in range(_first_part(chunk), kernel.parts - last):
            add(chunk, tile, part)
        if last:
            epilogue(tile)

    s.when(k.values[PARTIALS_CLEARED], "eq", 0, clear)
    s.advance()
    each_step(kernel, s, sums)


def each_step(
    kernel: LinearGeometry, s: StreamEmitter, step: Callable[[Index, Index], None]
) -> None:
    """`step(chunk, tile)` for all steps; the first and the last chunk are numbers."""

    def tiles(chunk: Index) -> None:
        s.loop(0, kernel.group, lambda tile: step(chunk, tile))

    tiles(0)
    s.loop(1, kernel.chunks - 1, tiles)
    if kernel.chunks > 1:
        tiles(kernel.chunks - 1)


def _first_part(chunk: Index) -> int:
    """The first job of a tile has its sum in Z."""
    return int(isinstance(chunk, int) and chunk == 0)


def emit_products_into_ring(kernel: LinearGeometry, k: KernelEmitter) -> None:
    """RedMulE's jobs: the first of a tile into Z, from the bias, the others into the ring, once the
    cores have added what was there. Each is counted when the next one's registers are written."""
    s = k.stream(GEMM)

    def count(token: SSAValue) -> None:
        s.complete(token)
        s.advance()

    def job(chunk: Index, tile: Index, part: int, before: SSAValue | None) -> SSAValue:
        behind = None if before is None else lambda: count(before)
        if part < _first_part(chunk):
            return start_product(kernel, k, s, chunk, tile, behind=behind)
        slot = s.value(ring_of_sums(kernel, k, s, chunk, tile, part))
        _wait_for_slot(kernel, k, s, sum_index(kernel, s, chunk, tile, part))
        target = "partial", slot
        return start_product(kernel, k, s, chunk, tile, part=part, target=target, behind=behind)

    def step(chunk: Index, tile: Index, before: SSAValue, first: int = 0) -> SSAValue:
        for part in range(first, kernel.parts):
            before = job(chunk, tile, part, before)
        return before

    def tiles(chunk: Index, before: SSAValue, first: int = 0) -> SSAValue:
        return s.carry(first, kernel.group, before, lambda tile, token: step(chunk, tile, token))

    before = tiles(0, step(0, 0, job(0, 0, 0, None), 1), 1)
    count(s.carry(1, kernel.chunks, before, tiles))


def _wait_for_slot(kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter, use: Index) -> None:
    """Until a slot of the ring is free: from its second use on when the cores have added what was
    there; what the first one waits for is known at launch."""

    def early() -> None:
        step = s.builder.insert(arith.MuliOp(k.values[PARTIAL_STEP], s.value(use))).result
        s.wait_value(COMPUTE, s.add(k.values[PARTIAL_FREE], step))

    def late() -> None:
        s.wait(COMPUTE, s.add(s.mul(s.add(use, 1 - kernel.ring), kernel.pieces), 1))

    s.when(use, "slt", kernel.ring, early)
    s.when(use, "sge", kernel.ring, late)


def sum_index(
    kernel: LinearGeometry, s: StreamEmitter, chunk: Index, tile: Index, part: int
) -> Index:
    """:meth:`LinearGeometry.sum_number`, computed by a stream."""
    if isinstance(chunk, int) and chunk == 0:
        return s.add(s.mul(tile, kernel.parts - 1), part - 1)
    return s.add(job_index(kernel, s, chunk, tile, part), -kernel.group)


def ring_of_sums(
    kernel: LinearGeometry,
    k: KernelEmitter,
    s: StreamEmitter,
    chunk: Index,
    tile: Index,
    part: int,
) -> Index:
    """The slot of a job's partial sum."""
    index = s.add(k.values[FIRST_PARTIAL], sum_index(kernel, s, chunk, tile, part))
    return s.mod(index, kernel.ring)


def last_sum(
    kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter, tile: Index
) -> SSAValue | None:
    """The slot of the partial sum that the epilogue of a tile adds."""
    if kernel.splits == 1:
        return None
    if not kernel.in_ring:
        return s.value(tile)
    return s.value(ring_of_sums(kernel, k, s, kernel.chunks - 1, tile, kernel.parts - 1))


def each_job(
    kernel: LinearGeometry,
    s: StreamEmitter,
    split: Index,
    job: Callable[[Index, Index], None],
    *,
    start: int = 0,
) -> None:
    """`job(chunk, tile)` for the inner chunks of a partial sum from its `start`th on."""
    first = s.mul(split, kernel.sum_chunks)

    def of_chunk(c: Index) -> None:
        s.loop(0, kernel.group, lambda tile: job(s.add(first, c), tile))

    s.loop(start, kernel.sum_chunks, of_chunk)


def _clear(kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter) -> None:
    slots = kernel.ring or kernel.group
    s.loop(0, slots, lambda slot: clear_rows(kernel, k, s, s.value(slot), 0))


def clear_rows(
    kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter, slot: SSAValue, first: int
) -> None:
    """Clear the rows of a partial sum from one on."""

    def row(r: SSAValue) -> None:
        where = s.value(s.add(r, first))
        emit_fill(s.builder, RowRef(k.memory["partial"], (slot, where)), 0.0, kernel.k)

    if first < kernel.summed_rows:
        s.parallel(kernel.summed_rows - first, row)


def _add(
    kernel: LinearGeometry,
    k: KernelEmitter,
    s: StreamEmitter,
    tile: Index,
    sums: SSAValue | None = None,
) -> None:
    """Add a partial sum to a tile, from the tile's own slot or another."""
    z_slot = s.value(tile)
    slot = z_slot if sums is None else sums

    def row(r: SSAValue) -> None:
        z, part = RowRef(k.memory["z"], (z_slot, r)), RowRef(k.memory["partial"], (slot, r))
        emit_accumulate(s.builder, z, part, kernel.k)

    s.parallel(kernel.m, row)
    clear_rows(kernel, k, s, slot, kernel.m)


def emit_products_on_cores(kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter) -> None:
    """The products chunk by chunk, tile by tile, each counted; partial sums are not."""

    def step(chunk: Index, tile: Index, target: str = "z", *, resumed: bool = False) -> None:
        emit_product_on_cores(
            kernel,
            k,
            s,
            chunk,
            tile,
            w=k.memory["w"],
            target=target,
            rows=kernel.m,
            resumed=resumed,
        )

    def partial(chunk: Index, tile: Index) -> None:
        step(chunk, tile, "partial")

    def then_added(split: Index) -> None:
        each_job(kernel, s, split, partial)
        s.barrier()
        s.loop(0, kernel.group, lambda g: _add(kernel, k, s, g))
        s.barrier()

    if kernel.in_parts:
        s.loop(0, kernel.group, lambda tile: step(0, tile))
        each_job(kernel, s, 0, lambda chunk, tile: step(chunk, tile, resumed=True), start=1)
        return
    each_job(kernel, s, 0, step)
    if kernel.splits > 1:
        s.when(k.values[PARTIALS_CLEARED], "eq", 0, lambda: _clear(kernel, k, s))
        s.barrier()
        s.loop(1, kernel.splits - 1, then_added)
        each_job(kernel, s, kernel.splits - 1, partial)
