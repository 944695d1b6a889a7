"""The commands' entry points, and what Ctrl-C does.

A `KeyboardInterrupt` in the middle of an import or of a library's C code ends in a traceback or
worse. So Ctrl-C ends a command at once, but for the simulator, which reports how far it came.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


def softex() -> None:
    """Entry point of `softex`."""
    _stop_at_once()
    from softex_mlir.tools.softex import main

    main()


def softex_opt() -> None:
    """Entry point of `softex-opt`."""
    _stop_at_once()
    from softex_mlir.tools.softex_opt import main

    main()


@contextmanager
def raised() -> Generator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop_at_once() -> None:
    # Whoever started the command may want Ctrl-C to be ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(130)
