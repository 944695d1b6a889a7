"""The front door: a module in fused `transformer` form becomes a module of kernels and launches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from xdsl.dialects.builtin import BFloat16Type, ModuleOp
from xdsl.dialects.func import FuncOp

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.model import entry_functions
from softex_mlir.compiler.nested_operations import operations_in
from softex_mlir.compiler.schedule.kernels.emitter import memref_type
from softex_mlir.compiler.schedule.kernels.kernel import (
    SLOPES,
    WEIGHTS,
    Kernel,
    KernelEmitter,
    element_type,
)
from softex_mlir.compiler.schedule.l2_objects import Symbols
from softex_mlir.compiler.schedule.launches import launch_tasks
from softex_mlir.compiler.schedule.plan import constants_offset, tables_of, tables_offset
from softex_mlir.compiler.schedule.repeats import end_of, expect_repeated
from softex_mlir.compiler.schedule.replay import Expected, Launched, replay
from softex_mlir.compiler.schedule.scheduler import Scheduled, schedule_entries
from softex_mlir.compiler.schedule.search.capacity import CapacityError
from softex_mlir.compiler.schedule.timeline import STREAM_LIST, Launch
from softex_mlir.compiler.schedule.verify import verify_launches
from softex_mlir.compiler.target import check_target
from softex_mlir.dialects.cluster import GlobalKind
from softex_mlir.dialects.cluster_attributes import AddressAttr
from softex_mlir.dialects.cluster_globals import GlobalOp
from softex_mlir.dialects.cluster_program import KernelOp
from softex_mlir.dialects.cluster_schedule import LaunchOp, ScheduleOp
from softex_mlir.dialects.memory import L2Space, TcdmSpace
from softex_mlir.dialects.target import set_machine
from softex_mlir.isa_sim.machine import Machine

LEAST_PLANNED = 256 * 1024
"""Machines with more TCDM, in bytes, are planned for with this much, too, and its doubles."""

UNIT_DIALECTS = ("redmule.", "softex.")
"""Their verifiers know the jobs that a unit drops or gets wrong: none leaves the scheduler."""


def schedule_module(
    module: ModuleOp,
    machine: Machine,
    overrides: Mapping[str, Mapping[str, int]] | None = None,
) -> ModuleOp:
    """Tile, order and place a fused module (left unchanged) for a machine.

    `overrides` pins tiles: layer name to any of ``m``, ``n``, ``k``.

    Raises:
        UserError: the compiler has no program for the machine, or the model does not fit it.
    """
    check_target(machine)
    planned = plan(entry_functions(module), machine, overrides or {})
    result = ModuleOp([])
    set_machine(result, machine)
    emit_globals(result, planned.entries, machine)
    emit_tables(result, module, machine)
    emit_program(result, planned)
    for op in operations_in(result):
        if op.name.startswith(UNIT_DIALECTS):
            op.verify()
    return result


@dataclass(frozen=True)
class Planned:
    """A model's launches, and when they will run, by entry."""

    entries: Sequence[Scheduled]
    launches: Sequence[Sequence[Launch]]
    kernels: Mapping[Kernel, EmittedKernel]
    expected: Sequence[Sequence[Expected]]

    @property
    def cycles(self) -> int:
        """Predicted, of all entries."""
        return sum(map(end_of, self.expected))


def plan(
    functions: Mapping[str, FuncOp], machine: Machine, overrides: Mapping[str, Mapping[str, int]]
) -> Planned:
    """Schedule for a machine as it is, or as if it had less TCDM where that is predicted faster.

    Long transfers and long last tiles hide behind nothing: what more memory allows may be slower.

    Raises:
        UserError: the model does not fit the machine.
    """
    best = _plan(functions, machine, overrides)
    for size in smaller_tcdms(machine):
        try:
            other = _plan(functions, machine.with_tcdm_bytes(size), overrides)
        except CapacityError:
            continue
        if other.cycles < best.cycles:
            best = other
    return best


def smaller_tcdms(machine: Machine) -> Iterator[int]:
    """Sizes in bytes to plan for, too, the largest first."""
    size = LEAST_PLANNED
    while 2 * size < machine.cluster.tcdm_bytes:
        size *= 2
    while LEAST_PLANNED <= size < machine.cluster.tcdm_bytes:
        yield size
        size //= 2


def _plan(
    functions: Mapping[str, FuncOp], machine: Machine, overrides: Mapping[str, Mapping[str, int]]
) -> Planned:
    entries = schedule_entries(functions, machine, overrides)
    timelines = [launch_tasks(scheduled.tasks) for scheduled in entries]
    for timeline in timelines:
        verify_launches(timeline.launches)
    launches = [timeline.launches for timeline in timelines]
    kernels = emit_kernels(list(chain(*launches)), entries[0].memory.symbols)
    expected = [expect(each, kernels, machine) for each in launches]
    return Planned(entries, launches, kernels, expected)


def emit_globals(module: ModuleOp, entries: Sequence[Scheduled], machine: Machine) -> None:
    """`cluster.global` for everything in L2, and the constants in the TCDM."""
    block = module.body.block
    memory = entries[0].memory
    ports = {port.symbol: port for each in entries for port in (*each.inputs, *each.outputs)}
    weights = memory.weights
    for region in memory.regions:
        type_ = memref_type((region.rows, region.pitch), element_type(region.dtype), L2Space())
        op = GlobalOp(region.symbol, type_, region.kind)
        if (port := ports.get(region.symbol)) is not None:
            op = GlobalOp(
                *(region.symbol, type_, region.kind),
                tensor=port.name,
                shape=port.shape,
                limit=port.limit,
                values=port.values,
            )
        elif (weight := weights.get(region.symbol)) is not None and weight.name is not None:
            layout = weight.layout
            op = GlobalOp(
                *(region.symbol, type_, region.kind),
                tensor=weight.name,
                shape=weight.shape,
                tiles=(layout.inner, layout.columns) if layout.kind == "tiled" else None,
            )
        block.add_op(op)
    if machine.softex is None:
        return
    offset = constants_offset(machine)
    for name, bits in ((SLOPES, machine.softex.slopes), (WEIGHTS, machine.softex.weights)):
        type_ = memref_type((len(bits),), BFloat16Type(), TcdmSpace())
        block.add_op(GlobalOp(name, type_, GlobalKind.CONSTANT, offset=offset, bits=bits))
        offset += 2 * len(bits) + 2 * (len(bits) % 2)


def emit_tables(module: ModuleOp, source: ModuleOp, machine: Machine) -> None:
    """The tables of the cores' functions in the TCDM."""
    offset = tables_offset(machine)
    for table in tables_of(source):
        module.body.block.add_op(
            GlobalOp(
                table.symbol, table.type, GlobalKind.CONSTANT, offset=offset, bits=table.words()
            )
        )
        offset += round_up(table.bytes, 64)


def emit_program(module: ModuleOp, planned: Planned) -> None:
    """Kernels, each once, and the schedule of every entry."""
    kernels = planned.kernels
    block = module.body.block
    block.add_ops(emitted.op for emitted in kernels.values())
    for scheduled, launches, expected in zip(
        planned.entries, planned.launches, planned.expected, strict=True
    ):
        block.add_op(
            ScheduleOp(
                [
                    _launch_op(launch, kernels[launch.kernel], what)
                    for launch, what in zip(launches, expected, strict=True)
                ],
                end_of(expected),
                scheduled.entry,
                [port.symbol for port in (*scheduled.inputs, *scheduled.outputs)],
            )
        )


@dataclass(frozen=True)
class EmittedKernel:
    """A kernel's operation, and the waits among its arguments."""

    op: KernelOp
    waits: Sequence[str]

    def integers(self, launch: Launch) -> list[int]:
        """A launch's arguments behind its addresses."""
        found = [launch.integers[name] for name in launch.kernel.integers()]
        return found + [launch.waits.get(name, 0) for name in self.waits]


def emit_kernels(launches: Sequence[Launch], names: Symbols) -> dict[Kernel, EmittedKernel]:
    """The kernels of launches, each once, in order."""
    waits: dict[Kernel, list[str]] = {}
    for launch in launches:
        arguments = waits.setdefault(launch.kernel, [])
        arguments += [name for name in launch.waits if name not in arguments]
    found: dict[Kernel, EmittedKernel] = {}
    taken: dict[str, int] = {}
    for kernel, arguments in waits.items():
        count = taken.get(kernel.title, 0)
        taken[kernel.title] = count + 1
        title = kernel.title if count == 0 else f"{kernel.title}_{count}"
        symbol = names.fresh(title, *(f"_{stream.value}" for stream in STREAM_LIST))
        found[kernel] = EmittedKernel(KernelEmitter.open(kernel, symbol, arguments).op, arguments)
    return found


def expect(
    launches: Sequence[Launch], kernels: Mapping[Kernel, EmittedKernel], machine: Machine
) -> Sequence[Expected]:
    """When launches will run, and for how long."""
    return expect_repeated(launches, partial(_replayed, kernels, machine))


def _replayed(
    kernels: Mapping[Kernel, EmittedKernel], machine: Machine, launches: Sequence[Launch]
) -> Sequence[Expected]:
    if not launches:
        return ()
    walked: list[Launched] = []
    for launch in launches:
        emitted = kernels[launch.kernel]
        addresses = [0] * len(launch.kernel.operands())
        values = (*launch.bases, *addresses, *emitted.integers(launch))
        walked.append(Launched(emitted.op, values))
    return replay(walked, machine)


def _launch_op(launch: Launch, emitted: EmittedKernel, expected: Expected) -> LaunchOp:
    kernel = launch.kernel
    arguments: list[AddressAttr | int] = [
        AddressAttr(region.symbol, offset)
        for region, offset in (launch.addresses[operand.name] for operand in kernel.operands())
    ]
    return LaunchOp(
        emitted.op.sym_name.data,
        [*arguments, *emitted.integers(launch)],
        *(launch.bases, launch.layer or launch.operation),
        operation=launch.operation,
        cycles=expected.busy,
        macs=launch.macs,
        spans=[cycle for span in expected.spans for cycle in span],
        moved=kernel.moved_bytes(),
    )
