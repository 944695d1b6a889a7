"""Progress of long work on stderr; silent when nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def progress_line(unit: str, *, quiet: bool = False) -> Generator[Callable[[int], None] | None]:
    """A callback that shows how many cycles or instructions ran; None if nobody watches."""
    if not quiet:
        _announce_compilation(core_only=unit == "instructions")
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("simulating")

        def show(count: int) -> None:
            progress.update(task, description=f"simulating: {count / 1e6:.1f} M {unit}")

        yield show


def _announce_compilation(*, core_only: bool) -> None:
    from softex_mlir.isa_sim.jit import compiled_before

    if not compiled_before(core_only=core_only):
        sys.stderr.write(
            "note: the first run of this version on this host compiles the simulator: "
            "half a minute before the first cycle, once\n"
        )


@contextmanager
def status_line(*, quiet: bool = False) -> Generator[Callable[[str], None]]:
    """A callback that shows what is done now; it does nothing if nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update


@contextmanager
def experiment_line(title: str) -> Generator[Callable[[str], None]]:
    """A callback that says on stderr which of several long experiments begins."""
    started = time.monotonic()
    with status_line() as show:

        def told(text: str) -> None:
            show(text)
            if not sys.stderr.isatty():
                sys.stderr.write(f"{title}: {text} ({time.monotonic() - started:.0f} s so far)\n")

        yield told


@contextmanager
def progress_bar(
    title: str, *, quiet: bool = False
) -> Generator[Callable[[int, int], None] | None]:
    """A callback that shows how much of how much is done; None if nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield show
