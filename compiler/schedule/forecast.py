"""When each launch will run, by the cost model: four streams as fluids that wait for each other.

Within a launch a stream's counter grows evenly from its begin to its end; a wait for a value of a
counter is a wait for a point of that line. No cycle is simulated, so the forecast of a program
takes as long as its list of launches.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from softex_mlir.compiler.schedule.kernels.kernel import ACQUIRE, DEPEND, Z_FREE
from softex_mlir.compiler.schedule.timeline import STREAM_LIST, Launch
from softex_mlir.dialects.cluster import StreamKind

Spans: TypeAlias = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
"""Begin and end of a launch on the four streams, in cycles; equal where it has no work."""

BOOT_CYCLES = 400
"""From reset to the first transfer, on simulated programs."""
LAUNCH_CYCLES = 60
"""Of a stream between two launches: reading the record, calling its function."""
LATENCY_CYCLES = 60
"""From a step of a stream to the reaction of one that waits for it: counter, event, wake-up."""

_FEED, _OUT, _ENGINE, _COMPUTE = range(4)


def forecast(launches: Sequence[Launch]) -> list[Spans]:
    """Spans of every launch, in order."""
    clock = _Clock()
    return [clock.launch(launch) for launch in launches]


@dataclass
class _Line:
    """A stream's counter over time: points (value, cycle) in order."""

    values: list[int] = field(default_factory=lambda: [0])
    cycles: list[float] = field(default_factory=lambda: [0.0])

    def reached(self, value: int) -> float:
        """When the counter is at a value."""
        place = bisect_left(self.values, value)
        if place == 0:
            return 0.0
        if place == len(self.values):
            return self.cycles[-1]
        low, high = self.values[place - 1], self.values[place]
        part = (value - low) / (high - low)
        return self.cycles[place - 1] + part * (self.cycles[place] - self.cycles[place - 1])

    def advance(self, begin: float, end: float, steps: int) -> None:
        """`steps` steps more, evenly from `begin` to `end`."""
        if steps:
            last = self.values[-1]
            # A flat piece: the counter stands still until the launch begins.
            self.values += [last, last + steps]
            self.cycles += [begin, end]


@dataclass
class _Clock:
    free: list[float] = field(default_factory=lambda: [float(BOOT_CYCLES)] * 4)
    """When each stream is done with the launches so far."""
    lines: list[_Line] = field(default_factory=lambda: [_Line() for _ in STREAM_LIST])

    def launch(self, launch: Launch) -> Spans:
        """Place a launch behind those before it."""
        cycles = launch.kernel.cycles()
        steps = launch.kernel.advances()
        begin = [free + LAUNCH_CYCLES for free in self.free]
        for stream, name in ACQUIRE.items():
            if name in launch.waits:
                begin[_FEED] = max(begin[_FEED], self.wait(stream, launch.waits[name]))
        if DEPEND in launch.waits:
            ready = self.wait(StreamKind.DMA_OUT, launch.waits[DEPEND])
            begin[_FEED] = max(begin[_FEED], ready)
        end = list(begin)
        part = [work / count if count else 0.0 for work, count in zip(cycles, steps, strict=True)]
        product = _ENGINE if cycles[_ENGINE] else _COMPUTE
        if cycles[_FEED]:
            self._product(launch, cycles, part, product, begin, end)
        else:
            self._rows(cycles, begin, end)
        for stream, count in enumerate(steps):
            if cycles[stream]:
                self.free[stream] = end[stream]
            self.lines[stream].advance(begin[stream], end[stream], count)
        spans = [(round(b), round(max(b, e))) for b, e in zip(begin, end, strict=True)]
        return (spans[0], spans[1], spans[2], spans[3])

    def wait(self, stream: StreamKind, value: int) -> float:
        """When who waits for a counter's value goes on."""
        return self.lines[STREAM_LIST.index(stream)].reached(value) + LATENCY_CYCLES

    def _product(
        self,
        launch: Launch,
        cycles: Sequence[int],
        part: Sequence[float],
        product: int,
        begin: list[float],
        end: list[float],
    ) -> None:
        """Operands, products and what is done to each tile, one behind the other."""
        end[_FEED] = begin[_FEED] + cycles[_FEED]
        first = begin[_FEED] + part[_FEED] + LATENCY_CYCLES
        if Z_FREE in launch.integers:
            first = max(first, self.wait(StreamKind.DMA_OUT, launch.integers[Z_FREE]))
        begin[product] = max(begin[product], first)
        end[product] = max(
            begin[product] + cycles[product], end[_FEED] + part[product] + LATENCY_CYCLES
        )
        # A ring has room for what is worked on and the next.
        end[_FEED] = max(end[_FEED], end[product] - 2 * part[product])
        before = product
        if product == _ENGINE and cycles[_COMPUTE]:
            start = begin[_ENGINE] + part[_ENGINE] + LATENCY_CYCLES
            begin[_COMPUTE] = max(begin[_COMPUTE], start)
            end[_COMPUTE] = max(
                begin[_COMPUTE] + cycles[_COMPUTE], end[_ENGINE] + part[_COMPUTE] + LATENCY_CYCLES
            )
            if launch.operation == "attention":
                # The last product weighs the values by what the cores made of the scores.
                end[_ENGINE] = max(end[_ENGINE], end[_COMPUTE] + part[_ENGINE])
            else:
                before = _COMPUTE
        if cycles[_OUT]:
            begin[_OUT] = max(begin[_OUT], begin[before])
            end[_OUT] = max(begin[_OUT] + cycles[_OUT], end[before] + part[_OUT] + LATENCY_CYCLES)

    def _rows(self, cycles: Sequence[int], begin: list[float], end: list[float]) -> None:
        """Rows come by `dma_out`, go through the cores, and leave by `dma_out`."""
        start = max(begin[_OUT], begin[_COMPUTE] if cycles[_COMPUTE] else 0.0)
        begin[_OUT] = begin[_COMPUTE] = start
        end[_COMPUTE] = start + cycles[_COMPUTE]
        end[_OUT] = max(start + cycles[_OUT], end[_COMPUTE])
