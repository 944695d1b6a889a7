"""The kernel of `linear`: a group of neighbouring tiles of the result, and their epilogue.

    dma_in   Z[g] <- bias rows; per chunk: X chunk, and a W chunk for each tile, into rings of two
    redmule  per chunk, per tile g: Z[g] += X·W in place
    compute  per tile, per piece of rows: activation, residual
    dma_out  residual pieces in, finished pieces out

An X chunk serves all tiles of the group, which halves the traffic that keeps RedMulE from the
TCDM's banks. The rings of X and W continue from launch to launch: their first slots are launch
arguments, so `dma_in` loads a launch's first chunk while RedMulE still works on the last one of
the launch before. Z needs no second copy: while RedMulE finishes the last tiles of a group, the
first ones are stored and preset for the next group, tile by tile.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, GEMM
from softex_mlir.compiler.schedule.kernels.kernel import SLOPES, WEIGHTS, KernelEmitter
from softex_mlir.compiler.schedule.kernels.linear.feed import emit_feed
from softex_mlir.compiler.schedule.kernels.linear.geometry import LinearGeometry
from softex_mlir.compiler.schedule.kernels.linear.streams import (
    emit_compute,
    emit_products,
    emit_results,
)


@dataclass(frozen=True)
class LinearKernel(LinearGeometry):
    """`group` Z tiles of m x k with `chunks` inner chunks of n."""

    def emit(self, k: KernelEmitter) -> None:
        emit_feed(self, k)
        constants: tuple[SSAValue, ...] = ()
        if self.on_softex:
            assert self.machine.softex is not None
            terms = self.machine.softex.terms
            constants = (k.constant(SLOPES, terms), k.constant(WEIGHTS, terms))
        if self.engine is GEMM:
            emit_products(self, k)
        if self.epilogue or self.engine is COMPUTE:
            emit_compute(self, k, constants)
        emit_results(self, k)
