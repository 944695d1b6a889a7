"""The code of a kernel's stream as steps: arithmetic on numbered places, and what takes time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from xdsl.dialects import arith, memref, scf
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from softex_mlir.compiler.nested_operations import operations_in
from softex_mlir.compiler.schedule.replay.numbers import computation
from softex_mlir.dialects.cluster_program import KernelOp, StreamOp

Values: TypeAlias = "list[int]"
"""What the places of a stream's values hold: integers, or indices of works in a list."""

Handler: TypeAlias = Callable[..., Any]
"""What a stream does at a step."""

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
        instant: what it does if that needs nobody else.
        action: what it does if that may wait.
    """

    op: Operation
    compute: Callable[..., int] | None
    result: int
    operands: tuple[int, ...]
    inner: tuple[tuple[ReplayedStep, ...], ...] = ()
    carried: tuple[int, ...] = ()
    instant: Handler | None = None
    action: Handler | None = None


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


def translate(
    kernel: KernelOp,
    stream: StreamOp,
    instant: Mapping[str, Handler],
    actions: Mapping[str, Handler],
) -> Code:
    """Steps of a stream of a kernel, with what it does at them by the operation's name; those at
    which it does nothing are left out."""
    translation = _Translation(instant, actions)
    arguments = tuple(translation.place(value) for value in kernel.body.block.args)
    steps = translation.block(stream.body.block)
    read = {operand for op in operations_in(stream) for operand in op.operands}
    constants = tuple(translation.constants.items())
    return Code(
        *(stream, steps, len(translation.places), arguments, constants),
        read=sum(value in read for value in kernel.body.block.args),
    )


@dataclass
class _Translation:
    instant: Mapping[str, Handler]
    actions: Mapping[str, Handler]
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
        inner: tuple[tuple[ReplayedStep, ...], ...] = ()
        carried: tuple[int, ...] = ()
        compute: Callable[..., int] | None = None
        if isinstance(op, scf.ForOp):
            body = op.body.block
            carried = self.all(body.args)
            inner = (self.block(body),)
        elif op.name != "cluster.parallel":
            inner = tuple(self.block(region.block) for region in op.regions if region.blocks)
            compute = computation(op)
        instant, action = self.instant.get(op.name), self.actions.get(op.name)
        if compute is None and instant is None and action is None and not _passes(op):
            return None
        return ReplayedStep(op, compute, first, operands, inner, carried, instant, action)

    def all(self, values: Sequence[SSAValue]) -> tuple[int, ...]:
        return tuple(map(self.place, values))


def _passes(op: Operation) -> bool:
    """Whether an operation says what a loop's next iteration gets."""
    return isinstance(op, scf.YieldOp) and bool(op.operands)
