"""How long a core takes for the team's code: operation by operation, as the back end spells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import FixedBitwidthType, IndexType, IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from softex_mlir.compiler.schedule.replay.numbers import number_of, steers
from softex_mlir.dialects.memory import AnyMemRef
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
REACH = 2047
"""Bytes behind its pointer that an access reaches."""


Known = Mapping[SSAValue, int]
"""Numbers of values: of the variables that decide what is executed."""


@dataclass(frozen=True)
class Bodies:
    """Costs of code on a machine's cores."""

    machine: Machine

    def block(self, block: Block, known: Known, *, inner: bool = False) -> Cost:
        """Of the operations of a block."""
        total = Cost()
        for op in block.ops:
            total += self.of(op, known, inner)
        return total

    def of(self, op: Operation, known: Known, inner: bool) -> Cost:
        """Of an operation."""
        core = self.machine.core
        if isinstance(op, scf.ForOp):
            return self._loop(op, known)
        if isinstance(op, scf.IfOp):
            return self._choice(op, known, inner)
        if op.name in FREE or _joined(op):
            return Cost()
        if op.name in ACCESS:
            return Cost(1, 1, 1)
        if op.name == "vector.shuffle" and _is_number(op):
            # what integer registers hold is moved just before it is used
            return Cost(2 + core.fp_latency, 0, 2)
        if op.name == "arith.divf":
            return Cost(core.fdiv_latency + 1, 0, 1)
        if op.name == "math.sqrt":
            return Cost(core.fsqrt_latency + 1, 0, 1)
        if _indexes(op):
            # inside a loop, addresses are pointers that move on
            return Cost() if inner else Cost(1, 0, 1)
        return Cost(1 + self._stall(op), 0, 1)

    def _loop(self, op: scf.ForOp, known: Known) -> Cost:
        body, trips = op.body.block, _trips(op, known)
        innermost = not any(isinstance(each, scf.ForOp) for each in body.ops)
        moved = all(each.name in MOVED or _indexes(each) for each in body.ops)
        walk = Cost(0.0 if innermost and moved else _walk(op) if innermost else 4.0, 0, 2)
        begin, variable = Cost(3, 0, 3), body.args[0]
        if not steers(variable):
            return (self.block(body, known, inner=True) + walk).times(len(trips)) + begin
        each = [self.block(body, {**known, variable: trip}, inner=True) + walk for trip in trips]
        return (
            Cost(
                sum(cost.cycles for cost in each),
                sum(cost.accesses for cost in each),
                max((cost.code for cost in each), default=0.0),
            )
            + begin
        )

    def _choice(self, op: scf.IfOp, known: Known, inner: bool) -> Cost:
        """The side that is taken; where numbers alone do not decide, the first: rows out of the
        ordinary take the other."""
        side = op.true_region if number_of(op.cond, known) != 0 else op.false_region
        found = self.block(side.block, known, inner=inner) if side.blocks else Cost()
        return found + Cost(self.machine.core.branch_taken_cycles, 0, 2)

    def _stall(self, op: Operation) -> float:
        """A result used by the next instruction is waited for."""
        following = op.next_op
        while following is not None and following.name in FREE:
            following = following.next_op
        if following is None or not any(result in following.operands for result in op.results):
            return 0.0
        return float(self.machine.core.fp_latency)


def _walk(loop: scf.ForOp) -> float:
    """Instructions that move pointers on in an iteration: accesses that are too far from each other
    for an offset have pointers of their own, unless they move them on themselves."""
    variable = loop.body.block.args[0]
    places: dict[tuple[SSAValue, ...], set[int]] = {}
    for op in loop.body.block.ops:
        if op.name in ACCESS and not _moves_on(op):
            key, offset = _place(op, variable)
            places.setdefault(key, set()).add(offset)
    return WALK + sum(_pointers(offsets) - 1 for offsets in places.values())


def _place(op: Operation, variable: SSAValue) -> tuple[tuple[SSAValue, ...], int]:
    """What an access is relative to, and how many bytes behind that it is."""
    memory, *indices = op.operands[1 if op.name.endswith(".store") else 0 :]
    kind = cast("AnyMemRef", memory.type)
    strides, size = kind.get_strides(), cast("FixedBitwidthType", kind.element_type).size
    assert strides is not None
    key, offset = [memory], 0
    for index, stride in zip(indices, strides, strict=True):
        owner = index.owner
        while isinstance(owner, arith.AddiOp) and (more := _constant(owner.rhs)) is not None:
            offset += more * (stride or 0) * size
            index = owner.lhs
            owner = index.owner
        if index is not variable:
            key.append(index)
    return tuple(key), offset


def _constant(value: SSAValue) -> int | None:
    owner = value.owner
    if not isinstance(owner, arith.ConstantOp) or not isinstance(owner.value, IntegerAttr):
        return None
    return owner.value.value.data


def _pointers(offsets: Iterable[int]) -> int:
    """How many pointers reach all of these offsets."""
    count, end = 0, None
    for offset in sorted(offsets):
        if end is None or offset > end:
            count, end = count + 1, offset + REACH
    return count


def _moves_on(op: Operation) -> bool:
    """Whether an access moves its pointer on: those of integer registers do."""
    users = [use.operation for result in op.results for use in result.uses]
    return bool(users) and all(user.name == "vector.shuffle" for user in users)


def _is_number(op: Operation) -> bool:
    """Whether what an operation of integer registers makes is calculated with."""
    users = (use.operation for result in op.results for use in result.uses)
    return any(user.name not in MOVED for user in users)


def _trips(op: scf.ForOp, known: Known) -> range:
    """Iterations of a loop; one if its bounds are not known."""
    lower, upper, step = (number_of(value, known) for value in (op.lb, op.ub, op.step))
    if lower is None or upper is None or not step:
        return range(1)
    return range(lower, upper, step)


def _indexes(op: Operation) -> bool:
    return bool(op.results) and all(isinstance(result.type, IndexType) for result in op.results)


def _joined(op: Operation) -> bool:
    """Whether an instruction does the operation together with what uses its result."""
    users = [use.operation.name for result in op.results for use in result.uses]
    if op.name == "arith.negf":
        return all(user == "math.fma" for user in users)
    return op.name == "arith.truncf" and all(user in PACKED for user in users)
