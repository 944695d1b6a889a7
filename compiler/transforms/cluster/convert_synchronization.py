"""`convert-synchronization`: counters, barriers and the events cores sleep on.

Runs after the other conversions to register accesses: from what a function polls it knows which
events to unmask, once at its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func, scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from softex_mlir import abi
from softex_mlir.compiler.nested_operations import operations_of
from softex_mlir.compiler.transforms.cluster.command_builder import (
    CommandBuilder,
    stream_functions,
)
from softex_mlir.dialects.cluster import (
    STREAMS,
    AdvanceOp,
    BarrierOp,
    CoreIdOp,
    StreamKind,
    WaitForOp,
)
from softex_mlir.dialects.hwpe import DMA, EVENT_UNIT, TIMELINE, ReadOp, WaitOp
from softex_mlir.dialects.target import machine_of, team_cores
from softex_mlir.isa_sim.units import event_unit, registry

ALL_CORES = 0
"""Target mask of a software event that reaches everybody."""


def convert_wait_for(op: WaitForOp) -> None:
    """Sleep while the counter is below the value."""
    to = CommandBuilder.before(op)
    value = to.word(op.value)
    register = op.stream.data.name

    def behind(check: CommandBuilder) -> tuple[SSAValue, Sequence[SSAValue]]:
        counter = check.read(TIMELINE, register)
        return check.compare(counter, "slt", value), ()

    to.sleep_while(behind)
    Rewriter.erase_op(op)


def insert_barrier(to: CommandBuilder, team: range) -> None:
    """Arrive at the team's barrier and sleep until all have; one core need not."""
    if len(team) > 1:
        to.insert(WaitOp(f"BARRIER_{abi.TEAM_BARRIER}_TRIGGER_WAIT_CLEAR"))


def insert_advance(to: CommandBuilder, stream: StreamKind, op: AdvanceOp) -> None:
    """Only the stream itself writes its counter, so no atomic access is needed."""
    steps = op.count if op.computed is None else to.word(op.computed)
    counter = to.read(TIMELINE, stream.name)
    to.write(TIMELINE, stream.name, to.add(counter, steps))
    to.write(EVENT_UNIT, f"SW_EVENT_{STREAMS.index(stream)}", ALL_CORES)


def convert_advance(op: AdvanceOp, stream: StreamKind, team: range) -> None:
    """In the team: meet, then the leader advances."""
    to = CommandBuilder.before(op)
    if stream is not StreamKind.COMPUTE:
        insert_advance(to, stream, op)
    else:
        insert_barrier(to, team)
        body = Block()
        insert_advance(CommandBuilder(InsertPoint.at_end(body)), stream, op)
        body.add_op(scf.YieldOp())
        leads = to.compare(to.insert(CoreIdOp()).core, "eq", team.start)
        to.insert(scf.IfOp(leads, (), Region(body)))
    Rewriter.erase_op(op)


def events_of(op: Operation) -> int:
    """The events that may end a wait for what an operation checks, as a bit set."""
    if not isinstance(op, ReadOp | WaitOp):
        return 0
    unit, register = op.name_in_unit
    if isinstance(op, WaitOp):
        return 1 << event_unit.EVENT_BARRIER if "BARRIER" in register else 0
    if unit == TIMELINE:
        return 1 << STREAMS.index(StreamKind[register])
    if unit == DMA:
        return 1 << event_unit.EVENT_DMA
    return 0 if unit == EVENT_UNIT else 1 << registry.unit(unit).event


def unmask_events(function: func.FuncOp, stream: StreamKind) -> None:
    """Let the events through that the function sleeps on; its own counter is not one of them."""
    events = 0
    sleeps = False
    for op in operations_of(function, ReadOp, WaitOp):
        events |= events_of(op)
        sleeps = sleeps or isinstance(op, WaitOp)
    events &= ~(1 << STREAMS.index(stream))
    if sleeps:
        to = CommandBuilder(InsertPoint.at_start(function.body.block))
        to.write(EVENT_UNIT, "MASK", events)


def convert_function(function: func.FuncOp, stream: StreamKind, team: range) -> None:
    """Convert all synchronisation of a function."""
    for op in operations_of(function, WaitForOp, AdvanceOp, BarrierOp):
        if isinstance(op, WaitForOp):
            convert_wait_for(op)
        elif isinstance(op, AdvanceOp):
            convert_advance(op, stream, team)
        else:
            insert_barrier(CommandBuilder.before(op), team)
            Rewriter.erase_op(op)
    unmask_events(function, stream)


@dataclass(frozen=True)
class ConvertSynchronizationPass(ModulePass):
    """Lowers cluster.wait_for, advance and barrier."""

    name = "convert-synchronization"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Convert all stream functions of the module."""
        team = team_cores(machine_of(op))
        for function, stream in stream_functions(op):
            convert_function(function, stream, team)
