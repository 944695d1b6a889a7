"""`python -m softex_mlir` is `softex`."""

from softex_mlir.tools.interrupts import softex

softex()
