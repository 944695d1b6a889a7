"""The rows left over from RedMulE's tiles, on the cores, which are idle beside most products.

RedMulE takes as long for 5 rows as for 24. In one of `every` tiles of a group it leaves the odd
rows out, and the cores compute them from the same chunks of X and W: the chain of `emit_gemm` is
RedMulE's, so are the bits. The cores get W as soon as it is there, before RedMulE is done with the
tile before; RedMulE counts such a product when the cores have counted it too, beside the next one,
so that for all others a step of RedMulE still means that X, W and Z are free.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from xdsl.ir import SSAValue

from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, GEMM, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import Buffer, KernelEmitter
from softex_mlir.compiler.schedule.kernels.linear.feed import emit_product_on_cores, start_product
from softex_mlir.compiler.schedule.kernels.linear.geometry import LinearGeometry, OddRows


def emit_products_without_odd_rows(kernel: LinearGeometry, odd: OddRows, k: KernelEmitter) -> None:
    """RedMulE's jobs, chunk by chunk, tile by tile."""
    s = k.stream(GEMM)

    def count(token: SSAValue) -> None:
        s.complete(token)
        s.advance()

    def job(chunk: Index, turn: Index, place: int, before: SSAValue | None) -> SSAValue:
        tile = s.add(s.mul(turn, odd.every), place)
        rows = kernel.m - odd.rows * (place == odd.first)
        # the tile with rows left out is counted when the cores have done these
        end = s.complete if place == odd.first + 1 else count
        behind = None if before is None else partial(end, before)
        token = start_product(kernel, k, s, chunk, tile, rows=rows, behind=behind)
        if place == odd.first + 1:
            s.wait(COMPUTE, _counted(kernel, odd, s, chunk, turn))
            s.advance()
        return token

    def tiles(chunk: Index, turn: Index, before: SSAValue, first: int = 0) -> SSAValue:
        for place in range(first, odd.every):
            before = job(chunk, turn, place, before)
        return before

    def turns(chunk: Index, before: SSAValue, first: int = 0) -> SSAValue:
        return s.carry(
            first, kernel.odd_tiles, before, lambda turn, token: tiles(chunk, turn, token)
        )

    last = kernel.chunks - 1
    token = turns(0, tiles(0, 0, job(0, 0, 0, None), 1), 1)
    if last:
        token = turns(last, s.carry(1, last, token, turns))
    count(token)


def _counted(
    kernel: LinearGeometry, odd: OddRows, s: StreamEmitter, chunk: Index, turn: Index
) -> Index:
    """Steps of the compute stream when odd rows are done."""
    steps = s.add(s.add(s.mul(chunk, kernel.odd_tiles), turn), 1)
    if not kernel.epilogue or chunk != kernel.chunks - 1:
        return steps
    epilogues = s.add(s.mul(turn, odd.every), odd.epilogues)
    return s.add(steps, s.mul(epilogues, kernel.pieces))


def odd_rows_before(kernel: LinearGeometry, odd: OddRows, s: StreamEmitter, tile: Index) -> Index:
    """How often the cores have counted odd rows before the epilogue of a tile."""
    turns = s.div(s.add(tile, odd.every - odd.epilogues), odd.every)
    return s.add(turns, (kernel.chunks - 1) * kernel.odd_tiles)


def emit_odd_rows(
    kernel: LinearGeometry,
    odd: OddRows,
    k: KernelEmitter,
    s: StreamEmitter,
    epilogue: Callable[[Index], None],
) -> None:
    """The cores' rows chunk by chunk, each counted; in the last chunk epilogues between them: those
    of tiles that are done before RedMulE begins the rows' tile before, the others behind."""
    w = _weights_by_row(kernel, k)

    def rows(chunk: Index, turn: Index) -> None:
        tile = s.add(s.mul(turn, odd.every), odd.first)
        first = kernel.m - odd.rows
        emit_product_on_cores(kernel, k, s, chunk, tile, w=w, rows=odd.rows, first=first)

    last = kernel.chunks - 1
    s.loop(0, last, lambda chunk: s.loop(0, kernel.odd_tiles, lambda turn: rows(chunk, turn)))
    if not kernel.epilogue:
        s.loop(0, kernel.odd_tiles, lambda turn: rows(last, turn))
        return
    s.loop(0, odd.epilogues, epilogue)

    def then_epilogues(turn: Index) -> None:
        rows(last, turn)
        first = s.add(s.mul(turn, odd.every), odd.epilogues)
        s.loop(0, odd.every, lambda tile: epilogue(s.add(first, tile)))

    s.loop(0, kernel.odd_tiles - 1, then_epilogues)
    rows(last, kernel.odd_tiles - 1)
    s.loop(kernel.group - odd.every + odd.epilogues, kernel.group, epilogue)


def _weights_by_row(kernel: LinearGeometry, k: KernelEmitter) -> SSAValue:
    """The ring of W as matrices."""
    if not kernel.flat_w:
        return k.memory["w"]
    ring = next(buffer for buffer in kernel.buffers() if buffer.name == "w")
    rows = Buffer("w_rows", (kernel.n, kernel.k), ring.slots, ring.offset, ring.slot_bytes)
    return k.buffer(rows)
