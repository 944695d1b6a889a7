"""`order-inner-dimension`: products add small terms first, which loses less to rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass

from softex_mlir.compiler.compilation_context import weights_of
from softex_mlir.compiler.transforms.transformer.columns_together import (
    FROZEN,
    Columns,
    Indices,
    columns_together,
)
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.numerics.bf16 import saturated

Row = npt.NDArray[np.float32]

ALIKE = 1 / 64
"""Keys whose binary logarithms differ by less keep their order: what was ordered stays so."""


@dataclass(frozen=True)
class OrderInnerDimensionPass(ModulePass):
    """Permutes the weights so that the inner values of products come in ascending order of the
    size of their terms, by what weights and norms' scales say.

    RedMulE rounds every step of a sum to bf16, in proportion to what the sum has grown to. The
    columns of a linear layer's x are put in another order where they are computed: in the columns
    of the weights, biases and norms before it, and in the rows of its own. Nothing moves at run
    time, and in real numbers the model's results are the same.
    """

    name = "order-inner-dimension"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        order_inner_dimension(op, weights_of(ctx))


def order_inner_dimension(module: ModuleOp, weights: WeightStore) -> None:
    """Permute the weights of a module in the fused form; nothing happens if some have no data."""
    columns = columns_together(module)
    axes = [key for key in columns.classes if isinstance(key, tuple)]
    if any(weights.find(name) is None for name, _ in axes):
        return
    source = _sources(columns, _Terms(module, columns, weights))
    for name, axis in axes:
        order = _order(columns.classes[name, axis], source)
        if order is not None:
            weights.replace(name, np.take(weights[name], order, axis))


class _Terms:
    """What classes add to the sums of linear layers.

    Attributes:
        square: the mean square of a class's terms, all products together; 0 if it is in none.
        place: where in its first product a class is.
    """

    def __init__(self, module: ModuleOp, columns: Columns, weights: WeightStore):
        self.square = np.zeros(len(columns.groups))
        self.place = np.zeros(len(columns.groups), np.int64)
        self._weights = weights
        for op in module.walk():
            if isinstance(op, t.LinearOp) and isinstance(op.w.owner, t.GetWeightOp):
                w = self._data(op.w)
                self._add(columns.of(op.x), _scale(op.x, self._data) * np.einsum("nk,nk->n", w, w))

    def _data(self, weight: SSAValue) -> Row:
        # as the program has them, so that what was rounded before gets the same order
        assert isinstance(weight.owner, t.GetWeightOp)
        return saturated(self._weights[weight.owner.weight.string_value()]).astype(np.float32)

    def _add(self, classes: Indices, square: Row) -> None:
        first = self.square[classes] == 0
        self.place[classes[first]] = np.flatnonzero(first)
        self.square[classes] += square


def _scale(x: SSAValue, data: Callable[[SSAValue], Row]) -> Row:
    """The mean square of each column of a norm's result; of others nothing is known: 1."""
    square = np.zeros(t.shape_of(x)[-1], np.float32)
    parameters = x.owner.operands[1:] if isinstance(x.owner, t.LayerNormOp | t.RMSNormOp) else ()
    if not parameters or not all(isinstance(value.owner, t.GetWeightOp) for value in parameters):
        return square + 1
    for value in parameters:
        square += data(value) ** 2
    return square


def _sources(columns: Columns, terms: _Terms) -> Indices:
    """The class whose content each class gets."""
    source = np.arange(len(columns.groups))
    summed = np.flatnonzero((terms.square > 0) & np.isfinite(terms.square))
    summed = summed[columns.groups[summed] != FROZEN]
    by_group = summed[np.lexsort((terms.place[summed], columns.groups[summed]))]
    bounds = np.flatnonzero(np.diff(columns.groups[by_group])) + 1
    for members in np.split(by_group, bounds):
        size = np.log2(terms.square[members]) / 2
        if (np.diff(size) < -ALIKE).any():
            source[members] = members[np.argsort(size, kind="stable")]
    return source


def _order(classes: Indices, source: Indices) -> Indices | None:
    """The place that the content of each place comes from; None if all stay."""
    wanted = source[classes]
    if np.array_equal(wanted, classes):
        return None
    by_class = np.argsort(classes, kind="stable")
    found = by_class[np.searchsorted(classes, wanted, sorter=by_class)]
    return np.where(wanted == classes, np.arange(len(classes)), found)
