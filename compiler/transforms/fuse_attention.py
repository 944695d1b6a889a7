"""`fuse-attention`: scores, scale, mask, softmax and the product with the values become one op.

Exporters split and merge heads by all kinds of reshapes, transposes, slices and splits. The pass
does not match their spelling: it follows the operands back to where they are computed, keeping
track of *which element goes where*, and compares that with what multi-head attention needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType, bf16
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from softex_mlir.compiler.transforms.l1_values import (
    Array,
    Constants,
    Indices,
    scale_of,
    trace,
)
from softex_mlir.dialects import transformer as t

VERY_NEGATIVE = -1e4
"""Biases at or below this mean "masked"."""
HIDDEN = -1e30
"""Masked in a bias that is added to another one: lost in the rounding when both are masked."""


@dataclass(frozen=True)
class Heads:
    """An operand of attention: columns of a matrix, heads side by side."""

    root: SSAValue
    """Where it is computed; all dimensions but the last are rows."""
    first: int
    """First column."""
    batch: int
    heads: int
    tokens: int
    size: int
    """Columns of a head."""
    scale: float
    token_major: bool
    """Rows are ordered (token, batch element) instead of (batch element, token)."""


def find_heads(value: SSAValue, *, transposed: bool) -> Heads | None:
    """Recognise [.., tokens, size] (or transposed) as heads of the columns of a matrix."""
    found = trace(value, scales=True)
    columns = t.shape_of(found.root)[-1]
    indices: Indices = np.swapaxes(found.indices, -1, -2) if transposed else found.indices
    tokens, size = indices.shape[-2:]
    indices = indices.reshape(-1, tokens, size)
    first = int(indices[0, 0, 0]) % columns
    rows = int(np.prod(t.shape_of(found.root)[:-1]))
    if rows % tokens or len(indices) % (rows // tokens):
        return None
    batch = rows // tokens
    heads = len(indices) // batch
    b, h, i, c = np.ogrid[:batch, :heads, :tokens, :size]
    if first + heads * size > columns:
        return None
    for token_major, row in ((False, b * tokens + i), (True, i * batch + b)):
        expected = row * columns + first + h * size + c
        if np.array_equal(indices, expected.reshape(indices.shape)):
            scale = found.scale
            return Heads(found.root, first, batch, heads, tokens, size, scale, token_major)
    return None


@dataclass(frozen=True)
class Scores:
    """``scale * (a @ b) + sum of biases``, the input of a softmax."""

    product: t.MatmulOp
    scale: float
    biases: list[tuple[SSAValue, float]]
    """Additive masks, each with a factor."""


def find_scores(value: SSAValue) -> Scores | None:
    """Follow the input of a softmax back to the product it comes from."""
    scale = 1.0
    biases: list[tuple[SSAValue, float]] = []
    while isinstance(owner := value.owner, Operation):
        scaled = scale_of(owner)
        if scaled is not None:
            value, factor = scaled
            scale *= factor
        elif isinstance(owner, t.MatmulOp):
            return Scores(owner, scale, biases)
        elif isinstance(owner, t.ReshapeOp):
            value = owner.x
        elif isinstance(owner, t.AddOp):
            # The scores are the operand of full shape that leads to a product.
            for scores, bias in ((owner.lhs, owner.rhs), (owner.rhs, owner.lhs)):
                if scores.type == owner.result.type and find_scores(scores) is not None:
                    biases.append((bias, scale))
                    value = scores
                    break
            else:
                return None
        else:
            return None
    return None


def four_dimensions(shape: tuple[int, ...], batch: int, heads: int) -> tuple[int, ...] | None:
    """A bias shape as [batch or 1, heads or 1, queries or 1, keys]."""
    if len(shape) == 4:
        return shape
    if len(shape) < 3:
        return (1,) * (4 - len(shape)) + shape
    if len(shape) == 3:
        if shape[0] == batch * heads:
            return (batch, heads, *shape[1:])
        return (1, *shape) if shape[0] == 1 else None
    return None


@dataclass
class FuseAttention(RewritePattern):
    """matmul(softmax(scores), v)."""

    constants: Constants

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: t.MatmulOp, rewriter: PatternRewriter) -> None:
        probabilities = op.a
        while isinstance(owner := probabilities.owner, t.ReshapeOp | t.NanToZeroOp):
            probabilities = owner.x
        softmax = probabilities.owner
        if not isinstance(softmax, t.SoftmaxOp):
            return
        scores = find_scores(softmax.x)
        if scores is None:
            return
        q = find_heads(scores.product.a, transposed=False)
        k = find_heads(scores.product.b, transposed=True)
        v = find_heads(op.b, transposed=False)
        if q is None or k is None or v is None:
            return
        if not (q.batch == k.batch == v.batch and q.heads == k.heads == v.heads):
            return
        if k.tokens != v.tokens or q.size != k.size or v.scale != 1.0:
            return
        made: list[Operation] = []
        bias = self._bias(scores.biases, q, k.tokens, made)
        if bias is None:
            return
        # Operations are inserted before the one replaced, where all their operands exist.
        columns = tuple(self._columns(part, made) for part in (q, k, v))
        attention = t.AttentionOp(
            columns[0],
            columns[1],
            columns[2],
            bias[0],
            heads=q.heads,
            batch=q.batch,
            bias_rows=bias[1],
            scale=scores.scale * q.scale * k.scale,
            layer=softmax.layer or op.layer,
        )
        split = t.ReshapeOp(attention, (q.batch, q.tokens, q.heads, v.size))
        order = t.TransposeOp(split, (0, 2, 1, 3))
        shaped = t.ReshapeOp(order, t.shape_of(op.result))
        rewriter.replace(op, [*made, attention, split, order, shaped])

    @staticmethod
    def _columns(part: Heads, made: list[Operation]) -> SSAValue:
        shape = t.shape_of(part.root)
        rows, width = part.batch * part.tokens, part.heads * part.size
        value = part.root
        if len(shape) != 2:
            flat = t.ReshapeOp(value, (rows, shape[-1]))
            made.append(flat)
            value = flat.result
        if width != shape[-1]:
            columns = t.SliceOp(value, (0, part.first), (rows, width))
            made.append(columns)
            value = columns.result
        if part.token_major:
            split = t.ReshapeOp(value, (part.tokens, part.batch, width))
            order = t.TransposeOp(split, (1, 0, 2))
            joined = t.ReshapeOp(order, (rows, width))
            made += [split, order, joined]
            value = joined.result
        return value

    def _bias(
        self,
        biases: list[tuple[SSAValue, float]],
        q: Heads,
        keys: int,
        made: list[Operation],
    ) -> tuple[SSAValue, str] | None:
        """The bias operand and its `bias_rows`; None if the masks cannot be expressed."""
        constant = np.zeros((1, 1, 1, keys), np.float32)
        dynamic: list[SSAValue] = []
        for value, factor in biases:
            data = self.constants.data(value)
            if data is None:
                dynamic.append(value)
                continue
            shape = four_dimensions(data.shape, q.batch, q.heads)
            if shape is None:
                return None
            with np.errstate(invalid="ignore", over="ignore"):
                constant = constant + data.reshape(shape) * np.float32(factor)
        constant = np.where(constant <= VERY_NEGATIVE, np.float32(t.MASKED), constant)
        if constant.shape[1] != 1:
            if not (constant == constant[:, :1]).all():
                return None
            constant = constant[:, :1]
        if constant.shape[-1] != keys:
            constant = np.broadcast_to(constant, (*constant.shape[:-1], keys))
        if len(dynamic) > 1:
            return None
        if dynamic:
            return self._dynamic_bias(dynamic[0], constant, q, keys, made)
        batch, _, queries, _ = constant.shape
        match (batch > 1, queries > 1):
            case (False, False):
                kind = "all"
            case (False, True):
                kind = "query"
            case (True, False):
                kind = "batch"
            case _:
                kind = "batch_query"
        return self._padded(constant.reshape(-1, keys), made), kind

    def _padded(self, rows: Array, made: list[Operation]) -> SSAValue:
        """A parameter of these rows, with -inf in the columns that pad the keys."""
        keys = rows.shape[1]
        bias = np.full((len(rows), t.padded_keys(keys)), -np.inf, np.float32)
        bias[:, :keys] = rows
        name = f"attention_bias.{len(rows)}x{keys}"
        for existing, array in self.constants.store.items():
            if existing.startswith(name) and np.array_equal(array, bias):
                get = t.GetWeightOp(existing, TensorType(bf16, bias.shape))
                break
        else:
            get = self.constants.make(name, bias)
        made.append(get)
        return get.result

    def _combined_bias(
        self, mask: t.MaskToBiasOp, rows: Array, made: list[Operation]
    ) -> tuple[SSAValue, str]:
        """The rows of a constant bias [queries, keys] plus the bias of each batch element's mask.

        Masked elements of the constant become HIDDEN, so that the sum of two masked elements is
        the lowest finite number and not -inf.
        """
        batch, padded = t.shape_of(mask.result)
        base = self._padded(np.where(rows <= t.MASKED, np.float32(HIDDEN), rows), made)
        parts: list[SSAValue] = []
        for index in range(batch):
            row = t.SliceOp(mask.result, (index, 0), (1, padded))
            flat = t.ReshapeOp(row if batch > 1 else mask.result, (padded,))
            made += [row, flat] if batch > 1 else [flat]
            total = t.AddOp(base, flat, layer=mask.layer)
            made.append(total)
            parts.append(total.result)
        kinds = ("all", "query") if batch == 1 else ("batch", "batch_query")
        if batch > 1:
            joined = t.ConcatOp(parts, 0, layer=mask.layer)
            made.append(joined)
            parts = [joined.result]
        return parts[0], kinds[len(rows) > 1]

    def _dynamic_bias(
        self, value: SSAValue, constant: Array, q: Heads, keys: int, made: list[Operation]
    ) -> tuple[SSAValue, str] | None:
        """A bias computed at run time, combined with the constant one."""
        shape = four_dimensions(t.shape_of(value), q.batch, q.heads)
        if shape is None or shape[1] != 1 or shape[3] != keys or constant.shape[0] != 1:
            return None
        found = trace(value)
        root = found.root.owner
        padded = t.padded_keys(keys)
        # Every batch element may share one mask row (batch 1 broadcast) or have its own.
        if isinstance(root, t.MaskToBiasOp):
            base = None if root.base is None else self.constants.data(root.base)
            rows = constant.reshape(-1, keys)
            if base is not None:
                rows = np.where((rows <= t.MASKED) | (base <= t.MASKED), t.MASKED, rows + base)
            mask = t.MaskToBiasOp(root.mask, padded, layer=root.layer)
            made.append(mask)
            if not rows.any():
                return mask.result, "all" if shape[0] == 1 else "batch"
            return self._combined_bias(mask, rows, made)
        if constant.any():
            return None
        flat = t.ReshapeOp(value, (shape[0] * shape[2], keys))
        made.append(flat)
        result = flat.result
        if padded > keys:
            fill = np.full((shape[0] * shape[2], padded - keys), -np.inf, np.float32)
            padding = self.constants.make("attention_padding", fill)
            joined = t.ConcatOp([result, padding.result], 1)
            made += [padding, joined]
            result = joined.result
        single = {(1, 1): "all", (1, 0): "query", (0, 1): "batch", (0, 0): "batch_query"}
        return result, single[int(shape[0] == 1), int(shape[2] == 1)]


@dataclass(frozen=True)
class FuseAttentionPass(ModulePass):
    """Products around a softmax -> `attention`."""

    name = "fuse-attention"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(FuseAttention(Constants(op))).rewrite_module(op)
