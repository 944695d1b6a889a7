"""
From functions of loops and register-level commands to an executable.

`convert-to-riscv` selects instructions, `allocate-registers` chooses registers,
`pad-hardware-loops` meets the loops' minimum length; `assembly` prints, `assemble` encodes,
`link` lays out memory and writes the ELF file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from softex_mlir.compiler.artifacts import CompiledModule


def to_riscv(module: ModuleOp, *, allocate: bool = True) -> None:
    """Lower the module's functions to riscv in place; with registers unless `allocate` is False."""
    from xdsl.context import Context

    from softex_mlir.compiler.backend.allocate_registers import AllocateRegistersPass
    from softex_mlir.compiler.backend.convert_to_riscv import ConvertToRiscvPass
    from softex_mlir.compiler.backend.pad_hardware_loops import PadHardwareLoopsPass

    context = Context()
    ConvertToRiscvPass().apply(context, module)
    if allocate:
        AllocateRegistersPass().apply(context, module)
        PadHardwareLoopsPass().apply(context, module)


def to_assembly(module: ModuleOp) -> str:
    """Assembly text of a module whose functions are on riscv with registers."""
    from softex_mlir.compiler.backend.print_assembly import assembly

    return assembly(module)


def emit_program(compiled: CompiledModule, weights: Mapping[str, Any]) -> bytes:
    """
    The executable of a program whose kernels are functions on loops and commands, or riscv already.

    `weights` maps the names of weights to arrays. Changes `compiled.module`.
    """
    from softex_mlir.compiler.backend.link import link

    to_riscv(compiled.module)
    return link(compiled, to_assembly(compiled.module), weights)
