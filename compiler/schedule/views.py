"""Tensors in L2: who owns which bytes, and views of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TypeAlias

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.kernels.kernel import ELEMENT_BYTES, Dtype
from softex_mlir.compiler.weight_layout import ALIGNMENT
from softex_mlir.dialects.cluster import GlobalKind


@dataclass(eq=False)
class Region:
    """An object in L2: `rows` x `pitch` elements. Its symbol may change until it is emitted."""

    symbol: str
    kind: GlobalKind
    rows: int
    pitch: int
    dtype: Dtype
    filled: tuple[int, int]
    """Rows and columns that launches write; what is beyond them is read as the zero it is."""

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return self.rows * self.pitch * ELEMENT_BYTES[self.dtype]


Address: TypeAlias = tuple[Region, int]
"""A region and an offset in bytes."""


@dataclass(frozen=True)
class View:
    """A tensor as part of a region: offset and strides in elements.

    `zero_padded`: the columns behind the last one, up to a multiple of 32, are zero.
    """

    region: Region
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: Dtype
    zero_padded: bool

    def reaches(self, columns: int) -> bool:
        """Whether so many columns of every row are there, zero behind the last one."""
        own = self.shape[-1] if self.shape else 1
        if columns <= own:
            return True
        if not self.zero_padded:
            return False
        whole = self.region.filled[1] == own and columns <= self.region.pitch
        return whole or columns <= round_up(own, ALIGNMENT)

    @property
    def address(self) -> Address:
        """Region and offset in bytes."""
        return self.region, self.offset * ELEMENT_BYTES[self.dtype]

    @cached_property
    def extent(self) -> tuple[int, int]:
        """First element and end, in elements of the region; strides may be negative."""
        reach = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        first = self.offset + sum(min(r, 0) for r in reach)
        return first, self.offset + sum(max(r, 0) for r in reach) + 1

    def meets(self, other: View) -> bool:
        """Whether the views may share elements; exact for parts of one matrix in the same rows."""
        if self.region is not other.region:
            return False
        (first, end), (start, stop) = self.extent, other.extent
        if end <= start or stop <= first:
            return False
        if len(self.shape) != 2 or len(other.shape) != 2 or self.strides != other.strides:
            return True
        pitch, step = self.strides
        if step != 1 or pitch <= 0:
            return True
        column, place = first % pitch, start % pitch
        if max(column + self.shape[1], place + other.shape[1]) > pitch:
            return True
        return column < place + other.shape[1] and place < column + self.shape[1]

    def row_range(self, first: int, rows: int) -> View:
        """Rows of a matrix."""
        return replace(
            self,
            offset=self.offset + first * self.strides[0],
            shape=(rows, *self.shape[1:]),
        )

    def columns(self, start: int, count: int) -> View:
        """Some of the columns of a matrix."""
        if (start, count) == (0, self.shape[-1]):
            return self
        return replace(
            self,
            offset=self.offset + start * self.strides[-1],
            shape=(*self.shape[:-1], count),
            zero_padded=False,
        )

    def sliced(self, offsets: Sequence[int], sizes: Sequence[int], steps: Sequence[int]) -> View:
        """A strided part."""
        offset = self.offset + sum(o * s for o, s in zip(offsets, self.strides, strict=True))
        whole = bool(self.shape) and offsets[-1] + sizes[-1] == self.shape[-1] and steps[-1] == 1
        return replace(
            self,
            offset=offset,
            shape=tuple(sizes),
            strides=tuple(a * b for a, b in zip(self.strides, steps, strict=True)),
            zero_padded=self.zero_padded and whole and offsets[-1] == 0,
        )

    def permuted(self, order: Sequence[int]) -> View:
        """Dimensions in another order."""
        return replace(
            self,
            shape=tuple(self.shape[i] for i in order),
            strides=tuple(self.strides[i] for i in order),
            zero_padded=self.zero_padded and bool(order) and order[-1] == len(order) - 1,
        )

    def reshaped(self, shape: Sequence[int]) -> View | None:
        """The same elements in row-major order with another shape; None if it needs a copy."""
        old = [(n, s) for n, s in zip(self.shape, self.strides, strict=True) if n != 1]
        strides: list[int] = []
        position = 0
        group: list[tuple[int, int]] = []
        remaining = 1
        for size in shape:
            if size == 1:
                strides.append(0)
                continue
            if remaining == 1:
                if position >= len(old):
                    return None
                group = [old[position]]
                position += 1
                remaining = group[0][0]
            while remaining % size or remaining < size:
                if position >= len(old):
                    return None
                # join with the next dimension if they are contiguous
                next_size, next_stride = old[position]
                position += 1
                if group[-1][1] != next_size * next_stride:
                    return None
                group.append((next_size, next_stride))
                remaining *= next_size
            remaining //= size
            strides.append(remaining * group[-1][1])
        if remaining != 1 or position != len(old):
            return None
        # a stride behind a size of 1 never matters; give it the row-major value
        for index in reversed(range(len(shape))):
            if shape[index] == 1:
                inner = index + 1
                strides[index] = shape[inner] * strides[inner] if inner < len(shape) else 1
        same_rows = bool(shape) and bool(self.shape) and shape[-1] == self.shape[-1]
        return replace(
            self,
            shape=tuple(shape),
            strides=tuple(strides),
            zero_padded=self.zero_padded and same_rows,
        )

    def matrix(self) -> View | None:
        """All leading dimensions as rows in rising order, columns contiguous; None if that needs a
        copy."""
        columns = self.shape[-1] if self.shape else 1
        rows = prod(self.shape[:-1]) if self.shape else 1
        found = self.reshaped((rows, columns))
        if found is None or (columns > 1 and found.strides[1] != 1):
            return None
        if rows > 1 and found.strides[0] < 0:
            return None
        stride = found.strides[0] if rows > 1 else max(found.strides[0], columns)
        return replace(found, strides=(stride, 1))


def row_major(region: Region, shape: Sequence[int]) -> View:
    """A tensor that fills a region row by row."""
    strides: list[int] = []
    step = 1
    for position, size in enumerate(reversed(shape)):
        strides.append(step)
        step *= region.pitch if position == 0 else size
    return View(region, 0, tuple(shape), tuple(reversed(strides)), region.dtype, True)


def region_for(
    symbol: str, kind: GlobalKind, shape: Sequence[int], dtype: Dtype, least: int = 0
) -> Region:
    """A region for a tensor: one row for every index but the last, rows padded to whole lines and
    to at least so many columns."""
    rows, columns = max(1, prod(shape[:-1])), shape[-1] if shape else 1
    pitch = round_up(max(columns, least), ALIGNMENT)
    return Region(symbol, kind, rows, pitch, dtype, (rows, columns))
