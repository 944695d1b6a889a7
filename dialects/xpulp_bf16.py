"""
The BF16 instructions of `xpulp`: scalars (`Zfbfmin`, FPnew's `Xfalthalf`) and packed 2 x BF16
SIMD (`Xfvecalthalf`).
"""

from __future__ import annotations

from xdsl.dialects.riscv.abstract_ops import (
    RdRsImmFloatOperation,
    RdRsOperation,
    RdRsRsRsFloatOperation,
    RsRsImmFloatOperation,
)
from xdsl.dialects.riscv.registers import FloatRegisterType, IntRegisterType
from xdsl.irdl import (
    irdl_op_definition,
    traits_def,
)
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, Pure

from softex_mlir.dialects.xpulp_base import (
    AccumulateFloat,
    BinaryFloat,
    CompareFloat,
    UnaryFloat,
)

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
class VFDotpexSAhOp(AccumulateFloat):
    """rd = rs1[1] * rs2[1] + (rs1[0] * rs2[0] + rd), BF16 factors and F32 sums, rounded twice."""

    name = "xpulp.vfdotpex.s.ah"


@irdl_op_definition
class VFCpkaAhSOp(BinaryFloat):
    """
    rd[0] = BF16(rs1), rd[1] = BF16(rs2): two F32 values are rounded and packed (they fill a
    32-bit register).
    """

    name = "xpulp.vfcpka.ah.s"


# endregion

BF16_OPERATIONS = [
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
    FDivAhOp,
    FSqrtAhOp,
    FMvXHOp,
    FMvHXOp,
    FCvtAhWOp,
    FCvtAhWuOp,
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
    VFDotpexSAhOp,
    VFCpkaAhSOp,
]
"""All of them."""
