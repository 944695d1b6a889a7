"""Tasks in their order become launches: slots of rings, and chunks of X that products find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from softex_mlir.compiler.schedule.intervals import Intervals
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE
from softex_mlir.compiler.schedule.kernels.kernel import (
    FIRST_PARTIAL,
    PARTIAL_FREE,
    PARTIAL_STEP,
    PARTIALS_CLEARED,
    X_LOADED,
    X_NEXT_READY,
)
from softex_mlir.compiler.schedule.kernels.linear.geometry import X_SLOTS
from softex_mlir.compiler.schedule.kernels.linear.kernel import LinearKernel
from softex_mlir.compiler.schedule.order import order_tasks
from softex_mlir.compiler.schedule.tasks import Task
from softex_mlir.compiler.schedule.timeline import DMA_OUT, STREAM_LIST, Launch, Timeline

COMPUTE_COUNTER = STREAM_LIST.index(COMPUTE)


def launch_tasks(tasks: Sequence[Task]) -> Timeline:
    """Order tasks, given in the program's order, and launch them."""
    order = order_tasks(tasks)
    launcher = _Launcher(Timeline(), _next(order))
    for task in order:
        launcher.launch(task)
    return launcher.timeline


def _next(order: Sequence[Task]) -> dict[Task, tuple[Task, Sequence[Task]]]:
    """For each task that `dma_in` serves the next such task, and those between."""
    served = [place for place, task in enumerate(order) if task.kernel.advances()[0]]
    return {order[i]: (order[j], order[i + 1 : j]) for i, j in pairwise(served)}


@dataclass
class _Launcher:
    """Follows the rings of products from launch to launch."""

    timeline: Timeline
    next: dict[Task, tuple[Task, Sequence[Task]]]
    stored: dict[Task, int] = field(default_factory=dict[Task, int])
    """Value of `dma_out`'s counter at which a task's results are in L2."""
    loaded: dict[Task, int] = field(default_factory=dict[Task, int])
    """Chunks of X that a product will find in its ring."""
    first_x: int = 0
    """Slot of the next chunk of X."""
    jobs: int = 0
    """Matrix products so far."""
    sums: int = 0
    """Partial sums of rings so far."""
    zeros: Intervals[None] = field(default_factory=Intervals[None])
    """TCDM bytes that hold zeros, for partial sums."""
    ring: tuple[LinearKernel | None, tuple[int, ...]] = (None, (0,))
    """Who had partial sums last, and values of the cores' counter at which they were added, by
    slot."""

    def launch(self, task: Task) -> None:
        """Append a launch to the timeline."""
        kernel = task.kernel
        if isinstance(kernel, LinearKernel):
            launch = self._product(task, kernel)
        else:
            depends = self._ready(task) or 0
            launch = self.timeline.add(task, kernel, task.addresses, kernel.uses(), {}, depends)
        self.stored[task] = launch.stored
        for use in launch.uses:
            self.zeros.forget(use.start, use.end)
        if isinstance(kernel, LinearKernel):
            for start, end in kernel.cleared():
                self.zeros.assign(start, end, None)

    def _product(self, task: Task, kernel: LinearKernel) -> Launch:
        addresses = task.addresses
        found = self.loaded.get(task, 0)
        if found == kernel.chunks:
            self.first_x = (self.first_x - found) % X_SLOTS
        first_w = self.jobs % kernel.arena.w_slots
        integers = {"first_w": first_w, "first_x": self.first_x, X_LOADED: found}
        if kernel.splits > 1:
            integers[PARTIALS_CLEARED] = int(self._holds_zeros(kernel))
            self._turn_ring(kernel, integers)
        after, between = self.next.get(task, (None, ()))
        if after is not None and isinstance(after.kernel, LinearKernel):
            # waiting for what comes behind this launch would be waiting for itself
            ready = self._ready(after)
            stored = ready is not None and ready <= self.timeline.counters[DMA_OUT]
            left = 0
            if not any(kernel.touches_ring(other.kernel) for other in between):
                left = self.loaded[after] = _chunks_left(task, after, stored)
            if 0 < left < after.kernel.chunks:
                kernel = replace(kernel, next_rows=after.kernel.m)
                addresses = {**addresses, "x_next": after.addresses["x_l2"]}
                integers[X_NEXT_READY] = ready or 0
        if not found and kernel.can_await_x:
            kernel = replace(kernel, awaits_x=True)
        uses = kernel.ring_uses(first_w, self.first_x, found)
        self.first_x = (self.first_x + kernel.chunks) % X_SLOTS
        self.jobs += kernel.jobs
        return self.timeline.add(task, kernel, addresses, uses, integers, self._ready(task) or 0)

    def _turn_ring(self, kernel: LinearKernel, integers: dict[str, int]) -> None:
        """When the cores have left the first slots of a ring of partial sums, and the last ones."""
        base = self.timeline.counters[COMPUTE_COUNTER]
        before, free = self.ring
        left = base + kernel.advances()[COMPUTE_COUNTER]
        if not kernel.in_ring:
            self.ring = kernel, (left,)
            return
        ring = kernel.ring
        if not integers[PARTIALS_CLEARED]:
            first, others = base + 1, []
        elif before is None or not kernel.same_sums(before):
            first, others = max(free), []
        else:
            first, *others = (free[(self.sums + use) % ring] for use in range(ring))
        step = max((-(-(value - first) // use) for use, value in enumerate(others, 1)), default=0)
        integers[FIRST_PARTIAL] = self.sums % ring
        integers[PARTIAL_FREE], integers[PARTIAL_STEP] = first, max(0, step)
        self.sums += (kernel.splits - 1) * kernel.group
        slots = [0] * ring
        for use in range(ring):
            slots[(self.sums - 1 - use) % ring] = left - use * kernel.pieces
        self.ring = kernel, tuple(slots)

    def _holds_zeros(self, kernel: LinearKernel) -> bool:
        """Whether the kernel's partial sums need no clearing."""
        return all(self.zeros.covers(start, end) for start, end in kernel.cleared())

    def _ready(self, task: Task) -> int | None:
        """Value of `dma_out`'s counter at which a task's operands are stored; None if a producer
        has no place yet."""
        if any(producer not in self.stored for producer in task.feeders):
            return None
        return max((self.stored[producer] for producer in task.feeders), default=0)


def _chunks_left(before: Task, after: Task, ready: bool) -> int:
    """Chunks of X a product finds in its ring: all if the one before had the same operand and the
    ring holds it, the first if that launch can load it ahead."""
    one, other = before.kernel, after.kernel
    if not isinstance(one, LinearKernel) or not isinstance(other, LinearKernel):
        return 0
    if not other.same_ring(one):
        return 0
    same = before.addresses["x_l2"] == after.addresses["x_l2"] and one.m == other.m
    if same and other.chunks <= X_SLOTS:
        return other.chunks
    return 1 if ready and one.can_load_ahead else 0
