"""Sums on the cores: partial sums of RedMulE, and whole products where there is no RedMulE.

The first partial sum grows in Z, from the bias; every other one in `partial`, from zeros. RedMulE
goes on to the next tile while the cores add a tile's partial sum to Z and clear it.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies import (
    RowRef,
    emit_accumulate,
    emit_fill,
)
from softex_mlir.compiler.schedule.kernels.emitter import GEMM, IN, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import PARTIALS_CLEARED, KernelEmitter
from softex_mlir.compiler.schedule.kernels.linear.feed import emit_product_on_cores
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
    def tile_cleared(tile: Index) -> None:
        slot = s.value(tile)

        def row(r: SSAValue) -> None:
            emit_fill(s.builder, RowRef(k.memory["partial"], (slot, r)), 0.0, kernel.k)

        s.parallel(kernel.m, row)

    s.loop(0, kernel.group, tile_cleared)


def _add(kernel: LinearGeometry, k: KernelEmitter, s: StreamEmitter, tile: Index) -> None:
    slot = s.value(tile)

    def row(r: SSAValue) -> None:
        z, partial = (RowRef(k.memory[name], (slot, r)) for name in ("z", "partial"))
        emit_accumulate(s.builder, z, partial, kernel.k)

    s.parallel(kernel.m, row)


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
