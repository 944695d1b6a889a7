"""Progress of a long simulation on stderr; silent when nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def cycles_progress(*, quiet: bool = False) -> Iterator[Callable[[int], None] | None]:
    """A callback that shows the simulated cycle, or None if stderr is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("simulating")

        def show(cycle: int) -> None:
            progress.update(task, description=f"simulating: {cycle / 1e6:.1f} Mcycles")

        yield show
