"""Work for a process that dies of it: its module has to be importable by its own name."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from softex_mlir.runtime.explore.point import Point, Row


def die_once(point: Point) -> Row:
    """Kill this process the first time that it sees a point with settings; a file beside its model
    remembers."""
    mark = Path(f"{point.model}.died")
    if point.settings and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Row(point.model, point.target, point.settings, False, cycles=7)
