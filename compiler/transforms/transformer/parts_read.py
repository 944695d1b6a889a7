"""Which part of its operands an operation reads to compute a part of its result.

A rule may widen the part of the result to one that the operation can compute by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from xdsl.ir import Operation

from softex_mlir.compiler.transforms.transformer.boxes import (
    Box,
    blocks,
    joined,
    reshaped,
    shifted,
    whole,
    within,
)
from softex_mlir.dialects import transformer as t


@dataclass(frozen=True)
class Parts:
    """The part of the result that is computed, and the part of every operand that it takes."""

    result: Box
    operands: tuple[Box, ...]


Rule: TypeAlias = Callable[[Operation, Box], Parts]

RULES: dict[type[Operation], Rule] = {}
"""By operation class; operations without a rule are computed whole, from whole operands."""


def _rule(*kinds: type[Operation]) -> Callable[[Callable[[Any, Box], Parts]], None]:
    def register(rule: Rule) -> None:
        RULES.update(dict.fromkeys(kinds, rule))

    return register


@_rule(t.LinearOp)
def _linear(op: t.LinearOp, box: Box) -> Parts:
    rows, columns = box
    inner = range(t.shape_of(op.x)[1])
    bias = () if op.bias is None else ((columns,),)
    residual = () if op.residual is None else (box,)
    return Parts(box, ((rows, inner), (inner, columns), *bias, *residual))


@_rule(t.MatmulOp)
def _matmul(op: t.MatmulOp, box: Box) -> Parts:
    a, b = t.shape_of(op.a), t.shape_of(op.b)
    inner = range(a[-1])
    lead = tuple(box[:-2])
    if a[:-2] != b[:-2]:
        lead = whole(t.shape_of(op.result)[:-2])
    left = lead if a[:-2] == b[:-2] else whole(a[:-2])
    right = lead if a[:-2] == b[:-2] else whole(b[:-2])
    return Parts((*lead, *box[-2:]), ((*left, box[-2], inner), (*right, inner, box[-1])))


@_rule(t.AttentionOp)
def _attention(op: t.AttentionOp, box: Box) -> Parts:
    rows, columns = box
    size, value_size, queries, keys = op.head_size, op.value_size, op.queries, op.keys
    batches, tokens = blocks(rows, queries)
    batches = range(batches[0], batches[-1] + 1)  # keys of batches in between have no step
    if op.position is not None:
        tokens = range(queries)  # which keys are looked at counts from the first query
    sharing = op.heads.value.data // op.heads_of_keys
    groups = range(columns[0] // value_size // sharing, columns[-1] // value_size // sharing + 1)
    heads = range(groups.start * sharing, groups.stop * sharing)
    q_rows, k_rows = joined(batches, tokens, queries), joined(batches, range(keys), keys)
    results, projected = (joined(heads, range(n), n) for n in (value_size, size))
    values, k_columns = (joined(groups, range(n), n) for n in (value_size, size))
    bias_rows = {"all": range(1), "query": tokens, "batch": batches, "batch_query": q_rows}
    padded = range(t.padded_keys(keys))
    seen = joined(heads, padded, len(padded)) if op.bias_by_head else padded
    bias = (bias_rows[op.bias_rows.data], seen)
    position = () if op.position is None else ((batches,),)
    return Parts(
        (q_rows, results),
        ((q_rows, projected), (k_rows, k_columns), (k_rows, values), bias, *position),
    )


@_rule(t.LayerNormOp, t.RMSNormOp, t.SoftmaxOp)
def _row_by_row(op: t.LayerNormOp | t.RMSNormOp | t.SoftmaxOp, box: Box) -> Parts:
    rows = (*box[:-1], range(t.shape_of(op.x)[-1]))
    return Parts(rows, (rows, *(whole(t.shape_of(parameter)) for parameter in op.operands[1:])))


@_rule(t.RotaryOp)
def _rotary(op: t.RotaryOp, box: Box) -> Parts:
    rows, columns = box
    size = op.head_size
    heads = joined(range(columns[0] // size, columns[-1] // size + 1), range(size), size)
    return Parts((rows, heads), ((rows, heads), (rows, range(2 * size))))


@_rule(*t.FUNCTIONS, *t.GRAPH_FUNCTIONS)
def _unary(op: t.UnaryOp, box: Box) -> Parts:
    return Parts(box, (box,))


@_rule(t.AddOp, t.SubOp, t.MulOp, t.DivOp, t.PowOp, t.MaskFillOp)
def _binary(op: t.BinaryOp | t.MaskFillOp, box: Box) -> Parts:
    lhs, rhs = (t.shape_of(operand) for operand in op.operands)
    if len(lhs) == len(rhs) == 2 and lhs[1] == rhs[1] and lhs[0] > rhs[0]:
        repeats, rows = blocks(box[0], rhs[0])
        box = (joined(repeats, rows, rhs[0]), box[1])
        return Parts(box, (box, (rows, box[1])))
    return Parts(box, (_broadcast(lhs, box), _broadcast(rhs, box)))


@_rule(t.ExpandOp)
def _expand(op: t.ExpandOp, box: Box) -> Parts:
    return Parts(box, (_broadcast(t.shape_of(op.x), box),))


def _broadcast(shape: tuple[int, ...], box: Box) -> Box:
    """The part of an operand that is repeated to a part of the result."""
    last = box[len(box) - len(shape) :]
    return tuple(range(1) if n == 1 else part for n, part in zip(shape, last, strict=True))


@_rule(t.ReduceMeanOp)
def _reduce_mean(op: t.ReduceMeanOp, box: Box) -> Parts:
    shape, axes = t.shape_of(op.x), {int(a) for a in op.axes.get_values()}
    parts = iter(box)
    operand: list[range] = []
    for axis, n in enumerate(shape):
        part = next(parts) if axis not in axes or op.keep is not None else range(1)
        operand.append(range(n) if axis in axes else part)
    return Parts(box, (tuple(operand),))


@_rule(t.EmbeddingOp)
def _embedding(op: t.EmbeddingOp, box: Box) -> Parts:
    return Parts(box, (box[:-1], (range(t.shape_of(op.table)[0]), box[-1])))


@_rule(t.WindowsOp)
def _windows(op: t.WindowsOp, box: Box) -> Parts:
    whole_rows = (box[0], range(t.shape_of(op.result)[1]))
    return Parts(whole_rows, ((box[0],), (range(t.shape_of(op.vector)[0]),)))


@_rule(t.MaskToBiasOp)
def _mask_to_bias(op: t.MaskToBiasOp, box: Box) -> Parts:
    columns, keys = range(t.shape_of(op.result)[1]), range(t.shape_of(op.mask)[1])
    if op.base is None:
        return Parts((box[0], columns), ((box[0], keys),))
    length = t.shape_of(op.base)[0]
    batches, queries = blocks(box[0], length)
    rows = joined(batches, queries, length)
    return Parts((rows, columns), ((batches, keys), (queries, columns)))


@_rule(t.PositionIdsOp)
def _position_ids(op: t.PositionIdsOp, box: Box) -> Parts:
    rows = (box[0], range(t.shape_of(op.ids)[1]))
    return Parts(rows, (rows,))


@_rule(t.PatchifyOp)
def _patchify(op: t.PatchifyOp, box: Box) -> Parts:
    image, (rows, columns) = t.shape_of(op.image), t.shape_of(op.result)
    length = rows // image[0]
    batches, _ = blocks(box[0], length)
    batches = range(batches[0], batches[-1] + 1)
    kept = (joined(batches, range(length), length), range(columns))
    return Parts(kept, ((batches, *whole(image[1:])),))


@_rule(t.SliceOp)
def _slice(op: t.SliceOp, box: Box) -> Parts:
    offsets = (int(offset) for offset in op.offsets.get_values())
    moved = zip(box, offsets, op.steps, strict=True)
    return Parts(box, (tuple(shifted(part, offset, step) for part, offset, step in moved),))


@_rule(t.ConcatOp)
def _concat(op: t.ConcatOp, box: Box) -> Parts:
    axis, first = op.axis.value.data, 0
    operands: list[Box] = []
    for x in op.xs:
        length = t.shape_of(x)[axis]
        operands.append((*box[:axis], within(box[axis], first, length), *box[axis + 1 :]))
        first += length
    return Parts(box, tuple(operands))


@_rule(t.ReshapeOp)
def _reshape(op: t.ReshapeOp, box: Box) -> Parts:
    result, x = reshaped(box, t.shape_of(op.result), t.shape_of(op.x))
    return Parts(result, (x,))


@_rule(t.TransposeOp)
def _transpose(op: t.TransposeOp, box: Box) -> Parts:
    order = [int(p) for p in op.permutation.get_values()]
    return Parts(box, (tuple(box[order.index(axis)] for axis in range(len(order))),))


@_rule(t.SplatOp)
def _splat(op: t.SplatOp, box: Box) -> Parts:
    return Parts(box, ())
