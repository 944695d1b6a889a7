"""`drop-unread`: what nobody reads is not computed: rows, columns, heads, batch elements.

A classifier reads the first token's row of the last layer: all behind that layer's keys and values
is computed for this row alone. Every element that is still computed has the bits it had.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, TensorType, i64
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.traits import is_side_effect_free

from softex_mlir.compiler.model import entry_functions, main_function
from softex_mlir.compiler.transforms.transformer.boxes import (
    Box,
    hull,
    places,
    size_of,
    union,
    whole,
)
from softex_mlir.compiler.transforms.transformer.dead_code import remove_dead
from softex_mlir.compiler.transforms.transformer.linear_parts import (
    LinearPart,
    slice_of,
    split_linear,
)
from softex_mlir.compiler.transforms.transformer.parts_read import RULES, Parts
from softex_mlir.compiler.work import count_unread, macs
from softex_mlir.dialects import transformer as t


@dataclass
class Reads:
    """What is read of every value, and what operations with rules compute of theirs."""

    of: dict[SSAValue, list[tuple[Operation, Box]]] = field(
        default_factory=lambda: defaultdict[SSAValue, list[tuple[Operation, Box]]](list)
    )
    """Who reads which part."""
    parts: dict[Operation, Parts] = field(default_factory=lambda: dict[Operation, Parts]())

    @staticmethod
    def in_block(block: Block) -> Reads:
        """Follow the reads from the results back."""
        reads = Reads()
        for op in reversed(list(block.ops)):
            if is_side_effect_free(op) and not any(result in reads.of for result in op.results):
                continue
            rule = RULES.get(type(op))
            if rule is None:
                reads._everything(op)
                continue
            asked = union([box for _, box in reads.of[op.results[0]]])
            parts = reads.parts[op] = rule(op, asked)
            for operand, box in zip(op.operands, parts.operands, strict=True):
                if all(box):
                    reads.of[operand].append((op, box))
        return reads

    def _everything(self, op: Operation) -> None:
        for inner in op.walk():
            for operand in inner.operands:
                if isinstance(operand.type, TensorType):
                    self.of[operand].append((op, whole(t.shape_of(operand))))


def split_products(reads: Reads) -> bool:
    """Split linear layers of whose columns different rows are read; whether there were any."""
    found = False
    for op in reads.parts:
        if isinstance(op, t.LinearOp) and len(parts := _parts(op, reads)) > 1:
            split_linear(op, parts)
            found = True
    return found


def _parts(op: t.LinearOp, reads: Reads) -> list[LinearPart]:
    """Columns of which the same rows are read, and the slices that read them."""
    asked = reads.of[op.result]
    if not all(isinstance(user, t.SliceOp) for user, _ in asked):
        return []
    found: list[tuple[range, LinearPart]] = []
    for user, (rows, columns) in sorted(asked, key=lambda entry: entry[1][1].start):
        slices = (cast(t.SliceOp, user),)
        columns = range(columns[0], columns[-1] + 1)
        if found:
            before, part = found[-1]
            if columns.start < part.columns.stop or (
                columns.start == part.columns.stop and rows == before
            ):
                joined = LinearPart(hull(part.columns, columns), (*part.slices, *slices))
                found[-1] = hull(before, rows), joined
                continue
        found.append((rows, LinearPart(columns, slices)))
    return [part for _, part in found]


@dataclass
class Narrowing:
    """Builds the operations that compute parts, in front of those that compute everything."""

    reads: Reads
    made: dict[SSAValue, tuple[SSAValue, Box]] = field(
        default_factory=lambda: dict[SSAValue, tuple[SSAValue, Box]]()
    )
    """What stands for a value, and which part of it that is."""

    def narrow(self, block: Block) -> None:
        """Replace what computes too much."""
        replaced: list[Operation] = []
        for op in list(block.ops):
            parts = self.reads.parts.get(op)
            if parts is None:
                continue
            if parts.result == whole(t.shape_of(op.results[0])) and not any(
                operand in self.made for operand in op.operands
            ):
                continue
            self._replace(op, parts)
            replaced.append(op)
        for op in reversed(replaced):
            if not any(result.uses for result in op.results):
                op.detach()
                op.erase()

    def _replace(self, op: Operation, parts: Parts) -> None:
        layer = op.layer if isinstance(op, t.TransformerOp) else None
        operands: list[SSAValue] = []
        for operand, box in zip(op.operands, parts.operands, strict=True):
            if not all(box):
                continue
            value, have = self.made.get(operand, (operand, whole(t.shape_of(operand))))
            if have != box:
                taken = tuple(places(p, among) for p, among in zip(box, have, strict=True))
                part = slice_of(value, taken)
                part.layer = layer
                Rewriter.insert_op(part, InsertPoint.before(op))
                value = part.result
            operands.append(value)
        new = narrowed(op, parts.result, operands)
        if new is not None:
            Rewriter.insert_op(new, InsertPoint.before(op))
            self._stand_in(op, new.results[0], parts.result)
        else:
            self._stand_in(op, operands[0], parts.result)

    def _stand_in(self, op: Operation, value: SSAValue, box: Box) -> None:
        result = op.results[0]
        if box == whole(t.shape_of(result)):
            result.replace_all_uses_with(value)
        else:
            self.made[result] = (value, box)


def narrowed(op: Operation, box: Box, operands: Sequence[SSAValue]) -> Operation | None:
    """The operation that computes a part of a result from the parts of operands; None if it is
    the operand."""
    shape = size_of(box)
    if isinstance(op, t.ConcatOp) and len(operands) == 1:
        return None
    if isinstance(op, t.SliceOp):
        if all(step > 0 for step in op.steps):
            return None
        turned = [n - 1 if step < 0 else 0 for n, step in zip(shape, op.steps, strict=True)]
        steps = [-1 if step < 0 else 1 for step in op.steps]
        return t.SliceOp(operands[0], turned, shape, steps, layer=op.layer)
    result = cast(t.AnyTensor, op.results[0].type)
    changed: dict[str, Attribute] = {}
    if isinstance(op, t.AttentionOp):
        heads = t.shape_of(operands[0])[1] // op.head_size
        batch = t.shape_of(operands[1])[0] // op.keys
        changed = {"heads": IntegerAttr(heads, i64), "batch": IntegerAttr(batch, i64)}
        if op.key_heads is not None:
            key_heads = t.shape_of(operands[1])[1] // op.head_size
            changed["key_heads"] = IntegerAttr(key_heads, i64)
    return type(op).create(
        operands=operands,
        result_types=[TensorType(result.get_element_type(), shape)],
        properties=op.properties | changed,
        attributes=op.attributes.copy(),
    )


def drop_unread(module: ModuleOp) -> None:
    """Compute of every value only what is read, in place."""
    if len(entry_functions(module)) > 1 or any(isinstance(op, t.StateOp) for op in module.ops):
        return  # what one entry does not read of a weight or state, another may
    block = main_function(module).body.block
    remove_dead(module)
    before = macs(module)
    reads = Reads.in_block(block)
    while split_products(reads):
        reads = Reads.in_block(block)
    Narrowing(reads).narrow(block)
    remove_dead(module)
    count_unread(module, before)


@dataclass(frozen=True)
class DropUnreadPass(ModulePass):
    """Rows, columns, heads and batch elements that nobody reads are not computed."""

    name = "drop-unread"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        drop_unread(op)
