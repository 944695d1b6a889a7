"""Elementwise functions of two tensors, one record each; see `unary`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.dialects import math
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.numerics import rowwise

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class BinaryKernel:
    """A kernel that `emit_binary` writes: one bf16 instruction an element, or a pair of them.

    Attributes:
        exact: bit for bit what it computes, on rows [M, K] of bf16.
        cycles: a core needs for an element, measured on rows of 768.
    """

    exact: Callable[[Array, Array], Array]
    cycles: float


@dataclass(frozen=True)
class BinaryOperation:
    """An elementwise function of two tensors; the fields are those of `UnaryOperation`."""

    op: type[t.BinaryOp]
    real: Callable[[Array, Array], Array]
    body: Callable[[F32, SSAValue, SSAValue], SSAValue]
    onnx: str
    kernel: BinaryKernel | None = None

    @property
    def name(self) -> str:
        """Of the function."""
        return self.op.name.removeprefix("transformer.")


BINARY: dict[str, BinaryOperation] = {
    record.name: record
    for record in (
        BinaryOperation(
            t.AddOp,
            np.add,
            lambda e, x, y: e.add(x, y),
            "Add",
            BinaryKernel(rowwise.add, 2.2),
        ),
        BinaryOperation(
            t.SubOp,
            np.subtract,
            lambda e, x, y: e.sub(x, y),
            "Sub",
            BinaryKernel(rowwise.sub, 2.2),
        ),
        BinaryOperation(
            t.MulOp,
            np.multiply,
            lambda e, x, y: e.mul(x, y),
            "Mul",
            BinaryKernel(rowwise.mul, 2.2),
        ),
        BinaryOperation(t.DivOp, np.divide, lambda e, x, y: e.div(x, y), "Div"),
        BinaryOperation(t.PowOp, np.power, lambda e, x, y: e.insert(math.PowFOp(x, y)), "Pow"),
    )
}
"""By name."""
