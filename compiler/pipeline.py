"""The whole compilation as lists of named passes; `softex-opt -p` runs any of them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from softex_mlir.compiler.model import Model
    from softex_mlir.isa_sim.machine import Machine

COMMAND_PASSES: tuple[str, ...] = ("vectorize-packed-bf16", "lower-cluster")
"""Jobs to commands: L2 to L3."""

RISCV_PASSES: tuple[str, ...] = ("convert-to-riscv", "allocate-registers", "pad-hardware-loops")
"""Commands to instructions: L3 to L4."""


def fuse(model: Model, machine: Machine) -> None:
    """Bring an imported model into the fused form and place its operations, in place."""
