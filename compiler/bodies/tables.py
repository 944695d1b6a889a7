"""Tables in f32 that the cores' functions look things up in: constants in the TCDM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import MemRefType, f32

from softex_mlir.dialects.cluster import TcdmSpace
from softex_mlir.isa_sim.numerics.silu_lines import LINES, silu_lines


@dataclass(frozen=True)
class CoreTable:
    """A table; `symbol` is the name of its constant, `values` gives its f32 numbers."""

    symbol: str
    shape: tuple[int, int]
    values: Callable[[], npt.NDArray[np.float32]]

    @property
    def type(self) -> MemRefType[Any]:
        """Of its memory."""
        return MemRefType(f32, self.shape, memory_space=TcdmSpace())

    @property
    def bytes(self) -> int:
        """Its size."""
        return 4 * self.shape[0] * self.shape[1]

    def words(self) -> tuple[int, ...]:
        """Its bits as 16-bit words in memory order."""
        return tuple(map(int, np.ascontiguousarray(self.values()).view("<u2").ravel()))


SILU_LINES = CoreTable("silu_lines", (LINES, 2), silu_lines)
"""Lines of the sigmoid."""
