"""`hoist-register-writes`: set a register once before a loop instead of in each iteration.

Where all writes of a register in a loop write one value that does not vary in it, the value is
also written before the loop; `elide-redundant-register-writes` then finds the writes in the loop
redundant. This is done for the DMA, whose descriptor persists, and for a RedMulE that is cleared
before every job: its soft clears are made to keep the registers, so that every job is programmed
into the same bank. Where a loop begins while a job runs, nothing may be written before it: what
the first job has set stays set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func, scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter
from xdsl.traits import is_side_effect_free

from softex_mlir.compiler.nested_operations import operations_in, operations_of
from softex_mlir.compiler.transforms.cluster.command_builder import (
    CommandBuilder,
    stream_functions,
)
from softex_mlir.compiler.transforms.registers.elide_redundant_register_writes import DESCRIPTOR
from softex_mlir.compiler.transforms.registers.expression_keys import (
    ExpressionKeys,
    compute_outside,
)
from softex_mlir.dialects.hwpe import DMA, DelayOp, ReadOp, WriteOp, job_registers
from softex_mlir.dialects.target import machine_of
from softex_mlir.isa_sim.units.redmule_unit import REDMULE

KEEP_REGISTERS = 1
"""A soft clear with any value but 0 keeps the job registers."""


def trip_count(loop: scf.ForOp, keys: ExpressionKeys) -> int | None:
    """Iterations of a loop where they are known."""
    bounds = [keys.key(value) for value in (loop.lb, loop.ub, loop.step)]
    if not all(isinstance(bound, int) for bound in bounds):
        return None
    lower, upper, step = (bound for bound in bounds if isinstance(bound, int))
    return len(range(lower, upper, step)) if step > 0 else None


def writes_of(loop: Operation, unit: str) -> dict[str, list[WriteOp]]:
    """The writes to a unit in a loop, by register."""
    writes: dict[str, list[WriteOp]] = {}
    for op in operations_of(loop, WriteOp):
        if op.unit.data == unit:
            writes.setdefault(op.register.data, []).append(op)
    return writes


def invariant_writes(
    writes: dict[str, list[WriteOp]], registers: frozenset[str], loop: Operation
) -> list[WriteOp]:
    """One write for each register that the loop always sets to the same value."""
    keys = ExpressionKeys()
    return [
        group[0]
        for register, group in writes.items()
        if register in registers
        and len({keys.key(op.value) for op in group}) == 1
        and not keys.varies_in(group[0].value, loop)
    ]


def is_written_before(loop: Operation, write: WriteOp) -> bool:
    """Whether the last thing done to the register in front of the loop is this write."""
    keys = ExpressionKeys()
    previous = loop.prev_op
    while isinstance(previous, WriteOp) or (previous is not None and is_side_effect_free(previous)):
        if isinstance(previous, WriteOp) and previous.name_in_unit == write.name_in_unit:
            return keys.key(previous.value) == keys.key(write.value)
        previous = previous.prev_op
    return False


def write_before(loop: Operation, writes: list[WriteOp], to: CommandBuilder) -> None:
    """Write the same in front of the loop, unless a pass before did."""
    for op in writes:
        if is_written_before(loop, op):
            continue
        value = compute_outside(op.value, loop, to)
        to.write(op.unit.data, op.register.data, value)


def is_idle_around(function: func.FuncOp) -> bool:
    """Whether every RedMulE job is waited for in the block that triggers it, before all else."""
    for op in operations_in(function):
        if not isinstance(op, WriteOp) or op.name_in_unit != (REDMULE.name, "TRIGGER"):
            continue
        following = op.next_op
        while following is not None and not following.regions:
            following = following.next_op
        if not isinstance(following, scf.WhileOp) or not any(
            isinstance(inner, ReadOp) and inner.name_in_unit == (REDMULE.name, "STATUS")
            for inner in operations_in(following)
        ):
            return False
    return True


def keep_registers(clears: list[WriteOp]) -> None:
    """Make soft clears keep the job registers."""
    keys = ExpressionKeys()
    for clear in clears:
        if keys.key(clear.value) == KEEP_REGISTERS:
            continue
        clear.operands[0] = CommandBuilder.before(clear).constant(KEEP_REGISTERS)
        # Only after a clear that wipes the registers does the next write have to wait.
        if isinstance(clear.next_op, DelayOp):
            Rewriter.erase_op(clear.next_op)


def hoist_redmule(loop: scf.ForOp, iterations: int) -> None:
    """Keep the registers over the clears and set those that do not vary once."""
    writes = writes_of(loop, REDMULE.name)
    registers = job_registers(REDMULE.name) - {"MACFG"}
    invariant = invariant_writes(writes, registers, loop)
    keys = ExpressionKeys()
    if all(keys.key(op.value) == KEEP_REGISTERS for op in writes.get("SOFT_CLEAR", ())):
        return  # none, or done before
    # An added clear and the writes in front of the loop against those saved in it.
    if (iterations - 1) * len(invariant) <= 1:
        return
    keep_registers(writes["SOFT_CLEAR"])
    to = CommandBuilder.before(loop)
    to.write(REDMULE.name, "SOFT_CLEAR", KEEP_REGISTERS)
    write_before(loop, invariant, to)


def hoist_dma(loop: scf.ForOp, iterations: int) -> None:
    """Set what all transfers of the loop share once."""
    writes = writes_of(loop, DMA)
    invariant = invariant_writes(writes, DESCRIPTOR, loop)
    if iterations > 1:
        write_before(loop, invariant, CommandBuilder.before(loop))


def innermost_loops(function: func.FuncOp) -> list[scf.ForOp]:
    """Loops without loops inside."""
    loops = operations_of(function, scf.ForOp)
    around = {id(outer) for loop in loops for outer in _loops_around(loop)}
    return [loop for loop in loops if id(loop) not in around]


def _loops_around(loop: scf.ForOp) -> Iterator[Operation]:
    outer = loop.parent_op()
    while outer is not None:
        if isinstance(outer, scf.ForOp):
            yield outer
        outer = outer.parent_op()


@dataclass(frozen=True)
class HoistRegisterWritesPass(ModulePass):
    """Writes registers that do not vary in a loop before it too."""

    name = "hoist-register-writes"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Hoist in all stream functions of the module."""
        redmule = machine_of(op).redmule
        cleared = redmule is not None and redmule.requires_soft_clear
        for function, _ in stream_functions(op):
            units = {op.unit.data for op in operations_of(function, WriteOp)}
            if not units & {DMA, REDMULE.name}:
                continue
            idle = cleared and REDMULE.name in units and is_idle_around(function)
            for loop in innermost_loops(function):
                iterations = trip_count(loop, ExpressionKeys()) or 0
                hoist_dma(loop, iterations)
                if idle:
                    hoist_redmule(loop, iterations)
            clears = writes_of(function, REDMULE.name).get("SOFT_CLEAR", [])
            if cleared and not idle and len(clears) > 1:
                # jobs go from iteration to iteration, the first one's registers with them
                keep_registers(clears)
