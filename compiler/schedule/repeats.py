"""Equal layers one behind the other: what to expect of a few stands for all.

Launches that repeat with a period are replayed for a few periods; of the others the times follow
from the last of these and from what a period takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from softex_mlir.compiler.schedule.kernels.kernel import (
    ACQUIRE,
    DEPEND,
    PARTIAL_FREE,
    PARTIAL_STEP,
    X_NEXT_READY,
    Z_FREE,
    Z_STEP,
    Kernel,
)
from softex_mlir.compiler.schedule.replay import Expected
from softex_mlir.compiler.schedule.timeline import DMA_OUT, STREAM_LIST, Launch
from softex_mlir.dialects.cluster import StreamKind

KEPT = 3
"""Periods that are replayed: the first fetches its code, the second begins behind another kind of
layer, the third stands for all."""

_COUNTERS = {
    **{name: STREAM_LIST.index(stream) for stream, name in ACQUIRE.items()},
    **dict.fromkeys((DEPEND, Z_FREE, X_NEXT_READY), DMA_OUT),
    PARTIAL_FREE: STREAM_LIST.index(StreamKind.COMPUTE),
}
"""The stream to whose counter an argument's value belongs."""

_STEPS = {Z_STEP: Z_FREE, PARTIAL_STEP: PARTIAL_FREE}
"""Arguments by which a launch's values of a counter grow from slot to slot, and the first value."""


Expect: TypeAlias = Callable[[Sequence[Launch]], Sequence[Expected]]
"""Says when launches will run."""


@dataclass(frozen=True)
class Repeat:
    """`count` periods of launches from `begin` on."""

    begin: int
    period: int
    count: int

    @property
    def left_out(self) -> range:
        """The launches that are not replayed."""
        return range(self.begin + KEPT * self.period, self.begin + self.count * self.period)


def expect_repeated(launches: Sequence[Launch], expect: Expect) -> list[Expected]:
    """What to expect of launches, by an `expect` that is asked for fewer of them."""
    repeat = longest_repeat(launches)
    if repeat is None:
        return list(expect(launches))
    gone = repeat.left_out
    first, behind = launches[gone.start], launches[gone.stop :]
    moved = [
        end - start for start, end in zip(first.bases, _bases(launches, gone.stop), strict=True)
    ]
    rest = [_earlier(launch, first.bases, moved) for launch in behind]
    found = expect([*launches[: gone.start], *rest])
    last = found[gone.start - repeat.period : gone.start]
    before = found[gone.start - 2 * repeat.period : gone.start - repeat.period]
    took = end_of(last) - end_of(before)
    number = repeat.count - KEPT
    copies = [_later(one, took * (i + 1)) for i in range(number) for one in last]
    behind_all = [_later(one, took * number) for one in found[gone.start :]]
    return [*found[: gone.start], *copies, *behind_all]


def longest_repeat(launches: Sequence[Launch]) -> Repeat | None:
    """The repeated launches of which most need not be replayed."""
    numbers: dict[object, int] = {}
    keys = np.array([numbers.setdefault(_key(launch), len(numbers)) for launch in launches])
    best: Repeat | None = None
    for period in range(1, len(keys) // (KEPT + 1) + 1):
        same = keys[:-period] == keys[period:]
        ends = np.flatnonzero(np.diff(np.concatenate(([False], same, [False])).astype(np.int8)))
        for begin, end in ends.reshape(-1, 2).tolist():
            found = Repeat(begin, period, (end - begin) // period + 1)
            if len(found.left_out) > (0 if best is None else len(best.left_out)):
                best = found
    return best


def _key(launch: Launch) -> tuple[Kernel, tuple[tuple[str, int], ...]]:
    """What makes a launch run like another: its code and how far it waits for the streams."""
    values = {**launch.integers, **launch.waits}
    return launch.kernel, tuple(
        (name, value - launch.bases[_COUNTERS[name]] if value and name in _COUNTERS else value)
        for name, value in sorted(values.items())
    )


def _bases(launches: Sequence[Launch], index: int) -> Sequence[int]:
    """The counters when a launch begins, or behind the last one."""
    if index < len(launches):
        return launches[index].bases
    last = launches[-1]
    return [b + n for b, n in zip(last.bases, last.kernel.advances(), strict=True)]


def _earlier(launch: Launch, since: Sequence[int], moved: Sequence[int]) -> Launch:
    """A launch whose streams have come less far; what was reached before stays."""

    def counters(values: dict[str, int]) -> dict[str, int]:
        return {
            name: value - moved[stream]
            if (stream := _COUNTERS.get(name, -1)) >= 0 and value > since[stream]
            else value
            for name, value in values.items()
        }

    bases = [b - n for b, n in zip(launch.bases, moved, strict=True)]
    dma_in, dma_out, engine, compute = bases
    integers = counters(launch.integers)
    for step, name in _STEPS.items():
        if integers.get(step) and launch.integers[name] == integers[name]:
            # the first slots were left before the periods, others behind or in one that is gone
            integers[step] = 0
            integers[name] = min(integers[name], bases[_COUNTERS[name]])
    return replace(
        launch,
        bases=(dma_in, dma_out, engine, compute),
        integers=integers,
        waits=counters(launch.waits),
    )


def end_of(expected: Sequence[Expected]) -> int:
    """Cycles until the last of some launches is through."""
    return max((end for one in expected for _, end in one.spans), default=0)


def _later(expected: Expected, cycles: int) -> Expected:
    spans = tuple((b + cycles, e + cycles) if e > b else (b, e) for b, e in expected.spans)
    return replace(expected, spans=spans)
