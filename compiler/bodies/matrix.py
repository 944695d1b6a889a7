"""Kernels of matrices in the TCDM: transposition, repetition of a row, GEMM on the cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from xdsl.builder import Builder
from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import I64, DenseArrayBase, bf16, i64
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.emit import Emitter, RowRef, TileRef
from softex_mlir.dialects.xpulp_vector import PAIR
from softex_mlir.isa_sim.numerics.coefficients import LARGEST_LOW

Values = tuple[SSAValue, ...]

GEMM_ROWS: Final = 6
"""Rows of a block of the result that :func:`emit_gemm` computes."""

GEMM_COLUMNS: Final = 8
"""Columns of a block: 6 x 4 accumulators of a pair, 4 pairs of the weights and 2 elements of rows
fill 30 of the 32 registers, and 10 loads feed 24 packed multiply-accumulates."""

WIDE_ROWS: Final = 6
"""Rows of a block whose sums are in f32."""

WIDE_COLUMNS: Final = 4
"""Columns of it: 6 x 4 accumulators, 4 pairs of weights and 2 of rows fill 30 of 32 registers."""

_TRANSPOSE_UNROLL: Final = 2
"""Words of either row in one iteration: none is needed at once after it is loaded."""

_GEMM_UNROLL: Final = 4
"""Steps along the inner dimension in one iteration, so that advancing pointers costs little."""

REPEAT_COLUMNS: Final = 16
"""Columns that one iteration of :func:`emit_repeat_row` fills."""


def emit_transpose(
    builder: Builder, x: TileRef, out: TileRef, pair: SSAValue, rows: int, columns: int
) -> None:
    """``out[c][r] = x[r][c]`` for r = 2·pair and 2·pair + 1, all c < columns (2-byte elements).

    ``out`` has an even pitch and at least ``rows`` rounded up to even columns; when ``rows`` is
    odd, the last column is filled with zero. One iteration reads two rows along their length and
    writes 32-bit words: two elements of each row become one word of two columns.
    """
    e = Emitter(builder)
    first = e.insert(arith.MuliOp(pair, e.index(2)))

    def both(e: Emitter) -> None:
        _transpose_rows(e, x, out, first, columns, alone=False)

    def alone(e: Emitter) -> None:
        _transpose_rows(e, x, out, first, columns, alone=True)

    if rows % 2 == 0:
        both(e)
    elif rows == 1:
        alone(e)
    else:
        e.if_else(e.index_less(first, rows - 1), both, alone)


def _transpose_rows(
    e: Emitter, x: TileRef, out: TileRef, first: SSAValue, columns: int, *, alone: bool
) -> None:
    upper = x.row(first)
    lower = x.row(e.add_index(first, 1))

    def word(e: Emitter, column: SSAValue, low: SSAValue, high: SSAValue) -> None:
        e.store_pair(e.pack(low, high), out.row(column), first)

    def words(count: int) -> Callable[[Emitter, SSAValue, Values], None]:
        def two_columns_each(e: Emitter, j: SSAValue, _: Values) -> None:
            ones = [e.load_pair(upper, j, 2 * k) for k in range(count)]
            others = [
                e.pair_constant(0.0) if alone else e.load_pair(lower, j, 2 * k)
                for k in range(count)
            ]
            for k, (a, b) in enumerate(zip(ones, others, strict=True)):
                for lane in range(2):
                    mixed = vector.ShuffleOp(a, b, _lanes(lane, lane + 2), result_type=PAIR)
                    e.store_pair(e.insert(mixed), out.row(e.add_index(j, 2 * k + lane)), first)

        return two_columns_each

    width = 2 * _TRANSPOSE_UNROLL
    whole, even = columns // width * width, columns // 2 * 2
    e.loop(0, whole, width, words(_TRANSPOSE_UNROLL))
    e.loop(whole, even, even - whole, words((even - whole) // 2))
    if columns % 2:
        last = e.index(columns - 1)
        b = e.number(0.0, bf16) if alone else e.load(lower, last)
        word(e, last, e.load(upper, last), b)


def emit_repeat_row(builder: Builder, x: RowRef, out: TileRef, group: SSAValue, rows: int) -> None:
    """``out[r][c] = x[c]`` for all r < rows and the REPEAT_COLUMNS columns c of a group (BF16).

    The group's elements stay in registers, so that a pair costs little more than its store.
    """
    e = Emitter(builder)
    first = e.insert(arith.MuliOp(group, e.index(REPEAT_COLUMNS)))
    pairs = [e.load_pair(x, first, column) for column in range(0, REPEAT_COLUMNS, 2)]

    def row(e: Emitter, r: SSAValue, _: tuple[SSAValue, ...]) -> None:
        for number, pair in enumerate(pairs):
            e.store_pair(pair, out.row(r), first, 2 * number)

    e.loop(0, rows, 1, row)


def gemm_blocks(rows: int, columns: int, *, wide: bool = False) -> int:
    """Blocks of the result that :func:`emit_gemm` computes one by one."""
    height, width = _block(wide)
    return -(-rows // height) * -(-columns // width)


def _block(wide: bool) -> tuple[int, int]:
    return (WIDE_ROWS, WIDE_COLUMNS) if wide else (GEMM_ROWS, GEMM_COLUMNS)


def emit_gemm(
    builder: Builder,
    x: TileRef,
    w: TileRef,
    z: TileRef,
    block: SSAValue,
    rows: int,
    inner: int,
    columns: int,
    *,
    wide: bool = False,
    low: TileRef | None = None,
    resumed: bool = False,
    first: int = 0,
    start: SSAValue | None = None,
) -> None:
    """``z[M,K] := x[M,N] · w[N,K] + z`` in BF16, one of the :func:`gemm_blocks` of z, row by row;
    rows of x and z are counted from ``first`` on.

    Every element is RedMulE's chain: n ascending, each fma rounded to BF16, so that the result is
    bit-identical to the accelerator's. ``wide``: each fma is rounded to F32, the last sum to BF16;
    ``low`` gets what that rounding lost, with which ``resumed`` sums go on
    (``rowwise.gemm_in_parts``). ``start``: columns of x and rows of w are counted from there on;
    not if ``wide``.
    ``columns`` (K) is even, and N if ``wide``; all pitches are even.
    """
    if columns % 2 or (wide and inner % 2):
        raise ValueError(f"expected an even size, found {inner} x {columns}: pad the weights")
    height, width = _block(wide)
    narrow = partial(_gemm_block, start=start)
    compute = partial(_wide_block, low=low, resumed=resumed) if wide else narrow
    e = Emitter(builder)
    across = e.index(-(-columns // width))
    row = e.insert(arith.MuliOp(e.insert(arith.DivUIOp(block, across)), e.index(height)))
    column = e.insert(arith.MuliOp(e.insert(arith.RemUIOp(block, across)), e.index(width)))

    def strip(e: Emitter, high: int) -> None:
        def emit(e: Emitter, across: int) -> None:
            start = e.add_index(row, first)
            numbers = [e.add_index(start, r) for r in range(high)]
            cells = [(r, c) for r in range(high) for c in range(0, across, 2)]
            compute(e, x, w, z, column, numbers, cells, inner)

        _whole_or_rest(e, column, columns, width, emit)

    _whole_or_rest(e, row, rows, height, strip)


def _whole_or_rest(
    e: Emitter,
    first: SSAValue,
    extent: int,
    size: int,
    emit: Callable[[Emitter, int], None],
) -> None:
    """Emit for ``size`` elements from ``first``, or for the rest where ``extent`` has fewer."""
    full, rest = divmod(extent, size)
    if rest == 0:
        emit(e, size)
    elif full == 0:
        emit(e, rest)
    else:
        whole = e.index_less(first, full * size)
        e.if_else(whole, lambda e: emit(e, size), lambda e: emit(e, rest))


def _gemm_block(
    e: Emitter,
    x: TileRef,
    w: TileRef,
    z: TileRef,
    column: SSAValue,
    numbers: Sequence[SSAValue],
    cells: Sequence[tuple[int, int]],
    inner: int,
    start: SSAValue | None,
) -> None:

    def steps(count: int) -> Callable[[Emitter, SSAValue, Values], Values]:
        def body(e: Emitter, n: SSAValue, chains: Values) -> Values:
            n = n if start is None else e.add_index(n, start)
            for step in range(count):
                here = e.add_index(n, step)
                chains = _gemm_step(e, x, w, here, column, numbers, chains)
            return chains

        return body

    chains = tuple(e.load_pair(z.row(numbers[r]), column, k) for r, k in cells)
    whole = inner // _GEMM_UNROLL * _GEMM_UNROLL
    chains = e.loop(0, whole, _GEMM_UNROLL, steps(_GEMM_UNROLL), chains)
    chains = e.loop(whole, inner, inner - whole, steps(inner - whole), chains)
    if inner % 8:
        # RedMulE runs its chain to a multiple of 8: fma(+0, +0, z) turns -0 into +0
        zero = e.pair_constant(0.0)
        chains = tuple(e.fma(zero, zero, v) for v in chains)
    for (r, k), value in zip(cells, chains, strict=True):
        e.store_pair(value, z.row(numbers[r]), column, k)


def _gemm_step(
    e: Emitter,
    x: TileRef,
    w: TileRef,
    n: SSAValue,
    column: SSAValue,
    numbers: Sequence[SSAValue],
    chains: Values,
) -> Values:
    """One step of all chains; an element of x is loaded while the row before it is computed."""
    pairs = len(chains) // len(numbers)
    b = [e.load_pair(w.row(n), column, 2 * p) for p in range(pairs)]
    following = e.load(x.row(numbers[0]), n)
    made: list[SSAValue] = []
    for r in range(len(numbers)):
        a = e.broadcast(following)
        if r + 1 < len(numbers):
            following = e.load(x.row(numbers[r + 1]), n)
        row = chains[r * pairs : (r + 1) * pairs]
        made += [e.fma(weights, a, chain) for weights, chain in zip(b, row, strict=True)]
    return tuple(made)


def _wide_block(
    e: Emitter,
    x: TileRef,
    w: TileRef,
    z: TileRef,
    column: SSAValue,
    numbers: Sequence[SSAValue],
    cells: Sequence[tuple[int, int]],
    inner: int,
    *,
    low: TileRef | None,
    resumed: bool,
) -> None:

    def body(e: Emitter, n: SSAValue, sums: Values) -> Values:
        return _wide_step(e, x, w, n, column, numbers, sums)

    def widened(tile: TileRef) -> list[SSAValue]:
        pairs = [e.load_pair(tile.row(numbers[r]), column, k) for r, k in cells]
        return [e.widen(e.lane(pair, lane)) for pair in pairs for lane in range(2)]

    starts = widened(z)
    if low is not None and resumed:
        starts = [e.add(a, b) for a, b in zip(starts, widened(low), strict=True)]
    sums = e.loop(0, inner, 2, body, starts)
    for (r, k), *pair in zip(cells, sums[::2], sums[1::2], strict=True):
        rounded = e.pack(*map(e.narrow, pair))
        e.store_pair(rounded, z.row(numbers[r]), column, k)
        if low is not None:
            rest = [_rest(e, value, e.lane(rounded, lane)) for lane, value in enumerate(pair)]
            e.store_pair(e.pack(*map(e.narrow, rest)), low.row(numbers[r]), column, k)


def _rest(e: Emitter, value: SSAValue, rounded: SSAValue) -> SSAValue:
    """What rounding a sum lost; not infinite, and a number where it is lost in NaN."""
    rest = e.minimum(e.sub(value, e.widen(rounded)), e.number(LARGEST_LOW))
    return e.maximum(rest, e.number(-LARGEST_LOW))


def _wide_step(
    e: Emitter,
    x: TileRef,
    w: TileRef,
    n: SSAValue,
    column: SSAValue,
    numbers: Sequence[SSAValue],
    sums: Values,
) -> Values:
    """Two steps of all sums: pairs of the weights of two rows are turned into pairs of a column."""
    pairs = len(sums) // (2 * len(numbers))
    below = e.add_index(n, 1)
    upper = [e.load_pair(w.row(n), column, 2 * p) for p in range(pairs)]
    lower = [e.load_pair(w.row(below), column, 2 * p) for p in range(pairs)]
    following = e.load_pair(x.row(numbers[0]), n)
    weights = [
        e.insert(vector.ShuffleOp(a, b, _lanes(lane, lane + 2), result_type=PAIR))
        for a, b in zip(upper, lower, strict=True)
        for lane in range(2)
    ]
    made: list[SSAValue] = []
    for r in range(len(numbers)):
        a = following
        if r + 1 < len(numbers):
            following = e.load_pair(x.row(numbers[r + 1]), n)
        row = sums[2 * r * pairs : 2 * (r + 1) * pairs]
        made += [e.dot(a, b, total) for b, total in zip(weights, row, strict=True)]
    return tuple(made)


def _lanes(*lanes: int) -> DenseArrayBase[I64]:
    return DenseArrayBase.from_list(i64, list(lanes))
