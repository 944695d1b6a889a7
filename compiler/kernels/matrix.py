"""Kernels of matrices in the TCDM: transposition, repetition of a row, GEMM on the cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from xdsl.builder import Builder
from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import I64, DenseArrayBase, bf16, i64
from xdsl.ir import SSAValue

from softex_mlir.compiler.kernels.emit import Emitter, RowRef, TileRef
from softex_mlir.dialects.xpulp_vector import PAIR

GEMM_ROWS: Final = 4
"""Rows of the result that one iteration of :func:`emit_gemm` computes."""

REPEAT_COLUMNS: Final = 16
"""Columns that one iteration of :func:`emit_repeat_row` fills."""

_GEMM_PAIRS: Final = 4
"""Pairs of columns of the result in registers at once: 4·4 accumulators, 4 rows' elements and 4
pairs of the weights leave registers to spare, and 8 loads feed 16 packed multiply-accumulates."""


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

    def two_columns(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        a = e.load_pair(upper, j)
        b = e.pair_constant(0.0) if alone else e.load_pair(lower, j)
        for lane in range(2):
            mixed = vector.ShuffleOp(a, b, _lanes(lane, lane + 2), result_type=PAIR)
            e.store_pair(e.insert(mixed), out.row(e.add_index(j, lane)), first)

    e.loop(0, columns // 2 * 2, 2, two_columns)
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


def emit_gemm(
    builder: Builder,
    x: TileRef,
    w: TileRef,
    z: TileRef,
    block: SSAValue,
    rows: int,
    inner: int,
    columns: int,
) -> None:
    """``z[M,K] := x[M,N] · w[N,K] + z`` in BF16, rows GEMM_ROWS·block and following.

    Every element is RedMulE's chain: n ascending, each fma rounded to BF16, so that the result is
    bit-identical to the accelerator's. ``columns`` (K) is even; all pitches are even.
    """
    if columns % 2:
        raise ValueError(f"expected an even number of columns, found {columns}: pad the weights")
    e = Emitter(builder)
    first = e.insert(arith.MuliOp(block, e.index(GEMM_ROWS)))
    full, rest = divmod(rows, GEMM_ROWS)

    def emit(count: int) -> Callable[[Emitter], None]:
        def block_of_rows(e: Emitter) -> None:
            _gemm_rows(e, x, w, z, first, count, inner, columns)

        return block_of_rows

    if rest == 0:
        emit(GEMM_ROWS)(e)
    elif full == 0:
        emit(rest)(e)
    else:
        e.if_else(e.index_less(first, full * GEMM_ROWS), emit(GEMM_ROWS), emit(rest))


def _gemm_rows(
    e: Emitter,
    x: TileRef,
    w: TileRef,
    z: TileRef,
    first: SSAValue,
    count: int,
    inner: int,
    columns: int,
) -> None:
    numbers = [e.add_index(first, r) for r in range(count)]

    def panel(e: Emitter, column: SSAValue, pairs: int) -> None:
        cells = [(r, p) for r in range(count) for p in range(pairs)]

        def step(e: Emitter, n: SSAValue, z_: tuple[SSAValue, ...]) -> tuple[SSAValue, ...]:
            a = [e.broadcast(e.load(x.row(row), n)) for row in numbers]
            b = [e.load_pair(w.row(n), column, 2 * p) for p in range(pairs)]
            return tuple(e.fma(b[p], a[r], v) for (r, p), v in zip(cells, z_, strict=True))

        chains = tuple(e.load_pair(z.row(numbers[r]), column, 2 * p) for r, p in cells)
        chains = e.loop(0, inner, 1, step, chains)
        if inner % 8:
            # RedMulE runs its chain to a multiple of 8: fma(+0, +0, z) turns -0 into +0
            zero = e.pair_constant(0.0)
            chains = tuple(e.fma(zero, zero, v) for v in chains)
        for (r, p), value in zip(cells, chains, strict=True):
            e.store_pair(value, z.row(numbers[r]), column, 2 * p)

    width = 2 * _GEMM_PAIRS
    whole = columns // width * width
    e.loop(0, whole, width, lambda e, column, _: panel(e, column, _GEMM_PAIRS))
    if whole < columns:
        panel(e, e.index(whole), (columns - whole) // 2)


def _lanes(*lanes: int) -> DenseArrayBase[I64]:
    return DenseArrayBase.from_list(i64, list(lanes))
