"""Work for a process that dies of it: its module has to be importable by its own name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from softex_mlir.runtime.explore.point import Point, Row


def die_once(point: Point) -> Row:
    """Kill this process the first time that it sees a point with settings; a file beside its model
    remembers."""
    mark = Path(f"{point.model}.died")
    if point.settings and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Row(point.model, point.target, point.settings, False, cycles=7)


def measure_once(measure: Callable[[int], Any], mark: str, index: int) -> Any:
    """Kill this process the first time that it is to measure anything but the first input."""
    died = Path(f"{mark}.died")
    if index and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(index)


def sleep(point: Point) -> Row:
    """Say which process this is, and stay for a minute."""
    Path(f"{point.model}.new").write_text(str(os.getpid()))
    Path(f"{point.model}.new").rename(f"{point.model}.pid")
    time.sleep(60)
    return Row(point.model, point.target, point.settings, False)
