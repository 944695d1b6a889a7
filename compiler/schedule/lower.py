"""The front door: a module in fused `transformer` form becomes a module of kernels and launches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from xdsl.dialects.builtin import BFloat16Type, ModuleOp

from softex_mlir.compiler.artifacts import CompiledModule, LaunchInfo
from softex_mlir.compiler.model import main_function
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, GEMM, memref_type
from softex_mlir.compiler.schedule.kernels.kernel import (
    SLOPES,
    WEIGHTS,
    X_LOADED,
    X_NEXT_READY,
    Kernel,
    KernelEmitter,
    element_type,
)
from softex_mlir.compiler.schedule.kernels.linear.geometry import X_SLOTS
from softex_mlir.compiler.schedule.kernels.linear.kernel import LinearKernel
from softex_mlir.compiler.schedule.l2_objects import Symbols
from softex_mlir.compiler.schedule.order import Task, order_tasks
from softex_mlir.compiler.schedule.scheduler import Scheduler
from softex_mlir.compiler.schedule.timeline import STREAM_LIST, Launch, Timeline
from softex_mlir.compiler.schedule.verify import verify_launches
from softex_mlir.compiler.target import check_target
from softex_mlir.dialects.cluster import GlobalKind, StreamKind
from softex_mlir.dialects.cluster_attributes import AddressAttr
from softex_mlir.dialects.cluster_program import GlobalOp, LaunchOp, ScheduleOp
from softex_mlir.dialects.memory import L2Space, TcdmSpace
from softex_mlir.dialects.target import set_machine
from softex_mlir.isa_sim.machine import Machine


def schedule_module(
    module: ModuleOp,
    machine: Machine,
    overrides: Mapping[str, Mapping[str, int]] | None = None,
) -> CompiledModule:
    """Tile, order and place a fused module (left unchanged) for a machine.

    `overrides` pins tiles: layer name to any of ``m``, ``n``, ``k``.

    Raises:
        UserError: the compiler has no program for the machine, or the model does not fit it.
    """
    check_target(machine)
    main = main_function(module)
    scheduler = Scheduler(machine, overrides or {})
    scheduler.run(main)
    timeline = Timeline(COMPUTE if machine.redmule is None else GEMM)
    place_tasks(scheduler, timeline)
    verify_launches(timeline.launches, timeline.engine)
    result = ModuleOp([])
    set_machine(result, machine)
    emit_globals(result, scheduler, machine)
    emit_program(result, timeline, scheduler.memory.symbols)
    return CompiledModule(
        result,
        machine,
        scheduler.inputs,
        scheduler.outputs,
        scheduler.memory.images,
        [launch_info(launch) for launch in timeline.launches],
        timeline.predicted_cycles(),
    )


def place_tasks(scheduler: Scheduler, timeline: Timeline) -> None:
    """Order the tasks and append them as launches."""
    stored: dict[int, int] = {}
    first_x = jobs = 0
    order = order_tasks(scheduler.tasks)
    served = [task for task in order if task.kernel.advances()[0]]
    following = {id(before): after for before, after in pairwise(served)}
    place = {id(task): number for number, task in enumerate(order)}
    loaded: dict[int, int] = {}

    def depends(task: Task) -> int | None:
        """Value of `dma_out`'s counter at which a task's operands are stored; None if a producer
        has no place yet."""
        values = [stored.get(id(producer)) for producer in task.feeders]
        return None if None in values else max((v for v in values if v is not None), default=0)

    for task in order:
        kernel = task.kernel
        addresses = task.addresses
        integers: dict[str, int] = {}
        if isinstance(kernel, LinearKernel):
            found = loaded.get(id(task), 0)
            if found == kernel.chunks:
                first_x = (first_x - found) % 2
            integers = {"first_w": jobs % 2, "first_x": first_x, X_LOADED: found}
            after = following.get(id(task))
            if after is not None and isinstance(after.kernel, LinearKernel):
                # waiting for what comes behind this launch would be waiting for itself
                ready = depends(after)
                passed = timeline.counters[STREAM_LIST.index(StreamKind.DMA_OUT)]
                between = order[place[id(task)] + 1 : place[id(after)]]
                if not any(kernel.touches_ring(other.kernel) for other in between):
                    loaded[id(after)] = _chunks_left(
                        task, after, ready is not None and ready <= passed
                    )
                if 0 < loaded.get(id(after), 0) < after.kernel.chunks:
                    kernel = replace(kernel, next_rows=after.kernel.m)
                    addresses = {**addresses, "x_next": after.addresses["x_l2"]}
                    integers[X_NEXT_READY] = ready or 0
            uses = kernel.uses(jobs % 2, first_x)
            first_x = (first_x + kernel.chunks) % 2
            jobs += kernel.jobs
        else:
            uses = kernel.uses()
        launch = timeline.add(
            kernel,
            addresses,
            layer=task.layer,
            operation=task.operation,
            uses=uses,
            integers=integers,
            depends=depends(task) or 0,
            macs=task.macs,
        )
        stored[id(task)] = launch.stored


def _chunks_left(before: Task, after: Task, ready: bool) -> int:
    """Chunks of X a launch of `linear` finds in its ring: all if the launch before had the same
    operand and the ring holds it, the first if that launch can load it ahead."""
    one, other = before.kernel, after.kernel
    if not isinstance(one, LinearKernel) or not isinstance(other, LinearKernel):
        return 0
    if not other.same_ring(one):
        return 0
    same = before.addresses["x_l2"] == after.addresses["x_l2"] and one.m == other.m
    if same and other.chunks <= X_SLOTS:
        return other.chunks
    return 1 if ready and one.can_load_ahead else 0


def emit_globals(module: ModuleOp, scheduler: Scheduler, machine: Machine) -> None:
    """`cluster.global` for everything in L2, and the constants in the TCDM."""
    block = module.body.block
    for region in scheduler.memory.regions:
        type_ = memref_type((region.rows, region.pitch), element_type(region.dtype), L2Space())
        block.add_op(GlobalOp(region.symbol, type_, region.kind))
    if machine.softex is None:
        return
    offset = scheduler.constants_offset
    for name, bits in ((SLOPES, machine.softex.slopes), (WEIGHTS, machine.softex.weights)):
        type_ = memref_type((len(bits),), BFloat16Type(), TcdmSpace())
        block.add_op(GlobalOp(name, type_, GlobalKind.CONSTANT, offset=offset, bits=bits))
        offset += 2 * len(bits) + 2 * (len(bits) % 2)


def emit_program(module: ModuleOp, timeline: Timeline, names: Symbols) -> None:
    """Kernels, each once, and the schedule. `names` are those of everything else."""
    waits: dict[Kernel, list[str]] = {}
    for launch in timeline.launches:
        arguments = waits.setdefault(launch.kernel, [])
        arguments += [name for name in launch.waits if name not in arguments]
    block = module.body.block
    symbols: dict[Kernel, str] = {}
    taken: dict[str, int] = {}
    for kernel, arguments in waits.items():
        count = taken.get(kernel.title, 0)
        taken[kernel.title] = count + 1
        title = kernel.title if count == 0 else f"{kernel.title}_{count}"
        symbols[kernel] = names.fresh(title, *(f"_{stream.value}" for stream in STREAM_LIST))
        block.add_op(KernelEmitter.open(kernel, symbols[kernel], arguments).op)
    block.add_op(
        ScheduleOp(
            [
                _launch_op(launch, symbols[launch.kernel], waits[launch.kernel])
                for launch in timeline.launches
            ]
        )
    )


def _launch_op(launch: Launch, symbol: str, waits: list[str]) -> LaunchOp:
    kernel = launch.kernel
    arguments: list[AddressAttr | int] = [
        AddressAttr(region.symbol, offset)
        for region, offset in (launch.addresses[operand.name] for operand in kernel.operands())
    ]
    arguments += [launch.integers[name] for name in kernel.integers()]
    arguments += [launch.waits.get(name, 0) for name in waits]
    return LaunchOp(symbol, arguments, launch.bases, launch.layer or launch.operation)


def launch_info(launch: Launch) -> LaunchInfo:
    """What reports say about a launch."""
    return LaunchInfo(
        launch.kernel.title,
        launch.layer,
        launch.operation,
        launch.kernel.cycles(),
        launch.macs,
    )
