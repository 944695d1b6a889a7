"""Which numbers the values of a module can be, and where integers need more than 32 bits.

Walks the operations of a function in order, bodies of loop nests as trees from what they yield:
behind a comparison of integers, a choice's operands are looked at with what the comparison says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from xdsl.dialects import arith, tensor
from xdsl.dialects.arith import CMPI_COMPARISON_OPERATIONS
from xdsl.dialects.builtin import BFloat16Type, FloatAttr, IntegerAttr, IntegerType
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue

from softex_mlir.arithmetic import signed32
from softex_mlir.compiler import value_ranges as r
from softex_mlir.compiler.loop_nest import LoopNest, LoopNestError, element_type
from softex_mlir.compiler.value_ranges import INT32, Range, all_of
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.numerics.bf16 import from_float

ROUNDS = 64
"""Iterations of an accumulation that are followed one by one before it counts as unbounded."""
MOVEMENT = (t.ReshapeOp, t.TransposeOp, t.SliceOp, t.ConcatOp, t.ExpandOp, t.KeepOp)
"""Results have their operands' elements, or zeros."""
Ranges = Mapping[SSAValue, Range]


@dataclass
class RangeAnalysis:
    """Ranges of a function's values.

    Attributes:
        exact: whether a loop nest's integers must not wrap.
        assumed: what conversions of floating-point numbers that may be too large are taken to
            give, by the loop nest.
        overflows: loop nests with integers beyond 32 bits.
        conversions: loop nests that convert numbers which may be beyond 32 bits.
    """

    weights: WeightStore
    exact: Callable[[Operation], bool]
    assumed: Mapping[Operation, Range] = field(default_factory=dict[Operation, Range])
    ranges: dict[SSAValue, Range] = field(default_factory=dict[SSAValue, Range])
    overflows: list[Operation] = field(default_factory=list[Operation])
    conversions: list[Operation] = field(default_factory=list[Operation])

    def of(self, value: SSAValue) -> Range:
        """A tensor's elements; all numbers of their type if nothing more is known."""
        return self.ranges.get(value, all_of(element_type(value)))

    def follow(self, op: Operation) -> None:
        """Say what an operation's results are."""
        if isinstance(op, linalg_ops.GenericOp):
            found = _Nest(self, op).results()
            self.ranges.update(zip(op.results, found, strict=True))
        elif isinstance(op, MOVEMENT):
            found = self.of(op.operands[0])
            for operand in op.operands[1:]:
                found = found.hull(self.of(operand))
            self.ranges[op.results[0]] = found
        elif isinstance(op, t.PositionIdsOp):
            lowest = min(op.offset.value.data, op.fill.value.data)
            self.ranges[op.result] = Range(lowest, op.limit - 1)
        elif isinstance(op, t.GetWeightOp):
            self._constant(op.result, self.weights.find(op.weight.root_reference.data))
        elif isinstance(op, t.SplatOp):
            number = op.value.value.data
            self.ranges[op.result] = Range(number, number)
        elif isinstance(op, tensor.SplatOp) and isinstance(op.input.owner, arith.ConstantOp):
            self.ranges[op.result] = _number(op.input.owner)

    def _constant(self, value: SSAValue, data: object) -> None:
        if isinstance(data, np.ndarray) and data.size:
            low, high = data.min().item(), data.max().item()
            if low <= high:  # no NaN
                self.ranges[value] = Range(low, high)


def sources(wanted: Sequence[Operation]) -> list[Operation]:
    """Operations of the same block that some depend on, and these, in order."""
    found: set[Operation] = set()
    pending = list(wanted)
    while pending:
        op = pending.pop()
        if op not in found:
            found.add(op)
            pending += [v.owner for v in op.operands if isinstance(v.owner, Operation)]
    block = wanted[0].parent if wanted else None
    return [] if block is None else [op for op in block.ops if op in found]


def _number(op: arith.ConstantOp) -> Range:
    value = op.value
    assert isinstance(value, FloatAttr | IntegerAttr)
    number = value.value.data
    if isinstance(value.type, IntegerType):
        # Constants of 32 bits may be written unsigned.
        width = value.type.width.data
        number = int(number) & 1 if width == 1 else signed32(int(number))
    return Range(number, number)


class _Nest:
    """The body of a loop nest."""

    def __init__(self, analysis: RangeAnalysis, op: linalg_ops.GenericOp):
        self.analysis, self.op = analysis, op
        self.body: Block = op.body.block
        self.exact = analysis.exact(op)
        self.count = len(op.inputs)

    def results(self) -> list[Range]:
        """What the nest gives."""
        operands = [self.analysis.of(value) for value in self.op.operands]
        arguments: Ranges = dict(zip(self.body.args, operands, strict=True))
        last = self.body.last_op
        assert last is not None
        yielded = list(last.operands)
        steps = self._steps()
        if steps == 0:
            return [self.at(value, arguments) for value in yielded]
        sums = [
            self._sum(value, argument, arguments, steps)
            for value, argument in zip(yielded, self.body.args[self.count :], strict=True)
        ]
        if all(found is not None for found in sums):
            return [found for found in sums if found is not None]
        return self._iterated(yielded, arguments, steps)

    def _steps(self) -> int:
        """Iterations that a result accumulates; 0 if it does not."""
        try:
            nest = LoopNest.of(self.op)
        except LoopNestError:
            return 1 << 62
        found = 1
        for extent, reduction in zip(nest.extents, nest.reduction, strict=True):
            found *= extent if reduction else 1
        return found if nest.reduces else 0

    def _iterated(self, yielded: list[SSAValue], arguments: Ranges, steps: int) -> list[Range]:
        """Accumulators after all iterations, followed until they change no more."""
        for _ in range(min(steps, ROUNDS)):
            found = [self.at(value, arguments) for value in yielded]
            accumulators = self.body.args[self.count :]
            new = {a: arguments[a].hull(f) for a, f in zip(accumulators, found, strict=True)}
            if all(arguments[a] == x for a, x in new.items()):
                return found
            arguments = {**arguments, **new}
        if steps > ROUNDS:
            if self.exact and any(v.type == IntegerType(32) for v in yielded):
                self.analysis.overflows.append(self.op)
            return [all_of(value.type) for value in yielded]
        return [arguments[a] for a in self.body.args[self.count :]]

    def _sum(
        self, value: SSAValue, accumulator: BlockArgument, arguments: Ranges, steps: int
    ) -> Range | None:
        """The sum of what each iteration adds; None if it does another thing."""
        added = self._added(value, accumulator, arguments)
        if added is None:
            return None
        total = r.multiply(added, Range(steps, steps))
        return self.fitted(r.add(arguments[accumulator], total), value.type)

    def _added(
        self, value: SSAValue, accumulator: BlockArgument, arguments: Ranges
    ) -> Range | None:
        if value is accumulator:
            return Range(0, 0)
        op = value.owner
        if isinstance(op, arith.AddiOp):
            for mine, other in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
                before = self._added(mine, accumulator, arguments)
                if before is not None and not _depends(other, accumulator):
                    return r.add(before, self.at(other, arguments))
        if isinstance(op, arith.SelectOp) and not _depends(op.cond, accumulator):
            yes = self._added(op.lhs, accumulator, arguments)
            no = self._added(op.rhs, accumulator, arguments)
            return None if yes is None or no is None else yes.hull(no)
        return None

    def fitted(self, x: Range, kind: Attribute) -> Range:
        """A result of integers as 32 bits hold it."""
        if kind != IntegerType(32) or x.within(INT32):
            return x
        if self.exact:
            self.analysis.overflows.append(self.op)
        return INT32

    def at(self, value: SSAValue, arguments: Ranges) -> Range:
        """A scalar of the body."""
        return self._value(value, arguments, {})

    def _value(self, value: SSAValue, arguments: Ranges, known: dict[SSAValue, Range]) -> Range:
        if value in arguments:
            return arguments[value]
        if value not in known:
            known[value] = self._computed(value, arguments, known)
        return known[value]

    def _computed(self, value: SSAValue, arguments: Ranges, known: dict[SSAValue, Range]) -> Range:
        op = value.owner
        if isinstance(op, arith.ConstantOp):
            return _number(op)
        if isinstance(op, linalg_ops.IndexOp):
            return self._index(op.dim.value.data)
        if isinstance(op, arith.SelectOp):
            return self._chosen(op, arguments, known)
        if not isinstance(op, Operation) or op.parent is not self.body:
            return all_of(value.type)
        x = [self._value(operand, arguments, known) for operand in op.operands]
        if isinstance(op, arith.CmpiOp):
            return _decided(op, *x)
        if op.name in r.INTEGERS and value.type == IntegerType(32):
            found = r.INTEGERS[op.name](*x)
            wraps = _from_bits(op) and not found.within(INT32)
            return INT32 if wraps else self.fitted(found, value.type)
        if op.name in r.NUMBERS and not isinstance(value.type, BFloat16Type):
            return r.NUMBERS[op.name](*x)
        if op.name in r.FUNCTIONS and not isinstance(value.type, BFloat16Type):
            return r.FUNCTIONS[op.name](*x)
        return self._converted(op, x[0], value.type) if len(x) == 1 else all_of(value.type)

    def _converted(self, op: Operation, x: Range, kind: Attribute) -> Range:
        match op.name:
            case "arith.truncf":
                return Range(*(float(from_float(float(v))) for v in x))
            case "arith.sitofp" | "arith.uitofp" if x.low >= 0 or op.name == "arith.sitofp":
                return Range(*(float(np.float32(v)) for v in x))
            case "arith.extf" | "arith.extui" | "arith.index_cast":
                return x
            case "arith.fptosi":
                return self._whole(x)
            case _:
                return all_of(kind)

    def _whole(self, x: Range) -> Range:
        found = x.meet(INT32) or INT32
        found = Range(int(found.low), int(found.high))
        if self.exact and not x.within(Range(INT32.low - 0.5, INT32.high + 0.5)):
            self.analysis.conversions.append(self.op)
            found = found.meet(self.analysis.assumed.get(self.op, INT32)) or found
        return found

    def _index(self, loop: int) -> Range:
        try:
            return Range(0, LoopNest.of(self.op).extents[loop] - 1)
        except LoopNestError:
            return INT32

    def _chosen(self, op: arith.SelectOp, arguments: Ranges, known: dict[SSAValue, Range]) -> Range:
        """Either operand, each with what the condition says where it is chosen."""
        condition = self._value(op.cond, arguments, known)
        test = op.cond.owner
        found: list[Range] = []
        for operand, holds in ((op.lhs, 1), (op.rhs, 0)):
            if not condition.low <= holds <= condition.high:
                continue
            if isinstance(test, arith.CmpiOp) and test.lhs.type == IntegerType(32):
                refined = self._refined(test, bool(holds), arguments, known)
                if refined is None:
                    continue
                found.append(self._value(operand, refined, {}))
            else:
                found.append(self._value(operand, arguments, known))
        return reduce(Range.hull, found) if found else all_of(op.result.type)

    def _refined(
        self, test: arith.CmpiOp, holds: bool, arguments: Ranges, known: dict[SSAValue, Range]
    ) -> Ranges | None:
        """Ranges where a comparison holds, or does not; None if that is never."""
        a, b = (self._value(v, arguments, known) for v in (test.lhs, test.rhs))
        found = _where(CMPI_COMPARISON_OPERATIONS[test.predicate.value.data], holds, a, b)
        if found is None:
            return None
        return {**arguments, test.lhs: found[0], test.rhs: found[1]}


_OPPOSITE = {"eq": "ne", "ne": "eq", "slt": "sge", "sle": "sgt", "sgt": "sle", "sge": "slt"}


def _where(predicate: str, holds: bool, a: Range, b: Range) -> tuple[Range, Range] | None:
    """Two ranges where a comparison of both has this result; None where it never has."""
    if predicate not in _OPPOSITE:
        return a, b
    predicate = predicate if holds else _OPPOSITE[predicate]
    if predicate in ("sgt", "sge"):
        found = _where({"sgt": "slt", "sge": "sle"}[predicate], True, b, a)
        return None if found is None else (found[1], found[0])
    if predicate == "ne":
        return None if a == b and a.low == a.high else (a, b)
    if predicate == "eq":
        both = a.meet(b)
        return None if both is None else (both, both)
    step = 1 if predicate == "slt" else 0
    left = a.meet(Range(INT32.low, b.high - step))
    right = b.meet(Range(a.low + step, INT32.high))
    return None if left is None or right is None else (left, right)


def _decided(op: arith.CmpiOp, a: Range, b: Range) -> Range:
    """Whether a comparison can hold, and can not."""
    predicate = CMPI_COMPARISON_OPERATIONS[op.predicate.value.data]
    can = _where(predicate, True, a, b) is not None
    cannot = _where(predicate, False, a, b) is not None
    return Range(0 if cannot else 1, 1 if can else 0)


def _from_bits(op: Operation) -> bool:
    """Whether integers are the bits of floating-point numbers."""
    if isinstance(op, arith.BitcastOp):
        return True
    return any(isinstance(v.owner, Operation) and _from_bits(v.owner) for v in op.operands)


def _depends(value: SSAValue, on: SSAValue) -> bool:
    if value is on:
        return True
    op = value.owner
    return isinstance(op, Operation) and any(_depends(v, on) for v in op.operands)
