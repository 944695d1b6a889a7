"""`fuse-rotary`: rotary positions written as products, halves and sums become `rotary`.

Two spellings, as exporters leave them:

    x * cosines + concat(-x[half:], x[:half]) * sines
    concat(x[:half] * cosines - x[half:] * sines, x[half:] * cosines + x[:half] * sines)

Which elements are a half is decided through all views, as `fuse-attention` decides what is a head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from math import prod
from typing import TypeAlias

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from softex_mlir.compiler.transforms.transformer.l1_values import (
    Array,
    Constants,
    Indices,
    scale_of,
    trace,
)
from softex_mlir.dialects import transformer as t


@dataclass(frozen=True)
class HalfFactors:
    """What a half of the columns is multiplied by: as many columns of a value, and a sign."""

    value: SSAValue
    first: int
    sign: float


@dataclass(frozen=True)
class TurnedHeads:
    """Heads in the last dimension of a value, and the cosines and sines of both halves."""

    x: SSAValue
    factors: tuple[HalfFactors, ...]


@dataclass(frozen=True)
class HeadMatrix:
    """Where heads lie side by side: columns [first, first + heads * size) of a value whose other
    dimensions are rows. `axis`: the dimension of the heads, None if there is one head a row."""

    root: SSAValue
    first: int
    heads: int
    axis: int | None


def find_turned(op: Operation) -> TurnedHeads | None:
    """The operands of rotary positions that end with an operation."""
    if isinstance(op, t.AddOp):
        return next(_with_swapped_halves(op), None)
    if isinstance(op, t.ConcatOp):
        return next(_by_halves(op), None)
    return None


_Product: TypeAlias = tuple[SSAValue, SSAValue]


def _products(value: SSAValue) -> Iterator[_Product]:
    """Both orders of the operands of a product that nobody else uses."""
    if isinstance(value.owner, t.MulOp) and value.has_one_use():
        yield value.owner.lhs, value.owner.rhs
        yield value.owner.rhs, value.owner.lhs


def _with_swapped_halves(op: t.AddOp) -> Iterator[TurnedHeads]:
    shape = t.shape_of(op.result)
    size = shape[-1] if shape else 0
    for kept, turned in permutations((op.lhs, op.rhs)):
        for swapped, sines in _products(turned):
            halves = _signed_halves(swapped, size)
            if halves is None or t.shape_of(swapped) != shape:
                continue
            signs = [sign for _, sign in halves]
            for x, cosines in _products(kept):
                if t.shape_of(x) == shape and _are_swapped(halves, x):
                    half = size // 2
                    yield TurnedHeads(
                        x,
                        (
                            *(HalfFactors(cosines, first, 1.0) for first in (0, half)),
                            *(HalfFactors(sines, i * half, sign) for i, sign in enumerate(signs)),
                        ),
                    )


_Half: TypeAlias = tuple[SSAValue, float]
"""Of which a half is the product: a value, and 1 or -1."""


def _signed_halves(value: SSAValue, size: int) -> tuple[_Half, _Half] | None:
    """Two halves that are put side by side."""
    op = value.owner
    if not isinstance(op, t.ConcatOp) or len(op.xs) != 2 or size % 2 or not value.has_one_use():
        return None
    if op.axis.value.data != len(t.shape_of(value)) - 1:
        return None
    first, second = op.xs
    if t.shape_of(first) != t.shape_of(second):
        return None
    return _signed(first), _signed(second)


def _signed(value: SSAValue) -> _Half:
    scaled = scale_of(value.owner) if isinstance(value.owner, Operation) else None
    return scaled if scaled is not None and abs(scaled[1]) == 1 else (value, 1.0)


def _are_swapped(halves: tuple[_Half, _Half], x: SSAValue) -> bool:
    """Whether halves are those of x in the other order."""
    whole, half = trace(x), t.shape_of(x)[-1] // 2
    for (part, _), first in zip(halves, (half, 0), strict=True):
        found = trace(part)
        expected = whole.indices[..., first : first + half]
        if found.root is not whole.root or not np.array_equal(found.indices, expected):
            return False
    return True


def _by_halves(op: t.ConcatOp) -> Iterator[TurnedHeads]:
    shape = t.shape_of(op.result)
    if len(op.xs) != 2 or op.axis.value.data != len(shape) - 1:
        return
    sums = [_sum(x) for x in op.xs]
    for one in sums[0]:
        for two in sums[1]:
            (first, cosine), (second, sine) = one[0][:2], one[1][:2]
            if two[0][0] is not second or two[1][0] is not first:
                continue
            x = _halves_of(first, second)
            if x is None or t.shape_of(x) != shape:
                continue
            kept = HalfFactors(cosine, 0, one[0][2]), HalfFactors(two[0][1], 0, two[0][2])
            turned = HalfFactors(sine, 0, one[1][2]), HalfFactors(two[1][1], 0, two[1][2])
            yield TurnedHeads(x, (*kept, *turned))


_Term: TypeAlias = tuple[SSAValue, SSAValue, float]


def _sum(value: SSAValue) -> list[tuple[_Term, _Term]]:
    """The products of which a half is the sum or the difference, in all orders."""
    op = value.owner
    if not isinstance(op, t.AddOp | t.SubOp) or not value.has_one_use():
        return []
    signs = (1.0, -1.0 if isinstance(op, t.SubOp) else 1.0)
    found: list[tuple[_Term, _Term]] = []
    for one in _products(op.lhs):
        for two in _products(op.rhs):
            terms = (*one, signs[0]), (*two, signs[1])
            found += [terms, (terms[1], terms[0])]
    return found


def _halves_of(first: SSAValue, second: SSAValue) -> SSAValue | None:
    """The value whose columns two slices halve."""
    a, b = first.owner, second.owner
    if not isinstance(a, t.SliceOp) or not isinstance(b, t.SliceOp) or a.x is not b.x:
        return None
    shape, half = t.shape_of(a.x), t.shape_of(first)[-1]
    wanted = (*shape[:-1], half)
    if shape[-1] != 2 * half or t.shape_of(first) != wanted or t.shape_of(second) != wanted:
        return None
    starts = [int(op.offsets.get_values()[-1]) for op in (a, b)]
    forward = all(set(op.steps) == {1} for op in (a, b))
    return a.x if forward and starts == [0, half] else None


def find_matrix(x: SSAValue) -> HeadMatrix:
    """Where the heads of a value [.., size] lie side by side; the value itself if nowhere."""
    found = trace(x)
    lead, size = t.shape_of(x)[:-1], t.shape_of(x)[-1]
    columns = t.shape_of(found.root)[-1]
    rows = prod(t.shape_of(found.root)[:-1])
    starts: Indices = found.indices[..., 0]
    if not (np.diff(found.indices) == 1).all():
        return HeadMatrix(x, 0, 1, None)
    first = int(starts.flat[0])
    for axis in (*range(len(lead)), None):
        heads = 1 if axis is None else lead[axis]
        moved = starts if axis is None else np.moveaxis(starts, axis, -1)
        by_row: Indices = moved.reshape(-1, heads)
        expected = first + np.add.outer(np.arange(rows) * columns, np.arange(heads) * size)
        if first + heads * size <= columns and np.array_equal(by_row, expected):
            return HeadMatrix(found.root, first, heads, axis)
    return HeadMatrix(x, 0, 1, None)


@dataclass
class FuseRotary:
    """Rewrites a function's operations in their order, so that tables stand before all users."""

    constants: Constants
    tables: dict[object, SSAValue] = field(default_factory=dict[object, SSAValue])

    def rewrite(self, op: Operation) -> None:
        """Replace an operation that rotary positions end with."""
        turned = find_turned(op)
        if turned is None:
            return
        matrix = find_matrix(turned.x)
        table = self._table(turned, matrix, op)
        if table is None:
            return
        shape, layer = t.shape_of(turned.x), getattr(op, "layer", None)
        size, width = shape[-1], matrix.heads * shape[-1]
        rows = t.shape_of(table)[0]
        flat = t.ReshapeOp(matrix.root, (rows, prod(t.shape_of(matrix.root)) // rows))
        part = t.SliceOp(flat, (0, matrix.first), (rows, width))
        rotary = t.RotaryOp(part, table, layer=layer)
        made: list[Operation] = [flat, part, rotary]
        if matrix.axis is None:
            made.append(t.ReshapeOp(rotary, shape))
        else:
            others = [n for axis, n in enumerate(shape[:-1]) if axis != matrix.axis]
            order = list(range(len(others)))
            order.insert(matrix.axis, len(others))
            split = t.ReshapeOp(rotary, (*others, matrix.heads, size))
            made += [split, t.TransposeOp(split, (*order, len(others) + 1))]
        Rewriter.replace_op(op, made)

    def _table(self, turned: TurnedHeads, matrix: HeadMatrix, before: Operation) -> SSAValue | None:
        """The table [rows, 2 * size]; None if heads have factors of their own."""
        shape = t.shape_of(turned.x)
        lead = [n for axis, n in enumerate(shape[:-1]) if axis != matrix.axis]
        half = shape[-1] // 2
        if not all(_repeats(f.value, shape, matrix.axis, half) for f in turned.factors):
            return None
        key = (turned.factors, tuple(lead), matrix.axis, len(shape))
        if key in self.tables:
            return self.tables[key]
        place = (lead, matrix.axis, len(shape), half)
        made = self._constant_table(turned, *place) or _computed_table(turned, *place)
        Rewriter.insert_op(made, InsertPoint.before(before))
        self.tables[key] = made[-1].results[0]
        return self.tables[key]

    def _constant_table(
        self, turned: TurnedHeads, lead: Sequence[int], axis: int | None, rank: int, half: int
    ) -> list[Operation] | None:
        columns: list[Array] = []
        for factors in turned.factors:
            data = self.constants.data(factors.value)
            if data is None:
                return None
            shaped = data.reshape(_without(data.shape, axis, rank))
            chosen = shaped[..., factors.first : factors.first + half] * np.float32(factors.sign)
            columns.append(np.broadcast_to(chosen, (*lead, half)).reshape(-1, half))
        found = np.concatenate(columns, axis=1)
        key = found.shape, found.tobytes()
        if key in self.tables:
            return [t.ReshapeOp(self.tables[key], found.shape)]
        made = self.constants.make("rotary.table", found)
        self.tables[key] = made.result
        return [made]


def _repeats(value: SSAValue, shape: Sequence[int], axis: int | None, half: int) -> bool:
    """Whether factors are the same for all heads, and have columns of their own."""
    own = (1,) * (len(shape) - len(t.shape_of(value))) + t.shape_of(value)
    if len(own) != len(shape) or own[-1] not in (half, 2 * half):
        return False
    return axis is None or own[axis] == 1


def _without(own: Sequence[int], axis: int | None, rank: int) -> tuple[int, ...]:
    """A shape of a rank, without the dimension of heads."""
    full = (1,) * (rank - len(own)) + tuple(own)
    return tuple(n for index, n in enumerate(full) if index != axis)


def _computed_table(
    turned: TurnedHeads, lead: Sequence[int], axis: int | None, rank: int, half: int
) -> list[Operation]:
    made: list[Operation] = []
    columns: list[SSAValue] = []
    for factors in turned.factors:
        own = t.shape_of(factors.value)
        shape = _without(own, axis, rank)
        shaped = t.ReshapeOp(factors.value, shape)
        expanded = t.ExpandOp(shaped, (*lead, shape[-1]))
        flat = t.ReshapeOp(expanded, (prod(lead), shape[-1]))
        chosen = t.SliceOp(flat, (0, factors.first), (prod(lead), half))
        made += [shaped, expanded, flat, chosen]
        if factors.sign < 0:
            minus = t.SplatOp(factors.sign, ())
            made += [minus, t.MulOp(chosen, minus)]
        columns.append(made[-1].results[0])
    return [*made, t.ConcatOp(columns, 1)]


@dataclass(frozen=True)
class FuseRotaryPass(ModulePass):
    """Products with cosines and sines of positions -> `rotary`."""

    name = "fuse-rotary"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        constants = Constants.of(ctx, op)
        for function in op.ops:
            if isinstance(function, FuncOp):
                fusion = FuseRotary(constants)
                for inner in list(function.body.block.ops):
                    fusion.rewrite(inner)
