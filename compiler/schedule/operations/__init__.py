"""How each kind of operation becomes kernels and tasks. Every module registers its functions."""

from softex_mlir.compiler.schedule.operations import (
    attention,
    generic,
    movement,
    products,
    rows,
    views,
)
from softex_mlir.compiler.schedule.scheduling import schedule_of

__all__ = ["attention", "generic", "movement", "products", "rows", "schedule_of", "views"]
