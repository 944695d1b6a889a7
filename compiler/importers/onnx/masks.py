"""Recognising what exporters compute from attention masks.

An attention mask reaches the scores through ever new spellings (Unsqueeze, Cast, Sub from 1, Mul by
the lowest float, And with a causal triangle, Where, Expand...). All of them compute the same
function: ``bias[b, q, k] = mask[b, k] ? base[q, k] : very negative``. This module evaluates the
subgraph on probe masks and, if the function is that one, replaces it by a single operation.
"""

from __future__ import annotations

import numpy as np

from softex_mlir.compiler.importers.onnx.values import Array, Symbolic, Unsupported
from softex_mlir.dialects.transformer import MASKED

VERY_NEGATIVE = -1e4
"""Scores at or below this are masked; exporters use -10000, the lowest float or -inf."""
PROBES = 6


def clamp(bias: Array) -> Array:
    """A bias with everything very negative replaced by the one value the hardware masks with."""
    return np.where(bias <= VERY_NEGATIVE, np.float32(MASKED), bias.astype(np.float32))


def mask_base(symbolic: Symbolic, batch: int, keys: int) -> tuple[Array | None, bool]:
    """(base, inverted): the base [queries, keys] of a mask's bias, None if it is all zero.

    `inverted` masks hide the keys where they are not 0.

    Raises `Unsupported` unless `symbolic` is the bias of its one input, a mask [batch, keys].
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

    def at(mask: Array) -> Array:
        found = clamp(symbolic.at({name: mask})).reshape(shape)
        if not np.array_equal(found, np.broadcast_to(found[:, :1], shape)):
            raise Unsupported(f"a mask computed from input '{name}' that differs between heads")
        return np.broadcast_to(found[:, 0], (batch, queries, keys))

    ones, zeros = np.ones((batch, keys), np.int64), np.zeros((batch, keys), np.int64)
    visible = {False: at(ones), True: at(zeros)}
    inverted = bool((visible[False] <= MASKED).all() and (visible[True] > MASKED).any())
    base = visible[inverted]
    if not all(np.array_equal(base[b], base[0]) for b in range(batch)):
        raise Unsupported(f"a mask computed from input '{name}' that differs between batch entries")
    base = base[0]
    random = np.random.default_rng(0)
    for _ in range(PROBES):
        mask = random.integers(0, 2, (batch, keys))
        found = at(mask)
        wanted = np.where((mask[:, None, :] != 0) != inverted, base, np.float32(MASKED))
        # A row without any key left is undefined in every framework; some exporters unmask it.
        defined = (wanted > MASKED).any(axis=-1, keepdims=True)
        if not np.array_equal(np.where(defined, found, 0), np.where(defined, wanted, 0)):
            raise Unsupported(
                f"a mask computed from input '{name}' in another way than hiding the keys where "
                f"the input is {'not ' if inverted else ''}0"
            )
    return (base if base.any() else None), inverted
