"""The list of launches: counters, waits for operands in L2, waits for reused TCDM bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from softex_mlir.compiler.schedule.intervals import Intervals
from softex_mlir.compiler.schedule.kernels.kernel import (
    ACQUIRE,
    DEPEND,
    Z_FREE,
    Z_STEP,
    Kernel,
    SlotUse,
)
from softex_mlir.compiler.schedule.tasks import Task
from softex_mlir.compiler.schedule.views import Address
from softex_mlir.dialects.cluster import StreamKind

STREAM_LIST = tuple(StreamKind)
DMA_OUT = STREAM_LIST.index(StreamKind.DMA_OUT)


@dataclass
class Launch:
    """One execution of a kernel. `addresses` are (region, byte offset)."""

    kernel: Kernel
    layer: str
    operation: str
    addresses: dict[str, Address]
    integers: dict[str, int]
    bases: tuple[int, int, int, int]
    waits: dict[str, int]
    uses: tuple[SlotUse, ...]
    macs: int

    @property
    def stored(self) -> int:
        """Value of `dma_out`'s counter when all results are in L2."""
        return self.bases[DMA_OUT] + self.kernel.advances()[DMA_OUT]


@dataclass(frozen=True)
class Held:
    """TCDM bytes are a launch's until a stream's counter has reached a value."""

    stream: StreamKind
    value: int
    family: str


@dataclass
class Timeline:
    """Appends launches in program order and works out what each must wait for."""

    launches: list[Launch] = field(default_factory=list[Launch])
    counters: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    _held: Intervals[Held] = field(default_factory=Intervals[Held])

    def add(
        self,
        task: Task,
        kernel: Kernel,
        addresses: dict[str, Address],
        uses: Sequence[SlotUse],
        integers: Mapping[str, int],
        depends: int,
    ) -> Launch:
        """Append a launch of a task. `kernel` and `addresses` are the task's with what follows
        from its place; `uses` are the bytes that `dma_in` is the first to touch, plus the ones
        that only later `dma_in` launches must respect; `depends` is the value of `dma_out`'s
        counter at which all operands of `dma_in` are stored."""
        bases = (self.counters[0], self.counters[1], self.counters[2], self.counters[3])
        waits: dict[str, int] = {}
        if kernel.advances()[0]:
            waits = self._acquire(kernel.engine, uses, bases)
            if depends:
                waits[DEPEND] = depends
        values = dict(integers)
        if Z_FREE in kernel.integers():
            values[Z_FREE], values[Z_STEP] = self._lanes(uses, bases[DMA_OUT])
        launch = Launch(
            kernel,
            task.layer,
            task.operation,
            addresses,
            values,
            bases,
            waits,
            tuple(uses),
            task.macs,
        )
        self._release(uses, bases)
        for index, count in enumerate(kernel.advances()):
            self.counters[index] += count
        self.launches.append(launch)
        return launch

    def _acquire(
        self, engine: StreamKind, uses: Sequence[SlotUse], bases: Sequence[int]
    ) -> dict[str, int]:
        waits: dict[str, int] = {}
        for use in (use for use in uses if not use.kept):
            for held in self._held.overlapping(use.start, use.end):
                if use.family and use.family == held.family:
                    continue
                if use.behind is not None and held.stream is engine:
                    passed = bases[STREAM_LIST.index(held.stream)] - use.behind
                    if held.value <= passed:
                        continue
                if use.lane >= 0 and held.stream is StreamKind.DMA_OUT:
                    continue
                name = ACQUIRE[held.stream]
                waits[name] = max(waits.get(name, 0), held.value)
        return waits

    def _lanes(self, uses: Sequence[SlotUse], reached: int) -> tuple[int, int]:
        """`Z_FREE` and `Z_STEP`: a line at or above the values at which the tiles are free."""
        values: dict[int, int] = {}
        for use in uses:
            if use.lane < 0:
                continue
            values.setdefault(use.lane, 0)
            for held in self._held.overlapping(use.start, use.end):
                if held.stream is StreamKind.DMA_OUT:
                    values[use.lane] = max(values[use.lane], held.value)
        first = values[0]
        step = max((-(-(v - first) // lane) for lane, v in values.items() if lane), default=0)
        step = max(0, step)
        if first + step * max(values) > reached:
            return max(values.values()), 0
        return first, step

    def _release(self, uses: Sequence[SlotUse], bases: Sequence[int]) -> None:
        for use in uses:
            value = bases[STREAM_LIST.index(use.stream)] + use.offset
            self._held.assign(use.start, use.end, Held(use.stream, value, use.family))
