"""Boxes of indices: which part of a tensor is meant, a range of indices for every dimension.

Ranges are Python's, with positive steps, so every box is what one `transformer.slice` takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd, prod
from typing import TypeAlias

import numpy as np

Shape: TypeAlias = tuple[int, ...]
Box: TypeAlias = tuple[range, ...]


def whole(shape: Sequence[int]) -> Box:
    """All of a tensor."""
    return tuple(range(n) for n in shape)


def size_of(box: Box) -> Shape:
    """The shape of a part."""
    return tuple(len(part) for part in box)


def hull(*parts: range) -> range:
    """The smallest range that holds all of the ranges."""
    parts = tuple(part for part in parts if part)
    if not parts:
        return range(0)
    first, last = min(part[0] for part in parts), max(part[-1] for part in parts)
    steps = (part[1] - part[0] for part in parts if len(part) > 1)
    step = gcd(*steps, *(part[0] - first for part in parts))
    return range(first, last + 1, step or 1)


def union(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of the boxes."""
    return tuple(hull(*parts) for parts in zip(*boxes, strict=True))


def shifted(part: range, offset: int, step: int = 1) -> range:
    """Indices ``offset + step * i`` in rising order."""
    found = range(offset + step * part.start, offset + step * part.stop, step * part.step)
    return found if step > 0 else found[::-1]


def within(part: range, first: int, count: int) -> range:
    """Those of ``count`` indices from `first` on that are in a range, counted from `first`."""
    skipped = max(0, -(-(first - part.start) // part.step))
    left = max(0, -(-(first + count - part.start) // part.step))
    return shifted(part[skipped:left], -first)


def places(part: range, among: range) -> range:
    """Where the elements of a range are in one that holds them all."""
    first = among.index(part[0])
    if len(part) == 1:
        return part_at(first)
    last, step = among.index(part[-1]), part.step // among.step
    return range(first, last + 1, step)


def part_at(index: int) -> range:
    """The range of one index."""
    return range(index, index + 1)


def blocks(part: range, length: int) -> tuple[range, range]:
    """Blocks of `length` indices and indices in each, whose product is a range around this one."""
    first, last = part[0] // length, part[-1] // length
    if first == last:
        return part_at(first), shifted(part, -first * length)
    if part.step % length == 0:
        return range(first, last + 1, part.step // length), part_at(part[0] % length)
    return range(first, last + 1), range(length)


def joined(outer: range, inner: range, length: int) -> range:
    """The indices of `blocks`."""
    if len(outer) == 1:
        return shifted(inner, outer[0] * length)
    if len(inner) == 1:
        return shifted(outer, inner[0], length)
    return range(outer[0] * length, (outer[-1] + 1) * length)


def reshaped(box: Box, shape: Shape, other: Shape) -> tuple[Box, Box]:
    """The smallest box around one in a shape whose elements are a box in another, and that box."""
    mine: list[range] = []
    theirs: list[range] = []
    for first, second in _groups(shape, other):
        lengths, sizes = shape[first.start : first.stop], other[second.start : second.stop]
        part = box[first.start : first.stop]
        found = None if size_of(part) == lengths else _same_elements(part, lengths, sizes)
        mine += whole(lengths) if found is None else part
        theirs += whole(sizes) if found is None else found
    return tuple(mine), tuple(theirs)


def _same_elements(box: Box, shape: Shape, other: Shape) -> Box | None:
    """The box of the same elements in another shape; None if they form none."""
    flat = np.ravel_multi_index(np.ix_(*box), shape).ravel()
    axes = [np.unique(axis).tolist() for axis in np.unravel_index(flat, other)]
    found = tuple(hull(*map(part_at, axis)) for axis in axes)
    same = prod(size_of(found)) == len(flat) and all(
        len(part) == len(axis) for part, axis in zip(found, axes, strict=True)
    )
    return found if same else None


def _groups(shape: Shape, other: Shape) -> Iterator[tuple[range, range]]:
    """The shortest runs of dimensions of two shapes that hold the same elements."""
    i = j = 0
    while i < len(shape) or j < len(other):
        first, second = (i, j)
        mine = theirs = 1
        while (i, j) == (first, second) or mine != theirs:
            if i < len(shape) and (mine <= theirs or j == len(other)):
                mine *= shape[i]
                i += 1
            else:
                theirs *= other[j]
                j += 1
        yield range(first, i), range(second, j)
