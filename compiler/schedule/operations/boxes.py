"""How a strided copy is cut into transfers: boxes of three dimensions that fit their slot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from typing import TypeAlias

BOX_RANK = 3
"""Dimensions of a transfer; further ones are loops around it."""


@dataclass(frozen=True)
class CopyDimension:
    """Elements along one dimension, and their strides in source and target, in elements."""

    extent: int
    source: int
    target: int


Dimensions: TypeAlias = tuple[CopyDimension, ...]
"""Outermost first; the last one is contiguous on both sides or has one element."""


@dataclass(frozen=True)
class Part:
    """A box of any rank, and where it begins in source and target, in elements."""

    dims: Dimensions
    source: int = 0
    target: int = 0


def dimensions(shape: Sequence[int], source: Sequence[int], target: Sequence[int]) -> Dimensions:
    """Those of more than one element, joined where they follow one another on both sides."""
    merged: list[CopyDimension] = []
    for dim in map(CopyDimension, shape, source, target):
        if dim.extent == 1:
            continue
        last = merged[-1] if merged else None
        if last is not None and (last.source, last.target) == (
            dim.extent * dim.source,
            dim.extent * dim.target,
        ):
            merged[-1] = replace(dim, extent=last.extent * dim.extent)
        else:
            merged.append(dim)
    if not merged or (merged[-1].source, merged[-1].target) != (1, 1):
        merged.append(CopyDimension(1, 1, 1))
    return tuple(merged)


def parts(dims: Dimensions, limit: int, cycles: Callable[[Dimensions], int]) -> Sequence[Part]:
    """Boxes whose transfers have at most `limit` elements.

    The dimension that makes a transfer too long is divided; where its length has no divisor to do
    that with, it is cut into equal pieces and what is left. `cycles` of a copy decide, and which
    dimensions are a transfer's.
    """
    return min(_ways(dims, limit), key=lambda way: sum(cycles(part.dims) for part in way))


def _ways(dims: Dimensions, limit: int) -> Iterator[Sequence[Part]]:
    for order in _orders(dims):
        yield [Part(_divided(order, limit))]
        if cut := _cut(order, limit):
            yield [replace(part, dims=_divided(part.dims, limit)) for part in cut]


def _orders(dims: Dimensions) -> Iterator[Dimensions]:
    """As they are, then with other dimensions in the transfer."""
    yield dims
    *outer, last = dims
    inner = BOX_RANK - 1
    for chosen in combinations(range(len(outer)), inner) if len(outer) > inner else ():
        loops = [dim for index, dim in enumerate(outer) if index not in chosen]
        yield (*loops, *(outer[index] for index in chosen), last)


def _cut(dims: Dimensions, limit: int) -> Sequence[Part]:
    """Equal pieces of the dimension that makes a transfer too long, and what is left; nothing where
    there is no such dimension, or nothing left."""
    inner = 1
    for index in reversed(range(max(0, len(dims) - BOX_RANK), len(dims))):
        dim = dims[index]
        if inner * dim.extent > limit:
            break
        inner *= dim.extent
    else:
        return ()
    count = -(-dim.extent // (limit // inner))
    rest = dim.extent % -(-dim.extent // count)
    even = dim.extent - rest
    if not rest:
        return ()

    def of(extent: int) -> Dimensions:
        return (*dims[:index], replace(dim, extent=extent), *dims[index + 1 :])

    return (Part(of(even)), Part(of(rest), even * dim.source, even * dim.target))


def _divided(dims: Dimensions, limit: int) -> Dimensions:
    """Dimensions of which the last three have at most `limit` elements."""
    result = list(dims)
    while (size := prod(dim.extent for dim in result[-BOX_RANK:])) > limit:
        # divide the outermost dimension of the box by the smallest factor that makes it fit
        begin = max(0, len(result) - BOX_RANK)
        index = next(i for i in range(begin, len(result)) if result[i].extent > 1)
        dim = result[index]
        factors = [f for f in range(2, dim.extent + 1) if dim.extent % f == 0]
        factor = next((f for f in factors if size // f <= limit), factors[-1])
        inner = dim.extent // factor
        result[index] = replace(dim, extent=inner)
        result.insert(begin, CopyDimension(factor, dim.source * inner, dim.target * inner))
    return tuple(result)
