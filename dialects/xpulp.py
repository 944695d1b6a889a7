"""
The instructions the cluster's cores add to RV32IMFC: hardware loops, post-increment memory
accesses and event waits (CORE-V `xcvhwlp`, `xcvmem`, `xcvelw`), BF16 scalars (`Zfbfmin`, FPnew's
`Xfalthalf`) and packed 2 x BF16 SIMD (`Xfvecalthalf`).

The ops extend xDSL's `riscv` dialect: values are `!riscv.reg` and `!riscv.freg`, control flow is
`riscv_cf`. A BF16 scalar lives in the low half of a float register (NaN-boxed), a vector<2xbf16>
fills it. An instruction that also *reads* its destination has an operand tied to its result: both
must be given the same register.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IntegerAttr, IntegerType
from xdsl.dialects.riscv import RISCVRegisterType
from xdsl.dialects.riscv.abstract_ops import (
    AssemblyInstructionArg,
    RdRsImmIntegerOperation,
    RISCVAsmOperation,
    RISCVInstruction,
)
from xdsl.dialects.riscv.attrs import (
    LabelAttr,
)
from xdsl.dialects.riscv.registers import IntRegisterType
from xdsl.ir import Block, Dialect, Operation, SSAValue
from xdsl.irdl import (
    attr_def,
    irdl_op_definition,
    operand_def,
    successor_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import IsTerminator, MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException

from softex_mlir.dialects.xpulp_base import (
    BinaryInteger,
    PostIncrementLoad,
    PostIncrementStore,
    UnaryInteger,
)
from softex_mlir.dialects.xpulp_bf16 import BF16_OPERATIONS
from softex_mlir.dialects.xpulp_vector import DotOp

# region Event unit


@irdl_op_definition
class EventLoadWordOp(RdRsImmIntegerOperation):
    """
    `cv.elw rd, imm(rs1)`: load from the event unit; the core sleeps until the load is answered.
    """

    name = "xpulp.cv.elw"

    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())


# endregion
# region Hardware loops


@irdl_op_definition
class LoopSetupOp(RISCVInstruction):
    """
    `cv.setup L, rs1, end`: the instructions from the next one up to the label `end` run rs1 times.

    Loop 0 is the innermost of two levels. The body has at least three instructions and no branch.
    """

    name = "xpulp.cv.setup"

    count = operand_def(IntRegisterType)
    """Iterations, at least 1."""
    loop = attr_def(IntegerAttr)
    """Which of the two loops of the core."""
    end = attr_def(LabelAttr)
    """The label behind the last instruction of the body."""

    def verify_(self) -> None:
        if self.loop.value.data not in (0, 1):
            raise VerifyException(f"the core has loops 0 and 1, found {self.loop.value.data}")

    assembly_format = "$count `,` $loop `,` $end attr-dict `:` type($count)"

    def __init__(self, count: Operation | SSAValue, loop: int, end: str) -> None:
        super().__init__(
            operands=[count],
            attributes={"loop": IntegerAttr(loop, IntegerType(32)), "end": LabelAttr(end)},
        )

    def assembly_line_args(self) -> tuple[AssemblyInstructionArg, ...]:
        return self.loop, self.count, self.end


@irdl_op_definition
class LoopSetupImmediateOp(RISCVInstruction):
    """
    `cv.setupi L, count, end`: as `cv.setup` with an iteration count of at most 4095, for bodies
    of at most 31 words.
    """

    name = "xpulp.cv.setupi"

    count = attr_def(IntegerAttr)
    """Iterations, 1 to 4095."""
    loop = attr_def(IntegerAttr)
    """Which of the two loops of the core."""
    end = attr_def(LabelAttr)
    """The label behind the last instruction of the body."""

    def verify_(self) -> None:
        if self.loop.value.data not in (0, 1):
            raise VerifyException(f"the core has loops 0 and 1, found {self.loop.value.data}")

    assembly_format = "$count `,` $loop `,` $end attr-dict"

    def __init__(self, count: int, loop: int, end: str) -> None:
        super().__init__(
            attributes={
                "count": IntegerAttr(count, IntegerType(32)),
                "loop": IntegerAttr(loop, IntegerType(32)),
                "end": LabelAttr(end),
            },
        )

    def assembly_line_args(self) -> tuple[AssemblyInstructionArg, ...]:
        return self.loop, self.count, self.end


@irdl_op_definition
class LoopEndOp(RISCVAsmOperation):
    """
    The end of a hardware loop's body: control goes back to `body` or on to `exit`, the next
    block, without an instruction. Prints nothing.
    """

    name = "xpulp.loop_end"

    body_arguments = var_operand_def(RISCVRegisterType)
    body = successor_def()
    exit = successor_def()

    traits = traits_def(IsTerminator())

    assembly_format = (
        "$body (`(` $body_arguments^ `:` type($body_arguments) `)`)? `,` $exit attr-dict"
    )

    def __init__(
        self,
        body_arguments: Sequence[SSAValue],
        body: Block,
        exit: Block,
    ) -> None:
        super().__init__(operands=[body_arguments], successors=[body, exit])

    def verify_(self) -> None:
        for operand, argument in zip(self.body_arguments, self.body.args, strict=True):
            if operand.type != argument.type:
                raise VerifyException(f"Block arg types must match {operand.type} {argument.type}")
        if (block := self.parent) is not None and block.next_block is not self.exit:
            raise VerifyException("xpulp.loop_end: the exit must be the next block")

    def assembly_line(self) -> str | None:
        return None


# endregion
# region Post-increment memory accesses


@irdl_op_definition
class PostLoadWordOp(PostIncrementLoad):
    """Load 32 bits, then advance the pointer."""

    name = "xpulp.cv.lw"


@irdl_op_definition
class PostLoadHalfOp(PostIncrementLoad):
    """Load 16 bits sign-extended, then advance the pointer."""

    name = "xpulp.cv.lh"


@irdl_op_definition
class PostLoadHalfUnsignedOp(PostIncrementLoad):
    """Load 16 bits zero-extended, then advance the pointer."""

    name = "xpulp.cv.lhu"


@irdl_op_definition
class PostLoadByteOp(PostIncrementLoad):
    """Load 8 bits sign-extended, then advance the pointer."""

    name = "xpulp.cv.lb"


@irdl_op_definition
class PostLoadByteUnsignedOp(PostIncrementLoad):
    """Load 8 bits zero-extended, then advance the pointer."""

    name = "xpulp.cv.lbu"


@irdl_op_definition
class PostStoreWordOp(PostIncrementStore):
    """Store 32 bits, then advance the pointer."""

    name = "xpulp.cv.sw"


@irdl_op_definition
class PostStoreHalfOp(PostIncrementStore):
    """Store the low 16 bits, then advance the pointer."""

    name = "xpulp.cv.sh"


@irdl_op_definition
class PostStoreByteOp(PostIncrementStore):
    """Store the low 8 bits, then advance the pointer."""

    name = "xpulp.cv.sb"


# endregion


# region Integer


@irdl_op_definition
class MinOp(BinaryInteger):
    """Signed minimum."""

    name = "xpulp.cv.min"


@irdl_op_definition
class MinuOp(BinaryInteger):
    """Unsigned minimum."""

    name = "xpulp.cv.minu"


@irdl_op_definition
class MaxOp(BinaryInteger):
    """Signed maximum."""

    name = "xpulp.cv.max"


@irdl_op_definition
class MaxuOp(BinaryInteger):
    """Unsigned maximum."""

    name = "xpulp.cv.maxu"


@irdl_op_definition
class PackOp(BinaryInteger):
    """rs1's low half above rs2's low half."""

    name = "xpulp.cv.pack"


@irdl_op_definition
class PackHighOp(BinaryInteger):
    """rs1's high half above rs2's high half."""

    name = "xpulp.cv.pack.h"


@irdl_op_definition
class ExtendHalfOp(UnaryInteger):
    """The low 16 bits, sign-extended."""

    name = "xpulp.cv.exths"


@irdl_op_definition
class ExtendHalfUnsignedOp(UnaryInteger):
    """The low 16 bits, zero-extended."""

    name = "xpulp.cv.exthz"


@irdl_op_definition
class ExtendByteOp(UnaryInteger):
    """The low 8 bits, sign-extended."""

    name = "xpulp.cv.extbs"


@irdl_op_definition
class ExtendByteUnsignedOp(UnaryInteger):
    """The low 8 bits, zero-extended."""

    name = "xpulp.cv.extbz"


# endregion

XPulp = Dialect(
    "xpulp",
    [
        *BF16_OPERATIONS,
        DotOp,
        EventLoadWordOp,
        LoopSetupOp,
        LoopSetupImmediateOp,
        LoopEndOp,
        PostLoadWordOp,
        PostLoadHalfOp,
        PostLoadHalfUnsignedOp,
        PostLoadByteOp,
        PostLoadByteUnsignedOp,
        PostStoreWordOp,
        PostStoreHalfOp,
        PostStoreByteOp,
        MinOp,
        MinuOp,
        MaxOp,
        MaxuOp,
        PackOp,
        PackHighOp,
        ExtendHalfOp,
        ExtendHalfUnsignedOp,
        ExtendByteOp,
        ExtendByteUnsignedOp,
    ],
)
