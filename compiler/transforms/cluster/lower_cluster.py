"""`lower-cluster`: from scheduled kernels (level L2) to functions on registers (level L3)."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass, PassPipeline

from softex_mlir.compiler.transforms.cluster.convert_dma_to_registers import (
    ConvertDmaToRegistersPass,
)
from softex_mlir.compiler.transforms.cluster.convert_jobs_to_commands import (
    ConvertJobsToCommandsPass,
)
from softex_mlir.compiler.transforms.cluster.convert_kernels_to_functions import (
    ConvertKernelsToFunctionsPass,
)
from softex_mlir.compiler.transforms.cluster.convert_parallel_to_loops import (
    ConvertParallelToLoopsPass,
)
from softex_mlir.compiler.transforms.cluster.convert_synchronization import (
    ConvertSynchronizationPass,
)

LOWER_CLUSTER_PASSES: tuple[ModulePass, ...] = (
    ConvertKernelsToFunctionsPass(),
    ConvertParallelToLoopsPass(),
    ConvertJobsToCommandsPass(),
    ConvertDmaToRegistersPass(),
    ConvertSynchronizationPass(),
)
"""The steps, in order."""


@dataclass(frozen=True)
class LowerClusterPass(ModulePass):
    """All steps from cluster, redmule and softex to hwpe."""

    name = "lower-cluster"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Apply the steps; the IR is verified by whoever applies this pass."""
        PassPipeline(LOWER_CLUSTER_PASSES).apply(ctx, op)
