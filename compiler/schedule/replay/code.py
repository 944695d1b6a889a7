"""The code of a kernel's stream as steps: arithmetic on numbered places, and what takes time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from xdsl.dialects import arith, memref, scf
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from softex_mlir.compiler.schedule.replay.numbers import computation
from softex_mlir.dialects.cluster_program import KernelOp, StreamOp

Values: TypeAlias = "list[int]"
"""What the places of a stream's values hold: integers, or indices of works in a list."""

LAST = 1 << 40
"""What is read from L2 when it runs: a position, taken for the last there is."""


class ReplayedStep(NamedTuple):
    """An operation.

    Attributes:
        op: the operation.
        compute: what its result is of its operands; None if it takes more than that.
        result: place of its result, or of the first one; -1 if there is none.
        operands: their places.
        inner: steps of its regions.
        carried: places that a loop's body takes: the variable and what it carries.
    """

    op: Operation
    compute: Callable[..., int] | None
    result: int
    operands: tuple[int, ...]
    inner: tuple[tuple[ReplayedStep, ...], ...] = ()
    carried: tuple[int, ...] = ()


@dataclass(frozen=True)
class Code:
    """Of a stream.

    Attributes:
        steps: in order.
        places: how many values there are.
        arguments: places of the kernel's arguments, its bases first.
        constants: place and value.
        read: how many of the arguments the stream reads.
    """

    op: StreamOp
    steps: tuple[ReplayedStep, ...]
    places: int
    arguments: tuple[int, ...]
    constants: tuple[tuple[int, int], ...]
    read: int


def translate(kernel: KernelOp, stream: StreamOp) -> Code:
    """Steps of a stream of a kernel."""
    translation = _Translation()
    arguments = tuple(translation.place(value) for value in kernel.body.block.args)
    steps = translation.block(stream.body.block)
    read = {operand for op in stream.walk() for operand in op.operands}
    constants = tuple(translation.constants.items())
    return Code(
        *(stream, steps, len(translation.places), arguments, constants),
        read=sum(value in read for value in kernel.body.block.args),
    )


@dataclass
class _Translation:
    places: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    constants: dict[int, int] = field(default_factory=dict[int, int])

    def place(self, value: SSAValue) -> int:
        return self.places.setdefault(value, len(self.places))

    def block(self, block: Block) -> tuple[ReplayedStep, ...]:
        found = (self.step(op) for op in block.ops)
        return tuple(step for step in found if step is not None)

    def step(self, op: Operation) -> ReplayedStep | None:
        if isinstance(op, arith.ConstantOp):
            if isinstance(op.value, IntegerAttr):
                self.constants[self.place(op.result)] = op.value.value.data
            return None
        if isinstance(op, memref.LoadOp):
            self.constants[self.place(op.res)] = LAST
        operands = self.all(op.operands)
        first = self.all(op.results)[0] if op.results else -1
        if isinstance(op, scf.ForOp):
            body = op.body.block
            carried = self.all(body.args)
            return ReplayedStep(op, None, first, operands, (self.block(body),), carried)
        if op.name == "cluster.parallel":
            return ReplayedStep(op, None, first, operands)
        inner = tuple(self.block(region.block) for region in op.regions if region.blocks)
        return ReplayedStep(op, computation(op), first, operands, inner)

    def all(self, values: Sequence[SSAValue]) -> tuple[int, ...]:
        return tuple(map(self.place, values))
