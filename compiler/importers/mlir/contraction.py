"""Sums of products of two tensors as matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineMap

from softex_mlir.compiler.importers.mlir.graph import Graph, Shape, Value

Operand = tuple[Value, AffineMap]


def contract(
    graph: Graph, a: Operand, b: Operand, target: AffineMap, extents: Shape
) -> Value | None:
    """``sum over the other loops of a · b``, at `target`; None if that is no matrix product."""
    b = _without_repetition(graph, b, _batch(a[1], target), extents)
    dims_a, dims_b, dims = _dims(a[1]), _dims(b[1]), _dims(target)
    if dims_a is None or dims_b is None or dims is None:
        return None
    batch = [d for d in dims if d in dims_a and d in dims_b]
    rows = [d for d in dims if d in dims_a and d not in dims_b]
    columns = [d for d in dims if d in dims_b and d not in dims_a]
    inner = [d for d in dims_a if d in dims_b and d not in dims]
    used = {*batch, *rows, *columns, *inner}
    if not inner or used != {*dims_a, *dims_b} or len(used) != len(extents):
        return None
    if len(dims) != len({*batch, *rows, *columns}):
        return None
    left = _arranged(graph, a, dims_a, [*batch, *rows, *inner])
    right = _arranged(graph, b, dims_b, [*batch, *inner, *columns])

    def size(loops: Sequence[int]) -> Shape:
        return tuple(extents[d] for d in loops)

    n, k = prod(size(inner)), prod(size(columns))
    if batch:
        left = graph.reshape(left, (*size(batch), prod(size(rows)), n))
        right = graph.reshape(right, (*size(batch), n, k))
    else:
        left = graph.reshape(left, (*(size(rows) or (1,)), n))
        right = graph.reshape(right, (n, k))
    shape = (*left.shape[:-1], k)
    product = graph.emit("MatMul", [graph.full(left), graph.full(right)], shape, left.dtype)
    product = graph.reshape(product, (*size(batch), *size(rows), *size(columns)))
    order = [*batch, *rows, *columns]
    return _placed(graph, product, order, dims, target)


def _batch(a: AffineMap, target: AffineMap) -> set[int]:
    """Loops of the first operand and the result."""
    return {*(_dims(a) or ())} & {*(_dims(target) or ())}


def _without_repetition(graph: Graph, b: Operand, batch: set[int], extents: Shape) -> Operand:
    """The second operand without the loops of a batch for all of which it is the same: a matrix of
    weights, whose rows are those of the whole batch."""
    value, map_ = b

    def repeated(axis: int) -> bool:
        expression = map_.results[axis]
        if not isinstance(expression, AffineDimExpr) or expression.position not in batch:
            return False
        alone = extents[expression.position] == 1
        return value.stored[axis] == 1 and (not alone or value.array is not None)

    kept = [axis for axis in range(len(value.shape)) if not repeated(axis)]
    if len(kept) == len(value.shape):
        return b
    shape, stored = (tuple(sizes[axis] for axis in kept) for sizes in (value.shape, value.stored))
    smaller = AffineMap(map_.num_dims, 0, tuple(map_.results[axis] for axis in kept))
    return graph.reshape(value, shape, stored), smaller


def _dims(map_: AffineMap) -> list[int] | None:
    """The loops of a map in order; None if it is no projection."""
    found = [e.position for e in map_.results if isinstance(e, AffineDimExpr)]
    constants = [e for e in map_.results if isinstance(e, AffineConstantExpr) and e.value == 0]
    whole = len(found) + len(constants) == len(map_.results)
    return found if whole and len(set(found)) == len(found) else None


def _arranged(graph: Graph, operand: Operand, dims: Sequence[int], order: Sequence[int]) -> Value:
    """An operand's dimensions in the order of loops; those at index 0 go."""
    value, map_ = operand
    kept = [i for i, e in enumerate(map_.results) if isinstance(e, AffineDimExpr)]
    if len(kept) != len(value.shape):
        value = graph.slice(
            value,
            (0,) * len(value.shape),
            tuple(n if i in kept else 1 for i, n in enumerate(value.shape)),
            (1,) * len(value.shape),
        )
        value = graph.reshape(value, tuple(value.shape[i] for i in kept))
    return graph.transpose(value, [dims.index(d) for d in order])


def _placed(
    graph: Graph, value: Value, order: Sequence[int], dims: Sequence[int], target: AffineMap
) -> Value:
    value = graph.transpose(value, [order.index(d) for d in dims])
    if len(dims) == len(target.results):
        return value
    sizes = iter(value.shape)
    shape = tuple(next(sizes) if isinstance(e, AffineDimExpr) else 1 for e in target.results)
    return graph.reshape(value, shape)
