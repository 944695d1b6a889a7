"""Which instructions each operation becomes. Every module registers its functions."""

from softex_mlir.compiler.backend.select import (
    control_flow,
    conversions,
    floats,
    integers,
    memory,
    vectors,
)
from softex_mlir.compiler.backend.selection import Selection

__all__ = [
    "Selection",
    "control_flow",
    "conversions",
    "floats",
    "integers",
    "memory",
    "vectors",
]
