"""Jobs and transfers of the units: how long they take alone, and what they do to the TCDM."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any, cast

from xdsl.dialects.builtin import MemRefType

from softex_mlir.compiler.schedule.replay.bodies import Bodies, Cost
from softex_mlir.compiler.schedule.replay.contention import Rival
from softex_mlir.compiler.schedule.replay.numbers import steers
from softex_mlir.compiler.transforms.cluster.vectorize_packed_bf16 import vectorize_block
from softex_mlir.dialects.cluster import DmaStartOp, ParallelOp
from softex_mlir.dialects.memory import static_strides
from softex_mlir.dialects.redmule import GemmOp
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import softex_jobs
from softex_mlir.isa_sim.units.dma import streaming_cycles
from softex_mlir.isa_sim.units.redmule import redmule_run_cycles

DMA_BANKS = 2
"""Words of a beat."""


@dataclass(frozen=True)
class Job:
    """Of a unit.

    Attributes:
        cycles: it takes alone.
        latency: from its trigger to its start.
        registers: what a transfer's descriptor holds besides addresses.
        channel: of the DMA.
    """

    cycles: float
    latency: float
    rival: Rival
    registers: tuple[int, ...] = ()
    channel: int = 0


@dataclass
class Units:
    """Costs on a machine."""

    machine: Machine
    _known: dict[Any, Any] = field(default_factory=dict[Any, Any])
    _jobs: dict[int, Job] = field(default_factory=dict[int, Job])
    """Of transfers and products, by the identity of operations, which the kernels keep."""
    _rivals: dict[tuple[float, ...], Rival] = field(default_factory=dict[tuple[float, ...], Rival])

    @property
    def softex_depth(self) -> int:
        """Jobs SoftEx holds."""
        return self.machine.softex.queue_depth if self.machine.softex is not None else 1

    def transfer(self, op: DmaStartOp) -> Job:
        """A transfer."""
        if (known := self._jobs.get(id(op))) is None:
            known = self._jobs[id(op)] = self._transfer(op)
        return known

    def team(self, rate: float, members: int) -> Rival:
        """Cores at work with so many accesses a cycle."""
        return self._rival(rate, 1, masters=members)

    def _rival(
        self, rate: float, banks: int, *, wide: bool = False, masters: int = 1,
        exposed: float = 0.0, turnovers: float = 0.0, burst: float = 0.0,
    ) -> Rival:  # fmt: skip
        """What work does to the TCDM: equal ones are one rival."""
        fields = (rate, banks, wide, masters, exposed, turnovers, burst)
        if (known := self._rivals.get(fields)) is None:
            known = self._rivals[fields] = Rival(*fields)
        return known

    def _transfer(self, op: DmaStartOp) -> Job:
        sizes = [int(size) for size in op.sizes.get_values()]
        item = cast("MemRefType[Any]", op.source.type).element_type.size
        runs = [
            list(static_strides(cast("MemRefType[Any]", side.type)))[-len(sizes) :]
            for side in (op.source, op.target)
        ]
        length, steps = sizes[-1] * item, sizes[:-1]
        outer = list(zip(steps, *(side[:-1] for side in runs), strict=True))
        while outer and outer[-1][1] == outer[-1][2] and outer[-1][1] * item == length:
            length *= outer.pop()[0]
        count = prod(step for step, _, _ in outer)
        dma, cluster = self.machine.dma, self.machine.cluster
        cycles = streaming_cycles(
            length, count, count == 1, dma.bytes_per_cycle, dma.burst_bytes,
            cluster.l2_latency_cycles, dma.outstanding,
        )  # fmt: skip
        beats = count * -(-length // dma.bytes_per_cycle)
        registers = (length, *(int(each) for row in outer for each in row))
        rival = self._rival(beats / cycles, DMA_BANKS)
        return Job(cycles, cluster.l2_latency_cycles, rival, registers, op.channel)

    def product(self, op: GemmOp) -> Job:
        """A product."""
        if (known := self._jobs.get(id(op))) is None:
            known = self._jobs[id(op)] = self._product(*op.sizes)
        return known

    def _product(self, m: int, n: int, k: int) -> Job:
        unit = self.machine.redmule
        assert unit is not None
        cycles = redmule_run_cycles(m, n, k, self.machine)
        width = unit.tile_columns
        down, across = -(-m // unit.rows), -(-k // width)
        tiles = down * across
        # rows of X for each column of tiles, of W for each row of tiles, of Y and Z once
        chunks = -(-n // width)
        wanted = m * chunks * across + n * tiles + 2 * m * across
        fill = min(m, unit.rows) + unit.rows + unit.columns
        rival = self._rival(
            wanted / cycles, width // 2 + 1, wide=True, exposed=(fill + unit.rows) / cycles,
            turnovers=max(0, tiles - 2) / cycles, burst=min(m, unit.rows) + 3 * unit.rows,
        )  # fmt: skip
        return Job(cycles, unit.trigger_cycles, rival)

    def softex(self, op: Any, *, ends_row: bool = False) -> Job:
        """A job of SoftEx; an accumulation may take the last chunk of its row."""
        if (op, ends_row) not in self._known:
            self._known[op, ends_row] = self._softex(op, ends_row)
        return self._known[op, ends_row]

    def softex_alone(self, op: Any) -> bool:
        """Whether a job waits until SoftEx is idle, lest its slot is taken away."""
        softex = self.machine.softex
        if softex is None or softex.checked_slots:
            return False
        if op.name == "softex.accumulate":
            return op.queued is None
        return op.name == "softex.divide" and op.last is not None

    def share(self, op: ParallelOp, iterations: range, members: int, dealing: float) -> Cost:
        """Iterations dealt to the members of a team, each with `dealing` cycles more: the cycles of
        the member that has the most to do, the accesses of all, the code of what differs."""
        key = (op, iterations, members)
        if key not in self._known:
            costs = self._iterations(op, iterations)
            cycles = [cost.cycles + dealing for cost in costs]
            self._known[key] = Cost(
                max(sum(cycles[first::members]) for first in range(members)),
                sum(cost.accesses for cost in costs),
                sum(cost.code for cost in set(costs)),
            )
        return self._known[key]

    def _iterations(self, op: ParallelOp, iterations: range) -> list[Cost]:
        copy = op.clone()
        block = copy.body.block
        vectorize_block(block)
        bodies, variable = Bodies(self.machine), block.args[0]
        if steers(variable):
            found = [bodies.block(block, {variable: number}) for number in iterations]
        else:
            found = [bodies.block(block, {})] * len(iterations)
        copy.erase()
        return found

    def _softex(self, op: Any, last: bool) -> Job:
        cycles = self._softex_cycles(op, last)
        assert self.machine.softex is not None
        lanes = self.machine.softex.lanes
        reads = 1 if op.name == "softex.accumulate" else 2
        passes = 3 if op.name == "softex.softmax" else reads
        rate = passes * -(-op.length.value.data // lanes) / cycles
        hidden = op.name == "softex.sum_of_exponentials" and op.terms.value.data > 2
        exposed = 0.0 if hidden else rate
        return Job(cycles, 0, self._rival(rate, lanes // 2 + 1, wide=True, exposed=exposed))

    def _softex_cycles(self, op: Any, last: bool) -> float:
        machine = self.machine
        if op.name == "softex.softmax":
            return softex_jobs.softmax_cycles(op.length.value.data, machine)
        if op.name == "softex.sum_of_exponentials":
            return softex_jobs.soe_cycles(op.length.value.data, op.terms.value.data, machine)
        if op.name == "softex.accumulate":
            return softex_jobs.accumulate_cycles(op.length.value.data, machine, last)
        return softex_jobs.normalise_cycles(op.length.value.data, machine)
