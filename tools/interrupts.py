"""The commands' entry points, which decide what Ctrl-C does before anything large is imported.

A `KeyboardInterrupt` in the middle of an import or of a library's C code ends in a traceback or
worse. So Ctrl-C ends a command at once, but for the simulator, which reports how far it came.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

from softex_mlir.collector import OBJECTS
from softex_mlir.tools.signals import ignore, stop_at_once


@contextmanager
def _interruptible() -> Generator[None]:
    """Ctrl-C ends the command that runs inside; when all is done it does nothing.

    Then Python would take apart all there is, object by object, though the process ends.
    """
    stop_at_once()
    gc.set_threshold(OBJECTS)
    try:
        yield
    finally:
        ignore()
        gc.freeze()


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
