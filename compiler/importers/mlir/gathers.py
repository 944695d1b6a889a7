"""Elements at computed places: rows of tables by ids, windows, diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import Any, cast

import numpy as np
from xdsl.ir.affine import AffineMap

from softex_mlir.compiler.importers.mlir.graph import INT, Graph, Shape, Value


def gathered(graph: Graph, value: Value, map_: AffineMap, extents: Shape) -> Value:
    """An operand over the iteration space, wherever its elements are."""
    grids = np.meshgrid(*(np.arange(n) for n in extents), indexing="ij", sparse=True)
    places: list[Value] = []
    for expression in map_.results:
        index = np.asarray(expression.eval(cast("Any", grids), []))
        shape = np.broadcast_shapes((1,) * len(extents), index.shape)
        places.append(graph.constant(np.broadcast_to(index, shape)))
    return extracted(graph, value, places, extents)


def extracted(graph: Graph, table: Value, places: Sequence[Value], extents: Shape) -> Value:
    """``table[places]``, each place over the iteration space."""
    found = _rows(graph, table, places, extents)
    if found is not None:
        return found
    table = graph.full(table)
    strides = [prod(table.shape[i + 1 :]) for i in range(len(table.shape))]
    terms = [
        graph.elementwise("Mul", [place, graph.number(stride, INT, (1,) * len(extents))])
        for place, stride in zip(places, strides, strict=True)
    ]
    place = reduce(lambda a, b: graph.elementwise("Add", [a, b]), terms)
    flat = graph.reshape(table, (prod(table.shape),))
    shape = tuple(np.broadcast_shapes(*(p.shape for p in places)))
    return graph.emit("Gather", [flat, graph.full(place)], shape, table.dtype, axis=0)


def _rows(graph: Graph, table: Value, places: Sequence[Value], extents: Shape) -> Value | None:
    """Whole rows: the last indices run over whole dimensions, in order of the last loops, and
    only the first one is computed."""
    rank, loops = len(table.shape), len(extents)
    tail = 0
    while tail < rank - 1 and _runs_over(places[rank - 1 - tail], table, extents, tail):
        tail += 1
    head = places[: rank - tail]
    if any(n != 1 for place in head for n in place.shape[loops - tail :]):
        return None
    computed = [i for i, place in enumerate(head) if place.number is None]
    if len(computed) > 1 or (not computed and len(head) > 1 and not tail):
        return None
    axis = computed[0] if computed else len(head) - 1
    for i, place in enumerate(head):
        if i != axis:
            begin = tuple(int(place.number or 0) if a == i else 0 for a in range(rank))
            sizes = tuple(1 if a == i else n for a, n in enumerate(table.shape))
            table = graph.slice(table, begin, sizes, (1,) * rank)
    rows = graph.reshape(table, (table.shape[axis], *table.shape[rank - tail :]))
    place = head[axis]
    lead = place.shape[: loops - tail]
    index = graph.reshape(graph.full(place), lead)
    shape = (*lead, *table.shape[rank - tail :])
    return graph.emit("Gather", [rows, index], shape, table.dtype, axis=0)


def _runs_over(place: Value, table: Value, extents: Shape, tail: int) -> bool:
    """Whether an index is that of the loop as far from the end, over the whole dimension."""
    loop, size = len(extents) - 1 - tail, table.shape[len(table.shape) - 1 - tail]
    if place.array is None or place.array.size != size or extents[loop] != size:
        return False
    if place.array.ndim != len(extents) or place.array.shape[loop] != size:
        return False
    return bool((place.array.reshape(-1) == np.arange(size)).all())
