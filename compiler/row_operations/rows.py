"""What the kernel of rows executes: an operation with its parameters, one class a kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from xdsl.builder import Builder
from xdsl.ir import Operation

from softex_mlir.compiler import bodies
from softex_mlir.compiler.bodies import RowRef
from softex_mlir.compiler.row_operations.binary import BINARY
from softex_mlir.compiler.row_operations.unary import UNARY
from softex_mlir.dialects import transformer as t
from softex_mlir.isa_sim.machine import Machine


@dataclass(frozen=True)
class RowOperation(ABC):
    """An operation on rows, equal to another with the same parameters."""

    whole_rows: ClassVar[bool] = False
    """Whether the result depends on all of a row."""

    kind: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """In kernels' titles and reports."""
        return self.kind

    @abstractmethod
    def emit(self, builder: Builder, rows: Sequence[RowRef], out: RowRef, columns: int) -> None:
        """One row of `columns` results on one core, from a row of each operand."""

    @abstractmethod
    def core_cycles(self, machine: Machine) -> float:
        """Cycles a core needs for an element, measured on rows of 768 (softmax: 208)."""

    def sums_on_softex(self, machine: Machine) -> bool:
        """Whether SoftEx computes sums of exponentials for it (GELU)."""
        return False

    def softmax_on_softex(self, machine: Machine) -> bool:
        """Whether it is a softmax that SoftEx computes."""
        return False


@dataclass(frozen=True)
class Unary(RowOperation):
    """An elementwise function that has a kernel."""

    function: str

    @property
    def name(self) -> str:
        return self.function

    def emit(self, builder: Builder, rows: Sequence[RowRef], out: RowRef, columns: int) -> None:
        kernel = UNARY[self.function].kernel
        assert kernel is not None
        bodies.emit_unary(builder, kernel.function, rows[0], out, columns)

    def core_cycles(self, machine: Machine) -> float:
        return UNARY[self.function].core_cycles(machine)

    def sums_on_softex(self, machine: Machine) -> bool:
        return UNARY[self.function].on_softex(machine)


@dataclass(frozen=True)
class Binary(RowOperation):
    """An elementwise function of two operands that has a kernel."""

    function: str

    @property
    def name(self) -> str:
        return self.function

    def emit(self, builder: Builder, rows: Sequence[RowRef], out: RowRef, columns: int) -> None:
        bodies.emit_binary(builder, self.function, rows[0], rows[1], out, columns)

    def core_cycles(self, machine: Machine) -> float:
        kernel = BINARY[self.function].kernel
        assert kernel is not None
        return kernel.cycles


@dataclass(frozen=True)
class MulAdd(RowOperation):
    """A product with a vector and the addition of another, in one pass."""

    kind: ClassVar[str] = "mul_add"

    def emit(self, builder: Builder, rows: Sequence[RowRef], out: RowRef, columns: int) -> None:
        x, factor, addend = rows
        bodies.emit_mul_add(builder, x, factor, addend, out, columns)

    def core_cycles(self, machine: Machine) -> float:
        return 3.3


@dataclass(frozen=True)
class LayerNorm(RowOperation):
    """Layer norm: operands x, gamma, beta; `wide`: in f32, with one rounding."""

    epsilon: float
    wide: bool = False
    kind: ClassVar[str] = "layer_norm"
    whole_rows: ClassVar[bool] = True

    def emit(self, builder: Builder, rows: Sequence[RowRef], out: RowRef, columns: int) -> None:
        x, gamma, beta = rows
        bodies.emit_layer_norm(builder, x, gamma, beta, out, columns, self.epsilon, wide=self.wide)

    def core_cycles(self, machine: Machine) -> float:
        return 11.0 if self.wide else 5.9


@dataclass(frozen=True)
class RMSNorm(RowOperation):
    """Root-mean-square norm: operands x, gamma; `wide`: in f32, with one rounding."""

    epsilon: float
    wide: bool = False
    kind: ClassVar[str] = "rms_norm"
    whole_rows: ClassVar[bool] = True

    def emit(self, builder: Builder, rows: Sequence[RowRef], out: RowRef, columns: int) -> None:
        x, gamma = rows
        bodies.emit_rms_norm(builder, x, gamma, out, columns, self.epsilon, wide=self.wide)

    def core_cycles(self, machine: Machine) -> float:
        return 8.4 if self.wide else 4.4


@dataclass(frozen=True)
class Rotary(RowOperation):
    """Rotary positions of heads of `size` columns: operands x, table."""

    size: int
    kind: ClassVar[str] = "rotary"
    whole_rows: ClassVar[bool] = True

    def emit(self, builder: Builder, rows: Sequence[RowRef], out: RowRef, columns: int) -> None:
        x, table = rows
        bodies.emit_rotary(builder, x, table, out, self.size, columns)

    def core_cycles(self, machine: Machine) -> float:
        return 3.7


@dataclass(frozen=True)
class Softmax(RowOperation):
    """Softmax of rows; this code is that of a machine without SoftEx."""

    ON_CORES: ClassVar[float] = 18.8
    kind: ClassVar[str] = "softmax"
    whole_rows: ClassVar[bool] = True

    def emit(self, builder: Builder, rows: Sequence[RowRef], out: RowRef, columns: int) -> None:
        bodies.emit_softmax(builder, rows[0], out, columns)

    def core_cycles(self, machine: Machine) -> float:
        return self.ON_CORES

    def softmax_on_softex(self, machine: Machine) -> bool:
        return machine.softex is not None


@dataclass(frozen=True)
class MaskToBias(RowOperation):
    """An attention mask of `keys` columns to its bias; operands: the base if there is one, mask."""

    keys: int
    inverted: bool
    kind: ClassVar[str] = "mask_to_bias"
    whole_rows: ClassVar[bool] = True

    def emit(self, builder: Builder, rows: Sequence[RowRef], out: RowRef, columns: int) -> None:
        *base, mask = rows
        bodies.emit_mask_to_bias(
            builder,
            mask,
            out,
            self.keys,
            columns,
            base=base[0] if base else None,
            inverted=self.inverted,
        )

    def core_cycles(self, machine: Machine) -> float:
        return 15.4  # with a base; 10.0 without


@dataclass(frozen=True)
class PositionIds(RowOperation):
    """Token ids to positions counted over what is no padding."""

    padding: int
    offset: int
    fill: int
    kind: ClassVar[str] = "position_ids"
    whole_rows: ClassVar[bool] = True

    def emit(self, builder: Builder, rows: Sequence[RowRef], out: RowRef, columns: int) -> None:
        bodies.emit_position_ids(
            builder, rows[0], out, columns, self.padding, self.offset, self.fill
        )

    def core_cycles(self, machine: Machine) -> float:
        return 13.0


def row_operation(op: Operation) -> RowOperation:
    """What the kernel of rows executes for an operation of the fused form."""
    match op:
        case t.LayerNormOp():
            return LayerNorm(op.eps.value.data, op.wide is not None)
        case t.RMSNormOp():
            return RMSNorm(op.eps.value.data, op.wide is not None)
        case t.RotaryOp():
            return Rotary(op.head_size)
        case t.SoftmaxOp():
            return Softmax()
        case t.UnaryOp():
            return Unary(op.name.removeprefix("transformer."))
        case t.BinaryOp():
            return Binary(op.name.removeprefix("transformer."))
        case t.PositionIdsOp():
            return PositionIds(op.padding.value.data, op.offset.value.data, op.fill.value.data)
        case t.MaskToBiasOp():
            return MaskToBias(t.shape_of(op.mask)[-1], op.inverted is not None)
        case _:
            raise ValueError(f"{op.name} is no operation on rows")
