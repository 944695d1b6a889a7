"""The passes, by name. Each is imported when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdsl.passes import ModulePass

OWN_PASSES: dict[str, tuple[str, str]] = {
    "canonicalize-transformer": (
        "softex_mlir.compiler.transforms.transformer.canonicalize_transformer",
        "CanonicalizeTransformerPass",
    ),
    "fuse-gelu": ("softex_mlir.compiler.transforms.transformer.fuse_gelu", "FuseGeluPass"),
    "fuse-layer-norm": (
        "softex_mlir.compiler.transforms.transformer.fuse_layer_norm",
        "FuseLayerNormPass",
    ),
    "fuse-rotary": ("softex_mlir.compiler.transforms.transformer.fuse_rotary", "FuseRotaryPass"),
    "fuse-attention": (
        "softex_mlir.compiler.transforms.transformer.fuse_attention",
        "FuseAttentionPass",
    ),
    "lift-masks": (
        "softex_mlir.compiler.transforms.transformer.lift_masks",
        "LiftMasksPass",
    ),
    "fuse-cache": ("softex_mlir.compiler.transforms.transformer.fuse_cache", "FuseCachePass"),
    "flatten-rows": ("softex_mlir.compiler.transforms.transformer.flatten_rows", "FlattenRowsPass"),
    "fuse-linear": ("softex_mlir.compiler.transforms.transformer.fuse_linear", "FuseLinearPass"),
    "fold-affine": ("softex_mlir.compiler.transforms.transformer.fold_affine", "FoldAffinePass"),
    "fold-scale": ("softex_mlir.compiler.transforms.transformer.fold_scale", "FoldScalePass"),
    "split-linear": ("softex_mlir.compiler.transforms.transformer.split_linear", "SplitLinearPass"),
    "fuse-epilogue": (
        "softex_mlir.compiler.transforms.transformer.fuse_epilogue",
        "FuseEpiloguePass",
    ),
    "select-early": (
        "softex_mlir.compiler.transforms.transformer.select_early",
        "SelectEarlyPass",
    ),
    "drop-unread": ("softex_mlir.compiler.transforms.transformer.drop_unread", "DropUnreadPass"),
    "convert-transformer-to-linalg": (
        "softex_mlir.compiler.transforms.transformer.convert_transformer_to_linalg",
        "ConvertTransformerToLinalgPass",
    ),
    "fuse-generics": (
        "softex_mlir.compiler.transforms.transformer.fuse_generics",
        "FuseGenericsPass",
    ),
    "finalize-transformer": (
        "softex_mlir.compiler.transforms.transformer.finalize_transformer",
        "FinalizeTransformerPass",
    ),
    "round-weights": (
        "softex_mlir.compiler.transforms.transformer.round_weights",
        "RoundWeightsPass",
    ),
    "chunk-keys": ("softex_mlir.compiler.transforms.transformer.chunk_keys", "ChunkKeysPass"),
    "order-inner-dimension": (
        "softex_mlir.compiler.transforms.transformer.order_inner_dimension",
        "OrderInnerDimensionPass",
    ),
    "split-token-sums": (
        "softex_mlir.compiler.transforms.transformer.split_token_sums",
        "SplitTokenSumsPass",
    ),
    "split-sums": ("softex_mlir.compiler.transforms.transformer.split_sums", "SplitSumsPass"),
    "split-values": (
        "softex_mlir.compiler.transforms.transformer.split_values",
        "SplitValuesPass",
    ),
    "compute-on-cores": (
        "softex_mlir.compiler.transforms.transformer.compute_on_cores",
        "ComputeOnCoresPass",
    ),
    "widen-sums": ("softex_mlir.compiler.transforms.transformer.widen_sums", "WidenSumsPass"),
    "pad-inner": ("softex_mlir.compiler.transforms.transformer.pad_inner", "PadInnerPass"),
    "place": ("softex_mlir.compiler.transforms.transformer.place", "PlacePass"),
    "convert-transformer-to-jobs": (
        "softex_mlir.compiler.transforms.cluster.convert_transformer_to_jobs",
        "ConvertTransformerToJobsPass",
    ),
    "vectorize-packed-bf16": (
        "softex_mlir.compiler.transforms.cluster.vectorize_packed_bf16",
        "VectorizePackedBf16",
    ),
    "convert-kernels-to-functions": (
        "softex_mlir.compiler.transforms.cluster.convert_kernels_to_functions",
        "ConvertKernelsToFunctionsPass",
    ),
    "convert-parallel-to-loops": (
        "softex_mlir.compiler.transforms.cluster.convert_parallel_to_loops",
        "ConvertParallelToLoopsPass",
    ),
    "convert-jobs-to-commands": (
        "softex_mlir.compiler.transforms.cluster.convert_jobs_to_commands",
        "ConvertJobsToCommandsPass",
    ),
    "convert-dma-to-registers": (
        "softex_mlir.compiler.transforms.cluster.convert_dma_to_registers",
        "ConvertDmaToRegistersPass",
    ),
    "convert-synchronization": (
        "softex_mlir.compiler.transforms.cluster.convert_synchronization",
        "ConvertSynchronizationPass",
    ),
    "hoist-register-writes": (
        "softex_mlir.compiler.transforms.registers.hoist_register_writes",
        "HoistRegisterWritesPass",
    ),
    "elide-redundant-register-writes": (
        "softex_mlir.compiler.transforms.registers.elide_redundant_register_writes",
        "ElideRedundantRegisterWritesPass",
    ),
    "lower-cluster": (
        "softex_mlir.compiler.transforms.cluster.lower_cluster",
        "LowerClusterPass",
    ),
    "convert-to-riscv": ("softex_mlir.compiler.backend.convert_to_riscv", "ConvertToRiscvPass"),
    "allocate-registers": (
        "softex_mlir.compiler.backend.allocate_registers",
        "AllocateRegistersPass",
    ),
    "pad-hardware-loops": (
        "softex_mlir.compiler.backend.pad_hardware_loops",
        "PadHardwareLoopsPass",
    ),
}
"""Our passes: name to module and class. Keep in the order of the pipeline."""

UPSTREAM_PASSES = ("canonicalize", "cse", "dce")
"""xDSL's passes that serve our levels."""


def get_all_passes() -> dict[str, Callable[[], type[ModulePass]]]:
    """All passes by name, each imported when its factory is called."""
    from xdsl.transforms import get_all_passes as get_upstream_passes

    def factory(module: str, name: str) -> Callable[[], type[ModulePass]]:
        return lambda: getattr(import_module(module), name)

    upstream = get_upstream_passes()
    passes = {name: factory(*place) for name, place in OWN_PASSES.items()}
    return passes | {name: upstream[name] for name in UPSTREAM_PASSES}
