"""The order of a value's rows, and the choice of its columns, changed where they are computed.

Rows are all dimensions but the last.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.transforms.transformer.l1_values import (
    Constants,
    is_constant,
    name_of,
    trace,
)
from softex_mlir.dialects import transformer as t

Order = npt.NDArray[np.int64]


def row_order(value: SSAValue) -> tuple[SSAValue, Order] | None:
    """(root, order): row i of the value is row order[i] of what it is a view of.

    None if the view does more than to move whole rows.
    """
    found = trace(value)
    shape = t.shape_of(value)
    if not shape or t.shape_of(found.root)[-1:] != shape[-1:]:
        return None
    width = shape[-1]
    rows = found.indices.reshape(-1, width)
    first: Any = rows[:, 0]
    if (first % width).any() or not np.array_equal(rows, first[:, None] + np.arange(width)):
        return None
    return found.root, first // width


def in_order(value: SSAValue, order: Order, made: list[Operation]) -> SSAValue | None:
    """A value whose row i is row order[i] of the given one, without moving any data.

    Follows the value back through views and through operations that work row by row; new ones are
    appended to `made`. None if there is no such value.
    """
    found = row_order(value)
    if found is None:
        return None
    root, rows = found[0], found[1][order]
    if np.array_equal(rows, np.arange(prod(t.shape_of(root)[:-1]))):
        return root
    return computed_in_order(root, rows, made) if root.has_one_use() else None


def computed_in_order(value: SSAValue, order: Order, made: list[Operation]) -> SSAValue | None:
    """`in_order` for a value that is computed by an operation, whoever else uses it."""
    op = value.owner
    if not isinstance(op, Operation) or not _works_by_rows(op):
        return None
    x = in_order(op.operands[0], order, made)
    if x is None:
        return None
    new = _on(op, x)
    made.append(new)
    return new.results[0]


def with_columns(
    value: SSAValue, columns: Order, constants: Constants, made: list[Operation]
) -> SSAValue | None:
    """A value that has the given columns of a product with a weight matrix; None for others."""
    op = value.owner
    match op:
        case t.AddOp() if (
            op.lhs.type == value.type and t.shape_of(op.rhs) == t.shape_of(value)[-1:]
        ):
            row = constants.data(op.rhs)
            x = None if row is None else with_columns(op.lhs, columns, constants, made)
            if row is None or x is None:
                return None
            chosen = constants.make(f"{name_of(op.rhs)}.columns", row[columns])
            new = t.AddOp(x, chosen, layer=op.layer)
        case t.MatmulOp() if len(t.shape_of(op.b)) == 2:
            weights = constants.data(op.b)
            if weights is None:
                return None
            chosen = constants.make(f"{name_of(op.b)}.columns", weights[:, columns])
            new = t.MatmulOp(op.a, chosen, layer=op.layer)
        case _:
            return None
    made += [chosen, new]
    return new.result


def _works_by_rows(op: Operation) -> bool:
    match op:
        case t.MatmulOp():
            return is_constant(op.b) and len(t.shape_of(op.b)) == 2
        case t.AddOp() | t.SubOp() | t.MulOp():
            row = t.shape_of(op.result)[-1:]
            kept = op.lhs.type == op.result.type
            return kept and is_constant(op.rhs) and t.shape_of(op.rhs) in ((), (1,), row)
        case t.LinearOp():
            return op.residual is None
        case t.UnaryOp() | t.LayerNormOp() | t.RMSNormOp():
            return True
        case _:
            return False


def _on(op: Operation, x: SSAValue) -> t.TransformerOp:
    """The same operation on another first operand with the same columns."""
    match op:
        case t.MatmulOp():
            return t.MatmulOp(x, op.b, layer=op.layer)
        case t.AddOp() | t.SubOp() | t.MulOp():
            return type(op)(x, op.rhs, layer=op.layer)
        case t.LinearOp():
            flat = op.x.type == x.type
            assert flat, "rows of a linear layer stay rows"
            return t.LinearOp(x, op.w, op.bias, activation=op.activation.data, layer=op.layer)
        case t.LayerNormOp():
            eps = op.eps.value.data
            return t.LayerNormOp(x, op.gamma, op.beta, eps, wide=op.wide, layer=op.layer)
        case t.RMSNormOp():
            eps = op.eps.value.data
            return t.RMSNormOp(x, op.gamma, eps, wide=op.wide, layer=op.layer)
        case _:
            assert isinstance(op, t.UnaryOp)
            return type(op)(x, layer=op.layer)
