"""The cores' functions of one element by name, for tests of what they compute and cost."""

from __future__ import annotations

from softex_mlir.compiler.bodies import GELU_SQUARE
from softex_mlir.compiler.row_operations.unary import UNARY, UnaryKernel
from softex_mlir.isa_sim.numerics import rowwise

_KERNELS = [record.kernel for record in UNARY.values() if record.kernel is not None]

CORE_FUNCTIONS = {
    kernel.function.name: kernel
    for kernel in (*_KERNELS, UnaryKernel(GELU_SQUARE, rowwise.gelu_square, cycles=1.64))
}
