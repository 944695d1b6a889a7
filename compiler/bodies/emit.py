"""Building blocks of the kernels: references to rows, and short names for the ops they emit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.builder import Builder
from xdsl.dialects import arith, math, memref, scf, vector
from xdsl.dialects.builtin import (
    AnyFloat,
    FloatAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    VectorType,
    bf16,
    f32,
    i32,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from softex_mlir.compiler.bodies.tables import CoreTable
from softex_mlir.dialects.cluster import GetGlobalOp
from softex_mlir.dialects.shared_attributes import index_attribute
from softex_mlir.dialects.xpulp_vector import PAIR, DotOp

Value = SSAValue
Indices = tuple[SSAValue, ...]


@dataclass(frozen=True)
class RowRef:
    """A row of a memref: the last dimension runs along the row."""

    memref: SSAValue
    """The memory."""

    indices: Indices = ()
    """Indices of all dimensions but the last."""

    column: SSAValue | None = None
    """Where the row starts in the last dimension (elements); none: at 0. Must be even at run time
    for rows of BF16 that are to be processed two elements at a time."""


@dataclass(frozen=True)
class TileRef:
    """A matrix in a memref: the last two dimensions are its rows and columns."""

    memref: SSAValue
    """The memory."""

    indices: Indices = ()
    """Indices of all dimensions but the last two."""

    def row(self, row: SSAValue) -> RowRef:
        """One row of the matrix."""
        return RowRef(self.memref, (*self.indices, row))


class Emitter:
    """Emits ops at a builder's insertion point, each as a call that returns its result."""

    def __init__(self, builder: Builder):
        self.builder = builder

    def insert(self, op: Operation) -> SSAValue:
        """Insert an op that has one result."""
        self.builder.insert(op)
        return op.results[0]

    # constants ----------------------------------------------------------------------------------

    def index(self, value: int) -> SSAValue:
        """A constant of type index."""
        return self.insert(arith.ConstantOp(index_attribute(value)))

    def integer(self, value: int) -> SSAValue:
        """A constant i32, given by its bits or its value."""
        signed = value - (1 << 32) if value >= 1 << 31 else value
        return self.insert(arith.ConstantOp(IntegerAttr(signed, i32)))

    def number(self, value: float, type_: AnyFloat = f32) -> SSAValue:
        """A floating point constant."""
        return self.insert(arith.ConstantOp(FloatAttr(value, type_)))

    def pair_constant(self, value: float) -> SSAValue:
        """A BF16 constant in both halves."""
        return self.broadcast(self.number(value, bf16))

    # memory -------------------------------------------------------------------------------------

    def table(self, table: CoreTable) -> SSAValue:
        """The memory of a table."""
        return self.insert(GetGlobalOp(table.symbol, table.type))

    def add_index(self, a: SSAValue, b: SSAValue | int) -> SSAValue:
        """a + b of type index."""
        if isinstance(b, int):
            if b == 0:
                return a
            b = self.index(b)
        return self.insert(arith.AddiOp(a, b))

    def remainder(self, a: SSAValue, b: int) -> SSAValue:
        """a modulo b of type index, not negative."""
        return self.insert(arith.RemUIOp(a, self.index(b)))

    def address(self, row: RowRef, j: SSAValue, offset: int = 0) -> Indices:
        """Indices of element ``j + offset`` of a row."""
        column = j if row.column is None else self.add_index(row.column, j)
        return (*row.indices, self.add_index(column, offset))

    def load(self, row: RowRef, j: SSAValue, offset: int = 0) -> SSAValue:
        """Element ``j + offset`` of a row."""
        return self.insert(memref.LoadOp.get(row.memref, self.address(row, j, offset)))

    def store(self, value: SSAValue, row: RowRef, j: SSAValue, offset: int = 0) -> None:
        """Element ``j + offset`` of a row := value."""
        self.builder.insert(memref.StoreOp.get(value, row.memref, self.address(row, j, offset)))

    def load_pair(self, row: RowRef, j: SSAValue, offset: int = 0) -> SSAValue:
        """Elements ``j + offset`` and the next one of a row; the first has an even index."""
        return self.insert(vector.LoadOp(row.memref, self.address(row, j, offset), PAIR))

    def store_pair(self, value: SSAValue, row: RowRef, j: SSAValue, offset: int = 0) -> None:
        """Elements ``j + offset`` and the next one of a row := value."""
        self.builder.insert(vector.StoreOp(value, row.memref, self.address(row, j, offset)))

    # arithmetic on scalars and pairs ------------------------------------------------------------

    def add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """a + b."""
        return self.insert(arith.AddfOp(a, b))

    def sub(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """a - b."""
        return self.insert(arith.SubfOp(a, b))

    def mul(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """a * b."""
        return self.insert(arith.MulfOp(a, b))

    def div(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """a / b."""
        return self.insert(arith.DivfOp(a, b))

    def neg(self, a: SSAValue) -> SSAValue:
        """-a."""
        return self.insert(arith.NegfOp(a))

    def maximum(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """RISC-V fmax."""
        return self.insert(arith.MaxnumfOp(a, b))

    def minimum(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """RISC-V fmin."""
        return self.insert(arith.MinnumfOp(a, b))

    def fma(self, a: SSAValue, b: SSAValue, addend: SSAValue) -> SSAValue:
        """a * b + addend, rounded once."""
        if isinstance(a.type, VectorType):
            return self.insert(vector.FMAOp(a, b, addend))
        return self.insert(math.FmaOp(a, b, addend))

    def dot(self, x: SSAValue, y: SSAValue, addend: SSAValue) -> SSAValue:
        """x[1] * y[1] + (x[0] * y[0] + addend) of two pairs in f32, each sum rounded."""
        return self.insert(DotOp(x, y, addend))

    def sqrt(self, a: SSAValue) -> SSAValue:
        """The square root."""
        return self.insert(math.SqrtOp(a))

    def magnitude(self, a: SSAValue) -> SSAValue:
        """|a|."""
        return self.insert(math.AbsFOp(a))

    def copysign(self, a: SSAValue, sign: SSAValue) -> SSAValue:
        """|a| with the sign of the second operand."""
        return self.insert(math.CopySignOp(a, sign))

    def widen(self, a: SSAValue) -> SSAValue:
        """BF16 to f32, exactly."""
        return self.insert(arith.ExtFOp(a, f32))

    def narrow(self, a: SSAValue) -> SSAValue:
        """f32 to BF16, RNE."""
        return self.insert(arith.TruncFOp(a, bf16))

    def bits(self, a: SSAValue) -> SSAValue:
        """The bits of an f32 as i32."""
        return self.insert(arith.BitcastOp(a, i32))

    def from_bits(self, a: SSAValue) -> SSAValue:
        """The f32 with the given bits."""
        return self.insert(arith.BitcastOp(a, f32))

    def broadcast(self, a: SSAValue) -> SSAValue:
        """A BF16 value in both halves of a pair."""
        return self.insert(vector.BroadcastOp(a, PAIR))

    def lane(self, pair: SSAValue, lane: int) -> SSAValue:
        """One half of a pair."""
        return self.insert(vector.ExtractOp(pair, (lane,), bf16))

    def pack(self, low: SSAValue, high: SSAValue) -> SSAValue:
        """Two BF16 values as a pair. When both come from f32 values, it is one instruction
        together with the roundings."""
        return self.insert(vector.InsertOp(high, self.broadcast(low), (1,)))

    # control flow -------------------------------------------------------------------------------

    def loop(
        self,
        lower: int,
        upper: int,
        step: int,
        body: Callable[[Emitter, SSAValue, tuple[SSAValue, ...]], Sequence[SSAValue] | None],
        initial: Sequence[SSAValue] = (),
    ) -> tuple[SSAValue, ...]:
        """``scf.for`` with static bounds; nothing at all when it would not run."""
        if lower >= upper:
            return tuple(initial)
        block = Block(arg_types=(IndexType(), *(v.type for v in initial)))
        inner = Emitter(Builder(InsertPoint.at_end(block)))
        results = body(inner, block.args[0], tuple(block.args[1:])) or ()
        inner.builder.insert(scf.YieldOp(*results))
        bounds = (self.index(lower), self.index(upper), self.index(step))
        op = scf.ForOp(*bounds, initial, Region(block))
        self.builder.insert(op)
        return tuple(op.results)

    def if_else(
        self,
        condition: SSAValue,
        then: Callable[[Emitter], None],
        otherwise: Callable[[Emitter], None] | None = None,
    ) -> None:
        """``scf.if`` without results."""

        def region(body: Callable[[Emitter], None] | None) -> Region:
            block = Block()
            inner = Emitter(Builder(InsertPoint.at_end(block)))
            if body is not None:
                body(inner)
            inner.builder.insert(scf.YieldOp())
            return Region(block)

        branches = region(then), region(otherwise) if otherwise is not None else None
        self.builder.insert(scf.IfOp(condition, (), *branches))

    def less(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """a < b of floats; false for NaN."""
        return self.insert(arith.CmpfOp(a, b, "olt"))

    def index_less(self, a: SSAValue, b: int) -> SSAValue:
        """a < b of type index (not negative)."""
        return self.insert(arith.CmpiOp(a, self.index(b), "slt"))


def element_type(row: RowRef | TileRef) -> Attribute:
    """The element type of the memory a row or tile lies in."""
    return cast("MemRefType[Attribute]", row.memref.type).element_type
