"""The order of launches: matrix products back to back, the cores' work in between.

Products keep the model's order. A row-wise task is placed as soon as what it reads has been
produced, but only as much of it before a product as the cores can do during that product: so
layer norm of one block of rows runs while RedMulE works on the next block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from softex_mlir.compiler.schedule.kernel import Kernel


@dataclass(eq=False)
class Task:
    """A launch before it has its place in the order.

    `on_engine` tells matrix products (and attention) from work of the cores and the DMA alone.
    """

    kernel: Kernel
    addresses: dict[str, tuple[str, int]]
    layer: str
    operation: str
    on_engine: bool
    producers: list[Task]
    feeders: list[Task] = field(default_factory=list["Task"])
    """Producers whose results `dma_in` reads."""
    macs: int = 0


def order_tasks(tasks: Sequence[Task]) -> list[Task]:
    """All tasks in launch order; `tasks` are in program order."""
    result: list[Task] = []
    done: set[int] = set()
    engine = [task for task in tasks if task.on_engine]
    others = [task for task in tasks if not task.on_engine]
    budget = 0

    def ready(task: Task) -> bool:
        return all(id(producer) in done for producer in task.producers)

    def place(task: Task) -> None:
        done.add(id(task))
        result.append(task)

    def require(task: Task) -> None:
        """Place what a task still needs, then the task."""
        for producer in task.producers:
            if id(producer) not in done:
                require(producer)
        if not task.on_engine:
            others.remove(task)
        place(task)

    for product in engine:
        for producer in product.producers:
            if id(producer) not in done:
                require(producer)
        cycles = product.kernel.cycles()
        budget = min(budget, 0) + max(cycles[0], cycles[2])
        for task in list(others):
            if budget <= 0:
                break
            if ready(task):
                others.remove(task)
                place(task)
                budget -= task.kernel.cycles()[3]
        budget -= cycles[3]
        place(product)
    for task in others:
        place(task)
    return result
