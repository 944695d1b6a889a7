"""The `tensor` dialect: views, parts and wholes of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import DYNAMIC_INDEX
from xdsl.ir import Operation

from softex_mlir.compiler.importers.mlir.constants import (
    dtype_of,
    element_of,
    integer,
    integers,
    shape_of,
)
from softex_mlir.compiler.importers.mlir.gathers import extracted
from softex_mlir.compiler.importers.mlir.graph import Graph, Shape, Unreadable, Value, plain
from softex_mlir.compiler.importers.mlir.nests import Lookup, Nest
from softex_mlir.compiler.importers.mlir.syntax import attribute_of, name_of

Rule = Callable[[Graph, Operation, Sequence[Value], Lookup], Value]


def tensor_operation(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Value | None:
    """The result of an operation of `tensor`; None if it is none that is known here."""
    rule = RULES.get(name_of(op))
    return None if rule is None else rule(graph, op, operands, lookup)


def _empty(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    """Anything: what is read of it is a zero."""
    kind = op.results[0].type
    return graph.number(0, plain(dtype_of(element_of(kind))), shape_of(kind))


def _splat(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    shape = shape_of(op.results[0])
    spread = graph.reshape(operands[0], (1,) * len(shape))
    return graph.reshape(spread, shape, spread.stored)


def _groups(op: Operation) -> list[Shape]:
    given: Any = attribute_of(op, "reassociation")
    return [integers(group) for group in given.data]


def _reshaped(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    """The same elements in order; dimensions along which they repeat stay such if they can."""
    value, shape = operands[0], shape_of(op.results[0])
    if value.stored == value.shape or name_of(op) == "tensor.reshape":
        return graph.reshape(value, shape)
    expands = name_of(op) == "tensor.expand_shape"
    stored: list[int] = []
    for few, many in enumerate(_groups(op)):
        wide = [shape[i] if expands else value.stored[i] for i in many]
        one = value.stored[few] if expands else int(np.prod(wide))
        whole = value.shape[few] if expands else int(np.prod([value.shape[i] for i in many]))
        # Several dimensions joined: heads that are repeated are recognised by their own dimension.
        if one not in (1, whole) or (not expands and one != whole):
            return graph.reshape(value, shape)
        if expands:
            stored += [1] * len(wide) if one == 1 else wide
        else:
            stored.append(one)
    return graph.reshape(value, shape, tuple(stored))


def _static(op: Operation, name: str) -> Shape:
    found = integers(attribute_of(op, name))
    if any(n == DYNAMIC_INDEX for n in found):
        raise Unreadable(f"{name.removeprefix('static_')} that are known at run time only")
    return found


def _extract_slice(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    begin, sizes, steps = (
        _static(op, f"static_{name}") for name in ("offsets", "sizes", "strides")
    )
    part = graph.slice(operands[0], begin, sizes, steps)
    return graph.reshape(part, shape_of(op.results[0]))


def _insert_slice(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    """A part of a tensor replaced: what is before, it, and what is behind, by dimension."""
    source, target = operands[0], operands[1]
    begin, sizes, steps = (
        _static(op, f"static_{name}") for name in ("offsets", "sizes", "strides")
    )
    if set(steps) - {1}:
        raise Unreadable("a slice with strides to insert is not supported")
    found = graph.reshape(source, sizes)
    done = list(sizes)
    for axis in reversed(range(len(sizes))):
        end = begin[axis] + sizes[axis]
        parts = [
            _beside(graph, target, begin, done, axis, 0, begin[axis]),
            found,
            _beside(graph, target, begin, done, axis, end, target.shape[axis] - end),
        ]
        done[axis] = target.shape[axis]
        found = _joined(graph, [p for p in parts if p is not None], axis, tuple(done))
    return found


def _beside(
    graph: Graph,
    target: Value,
    begin: Shape,
    done: Sequence[int],
    axis: int,
    first: int,
    count: int,
) -> Value | None:
    """What a tensor has before or behind an inserted slice along an axis."""
    if not count:
        return None
    rank = len(target.shape)
    start = tuple(first if a == axis else begin[a] if a < axis else 0 for a in range(rank))
    sizes = tuple(count if a == axis else done[a] for a in range(rank))
    return graph.slice(target, start, sizes, (1,) * rank)


def _joined(graph: Graph, parts: Sequence[Value], axis: int, shape: Shape) -> Value:
    if len(parts) == 1:
        return parts[0]
    full = [graph.full(p) for p in parts]
    if all(p.array is not None for p in full):
        return graph.constant(np.concatenate([p.array for p in full if p.array is not None], axis))
    return graph.emit("Concat", full, shape, parts[0].dtype, axis=axis)


def _concat(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    axis = integer(attribute_of(op, "dim"))
    return _joined(graph, operands, axis, shape_of(op.results[0]))


def _pad(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    """With one number around."""
    low, high = (_static(op, f"static_{name}") for name in ("low", "high"))
    value = graph.full(operands[0])
    if not any(low) and not any(high):
        return value
    if min(*low, *high) < 0:
        raise Unreadable("negative padding is not supported")
    last = op.regions[0].block.last_op
    if last is None or last.operands[0].owner in op.regions[0].blocks:
        raise Unreadable("padding that depends on the place is not supported")
    number = lookup(last.operands[0])
    pads = graph.constant(np.array([*low, *high], np.int64))
    shape = shape_of(op.results[0])
    return graph.emit("Pad", [value, pads, graph.reshape(number, ())], shape, value.dtype)


def _cast(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    """Of the static shape that is known."""
    return operands[0]


def _from_elements(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    shape = shape_of(op.results[0])
    rows = [graph.reshape(value, (1,)) for value in operands]
    return graph.reshape(_joined(graph, rows, 0, (len(rows),)), shape)


def _extract(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    places = [graph.reshape(place, (1,)) for place in operands[1:]]
    if not places:
        return graph.reshape(operands[0], ())
    return graph.reshape(extracted(graph, operands[0], places, (1,)), ())


def _generate(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Value:
    """A function of the place."""
    from xdsl.ir.affine import AffineMap

    shape = shape_of(op.results[0])
    rank = len(shape)
    indices = [
        graph.constant(np.arange(n).reshape([n if a == axis else 1 for a in range(rank)]), shape)
        for axis, n in enumerate(shape)
    ]
    maps = [AffineMap.identity(rank)] * (rank + 1)
    block = op.regions[0].block
    nest = Nest(graph, shape, (False,) * rank, [*indices, indices[0]], maps, block, lookup)
    return nest.result(0)


RULES: dict[str, Rule] = {
    "tensor.empty": _empty,
    "tensor.splat": _splat,
    "tensor.expand_shape": _reshaped,
    "tensor.collapse_shape": _reshaped,
    "tensor.reshape": _reshaped,
    "tensor.extract_slice": _extract_slice,
    "tensor.insert_slice": _insert_slice,
    "tensor.concat": _concat,
    "tensor.pad": _pad,
    "tensor.cast": _cast,
    "tensor.from_elements": _from_elements,
    "tensor.extract": _extract,
    "tensor.generate": _generate,
}
