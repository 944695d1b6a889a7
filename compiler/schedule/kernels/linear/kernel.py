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

from dataclasses import dataclass, replace

from softex_mlir.compiler.bodies.matrix import GEMM_ROWS
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, GEMM
from softex_mlir.compiler.schedule.kernels.kernel import KernelEmitter
from softex_mlir.compiler.schedule.kernels.linear.feed import emit_feed
from softex_mlir.compiler.schedule.kernels.linear.geometry import LinearGeometry, OddRows
from softex_mlir.compiler.schedule.kernels.linear.odd_rows import emit_products_without_odd_rows
from softex_mlir.compiler.schedule.kernels.linear.streams import (
    emit_compute,
    emit_products,
    emit_results,
)
from softex_mlir.compiler.schedule.kernels.linear.sums import emit_products_into_ring
from softex_mlir.compiler.schedule.search.costs import gemm_job_cycles, odd_rows_cycles
from softex_mlir.isa_sim.units.redmule import is_computed


@dataclass(frozen=True)
class LinearKernel(LinearGeometry):
    """`group` Z tiles of m x k with `chunks` inner chunks of n."""

    def emit(self, k: KernelEmitter) -> None:
        emit_feed(self, k)
        constants = k.sum_constants(self.machine) if self.on_softex else ()
        if self.odd is not None:
            emit_products_without_odd_rows(self, self.odd, k)
        elif self.in_ring:
            emit_products_into_ring(self, k)
        elif self.engine is GEMM:
            emit_products(self, k)
        if self.epilogue or self.odd is not None or self.engine is COMPUTE:
            emit_compute(self, k, constants)
        emit_results(self, k)

    def with_odd_rows(self) -> LinearKernel | None:
        """The same with the rows left over from RedMulE's tiles on the cores, where they keep up:
        a chunk of W has to be back before RedMulE asks for the next but one in its slot."""
        unit = self.machine.redmule
        if unit is None or self.wide or self.splits > 1 or self.streams_w:
            return None
        rows = self.m % unit.rows
        every = next((n for n in range(3, self.group + 1) if self.group % n == 0), None)
        if every is None or self.m < unit.rows or not 0 < rows <= GEMM_ROWS or self.k % 2:
            return None
        if not is_computed(self.m - rows, self.n, self.k, unit):
            return None
        found = replace(self, odd=OddRows(rows, every))
        one, other = (
            gemm_job_cycles(self.machine, m, self.n, self.k) for m in (self.m, self.m - rows)
        )
        _, _, engine, compute = found.cycles()
        late = odd_rows_cycles(self.machine, rows, self.n, self.k) > one + other
        return None if late or compute > engine else found
