"""The bias of `transformer.attention`: all masks added to the scores, as rows of padded keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType, bf16, f32
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Scalars, elementwise, reduction
from softex_mlir.compiler.transforms.transformer.l1_values import Array, Constants, trace
from softex_mlir.dialects import transformer as t

VERY_NEGATIVE = -9984.0
"""Biases at or below this, relative to the largest of their row, mean "masked": -1e4 in BF16."""
COARSE = 32.0
"""Rows whose largest bias is no smaller than this take bits from the scores in BF16."""
ABSORBING = -1e8
"""Biases at or below this swallow the scores: float32 has steps of 8 there, of 64 at -1e9."""
ABSORBER = -1e30
"""A bias that absorbs scores in BF16 as well and lies far above `MASKED`."""


@dataclass(frozen=True)
class Bias:
    """The bias of an attention."""

    value: SSAValue
    """[rows, padded keys]."""
    rows: str
    """Its `bias_rows`."""
    factor: SSAValue | None = None
    """[rows, 1], what results are multiplied by: 0 (or NaN) for queries that see no key, else 1."""


@dataclass(frozen=True)
class BiasTerm:
    """An additive mask of the scores."""

    value: SSAValue
    factor: float
    shape: tuple[int, ...]
    """Shape of the scores it is added to, [.., keys]: their dimensions, some of them joined."""
    fill: float | None = None
    """What replaces the scores where the mask is set, instead of being added to them."""


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

    Softmax sees differences within a row only: rows whose largest bias is large are
    shifted to 0 there, and what lies far below the largest is masked. Rows that absorb the scores
    stay such, rows of -inf alone stay as they are (their softmax is NaN).
    """
    top: Array = bias.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        below = bias - top
    lifted = np.where(np.isfinite(top) & (np.abs(top) >= COARSE), below, bias)
    lifted = np.where((top <= ABSORBING) & (below == 0), np.float32(ABSORBER), lifted)
    found = np.where(below <= VERY_NEGATIVE, np.float32(t.MASKED), lifted)
    return np.where(np.isneginf(top), -np.inf, found).astype(np.float32)


def relative_element(e: F32, v: Scalars, empty: float) -> SSAValue:
    """:func:`relative` of an element, given its row's largest; `empty` in rows of -inf alone."""
    bias, top = v
    below = e.sub(bias, top)
    lifted = e.select(e.compare("oge", e.magnitude(top), COARSE), below, bias)
    absorbed = e.select(e.compare("oeq", below, 0.0), e.number(ABSORBER), lifted)
    lifted = e.select(e.compare("ole", top, ABSORBING), absorbed, lifted)
    found = e.select(e.compare("ole", below, VERY_NEGATIVE), e.number(t.MASKED), lifted)
    return e.select(e.compare("oeq", top, -np.inf), e.number(empty), found)


def larger(e: F32, v: Scalars) -> SSAValue:
    return e.insert(arith.MaximumfOp(v[1], v[0]))


@dataclass
class BiasBuilder:
    """Makes bias operands; layers with the same masks share one."""

    constants: Constants
    masks: dict[tuple[object, ...], Bias] = field(default_factory=dict[tuple[object, ...], Bias])

    def build(
        self,
        terms: Sequence[BiasTerm],
        scores: ScoreShape,
        made: list[Operation],
        *,
        guarded: bool,
    ) -> Bias | None:
        """The sum of the terms; None if it cannot be expressed.

        `guarded`: NaN becomes 0 behind the softmax, so that queries whose keys are all -inf get 0.
        """
        constant = np.zeros((1, 1, 1, scores.keys), np.float32)
        dynamic: list[BiasTerm] = []
        for term in terms:
            data = self.constants.data(term.value)
            if data is None:
                dynamic.append(term)
                continue
            if term.fill is not None:
                data = np.where(data < 0, np.float32(_as_bias(term.fill)), np.float32(0))
            with np.errstate(invalid="ignore", over="ignore"):
                scaled = data.astype(np.float32) * np.float32(term.factor)
                constant = constant + scores.by_dimension(scaled, term.shape)
        if np.isnan(constant).any() or len(dynamic) > 1:
            return None
        if dynamic and _replaces_sums(terms, dynamic[0]):
            return None
        # Two lowest numbers of float32 are one of BF16, as those of run-time masks are.
        constant = np.where(np.isneginf(constant), constant, np.maximum(constant, t.MASKED))
        if constant.shape[1] != 1:
            return None if dynamic else self._by_head(constant, scores, made)
        if dynamic:
            return self._dynamic(dynamic[0], constant, scores, made, guarded=guarded)
        rows = relative(constant)
        kind = _kind(rows.shape)
        rows = rows.reshape(-1, scores.keys)
        empty = np.isneginf(rows).all(axis=1, keepdims=True)
        if not empty.any():
            return Bias(self._padded(rows, made), kind)
        value = self._padded(np.where(empty, np.float32(t.MASKED), rows), made)
        factor = self.constants.make(
            "visible", np.where(empty, 0.0 if guarded else np.nan, 1.0).astype(np.float32)
        )
        made.append(factor)
        return Bias(value, kind, factor.result)

    def _by_head(self, constant: Array, scores: ScoreShape, made: list[Operation]) -> Bias | None:
        """A bias [1, heads, queries or 1, keys] that differs by head: columns side by side."""
        rows = relative(constant)
        if len(rows) > 1 or np.isneginf(rows).all(axis=-1).any():
            return None
        heads, queries, keys = scores.heads, scores.queries, scores.keys
        padded = t.padded_keys(keys)
        bias = np.full((queries, heads, padded), -np.inf, np.float32)
        bias[:, :, :keys] = rows[0].swapaxes(0, 1)
        value = self._parameter(
            f"attention_bias.{queries}x{heads}x{keys}", bias.reshape(queries, heads * padded), made
        )
        return Bias(value, "query")

    def _padded(self, rows: Array, made: list[Operation]) -> SSAValue:
        """A parameter of these rows, with -inf in the columns that pad the keys."""
        keys = rows.shape[1]
        bias = np.full((len(rows), t.padded_keys(keys)), -np.inf, np.float32)
        bias[:, :keys] = rows
        return self._parameter(f"attention_bias.{len(rows)}x{keys}", bias, made)

    def _parameter(self, name: str, bias: Array, made: list[Operation]) -> SSAValue:
        """A parameter of a bias; equal ones are the same."""
        for existing, array in self.constants.store.items():
            if existing.startswith(name) and np.array_equal(array, bias):
                get = t.GetWeightOp(existing, TensorType(bf16, bias.shape))
                break
        else:
            get = self.constants.make(name, bias)
        made.append(get)
        return get.result

    def _dynamic(
        self,
        term: BiasTerm,
        constant: Array,
        scores: ScoreShape,
        made: list[Operation],
        *,
        guarded: bool,
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
        found = trace(value)
        mask = _mask_of(found.root)
        # A mask with a row a query of its own cannot be repeated for the rows of a constant.
        own_rows = indices.shape[2] > 1 and constant.shape[2] > 1
        single = mask is not None and _hides_alone(mask[1], constant)
        if mask is not None and single and term.factor > 0 and not own_rows:
            queries = max(indices.shape[2], constant.shape[2])
            kind = _kind((indices.shape[0], 1, queries))
            bias = self._masked(mask[0], constant.reshape(-1, keys), kind, made)
            if bias is None or term.fill is None or np.isfinite(term.fill):
                return bias
            return self._infinite(bias, made, guarded=guarded)
        if term.fill is not None:
            if mask is None:
                return None
            filled = t.MaskFillOp(value, value, term.fill)
            made.append(filled)
            value = filled.result
        elif np.array_equal(found.indices.ravel(), np.arange(prod(t.shape_of(found.root)))):
            value = found.root
        shape = (indices.shape[0], indices.shape[2], keys)
        return self._given(value, term.factor, shape, constant[:, 0], made, guarded=guarded)

    def _given(
        self,
        value: SSAValue,
        factor: float,
        shape: tuple[int, int, int],
        constant: Array,
        made: list[Operation],
        *,
        guarded: bool,
    ) -> Bias:
        """A bias of numbers [batch or 1, queries or 1, keys], which may be infinite."""
        key = (value, factor, shape, constant.tobytes(), guarded)
        if key in self.masks:
            return self.masks[key]
        keys = shape[2]
        shaped = t.ReshapeOp(value, shape)
        operands = [shaped.result]
        made.append(shaped)
        if constant.any():
            get = self.constants.make("attention_bias", constant)
            made.append(get)
            operands.append(get.result)

        def total(e: F32, v: Scalars) -> SSAValue:
            scaled = e.times(v[0], factor) if factor != 1.0 else v[0]
            return e.add(scaled, v[1]) if len(v) > 1 else scaled

        summed = _added(made, elementwise(operands, f32, total))
        top = _added(made, reduction(summed, [2], f32, -np.inf, larger))
        empty = t.MASKED if guarded else -np.inf
        bias = _added(
            made, elementwise([summed, top], bf16, lambda e, v: relative_element(e, v, empty))
        )
        rows = prod(t.shape_of(bias)[:2])
        flat = t.ReshapeOp(bias, (rows, keys))
        made.append(flat)
        padded, result = t.padded_keys(keys), flat.result
        if padded > keys:
            fill = np.full((rows, padded - keys), -np.inf, np.float32)
            padding = self.constants.make("attention_padding", fill)
            joined = t.ConcatOp([result, padding.result], 1)
            made += [padding, joined]
            result = joined.result
        one, two = t.shape_of(bias)[:2]
        visible = _visible(top, -np.inf, made) if guarded else None
        self.masks[key] = Bias(result, _kind((one, 1, two)), visible)
        return self.masks[key]

    def _infinite(self, bias: Bias, made: list[Operation], *, guarded: bool) -> Bias:
        """A bias whose masked elements stand for -inf: what rows without any other give."""
        key = (bias.value, guarded)
        if key not in self.masks:
            if guarded:
                top = _added(made, reduction(bias.value, [1], f32, -np.inf, larger))
                found = Bias(bias.value, bias.rows, _visible(top, t.MASKED, made))
            else:
                found = Bias(_added(made, replace_masked_rows(bias.value, -np.inf)), bias.rows)
            self.masks[key] = found
        return self.masks[key]

    def _masked(
        self, mask: t.MaskToBiasOp, rows: Array, kind: str, made: list[Operation]
    ) -> Bias | None:
        """The rows of a constant bias [queries or 1, keys] where the mask is set."""
        keys = rows.shape[1]
        if mask.base is not None:
            base = self.constants.data(mask.base)
            if base is None:
                return None
            rows = np.where((rows <= t.MASKED) | (base <= t.MASKED), t.MASKED, rows + base)
        inverted = mask.inverted is not None
        key = (mask.mask, inverted, keys, kind, rows.astype(np.float32).tobytes())
        if key not in self.masks:
            padded = t.padded_keys(keys)
            base_value = self._padded(rows, made) if rows.any() else None
            # The layer of a mask that all layers share would mislead.
            new = t.MaskToBiasOp(mask.mask, padded, base_value, inverted=inverted)
            made.append(new)
            self.masks[key] = Bias(new.result, kind)
        return self.masks[key]


def replace_masked_rows(bias: SSAValue, number: float) -> list[Operation]:
    """Loop nests: the rows of a bias [rows, columns] that mask all keys, replaced by a number."""
    top = reduction(bias, [1], f32, -np.inf, larger)

    def body(e: F32, v: Scalars) -> SSAValue:
        hidden = e.compare("ole", v[1], t.MASKED)
        return e.select(hidden, e.number(number), v[0])

    return [*top, *elementwise([bias, top[-1].results[0]], bf16, body)]


def masked_by_infinity(bias: SSAValue) -> list[Operation]:
    """A loop nest: -inf where a bias masks, whatever else may be added to the scores."""

    def body(e: F32, v: Scalars) -> SSAValue:
        return e.select(e.compare("ole", v[0], t.MASKED), e.number(-np.inf), v[0])

    return elementwise([bias], bf16, body)


def _mask_of(value: SSAValue) -> tuple[t.MaskToBiasOp, float] | None:
    """A mask of keys, and the number of those it hides."""
    op, fill = value.owner, t.MASKED
    if isinstance(op, t.MaskFillOp) and op.x is op.mask:
        op, fill = op.x.owner, op.fill.value.data
    return (op, fill) if isinstance(op, t.MaskToBiasOp) else None


def _replaces_sums(terms: Sequence[BiasTerm], dynamic: BiasTerm) -> bool:
    """Whether scores are replaced by a number that is more than a bias: after a run-time mask was
    added to them, or by one that leaves something of the scores where masks of others are lower."""
    behind = terms[: terms.index(dynamic)]
    return any(
        term.fill is not None and (term.fill > ABSORBING or term in behind)
        for term in terms
        if term is not dynamic
    )


def _hides_alone(fill: float, constant: Array) -> bool:
    """Whether queries that see no key are those a mask hides all keys from, which are then even."""
    return np.isfinite(fill) and fill <= ABSORBING and not (constant <= VERY_NEGATIVE).any()


def _as_bias(fill: float) -> float:
    """What stands for a filled score: of a row of them, nothing of the scores may be left."""
    return fill if fill <= ABSORBING else t.MASKED


def _kind(shape: Sequence[int]) -> str:
    """`bias_rows` of [batch or 1, 1, queries or 1, ..]."""
    kinds = {(1, 1): "all", (1, 0): "query", (0, 1): "batch", (0, 0): "batch_query"}
    return kinds[int(shape[0] == 1), int(shape[2] == 1)]


def _added(made: list[Operation], operations: Sequence[Operation]) -> SSAValue:
    """Append the operations of a loop nest; its result."""
    made += operations
    return operations[-1].results[0]


def _visible(top: SSAValue, empty: float, made: list[Operation]) -> SSAValue:
    """[rows, 1]: 0 where the largest bias of a row is `empty`, else 1."""

    def body(e: F32, v: Scalars) -> SSAValue:
        return e.select(e.compare("ole", v[0], empty), e.number(0.0), e.number(1.0))

    found = _added(made, elementwise([top], bf16, body))
    rows = t.ReshapeOp(found, (prod(t.shape_of(top)), 1))
    made.append(rows)
    return rows.result
