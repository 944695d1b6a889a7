"""The commands' entry points, which decide what Ctrl-C does before anything large is imported.

A `KeyboardInterrupt` in the middle of an import or of a library's C code ends in a traceback or
worse. So Ctrl-C ends a command at once, but for the simulator, which reports how far it came.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

from softex_mlir.tools.signals import ignore, stop_at_once

OBJECTS = 100_000
"""Objects made between two looks for unused ones. Nearly all that imports and a compilation make is
in use till the end: with Python's 700, looking through it took a fifth of a command's time."""


@contextmanager
def _interruptible() -> Generator[None]:
    """Ctrl-C ends the command that runs inside; when all is done it does nothing."""
    stop_at_once()
    gc.set_threshold(OBJECTS)
    try:
        yield
    finally:
        ignore()


def softex() -> None:
    """Entry point of `softex`."""
    with _interruptible():
        from softex_mlir.tools.softex import main

        main()


def softex_opt() -> None:
    """Entry point of `softex-opt`."""
    with _interruptible():
        from softex_mlir.tools.softex_opt import main

        main()


def softex_gui() -> None:
    """Entry point of `softex-gui`, which gets every key itself."""
    from softex_mlir.tools.gui import main

    main()
