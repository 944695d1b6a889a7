"""The order of launches: matrix products back to back, the cores' work in between.

Products keep the model's order. A row-wise task is placed as soon as what it reads has been
produced, but only as much of it before a product as the cores can do during that product: so
layer norm of one block of rows runs while RedMulE works on the next block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from softex_mlir.compiler.schedule.kernel import Kernel
from softex_mlir.compiler.schedule.linear import LinearKernel


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


LOOKAHEAD = 64
"""Tasks of the cores considered before a product."""


def _room(kernel: Kernel, previous: Kernel | None) -> float:
    """Cycles the cores have before a product until its first tile wants its epilogue: nearly all
    of the product but its last pass, less what is left of the previous one's epilogue."""
    engine = max(kernel.cycles()[0], kernel.cycles()[2])
    if isinstance(kernel, LinearKernel):
        engine -= engine // kernel.chunks if kernel.epilogue else 0
        if kernel.chunks == 1 and kernel.epilogue:
            engine = kernel.cycles()[2] // 2
    else:
        engine = 0
    if isinstance(previous, LinearKernel):
        engine -= previous.cycles()[3] // previous.group
    return engine


def order_tasks(tasks: Sequence[Task]) -> list[Task]:
    """All tasks in launch order; `tasks` are in program order."""
    result: list[Task] = []
    done: set[int] = set()
    engine = [task for task in tasks if task.on_engine]
    others = [task for task in tasks if not task.on_engine]
    previous: Kernel | None = None

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
        room = _room(product.kernel, previous)
        for task in others[:LOOKAHEAD]:
            cycles = task.kernel.cycles()
            cost = max(cycles[1], cycles[3]) * 1.15
            if cost > room:
                break
            if ready(task):
                others.remove(task)
                place(task)
                room -= cost
        previous = product.kernel
        place(product)
    for task in others:
        place(task)
    return result
