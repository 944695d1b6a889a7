"""Launches to come: what each of them runs, reads and writes, in the order of the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xdsl.ir import Operation

from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.compiler.schedule.kernels.kernel import Kernel
from softex_mlir.compiler.schedule.views import Address, Region, View


@dataclass(eq=False)
class Task:
    """A launch before it has its place in the order.

    `on_engine` tells matrix products (and attention) from work of the cores and the DMA alone.
    """

    kernel: Kernel
    addresses: dict[str, Address]
    layer: str
    operation: str
    on_engine: bool
    producers: list[Task]
    feeders: list[Task]
    """Producers whose results `dma_in` reads."""
    macs: int


@dataclass(frozen=True)
class _Written:
    """Elements of a region that a task stores."""

    view: View
    task: Task


@dataclass
class Tasks:
    """All tasks so far, and who stores what."""

    program: list[Task] = field(default_factory=list[Task])
    _written: dict[Region, list[_Written]] = field(default_factory=dict[Region, list[_Written]])

    def add(
        self,
        op: Operation,
        kernel: Kernel,
        addresses: Mapping[str, View | Address],
        *,
        reads: Sequence[View] = (),
        feeds: Sequence[View] = (),
        writes: Sequence[View],
        on_engine: bool = False,
        macs: int = 0,
    ) -> None:
        """Append a launch of an operation. `feeds` are the reads of `dma_in`."""
        feeders = self._producers(feeds)
        task = Task(
            kernel,
            {k: v.address if isinstance(v, View) else v for k, v in addresses.items()},
            layer_of(op),
            op.name.split(".")[-1],
            on_engine,
            list(dict.fromkeys((*feeders, *self._producers(reads)))),
            feeders,
            macs,
        )
        self.program.append(task)
        for view in writes:
            self._written.setdefault(view.region, []).append(_Written(view, task))

    def _producers(self, views: Sequence[View]) -> list[Task]:
        """Tasks that store elements of these views."""
        found: dict[Task, None] = {}
        for view in views:
            for entry in self._written.get(view.region, ()):
                if view.meets(entry.view):
                    found[entry.task] = None
        return list(found)
