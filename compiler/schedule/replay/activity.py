"""When a launch was at work on a track, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field

from softex_mlir.compiler.schedule.replay.engine import Work


@dataclass
class Activity:
    """A launch on a track.

    Attributes:
        begin, end: of its first and last work, in cycles; negative if there is none.
        work: what it did; of the cores, nothing.
        busy: cycles; of the cores, all their cycles awake.
    """

    begin: float = -1.0
    end: float = -1.0
    busy: float = 0.0
    work: list[Work] = field(default_factory=list[Work])

    def close(self) -> None:
        """Take over what became of the work, which one server did in order."""
        if self.work:
            self.span(self.work[0].begin, self.work[-1].end)
        for work in self.work:
            self.busy += work.end - work.begin
        self.work.clear()

    def span(self, begin: float, end: float) -> None:
        """Something lasted from `begin` to `end`."""
        self.begin = begin if self.begin < 0 else min(self.begin, begin)
        self.end = max(self.end, end)
