"""The `dma_in` stream of `linear`: what RedMulE reads, in the order it reads it; a job on that."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from xdsl.dialects import arith
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies import TileRef, emit_gemm, gemm_blocks
from softex_mlir.compiler.schedule.kernels.emitter import IN, OUT, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import (
    X_LOADED,
    X_NEXT_READY,
    Z_FREE,
    Z_STEP,
    KernelEmitter,
)
from softex_mlir.compiler.schedule.kernels.linear.geometry import (
    W_SLOTS,
    X_SLOTS,
    LinearGeometry,
)
from softex_mlir.compiler.schedule.search.costs import FEW_ROWS
from softex_mlir.dialects.redmule import GemmOp

X_FIRST_JOBS = 8
"""Jobs of a launch from which on X is fetched before W. In a short launch the operands are often
still being computed, and W can be fetched meanwhile."""

ROW_OF_JOBS = 8
"""Fewer jobs of a launch save less than fetching the first one's instructions beside the loop's."""


def x_slot(s: StreamEmitter, k: KernelEmitter, chunk: Index) -> Index:
    """Slot of a chunk of X in the ring, which began at a slot known at launch."""
    return s.mod(s.add(k.values["first_x"], chunk), X_SLOTS)


def w_slot(kernel: LinearGeometry, s: StreamEmitter, k: KernelEmitter, job: Index) -> Index:
    """Slot of a job's W in the ring, which began at a slot known at launch."""
    return s.mod(s.add(k.values["first_w"], job), kernel.arena.w_slots)


def start_product(
    kernel: LinearGeometry,
    k: KernelEmitter,
    s: StreamEmitter,
    chunk: Index,
    tile: Index,
    *,
    part: int = 0,
    target: tuple[str, Index] | None = None,
    rows: int | None = None,
    behind: Callable[[], None] | None = None,
) -> SSAValue:
    """Start RedMulE's job on a part of a chunk of a tile once its operands are there, on all rows
    or only the first, into Z or into a slot of another buffer; its token. `behind` waits for the
    job before and counts it: that comes when all there is to compute for this one is computed."""
    index = job_index(kernel, s, chunk, tile, part)
    x, w_at = s.value(x_slot(s, k, chunk)), s.value(w_slot(kernel, s, k, index))
    name, slot = target or ("z", tile)
    z_slot, loaded = s.value(slot), s.value(s.add(index, 1))
    if behind is not None:
        behind()
    s.wait(IN, loaded)
    job = GemmOp(
        k.memory["x"],
        [x, s.value(part)] if kernel.parts > 1 else [x],
        k.memory["w"],
        [w_at],
        k.memory[name],
        [z_slot],
        m=kernel.m if rows is None else rows,
        n=kernel.inner,
        k=kernel.k,
        counts_meanwhile=behind is not None,
    )
    s.insert(job)
    return job.token


def job_index(
    kernel: LinearGeometry, s: StreamEmitter, chunk: Index, tile: Index, part: int = 0
) -> Index:
    """How many jobs a launch has before that on a part of a chunk of a tile."""
    return s.add(s.mul(s.add(s.mul(chunk, kernel.group), tile), kernel.parts), part)


def emit_product_on_cores(
    kernel: LinearGeometry,
    k: KernelEmitter,
    s: StreamEmitter,
    chunk: Index,
    tile: Index,
    *,
    w: SSAValue,
    target: str = "z",
    rows: int,
    first: int = 0,
    resumed: bool = False,
) -> None:
    """The team's product of a chunk of a tile, of `rows` rows from `first` on, once its operands
    are there; counted. `resumed`: sums that are kept in two parts go on with both."""
    index = s.add(s.mul(chunk, kernel.group), tile)
    x, w_at = s.value(x_slot(s, k, chunk)), s.value(w_slot(kernel, s, k, index))
    z_slot = s.value(tile)
    low = TileRef(k.memory["low"], (z_slot,)) if kernel.in_parts else None
    s.wait(IN, s.add(index, 1))
    s.parallel(
        gemm_blocks(rows, kernel.k, wide=kernel.wide),
        lambda block: emit_gemm(
            s.builder,
            TileRef(k.memory["x"], (x,)),
            TileRef(w, (w_at,)),
            TileRef(k.memory[target], (z_slot,)),
            block,
            rows=rows,
            inner=kernel.n,
            columns=kernel.k,
            wide=kernel.wide,
            low=low,
            resumed=resumed,
            first=first,
        ),
    )
    s.advance()


def emit_feed(kernel: LinearGeometry, k: KernelEmitter) -> None:
    """Bias into Z, chunks of X and W into their rings, the next launch's first chunk of X."""
    s = k.stream(IN)

    def load_w(
        chunk: Index, tile: Index, part: int = 0, once_begun: Callable[[], None] | None = None
    ) -> list[SSAValue]:
        source, target = k.values["w_l2"], k.memory["w"]
        slot = w_slot(kernel, s, k, job_index(kernel, s, chunk, tile, part))
        if kernel.w_pitch is not None:
            row, column = s.mul(chunk, kernel.n), s.mul(tile, kernel.k)
        else:
            row, column = s.mul(s.add(s.mul(tile, kernel.chunks), chunk), kernel.n), 0
        row = s.add(row, part * kernel.inner)

        def piece(first: Index, rows: int) -> SSAValue:
            if not kernel.flat_w:
                where = [s.add(row, first), column]
                return s.transfer(source, where, target, [slot, first], [rows, kernel.k])
            start, size = s.mul(s.add(row, first), kernel.k), rows * kernel.k
            return s.transfer(source, [start], target, [slot, s.mul(first, kernel.k)], [size])

        return s.transfer_pieces(kernel.inner, 2 * kernel.k, piece, once_begun)

    def load_rows(
        operand: str, chunk: Index, column: Index, start: Index, count: int
    ) -> list[SSAValue]:
        """`count` rows of a chunk of X, or of the next launch's X, from row `start` on."""
        slot = x_slot(s, k, chunk)

        def piece(first: Index, rows: int, part: int = 0) -> SSAValue:
            row, where = s.add(start, first), s.add(column, part * kernel.inner)
            source, target = k.values[operand], k.memory["x"]
            matrix = [slot, part] if kernel.parts > 1 else [slot]
            return s.transfer(source, [row, where], target, [*matrix, row], [rows, kernel.inner])

        tokens: list[SSAValue] = []
        for part in range(kernel.parts):
            tokens += s.transfer_pieces(count, 2 * kernel.inner, partial(piece, part=part))
            while len(tokens) > 2:
                s.complete(tokens.pop(0))
        return tokens

    def load_x(chunk: Index) -> list[SSAValue]:
        return load_rows("x_l2", chunk, s.mul(chunk, kernel.n), 0, kernel.m)

    def preset(tile: Index) -> list[SSAValue]:
        free = k.values[Z_FREE]
        if isinstance(tile, int) and tile == 0:
            s.wait_value(OUT, free)
        else:
            steps = s.builder.insert(arith.MuliOp(k.values[Z_STEP], s.value(tile)))
            s.wait_value(OUT, s.add(free, steps.result))
        column = s.mul(tile, kernel.k)

        def piece(first: Index, rows: int) -> SSAValue:
            target = [tile, first]
            return s.transfer(
                k.values["bias"], [0, column], k.memory["z"], target, [rows, kernel.k]
            )

        return s.transfer_pieces(kernel.m, 2 * kernel.k, piece)

    def finish(tokens: list[SSAValue]) -> None:
        """Wait for transfers, unless a W comes behind them: its token stands for them too."""
        if not kernel.streams_w:
            s.complete(*tokens)

    behind = kernel.arena.w_slots - 1
    k.acquire(s)
    x_first = kernel.jobs >= X_FIRST_JOBS and kernel.m > FEW_ROWS
    if x_first or kernel.w_pitch is not None:
        # X and Z are free before the ring of W, which RedMulE still reads; and a W that is an
        # activation depends on earlier launches as X does
        k.depend(s)
        s.when(k.values[X_LOADED], "eq", 0, lambda: finish(load_x(0)))
        tokens = preset(0)
        s.wait(kernel.engine, -behind)
        tokens += load_w(0, 0)
        finish(tokens)
    elif kernel.awaits_x:
        s.wait(kernel.engine, -behind)
        first = [*load_w(0, 0), *preset(0)]
        s.wait(kernel.engine, 1 - behind)
        tokens = [*load_w(0, 1), *preset(1)]
        k.depend(s)
        s.complete(*load_x(0), first[-1])
        s.advance()
    else:
        s.wait(kernel.engine, -behind)
        tokens = [*load_w(0, 0), *preset(0)]
        finish(tokens)
        k.depend(s)

        def load() -> None:
            if kernel.x_behind_w:
                s.wait(kernel.engine, 0)
            s.complete(*load_x(0))

        s.when(k.values[X_LOADED], "eq", 0, load)
    begun: SSAValue | None = tokens[-1] if kernel.streams_w else None
    if begun is None:
        s.advance()

    def earlier_products(chunk: Index) -> None:
        """All products of earlier chunks are done. In a ring of two W, that is so."""
        if kernel.arena.w_slots > W_SLOTS:
            s.wait(kernel.engine, job_index(kernel, s, chunk, 0))

    # a tile of several jobs has its Z preset beside the last job of the tile before: beside its own
    # first one, that and W would take the DMA longer than RedMulE the job
    preset_early = kernel.parts > 1 and begun is None

    def step(
        chunk: Index, tile: Index, first: bool, before: SSAValue | None, begin: int = 0
    ) -> SSAValue | None:
        for part in range(begin, kernel.parts):
            before = step_of_part(chunk, tile, part, first and part == 0, before)
        return before

    def step_of_part(
        chunk: Index, tile: Index, part: int, first: bool, before: SSAValue | None
    ) -> SSAValue | None:
        s.wait(kernel.engine, s.add(job_index(kernel, s, chunk, tile, part), -behind))

        def load_missing_x() -> None:
            def load() -> None:
                earlier_products(s.add(chunk, -1))
                finish(load_x(chunk))

            s.when(chunk, "sge", k.values[X_LOADED], load)

        if before is None:
            tokens = load_w(chunk, tile, part)
            if first and not preset_early:
                tokens += preset(tile)
            s.complete(*tokens)
            if kernel.group == 1 and part == 0:
                load_missing_x()
            s.advance()
            if preset_early and chunk == 0 and part == kernel.parts - 1:
                following = s.add(tile, 1)
                s.when(following, "slt", kernel.group, lambda: s.complete(*preset(following)))
            return None

        def count_before() -> None:
            s.complete(before)
            s.advance()

        if kernel.group == 1 and part == 0:
            load_missing_x()
        tokens = load_w(chunk, tile, part, count_before)
        if first:
            tokens += preset(tile)
        return tokens[-1]

    # The slot of the next chunk of X is free from the second tile on: the tiles that follow
    # load a share each, so that no W has to queue behind a whole chunk.
    def share_of(rows: int, tile: Index, load: Callable[[Index, int], None]) -> None:
        share = -(-rows // max(1, kernel.group - 1))
        shares = -(-rows // share)
        over = shares * share - rows
        index = s.add(tile, -1)

        def mine() -> None:
            row = s.mul(index, share)
            if over:
                row = s.sub(row, s.mul(s.div(index, shares - 1), over))
            load(row, share)

        if shares < kernel.group - 1:
            s.when(index, "slt", shares, mine)
        else:
            mine()

    def next_chunk(chunk: Index, tile: Index) -> None:
        earlier_products(chunk)
        following = s.add(chunk, 1)
        column = s.mul(following, kernel.n)

        def load(row: Index, rows: int) -> None:
            finish(load_rows("x_l2", following, column, row, rows))

        share_of(kernel.m, tile, load)

    def next_launch(tile: Index) -> None:
        def load(row: Index, rows: int) -> None:
            finish(load_rows("x_next", kernel.chunks, 0, row, rows))

        earlier_products(kernel.chunks - 1)
        s.wait_value(OUT, k.values[X_NEXT_READY])
        share_of(kernel.next_rows, tile, load)

    def with_next_x(
        chunk: Index, tile: Index, first: bool, before: SSAValue | None
    ) -> SSAValue | None:
        after = step(chunk, tile, first, before)
        load_following_x(chunk, tile)
        return after

    def load_following_x(chunk: Index, tile: Index) -> None:
        missing = s.add(k.values[X_LOADED], -1)

        def unless_loaded() -> None:
            s.when(chunk, "sge", missing, lambda: next_chunk(chunk, tile))

        s.when(chunk, "slt", kernel.chunks - 1, unless_loaded)
        if kernel.next_rows:
            s.when(chunk, "eq", kernel.chunks - 1, lambda: next_launch(tile))

    def repeat(
        upper: int,
        begun: SSAValue | None,
        body: Callable[[Index, SSAValue | None], SSAValue | None],
        lower: int = 1,
    ) -> SSAValue | None:
        """`body` for all numbers from 1 on, or from `lower`; where W streams, with the token of the
        one before."""
        if begun is None:
            s.loop(lower, upper, lambda index: (body(index, None), None)[1])
            return None

        def carried(index: Index, before: SSAValue) -> SSAValue:
            after = body(index, before)
            assert after is not None
            return after

        return s.carry(lower, upper, begun, carried)

    def pass_over(chunk: Index, first: bool, begun: SSAValue | None) -> SSAValue | None:
        """All tiles of a chunk."""
        if not first:
            begun = step(chunk, 0, False, begun)
        lower = 1
        if first and kernel.awaits_x:
            load_following_x(chunk, lower)
            lower += 1
        return repeat(
            kernel.group, begun, lambda tile, before: with_next_x(chunk, tile, first, before), lower
        )

    begun = pass_over(0, True, step(0, 0, False, begun, 1))
    begun = repeat(kernel.chunks, begun, lambda chunk, before: pass_over(chunk, False, before))
    if begun is not None:
        s.complete(begun)
        s.advance()
