"""How long a core takes for the team's code: operation by operation, as the back end spells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from xdsl.dialects import scf
from xdsl.dialects.builtin import IndexType
from xdsl.ir import Block, Operation
from xdsl.transforms.canonicalization_patterns.utils import const_evaluate_operand

from softex_mlir.isa_sim.machine import Machine


@dataclass(frozen=True)
class Cost:
    """Of code that one core executes.

    Attributes:
        cycles: executing it, with its code at hand and the TCDM to itself.
        accesses: to the TCDM.
        code: instructions it consists of.
    """

    cycles: float = 0.0
    accesses: float = 0.0
    code: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.cycles + other.cycles, self.accesses + other.accesses, self.code + other.code
        )

    def times(self, count: int) -> Cost:
        """Executed so often."""
        return Cost(self.cycles * count, self.accesses * count, self.code)


ACCESS = frozenset({"memref.load", "memref.store", "vector.load", "vector.store"})
FREE = frozenset(
    {
        *("arith.constant", "arith.index_cast", "scf.yield", "cluster.team_index"),
        *("vector.extract", "vector.broadcast"),
    }
)
PACKED = ("vector.broadcast", "vector.insert")
"""What becomes one instruction together with the conversions to BF16 before it."""
MOVED = ACCESS | FREE | {"vector.shuffle"}
"""Operations of loops that only move data: their accesses move the pointers on."""
WALK = 2.0
"""Pointers that move on in an iteration, on average."""


@dataclass(frozen=True)
class Bodies:
    """Costs of code on a machine's cores."""

    machine: Machine

    def block(self, block: Block, *, inner: bool = False) -> Cost:
        """Of the operations of a block."""
        total = Cost()
        for op in block.ops:
            total += self.of(op, inner)
        return total

    def of(self, op: Operation, inner: bool) -> Cost:
        """Of an operation."""
        core = self.machine.core
        if isinstance(op, scf.ForOp):
            return self._loop(op)
        if isinstance(op, scf.IfOp):
            return self._choice(op, inner)
        if op.name in FREE or _joined(op):
            return Cost()
        if op.name in ACCESS:
            return Cost(1, 1, 1)
        if op.name == "arith.divf":
            return Cost(core.fdiv_latency + 1, 0, 1)
        if op.name == "math.sqrt":
            return Cost(core.fsqrt_latency + 1, 0, 1)
        if _indexes(op):
            # inside a loop, addresses are pointers that move on
            return Cost() if inner else Cost(1, 0, 1)
        return Cost(1 + self._stall(op), 0, 1)

    def _loop(self, op: scf.ForOp) -> Cost:
        body = op.body.block
        trips = trip_count(op)
        innermost = not any(isinstance(each, scf.ForOp) for each in body.ops)
        moved = all(each.name in MOVED or _indexes(each) for each in body.ops)
        walk = 0.0 if innermost and moved else WALK if innermost else 4.0
        return (self.block(body, inner=True) + Cost(walk, 0, 2)).times(trips) + Cost(3, 0, 3)

    def _choice(self, op: scf.IfOp, inner: bool) -> Cost:
        """The first side: rows out of the ordinary take the other."""
        found = self.block(op.true_region.block, inner=inner)
        return found + Cost(self.machine.core.branch_taken_cycles, 0, 2)

    def _stall(self, op: Operation) -> float:
        """A result used by the next instruction is waited for."""
        following = op.next_op
        while following is not None and following.name in FREE:
            following = following.next_op
        if following is None or not any(result in following.operands for result in op.results):
            return 0.0
        return float(self.machine.core.fp_latency)


def trip_count(op: scf.ForOp) -> int:
    """Iterations of a loop; 1 if its bounds are not constants."""
    bounds = [const_evaluate_operand(value) for value in (op.lb, op.ub, op.step)]
    if any(bound is None for bound in bounds):
        return 1
    lower, upper, step = cast("list[int]", bounds)
    return max(0, -(-(upper - lower) // step))


def _indexes(op: Operation) -> bool:
    return bool(op.results) and all(isinstance(result.type, IndexType) for result in op.results)


def _joined(op: Operation) -> bool:
    """Whether an instruction does the operation together with what uses its result."""
    users = [use.operation.name for result in op.results for use in result.uses]
    if op.name == "arith.negf":
        return all(user == "math.fma" for user in users)
    return op.name == "arith.truncf" and all(user in PACKED for user in users)
