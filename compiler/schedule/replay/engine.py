"""Processes and servers on one clock: who works, who waits for whom, and how fast."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

from softex_mlir.compiler.schedule.replay.contention import Rival, Rivals

Wish: TypeAlias = "float | Work | tuple[int, int]"
"""What a process waits for: a cycle, the end of work, or a counter and its value."""
Process: TypeAlias = Generator[Wish, float, None]
"""Is told the cycle at which what it waited for came to pass."""

_DONE = 1e-6
"""Cycles that are none: rounding of floating point."""


@dataclass(eq=False, slots=True)
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


@dataclass(eq=False, slots=True)
class Server:
    """Does its work in order, one at a time, `gap` cycles from one to a next that waited.

    Attributes:
        rate: cycles' worth of work it does in a cycle.
        turn: the cycle in which it next begins or ends work, if nobody's work changes before.
    """

    gap: float = 0.0
    queue: deque[Work] = field(default_factory=deque[Work])
    rate: float = 1.0
    turn: float = inf


@dataclass
class Engine:
    """The clock of a cluster.

    Attributes:
        servers: those whose work is in each other's way.
        counters: of every stream, the cycle at which its counter reached each value.
        coming: the first of the servers' turns.
    """

    rivals: Rivals
    servers: tuple[Server, ...]
    counters: tuple[list[float], ...]
    now: float = 0.0
    coming: float = inf
    _due: list[tuple[float, int, Process]] = field(default_factory=list[tuple[float, int, Process]])
    _begun: int = 0
    _waiting: list[list[tuple[int, Process]]] = field(
        default_factory=list[list[tuple[int, Process]]]
    )
    _since: float = 0.0
    """When work under way was last brought up to date."""

    def __post_init__(self) -> None:
        self._waiting = [[] for _ in self.counters]

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

    def give(self, server: int, work: Work) -> None:
        """Queue work at a server."""
        given = self.servers[server]
        given.queue.append(work)
        if len(given.queue) == 1:
            given.turn = turn = max(work.eligible, self.now)
            if turn < self.coming:
                self.coming = turn

    def reach(self, at: float) -> bool:
        """Go on to a cycle if nothing happens up to it: who would wait for it need not."""
        if at >= self.coming or (self._due and self._due[0][0] <= at):
            return False
        if at > self.now:
            self.now = at
        return True

    def run(self) -> None:
        """Until no process is left, and no work.

        Raises:
            RuntimeError: processes wait for what never comes.
        """
        due = self._due
        while True:
            coming = self.coming
            if due and due[0][0] < coming:
                at, _, process = heapq.heappop(due)
                if at > self.now:
                    self.now = at
                self._resume(process, at)
            elif coming < inf:
                self._turns(coming)
            else:
                break
        if any(self._waiting):
            raise RuntimeError("streams wait for counters that nobody advances")

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

    def _turns(self, now: float) -> None:
        """Servers begin and end work; from then on all go on at other rates."""
        self.now = now
        passed, self._since = now - self._since, now
        active: list[Rival | None] = []
        for server in self.servers:
            queue, rival = server.queue, None
            if queue and (head := queue[0]).begin >= 0:
                head.left -= passed * server.rate
            if server.turn <= now:
                self._turn(server)
            if queue and (head := queue[0]).begin >= 0:
                rival = head.rival
            active.append(rival)
        coming = inf
        rates = self.rivals.rates(tuple(active))
        for server, server.rate in zip(self.servers, rates, strict=True):
            if not server.queue:
                server.turn = inf
                continue
            head = server.queue[0]
            if head.begin >= 0:
                server.turn = now + head.left / server.rate
            else:
                server.turn = max(head.eligible, now)
            if server.turn < coming:
                coming = server.turn
        self.coming = coming

    def _turn(self, server: Server) -> None:
        """Begin and end what is due."""
        while server.queue:
            head = server.queue[0]
            if head.begin < 0:
                if head.eligible > self.now:
                    return
                head.begin = self.now
            if head.left > _DONE:
                return
            self._end(server)

    def _end(self, server: Server) -> None:
        head = server.queue.popleft()
        head.end = self.now
        if server.queue:
            behind = server.queue[0]
            behind.eligible = max(behind.eligible, self.now + server.gap)
        for process in head.waiting:
            self._resume_at(self.now, process)
