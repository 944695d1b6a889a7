"""What the lowerings to register accesses have in common: words, addresses, waiting loops."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import TypeVar

from xdsl.dialects import arith, func, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr, MemRefType, ModuleOp, i1, i32, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.traits import Pure, is_side_effect_free
from xdsl.utils.exceptions import PassFailedException

from softex_mlir.arithmetic import signed32
from softex_mlir.compiler.nested_operations import operations_in
from softex_mlir.dialects import hwpe
from softex_mlir.dialects.cluster import (
    AwaitOp,
    StreamAttr,
    StreamKind,
    TokenType,
    ViewOp,
    WaitForOp,
)
from softex_mlir.dialects.memory import AnyMemRef, element_bytes, static_strides
from softex_mlir.dialects.shared_attributes import word_attribute

OperationT = TypeVar("OperationT", bound=Operation)

STREAM_ATTRIBUTE = "cluster.stream"
"""Attribute of a function that is the body of a stream."""


def stream_functions(module: ModuleOp) -> Iterable[tuple[func.FuncOp, StreamKind]]:
    """The functions that are bodies of streams, with their stream."""
    for op in module.body.block.ops:
        stream = op.attributes.get(STREAM_ATTRIBUTE)
        if isinstance(op, func.FuncOp) and isinstance(stream, StreamAttr):
            yield op, stream.data


@cache
def _is_pure(kind: type[Operation]) -> bool:
    """Whether operations of a class have no effects: their traits are dear to ask."""
    return kind.has_trait(Pure)


@cache
def _comparison(predicate: str) -> Mapping[str, Attribute]:
    """The properties of a comparison."""
    return {"predicate": IntegerAttr(arith.CMPI_COMPARISON_OPERATIONS.index(predicate), i64)}


def fail(op: Operation, message: str) -> PassFailedException:
    """An error at an operation."""
    error = PassFailedException(message)
    error.operation = op  # pyright: ignore[reportAttributeAccessIssue]
    return error


def take_waits_before(
    op: Operation, kinds: type[Operation] | tuple[type[Operation], ...] = WaitForOp
) -> tuple[Operation, ...]:
    """Take out the waits (or other `kinds`) directly in front of an operation, with only arithmetic
    between.

    They are put back in front of the access that starts a job or transfer: its registers can be
    programmed while its operands are still on their way.
    """
    waits: list[Operation] = []
    previous = op.prev_op
    while previous is not None and (
        _is_pure(type(previous)) or isinstance(previous, kinds) or is_side_effect_free(previous)
    ):
        if isinstance(previous, kinds):
            waits.append(previous)
        previous = previous.prev_op
    for wait in waits:
        wait.detach()
    return tuple(reversed(waits))


class CommandBuilder:
    """Inserts register accesses and the arithmetic for them at one point of a function.

    Words are i32 values: addresses, sizes, counters.
    """

    def __init__(self, point: InsertPoint):
        self.point = point

    @classmethod
    def before(cls, op: Operation) -> CommandBuilder:
        """A builder that inserts in front of an operation."""
        return cls(InsertPoint.before(op))

    def insert(self, op: OperationT) -> OperationT:
        """Insert an operation, and return it."""
        block, before = self.point.block, self.point.insert_before
        if before is None:
            block.add_op(op)
        else:
            block.insert_op_before(op, before)
        return op

    def _insert(
        self,
        cls: type[Operation],
        operands: Sequence[SSAValue],
        properties: Mapping[str, Attribute] | None = None,
        result: Attribute = i32,
    ) -> SSAValue:
        """The result of an operation that is right as given: its builder, which sorts out what it
        is given, takes longer than all the rest."""
        op = cls.create(operands=operands, result_types=(result,), properties=properties or {})
        return self.insert(op).results[0]

    def constant(self, value: int) -> SSAValue:
        """A constant word; given as signed or as unsigned number."""
        return self._insert(arith.ConstantOp, (), {"value": word_attribute(signed32(value))})

    def word(self, value: SSAValue | int) -> SSAValue:
        """A number, index or word as a word."""
        if isinstance(value, int):
            return self.constant(value)
        if isinstance(value.type, IndexType):
            return self._insert(arith.IndexCastOp, (value,))
        return value

    def index(self, value: SSAValue) -> SSAValue:
        """A word as an index."""
        return self._insert(arith.IndexCastOp, (value,), result=IndexType())

    def add(self, a: SSAValue, b: SSAValue | int) -> SSAValue:
        """a + b of words."""
        return a if b == 0 else self._insert(arith.AddiOp, (a, self.word(b)))

    def subtract(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """a - b of words."""
        return self._insert(arith.SubiOp, (a, b))

    def multiply(self, a: SSAValue, factor: int) -> SSAValue:
        """a · factor of words."""
        if factor == 1:
            return a
        return self._insert(arith.MuliOp, (a, self.constant(factor)))

    def compare(self, a: SSAValue, predicate: str, b: SSAValue | int) -> SSAValue:
        """Comparison of words, an i1."""
        return self._insert(arith.CmpiOp, (a, self.word(b)), _comparison(predicate), i1)

    def select(self, condition: SSAValue, a: SSAValue | int, b: SSAValue | int) -> SSAValue:
        """One of two words."""
        return self._insert(arith.SelectOp, (condition, self.word(a), self.word(b)))

    def address(self, memref: SSAValue, indices: Sequence[SSAValue]) -> SSAValue:
        """Byte address of an element; missing trailing indices are 0."""
        view = memref.owner
        if not isinstance(view, ViewOp):
            raise fail(
                view if isinstance(view, Operation) else view.parent_op() or ModuleOp([]),
                "expected memory given by cluster.view: run convert-kernels-to-functions first",
            )
        type_: AnyMemRef = view.memref.type  # pyright: ignore[reportAssignmentType]
        assert isinstance(type_, MemRefType)
        size = element_bytes(type_)
        address = view.address
        for index, stride in zip(indices, static_strides(type_), strict=False):
            if stride:
                address = self.add(address, self.multiply(self.word(index), stride * size))
        return address

    def write(self, unit: str, register: str, value: SSAValue | int) -> None:
        """Write a register."""
        self.insert(hwpe.WriteOp(unit, register, self.word(value)))

    def insert_all(self, operations: Iterable[Operation]) -> None:
        """Insert operations that are not in a block."""
        for op in operations:
            self.insert(op)

    def read(self, unit: str, register: str) -> SSAValue:
        """Read a register."""
        return self.insert(hwpe.ReadOp(unit, register)).value

    def sleep_while(
        self, condition: Callable[[CommandBuilder], tuple[SSAValue, Sequence[SSAValue]]]
    ) -> Sequence[SSAValue]:
        """Sleep until a condition is false, checking it before and after each sleep.

        `condition` builds the check; it returns whether to sleep, and words to return.
        """
        before, after = Block(), Block()
        again, words = condition(CommandBuilder(InsertPoint.at_end(before)))
        before.add_op(scf.ConditionOp.create(operands=(again, *words)))
        for _ in words:
            after.insert_arg(i32, len(after.args))
        after.add_op(hwpe.WaitOp())
        after.add_op(scf.YieldOp.create())
        regions = (Region(before), Region(after))
        loop = scf.WhileOp.create(result_types=[i32] * len(words), regions=regions)
        return self.insert(loop).results


def take_tokens(function: func.FuncOp, workers: Collection[str]) -> tuple[tuple[AwaitOp, str], ...]:
    """Turn the tokens of some workers into words, also where loops carry them.

    Returns the operations that wait for them. Until these and the operations that start the
    work are converted, the IR does not verify.
    """
    waits: list[tuple[AwaitOp, str]] = []
    tokens: list[SSAValue] = []
    for op in operations_in(function):
        if type(op) is AwaitOp:
            assert isinstance(op.token.type, TokenType)
            if op.token.type.kind in workers:
                waits.append((op, op.token.type.kind))
        values: Iterable[SSAValue] = op.results
        if op.regions:
            blocks = (block for region in op.regions for block in region.blocks)
            values = (*op.results, *(arg for block in blocks for arg in block.args))
        for value in values:
            if isinstance(value.type, TokenType) and value.type.kind in workers:
                tokens.append(value)
    for token in tokens:
        Rewriter.replace_value_with_new_type(token, i32)
    return tuple(waits)
