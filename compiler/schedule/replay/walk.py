"""What the streams do, launch by launch: the kernels' code as processes of the engine."""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

from softex_mlir.compiler.schedule.replay.activity import Activity
from softex_mlir.compiler.schedule.replay.code import Code, ReplayedStep, translate
from softex_mlir.compiler.schedule.replay.engine import Engine, Process, Wish, Work
from softex_mlir.compiler.schedule.replay.fetches import first_execution
from softex_mlir.compiler.schedule.replay.times import Times
from softex_mlir.compiler.schedule.replay.units import Units
from softex_mlir.dialects.cluster import WITHOUT_LEADER, DmaStartOp, StreamKind
from softex_mlir.dialects.cluster_program import KernelOp
from softex_mlir.dialects.redmule import GemmOp
from softex_mlir.isa_sim.units.softex_jobs import SOFT_CLEAR_CYCLES

STREAM_LIST: Final = tuple(StreamKind)
_OUT, _COMPUTE = STREAM_LIST.index(StreamKind.DMA_OUT), STREAM_LIST.index(StreamKind.COMPUTE)
REDMULE, SOFTEX, TEAM, SERVERS = 2, 3, 4, 5
"""Servers behind the DMA's two channels."""

Steps = Generator[Wish, float, None]


class Launched(NamedTuple):
    """A launch: its kernel, its arguments (addresses do not matter) behind its bases."""

    kernel: KernelOp
    values: Sequence[int]


@dataclass
class ReplayedCluster:
    """What the streams share.

    Attributes:
        log: of every launch DMA in, DMA out, RedMulE, the cores.
        fetched: code that was executed before, by identity.
        ended: when the last of the streams that are through was through.
    """

    engine: Engine
    units: Units
    times: Times
    log: list[list[Activity]]
    fetched: set[int] = field(default_factory=set[int])
    ended: float = 0.0
    codes: dict[tuple[KernelOp, int], Code | None] = field(
        default_factory=dict[tuple[KernelOp, int], Code | None]
    )

    def code(self, kernel: KernelOp, stream: int) -> Code | None:
        """Of a kernel's stream; None if it has none."""
        key = (kernel, stream)
        if key not in self.codes:
            op = kernel.streams().get(STREAM_LIST[stream])
            self.codes[key] = None if op is None else translate(kernel, op, INSTANT, ACTIONS)
        return self.codes[key]

    def fetch(self, op: object, instructions: float, cores: int, now: float) -> float:
        """Cycles that code takes until it is there, the first time it is executed."""
        if id(op) in self.fetched:
            return 0.0
        self.fetched.add(id(op))
        return first_execution(instructions, cores, now, self.times.machine.cluster)


@dataclass
class Stream:
    """A stream, where it stands and what it has left in registers.

    Attributes:
        now: of the team its leader's time.
        others: of the team the other cores' time.
        members: cores that do what comes next.
        works: transfers and jobs it has started, to which tokens point.
    """

    index: int
    cluster: ReplayedCluster
    now: float = 0.0
    others: float = 0.0
    launch: int = 0
    values: list[int] = field(default_factory=list[int])
    works: list[Work] = field(default_factory=list[Work])
    descriptor: tuple[int, ...] = ()
    awake: float = 0.0
    members: int = 1

    def __post_init__(self) -> None:
        self.times = self.cluster.times
        self.engine = self.cluster.engine

    def process(self, launches: Sequence[Launched]) -> Process:
        """Walk the launches."""
        yield 0.0
        self.now = self.times.boot
        self.members = self.times.team if self.index == _COMPUTE else 1
        for place, launch in enumerate(launches):
            self.now += self.times.walk
            code = self.cluster.code(launch.kernel, self.index)
            if code is None:
                continue
            self.launch, self.descriptor, begin = place, (), self.now
            self.awake = 0.0
            self.values = [0] * code.places
            for at, value in (*zip(code.arguments, launch.values, strict=True), *code.constants):
                self.values[at] = value
            self.now += self.times.call + code.read * self.times.record
            entry = _ENTRY_CODE + code.read
            self.now += self.cluster.fetch(code.op, entry, self.members, self.now)
            self.others = self.now
            yield from self.steps(code.steps)
            cores = self.cluster.log[place][3]
            if self.index == _COMPUTE:
                cores.span(begin, self.now)
                cores.busy += self.awake + (self.now - begin) * self.members
        self.cluster.ended = max(self.cluster.ended, self.now)

    def steps(self, steps: Sequence[ReplayedStep]) -> Steps:
        """Execute steps."""
        values = self.values
        for step in steps:
            _, compute, result, operands, _, _, instant, action = step
            if compute is not None:
                first, second = operands
                values[result] = compute(values[first], values[second])
                self.now += 1
            elif instant is not None:
                instant(self, step)
            elif action is not None:
                yield from action(self, step)

    def fetch(self, step: ReplayedStep, instructions: float) -> None:
        """Code that is executed, perhaps for the first time."""
        if id(step.op) not in self.cluster.fetched:
            self.now += self.cluster.fetch(step.op, instructions, self.members, self.now)

    def sleep(self, until: float) -> None:
        """Wait for an event and react to it."""
        self.awake -= max(0.0, until - self.now) * self.members
        self.now = until + self.times.wake

    # region Control and synchronisation

    def loop(self, step: ReplayedStep) -> Steps:
        """A loop."""
        values, (lower, upper, stride, *initial) = self.values, step.operands
        variable, *carried = step.carried
        (body,) = step.inner
        last = body[-1].operands if carried else ()
        held = [values[each] for each in initial]
        for index in range(values[lower], values[upper], values[stride]):
            values[variable] = index
            for place, value in zip(carried, held, strict=True):
                values[place] = value
            yield from self.steps(body)
            held = [values[each] for each in last]
            self.now += self.times.iteration
        for offset, value in enumerate(held):
            values[step.result + offset] = value

    def choose(self, step: ReplayedStep) -> Steps:
        """A condition."""
        self.now += self.times.branch
        side = 0 if self.values[step.operands[0]] else 1
        if side < len(step.inner):
            yield from self.steps(step.inner[side])

    def inside(self, step: ReplayedStep) -> Steps:
        """What the team's leader does."""
        self.members = 1
        yield from self.steps(step.inner[0])
        self.members = self.times.team

    def divide(self, step: ReplayedStep) -> None:
        """A quotient."""
        value, divisor = (self.values[each] for each in step.operands)
        self.values[step.result] = value // divisor
        self.now += self.times.division(divisor)

    def remain(self, step: ReplayedStep) -> None:
        """A remainder."""
        value, divisor = (self.values[each] for each in step.operands)
        self.values[step.result] = value % divisor
        self.now += self.times.division(divisor)

    def load(self, step: ReplayedStep) -> None:
        """A number from L2."""
        self.now += self.times.record

    def wait(self, step: ReplayedStep) -> Steps:
        """A counter of another stream."""
        op: Any = step.op
        stream, value = STREAM_LIST.index(op.stream.data), self.values[step.operands[0]]
        self.fetch(step, _WAIT_CODE)
        self.now = max(self.now, self.others) if self.index == _COMPUTE else self.now
        line = self.engine.counters[stream]
        if value >= len(line):
            yield (stream, value)
        # the event follows the counter
        if value > 0 and line[value] > self.now:
            self.sleep(line[value] + self.times.register)
        self.now += self.times.check
        self.others = self.now

    def complete(self, step: ReplayedStep) -> Steps:
        """A transfer or a job of this stream."""
        self.fetch(step, _WAIT_CODE)
        yield from self.finish(self.works[self.values[step.operands[0]]])

    def finish(self, work: Work) -> Steps:
        """Work is done."""
        if work.end < 0:
            yield work
        if work.end > self.now:
            self.sleep(work.end)
        self.now += self.times.poll

    def advance(self, step: ReplayedStep) -> Steps:
        """A counter grows."""
        op: Any = step.op
        self.fetch(step, _COUNT_CODE)
        if self.index == _COMPUTE:
            self.meet()
        self.now += self.times.count
        if not self.engine.reach(self.now):
            yield self.now
        steps = self.values[step.operands[0]] if step.operands else op.count
        self.engine.advance(self.index, steps, self.now)
        self.now += self.times.register

    def barrier(self, step: ReplayedStep) -> None:
        """The team meets."""
        self.fetch(step, 1)
        self.meet()

    def meet(self) -> None:
        """All cores of the team are there."""
        early = abs(self.now - self.others)
        asleep = 1 if self.now < self.others else self.times.team - 1
        self.awake -= early * asleep
        self.now = self.others = max(self.now, self.others) + self.times.barrier

    # endregion
    # region Work

    def begin(self, server: int, work: Work, track: int) -> None:
        """Hand work to a server."""
        self.engine.give(server, work)
        self.cluster.log[self.launch][track].work.append(work)

    def started(self, step: ReplayedStep, work: Work) -> None:
        """The step's token is that of the work."""
        self.values[step.result] = len(self.works)
        self.works.append(work)

    def transfer(self, step: ReplayedStep) -> Steps:
        """Program a transfer: both addresses, and what differs from the one before."""
        job = self.cluster.units.transfer(cast("DmaStartOp", step.op))
        same = sum(map(operator.eq, job.registers, self.descriptor))
        writes = 2 + len(job.registers) - same
        self.descriptor = job.registers
        self.fetch(step, 2 * writes)
        self.now += writes * self.times.register + _ADDRESSES
        if not self.engine.reach(self.now):
            yield self.now
        work = Work(self.now + job.latency, job.cycles, job.rival)
        self.begin(job.channel, work, job.channel)
        self.started(step, work)
        self.now += self.times.register

    def product(self, step: ReplayedStep) -> Steps:
        """Program a product: the soft clear, three addresses, the last register."""
        job = self.cluster.units.product(cast("GemmOp", step.op))
        self.fetch(step, 2 * _PRODUCT_REGISTERS)
        self.now += _PRODUCT_REGISTERS * self.times.register
        if not self.engine.reach(self.now):
            yield self.now
        work = Work(self.now + job.latency, job.cycles, job.rival)
        self.begin(REDMULE, work, 2)
        self.started(step, work)

    def softex(self, step: ReplayedStep) -> Steps:
        """Queue a job of SoftEx."""
        units, queue = self.cluster.units, self.engine.servers[SOFTEX].queue
        last = False
        if step.op.name == "softex.accumulate":
            chunk, chunks = (self.values[each] for each in step.operands[-2:])
            last = chunk == chunks - 1
        job = units.softex(step.op, ends_row=last)
        self.fetch(step, 2 * _SOFTEX_REGISTERS)
        if not self.engine.reach(self.now):
            yield self.now
        if len(queue) >= units.softex_depth:
            yield from self.finish(queue[-units.softex_depth])
        else:
            self.now += self.times.poll
        self.now += (_SOFTEX_REGISTERS - _LAST_REGISTERS) * self.times.register + _ADDRESSES
        if not self.engine.reach(self.now):
            yield self.now
        if units.softex_alone(step.op):
            yield from self.idle(SOFTEX)
        self.now += _LAST_REGISTERS * self.times.register
        if not self.engine.reach(self.now):
            yield self.now
        self.engine.give(SOFTEX, Work(self.now, job.cycles, job.rival))

    def open_slots(self, step: ReplayedStep) -> None:
        """Clear SoftEx, and a job that does nothing but take an address."""
        self.fetch(step, 2 * _SOFTEX_REGISTERS)
        self.now += SOFT_CLEAR_CYCLES + self.times.poll + 3 * self.times.register

    def drain(self, step: ReplayedStep) -> Steps:
        """All jobs of SoftEx are done."""
        self.fetch(step, _WAIT_CODE)
        if not self.engine.reach(self.now):
            yield self.now
        yield from self.idle(SOFTEX)

    def idle(self, server: int) -> Steps:
        """A server has nothing to do."""
        queue = self.engine.servers[server].queue
        if queue:
            yield from self.finish(queue[-1])
        else:
            self.now += self.times.poll

    def parallel(self, step: ReplayedStep) -> Steps:
        """Iterations dealt to the team, or to all of it but the leader."""
        op: Any = step.op
        lower, upper = (self.values[each] for each in step.operands)
        team = self.times.team
        leads = team == 1 or WITHOUT_LEADER not in op.attributes
        members = team if leads else team - 1
        share = self.cluster.units.share(op, range(lower, upper), members, self.times.iteration)
        busy = min(members, upper - lower)
        first = self.cluster.fetch(op, share.code + _DEAL_CODE, busy, self.others)
        alone = share.cycles + _DEAL_CODE + first
        rate = share.accesses / alone
        began = self.others
        if not self.engine.reach(began):
            yield began
        # while the leader did something else the others may have begun
        left = max(0.0, alone - (self.engine.now - began))
        work = Work(self.engine.now, left, self.cluster.units.team(rate, members))
        self.engine.give(TEAM, work)
        ended = yield work
        self.others = ended
        if leads:
            self.now = max(ended, self.now + (ended - began) * (1.0 - first / alone))

    # endregion


_WAIT_CODE, _COUNT_CODE, _ENTRY_CODE, _DEAL_CODE = 4, 5, 12, 6
"""Instructions of a wait, of counting, of a function's begin and end, of dealing iterations."""
_ADDRESSES = 4
"""Instructions between two addresses."""
_PRODUCT_REGISTERS, _SOFTEX_REGISTERS = 5, 5
"""Written for a job that is like the one before."""
_LAST_REGISTERS = 2
"""Of SoftEx, written when the unit is there for the job: what to do, and the trigger."""

INSTANT: Final[dict[str, Callable[[Stream, ReplayedStep], None]]] = {
    "arith.divui": Stream.divide,
    "arith.remui": Stream.remain,
    "memref.load": Stream.load,
    "cluster.barrier": Stream.barrier,
    "softex.open_slots": Stream.open_slots,
}
"""What needs nobody else."""

ACTIONS: Final[dict[str, Callable[[Stream, ReplayedStep], Steps]]] = {
    "scf.for": Stream.loop,
    "scf.if": Stream.choose,
    "cluster.leader": Stream.inside,
    "cluster.wait_for": Stream.wait,
    "cluster.await": Stream.complete,
    "cluster.advance": Stream.advance,
    "cluster.dma_start": Stream.transfer,
    "cluster.parallel": Stream.parallel,
    "redmule.gemm": Stream.product,
    "softex.softmax": Stream.softex,
    "softex.sum_of_exponentials": Stream.softex,
    "softex.accumulate": Stream.softex,
    "softex.divide": Stream.softex,
    "softex.drain": Stream.drain,
}
