"""The bias of `transformer.attention`: all masks added to the scores, as rows of padded keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType, bf16
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.transforms.transformer.l1_values import Array, Constants, trace
from softex_mlir.dialects import transformer as t

VERY_NEGATIVE = -1e4
"""Biases at or below this, relative to the largest of their row, mean "masked"."""
ABSORBING = -1e8
"""Biases at or below this swallow the scores: float32 has steps of 8 there, of 64 at -1e9."""
ABSORBER = -1e30
"""A bias that absorbs scores in BF16 as well and lies far above `MASKED`."""

Bias = tuple[SSAValue, str]
"""The operand and its `bias_rows`."""


@dataclass(frozen=True)
class BiasTerm:
    """An additive mask of the scores."""

    value: SSAValue
    factor: float
    shape: tuple[int, ...]
    """Shape of the scores it is added to, [.., keys]: their dimensions, some of them joined."""


@dataclass(frozen=True)
class ScoreShape:
    """The dimensions of scores, in the order of their elements."""

    batch: int
    heads: int
    queries: int
    keys: int

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """All of them."""
        return self.batch, self.heads, self.queries, self.keys

    def by_dimension(self, array: Array, shape: Sequence[int]) -> Array:
        """An array that is broadcast to `shape` (scores, dimensions joined) as [batch, heads,
        queries, keys], with size 1 where it does not depend on a dimension."""
        if tuple(shape) == self.sizes:
            full = array.reshape((1,) * (4 - array.ndim) + array.shape)
        else:
            full = np.broadcast_to(array, tuple(shape)).reshape(self.sizes)
        for axis in range(3):
            first = full.take([0], axis)
            if np.array_equal(np.broadcast_to(first, full.shape), full):
                full = first
        return full


def relative(bias: Array) -> Array:
    """A bias [.., keys] as the hardware takes it, with the same softmax.

    Softmax sees differences within a row only: rows whose largest bias is very negative are
    shifted to 0 there, and what lies far below the largest is masked. Rows that absorb the scores
    stay such, rows of -inf alone stay as they are (their softmax is NaN).
    """
    top: Array = bias.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        below = bias - top
    lifted = np.where(top <= VERY_NEGATIVE, below, bias)
    lifted = np.where((top <= ABSORBING) & (below == 0), np.float32(ABSORBER), lifted)
    found = np.where(below <= VERY_NEGATIVE, np.float32(t.MASKED), lifted)
    return np.where(np.isneginf(top), -np.inf, found).astype(np.float32)


@dataclass
class BiasBuilder:
    """Makes bias operands; layers with the same masks share one."""

    constants: Constants
    masks: dict[tuple[SSAValue, bool, int, bytes], Bias] = field(
        default_factory=dict[tuple[SSAValue, bool, int, bytes], Bias]
    )

    def build(
        self, terms: Sequence[BiasTerm], scores: ScoreShape, made: list[Operation]
    ) -> Bias | None:
        """The sum of the terms; None if it cannot be expressed."""
        constant = np.zeros((1, 1, 1, scores.keys), np.float32)
        dynamic: list[BiasTerm] = []
        for term in terms:
            data = self.constants.data(term.value)
            if data is None:
                dynamic.append(term)
                continue
            with np.errstate(invalid="ignore", over="ignore"):
                scaled = data.astype(np.float32) * np.float32(term.factor)
                constant = constant + scores.by_dimension(scaled, term.shape)
        if np.isnan(constant).any() or constant.shape[1] != 1 or len(dynamic) > 1:
            return None
        if dynamic:
            return self._dynamic(dynamic[0], constant, scores, made)
        rows = relative(constant)
        kinds = {(1, 1): "all", (1, 0): "query", (0, 1): "batch", (0, 0): "batch_query"}
        kind = kinds[int(rows.shape[0] == 1), int(rows.shape[2] == 1)]
        return self._padded(rows.reshape(-1, scores.keys), made), kind

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

    def _dynamic(
        self, term: BiasTerm, constant: Array, scores: ScoreShape, made: list[Operation]
    ) -> Bias | None:
        """A bias computed at run time, combined with the constant one."""
        value = term.value
        size = prod(t.shape_of(value))
        indices = scores.by_dimension(np.arange(size).reshape(t.shape_of(value)), term.shape)
        keys = scores.keys
        if (
            indices.shape[1] != 1
            or indices.shape[3] != keys
            or constant.shape[0] != 1
            or not np.array_equal(indices.ravel(), np.arange(size))
        ):
            return None
        root = trace(value).root.owner
        if isinstance(root, t.MaskToBiasOp) and term.factor > 0:
            rows = np.where(constant <= VERY_NEGATIVE, np.float32(t.MASKED), constant)
            return self._masked(root, rows.reshape(-1, keys), made)
        if constant.any() or term.factor != 1.0:
            return None
        padded = t.padded_keys(keys)
        flat = t.ReshapeOp(value, (size // keys, keys))
        made.append(flat)
        result = flat.result
        if padded > keys:
            fill = np.full((size // keys, padded - keys), -np.inf, np.float32)
            padding = self.constants.make("attention_padding", fill)
            joined = t.ConcatOp([result, padding.result], 1)
            made += [padding, joined]
            result = joined.result
        # Every batch element may share one mask row (batch 1 broadcast) or have its own.
        single = {(1, 1): "all", (1, 0): "query", (0, 1): "batch", (0, 0): "batch_query"}
        return result, single[int(indices.shape[0] == 1), int(indices.shape[2] == 1)]

    def _masked(self, mask: t.MaskToBiasOp, rows: Array, made: list[Operation]) -> Bias | None:
        """The rows of a constant bias [queries or 1, keys] where the mask is set."""
        keys = rows.shape[1]
        if mask.base is not None:
            base = self.constants.data(mask.base)
            if base is None:
                return None
            rows = np.where((rows <= t.MASKED) | (base <= t.MASKED), t.MASKED, rows + base)
        inverted = mask.inverted is not None
        key = (mask.mask, inverted, keys, rows.astype(np.float32).tobytes())
        if key not in self.masks:
            padded = t.padded_keys(keys)
            base_value = self._padded(rows, made) if rows.any() else None
            # The layer of a mask that all layers share would mislead.
            new = t.MaskToBiasOp(mask.mask, padded, base_value, inverted=inverted)
            made.append(new)
            batch = t.shape_of(mask.mask)[0]
            kinds = ("all", "query") if batch == 1 else ("batch", "batch_query")
            self.masks[key] = new.result, kinds[base_value is not None and len(rows) > 1]
        return self.masks[key]
