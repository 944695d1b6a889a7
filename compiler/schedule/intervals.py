"""Values of ranges of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class Intervals(Generic[T]):
    """Ranges [start, end) with a value each; a new range takes the place of what it covers."""

    _ranges: list[tuple[int, int, T]] = field(default_factory=list["tuple[int, int, T]"])

    def overlapping(self, start: int, end: int) -> Iterator[T]:
        """Values of ranges that have bytes in common with a range."""
        return (value for first, last, value in self._ranges if first < end and start < last)

    def covers(self, start: int, end: int) -> bool:
        """Whether all bytes of a range have a value."""
        overlaps = (
            min(end, last) - max(start, first)
            for first, last, _ in self._ranges
            if first < end and start < last
        )
        return sum(overlaps) == end - start

    def assign(self, start: int, end: int, value: T) -> None:
        """Give a range a value."""
        self.forget(start, end)
        self._ranges.append((start, end, value))

    def forget(self, start: int, end: int) -> None:
        """Take the values of a range."""
        kept: list[tuple[int, int, T]] = []
        for first, last, old in self._ranges:
            if first >= end or start >= last:
                kept.append((first, last, old))
                continue
            if first < start:
                kept.append((first, start, old))
            if last > end:
                kept.append((end, last, old))
        self._ranges = kept
