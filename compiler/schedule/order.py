"""The order of launches: matrix products back to back, the cores' work in between.

Products keep the model's order. Before each of them stands as much of the cores' work as they can
finish until the product's first tile asks for them, the work that a product waits for soonest
first: layer norm of one block of rows runs while RedMulE works on the next block. Predicted
clocks of the two sides tell how much that is. Where nothing is left to do for the cores, they
take the product's odd rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from softex_mlir.compiler.schedule.kernels.attention.whole_rows import AttentionKernel
from softex_mlir.compiler.schedule.kernels.linear.kernel import LinearKernel
from softex_mlir.compiler.schedule.search.attention import attention_cycles
from softex_mlir.compiler.schedule.tasks import Task

LOOKAHEAD = 64
"""Tasks of the cores considered at a time."""

CONTENTION = 1.1
"""How much longer the cores take than the closed forms say, because others use the TCDM too."""


def order_tasks(tasks: Sequence[Task]) -> list[Task]:
    """All tasks in launch order; `tasks` are in program order."""
    return _Order(tasks).run()


class _Order:
    """Places tasks one after the other, with a clock each for the products and for the cores."""

    def __init__(self, tasks: Sequence[Task]):
        self.products = _by_rows([task for task in tasks if task.on_engine])
        urgency = _first_products(tasks, self.products)
        self.waiting = sorted(
            (task for task in tasks if not task.on_engine), key=lambda task: urgency[id(task)]
        )
        self.costs = {id(task): _cost(task) for task in self.waiting}
        self.placed: list[Task] = []
        self.engine = 0.0
        """When the products placed so far are done, in cycles."""
        self.team = 0.0
        """When the cores, and `dma_out`, have done what is placed so far."""
        self.done: dict[int, float] = {}
        """When a task's results are stored, by its id."""
        self.stored: list[float] = []
        """When the last product's tiles have left the TCDM."""

    def run(self) -> list[Task]:
        for task in (*self.products, *self.waiting):
            self._require(task)
        return self.placed

    def _ready(self, task: Task) -> float | None:
        """When all that a task reads is stored; None if something is not placed yet."""
        latest = 0.0
        for producer in task.producers:
            if (time := self.done.get(id(producer))) is None:
                return None
            latest = max(latest, time)
        return latest

    def _require(self, task: Task) -> None:
        """Place what a task still needs, then the task, unless that has happened."""
        needed = [task]
        while needed:
            found = needed[-1]
            missing = (p for p in found.producers if id(p) not in self.done)
            if id(found) in self.done:
                needed.pop()
            elif (producer := next(missing, None)) is not None:
                needed.append(producer)
            elif found.on_engine:
                self._product(found)
            else:
                self._on_cores(found)

    def _on_cores(self, task: Task) -> None:
        self.waiting.remove(task)
        self.team = max(self.team, self._ready(task) or 0.0) + self.costs[id(task)]
        self.done[id(task)] = self.team
        self.placed.append(task)

    def _fill(self, limit: float) -> None:
        """Place work that the cores finish before `limit`."""
        while True:
            for task in self.waiting[:LOOKAHEAD]:
                ready = self._ready(task)
                if ready is None:
                    continue
                if max(self.team, ready) + self.costs[id(task)] <= limit:
                    self._on_cores(task)
                    break
            else:
                return

    def _product(self, task: Task) -> None:
        kernel = task.kernel
        if isinstance(kernel, LinearKernel):
            self._linear(task, kernel)
        else:
            feed, out, engine, compute = kernel.cycles()
            start = max(self.engine, self._ready(task) or 0.0)
            self._fill(start)
            own = attention_cycles(kernel) if isinstance(kernel, AttentionKernel) else 0
            self.engine = self.team = max(start, self.team) + max(own, feed, engine, compute, out)
            self.stored = []
        self.done[id(task)] = self.team
        self.placed.append(task)

    def _linear(self, task: Task, kernel: LinearKernel) -> None:
        start = max(self.engine, self._ready(task) or 0.0)
        step = _step(kernel)
        for tile, time in enumerate(self.stored[: kernel.group]):
            start = max(start, time - tile * kernel.parts * step)
        odd = kernel.with_odd_rows()
        until = kernel.jobs + 1 - kernel.group
        if kernel.splits > 1:
            until = kernel.jobs_before_sums - 1
        elif odd is not None:
            # tiles may be stored a little later for launches to come to be free for odd rows
            until += (kernel.group - 1) // 3
        if kernel.chunks == 1 and kernel.splits == 1:
            # the first tile is done at once, but RedMulE comes back to its slot a launch later, to
            # the last one's a job later for every tile
            group, each = kernel.group, _tile_cycles(kernel) / step
            until = max(until, min(group - each, 2 * group - 1 - group * each))
        self._fill(start + until * step)
        if odd is not None and self.team <= start + odd.jobs_before_odd_rows * step:
            task.kernel = kernel = odd
            step = _step(odd)
            self.team = max(self.team, start) + odd.odd_rows_cycles
        each = _tile_cycles(kernel)
        first = start + (kernel.jobs - (kernel.group - 1) * kernel.parts) * step
        self.stored = []
        for tile in range(kernel.group):
            self.team = max(self.team, first + tile * kernel.parts * step) + each
            self.stored.append(self.team)
        self.engine = start + kernel.jobs * step


def _step(kernel: LinearKernel) -> float:
    """Cycles from job to job."""
    feed, _, engine, _ = kernel.cycles()
    return max(feed, engine) / kernel.jobs


def _tile_cycles(kernel: LinearKernel) -> float:
    """Cycles of the cores, and `dma_out`, for a tile that RedMulE has finished."""
    _, out, _, compute = kernel.cycles()
    epilogue = compute - kernel.early_sum_cycles - kernel.odd_rows_cycles
    return max(out, epilogue * CONTENTION) / kernel.group


def _by_rows(products: Sequence[Task]) -> list[Task]:
    """Neighbouring products of one matrix (query, key and value) block of rows by block of rows:
    the first ones need only the first rows, and X stays where it is."""
    found: list[Task] = []
    for _, run in groupby(products, lambda task: _place_of_x(task)[0]):
        found += _beside_factors(sorted(run, key=lambda task: _place_of_x(task)[1]))
    return found


def _beside_factors(products: Sequence[Task]) -> list[Task]:
    """Launches that multiply by what others give (SwiGLU's gate) right behind the last of these:
    the cores then have the time of both for the others' activation."""
    found: list[Task] = []
    waiting = list(products)
    while waiting:
        task = waiting.pop(0)
        found.append(task)
        behind = [
            other
            for other in waiting
            if _multiplies(other) and task in other.producers
            if not any(producer in waiting for producer in other.producers)
        ]
        waiting = [*behind, *(other for other in waiting if other not in behind)]
    return found


def _multiplies(task: Task) -> bool:
    return isinstance(task.kernel, LinearKernel) and task.kernel.combine == "mul"


def _place_of_x(task: Task) -> tuple[object, int]:
    return task.addresses.get("x_l2", (task, 0))


def _cost(task: Task) -> float:
    """Cycles of a task of the cores."""
    _, out, _, compute = task.kernel.cycles()
    return max(out, compute * CONTENTION)


def _first_products(tasks: Sequence[Task], products: Sequence[Task]) -> dict[int, int]:
    """For every task the number of the first product that needs it, be it through others."""
    number = {id(product): index for index, product in enumerate(products)}
    found: dict[int, int] = {}
    for task in reversed(tasks):
        needed = number.get(id(task), found.get(id(task), len(products)))
        for producer in task.producers:
            found[id(producer)] = min(needed, found.get(id(producer), len(products)))
        found.setdefault(id(task), len(products))
    return found
