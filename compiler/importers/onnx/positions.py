"""Recognising what exporters compute from token ids and positions: indices of a table.

The subgraph is evaluated on probes, as for masks. A probe only counts if it could have gone the
other way: every candidate is tried on values that tell it from its neighbours, and where too few
patterns exist to tell them apart there is no decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np

from softex_mlir.compiler.importers.onnx.values import Array, Symbolic
from softex_mlir.isa_sim.numerics.rowwise import position_ids

PROBES = 6
BEYOND = (0, 1, 6, 1 << 10, (1 << 20) + 3)
"""How far behind the rows of a table ids are tried."""
FEW = 6
"""Elements of a mask up to which all its patterns are tried."""


def shift_of(symbolic: Symbolic, shape: tuple[int, ...], rows: int) -> int | None:
    """c if `symbolic` is its one input of `shape`, element for element in order, plus c.

    Ids that select none of `rows` rows are refused when a program runs; those are tried too, as a
    remainder (a hash) or a clipped index gives them a row.
    """
    (name,) = symbolic.inputs
    size = prod(shape)
    if symbolic.sample.size != size:
        return None

    def at(ids: Array) -> Array:
        return symbolic.at({name: ids.reshape(shape)}).ravel()

    shift = int(at(np.zeros(size, np.int64))[0])
    limit = rows - shift
    if limit < 1:
        return None
    random = np.random.default_rng(1)
    # Paddings and limits are among the numbers the graph computes with.
    special = sorted(
        {n + d for n in (*symbolic.numbers, 0, limit) for d in (-1, 0, 1) if 0 <= n + d < limit}
    )
    for _ in range(PROBES):
        ids = random.integers(0, limit, size)
        chosen = random.random(size) < 0.3
        for probe in (ids, np.where(chosen, random.choice(special, size), ids)):
            if not np.array_equal(at(probe), probe + shift):
                return None
    for number in (*special, *(limit + d for d in BEYOND)):
        if not np.array_equal(at(np.full(size, number)), np.full(size, number + shift)):
            return None
    return shift


def positions(symbolic: Symbolic, shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(padding, offset, fill) if `symbolic` is what `transformer.position_ids` computes.

    Its one input has `shape` [batch, tokens]. Token ids are probed with arbitrary ids, masks with
    zeros and ones; masks are counted where they are not 0. Of a mask of one token nobody can tell.
    """
    (name,) = symbolic.inputs
    if len(shape) != 2 or symbolic.sample.size != shape[0] * shape[1]:
        return None

    def at(ids: Array) -> Array:
        return symbolic.at({name: ids}).reshape(shape)

    for padding, highest in [(n, 1 << 15) for n in sorted(symbolic.numbers | {0})] + [(0, 2)]:
        if highest == 2 and shape[1] == 1:
            continue
        other = 1 if padding != 1 else 0
        offset = int(at(np.full(shape, other))[0, 0]) - 1
        fill = int(at(np.full(shape, padding))[0, 0])
        if min(offset + 1, fill) >= 0 and all(
            np.array_equal(at(ids), position_ids(ids, padding, offset, fill))
            for ids in _patterns(shape, padding, highest)
        ):
            return padding, offset, fill
    return None


def _patterns(shape: tuple[int, ...], padding: int, highest: int) -> Iterator[Array]:
    """Ids below `highest`, about half of them padding; all masks of a few elements."""
    if highest == 2 and prod(shape) <= FEW:
        for pattern in product((0, 1), repeat=prod(shape)):
            yield np.array(pattern, np.int64).reshape(shape)
        return
    random = np.random.default_rng(0)
    for _ in range(PROBES):
        ids = random.integers(0, highest, shape)
        yield ids
        yield np.where(random.random(shape) < 0.5, padding, ids)
