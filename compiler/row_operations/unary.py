"""Elementwise functions of one tensor, one record each.

A function needs its operation, its meaning in real numbers and a scalar body; loop nests run it on
the cores then. A hand-written kernel, whose bits a function of :mod:`isa_sim.numerics` defines, and
SoftEx make it faster, and let linear layers apply it to their result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.dialects import arith, math
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.bodies.elementwise import (
    EXP,
    GELU,
    GELU_TANH,
    RELU,
    SIGMOID,
    SILU,
    TANH,
    CoreFunction,
)
from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.bodies.tables import CoreTable
from softex_mlir.compiler.row_operations.real import erf, gelu_tanh
from softex_mlir.dialects import transformer as t
from softex_mlir.dialects.transformer_graph import SoftplusOp
from softex_mlir.isa_sim.machine import Machine, SoftExDescription
from softex_mlir.isa_sim.numerics import rowwise
from softex_mlir.isa_sim.numerics.gelu import gelu

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class UnaryKernel:
    """A hand-written kernel of a function.

    Attributes:
        function: the cores' code.
        exact: bit for bit what it computes, bf16 to bf16.
        cycles: a core needs for an element, measured on rows of 768.
        error: largest difference to the real value, relative to it where that is above `floor`,
            which is allowed beside it; rounding to bf16 alone is 2^-8.
    """

    function: CoreFunction
    exact: Callable[[Array], Array]
    cycles: float
    error: float = 0.0
    floor: float = 0.0


@dataclass(frozen=True)
class OnSoftex:
    """A function as a sum of exponentials on SoftEx, and the cores' steps around it."""

    exact: Callable[[Array, SoftExDescription], Array]
    cycles: float
    """A core needs for an element."""


@dataclass(frozen=True)
class UnaryOperation:
    """An elementwise function.

    Attributes:
        op: the operation of the `transformer` dialect, whose name is the function's.
        real: its meaning, on floating-point arrays.
        body: the same in `arith` and `math`, of one float32: what loop nests execute.
        onnx: ONNX's operator, if one is all it takes.
    """

    op: type[t.UnaryOp]
    real: Callable[[Array], Array]
    body: Callable[[F32, SSAValue], SSAValue]
    onnx: str | None = None
    kernel: UnaryKernel | None = None
    softex: OnSoftex | None = None

    @property
    def name(self) -> str:
        """Of the function, as activations of linear layers have it."""
        return self.op.name.removeprefix("transformer.")

    @property
    def note(self) -> str:
        """How it is computed, and how accurately, for the table of operators."""
        if self.kernel is None:
            return "on the cores, in float32 inside"
        if not self.kernel.error:
            return "on the cores, exact"
        return f"on the cores, relative error at most {self.kernel.error:g}"

    def on_softex(self, machine: Machine) -> bool:
        """Whether SoftEx does part of it on a machine."""
        return self.softex is not None and machine.softex is not None

    def core_cycles(self, machine: Machine) -> float:
        """Cycles a core needs for an element, by kernels."""
        if self.softex is not None and machine.softex is not None:
            return self.softex.cycles
        assert self.kernel is not None, f"{self.name} has no kernel"
        return self.kernel.cycles

    def exact(self, x: Array, machine: Machine) -> Array:
        """Bit for bit what kernels make of rows [M, K] of bf16 on a machine.

        Raises:
            ValueError: there is no kernel; as a loop nest it has exact bits.
        """
        if self.softex is not None and machine.softex is not None:
            return self.softex.exact(x, machine.softex)
        if self.kernel is None:
            raise ValueError(f"{self.name} has no bit-exact definition; fusion should remove it")
        return self.kernel.exact(x)


def _library(op: Callable[[SSAValue], Operation]) -> Callable[[F32, SSAValue], SSAValue]:
    return lambda e, x: e.insert(op(x))


def _sigmoid(e: F32, x: SSAValue) -> SSAValue:
    return e.div(e.number(1.0), e.plus(e.insert(math.ExpOp(e.neg(x))), 1.0))


def _gelu(e: F32, x: SSAValue) -> SSAValue:
    phi = e.plus(e.insert(math.ErfOp(e.times(x, 0.5**0.5))), 1.0)
    return e.mul(e.times(x, 0.5), phi)


def _gelu_tanh(e: F32, x: SSAValue) -> SSAValue:
    cubic = e.add(x, e.times(e.mul(e.mul(x, x), x), 0.044715))
    tanh = e.insert(math.TanhOp(e.times(cubic, float(np.sqrt(2 / np.pi)))))
    return e.mul(e.times(x, 0.5), e.plus(tanh, 1.0))


def _relu(e: F32, x: SSAValue) -> SSAValue:
    return e.insert(arith.MaximumfOp(x, e.number(0.0)))


def softplus(e: F32, x: SSAValue) -> SSAValue:
    """ln(1 + e^x) without overflow."""
    tail = e.insert(math.ExpOp(e.neg(e.magnitude(x))))
    return e.add(_relu(e, x), e.insert(math.Log1pOp(tail)))


def _without_nan(e: F32, x: SSAValue) -> SSAValue:
    return e.select(e.compare("uno", x, x), e.number(0.0), x)


def _gelu_on_softex(x: Array, softex: SoftExDescription) -> Array:
    return gelu(
        x,
        softex.slopes,
        softex.weights,
        accumulator_bits=softex.accumulator_bits,
        rounding_carry=softex.soe_rounding_carry,
        constants=softex.expp,
    )


_GELU_ON_SOFTEX = OnSoftex(_gelu_on_softex, 5.3)

UNARY: dict[str, UnaryOperation] = {
    record.name: record
    for record in (
        UnaryOperation(
            t.GeluOp,
            real=lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2.0))),
            body=_gelu,
            kernel=UnaryKernel(GELU, rowwise.gelu_software, 12.4, error=2.0**-8, floor=1.1e-3),
            softex=_GELU_ON_SOFTEX,
        ),
        UnaryOperation(
            t.GeluTanhOp,
            real=gelu_tanh,
            body=_gelu_tanh,
            kernel=UnaryKernel(
                GELU_TANH, rowwise.gelu_tanh_software, 12.4, error=2.0**-8, floor=1.1e-3
            ),
            softex=_GELU_ON_SOFTEX,
        ),
        UnaryOperation(
            t.ReluOp,
            real=lambda x: np.maximum(x, 0),
            body=_relu,
            onnx="Relu",
            kernel=UnaryKernel(RELU, rowwise.relu, 2.8),
        ),
        UnaryOperation(
            t.TanhOp,
            real=np.tanh,
            body=_library(math.TanhOp),
            onnx="Tanh",
            kernel=UnaryKernel(TANH, rowwise.tanh, 28.7, error=4e-3),
        ),
        UnaryOperation(
            t.SiluOp,
            real=lambda x: x / (1 + np.exp(-x)),
            body=lambda e, x: e.mul(x, _sigmoid(e, x)),
            kernel=UnaryKernel(SILU, rowwise.silu, 12.3, error=5e-3, floor=1e-9),
        ),
        UnaryOperation(
            t.SigmoidOp,
            real=lambda x: 1 / (1 + np.exp(-x)),
            body=_sigmoid,
            onnx="Sigmoid",
            kernel=UnaryKernel(SIGMOID, rowwise.sigmoid, 23.5, error=6e-3),
        ),
        UnaryOperation(
            t.ExpOp,
            real=np.exp,
            body=_library(math.ExpOp),
            onnx="Exp",
            kernel=UnaryKernel(EXP, rowwise.exp, 15.5, error=5.7e-3),
        ),
        UnaryOperation(t.SqrtOp, real=np.sqrt, body=lambda e, x: e.sqrt(x), onnx="Sqrt"),
        UnaryOperation(t.ErfOp, real=erf, body=_library(math.ErfOp), onnx="Erf"),
        UnaryOperation(
            SoftplusOp, real=lambda x: np.logaddexp(0, x), body=softplus, onnx="Softplus"
        ),
        UnaryOperation(
            t.NanToZeroOp, real=lambda x: np.where(np.isnan(x), 0, x), body=_without_nan
        ),
    )
}
"""By name."""


def table_of(function: str) -> CoreTable | None:
    """What the cores' code of a function, which may be `none` or have no code, looks things up in,
    with SoftEx or without."""
    kernel = UNARY[function].kernel if function in UNARY else None
    return None if kernel is None else kernel.function.table


def sums_on_softex(activation: str, machine: Machine) -> bool:
    """Whether SoftEx does part of a linear layer's activation, which may be `none`."""
    return activation != "none" and UNARY[activation].on_softex(machine)
