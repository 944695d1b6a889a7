"""`fuse-generics`: loop nests that follow each other become one.

An elementwise nest that one other nest alone reads moves into that nest's body, where each of its
elements is still computed once. What it narrowed is narrowed there too: no bit changes, and its
result never goes through memory. Sums, differences and products that have a row-wise kernel join
a neighbouring nest; their bits are the same in both forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import AffineMapAttr, IntegerAttr, ModuleOp, bf16, i64
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.dialects.linalg.attrs import IteratorType
from xdsl.ir import Block, Operation, OpResult, Region, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from softex_mlir.compiler.bodies.expand_math import expanded
from softex_mlir.compiler.generic_builder import elementwise
from softex_mlir.compiler.loop_nest import LoopNest, LoopNestError, element_type
from softex_mlir.compiler.row_operations.binary import BINARY
from softex_mlir.dialects import transformer as t

Generic = linalg_ops.GenericOp

MOST_INPUTS = 8
"""Operands of a nest: each has its place in the TCDM."""

LARGEST_BODY = 160
"""Operations of a body, functions written out: a few elements' code fits the instruction cache."""


@dataclass(frozen=True)
class FuseGenericsPass(ModulePass):
    """Move elementwise loop nests into the one nest that reads them."""

    name = "fuse-generics"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in list(op.walk()):
            if isinstance(inner, t.BinaryOp) and _meets_nest(inner):
                _as_nest(inner)
        for inner in list(op.walk()):
            if isinstance(inner, Generic):
                _absorb(inner)


def _elementwise(op: Operation) -> bool:
    """Whether an operation is a nest without accumulators and with one result."""
    if not isinstance(op, Generic) or len(op.results) != 1:
        return False
    parallel = all(kind.data is IteratorType.PARALLEL for kind in op.iterator_types)
    return parallel and not op.body.block.args[-1].uses


def _reader(value: SSAValue) -> Operation | None:
    """The one operation that reads a value."""
    readers = {use.operation for use in value.uses}
    return readers.pop() if len(readers) == 1 else None


def _meets_nest(op: t.BinaryOp) -> bool:
    """Whether a row-wise operation could join a nest before or behind it."""
    kernel = BINARY[op.name.removeprefix("transformer.")].kernel
    shapes = t.shape_of(op.lhs), t.shape_of(op.rhs)
    try:
        same = np.broadcast_shapes(*shapes) == t.shape_of(op.result)
    except ValueError:
        same = False
    if kernel is None or not same:
        return False
    before = (v for v in op.operands if isinstance(v, OpResult) and _elementwise(v.op))
    return isinstance(_reader(op.result), Generic) or any(_reader(v) is op for v in before)


def _as_nest(op: t.BinaryOp) -> None:
    body = BINARY[op.name.removeprefix("transformer.")].body
    made = elementwise([op.lhs, op.rhs], bf16, lambda e, x: body(e, *x), layer=op.layer)
    Rewriter.insert_op(made, InsertPoint.before(op))
    op.result.replace_all_uses_with(made[-1].results[0])
    Rewriter.erase_op(op)


def _absorb(op: Generic) -> None:
    """Move what feeds a nest into it, as long as there is something to move."""
    current: Generic | None = op
    while current is not None:
        current = next((m for p in _producers(current) if (m := _fused(p, current))), None)


def _producers(op: Generic) -> list[Generic]:
    """Nests that an operation alone reads."""
    values = dict.fromkeys(v for v in op.inputs if isinstance(v, OpResult) and _reader(v) is op)
    return [v.op for v in values if isinstance(v.op, Generic) and _elementwise(v.op)]


def _fused(producer: Generic, consumer: Generic) -> Generic | None:
    """One nest in the place of two; None, and nothing done, if they stay apart."""
    loops = _loops_of_producer(producer, consumer)
    if loops is None:
        return None
    made = _merged(producer, consumer, loops)
    if made is None:
        return None
    if not _pays(made, producer):
        made.erase()  # or it would go on reading what it was made from
        return None
    Rewriter.insert_op(made, InsertPoint.before(consumer))
    for old, new in zip(consumer.results, made.results, strict=True):
        old.replace_all_uses_with(new)
    Rewriter.erase_op(consumer)
    Rewriter.erase_op(producer)
    return made


def _pays(made: Generic, producer: Generic) -> bool:
    """Whether a merged nest is one that can be run, and computes no more than both did."""
    if len(made.inputs) > MOST_INPUTS or len(expanded(made.body.block).ops) > LARGEST_BODY:
        return False
    try:
        nest = LoopNest.of(made)
    except LoopNestError:
        return False
    if prod(nest.extents) > prod(LoopNest.of(producer).extents):
        return _moves_only(producer)
    return True


def _moves_only(op: Generic) -> bool:
    """Whether a nest computes nothing: reading its operand again costs no more than its result."""
    return len(expanded(op.body.block).ops) <= len(op.inputs) + 2


def _loops_of_producer(producer: Generic, consumer: Generic) -> AffineMap | None:
    """The iteration of the producer that an iteration of the consumer reads."""
    result = producer.indexing_maps.data[-1].data
    order = [e.position for e in result.results if isinstance(e, AffineDimExpr)]
    if sorted(order) != list(range(result.num_dims)) or len(order) != len(result.results):
        return None
    reads = {
        map_.data
        for value, map_ in zip(consumer.inputs, consumer.indexing_maps, strict=False)
        if value is producer.results[0]
    }
    if len(reads) != 1:
        return None
    (read,) = reads
    by_loop = dict(zip(order, read.results, strict=True))
    loops = AffineMap(read.num_dims, 0, tuple(by_loop[d] for d in range(len(order))))
    indexed = {
        o.dim.value.data for o in producer.body.block.ops if isinstance(o, linalg_ops.IndexOp)
    }
    return None if any(not isinstance(by_loop[d], AffineDimExpr) for d in indexed) else loops


def _merged(producer: Generic, consumer: Generic, loops: AffineMap) -> Generic | None:
    """The nest of both bodies, not inserted anywhere."""
    passed = producer.results[0]
    inputs: dict[tuple[SSAValue, AffineMap], None] = {}

    def place(value: SSAValue, map_: AffineMap) -> int:
        inputs.setdefault((value, map_))
        return list(inputs).index((value, map_))

    firsts = [
        place(value, map_.data.compose(loops))
        for value, map_ in zip(producer.inputs, producer.indexing_maps, strict=False)
    ]
    seconds = [
        None if value is passed else place(value, map_.data)
        for value, map_ in zip(consumer.inputs, consumer.indexing_maps, strict=False)
    ]
    elements = [element_type(value) for value, _ in inputs]
    outs = consumer.body.block.args[len(consumer.inputs) :]
    block = Block(arg_types=[*elements, *(argument.type for argument in outs)])
    mapper: dict[SSAValue, SSAValue] = {}
    for argument, position in zip(producer.body.block.args, firsts, strict=False):
        mapper[argument] = block.args[position]
    handed = _copied(producer.body.block, block, mapper, loops)
    for argument, position in zip(consumer.body.block.args, seconds, strict=False):
        mapper[argument] = handed[0] if position is None else block.args[position]
    mapper.update(zip(outs, block.args[len(inputs) :], strict=True))
    same = AffineMap.identity(consumer.get_num_loops())
    block.add_op(linalg_ops.YieldOp(*_copied(consumer.body.block, block, mapper, same)))
    op = Generic(
        [value for value, _ in inputs],
        list(consumer.outputs),
        Region(block),
        [
            *(AffineMapAttr(map_) for _, map_ in inputs),
            *consumer.indexing_maps.data[len(consumer.inputs) :],
        ],
        consumer.iterator_types,
        [result.type for result in consumer.results],
    )
    op.attributes.update(consumer.attributes)
    return op


def _copied(
    source: Block, target: Block, mapper: dict[SSAValue, SSAValue], loops: AffineMap
) -> Sequence[SSAValue]:
    """Append a body to a block, whose loops are others; what it yields."""
    for op in source.ops:
        if isinstance(op, linalg_ops.YieldOp):
            return [mapper.get(value, value) for value in op.operands]
        copy = op.clone(mapper)
        if isinstance(copy, linalg_ops.IndexOp):
            loop = loops.results[copy.dim.value.data]
            assert isinstance(loop, AffineDimExpr)
            copy.dim = IntegerAttr(loop.position, i64)
        target.add_op(copy)
    raise AssertionError("a body ends with linalg.yield")
