"""Which columns of a model's values can change places, if all of them do together.

A column is the last index of a value. An elementwise operation ties column i of its operands to
column i of its result, a linear layer the columns of x to the rows of its weights. Tied columns
are one class. Classes can change places where they appear in the same values and the same heads:
then every value has the same content as before, in another order. Classes that an input, an output
or an operation without such a rule sees stay where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.model import entry_functions
from softex_mlir.dialects import transformer as t

Indices = npt.NDArray[np.int64]
Axis: TypeAlias = "SSAValue | tuple[str, int]"
"""The columns of a value, or an axis of a weight by its name."""

FROZEN = 0
"""The class of all columns that stay where they are."""


@dataclass(frozen=True)
class Columns:
    """The classes of a module's columns.

    Attributes:
        classes: the class at each place of an axis.
        groups: the group of each class; classes of one group can change places, but `FROZEN`.
    """

    classes: dict[Axis, Indices]
    groups: Indices

    def of(self, value: SSAValue, axis: int = -1) -> Indices:
        """The class at each place of an axis of a value."""
        return self.classes[axis_of(value, axis)]


def axis_of(value: SSAValue, axis: int = -1) -> Axis:
    """The last axis of a value, or any axis of a weight, which all its readers share."""
    owner = value.owner
    if isinstance(owner, t.GetWeightOp):
        return owner.weight.string_value(), axis % max(1, len(t.shape_of(value)))
    return value


def columns_together(module: ModuleOp) -> Columns:
    """Classes and groups of a module in the fused form."""
    ties = _Ties()
    for function in entry_functions(module).values():
        for value in function.body.block.args:
            ties.freeze(value)
        for op in function.body.block.ops:
            ties.tie(op)
    return ties.columns()


class _Ties:
    """Collects what is tied to what."""

    def __init__(self) -> None:
        self._start: dict[Axis, tuple[int, int]] = {}
        self._count = 1
        self._pairs: list[tuple[Indices, Indices]] = []
        self._parts: list[Indices] = []

    def places(self, value: SSAValue, axis: int = -1) -> Indices:
        """Numbers of the places along an axis."""
        key = axis_of(value, axis)
        if key not in self._start:
            shape = t.shape_of(value)
            size = shape[axis] if shape else 1
            self._start[key] = (self._count, size)
            self._count += size
        start, size = self._start[key]
        return np.arange(start, start + size)

    def same(self, a: Indices, b: Indices) -> None:
        """Places that hold the same columns."""
        self._pairs.append((a, b))

    def freeze(self, *values: SSAValue) -> None:
        """All axes of values stay as they are."""
        for value in values:
            if not isinstance(value.type, TensorType):
                continue
            rank = len(t.shape_of(value))
            axes = range(rank) if isinstance(value.owner, t.GetWeightOp) else (-1,)
            for axis in axes:
                places = self.places(value, axis)
                self.same(places, np.full_like(places, FROZEN))

    def alike(self, result: SSAValue, *operands: SSAValue) -> None:
        """Values whose columns are the same ones."""
        for value in operands:
            if t.shape_of(value)[-1:] != t.shape_of(result)[-1:]:
                self.freeze(value, result)
            else:
                self.same(self.places(value), self.places(result))

    @singledispatchmethod
    def tie(self, op: Operation) -> None:
        """Tie what an operation ties; one that has no rule freezes all it sees."""
        self.freeze(*op.operands, *op.results)

    @tie.register
    def _(self, op: t.GetWeightOp) -> None:
        self.places(op.result)

    @tie.register
    def _(self, op: t.LinearOp) -> None:
        if not isinstance(op.w.owner, t.GetWeightOp):
            self.freeze(op.w, op.x)
        self.same(self.places(op.x), self.places(op.w, 0))
        self.same(self.places(op.w, 1), self.places(op.result))
        self.alike(op.result, *(v for v in (op.bias, op.residual) if v is not None))

    @tie.register
    def _(self, op: t.AttentionOp) -> None:
        self.freeze(op.bias)
        if op.position is not None or op.key_heads is not None:
            self.freeze(*op.operands, op.result)
            return
        self.alike(op.q, op.k)
        self.alike(op.result, op.v)
        heads = op.heads.value.data
        for value in (op.q, op.v):
            self._parts += np.split(self.places(value), heads)

    @tie.register
    def _(self, op: t.UnaryOp) -> None:
        if isinstance(op, t.SoftmaxOp):
            self.freeze(op.x, op.result)
        self.alike(op.result, op.x)

    @tie.register(t.BinaryOp | t.LayerNormOp | t.RMSNormOp)
    def _(self, op: t.BinaryOp | t.LayerNormOp | t.RMSNormOp) -> None:
        self.alike(op.results[0], *op.operands)

    @tie.register
    def _(self, op: t.EmbeddingOp) -> None:
        self.freeze(op.ids)
        self.alike(op.result, op.table)

    @tie.register
    def _(self, op: t.ReshapeOp) -> None:
        self.alike(op.result, op.x)

    @tie.register
    def _(self, op: t.ReduceMeanOp) -> None:
        last = len(t.shape_of(op.x)) - 1
        if any(int(axis) % (last + 1) == last for axis in op.axes.get_values()):
            self.freeze(op.x, op.result)
            return
        self.alike(op.result, op.x)

    @tie.register
    def _(self, op: t.TransposeOp) -> None:
        order = list(op.permutation.get_values())
        if order[-1] != len(order) - 1:
            self.freeze(op.x, op.result)
            return
        self.alike(op.result, op.x)

    @tie.register
    def _(self, op: t.SliceOp) -> None:
        first, count = int(op.offsets.get_values()[-1]), t.shape_of(op.result)[-1]
        step = op.steps[-1]
        self.same(self.places(op.x)[first:][::step][:count], self.places(op.result))

    @tie.register
    def _(self, op: t.ConcatOp) -> None:
        if op.axis.value.data != len(t.shape_of(op.result)) - 1:
            self.alike(op.result, *op.xs)
            return
        self.same(np.concatenate([self.places(x) for x in op.xs]), self.places(op.result))

    def columns(self) -> Columns:
        """What follows from all ties."""
        labels = _components(self._count, self._pairs)
        axes = {key: labels[first : first + size] for key, (first, size) in self._start.items()}
        for classes in axes.values():
            # which of two places of one class is which nobody can say
            found, counts = np.unique(classes, return_counts=True)
            twice = np.isin(labels, found[counts > 1])
            labels[twice] = FROZEN
        parts = [*axes.values(), *(labels[part] for part in self._parts)]
        return Columns(axes, _refined(self._count, parts))


def _components(count: int, pairs: Sequence[tuple[Indices, Indices]]) -> Indices:
    """The smallest number that each of `count` numbers is connected with."""
    if not pairs:
        return np.arange(count)
    a, b = (np.concatenate(side) for side in zip(*pairs, strict=True))
    labels = np.arange(count)
    while not np.array_equal(labels[a], labels[b]):
        low = np.minimum(labels[a], labels[b])
        np.minimum.at(labels, labels[a], low)
        np.minimum.at(labels, labels[b], low)
        while not np.array_equal(labels, labels[labels]):
            labels = labels[labels]
    return labels


def _refined(count: int, parts: Sequence[Indices]) -> Indices:
    """Groups of classes that are members of the same parts."""
    group = np.zeros(count, np.int64)
    after = 1
    for part in parts:
        members = np.unique(part)
        found, index = np.unique(group[members], return_inverse=True)
        group[members] = after + index
        after += len(found)
    group[FROZEN] = 0
    return group
