"""What in a decoder's graph depends on the number of tokens before, and how.

A decoder's constants are those of one number of tokens before, as its graph computes them from
the shape of its cache, from masks of ones and from positions. Compared with those of other
numbers, a constant is

- the same: it depends on nothing;
- sizes of views, which the program's fixed sizes hold for;
- a mask, which moves with the tokens: `fuse-cache` computes it from the position;
- rows of a table by position, taken from a reading of all positions at once.

Anything else is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from softex_mlir.compiler.importers.onnx.values import Array, Unsupported

SIZES: Mapping[str, tuple[int, ...]] = {
    "Reshape": (1,),
    "Expand": (1,),
    "Slice": (1, 2, 3, 4),
    "Tile": (1,),
    "Split": (1,),
    "Pad": (1,),
    "TensorScatter": (2,),
    "Attention": (6,),
}
"""Operands that say how large a result is, or where a part of an operand lies."""


@dataclass(frozen=True)
class Lengths:
    """How a decoder's graph is read: sizes of its dimensions."""

    batch: int
    tokens: int
    past: int

    @property
    def total(self) -> int:
        """Tokens that keys are there for."""
        return self.past + self.tokens


@dataclass(frozen=True)
class Varying:
    """Compares the constants of a reading with those of two others.

    Attributes:
        real: the reading's lengths.
        probed: those of one with other tokens before.
        whole: constants of a reading of all tokens at once, by name.
        probe: constants of the one of other tokens before.
    """

    real: Lengths
    probed: Lengths
    whole: Mapping[str, Array]
    probe: Mapping[str, Array]

    def by_position(
        self, key: str, operator: str, index: int, array: Array
    ) -> tuple[Array, tuple[int, ...], int] | None:
        """A table [capacity, columns] whose rows a constant consists of, the constant's shape, and
        which of its dimensions is the tokens'; None if it stays what it is.

        Raises `Unsupported` if it depends on the tokens before in another way.
        """
        other = self.probe.get(key)
        if other is not None and (array is other or _same(array, other)):
            return None
        if index in SIZES.get(operator, ()):
            return None
        if other is not None and self._moves(array, other):
            return None
        found = None if other is None else self._table(key, array, other)
        if found is None:
            raise Unsupported(
                f"operand {index} {list(array.shape)} depends on the number of tokens in the cache "
                "in a way that is neither a mask nor a table by position",
                "compile it without --max-length, for fixed numbers of tokens",
            )
        return found

    def _moves(self, array: Array, other: Array) -> bool:
        """Whether a mask [.., tokens before and next] depends on distances alone."""
        if array.ndim == 0 or array.shape[-1] != self.real.total:
            return False
        if other.shape != (*array.shape[:-1], self.probed.total):
            return False
        return _same(array[..., self.real.past - self.probed.past :], other)

    def _table(
        self, key: str, array: Array, other: Array
    ) -> tuple[Array, tuple[int, ...], int] | None:
        whole = self.whole.get(key)
        if whole is None or array.dtype.kind != "f" or whole.ndim != array.ndim:
            return None
        axes = [i for i in range(array.ndim) if whole.shape[i] != array.shape[i]]
        if len(axes) != 1:
            return None
        (axis,) = axes
        for part, lengths in ((array, self.real), (other, self.probed)):
            rows = np.arange(lengths.past, lengths.total)
            if whole.shape[axis] < lengths.total or not _same(whole.take(rows, axis), part):
                return None
        if axis > 0 and self.real.batch > 1 and whole.shape[0] == self.real.batch:
            first = whole[:1]
            if not _same(np.broadcast_to(first, whole.shape), whole):
                return None
            whole = first
        table = np.moveaxis(whole, axis, 0).reshape(whole.shape[axis], -1)
        return np.ascontiguousarray(table, np.float32), array.shape, axis


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
