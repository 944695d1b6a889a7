"""Hardware loops have bodies of at least three instructions, and nested ends are apart."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import riscv_func
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Block
from xdsl.passes import ModulePass

from softex_mlir.compiler.backend.print_assembly import instruction_text
from softex_mlir.dialects import xpulp

MINIMUM_BODY = 3
"""Instructions in a hardware loop's body (CV32E40P manual)."""
MINIMUM_DISTANCE = 2
"""Instructions between the ends of nested loops (CV32E40P manual: 8 bytes)."""


def instructions(block: Block) -> int:
    """Instructions in a block; a constant counts as one though it may need two."""
    return sum(1 for op in block.ops if instruction_text(op) is not None)


def pad(function: riscv_func.FuncOp) -> None:
    """Put nops in front of loop ends that come too early."""
    blocks = tuple(function.body.blocks)
    index = {block: i for i, block in enumerate(blocks)}
    for i, block in enumerate(blocks):
        end = block.last_op
        if not isinstance(end, xpulp.LoopEndOp):
            continue
        start = index[end.body]
        length = sum(instructions(blocks[j]) for j in range(start, i + 1))
        missing = max(0, MINIMUM_BODY - length)
        if start != i:
            missing = max(missing, MINIMUM_DISTANCE - instructions(block))
        for _ in range(missing):
            block.insert_op_before(riscv.NopOp(), end)


@dataclass(frozen=True)
class PadHardwareLoopsPass(ModulePass):
    """Adds the nops that hardware loops need; runs after register allocation."""

    name = "pad-hardware-loops"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Pad the loops of each function."""
        for function in op.body.block.ops:
            if isinstance(function, riscv_func.FuncOp):
                pad(function)
