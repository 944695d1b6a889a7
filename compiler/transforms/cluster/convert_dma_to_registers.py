"""`convert-dma-to-registers`: transfers become accesses to the core's own DMA registers.

A transfer is a descriptor of nine registers, started by reading NEXT_ID, which takes a copy.
Functions find and leave REPS_3 at 1, its reset value, so that only transfers of three dimensions
touch it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from softex_mlir import abi
from softex_mlir.compiler.nested_operations import operations_of
from softex_mlir.compiler.transforms.cluster.command_builder import (
    CommandBuilder,
    stream_functions,
    take_tokens,
    take_waits_before,
)
from softex_mlir.dialects.cluster import AwaitOp, DmaStartOp
from softex_mlir.dialects.hwpe import DMA
from softex_mlir.dialects.memory import element_bytes, memref_type, static_strides

CHANNELS = {abi.DMA_IN: 0, abi.DMA_OUT: 1}
"""Number of the channel that completes a token."""


@dataclass(frozen=True)
class Dimension:
    """One dimension of a transfer around its innermost run; strides in bytes."""

    repetitions: int
    source_stride: int
    target_stride: int


def dimensions(op: DmaStartOp) -> tuple[int, tuple[Dimension, ...]]:
    """Bytes of the innermost run, and what repeats it, innermost first.

    Neighbouring dimensions that are one run on both sides are merged.
    """
    source, target = memref_type(op.source), memref_type(op.target)
    size = element_bytes(source)
    sizes = op.sizes.get_values()[::-1]
    source_strides = static_strides(source)[::-1]
    target_strides = static_strides(target)[::-1]
    length = sizes[0] * size
    outer: list[Dimension] = []
    for count, from_stride, to_stride in zip(
        sizes[1:], source_strides[1:], target_strides[1:], strict=False
    ):
        step = Dimension(count, from_stride * size, to_stride * size)
        if count == 1:
            continue
        if not outer and step.source_stride == step.target_stride == length:
            length *= count
            continue
        if outer:
            last = outer[-1]
            if (
                step.source_stride == last.source_stride * last.repetitions
                and step.target_stride == last.target_stride * last.repetitions
            ):
                outer[-1] = Dimension(
                    last.repetitions * count, last.source_stride, last.target_stride
                )
                continue
        outer.append(step)
    return length, tuple(outer)


def convert_start(op: DmaStartOp) -> None:
    """Write the descriptor's registers that matter, then read NEXT_ID."""
    waits = take_waits_before(op)
    to = CommandBuilder.before(op)
    length, outer = dimensions(op)
    to.write(DMA, "DST_ADDR", to.address(op.target, op.target_indices))
    to.write(DMA, "SRC_ADDR", to.address(op.source, op.source_indices))
    to.write(DMA, "LENGTH", length)
    for number, step in enumerate(outer, 2):
        to.write(DMA, f"DST_STRIDE_{number}", step.target_stride)
        to.write(DMA, f"SRC_STRIDE_{number}", step.source_stride)
        to.write(DMA, f"REPS_{number}", step.repetitions)
    if not outer:
        to.write(DMA, "REPS_2", 1)
    to.insert_all(waits)
    transfer = to.read(DMA, f"NEXT_ID_{op.channel}")
    if len(outer) == 2:
        to.write(DMA, "REPS_3", 1)
    Rewriter.replace_op(op, (), (transfer,))


def convert_await(op: AwaitOp, channel: int) -> None:
    """Wait until the channel's last completed transfer is not before this one."""
    transfer = op.token

    def under_way(check: CommandBuilder) -> tuple[SSAValue, Sequence[SSAValue]]:
        done = check.read(DMA, f"DONE_ID_{channel}")
        return check.compare(done, "slt", transfer), ()

    CommandBuilder.before(op).sleep_while(under_way)
    Rewriter.erase_op(op)


def convert_function(function: func.FuncOp) -> None:
    """Convert all transfers of a function."""
    operations = operations_of(function, DmaStartOp)
    for op, worker in take_tokens(function, tuple(CHANNELS)):
        convert_await(op, CHANNELS[worker])
    for op in operations:
        convert_start(op)


@dataclass(frozen=True)
class ConvertDmaToRegistersPass(ModulePass):
    """Lowers cluster.dma_start and the waits for transfers."""

    name = "convert-dma-to-registers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Convert all stream functions of the module."""
        for function, _ in stream_functions(op):
            convert_function(function)
