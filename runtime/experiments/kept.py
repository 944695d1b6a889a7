"""What experiments measured, in a file that an interrupted run goes on from."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from softex_mlir.files import code_hash, json_text, write_atomically
from softex_mlir.isa_sim.machine import Machine

Progress = Callable[[str], None]
"""Is told what is done now."""


class Kept:
    """Results by experiment, each written when it is there.

    Attributes:
        seconds: what each took on this host.
    """

    def __init__(self, path: Path | None, machine: Machine, progress: Progress | None = None):
        """
        Args:
            path: the file; None keeps nothing. What is in it counts for this machine and this code.
        """
        self.path, self.progress = path, progress
        self._of = {"machine": machine.hash, "code": code_hash()}
        self._done = _known(path, self._of)

    @property
    def seconds(self) -> dict[str, float]:
        return {name: entry["seconds"] for name, entry in self._done.items()}

    def get(
        self, name: str, experiment: Callable[[], dict[str, Any]], place: str = ""
    ) -> dict[str, Any]:
        """The values of an experiment, from the file or measured now; JSON can write them.

        `place` is shown in front of its name.
        """
        known = name in self._done
        if self.progress is not None:
            self.progress(f"{place} {name}{', known' if known else ''}".strip())
        if not known:
            started = time.perf_counter()
            values = experiment()
            seconds = time.perf_counter() - started
            self._done[name] = {"values": values, "seconds": seconds}
            if self.path is not None:
                write_atomically(self.path, json_text({**self._of, "done": self._done}))
        return self._done[name]["values"]


def _known(path: Path | None, of: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What was measured before; nothing of another machine or other code."""
    try:
        data: dict[str, Any] = {} if path is None else json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if any(data.get(name) != value for name, value in of.items()):
        return {}
    return data["done"]
