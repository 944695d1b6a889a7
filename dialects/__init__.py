"""The dialects of softex-mlir, and the ones of xDSL they are used with.

Everything is imported when first needed: a command line that prints its help loads no dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdsl.context import Context
    from xdsl.ir import Dialect

OWN_DIALECTS: dict[str, tuple[str, str]] = {
    "cluster": ("softex_mlir.dialects.cluster", "Cluster"),
    "hwpe": ("softex_mlir.dialects.hwpe", "Hwpe"),
    "redmule": ("softex_mlir.dialects.redmule", "RedMulE"),
    "softex": ("softex_mlir.dialects.softex", "SoftEx"),
    "transformer": ("softex_mlir.dialects.transformer", "Transformer"),
    "xpulp": ("softex_mlir.dialects.xpulp", "XPulp"),
}
"""Our dialects: name to module and object."""

UPSTREAM_DIALECTS: dict[str, tuple[str, str]] = {
    "builtin": ("xdsl.dialects.builtin", "Builtin"),
    "affine": ("xdsl.dialects.affine", "Affine"),
    "arith": ("xdsl.dialects.arith", "Arith"),
    "func": ("xdsl.dialects.func", "Func"),
    "linalg": ("xdsl.dialects.linalg", "Linalg"),
    "math": ("xdsl.dialects.math", "Math"),
    "memref": ("xdsl.dialects.memref", "MemRef"),
    "riscv": ("xdsl.dialects.riscv", "RISCV"),
    "riscv_cf": ("xdsl.dialects.riscv_cf", "RISCV_Cf"),
    "riscv_func": ("xdsl.dialects.riscv_func", "RISCV_Func"),
    "riscv_scf": ("xdsl.dialects.riscv_scf", "RISCV_Scf"),
    "rv32": ("xdsl.dialects.rv32", "RV32"),
    "scf": ("xdsl.dialects.scf", "Scf"),
    "tensor": ("xdsl.dialects.tensor", "Tensor"),
    "test": ("xdsl.dialects.test", "Test"),
    "vector": ("xdsl.dialects.vector", "Vector"),
}
"""xDSL's dialects that our levels build on."""


def get_all_dialects() -> dict[str, Callable[[], Dialect]]:
    """All dialects by name, each imported when its factory is called."""

    def factory(module: str, name: str) -> Callable[[], Dialect]:
        return lambda: getattr(import_module(module), name)

    dialects = UPSTREAM_DIALECTS | OWN_DIALECTS
    return {name: factory(*place) for name, place in dialects.items()}


def register_all_dialects(context: Context) -> None:
    """Make all dialects known to a context."""
    for name, factory in get_all_dialects().items():
        context.register_dialect(name, factory)
