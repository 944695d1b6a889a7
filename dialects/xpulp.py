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

from abc import ABC
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from xdsl.backend.register_allocatable import RegisterConstraints
from xdsl.dialects.builtin import IntegerAttr, IntegerType
from xdsl.dialects.riscv import Registers, RISCVRegisterType
from xdsl.dialects.riscv.abstract_ops import (
    AssemblyInstructionArg,
    RdRsImmFloatOperation,
    RdRsImmIntegerOperation,
    RdRsOperation,
    RdRsRsOperation,
    RdRsRsRsFloatOperation,
    RISCVAsmOperation,
    RISCVCustomFormatOperation,
    RISCVInstruction,
    RsRsImmFloatOperation,
)
from xdsl.dialects.riscv.attrs import (
    LabelAttr,
    parse_immediate_value,
    print_immediate_value,
    si12,
)
from xdsl.dialects.riscv.registers import FloatRegisterType, IntRegisterType
from xdsl.ir import Attribute, Dialect, Operation, OpResult, SSAValue
from xdsl.irdl import (
    attr_def,
    irdl_op_definition,
    operand_def,
    result_def,
    successor_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsTerminator, MemoryReadEffect, MemoryWriteEffect, Pure
from xdsl.utils.exceptions import VerifyException


def _verify_tied(op: Operation, operand: SSAValue, result: SSAValue) -> None:
    if operand.type != result.type:
        raise VerifyException(
            f"{op.name}: the updated operand and its result must be one register, "
            f"found {operand.type} and {result.type}"
        )


# region Base classes


class TiedInstruction(RISCVInstruction, ABC):
    """
    An instruction with an operand that it overwrites: `tied_operand` shares `tied_result`'s
    register.
    """

    @property
    def tied_operand(self) -> SSAValue:
        """The operand whose register is overwritten."""
        raise NotImplementedError

    @property
    def tied_result(self) -> OpResult:
        """The result in the same register."""
        raise NotImplementedError

    def get_register_constraints(self) -> RegisterConstraints:
        tied_in, tied_out = self.tied_operand, self.tied_result
        return RegisterConstraints(
            tuple(operand for operand in self.operands if operand is not tied_in),
            tuple(result for result in self.results if result is not tied_out),
            ((tied_in, tied_out),),
        )

    def verify_(self) -> None:
        _verify_tied(self, self.tied_operand, self.tied_result)


class BinaryFloat(RdRsRsOperation[FloatRegisterType, FloatRegisterType, FloatRegisterType], ABC):
    """rd, rs1, rs2 all float registers."""

    traits = traits_def(Pure())

    def __init__(self, rs1: Operation | SSAValue, rs2: Operation | SSAValue) -> None:
        super().__init__(rs1, rs2, rd=Registers.UNALLOCATED_FLOAT)


class CompareFloat(RdRsRsOperation[IntRegisterType, FloatRegisterType, FloatRegisterType], ABC):
    """rd an integer register, rs1 and rs2 float registers."""

    traits = traits_def(Pure())


class UnaryFloat(RdRsOperation[FloatRegisterType, FloatRegisterType], ABC):
    """rd and rs float registers."""

    traits = traits_def(Pure())

    def __init__(self, rs: Operation | SSAValue) -> None:
        super().__init__(rs, rd=Registers.UNALLOCATED_FLOAT)


class BinaryInteger(RdRsRsOperation[IntRegisterType, IntRegisterType, IntRegisterType], ABC):
    """rd, rs1, rs2 all integer registers."""

    traits = traits_def(Pure())


class UnaryInteger(RdRsOperation[IntRegisterType, IntRegisterType], ABC):
    """rd and rs integer registers."""

    traits = traits_def(Pure())

    def __init__(self, rs: Operation | SSAValue) -> None:
        super().__init__(rs, rd=Registers.UNALLOCATED_INT)


class AccumulateFloat(TiedInstruction, ABC):
    """A float instruction `name rd, rs1, rs2` that also reads rd."""

    accumulator = operand_def(FloatRegisterType)
    rs1 = operand_def(FloatRegisterType)
    rs2 = operand_def(FloatRegisterType)
    rd = result_def(FloatRegisterType)

    traits = traits_def(Pure())

    assembly_format = (
        "$accumulator `,` $rs1 `,` $rs2 attr-dict `:` functional-type(operands, results)"
    )

    def __init__(
        self,
        accumulator: Operation | SSAValue,
        rs1: Operation | SSAValue,
        rs2: Operation | SSAValue,
        *,
        rd: FloatRegisterType = Registers.UNALLOCATED_FLOAT,
    ) -> None:
        super().__init__(operands=[accumulator, rs1, rs2], result_types=[rd])

    @property
    def tied_operand(self) -> SSAValue:
        return self.accumulator

    @property
    def tied_result(self) -> OpResult:
        return self.rd

    def assembly_line_args(self) -> tuple[AssemblyInstructionArg, ...]:
        return self.rd, self.rs1, self.rs2


class PostIncrementLoad(RISCVCustomFormatOperation, TiedInstruction, ABC):
    """`name rd, (rs1), imm`: rd = memory[rs1]; rs1 += imm (bytes, 12 bits signed)."""

    rs1 = operand_def(IntRegisterType)
    rd = result_def(IntRegisterType)
    rs1_out = result_def(IntRegisterType)
    immediate = attr_def(IntegerAttr)

    traits = traits_def(MemoryReadEffect())

    def __init__(self, rs1: Operation | SSAValue, immediate: int | IntegerAttr) -> None:
        if isinstance(immediate, int):
            immediate = IntegerAttr(immediate, si12)
        super().__init__(
            operands=[rs1],
            result_types=[Registers.UNALLOCATED_INT, Registers.UNALLOCATED_INT],
            attributes={"immediate": immediate},
        )

    @property
    def tied_operand(self) -> SSAValue:
        return self.rs1

    @property
    def tied_result(self) -> OpResult:
        return self.rs1_out

    def assembly_line_args(self) -> tuple[AssemblyInstructionArg, ...]:
        assert isinstance(self.rs1.type, IntRegisterType)
        return self.rd, f"({self.rs1.type.register_name.data})", self.immediate

    @classmethod
    def custom_parse_attributes(cls, parser: Parser) -> dict[str, Attribute]:
        return {"immediate": parse_immediate_value(parser, si12)}

    def custom_print_attributes(self, printer: Printer) -> AbstractSet[str]:
        printer.print_string(", ")
        print_immediate_value(printer, self.immediate)
        return {"immediate"}


class PostIncrementStore(RISCVCustomFormatOperation, TiedInstruction, ABC):
    """`name rs2, (rs1), imm`: memory[rs1] = rs2; rs1 += imm (bytes, 12 bits signed)."""

    rs1 = operand_def(IntRegisterType)
    rs2 = operand_def(IntRegisterType)
    rs1_out = result_def(IntRegisterType)
    immediate = attr_def(IntegerAttr)

    traits = traits_def(MemoryWriteEffect())

    def __init__(
        self,
        rs1: Operation | SSAValue,
        rs2: Operation | SSAValue,
        immediate: int | IntegerAttr,
    ) -> None:
        if isinstance(immediate, int):
            immediate = IntegerAttr(immediate, si12)
        super().__init__(
            operands=[rs1, rs2],
            result_types=[Registers.UNALLOCATED_INT],
            attributes={"immediate": immediate},
        )

    @property
    def tied_operand(self) -> SSAValue:
        return self.rs1

    @property
    def tied_result(self) -> OpResult:
        return self.rs1_out

    def assembly_line_args(self) -> tuple[AssemblyInstructionArg, ...]:
        assert isinstance(self.rs1.type, IntRegisterType)
        return self.rs2, f"({self.rs1.type.register_name.data})", self.immediate

    @classmethod
    def custom_parse_attributes(cls, parser: Parser) -> dict[str, Attribute]:
        return {"immediate": parse_immediate_value(parser, si12)}

    def custom_print_attributes(self, printer: Printer) -> AbstractSet[str]:
        printer.print_string(", ")
        print_immediate_value(printer, self.immediate)
        return {"immediate"}


# endregion
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
        body: object,
        exit: object,
    ) -> None:
        super().__init__(operands=[body_arguments], successors=[body, exit])  # pyright: ignore

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
# region BF16 scalars


@irdl_op_definition
class FLoadHalfOp(RdRsImmFloatOperation):
    """`flh rd, imm(rs1)`: load 16 bits, NaN-boxed."""

    name = "xpulp.flh"

    traits = traits_def(MemoryReadEffect())


@irdl_op_definition
class FStoreHalfOp(RsRsImmFloatOperation):
    """`fsh rs2, imm(rs1)`: store the low 16 bits."""

    name = "xpulp.fsh"

    traits = traits_def(MemoryWriteEffect())


@irdl_op_definition
class FCvtSBf16Op(UnaryFloat):
    """BF16 to F32, exact."""

    name = "xpulp.fcvt.s.bf16"


@irdl_op_definition
class FCvtBf16SOp(UnaryFloat):
    """F32 to BF16, round to nearest even."""

    name = "xpulp.fcvt.bf16.s"


@irdl_op_definition
class FAddAhOp(BinaryFloat):
    """BF16 sum, one rounding."""

    name = "xpulp.fadd.ah"


@irdl_op_definition
class FSubAhOp(BinaryFloat):
    """BF16 difference, one rounding."""

    name = "xpulp.fsub.ah"


@irdl_op_definition
class FMulAhOp(BinaryFloat):
    """BF16 product, one rounding."""

    name = "xpulp.fmul.ah"


@irdl_op_definition
class FMinAhOp(BinaryFloat):
    """BF16 minimum; a NaN loses."""

    name = "xpulp.fmin.ah"


@irdl_op_definition
class FMaxAhOp(BinaryFloat):
    """BF16 maximum; a NaN loses."""

    name = "xpulp.fmax.ah"


@irdl_op_definition
class FSgnjAhOp(BinaryFloat):
    """rs1 with rs2's sign."""

    name = "xpulp.fsgnj.ah"


@irdl_op_definition
class FSgnjnAhOp(BinaryFloat):
    """rs1 with the opposite of rs2's sign."""

    name = "xpulp.fsgnjn.ah"


@irdl_op_definition
class FSgnjxAhOp(BinaryFloat):
    """rs1 with its sign flipped where rs2 is negative."""

    name = "xpulp.fsgnjx.ah"


@irdl_op_definition
class FDivAhOp(BinaryFloat):
    """BF16 quotient, one rounding."""

    name = "xpulp.fdiv.ah"


@irdl_op_definition
class FSqrtAhOp(UnaryFloat):
    """BF16 square root, one rounding."""

    name = "xpulp.fsqrt.ah"


@irdl_op_definition
class FMvXHOp(RdRsOperation[IntRegisterType, FloatRegisterType]):
    """The bits of a BF16 value, sign-extended."""

    name = "xpulp.fmv.x.h"

    traits = traits_def(Pure())


@irdl_op_definition
class FMvHXOp(RdRsOperation[FloatRegisterType, IntRegisterType]):
    """The low 16 bits as a BF16 value, NaN-boxed."""

    name = "xpulp.fmv.h.x"

    traits = traits_def(Pure())


@irdl_op_definition
class FCvtAhWOp(RdRsOperation[FloatRegisterType, IntRegisterType]):
    """A signed integer rounded to BF16."""

    name = "xpulp.fcvt.ah.w"

    traits = traits_def(Pure())


@irdl_op_definition
class FCvtAhWuOp(RdRsOperation[FloatRegisterType, IntRegisterType]):
    """An unsigned integer rounded to BF16."""

    name = "xpulp.fcvt.ah.wu"

    traits = traits_def(Pure())


@irdl_op_definition
class FMAddAhOp(RdRsRsRsFloatOperation):
    """rs1 * rs2 + rs3 in BF16, one rounding."""

    name = "xpulp.fmadd.ah"

    traits = traits_def(Pure())


@irdl_op_definition
class FEqAhOp(CompareFloat):
    """1 where the BF16 values are equal."""

    name = "xpulp.feq.ah"


@irdl_op_definition
class FLtAhOp(CompareFloat):
    """1 where rs1 < rs2 (BF16)."""

    name = "xpulp.flt.ah"


@irdl_op_definition
class FLeAhOp(CompareFloat):
    """1 where rs1 <= rs2 (BF16)."""

    name = "xpulp.fle.ah"


# endregion
# region Packed 2 x BF16


@irdl_op_definition
class VFAddAhOp(BinaryFloat):
    """Element-wise BF16 sum."""

    name = "xpulp.vfadd.ah"


@irdl_op_definition
class VFSubAhOp(BinaryFloat):
    """Element-wise BF16 difference."""

    name = "xpulp.vfsub.ah"


@irdl_op_definition
class VFMulAhOp(BinaryFloat):
    """Element-wise BF16 product."""

    name = "xpulp.vfmul.ah"


@irdl_op_definition
class VFMinAhOp(BinaryFloat):
    """Element-wise BF16 minimum; a NaN loses."""

    name = "xpulp.vfmin.ah"


@irdl_op_definition
class VFMaxAhOp(BinaryFloat):
    """Element-wise BF16 maximum; a NaN loses."""

    name = "xpulp.vfmax.ah"


@irdl_op_definition
class VFSgnjAhOp(BinaryFloat):
    """Element-wise rs1 with rs2's sign."""

    name = "xpulp.vfsgnj.ah"


@irdl_op_definition
class VFSgnjnAhOp(BinaryFloat):
    """Element-wise rs1 with the opposite of rs2's sign."""

    name = "xpulp.vfsgnjn.ah"


@irdl_op_definition
class VFSgnjxAhOp(BinaryFloat):
    """Element-wise rs1 with its sign flipped where rs2 is negative."""

    name = "xpulp.vfsgnjx.ah"


@irdl_op_definition
class VFMacAhOp(AccumulateFloat):
    """rd += rs1 * rs2, element-wise BF16, one rounding."""

    name = "xpulp.vfmac.ah"


@irdl_op_definition
class VFDivAhOp(BinaryFloat):
    """Element-wise BF16 quotient."""

    name = "xpulp.vfdiv.ah"


@irdl_op_definition
class VFSqrtAhOp(UnaryFloat):
    """Element-wise BF16 square root."""

    name = "xpulp.vfsqrt.ah"


@irdl_op_definition
class VFAddRAhOp(BinaryFloat):
    """`vfadd.ah` with rs2's low half for both elements."""

    name = "xpulp.vfadd.r.ah"


@irdl_op_definition
class VFSubRAhOp(BinaryFloat):
    """`vfsub.ah` with rs2's low half for both elements."""

    name = "xpulp.vfsub.r.ah"


@irdl_op_definition
class VFMulRAhOp(BinaryFloat):
    """`vfmul.ah` with rs2's low half for both elements."""

    name = "xpulp.vfmul.r.ah"


@irdl_op_definition
class VFDivRAhOp(BinaryFloat):
    """`vfdiv.ah` with rs2's low half for both elements."""

    name = "xpulp.vfdiv.r.ah"


@irdl_op_definition
class VFMinRAhOp(BinaryFloat):
    """`vfmin.ah` with rs2's low half for both elements."""

    name = "xpulp.vfmin.r.ah"


@irdl_op_definition
class VFMaxRAhOp(BinaryFloat):
    """`vfmax.ah` with rs2's low half for both elements."""

    name = "xpulp.vfmax.r.ah"


@irdl_op_definition
class VFSgnjRAhOp(BinaryFloat):
    """`vfsgnj.ah` with rs2's low half for both elements."""

    name = "xpulp.vfsgnj.r.ah"


@irdl_op_definition
class VFMacRAhOp(AccumulateFloat):
    """`vfmac.ah` with rs2's low half for both elements."""

    name = "xpulp.vfmac.r.ah"


@irdl_op_definition
class FMacExSAhOp(AccumulateFloat):
    """rd = rs1 * rs2 + rd, BF16 factors and F32 sum, rounded once."""

    name = "xpulp.fmacex.s.ah"


@irdl_op_definition
class VFCpkaAhSOp(BinaryFloat):
    """
    rd[0] = BF16(rs1), rd[1] = BF16(rs2): two F32 values are rounded and packed (they fill a
    32-bit register).
    """

    name = "xpulp.vfcpka.ah.s"


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
        FLoadHalfOp,
        FStoreHalfOp,
        FCvtSBf16Op,
        FCvtBf16SOp,
        FAddAhOp,
        FSubAhOp,
        FMulAhOp,
        FMinAhOp,
        FMaxAhOp,
        FSgnjAhOp,
        FSgnjnAhOp,
        FSgnjxAhOp,
        FMAddAhOp,
        FEqAhOp,
        FLtAhOp,
        FLeAhOp,
        VFAddAhOp,
        VFSubAhOp,
        VFMulAhOp,
        VFMinAhOp,
        VFMaxAhOp,
        VFSgnjAhOp,
        VFSgnjnAhOp,
        VFSgnjxAhOp,
        VFMacAhOp,
        VFCpkaAhSOp,
        MinOp,
        MinuOp,
        MaxOp,
        MaxuOp,
        FDivAhOp,
        FSqrtAhOp,
        FMvXHOp,
        FMvHXOp,
        FCvtAhWOp,
        FCvtAhWuOp,
        VFDivAhOp,
        VFSqrtAhOp,
        VFAddRAhOp,
        VFSubRAhOp,
        VFMulRAhOp,
        VFDivRAhOp,
        VFMinRAhOp,
        VFMaxRAhOp,
        VFSgnjRAhOp,
        VFMacRAhOp,
        PackOp,
        PackHighOp,
        ExtendHalfOp,
        ExtendHalfUnsignedOp,
        ExtendByteOp,
        ExtendByteUnsignedOp,
    ],
)
