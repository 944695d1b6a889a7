"""Kernels of one row that reduce it: layer norm, RMS norm, softmax in software.

Operations are emitted so that no instruction needs the result of the one before it (an FP
result is available one cycle late, a loaded value too).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.builder import Builder
from xdsl.dialects import arith
from xdsl.dialects.builtin import bf16
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.elementwise import LOWEST_BF16, emit_fill
from softex_mlir.compiler.bodies.emit import Emitter, RowRef
from softex_mlir.compiler.bodies.functions import exp_lanes
from softex_mlir.compiler.bodies.reduce import reduce_pairs
from softex_mlir.isa_sim.numerics import coefficients as c

Values = tuple[SSAValue, ...]


def emit_layer_norm(
    builder: Builder,
    x: RowRef,
    gamma: RowRef,
    beta: RowRef,
    out: RowRef,
    columns: int,
    epsilon: float,
    *,
    wide: bool = False,
) -> None:
    """``out = layer_norm(x) * gamma + beta`` over one row, see ``rowwise.layer_norm``, and
    ``rowwise.layer_norm_wide`` if ``wide``."""
    e = Emitter(builder)
    zero, inverse_n = e.number(0.0), e.number(1.0 / columns)
    ones = e.pair_constant(1.0)

    def moments(e: Emitter, pair: SSAValue, sums: Values) -> Values:
        return e.dot(pair, ones, sums[0]), e.dot(pair, pair, sums[1])

    first, second = reduce_pairs(e, x, columns, (zero, zero), moments)
    m = e.mul(first, inverse_n)
    # rounding may leave less than 0; a maximum would lose NaN
    var = e.magnitude(e.fma(e.neg(m), m, e.mul(second, inverse_n)))
    inv = e.div(e.number(1.0), e.sqrt(e.add(var, e.number(epsilon))))
    shift = e.neg(e.mul(m, inv))

    def scale(e: Emitter, normalise: Callable[[Emitter, SSAValue], SSAValue]) -> None:
        def element(e: Emitter, j: SSAValue, _: Values) -> None:
            t = normalise(e, e.load(x, j))
            e.store(e.fma(t, e.load(gamma, j), e.load(beta, j)), out, j)

        e.loop(0, columns, 1, element)

    def rounded_once(e: Emitter, j: SSAValue, _: Values) -> None:
        t = e.fma(e.widen(e.load(x, j)), inv, shift)
        y = e.fma(t, e.widen(e.load(gamma, j)), e.widen(e.load(beta, j)))
        e.store(e.narrow(y), out, j)

    if wide:
        e.loop(0, columns, 1, rounded_once)
        return

    def in_bf16(e: Emitter) -> None:
        high, low = _split(e, inv)
        start = e.narrow(shift)
        scale(e, lambda e, v: e.fma(v, high, e.add(e.mul(v, low), start)))

    def in_f32(e: Emitter) -> None:
        scale(e, lambda e, v: e.narrow(e.fma(e.widen(v), inv, shift)))

    e.if_else(e.less(e.magnitude(shift), e.number(c.LARGEST_SHIFT)), in_bf16, in_f32)


def emit_rms_norm(
    builder: Builder,
    x: RowRef,
    gamma: RowRef,
    out: RowRef,
    columns: int,
    epsilon: float,
    *,
    wide: bool = False,
) -> None:
    """``out = rms_norm(x) * gamma`` over one row, see ``rowwise.rms_norm``, and
    ``rowwise.rms_norm_wide`` if ``wide``."""
    e = Emitter(builder)

    def squares(e: Emitter, pair: SSAValue, sums: Values) -> Values:
        return (e.dot(pair, pair, sums[0]),)

    (total,) = reduce_pairs(e, x, columns, (e.number(0.0),), squares)
    mean = e.fma(total, e.number(1.0 / columns), e.number(epsilon))
    inv = e.div(e.number(1.0), e.sqrt(mean))

    def rounded_once(e: Emitter, j: SSAValue, _: Values) -> None:
        t = e.mul(e.widen(e.load(x, j)), inv)
        e.store(e.narrow(e.mul(t, e.widen(e.load(gamma, j)))), out, j)

    if wide:
        e.loop(0, columns, 1, rounded_once)
        return

    high, low = _split(e, inv)

    def normalise(e: Emitter, j: SSAValue, _: Values) -> None:
        value = e.load(x, j)
        t = e.fma(value, high, e.mul(value, low))
        e.store(e.mul(t, e.load(gamma, j)), out, j)

    e.loop(0, columns, 1, normalise)


def _split(e: Emitter, value: SSAValue) -> tuple[SSAValue, SSAValue]:
    """An f32 value as the sum of two BF16 values, to 16 bits."""
    high = e.narrow(value)
    return high, e.narrow(e.sub(value, e.widen(high)))


def emit_softmax(builder: Builder, x: RowRef, out: RowRef, columns: int) -> None:
    """``out = softmax(x)`` over one row without SoftEx, see ``rowwise.softmax_software``."""
    e = Emitter(builder)
    zero = e.number(0.0)
    top = _or_nan(e, *row_maximum(e, x, columns, zero))
    even, odd = _exponentials(e, x, out, columns, top, (zero, zero))
    _scale(e, out, columns, _softmax_factor(e, even, odd))


def emit_before_softex(builder: Builder, x: RowRef, columns: int, lanes: int) -> None:
    """Make a row one that SoftEx can take: its first beat is not -inf alone if others are larger.

    The unit would give NaN. The lowest finite value there gives 0, as -inf does.
    """
    e = Emitter(builder)
    nothing = e.number(float("-inf"), bf16)

    def unless_above(e: Emitter, value: SSAValue, action: Callable[[Emitter], None]) -> None:
        e.if_else(e.less(nothing, value), lambda e: None, action)

    def look_further(e: Emitter) -> None:
        top, _ = row_maximum(e, x, lanes, e.number(0.0))
        unless_above(e, top, look_everywhere)

    def look_everywhere(e: Emitter) -> None:
        top, _ = row_maximum(e, x, columns, e.number(0.0))
        e.if_else(e.less(nothing, top), replace)

    def replace(e: Emitter) -> None:
        e.store(e.number(LOWEST_BF16, bf16), x, e.index(0))

    unless_above(e, e.load(x, e.index(0)), look_further)


def emit_after_softex(builder: Builder, out: RowRef, columns: int) -> None:
    """Rows that SoftEx cannot normalise are NaN: it gives -inf for those of -inf alone or with NaN,
    and -inf for elements of +inf."""
    e = Emitter(builder)
    right = e.less(e.number(-1.0, bf16), e.load(out, e.index(0)))
    e.if_else(right, lambda e: None, lambda e: emit_fill(e.builder, out, float("nan"), columns))


def emit_softmax_of_pieces(
    builder: Builder,
    piece: Callable[[Emitter, SSAValue], RowRef],
    pieces: int,
    columns: int,
) -> None:
    """In-place softmax of a row in pieces of an even number of columns, as of the whole row."""
    if columns % 2:
        raise ValueError(f"expected pieces of an even number of columns, found {columns}")
    e = Emitter(builder)

    def maximum(e: Emitter, number: SSAValue, tops: Values) -> Values:
        top, trace = row_maximum(e, piece(e, number), columns, tops[1])
        return e.maximum(tops[0], top), trace

    zero = e.number(0.0)
    top, trace = e.loop(0, pieces, 1, maximum, (e.number(float("-inf"), bf16), zero))
    top = _or_nan(e, top, trace)

    def exponentials(e: Emitter, number: SSAValue, sums: Values) -> Values:
        row = piece(e, number)
        return _exponentials(e, row, row, columns, top, sums)

    even, odd = e.loop(0, pieces, 1, exponentials, (zero, zero))
    factor = _softmax_factor(e, even, odd)

    def scale(e: Emitter, number: SSAValue, _: Values) -> None:
        _scale(e, piece(e, number), columns, factor)

    e.loop(0, pieces, 1, scale)


def _exponentials(
    e: Emitter, x: RowRef, out: RowRef, columns: int, top: SSAValue, sums: Values
) -> Values:
    """out = exp(x - top); the sums of the even and the odd elements go on."""

    def exponentials(e: Emitter, values: Values) -> list[SSAValue]:
        low = e.number(c.EXP_MIN)
        wide = [e.widen(v) for v in values]
        d = [e.sub(v, top) for v in wide]
        return exp_lanes(e, [e.maximum(v, low) for v in d])

    def step(count: int) -> Callable[[Emitter, SSAValue, Values], Values]:
        def pairs(e: Emitter, j: SSAValue, sums: Values) -> Values:
            powers = exponentials(e, tuple(e.load(x, j, k) for k in range(2 * count)))
            for k in range(0, 2 * count, 2):
                sums = tuple(e.add(s, v) for s, v in zip(sums, powers[k:], strict=False))
            packed = [e.pack(e.narrow(a), e.narrow(b)) for a, b in _by_two(powers)]
            for k, pair in enumerate(packed):
                e.store_pair(pair, out, j, 2 * k)
            return sums

        return pairs

    group = 2 * _EXP_UNROLL
    grouped = columns // group * group
    sums = e.loop(0, grouped, group, step(_EXP_UNROLL), sums)
    if columns - grouped >= 2:
        sums = step((columns - grouped) // 2)(e, e.index(grouped), sums)
    even, odd = sums
    if columns % 2:
        last = e.index(columns - 1)
        (power,) = exponentials(e, (e.load(x, last),))
        even = e.add(even, power)
        e.store(e.narrow(power), out, last)
    return even, odd


def _softmax_factor(e: Emitter, even: SSAValue, odd: SSAValue) -> SSAValue:
    return e.narrow(e.div(e.number(1.0), e.add(even, odd)))


def _scale(e: Emitter, row: RowRef, columns: int, factor: SSAValue) -> None:
    def scale(e: Emitter, j: SSAValue, _: Values) -> None:
        e.store(e.mul(e.load(row, j), factor), row, j)

    e.loop(0, columns, 1, scale)


_EXP_UNROLL = 2
"""Pairs of exponentials computed together: what the float registers hold."""

_MAX_UNROLL = 4
"""Pairs examined in one step of the maximum, each with its own accumulator."""


_TINY = 2.0**-20
"""Rows of up to 2^20 finite elements, times this, have a finite sum."""


def _or_nan(e: Emitter, top: SSAValue, trace: SSAValue) -> SSAValue:
    """The maximum as f32, NaN where the trace is: subtracted, it makes the whole row NaN."""
    nan = e.insert(arith.CmpfOp(trace, trace, "uno"))
    return e.insert(arith.SelectOp(nan, e.add(trace, trace), e.widen(top)))


def row_maximum(e: Emitter, x: RowRef, columns: int, trace: SSAValue) -> tuple[SSAValue, SSAValue]:
    """The maximum of a row as BF16, in any order, and an f32 sum that NaN in the row makes NaN.

    (And +inf beside -inf, but +inf makes a softmax NaN by itself.)
    """
    pairs = columns // 2
    tiny = e.pair_constant(_TINY)
    if pairs == 0:
        only = e.load(x, e.index(0))
        return only, e.dot(e.pack(only, e.number(0.0, bf16)), tiny, trace)
    ways = min(_MAX_UNROLL, pairs)
    start = e.index(0)

    def step(e: Emitter, j: SSAValue, tops: Values, trace: SSAValue, count: int) -> Values:
        loaded = [e.load_pair(x, j, 2 * w) for w in range(count)]
        found: list[SSAValue] = []
        for w, pair in enumerate(loaded):
            found.append(e.maximum(tops[w], pair) if tops else pair)
            trace = e.dot(pair, tiny, trace)
        return (*found, *tops[count:], trace)

    full = pairs // ways * ways * 2
    carried = step(e, start, (), trace, ways)
    carried = e.loop(
        2 * ways, full, 2 * ways, lambda e, j, c: step(e, j, c[:-1], c[-1], ways), carried
    )
    if full < 2 * pairs:
        carried = step(e, e.index(full), carried[:-1], carried[-1], pairs - full // 2)
    *tops, trace = carried
    top = tops[0]
    for other in tops[1:]:
        top = e.maximum(top, other)
    result = e.maximum(e.lane(top, 0), e.lane(top, 1))
    if columns % 2:
        last = e.load(x, e.index(columns - 1))
        result = e.maximum(result, last)
        trace = e.dot(e.pack(last, e.number(0.0, bf16)), tiny, trace)
    return result, trace


def _by_two(values: Sequence[SSAValue]) -> list[tuple[SSAValue, SSAValue]]:
    return list(zip(values[::2], values[1::2], strict=True))
