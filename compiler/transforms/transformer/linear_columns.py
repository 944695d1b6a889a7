"""Changing some columns of a linear layer's result by changing its weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter

from softex_mlir.compiler.transforms.transformer.l1_values import Array, Constants, name_of
from softex_mlir.dialects import transformer as t


@dataclass(frozen=True)
class LinearColumns:
    """Columns [first, first + width) of the result of a linear layer without epilogue."""

    linear: t.LinearOp
    first: int
    width: int

    def replace(
        self,
        constants: Constants,
        rewriter: PatternRewriter,
        factors: Array | float = 1.0,
        offsets: Array | float = 0.0,
    ) -> bool:
        """Make the columns ``factors * columns + offsets``; False if data is missing."""
        linear = self.linear
        w = constants.data(linear.w)
        b = None if linear.bias is None else constants.data(linear.bias)
        if w is None or (linear.bias is not None and b is None):
            return False
        chosen = slice(self.first, self.first + self.width)
        made: list[Operation] = []
        parameters = [linear.w]
        scale, shift = np.ones(w.shape[1], np.float32), np.zeros(w.shape[1], np.float32)
        scale[chosen], shift[chosen] = factors, offsets
        if (scale != 1).any():
            made.append(constants.make(f"{name_of(linear.w)}.scaled", w * scale))
            parameters = [made[0].results[0]]
        if b is not None or shift.any():
            name = "bias" if linear.bias is None else name_of(linear.bias)
            bias = shift if b is None else b * scale + shift
            made.append(constants.make(f"{name}.folded", bias))
            parameters.append(made[-1].results[0])
        made.append(t.LinearOp(linear.x, *parameters, layer=linear.layer))
        rewriter.replace(linear, made)
        return True


def columns_of(value: SSAValue, user: Operation) -> LinearColumns | None:
    """The columns of a linear layer that a value is, if only `user` sees them, and sees them once.

    None if the value is anything else, or the layer has an activation or a residual.
    """
    if not value.has_one_use() or len(t.shape_of(value)) != 2:
        return None
    first, width = 0, t.shape_of(value)[-1]
    part = value.owner
    if isinstance(part, t.SliceOp):
        first = int(part.offsets.get_values()[-1])
        if t.shape_of(value)[0] != t.shape_of(part.x)[0]:
            return None
        if set(part.steps) != {1} or any(
            use.operation is not part and _overlaps(use.operation, first, width)
            for use in part.x.uses
        ):
            return None
        value = part.x
    linear = value.owner
    if not isinstance(linear, t.LinearOp) or linear.residual is not None:
        return None
    return LinearColumns(linear, first, width) if linear.activation.data == "none" else None


def _overlaps(user: Operation, first: int, width: int) -> bool:
    """Whether a user of a matrix may see columns [first, first + width)."""
    if not isinstance(user, t.SliceOp) or set(user.steps) != {1}:
        return True
    start = int(user.offsets.get_values()[-1])
    return first < start + t.shape_of(user.result)[-1] and start < first + width
