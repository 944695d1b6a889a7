"""What the passes on level L1 share: constants, and seeing through moves of data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType, bf16
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from softex_mlir.compiler.compilation_context import weights_of
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import transformer as t

Array = npt.NDArray[Any]
Indices = npt.NDArray[np.int64]


def splat_value(value: SSAValue) -> float | None:
    """The value of a constant whose elements are all equal."""
    owner = value.owner
    return owner.value.value.data if isinstance(owner, t.SplatOp) else None


def is_constant(value: SSAValue) -> bool:
    """Whether a value is a parameter or constant."""
    return isinstance(value.owner, t.GetWeightOp | t.SplatOp)


def name_of(value: SSAValue) -> str:
    """The name of a parameter, for naming what is derived from it."""
    owner = value.owner
    return owner.weight.string_value() if isinstance(owner, t.GetWeightOp) else "constant"


@dataclass
class Constants:
    """Reads and makes constants of one module."""

    module: ModuleOp
    store: WeightStore

    @staticmethod
    def of(context: Context, module: ModuleOp) -> Constants:
        """The constants of a module that is compiled in a context."""
        return Constants(module, weights_of(context))

    def data(self, value: SSAValue) -> Array | None:
        """The elements of a constant; None if it is none, or nobody gave its data."""
        owner = value.owner
        if isinstance(owner, t.SplatOp):
            return np.full(t.shape_of(value), owner.value.value.data, np.float32)
        if isinstance(owner, t.GetWeightOp):
            found = self.store.find(owner.weight.string_value())
            if found is not None:
                return found if found.dtype.kind == "i" else found.astype(np.float32)
        return None

    def make(self, name: str, array: Array) -> t.GetWeightOp:
        """A new parameter; the caller inserts the operation that reads it."""
        array = np.asarray(array, np.float32, order="C")
        unique = self.store.add(name, array)
        kind = TensorType(bf16, array.shape)
        first = self.module.body.block.first_op
        weight = t.WeightOp(unique, kind)
        if first is None:
            self.module.body.block.add_op(weight)
        else:
            Rewriter.insert_op(weight, InsertPoint.before(first))
        return t.GetWeightOp(unique, kind)


def discard(made: Sequence[Operation]) -> None:
    """Drop operations that were built but not inserted; they must not count as users."""
    for op in reversed(made):
        op.erase()


def is_view(op: Operation) -> bool:
    """Whether an operation only rearranges elements of its one operand."""
    return isinstance(op, t.ReshapeOp | t.TransposeOp | t.SliceOp | t.ExpandOp)


def apply_view(op: Operation, array: Array) -> Array:
    """What a view does to an array."""
    match op:
        case t.ReshapeOp():
            return array.reshape(t.shape_of(op.result))
        case t.TransposeOp():
            return array.transpose([int(p) for p in op.permutation.get_values()])
        case t.SliceOp():
            index = tuple(
                int(o) + int(s) * np.arange(int(n))
                for o, n, s in zip(
                    op.offsets.get_values(), op.sizes.get_values(), op.steps, strict=True
                )
            )
            return array[np.ix_(*index)]
        case t.ExpandOp():
            return np.broadcast_to(array, t.shape_of(op.result))
        case _:
            raise ValueError(f"{op.name} is no view")


def has_inverse(value: float) -> bool:
    """Whether dividing by a number is multiplying by its inverse: not by 0, nor by so little that
    the inverse is infinite."""
    return abs(value) >= 2.0**-126


def scale_of(op: Operation) -> tuple[SSAValue, float] | None:
    """(x, c) if the operation is x times the constant c, of the same shape as x."""
    if not isinstance(op, t.MulOp | t.DivOp):
        return None
    value = splat_value(op.rhs)
    if isinstance(op, t.DivOp) and value is not None and not has_inverse(value):
        return None
    if value is not None and op.lhs.type == op.result.type:
        return op.lhs, value if isinstance(op, t.MulOp) else 1.0 / value
    value = splat_value(op.lhs)
    if value is not None and isinstance(op, t.MulOp) and op.rhs.type == op.result.type:
        return op.rhs, value
    return None


@dataclass(frozen=True)
class Trace:
    """Where the elements of a value come from: ``value = scale * root.ravel()[indices]``."""

    root: SSAValue
    indices: Indices
    scale: float


def trace(value: SSAValue, *, scales: bool = False) -> Trace:
    """Follow a value through views (and multiplications by a constant) to where it is computed."""
    chain: list[Operation] = []
    scale = 1.0
    current = value
    while isinstance(owner := current.owner, Operation):
        scaled = scale_of(owner) if scales else None
        if scaled is not None:
            current, factor = scaled
            scale *= factor
        elif is_view(owner):
            chain.append(owner)
            current = owner.operands[0]
        else:
            break
    shape = t.shape_of(current)
    indices = np.arange(prod(shape), dtype=np.int64).reshape(shape)
    for op in reversed(chain):
        indices = apply_view(op, indices)
    return Trace(current, indices, scale)
