"""`linalg.generic` as a loop nest: what the evaluator and the scheduler read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, IntegerType, TensorType
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.dialects.linalg.attrs import IteratorType
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineExpr

from softex_mlir.dialects.transformer import shape_of
from softex_mlir.errors import UserError

LINEAR = (AffineBinaryOpKind.Add, AffineBinaryOpKind.Mul)


class LoopNestError(UserError, ValueError):
    """A `linalg.generic` that has no place on the cluster."""


@dataclass(frozen=True)
class Axis:
    """A dimension of an operand: its index is ``offset + Σ factors[d] · i_d`` over the loops d."""

    size: int
    factors: tuple[int, ...]
    offset: int = 0

    def reach(self, extents: Sequence[int]) -> tuple[int, int]:
        """Smallest and largest index when loop d runs over `extents[d]` iterations."""
        steps = [f * (n - 1) for f, n in zip(self.factors, extents, strict=True)]
        low = self.offset + sum(step for step in steps if step < 0)
        return low, self.offset + sum(step for step in steps if step > 0)


Access = tuple[Axis, ...]
"""Where an operand's element of an iteration is, dimension by dimension."""


@dataclass(frozen=True)
class LoopNest:
    """Loops outermost first, and what an iteration reads and writes.

    Attributes:
        extents: iterations of each loop.
        reduction: whether a loop accumulates; such loops run in order, inside all others.
        inputs: accesses of the operands.
        outputs: accesses of the results.
        initial: start values of the accumulators of a nest with reductions.
    """

    extents: tuple[int, ...]
    reduction: tuple[bool, ...]
    inputs: tuple[Access, ...]
    outputs: tuple[Access, ...]
    initial: tuple[float | int, ...]

    @property
    def reduces(self) -> bool:
        """Whether any loop accumulates."""
        return any(self.reduction)

    @staticmethod
    def of(op: linalg_ops.GenericOp) -> LoopNest:
        """Read an operation.

        Raises:
            LoopNestError: its maps are not linear, its loops have no bounds or run out of an
                operand, or its accumulators do not start from a constant.
        """
        count = op.get_num_loops()
        maps = [attribute.data for attribute in op.indexing_maps]
        accesses = [
            tuple(
                _axis(size, expression, count)
                for size, expression in zip(shape_of(operand), map_.results, strict=True)
            )
            for operand, map_ in zip(op.operands, maps, strict=True)
        ]
        extents = _extents(accesses, count)
        for operand, access in zip(op.operands, accesses, strict=True):
            for axis in access:
                low, high = axis.reach(extents)
                if low < 0 or high >= axis.size:
                    raise LoopNestError(
                        f"linalg.generic reads elements {low} to {high} of a dimension of "
                        f"{axis.size} of {operand.type}"
                    )
        reduction = tuple(kind.data is IteratorType.REDUCTION for kind in op.iterator_types)
        split = len(op.inputs)
        outputs = tuple(accesses[split:])
        for access in outputs:
            if any(axis.factors[d] for axis in access for d in range(count) if reduction[d]):
                raise LoopNestError("linalg.generic: a result depends on a reduction loop")
        initial = tuple(_initial(value) for value in op.outputs) if any(reduction) else ()
        return LoopNest(extents, reduction, tuple(accesses[:split]), outputs, initial)


def _axis(size: int, expression: AffineExpr, count: int) -> Axis:
    for node in expression.dfs():
        if isinstance(node, AffineBinaryOpExpr) and node.kind not in LINEAR:
            raise LoopNestError(f"linalg.generic: the index {expression} is not linear")
    zero = [0] * count
    offset = expression.eval(zero, [])
    factors = tuple(
        expression.eval([*zero[:d], 1, *zero[d + 1 :]], []) - offset for d in range(count)
    )
    return Axis(size, factors, offset)


def _extents(accesses: Sequence[Access], count: int) -> tuple[int, ...]:
    """Bounds of the loops: each must be the index of some operand's dimension by itself."""
    found: list[int | None] = [None] * count
    for access in accesses:
        for axis in access:
            used = [d for d in range(count) if axis.factors[d]]
            if len(used) == 1 and axis.factors[used[0]] == 1 and axis.offset == 0:
                known = found[used[0]]
                if known is None or axis.size < known:
                    found[used[0]] = axis.size
    if None in found:
        raise LoopNestError(f"linalg.generic: loop d{found.index(None)} has no bound")
    return tuple(cast("list[int]", found))


def _initial(value: SSAValue) -> float | int:
    owner = value.owner
    source: SSAValue | None = None
    if isinstance(owner, tensor.SplatOp):
        source = owner.input
    elif isinstance(owner, linalg_ops.FillOp):
        source = owner.inputs[0]
    constant = source.owner if source is not None else None
    if isinstance(constant, arith.ConstantOp):
        number = constant.value
        if isinstance(number, FloatAttr | IntegerAttr):
            return number.value.data
    raise LoopNestError(
        "linalg.generic: an accumulator must start from a constant (tensor.splat or linalg.fill "
        "of an arith.constant)"
    )


def element_type(value: SSAValue) -> Attribute:
    """Element type of a tensor."""
    return cast("TensorType[Attribute]", value.type).element_type


def is_boolean(value: SSAValue) -> bool:
    """Whether a tensor holds booleans."""
    return element_type(value) == IntegerType(1)


def is_start_value(op: Operation) -> bool:
    """Whether an operation only says where accumulators or results start; nothing executes it."""
    return isinstance(op, tensor.EmptyOp | tensor.SplatOp | linalg_ops.FillOp | arith.ConstantOp)


def captured_constants(body: Block) -> list[arith.ConstantOp]:
    """Constants from outside that a body uses; each once, in the order of their first use."""
    found: dict[arith.ConstantOp, None] = {}
    for op in body.ops:
        for operand in op.operands:
            owner = operand.owner
            if isinstance(owner, arith.ConstantOp) and owner.parent is not body:
                found[owner] = None
    return list(found)
