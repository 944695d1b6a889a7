"""
Operations of `xpulp` on values, before registers are chosen: what the cores compute in one
instruction and no standard dialect can say.
"""

from __future__ import annotations

from xdsl.dialects.builtin import BFloat16Type, VectorType, bf16, f32
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure

PAIR: VectorType[BFloat16Type] = VectorType(bf16, (2,))
"""Two BF16 values in one register, the lower address in the lower half."""


@irdl_op_definition
class DotOp(IRDLOperation):
    """
    The dot product of two pairs of BF16 values, added to an F32 value: `fma(x[1], y[1],
    fma(x[0], y[0], accumulator))`, each rounded to F32.
    """

    name = "xpulp.dot"

    x = operand_def(PAIR)
    y = operand_def(PAIR)
    accumulator = operand_def(f32)
    result = result_def(f32)

    traits = traits_def(Pure())

    assembly_format = "$x `,` $y `,` $accumulator attr-dict"

    def __init__(
        self,
        x: Operation | SSAValue,
        y: Operation | SSAValue,
        accumulator: Operation | SSAValue,
    ) -> None:
        super().__init__(operands=[x, y, accumulator], result_types=[f32])
