"""Writing the body of a kernel: constants, index arithmetic, loops, waits, transfers.

Index expressions are either Python integers, folded here, or SSA values.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from xdsl.builder import Builder
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import (
    IndexType,
    MemRefType,
    NoneAttr,
    StridedLayoutAttr,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from softex_mlir.dialects.cluster import (
    AdvanceOp,
    AwaitOp,
    BarrierOp,
    DmaStartOp,
    LeaderOp,
    ParallelOp,
    StreamKind,
    StreamOp,
    WaitForOp,
)
from softex_mlir.dialects.memory import AnyMemRef, L2Space, TcdmSpace
from softex_mlir.dialects.shared_attributes import index_attribute
from softex_mlir.dialects.softex import DrainOp, SumOfExponentialsOp

INDEX = IndexType()
Index: TypeAlias = int | SSAValue
"""A number known at compile time, or computed by the stream."""

IN = StreamKind.DMA_IN
OUT = StreamKind.DMA_OUT
GEMM = StreamKind.REDMULE
COMPUTE = StreamKind.COMPUTE

PIECE_BYTES = 4096
"""Most bytes of a transfer that others queue behind: about a thousand cycles."""
PIECES_IN_A_ROW = 24
"""More pieces are a loop: written out they take registers for every piece's address. Fewer are not:
a loop's instructions cost short models a tenth of a percent."""


def dense_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides in elements."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def memref_type(
    shape: Sequence[int],
    element: Attribute,
    space: L2Space | TcdmSpace,
    strides: Sequence[int] | None = None,
) -> AnyMemRef:
    """A memref type; the layout is left out where it is dense."""
    layout: Attribute = NoneAttr()
    if strides is not None and tuple(strides) != dense_strides(shape):
        layout = StridedLayoutAttr(list(strides), NoneAttr())
    return MemRefType(element, shape, layout, space)


@dataclass
class StreamEmitter:
    """Emits operations of one stream."""

    kind: StreamKind
    builder: Builder
    constants: dict[int, SSAValue]
    top: Block
    bases: tuple[SSAValue, ...]
    computed: dict[str, Index] = field(default_factory=dict[str, Index])
    """Numbers that the stream has computed at its begin, by name."""

    @staticmethod
    def open(kernel: Block, kind: StreamKind) -> StreamEmitter:
        """Append a stream to a kernel's body."""
        stream = StreamOp(kind)
        kernel.add_op(stream)
        block = stream.body.block
        return StreamEmitter(
            kind, Builder(InsertPoint.at_end(block)), {}, block, tuple(kernel.args[:4])
        )

    # region Index arithmetic

    def _compute(self, cls: type[Operation], a: SSAValue, b: SSAValue) -> SSAValue:
        """An operation on indices, which is right as given: its builder would look again."""
        op = cls.create(operands=(a, b), result_types=(INDEX,))
        return self.builder.insert(op).results[0]

    def constant(self, value: int) -> SSAValue:
        """An index constant, defined once at the top of the stream."""
        if value not in self.constants:
            op = arith.ConstantOp.create(
                result_types=(INDEX,), properties={"value": index_attribute(value)}
            )
            first = self.top.first_op
            if first is None:
                self.top.add_op(op)
            else:
                self.top.insert_op_before(op, first)
            self.constants[value] = op.result
        return self.constants[value]

    def value(self, index: Index) -> SSAValue:
        """The index as SSA value."""
        return self.constant(index) if isinstance(index, int) else index

    def add(self, a: Index, b: Index) -> Index:
        """a + b."""
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if isinstance(a, int):
            a, b = b, a
        if b == 0 and isinstance(b, int):
            return a
        return self._compute(arith.AddiOp, self.value(a), self.value(b))

    def sub(self, a: Index, b: Index) -> Index:
        """a - b."""
        if isinstance(b, int):
            return self.add(a, -b)
        return self._compute(arith.SubiOp, self.value(a), b)

    def mul(self, a: Index, b: Index) -> Index:
        """a * b."""
        if isinstance(a, int):
            if isinstance(b, int):
                return a * b
            a, b = b, a
        if not isinstance(b, int):
            return self._compute(arith.MuliOp, a, b)
        if b == 1:
            return a
        if b == 0:
            return 0
        return self._compute(arith.MuliOp, a, self.value(b))

    def div(self, a: Index, b: Index) -> Index:
        """a / b for a >= 0, rounded down."""
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        if b == 1 and isinstance(b, int):
            return a
        return self._compute(arith.DivUIOp, self.value(a), self.value(b))

    def mod(self, a: Index, b: Index) -> Index:
        """a modulo b for a >= 0."""
        if not isinstance(b, int):
            return self._compute(arith.RemUIOp, self.value(a), b)
        if isinstance(a, int):
            return a % b
        if b == 1:
            return 0
        if b & (b - 1) == 0:
            return self._compute(arith.AndIOp, a, self.value(b - 1))
        return self._compute(arith.RemUIOp, a, self.value(b))

    def smaller(self, a: Index, b: int) -> Index:
        """The smaller one of two numbers."""
        if isinstance(a, int):
            return min(a, b)
        return self._compute(arith.MinSIOp, a, self.value(b))

    # endregion
    # region Control

    @contextmanager
    def _within(self, block: Block) -> Generator[None]:
        saved = self.builder.insertion_point
        self.builder.insertion_point = InsertPoint.at_end(block)
        yield
        self.builder.insertion_point = saved

    def loop(self, lower: int, upper: Index, body: Callable[[Index], None]) -> None:
        """`body` for lower <= i < upper; a single iteration is emitted without a loop."""
        if isinstance(upper, int) and upper <= lower:
            return
        if isinstance(upper, int) and upper == lower + 1:
            body(lower)
            return
        block = Block(arg_types=(IndexType(),))
        start, end, one = self.constant(lower), self.value(upper), self.constant(1)
        self.builder.insert(scf.ForOp(start, end, one, (), Region(block)))
        with self._within(block):
            body(block.args[0])
            self.builder.insert(scf.YieldOp())

    def carry(
        self, lower: int, upper: Index, token: SSAValue, body: Callable[[Index, SSAValue], SSAValue]
    ) -> SSAValue:
        """A loop that takes a token from iteration to iteration: `body` returns the next one."""
        return self.carry_all(lower, upper, (token,), lambda i, tokens: (body(i, *tokens),))[0]

    def carry_all(
        self,
        lower: int,
        upper: Index,
        tokens: Sequence[SSAValue],
        body: Callable[[Index, Sequence[SSAValue]], Sequence[SSAValue]],
    ) -> Sequence[SSAValue]:
        """A loop that takes several tokens from iteration to iteration."""
        if isinstance(upper, int) and upper <= lower:
            return tokens
        if isinstance(upper, int) and upper == lower + 1:
            return body(lower, tokens)
        block = Block(arg_types=(IndexType(), *(token.type for token in tokens)))
        start, end, one = self.constant(lower), self.value(upper), self.constant(1)
        loop = self.builder.insert(scf.ForOp(start, end, one, tokens, Region(block)))
        with self._within(block):
            self.builder.insert(scf.YieldOp(*body(block.args[0], block.args[1:])))
        return loop.results

    def when(self, a: Index, predicate: str, b: Index, body: Callable[[], None]) -> None:
        """`body` if `a predicate b` (signed: eq, ne, slt, sle, sgt, sge)."""
        if isinstance(a, int) and isinstance(b, int):
            holds = {
                "eq": a == b,
                "ne": a != b,
                "slt": a < b,
                "sle": a <= b,
                "sgt": a > b,
                "sge": a >= b,
            }[predicate]
            if holds:
                body()
            return
        condition = self.builder.insert(arith.CmpiOp(self.value(a), self.value(b), predicate))
        block = Block()
        self.builder.insert(scf.IfOp(condition.result, (), Region(block)))
        with self._within(block):
            body()
            self.builder.insert(scf.YieldOp())

    def parallel(
        self, count: int, body: Callable[[SSAValue], None], *, without_leader: bool = False
    ) -> None:
        """Iterations 0..count-1 dealt to the team, or to all of it but the leader."""
        op = ParallelOp(self.constant(0), self.constant(count), without_leader=without_leader)
        self.builder.insert(op)
        with self._within(op.body.block):
            body(op.body.block.args[0])

    def leader(self, body: Callable[[], None]) -> None:
        """Only the leader executes `body`."""
        op = LeaderOp()
        self.builder.insert(op)
        with self._within(op.body.block):
            body()

    def sum_exponentials(
        self,
        values: SSAValue,
        slot: SSAValue,
        constants: Sequence[SSAValue],
        *,
        length: int,
        terms: int,
    ) -> None:
        """SoftEx's job of sums of exponentials of a slot's first elements, in place."""
        places = (values, [slot], values, [slot])
        self.insert(SumOfExponentialsOp(*places, *constants, length=length, terms=terms))

    def drain(self) -> None:
        """Wait for SoftEx."""
        self.insert(DrainOp())

    # endregion
    # region Synchronisation and transfers

    def insert(self, op: Operation) -> Operation:
        """Insert any operation."""
        self.builder.insert(op)
        return op

    def base(self, stream: StreamKind) -> SSAValue:
        """A stream's counter at the start of the launch."""
        return self.bases[tuple(StreamKind).index(stream)]

    def wait(self, stream: StreamKind, offset: Index) -> None:
        """Wait until a stream's counter is `offset` above its value at the launch's start."""
        self.wait_value(stream, self.add(self.base(stream), offset))

    def wait_value(self, stream: StreamKind, value: Index) -> None:
        """Wait until a stream's counter has reached `value`."""
        self.builder.insert(WaitForOp(stream, self.value(value)))

    def advance(self, steps: int | SSAValue = 1) -> None:
        """Count steps of this stream: a number that is known, or computed and not negative."""
        self.builder.insert(AdvanceOp(steps))

    def barrier(self) -> None:
        """All cores of the team meet."""
        self.builder.insert(BarrierOp())

    def transfer(
        self,
        source: SSAValue,
        source_indices: Sequence[Index],
        target: SSAValue,
        target_indices: Sequence[Index],
        sizes: Sequence[int],
    ) -> SSAValue:
        """Start a transfer; the token."""
        op = DmaStartOp(
            source,
            [self.value(i) for i in source_indices],
            target,
            [self.value(i) for i in target_indices],
            sizes,
        )
        self.builder.insert(op)
        return op.token

    def transfer_pieces(
        self,
        rows: int,
        row_bytes: int,
        piece: Callable[[Index, int], SSAValue],
        once_begun: Callable[[], None] | None = None,
    ) -> list[SSAValue]:
        """Start a large transfer as pieces of whole rows, at most two of them queued at a time, so
        that another stream's transfer in this direction need not wait for all of it.

        `piece` starts the transfer of some rows, given the first and how many; `once_begun` is
        emitted behind the first. Returns the tokens not waited for.
        """
        count = -(-rows * row_bytes // PIECE_BYTES)
        if count > PIECES_IN_A_ROW:
            return self._looped_pieces(rows, -(-rows // count), piece, once_begun)
        tokens: list[SSAValue] = []
        for index in range(count):
            first, end = index * rows // count, (index + 1) * rows // count
            tokens.append(piece(first, end - first))
            if index == 0 and once_begun is not None:
                once_begun()
            if len(tokens) > 2:
                self.complete(tokens.pop(0))
        return tokens

    def _looped_pieces(
        self,
        rows: int,
        share: int,
        piece: Callable[[Index, int], SSAValue],
        once_begun: Callable[[], None] | None,
    ) -> list[SSAValue]:
        """Pieces of `share` rows and one of the rest, all but the first two in a loop."""

        def queue(start: Index, size: int, tokens: Sequence[SSAValue]) -> Sequence[SSAValue]:
            before, last = tokens
            token = piece(start, size)
            self.complete(before)
            return last, token

        full, rest = divmod(rows, share)
        first = piece(0, share)
        if once_begun is not None:
            once_begun()
        tokens: Sequence[SSAValue] = (first, piece(share, share))
        tokens = self.carry_all(
            *(2, full, tokens), lambda index, queued: queue(self.mul(index, share), share, queued)
        )
        return list(queue(full * share, rest, tokens) if rest else tokens)

    def complete(self, *tokens: SSAValue) -> None:
        """Wait for transfers or jobs."""
        for token in tokens:
            self.builder.insert(AwaitOp(token))

    # endregion
