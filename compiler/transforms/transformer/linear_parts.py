"""Columns of a linear layer's result as layers of their own: every element is the sum it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from softex_mlir.compiler.transforms.transformer.boxes import Box, hull, shifted, size_of
from softex_mlir.dialects import transformer as t

Taking: TypeAlias = Callable[[SSAValue, Box], Operation]
"""Makes the operation whose result is a part of a value."""


@dataclass(frozen=True)
class LinearPart:
    """Columns of a linear layer's result, and the slices that read some of them."""

    columns: range
    slices: tuple[t.SliceOp, ...]


def columns_read(user: t.SliceOp) -> range:
    """The columns of a matrix that a slice reads, and those between them."""
    first, count = int(user.offsets.get_values()[-1]), t.shape_of(user.result)[-1]
    columns = hull(shifted(range(count), first, user.steps[-1]))
    return range(columns[0], columns[-1] + 1)


def slice_of(value: SSAValue, box: Box) -> t.SliceOp:
    """A part of a value."""
    return t.SliceOp(value, [p.start for p in box], size_of(box), [p.step for p in box])


def split_linear(
    op: t.LinearOp, parts: Sequence[LinearPart], take_weight: Taking = slice_of
) -> None:
    """Replace a linear layer, all of whose users are slices of a part, by a layer a part."""
    for part in parts:
        product = _insert(op, part.columns, take_weight)
        for user in part.slices:
            *rows, start = (int(offset) for offset in user.offsets.get_values())
            sizes, offsets = t.shape_of(user.result), (*rows, start - part.columns.start)
            if user.result.type == product.result.type and set(user.steps) == {1}:
                Rewriter.replace_op(user, [], [product.result])
                continue
            moved = t.SliceOp(product, offsets, sizes, user.steps, layer=user.layer)
            Rewriter.replace_op(user, moved)
    Rewriter.erase_op(op)


def _insert(op: t.LinearOp, columns: range, take_weight: Taking) -> t.LinearOp:
    rows, inner = range(t.shape_of(op.result)[0]), range(t.shape_of(op.x)[1])
    taken = (
        take_weight(op.w, (inner, columns)),
        None if op.bias is None else take_weight(op.bias, (columns,)),
        None if op.residual is None else slice_of(op.residual, (rows, columns)),
    )
    kind = TensorType(op.result.type.get_element_type(), (len(rows), len(columns)))
    product = t.LinearOp.build(
        operands=[op.x, *(None if part is None else part.results[0] for part in taken)],
        result_types=[kind],
        properties=op.properties.copy(),
    )
    made = [part for part in taken if part is not None]
    Rewriter.insert_op([*made, product], InsertPoint.before(op))
    return product
