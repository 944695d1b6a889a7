"""Rotary positions: the two halves of every head turned by angles that grow with the position."""

from __future__ import annotations

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, result_def

from softex_mlir.dialects.transformer_base import BF16_TENSOR, TransformerOp, shape_of


@irdl_op_definition
class RotaryOp(TransformerOp):
    """``x * cosines + swapped(x) * sines`` of every head; `swapped` exchanges a head's halves.

    x and result: [M, heads * size], table: [M, 2 * size], a row's cosines, then its sines; those of
    the first half carry the minus sign, and a scale may be in both.

    Numerics: two products and their sum, each rounded to bf16, as the composition of
    `transformer.mul` and `transformer.add` is.
    """

    name = "transformer.rotary"

    x = operand_def(BF16_TENSOR)
    table = operand_def(BF16_TENSOR)
    result = result_def(BF16_TENSOR)

    assembly_format = "$x `,` $table attr-dict `:` type($x) `,` type($table) `->` type($result)"

    def __init__(
        self,
        x: SSAValue | Operation,
        table: SSAValue | Operation,
        *,
        layer: StringAttr | None = None,
    ):
        super().__init__(
            operands=[x, table],
            properties={"layer": layer},
            result_types=[SSAValue.get(x).type],
        )

    @property
    def head_size(self) -> int:
        """Columns of a head."""
        return shape_of(self.table)[1] // 2

    def verify_(self) -> None:
        x, table, result = shape_of(self.x), shape_of(self.table), shape_of(self.result)
        self.expect(len(x) == 2 and len(table) == 2, f"expects matrices, found {x} and {table}")
        self.expect(result == x, f"result must be {x}, found {result}")
        self.expect(table[0] == x[0], f"table must have {x[0]} rows, found {table[0]}")
        size = table[1] // 2
        self.expect(
            size > 0 and table[1] % 4 == 0,
            f"table must have the cosines and sines of two halves, found {table[1]} columns",
        )
        self.expect(x[1] % size == 0, f"x must have heads of {size} columns, found {x[1]} columns")
