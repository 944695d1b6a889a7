"""How weights lie in L2: plain rows with a pitch, or the tiles RedMulE jobs read one after another.

`pack_weight` and `unpack_weight` are inverse to each other on the weight itself; padding is +0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from softex_mlir.arithmetic import round_up

Array: TypeAlias = NDArray[Any]

ALIGNMENT = 32
"""Elements to which pitches and matrix dimensions are rounded up."""


@dataclass(frozen=True)
class WeightLayout:
    """Where the elements of a weight lie. Sizes in elements.

    ``rows``: row-major, the last dimension padded to `pitch`. ``tiled``: a matrix [N, K] padded
    to `padded_shape` and cut into tiles of `inner` x `columns`; each tile is contiguous, tiles
    follow each other column tile by column tile, inner chunks within. The last column tile may be
    narrower.
    """

    kind: Literal["rows", "tiled"]
    pitch: int = 0
    inner: int = 0
    columns: int = 0
    padded_shape: tuple[int, int] = (0, 0)

    @staticmethod
    def rows(shape: tuple[int, ...]) -> WeightLayout:
        """Row-major with the pitch every activation has."""
        return WeightLayout("rows", pitch=round_up(shape[-1] if shape else 1, ALIGNMENT))

    @staticmethod
    def tiled(shape: tuple[int, int], inner: int, columns: int) -> WeightLayout:
        """Tiles for RedMulE jobs of `inner` x `columns`."""
        padded = (round_up(shape[0], inner), round_up(shape[1], ALIGNMENT))
        return WeightLayout("tiled", inner=inner, columns=columns, padded_shape=padded)

    def elements(self, shape: tuple[int, ...]) -> int:
        """Elements of the packed array of a weight of this shape."""
        if self.kind == "tiled":
            return self.padded_shape[0] * self.padded_shape[1]
        count = self.pitch
        for size in shape[:-1]:
            count *= size
        return count

    def tile_offset(self, column_tile: int) -> int:
        """Where a column tile begins, in elements."""
        return self.padded_shape[0] * self.columns * column_tile

    def to_json(self) -> dict[str, Any]:
        """For the program's metadata."""
        if self.kind == "rows":
            return {"kind": "rows", "pitch": self.pitch}
        return {
            "kind": "tiled",
            "inner": self.inner,
            "columns": self.columns,
            "padded_shape": list(self.padded_shape),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> WeightLayout:
        """Inverse of `to_json`."""
        if data["kind"] == "rows":
            return WeightLayout("rows", pitch=data["pitch"])
        padded = (int(data["padded_shape"][0]), int(data["padded_shape"][1]))
        return WeightLayout(
            "tiled", inner=data["inner"], columns=data["columns"], padded_shape=padded
        )


def pack_weight(weight: Array, layout: WeightLayout) -> Array:
    """The weight's elements in memory order (1-D, same dtype), padding zero; perhaps a view."""
    weight = np.asarray(weight)
    if layout.kind == "rows":
        rows = weight.reshape(-1, weight.shape[-1] if weight.ndim else 1)
        if rows.shape[1] == layout.pitch:
            return rows.reshape(-1)
        packed = np.zeros((rows.shape[0], layout.pitch), dtype=weight.dtype)
        packed[:, : rows.shape[1]] = rows
        return packed.reshape(-1)
    inner, columns = layout.padded_shape
    exact = weight.shape == layout.padded_shape
    packed = (np.empty if exact else np.zeros)(inner * columns, dtype=weight.dtype)
    for start in range(0, columns, layout.columns):
        end = min(start + layout.columns, columns)
        tile = packed[inner * start : inner * end].reshape(inner, end - start)
        part = weight[:, start:end]
        tile[: part.shape[0], : part.shape[1]] = part
    return packed


def unpack_weight(packed: Array, layout: WeightLayout, shape: tuple[int, ...]) -> Array:
    """The weight of `shape` from its packed elements."""
    packed = np.asarray(packed)
    if layout.kind == "rows":
        width = shape[-1] if shape else 1
        return packed.reshape(-1, layout.pitch)[:, :width].reshape(shape)
    inner, columns = layout.padded_shape
    parts: list[Array] = []
    position = 0
    for start in range(0, columns, layout.columns):
        width = min(layout.columns, columns - start)
        parts.append(packed[position : position + inner * width].reshape(inner, width))
        position += inner * width
    return np.concatenate(parts, axis=1)[: shape[0], : shape[1]]
