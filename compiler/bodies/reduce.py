"""Sums and the like over a row, pair by pair in the order of its elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from xdsl.dialects.builtin import bf16
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.emit import Emitter, RowRef

Values = tuple[SSAValue, ...]

UNROLL: Final = 8
"""Pairs added in one step of a reduction, so that advancing the pointer costs little."""


def reduce_pairs(
    e: Emitter,
    x: RowRef,
    columns: int,
    initial: Values,
    step: Callable[[Emitter, SSAValue, Values], Values],
) -> Values:
    """Run ``step`` over the row pair by pair; a last odd element is paired with zero.

    Each pair is loaded before the one in front of it is added: neither a load nor the sum before
    is waited for.
    """

    def body(count: int) -> Callable[[Emitter, SSAValue, Values], Values]:
        def pairs(e: Emitter, j: SSAValue, sums: Values) -> Values:
            following = e.load_pair(x, j)
            for k in range(1, count + 1):
                pair = following
                if k < count:
                    following = e.load_pair(x, j, 2 * k)
                sums = step(e, pair, sums)
            return sums

        return pairs

    even = columns // 2 * 2
    grouped = columns // (2 * UNROLL) * 2 * UNROLL
    sums = e.loop(0, grouped, 2 * UNROLL, body(UNROLL), initial)
    if grouped < even:
        sums = body((even - grouped) // 2)(e, e.index(grouped), sums)
    if columns % 2:
        last = e.load(x, e.index(columns - 1))
        sums = step(e, e.pack(last, e.number(0.0, bf16)), sums)
    return sums


def is_finite(e: Emitter, x: RowRef, columns: int) -> SSAValue:
    """Whether no element of a row is NaN or infinite: 0 times it is 0."""
    zeros = e.pair_constant(0.0)

    def products(e: Emitter, pair: SSAValue, sums: Values) -> Values:
        return (e.dot(pair, zeros, sums[0]),)

    (total,) = reduce_pairs(e, x, columns, (e.number(0.0),), products)
    return e.less(total, e.number(1.0))
