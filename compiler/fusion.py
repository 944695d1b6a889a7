"""From the graph form an importer writes to the fused form the scheduler reads."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.passes import ModulePass

from softex_mlir.compiler.model import Model
from softex_mlir.compiler.transforms.canonicalize_transformer import CanonicalizeTransformerPass
from softex_mlir.compiler.transforms.finalize_transformer import FinalizeTransformerPass
from softex_mlir.compiler.transforms.flatten_rows import FlattenRowsPass
from softex_mlir.compiler.transforms.fold_scale import FoldScalePass
from softex_mlir.compiler.transforms.fuse_attention import FuseAttentionPass
from softex_mlir.compiler.transforms.fuse_epilogue import FuseEpiloguePass
from softex_mlir.compiler.transforms.fuse_gelu import FuseGeluPass
from softex_mlir.compiler.transforms.fuse_layer_norm import FuseLayerNormPass
from softex_mlir.compiler.transforms.fuse_linear import FuseLinearPass
from softex_mlir.compiler.transforms.l1_values import attach_weights
from softex_mlir.compiler.transforms.place import Placement, place
from softex_mlir.isa_sim.machine import Machine

TRANSFORMER_PASSES: tuple[ModulePass, ...] = (
    CanonicalizeTransformerPass(),  # one spelling of constants and views
    FuseGeluPass(),
    FuseLayerNormPass(),
    FuseAttentionPass(),  # before rows are flattened: heads are still dimensions
    CanonicalizeTransformerPass(),  # the views that merged and split the heads cancel
    FlattenRowsPass(),
    CanonicalizeTransformerPass(),
    FuseLinearPass(),
    FoldScalePass(),  # after biases joined their products, before weights are rounded
    FuseEpiloguePass(),
    CanonicalizeTransformerPass(),
    FinalizeTransformerPass(),
)
"""Level L1, in order."""


def fuse(model: Model, machine: Machine) -> list[Placement]:
    """Bring a model into the fused form, in place; round its weights; place its operations.

    A model that is already fused (the built-in ones) only gets placed.
    """
    attach_weights(model.module, model.weights)
    context = Context()
    for step in TRANSFORMER_PASSES:
        step.apply(context, model.module)
    model.module.verify()
    return place(model.module, machine)
