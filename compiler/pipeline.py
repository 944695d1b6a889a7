"""The whole compilation as lists of named passes; `softex-opt -p` runs any of them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from softex_mlir.compiler.accuracy import Accuracy
    from softex_mlir.compiler.model import Model
    from softex_mlir.compiler.transforms.transformer.place import Placement
    from softex_mlir.isa_sim.machine import Machine

ROUNDING = "round-weights"

TRANSFORMER_PASSES: tuple[str, ...] = (
    "canonicalize-transformer",  # one spelling of constants and views
    "fuse-gelu",
    "fuse-layer-norm",
    "fuse-attention",  # before rows are flattened: heads are still dimensions
    "canonicalize-transformer",  # the views that split and merge the heads cancel
    "flatten-rows",
    "canonicalize-transformer",
    "fuse-linear",
    "fold-affine",  # what multiplies and adds rows around linear layers
    "fold-scale",  # after biases joined their products, before weights are rounded
    "fuse-epilogue",
    "canonicalize-transformer",
    "convert-transformer-to-linalg",  # what no pattern took
    "finalize-transformer",
    ROUNDING,  # so far they were float32
)
"""Graph form to fused form: L1."""

COMMAND_PASSES: tuple[str, ...] = (
    "vectorize-packed-bf16",
    "lower-cluster",
    "hoist-register-writes",
    "elide-redundant-register-writes",
)
"""Jobs to commands: L2 to L3."""

RISCV_PASSES: tuple[str, ...] = ("convert-to-riscv", "allocate-registers", "pad-hardware-loops")
"""Commands to instructions: L3 to L4."""


def fuse(
    model: Model,
    machine: Machine,
    observe: Callable[[Model], None] | None = None,
    *,
    accuracy: Accuracy | None = None,
) -> list[Placement]:
    """Bring a model into the fused form, split sums, chunk keys and place operations, in place.

    Rounds the weights to bf16; `observe` sees the fused model before that. A model that is fused
    already (the built-in ones) is only placed. Without an accuracy, sums stay as they are.
    """
    from xdsl.context import Context

    from softex_mlir.compiler.transforms import get_all_passes
    from softex_mlir.compiler.transforms.transformer.chunk_keys import chunk_keys
    from softex_mlir.compiler.transforms.transformer.l1_values import attach_weights
    from softex_mlir.compiler.transforms.transformer.place import place
    from softex_mlir.compiler.transforms.transformer.split_sums import split_sums

    attach_weights(model.module, model.weights)
    model.origins.clear()
    context, passes = Context(), get_all_passes()
    for name in TRANSFORMER_PASSES:
        if name == ROUNDING and observe is not None:
            observe(model)
        passes[name]()().apply(context, model.module)
    model.module.verify()
    if accuracy is not None:
        split_sums(model.module, accuracy.sum_chunk)
    chunk_keys(model.module, machine)
    return place(model.module, machine)
