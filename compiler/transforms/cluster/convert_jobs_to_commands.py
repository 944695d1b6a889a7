"""`convert-jobs-to-commands`: jobs of RedMulE and SoftEx become register accesses.

RedMulE takes one job at a time and needs a soft clear before each. SoftEx has two contexts; a job
is programmed as soon as one is free and runs after the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter
from xdsl.transforms.canonicalization_patterns.utils import const_evaluate_operand

from softex_mlir.compiler.nested_operations import operations_in
from softex_mlir.compiler.transforms.cluster.command_builder import (
    CommandBuilder,
    stream_functions,
    take_tokens,
    take_waits_before,
)
from softex_mlir.dialects import redmule, softex
from softex_mlir.dialects.cluster import AdvanceOp, AwaitOp, WaitForOp
from softex_mlir.dialects.hwpe import DelayOp
from softex_mlir.dialects.target import machine_of
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.redmule import RedMulEJob
from softex_mlir.isa_sim.units.redmule_unit import REDMULE
from softex_mlir.isa_sim.units.softex_jobs import SOFT_CLEAR_CYCLES, Command
from softex_mlir.isa_sim.units.softex_unit import SOFTEX

INDEX_SHIFT = 16
"""COMMANDS bits 31:16: state slot, or number of terms of a sum of exponentials."""

JOB_ID_BITS = 8


def convert_gemm(op: redmule.GemmOp, machine: Machine) -> None:
    """Clear, write the six registers, MACFG last because it starts the tiler, trigger.

    The tiler works while the core waits for the operands, and counts the job before if it may.
    """
    unit = machine.redmule
    assert unit is not None
    counted = (AdvanceOp,) if op.counts_meanwhile else ()
    waits = take_waits_before(op, (WaitForOp, *counted))
    to = CommandBuilder.before(op)
    m, n, k = op.sizes
    addresses = {
        "X_ADDR": to.address(op.x, op.x_indices),
        "W_ADDR": to.address(op.w, op.w_indices),
        "Z_ADDR": to.address(op.z, op.z_indices),
    }
    if unit.requires_soft_clear:
        to.write(REDMULE.name, "SOFT_CLEAR", 0)
        # The access of the next write itself takes the peripheral latency.
        rest = unit.soft_clear_cycles - machine.cluster.peripheral_latency_cycles
        if rest > 0:
            to.insert(DelayOp(rest))
        job = to.constant(0)
    else:
        job = acquire(to, REDMULE.name)
    for register, address in addresses.items():
        to.write(REDMULE.name, register, address)
    sizes = RedMulEJob(0, 0, 0, m, n, k).registers()
    for register in ("MCFG0", "MCFG1", "MACFG"):
        to.write(REDMULE.name, register, sizes[register])
    to.insert_all(waits)
    to.write(REDMULE.name, "TRIGGER", 0)
    Rewriter.replace_op(op, (), (job,))


def acquire(to: CommandBuilder, unit: str) -> SSAValue:
    """Take a context, waiting for one to become free; returns the job's number."""

    def taken(check: CommandBuilder) -> tuple[SSAValue, Sequence[SSAValue]]:
        job = check.read(unit, "ACQUIRE")
        return check.compare(job, "slt", 0), (job,)

    return to.sleep_while(taken)[0]


def drain(to: CommandBuilder, unit: str) -> None:
    """Wait until the unit is idle."""

    def busy(check: CommandBuilder) -> tuple[SSAValue, Sequence[SSAValue]]:
        return check.compare(check.read(unit, "STATUS"), "ne", 0), ()

    to.sleep_while(busy)


def wait_for_job(to: CommandBuilder, unit: str, job: SSAValue) -> None:
    """Wait until more jobs are finished than a job's number (modulo 256)."""
    shift = 32 - JOB_ID_BITS

    def unfinished(check: CommandBuilder) -> tuple[SSAValue, Sequence[SSAValue]]:
        ahead = check.subtract(check.read(unit, "RUNNING_JOB"), job)
        # Shifted to the top, the sign is that of the difference of two job numbers.
        distance = check.insert(arith.ShLIOp(ahead, check.constant(shift))).result
        return check.compare(distance, "sle", 0), ()

    to.sleep_while(unfinished)


def start_softex(
    op: Operation,
    registers: Mapping[str, tuple[SSAValue, Sequence[SSAValue]]],
    length: int,
    commands: SSAValue | int,
    slot: SSAValue | None = None,
    *,
    alone: bool = False,
    early: bool = False,
) -> None:
    """Take a context, write the registers that the job uses, trigger.

    The write to COMMANDS requests the job's slot. `alone`: when the unit is idle. `early`: at once,
    when the job before has just begun, so that the slot is there long before that one ends.
    """
    to = CommandBuilder.before(op)
    word = commands if slot is None else with_slot(to, commands, slot)
    # Addresses first: the context is programmed without detours.
    addresses = {register: to.address(*place) for register, place in registers.items()}
    job = acquire(to, SOFTEX.name)
    if early:
        to.write(SOFTEX.name, "COMMANDS", word)
    for register, address in addresses.items():
        to.write(SOFTEX.name, register, address)
    to.write(SOFTEX.name, "TOT_LEN", 2 * length)
    if alone:
        drain(to, SOFTEX.name)
    if not early:
        to.write(SOFTEX.name, "COMMANDS", word)
    to.write(SOFTEX.name, "TRIGGER", 0)
    Rewriter.replace_op(op, (), (job,))


def with_slot(to: CommandBuilder, commands: SSAValue | int, slot: SSAValue) -> SSAValue:
    """COMMANDS with the number of a state slot."""
    return to.add(to.multiply(to.word(slot), 1 << INDEX_SHIFT), commands)


def accumulation(to: CommandBuilder, op: softex.AccumulateOp) -> SSAValue | int:
    """COMMANDS of an accumulation but for its slot; the same code for all chunks of a row.

    So that what programs a job behind one that is under way has run before, on first chunks, which
    load no state: no miss in the instruction cache delays the request of a slot.
    """
    chunks = const_evaluate_operand(op.chunks)
    if chunks == 1:
        return int(Command.ACC_ONLY | Command.ACQUIRE_SLOT | Command.LAST)
    chunk, common = to.word(op.chunk), int(Command.ACC_ONLY)
    last = to.add(to.word(op.chunks), -1) if chunks is None else chunks - 1
    ends = to.select(to.compare(chunk, "eq", last), common | Command.LAST, common)
    return to.select(to.compare(chunk, "eq", 0), common | Command.ACQUIRE_SLOT, ends)


def convert_open_slots(op: softex.OpenSlotsOp, machine: Machine) -> None:
    """A soft clear empties the slots; a job without operation sets the spill area's address."""
    to = CommandBuilder.before(op)
    to.write(SOFTEX.name, "SOFT_CLEAR", 0)
    rest = SOFT_CLEAR_CYCLES - machine.cluster.peripheral_latency_cycles
    if rest > 0:
        to.insert(DelayOp(rest))
    address = to.address(op.spill, ())
    acquire(to, SOFTEX.name)
    to.write(SOFTEX.name, "COMMANDS", int(Command.NO_OP | Command.SET_CACHE_ADDR))
    to.write(SOFTEX.name, "CACHE_BASE_ADDR", address)
    to.write(SOFTEX.name, "TRIGGER", 0)
    Rewriter.erase_op(op)


def convert_softex(op: Operation, machine: Machine) -> None:
    """Convert an operation of the softex dialect.

    The published unit may take the slot of a job in flight away for another one. Divisions only
    read theirs when they begin; jobs that change their slot when they end are alone in the unit.
    """
    in_order = machine.softex is not None and machine.softex.checked_slots
    match op:
        case softex.SoftmaxOp():
            places = {"IN_ADDR": (op.x, op.x_indices), "OUT_ADDR": (op.y, op.y_indices)}
            start_softex(op, places, op.length.value.data, 0)
        case softex.SumOfExponentialsOp():
            places = {
                "IN_ADDR": (op.x, op.x_indices),
                "OUT_ADDR": (op.y, op.y_indices),
                "A_ADDR": (op.slopes, op.slopes_indices),
                "B_ADDR": (op.weights, op.weights_indices),
            }
            commands = op.terms.value.data << INDEX_SHIFT | Command.GELU_MODE
            start_softex(op, places, op.length.value.data, commands)
        case softex.AccumulateOp():
            places = {"IN_ADDR": (op.x, op.x_indices)}
            commands = accumulation(CommandBuilder.before(op), op)
            early = op.queued is not None
            alone = not in_order and not early
            length = op.length.value.data
            start_softex(op, places, length, commands, op.slot, alone=alone, early=early)
        case softex.DivideOp():
            places = {"IN_ADDR": (op.x, op.x_indices), "OUT_ADDR": (op.y, op.y_indices)}
            commands = Command.DIV_ONLY | (Command.LAST if op.last else 0)
            alone = op.last is not None and not in_order
            start_softex(op, places, op.length.value.data, commands, op.slot, alone=alone)
        case softex.OpenSlotsOp():
            convert_open_slots(op, machine)
        case softex.DrainOp():
            drain(CommandBuilder.before(op), SOFTEX.name)
            Rewriter.erase_op(op)
        case _:
            pass


def convert_await(op: AwaitOp, worker: str, machine: Machine) -> None:
    """Wait for the job; RedMulE without a queue is idle then."""
    to = CommandBuilder.before(op)
    if worker == SOFTEX.name:
        wait_for_job(to, SOFTEX.name, op.token)
    elif machine.redmule is None or machine.redmule.requires_soft_clear:
        drain(to, REDMULE.name)
    else:
        wait_for_job(to, REDMULE.name, op.token)
    Rewriter.erase_op(op)


def convert_function(function: func.FuncOp, machine: Machine) -> None:
    """Convert all jobs of a function."""
    operations = operations_in(function)
    for op, worker in take_tokens(function, (REDMULE.name, SOFTEX.name)):
        convert_await(op, worker, machine)
    for op in operations:
        if isinstance(op, redmule.GemmOp):
            convert_gemm(op, machine)
        elif op.name.startswith("softex."):
            convert_softex(op, machine)


@dataclass(frozen=True)
class ConvertJobsToCommandsPass(ModulePass):
    """Lowers the redmule and softex dialects and the waits for their jobs."""

    name = "convert-jobs-to-commands"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Convert all stream functions of the module."""
        machine = machine_of(op)
        for function, _ in stream_functions(op):
            convert_function(function, machine)
