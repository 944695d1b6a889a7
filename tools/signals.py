"""What Ctrl-C does: it ends a command at once, but for what asks to see it as an exception."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from softex_mlir.errors import Interrupted


@contextmanager
def raised() -> Generator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt`, of which `Interrupted` comes out."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        # Typer would make a silent exit of it.
        raise Interrupted("interrupted") from None
    finally:
        signal.signal(signal.SIGINT, before)


def stop_at_once() -> None:
    """Let Ctrl-C end the process, unless whoever started it wants it to be ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


def ignore() -> None:
    """Let Ctrl-C do nothing: all is done, and Python would restore the system's way to end."""
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _stop(number: int, frame: FrameType | None) -> None:
    if workers := sys.modules.get("multiprocessing"):
        for worker in workers.active_children():
            worker.kill()
    os.write(2, b"interrupted\n")
    os._exit(130)
