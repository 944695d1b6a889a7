"""Kernels of one row that reduce it: layer norm, RMS norm, softmax in software.

The reductions keep one accumulator for the even and one for the odd elements. Operations on the
two are emitted alternately, so that no instruction needs the result of the one before it (an FP
result is available one cycle late, a loaded value too).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.builder import Builder
from xdsl.ir import SSAValue

from softex_mlir.compiler.kernels.emit import Emitter, RowRef
from softex_mlir.compiler.kernels.functions import exp_lanes
from softex_mlir.isa_sim.numerics import coefficients as c

Values = tuple[SSAValue, ...]

_Step = Callable[[Emitter, Values, Values], Values]
"""(emitter, one or two elements, accumulators) to the new accumulators."""


def emit_layer_norm(
    builder: Builder,
    x: RowRef,
    gamma: RowRef,
    beta: RowRef,
    out: RowRef,
    columns: int,
    epsilon: float,
) -> None:
    """``out = layer_norm(x) * gamma + beta`` over one row, see ``rowwise.layer_norm``."""
    e = Emitter(builder)
    zero = e.number(0.0)

    def moments(e: Emitter, values: Values, sums: Values) -> Values:
        wide = [e.widen(v) for v in values]
        first = [e.add(s, v) for s, v in zip(sums[:2], wide, strict=False)]
        second = [e.fma(v, v, s) for s, v in zip(sums[2:], wide, strict=False)]
        lanes = len(values)
        return (*first, *sums[lanes:2], *second, *sums[2 + lanes :])

    s1e, s1o, s2e, s2o = _reduce(e, x, columns, (zero, zero, zero, zero), moments)
    inverse_n = e.number(1.0 / columns)
    m = e.mul(e.add(s1e, s1o), inverse_n)
    var = e.maximum(e.fma(e.neg(m), m, e.mul(e.add(s2e, s2o), inverse_n)), zero)
    inv = e.div(e.number(1.0), e.sqrt(e.add(var, e.number(epsilon))))
    shift = e.neg(e.mul(m, inv))

    def normalise(e: Emitter, j: SSAValue, _: Values) -> None:
        t = e.narrow(e.fma(e.widen(e.load(x, j)), inv, shift))
        e.store(e.fma(t, e.load(gamma, j), e.load(beta, j)), out, j)

    e.loop(0, columns, 1, normalise)


def emit_rms_norm(
    builder: Builder, x: RowRef, gamma: RowRef, out: RowRef, columns: int, epsilon: float
) -> None:
    """``out = rms_norm(x) * gamma`` over one row, see ``rowwise.rms_norm``."""
    e = Emitter(builder)
    zero = e.number(0.0)

    def squares(e: Emitter, values: Values, sums: Values) -> Values:
        wide = [e.widen(v) for v in values]
        added = [e.fma(v, v, s) for v, s in zip(wide, sums, strict=False)]
        return (*added, *sums[len(values) :])

    even, odd = _reduce(e, x, columns, (zero, zero), squares)
    mean = e.fma(e.add(even, odd), e.number(1.0 / columns), e.number(epsilon))
    inv = e.div(e.number(1.0), e.sqrt(mean))

    def normalise(e: Emitter, j: SSAValue, _: Values) -> None:
        t = e.narrow(e.mul(e.widen(e.load(x, j)), inv))
        e.store(e.mul(t, e.load(gamma, j)), out, j)

    e.loop(0, columns, 1, normalise)


def emit_softmax(builder: Builder, x: RowRef, out: RowRef, columns: int) -> None:
    """``out = softmax(x)`` over one row without SoftEx, see ``rowwise.softmax_software``."""
    e = Emitter(builder)
    top = e.widen(_row_maximum(e, x, columns))
    zero = e.number(0.0)

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
    sums = e.loop(0, grouped, group, step(_EXP_UNROLL), (zero, zero))
    if columns - grouped >= 2:
        sums = step((columns - grouped) // 2)(e, e.index(grouped), sums)
    even, odd = sums
    if columns % 2:
        last = e.index(columns - 1)
        (power,) = exponentials(e, (e.load(x, last),))
        even = e.add(even, power)
        e.store(e.narrow(power), out, last)
    factor = e.narrow(e.div(e.number(1.0), e.add(even, odd)))

    def scale(e: Emitter, j: SSAValue, _: Values) -> None:
        e.store(e.mul(e.load(out, j), factor), out, j)

    e.loop(0, columns, 1, scale)


_EXP_UNROLL = 2
"""Pairs of exponentials computed together: what the float registers hold."""

_MAX_UNROLL = 4
"""Pairs examined in one step of the maximum, each with its own accumulator."""


def _row_maximum(e: Emitter, x: RowRef, columns: int) -> SSAValue:
    """The maximum of a row as BF16; the order does not matter."""
    pairs = columns // 2
    if pairs == 0:
        return e.load(x, e.index(0))
    ways = min(_MAX_UNROLL, pairs)
    start = e.index(0)
    accumulators = tuple(e.load_pair(x, start, 2 * w) for w in range(ways))

    def body(e: Emitter, j: SSAValue, tops: Values) -> Values:
        loaded = [e.load_pair(x, j, 2 * w) for w in range(ways)]
        return tuple(e.maximum(a, b) for a, b in zip(tops, loaded, strict=True))

    full = pairs // ways * ways * 2
    accumulators = e.loop(2 * ways, full, 2 * ways, body, accumulators)
    top = accumulators[0]
    for other in accumulators[1:]:
        top = e.maximum(top, other)
    for position in range(full, 2 * pairs, 2):
        top = e.maximum(top, e.load_pair(x, e.index(position)))
    result = e.maximum(e.lane(top, 0), e.lane(top, 1))
    if columns % 2:
        result = e.maximum(result, e.load(x, e.index(columns - 1)))
    return result


_REDUCE_UNROLL = 4
"""Pairs added in one step of a reduction, so that advancing the pointer costs little."""


def _reduce(
    e: Emitter,
    x: RowRef,
    columns: int,
    initial: Values,
    step: _Step,
) -> Values:
    """Run ``step`` over the row two elements at a time, then over a last odd one."""

    def body(count: int) -> Callable[[Emitter, SSAValue, Values], Values]:
        def pairs(e: Emitter, j: SSAValue, sums: Values) -> Values:
            loaded = [e.load(x, j, k) for k in range(2 * count)]
            for k in range(0, 2 * count, 2):
                sums = step(e, (loaded[k], loaded[k + 1]), sums)
            return sums

        return pairs

    even = columns // 2 * 2
    grouped = columns // (2 * _REDUCE_UNROLL) * 2 * _REDUCE_UNROLL
    sums = e.loop(0, grouped, 2 * _REDUCE_UNROLL, body(_REDUCE_UNROLL), initial)
    if grouped < even:
        sums = body((even - grouped) // 2)(e, e.index(grouped), sums)
    if columns % 2:
        sums = step(e, (e.load(x, e.index(columns - 1)),), sums)
    return sums


def _by_two(values: Sequence[SSAValue]) -> list[tuple[SSAValue, SSAValue]]:
    return list(zip(values[::2], values[1::2], strict=True))
