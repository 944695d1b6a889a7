"""What orders the accesses of one run: an argument, made without the race detector.

A run is taken apart into what each core did between two accesses to counters and devices, and into
jobs and transfers. Every two of them that touch the same bytes, one writing, have to be ordered by
what the program waits for: counters, ends of jobs and transfers, barriers. `Order.unordered` says
which would not be without some of the waits. Where it says none, those waits are redundant: what
they wait for has happened by then, or nothing that follows depends on it, whatever the timing.

Events are left out: compiled code looks at a counter behind each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.records import JobRecord, RunResult
from softex_mlir.isa_sim.units import control, dma, event_unit, registry
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.session import load

GRANULE = 2
PC, ADDRESS, BYTES, STORES, TIME, VALUE = range(6)
END = 0
ARRIVALS = (event_unit.BARRIER_TRIGGER_WAIT, event_unit.BARRIER_TRIGGER_WAIT_CLEAR)

Span = tuple[int, int, bool]
"""Address, bytes, is a write."""


@dataclass
class Device:
    """Work of a unit or a DMA channel, in the order in which it was started."""

    started: list[tuple[int, int]] = field(default_factory=list)
    """(slot, number in the slot)."""
    before_clear: int = 0
    """Jobs started before the last soft clear."""


@dataclass
class Order:
    """The accesses of a run and what orders them.

    Attributes:
        rows: accesses to counters and devices in order: core, number among the core's, pc, offset
            (negative for counters), is a store, value.
        pairs: int64 [n, 4] of agent, its step, later node, kept apart by what they are; see
            `conflicts`.
    """

    machine: Machine
    rows: list[tuple[int, int, int, int, bool, int]]
    contexts: list[list[int]]
    """Contexts of each unit's jobs."""
    last_stores: dict[int, int]
    """Step of each core's last store to memory."""
    news: list[bool] = field(default_factory=list)
    """Of each access, whether it told its core something. A look that did not may have been content
    with less than what it saw; what it would tell without an earlier one is not known."""
    pairs: Any = None

    def unordered(self, without: Collection[int] = ()) -> list[str]:
        """What nothing orders if looks at these pcs tell nothing."""
        walk = Walk(self, frozenset(without))
        for _ in walk.steps():
            pass
        agent, step, node = self.pairs.T
        late = np.stack(walk.known)[node, agent] < step
        return [*walk.problems, *(f"accesses of {a} and node {n}" for a, _, n in self.pairs[late])]


class Walk:
    """One walk along a run: what each core knows to have happened.

    Agents are the cores, then slots: what one core started on one device. A vector has a step for
    each agent and, behind them, how much of each slot is known to have been started. Core's steps
    are its accesses to counters and devices, those of slots are jobs and transfers.
    """

    def __init__(self, order: Order, without: frozenset[int]):
        machine = order.machine
        self.order, self.without = order, without
        self.cores = machine.cluster.cores
        self.units = registry.units_of(machine)
        sections = [machine.section(unit.name) for unit in self.units]
        first = machine.cluster.peripheral_base
        self.bases = [None if s is None else int(s.base) - first for s in sections]
        self.devices = [Device() for _ in range(2 + len(self.units))]
        self.slots = len(self.devices) * self.cores
        agents = self.cores + self.slots
        self.clock = np.zeros((self.cores, agents + self.slots), np.int64)
        self.stores: dict[int, dict[int, Any]] = defaultdict(dict)
        self.arrived: dict[int, list[int]] = defaultdict(list)
        self.members: dict[int, int] = {}
        self.known: list[Any] = []
        """What each node knew: a node is what a core did up to an access, a job or a transfer."""
        self.problems: list[str] = []
        self.jobs = [0] * len(self.devices)

    def steps(self) -> Iterator[tuple[int, int, int, int]]:
        """Nodes in an order that respects all others: agent, its step, device (-1 for a core's own
        accesses), number of the job or transfer."""
        steps = [0] * self.cores
        news = self.order.news
        learns = not news
        for row, (core, number, pc, offset, stores, value) in enumerate(self.order.rows):
            self.known.append(self.clock[core].copy())
            yield core, number, -1, 0
            self.clock[core, core] = steps[core] = number
            before = self.clock[core].copy()
            tells = pc not in self.without and (learns or news[row])
            device = self.access(core, pc, offset, stores, value, tells)
            if learns:
                news.append(bool(np.any(self.clock[core] != before)))
            if device >= 0:
                slot, step = self.start(device, core)
                yield self.cores + slot, step, device, len(self.devices[device].started) - 1
        for core in range(self.cores):
            self.known.append(self.clock[core].copy())
            yield core, steps[core] + 1, -1, 0

    def access(self, core: int, pc: int, offset: int, stores: bool, value: int, tells: bool) -> int:
        """What an access tells a core and publishes; the device that it starts, or -1."""
        if offset < 0:
            self.counter(core, offset, stores, value, tells)
            return -1
        for base in (event_unit.ALIAS_OFFSET, event_unit.GLOBAL_OFFSET):
            if base + event_unit.BARRIER <= offset < base + event_unit.ALIAS_BYTES:
                self.barrier(core, pc, offset - base - event_unit.BARRIER, stores, value)
                return -1
        for base in (dma.ALIAS_OFFSET, dma.GLOBAL_OFFSET):
            if offset in (base + dma.NEXT_ID_0, base + dma.NEXT_ID_1):
                return 0 if offset == base + dma.NEXT_ID_0 else 1
            if offset in (base + dma.DONE_ID_0, base + dma.DONE_ID_1) and tells:
                self.ended(core, 0 if offset == base + dma.DONE_ID_0 else 1, value)
        for place, base in enumerate(self.bases):
            if base is not None and 0 <= offset - base < control.BYTES:
                return self.unit(core, pc, place, offset - base, stores, value, tells)
        if offset == END and stores:
            for device in range(len(self.devices)):
                if self.under_way(core, device):
                    self.problems.append(f"device {device} may be at work at the end")
            for other, step in self.order.last_stores.items():
                if other != core and self.clock[core, other] < step:
                    self.problems.append(f"core {other} may store behind the end")
        return -1

    def counter(self, core: int, offset: int, stores: bool, value: int, tells: bool) -> None:
        """A store publishes what its core knows, a load of its value tells it."""
        mine, published = self.clock[core], self.stores[offset]
        if not stores:
            if tells and value in published:
                np.maximum(mine, published[value], out=mine)
            return
        if published and np.any(
            next(reversed(published.values()))[: self.cores] > mine[: self.cores]
        ):
            self.problems.append(f"counter {offset} may be stored by two cores at once")
        published[value] = mine.copy()

    def barrier(self, core: int, pc: int, offset: int, stores: bool, value: int) -> None:
        barrier, register = divmod(offset, event_unit.BARRIER_STRIDE)
        if stores:
            if register == event_unit.BARRIER_TRIGGER_MASK:
                self.members[barrier] = value
            return
        if register not in ARRIVALS or pc in self.without:
            return
        waiting = self.arrived[barrier]
        waiting.append(core)
        if len(waiting) == self.members[barrier].bit_count():
            self.clock[waiting] = self.clock[waiting].max(axis=0)
            waiting.clear()

    def unit(
        self, core: int, pc: int, place: int, register: int, stores: bool, value: int, tells: bool
    ) -> int:
        """An access to a unit; its device if that starts a job."""
        device = 2 + place
        work = self.devices[device]
        if stores:
            if register == control.SOFT_CLEAR:
                if self.under_way(core, device):
                    self.problems.append(f"{self.units[place].label} may be at work when cleared")
                work.before_clear = len(work.started)
            return device if register == control.TRIGGER and value == 0 else -1
        if register == control.ACQUIRE and value < 1 << 31:
            if pc in self.without and self.under_way(core, device) >= control.CONTEXTS:
                self.problems.append(f"{self.units[place].label} may have no free context")
            self.acquired(core, place)
        elif not tells:
            pass
        elif register == control.STATUS and value == 0:
            self.ended(core, device, len(work.started))
        elif register == control.RUNNING_JOB:
            count = len(work.started) - work.before_clear
            self.ended(core, device, work.before_clear + count - (count - value) % 256)
        return -1

    def acquired(self, core: int, place: int) -> None:
        """A context is free: the last job that was programmed in it is over."""
        work = self.devices[2 + place]
        contexts = self.order.contexts[place]
        number = len(work.started)
        if number >= len(contexts):
            return
        earlier = [n for n in range(number) if contexts[n] == contexts[number]]
        if earlier:
            self.know(core, *work.started[earlier[-1]])

    def start(self, device: int, core: int) -> tuple[int, int]:
        """A core starts work, which comes behind all that it knows to be started on the device."""
        work, mine = self.devices[device], self.clock[core]
        slot = device * self.cores + core
        first = self.cores + device * self.cores
        known = mine.copy()
        started = known[first + self.slots : first + self.slots + self.cores]
        ended = known[first : first + self.cores]
        np.maximum(ended, started, out=ended)
        mine[self.cores + self.slots + slot] += 1
        step = int(mine[self.cores + self.slots + slot])
        work.started.append((slot, step))
        self.known.append(known)
        return slot, step

    def know(self, core: int, slot: int, step: int) -> None:
        """A core has seen a step of a slot ended, which it knows to have been started."""
        mine = self.clock[core]
        step = min(step, int(mine[self.cores + self.slots + slot]))
        mine[self.cores + slot] = max(step, mine[self.cores + slot])

    def ended(self, core: int, device: int, count: int) -> None:
        """A core has seen the first `count` jobs or transfers of a device ended."""
        latest = dict(self.devices[device].started[:count])
        for slot, step in latest.items():
            self.know(core, slot, step)

    def under_way(self, core: int, device: int) -> int:
        """Jobs or transfers of a device that a core does not know to be over."""
        mine = self.clock[core, self.cores :]
        return sum(mine[slot] < step for slot, step in self.devices[device].started[-8:])


def trace(program: Program, machine: Machine, **options: Any) -> tuple[Order, RunResult]:
    """Run a program under the race detector and take the run apart."""
    cores = machine.cluster.cores
    parts: list[list[Any]] = [[] for _ in range(cores)]
    jobs: list[JobRecord] = []
    cluster = load(program, machine)
    cluster.contention = False
    run = cluster.run(
        sanitize=True,
        accesses=lambda core, rows: parts[core].append(rows),
        jobs=jobs.append,
        **options,
    )
    logs = [np.concatenate(rows) for rows in parts]
    return _order(machine, logs, jobs, run), run


def _order(machine: Machine, logs: list[Any], jobs: list[JobRecord], run: RunResult) -> Order:
    units = registry.units_of(machine)
    by_unit = [[job for job in jobs if job.unit == unit.name] for unit in units]
    contexts = [
        run.jobs["context"][run.jobs["unit"] == place].tolist() for place in range(len(units))
    ]
    shared = [_is_shared(machine, log[:, ADDRESS]) for log in logs]
    rows: list[tuple[int, ...]] = []
    own: list[dict[int, Any]] = []
    for core, (log, mask) in enumerate(zip(logs, shared, strict=True)):
        number = np.cumsum(mask)
        offset = log[:, ADDRESS] - machine.cluster.peripheral_base
        counter = log[:, ADDRESS] - machine.cluster.tcdm_base
        offset = np.where(counter < abi.COUNTER_BYTES, counter - abi.COUNTER_BYTES, offset)
        columns = (log[:, TIME], number, log[:, PC], offset, log[:, STORES], log[:, VALUE])
        rows += [(t, core, *rest) for t, *rest in np.stack(columns, 1)[mask].tolist()]
        local = log[~mask]
        step = number[~mask] + 1
        bounds = np.flatnonzero(np.diff(step, prepend=-1))
        own.append(
            {
                int(step[b]): part
                for b, part in zip(bounds, np.split(local, bounds[1:]), strict=True)
            }
            if len(local)
            else {}
        )
    rows.sort(key=lambda row: row[:3])
    last_stores = {
        core: step
        for core, steps in enumerate(own)
        for step, part in steps.items()
        if part[:, STORES].any()
    }
    order = Order(machine, [row[1:] for row in rows], contexts, last_stores)  # pyright: ignore[reportArgumentType]
    order.pairs = _pairs(order, own, [*_transfers(run), *by_unit])
    return order


def _is_shared(machine: Machine, address: Any) -> Any:
    counter = address - machine.cluster.tcdm_base
    peripheral = address - machine.cluster.peripheral_base
    return (counter >= 0) & (counter < abi.COUNTER_BYTES) | (peripheral >= 0) & (
        peripheral < 1 << 16
    )


def _transfers(run: RunResult) -> Iterator[list[list[Span]]]:
    for channel in range(2):
        yield [
            [
                (
                    int(t[side]) + k * int(t[f"{side}_stride_3"]) + j * int(t[f"{side}_stride_2"]),
                    int(t["length"]),
                    side == "destination",
                )
                for side in ("source", "destination")
                for k in range(t["reps_3"])
                for j in range(t["reps_2"])
            ]
            for t in run.transfers[run.transfers["channel"] == channel]
        ]


def _granules(spans: list[Span], writes: bool) -> Any:
    parts = [
        np.arange(address // GRANULE, -(-(address + size) // GRANULE))
        for address, size, is_write in spans
        if is_write is writes and size
    ]
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)


def _core_granules(part: Any, writes: bool) -> Any:
    mine = part[(part[:, STORES] != 0) == writes]
    first, last = mine[:, ADDRESS] // GRANULE, (mine[:, ADDRESS] + mine[:, BYTES] - 1) // GRANULE
    return np.unique(np.concatenate([first, last, (first + last) // 2]))


def _pairs(order: Order, own: list[dict[int, Any]], work: list[list[Any]]) -> Any:
    """Pairs of accesses to the same bytes that follow each other in the run, one of them a write:
    agent and step of the first, node of the second."""
    walk = Walk(order, frozenset())
    touched: list[tuple[int, int, Any, Any]] = []
    for agent, step, device, number in walk.steps():
        reads = writes = np.zeros(0, np.int64)
        if device >= 0:
            item = work[device][number]
            spans = _job_spans(item) if isinstance(item, JobRecord) else item
            reads, writes = _granules(spans, False), _granules(spans, True)
        elif (part := own[agent].get(step)) is not None:
            reads, writes = _core_granules(part, False), _core_granules(part, True)
        touched.append((agent, step, reads, writes))
    places = np.unique(np.concatenate([t[i] for t in touched for i in (2, 3)]))
    slots = {slot: i for i, slot in enumerate(sorted({t[0] for t in touched}))}
    writer = np.full((len(places), 2), -1, np.int64)
    readers = np.zeros((len(slots), len(places)), np.int64)
    found: list[Any] = []
    for node, (agent, step, reads, writes) in enumerate(touched):
        mine, theirs = np.searchsorted(places, reads), np.searchsorted(places, writes)
        earlier = [writer[mine], writer[theirs]]
        for other, row in slots.items():
            seen = readers[row, theirs]
            earlier.append(np.stack([np.full(len(seen), other), seen], 1)[seen > 0])
            readers[row, theirs] = 0
        readers[slots[agent], mine] = step
        writer[theirs] = agent, step
        pairs = np.unique(np.concatenate(earlier), axis=0)
        pairs = pairs[(pairs[:, 0] >= 0) & (pairs[:, 0] != agent)]
        found.append(np.column_stack([pairs, np.full(len(pairs), node)]))
    return np.concatenate(found)


def _job_spans(job: JobRecord) -> list[Span]:
    operands = [(address, len(data), False) for address, data in job.operands]
    return operands + [(address, len(data), True) for address, data in job.results]
