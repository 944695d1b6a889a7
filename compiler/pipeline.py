"""The whole compilation, as one tuple of passes; `softex-opt -p` runs any of them alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass, PassPipeline

from softex_mlir.compiler.accuracy import SUMS_IN_F32, chunks_text
from softex_mlir.compiler.backend.allocate_registers import AllocateRegistersPass
from softex_mlir.compiler.backend.convert_to_riscv import ConvertToRiscvPass
from softex_mlir.compiler.backend.pad_hardware_loops import PadHardwareLoopsPass
from softex_mlir.compiler.compilation_context import CompilationContext
from softex_mlir.compiler.tile_overrides import Tiles, tiles_text
from softex_mlir.compiler.transforms.cluster.convert_transformer_to_jobs import (
    ConvertTransformerToJobsPass,
)
from softex_mlir.compiler.transforms.cluster.lower_cluster import LOWER_CLUSTER_PASSES
from softex_mlir.compiler.transforms.cluster.vectorize_packed_bf16 import VectorizePackedBf16
from softex_mlir.compiler.transforms.registers.elide_redundant_register_writes import (
    ElideRedundantRegisterWritesPass,
)
from softex_mlir.compiler.transforms.registers.hoist_register_writes import HoistRegisterWritesPass
from softex_mlir.compiler.transforms.transformer.canonicalize_transformer import (
    CanonicalizeTransformerPass,
)
from softex_mlir.compiler.transforms.transformer.chunk_keys import ChunkKeysPass
from softex_mlir.compiler.transforms.transformer.compute_on_cores import (
    ComputeOnCoresPass,
    names_text,
)
from softex_mlir.compiler.transforms.transformer.convert_transformer_to_linalg import (
    ConvertTransformerToLinalgPass,
)
from softex_mlir.compiler.transforms.transformer.drop_unread import DropUnreadPass
from softex_mlir.compiler.transforms.transformer.finalize_transformer import (
    FinalizeTransformerPass,
)
from softex_mlir.compiler.transforms.transformer.flatten_rows import FlattenRowsPass
from softex_mlir.compiler.transforms.transformer.fold_affine import FoldAffinePass
from softex_mlir.compiler.transforms.transformer.fold_scale import FoldScalePass
from softex_mlir.compiler.transforms.transformer.fuse_attention import FuseAttentionPass
from softex_mlir.compiler.transforms.transformer.fuse_cache import FuseCachePass
from softex_mlir.compiler.transforms.transformer.fuse_epilogue import FuseEpiloguePass
from softex_mlir.compiler.transforms.transformer.fuse_gelu import FuseGeluPass
from softex_mlir.compiler.transforms.transformer.fuse_generics import FuseGenericsPass
from softex_mlir.compiler.transforms.transformer.fuse_layer_norm import FuseLayerNormPass
from softex_mlir.compiler.transforms.transformer.fuse_linear import FuseLinearPass
from softex_mlir.compiler.transforms.transformer.fuse_rotary import FuseRotaryPass
from softex_mlir.compiler.transforms.transformer.lift_masks import LiftMasksPass
from softex_mlir.compiler.transforms.transformer.order_inner_dimension import (
    OrderInnerDimensionPass,
)
from softex_mlir.compiler.transforms.transformer.pad_inner import PadInnerPass
from softex_mlir.compiler.transforms.transformer.place import Placement, PlacePass, placement_report
from softex_mlir.compiler.transforms.transformer.round_weights import RoundWeightsPass
from softex_mlir.compiler.transforms.transformer.select_early import SelectEarlyPass
from softex_mlir.compiler.transforms.transformer.split_linear import SplitLinearPass
from softex_mlir.compiler.transforms.transformer.split_sums import SplitSumsPass
from softex_mlir.compiler.transforms.transformer.split_token_sums import SplitTokenSumsPass
from softex_mlir.compiler.transforms.transformer.split_values import SplitValuesPass
from softex_mlir.compiler.transforms.transformer.widen_sums import WidenSumsPass
from softex_mlir.dialects.target import machine_text

if TYPE_CHECKING:
    from xdsl.passes import PassPipelineCallbackType

    from softex_mlir.compiler.accuracy import Accuracy
    from softex_mlir.compiler.model import Model
    from softex_mlir.isa_sim.machine import Machine

FUSION: tuple[ModulePass, ...] = (
    CanonicalizeTransformerPass(),  # one spelling of constants and views
    FuseGeluPass(),
    FuseLayerNormPass(),
    FuseRotaryPass(),
    FuseAttentionPass(),  # before rows are flattened: heads are still dimensions
    LiftMasksPass(),  # masks of the scores that are left
    CanonicalizeTransformerPass(),  # the views that split and merge the heads cancel
    FuseCachePass(),
    FlattenRowsPass(),
    CanonicalizeTransformerPass(),
    FuseLinearPass(),
    FoldAffinePass(),  # what multiplies and adds rows around linear layers
    FoldScalePass(),  # after biases joined their products, before weights are rounded
    SplitLinearPass(),  # weights and biases are what they will be
    FuseEpiloguePass(),
    SelectEarlyPass(),
    CanonicalizeTransformerPass(),
    DropUnreadPass(),
    CanonicalizeTransformerPass(),  # parts of parameters
    ConvertTransformerToLinalgPass(),  # what no pattern took
    FuseGenericsPass(),
    FinalizeTransformerPass(),
)
"""Graph form to fused form, with weights in float32."""


def stages(
    machine: Machine, tiles: Tiles | None = None, accuracy: Accuracy | None = None
) -> Mapping[str, tuple[ModulePass, ...]]:
    """The passes that lead to each level, in order, for a machine and with pinned tiles.

    Without an accuracy, sums stay as they are.
    """
    target = machine_text(machine)
    return {
        "transformer": (
            *FUSION,
            *((OrderInnerDimensionPass(),) if accuracy is not None and accuracy.order else ()),
            RoundWeightsPass(),
            PadInnerPass(target),
            *arithmetic_passes(machine, accuracy),
            PlacePass(target),
        ),
        "jobs": (ConvertTransformerToJobsPass(target, tiles=tiles_text(tiles or {})),),
        "commands": (
            VectorizePackedBf16(),
            *LOWER_CLUSTER_PASSES,
            HoistRegisterWritesPass(),
            ElideRedundantRegisterWritesPass(),
        ),
        "riscv": (ConvertToRiscvPass(), AllocateRegistersPass(), PadHardwareLoopsPass()),
    }


def arithmetic_passes(machine: Machine, accuracy: Accuracy | None) -> tuple[ModulePass, ...]:
    """The passes that decide how a fused model computes what it computes."""
    target = machine_text(machine)
    if accuracy is None:
        return SplitTokenSumsPass(), ChunkKeysPass(target)
    if accuracy.cores:
        return WidenSumsPass(target), ChunkKeysPass(target)
    sums, values = (
        {layer: chunk for layer, chunk in table.items() if chunk != SUMS_IN_F32}
        for table in (accuracy.sums, accuracy.values)
    )
    return (
        SplitSumsPass(accuracy.sum_chunk, chunks_text(sums)),
        ComputeOnCoresPass(
            target,
            sums=names_text(accuracy.in_f32),
            functions=names_text(accuracy.functions_on_cores),
        ),
        SplitTokenSumsPass(),
        ChunkKeysPass(target),
        SplitValuesPass(target, chunk=accuracy.value_chunk, layers=chunks_text(values)),
    )


def compilation(
    machine: Machine, tiles: Tiles | None = None, accuracy: Accuracy | None = None
) -> tuple[ModulePass, ...]:
    """All passes of a compilation, from the graph form to instructions."""
    by_level = stages(machine, tiles, accuracy)
    return tuple(step for passes in by_level.values() for step in passes)


def fuse(
    model: Model,
    machine: Machine,
    observe: Callable[[Model], None] | None = None,
    *,
    accuracy: Accuracy | None = None,
    instrument: PassPipelineCallbackType | None = None,
) -> list[Placement]:
    """Bring a model into the fused form for a machine, in place.

    A model that is fused already (the built-in ones) keeps its form.

    Args:
        observe: sees the fused model before its weights are rounded to bf16.
        accuracy: how sums are computed; without one they stay as they are.
        instrument: is called between passes.
    """

    def between(before: ModulePass | None, module: ModuleOp, after: ModulePass | None) -> None:
        if instrument is not None:
            instrument(before, module, after)
        if observe is not None and isinstance(after, RoundWeightsPass):
            observe(model)

    context = CompilationContext(weights=model.weights, model_name=model.name)
    model.origins.clear()
    PassPipeline(stages(machine, accuracy=accuracy)["transformer"], between).apply(
        context, model.module
    )
    model.module.verify()
    return placement_report(model.module, machine)
