"""When two values are the same number: structure of pure arithmetic over values that are not."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation, OpResult, SSAValue

from softex_mlir.compiler.transforms.cluster.command_builder import CommandBuilder

PURE: frozenset[type] = frozenset(
    {
        arith.ConstantOp,
        arith.IndexCastOp,
        arith.AddiOp,
        arith.SubiOp,
        arith.MuliOp,
        arith.AndIOp,
        arith.ShLIOp,
        arith.DivUIOp,
        arith.RemUIOp,
    }
)
"""Operations that addresses and sizes are computed with."""


class Expression:
    """What equal expressions have in common: a key that is compared by identity."""


@dataclass
class ExpressionKeys:
    """Gives equal values equal keys, and knows what a value is computed from."""

    keys: dict[SSAValue, Hashable] = field(default_factory=dict[SSAValue, Hashable])
    expressions: dict[Hashable, Expression] = field(default_factory=dict[Hashable, Expression])
    """By operation and keys of the operands."""
    sources: dict[SSAValue, frozenset[SSAValue]] = field(
        default_factory=dict[SSAValue, frozenset[SSAValue]]
    )

    def key(self, value: SSAValue) -> Hashable:
        """The value's key: its number where it is known."""
        if (key := self.keys.get(value)) is None:
            self.analyse(value)
            key = self.keys[value]
        return key

    def leaves(self, value: SSAValue) -> frozenset[SSAValue]:
        """The values it is computed from that are not arithmetic themselves."""
        if value not in self.keys:
            self.analyse(value)
        return self.sources[value]

    def analyse(self, value: SSAValue) -> None:
        """Find key and leaves."""
        op = value.owner
        if isinstance(op, Block) or type(op) not in PURE:
            self.keys[value], self.sources[value] = value, frozenset((value,))
        elif isinstance(op, arith.ConstantOp):
            number = op.value.value.data if isinstance(op.value, IntegerAttr) else op.value
            self.keys[value], self.sources[value] = number, frozenset()
        elif isinstance(op, arith.IndexCastOp):
            self.keys[value], self.sources[value] = self.key(op.input), self.leaves(op.input)
        else:
            operands = tuple(op.operands)
            text = (op.name, *map(self.key, operands))
            if (expression := self.expressions.get(text)) is None:
                expression = self.expressions[text] = Expression()
            self.keys[value] = expression
            self.sources[value] = frozenset[SSAValue]().union(*map(self.leaves, operands))

    def varies_in(self, value: SSAValue, loop: Operation) -> bool:
        """Whether a value may differ between the iterations of a loop."""
        return any(is_inside(leaf, loop) for leaf in self.leaves(value))


def is_inside(value: SSAValue, op: Operation) -> bool:
    """Whether a value is defined in the regions of an operation."""
    parent = value.owner.parent_op()
    while parent is not None:
        if parent is op:
            return True
        parent = parent.parent_op()
    return False


def compute_outside(value: SSAValue, loop: Operation, to: CommandBuilder) -> SSAValue:
    """A value that does not vary in a loop, computed where the builder inserts."""
    if not is_inside(value, loop):
        return value
    assert isinstance(value, OpResult)
    operands = {v: compute_outside(v, loop, to) for v in value.op.operands}
    return to.insert(value.op.clone(operands)).results[value.index]
