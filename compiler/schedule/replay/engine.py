"""Processes and servers on one clock: who works, who waits for whom, and how fast."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from softex_mlir.compiler.schedule.replay.contention import Rival, Rivals

Wish: TypeAlias = "float | Work | tuple[int, int]"
"""What a process waits for: a cycle, the end of work, or a counter and its value."""
Process: TypeAlias = Generator[Wish, float, None]
"""Is told the cycle at which what it waited for came to pass."""

_DONE = 1e-6
"""Cycles that are none: rounding of floating point."""


@dataclass(eq=False)
class Work:
    """A transfer, a job, or a share of the cores' work.

    Attributes:
        eligible: cycle from which its server may begin it.
        left: cycles it still takes if nobody is in the way.
        rival: what it does to the TCDM meanwhile.
        end: cycle in which it was done; negative before.
    """

    eligible: float
    left: float
    rival: Rival
    begin: float = -1.0
    end: float = -1.0
    waiting: list[Process] = field(default_factory=list[Process])


@dataclass(eq=False)
class Server:
    """Does its work in order, one at a time, `gap` cycles from one to a next that waited."""

    gap: float = 0.0
    queue: deque[Work] = field(default_factory=deque[Work])


@dataclass
class Engine:
    """The clock of a cluster.

    Attributes:
        servers: those whose work is in each other's way.
        counters: of every stream, the cycle at which its counter reached each value.
    """

    rivals: Rivals
    servers: tuple[Server, ...]
    counters: tuple[list[float], ...]
    now: float = 0.0
    _due: list[tuple[float, int, Process]] = field(default_factory=list[tuple[float, int, Process]])
    _begun: int = 0
    _waiting: list[list[tuple[int, Process]]] = field(
        default_factory=list[list[tuple[int, Process]]]
    )
    _rates: Sequence[float] = ()

    def __post_init__(self) -> None:
        self._waiting = [[] for _ in self.counters]
        self._rates = [1.0 for _ in self.servers]

    def start(self, process: Process) -> None:
        """Begin a process at cycle 0."""
        next(process)
        self._resume_at(0.0, process)

    def advance(self, stream: int, steps: int, at: float) -> None:
        """A stream's counter grows at a cycle."""
        line = self.counters[stream]
        line += [at] * steps
        ready = [entry for entry in self._waiting[stream] if entry[0] < len(line)]
        if ready:
            self._waiting[stream] = [e for e in self._waiting[stream] if e[0] >= len(line)]
            for _, process in ready:
                self._resume_at(at, process)

    @property
    def active(self) -> tuple[Rival | None, ...]:
        """What the servers' work does to the TCDM now."""
        return tuple(
            server.queue[0].rival if server.queue and server.queue[0].begin >= 0 else None
            for server in self.servers
        )

    def run(self) -> None:
        """Until no process is left, and no work."""
        while True:
            coming = self._next_turn()
            if coming is None and not self._due:
                return
            if coming is not None and (not self._due or coming <= self._due[0][0]):
                self._pass(coming)
                continue
            at, _, process = heapq.heappop(self._due)
            self._pass(max(at, self.now))
            self._resume(process, at)

    def _resume_at(self, at: float, process: Process) -> None:
        self._begun += 1
        heapq.heappush(self._due, (at, self._begun, process))

    def _resume(self, process: Process, told: float) -> None:
        try:
            wish = process.send(told)
        except StopIteration:
            return
        if isinstance(wish, Work):
            if wish.end >= 0:
                self._resume_at(wish.end, process)
            else:
                wish.waiting.append(process)
        elif isinstance(wish, tuple):
            stream, value = wish
            line = self.counters[stream]
            if value < len(line):
                self._resume_at(line[value], process)
            else:
                self._waiting[stream].append((value, process))
        else:
            self._resume_at(wish, process)

    def _next_turn(self) -> float | None:
        """When the next work begins or ends."""
        found: float | None = None
        for server, rate in zip(self.servers, self._rates, strict=True):
            if not server.queue:
                continue
            head = server.queue[0]
            at = head.eligible if head.begin < 0 else self.now + head.left / rate
            if found is None or at < found:
                found = at
        return None if found is None else max(found, self.now)

    def _pass(self, until: float) -> None:
        """Time goes on; no work begins or ends in between."""
        passed = until - self.now
        self.now = until
        turned = False
        for server, rate in zip(self.servers, self._rates, strict=True):
            if server.queue:
                if server.queue[0].begin >= 0:
                    server.queue[0].left -= passed * rate
                turned |= self._turn(server)
        if turned:
            self._rates = self.rivals.rates(self.active)

    def _turn(self, server: Server) -> bool:
        """Begin and end what is due; whether there was any."""
        turned = False
        while server.queue:
            head = server.queue[0]
            if head.begin < 0:
                if head.eligible > self.now:
                    break
                head.begin = self.now
                turned = True
            if head.left > _DONE:
                break
            self._end(server)
            turned = True
        return turned

    def _end(self, server: Server) -> None:
        head = server.queue.popleft()
        head.end = self.now
        if server.queue:
            behind = server.queue[0]
            behind.eligible = max(behind.eligible, self.now + server.gap)
        for process in head.waiting:
            self._resume_at(self.now, process)
