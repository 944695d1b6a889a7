"""Recognising what exporters compute from attention masks.

An attention mask reaches the scores through ever new spellings (Unsqueeze, Cast, Sub from 1, Mul by
the lowest float, And with a causal triangle, Where, Expand...). All of them compute the same
function: ``bias[b, q, k] = mask[b, k] ? base[q, k] : very negative``. This module evaluates the
subgraph on probe masks and, if the function is that one, replaces it by a single operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from softex_mlir.compiler.importers.onnx.values import Array, Symbolic, Unsupported
from softex_mlir.dialects.transformer import MASKED

VERY_NEGATIVE = -1e4
"""Scores at or below this are masked; exporters use -10000, the lowest float or -inf."""
ABSORBING = -1e8
"""Biases at or below this swallow the scores: float32 has steps of 8 there."""
PROBES = 6


def clamp(bias: Array) -> Array:
    """A bias with everything very negative replaced by the one value the hardware masks with."""
    return np.where(bias <= VERY_NEGATIVE, np.float32(MASKED), bias.astype(np.float32))


class Empty(Enum):
    """What the bias of a query is that sees no key."""

    EVEN = "finite and very negative: all scores become equal"
    OPEN = "equal for all keys: the scores stay as they are"
    INFINITE = "-inf: softmax gives NaN"


@dataclass(frozen=True)
class MaskBias:
    """The bias that a mask [batch, keys] makes."""

    base: Array | None
    """[queries, keys] where keys are visible; None if it is all zero."""
    inverted: bool
    """Whether the mask hides the keys where it is not 0."""
    empty: Empty
    same: bool
    """Whether `empty` is what all queries get that see no key."""
    fill: float | None
    """What hidden keys have, if they all have one number."""


def mask_bias(symbolic: Symbolic, batch: int, keys: int) -> MaskBias:
    """What bias a value is that is computed from its one input, a mask [batch, keys].

    Raises `Unsupported` unless it hides keys where the mask is 0 (or is not 0).
    """
    (name,) = symbolic.inputs
    shape = (1,) * (4 - symbolic.sample.ndim) + symbolic.sample.shape
    expected = f"expected [{batch}, 1, queries or 1, {keys}]"
    if len(shape) != 4 or shape[3] != keys or shape[0] not in (1, batch):
        raise Unsupported(
            f"a mask of shape {symbolic.sample.shape} computed from input '{name}' "
            f"[{batch}, {keys}]; {expected}"
        )
    queries = shape[2]

    def exactly_at(mask: Array) -> Array:
        found = symbolic.at({name: mask}).reshape(shape)
        if not np.array_equal(clamp(found), np.broadcast_to(clamp(found[:, :1]), shape)):
            raise Unsupported(f"a mask computed from input '{name}' that differs between heads")
        return np.broadcast_to(found[:, 0], (batch, queries, keys))

    def at(mask: Array) -> Array:
        return clamp(exactly_at(mask))

    ones, zeros = np.ones((batch, keys), np.int64), np.zeros((batch, keys), np.int64)
    visible = {False: at(ones), True: at(zeros)}
    inverted = bool((visible[False] <= MASKED).all() and (visible[True] > MASKED).any())
    base = visible[inverted]
    if not all(np.array_equal(base[b], base[0]) for b in range(batch)):
        raise Unsupported(f"a mask computed from input '{name}' that differs between batch entries")
    base = base[0]
    random = np.random.default_rng(0)
    probes = [random.integers(0, 2, (batch, keys)) for _ in range(PROBES)]
    empty: set[Empty | None] = set()
    hidden: set[float] = set()
    for mask in (*probes, ones if inverted else zeros):
        exact = exactly_at(mask)
        found = clamp(exact)
        wanted = np.where((mask[:, None, :] != 0) != inverted, base, np.float32(MASKED))
        defined = (wanted > MASKED).any(axis=-1)
        if not np.array_equal(found[defined], wanted[defined]):
            raise Unsupported(
                f"a mask computed from input '{name}' in another way than hiding the keys where "
                f"the input is {'not ' if inverted else ''}0"
            )
        empty |= {_empty(row) for row in exact[~defined]}
        hidden |= set(np.unique(exact[wanted <= MASKED]).tolist())
    known = empty - {None}
    chosen = known.pop() if len(known) == 1 else Empty.EVEN
    fill = hidden.pop() if len(hidden) == 1 else None
    return MaskBias(
        base if base.any() else None, inverted, chosen or Empty.EVEN, len(empty) <= 1, fill
    )


def _empty(row: Array) -> Empty | None:
    """What the bias of a query without visible keys does; None if it is something else."""
    if np.isneginf(row).all():
        return Empty.INFINITE
    if not (row == row[0]).all():
        return None
    return Empty.EVEN if row[0] <= ABSORBING else Empty.OPEN
