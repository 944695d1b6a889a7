"""Elementwise `transformer` operations: two operands with broadcasting, and functions of one."""

from __future__ import annotations

from xdsl.dialects.builtin import BFloat16Type, StringAttr, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, result_def

from softex_mlir.dialects.transformer_base import BF16_TENSOR, TransformerOp, shape_of


def broadcast(lhs: tuple[int, ...], rhs: tuple[int, ...]) -> tuple[int, ...] | None:
    """Result shape of an elementwise operation, None if the shapes do not fit.

    numpy's rule, and one more for two matrices of equal width: the rows of rhs repeat, row r of lhs
    meets row ``r % rows`` of rhs (position embeddings on a flattened batch).
    """
    if len(lhs) == len(rhs) == 2 and lhs[1] == rhs[1] and lhs[0] % max(rhs[0], 1) == 0:
        return lhs
    rank = max(len(lhs), len(rhs))
    a = (1,) * (rank - len(lhs)) + lhs
    b = (1,) * (rank - len(rhs)) + rhs
    if any(x != y and 1 not in (x, y) for x, y in zip(a, b, strict=True)):
        return None
    return tuple(max(x, y) if 0 not in (x, y) else 0 for x, y in zip(a, b, strict=True))


class BinaryOp(TransformerOp):
    """An elementwise operation of two tensors, one bf16 rounding an element.

    Fused form: lhs and result [M, K]; rhs [M, K], [R, K] with R dividing M (its rows repeat), or
    [K]. Graph form: numpy's broadcasting.
    """

    lhs = operand_def(BF16_TENSOR)
    rhs = operand_def(BF16_TENSOR)
    result = result_def(BF16_TENSOR)

    assembly_format = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)"

    def __init__(
        self,
        lhs: SSAValue | Operation,
        rhs: SSAValue | Operation,
        *,
        layer: StringAttr | None = None,
    ):
        shape = broadcast(shape_of(lhs), shape_of(rhs))
        if shape is None:
            raise ValueError(f"{self.name}: {shape_of(lhs)} and {shape_of(rhs)} do not broadcast")
        super().__init__(
            operands=[lhs, rhs],
            properties={"layer": layer},
            result_types=[TensorType(BFloat16Type(), shape)],
        )

    def verify_(self) -> None:
        lhs, rhs, result = shape_of(self.lhs), shape_of(self.rhs), shape_of(self.result)
        expected = broadcast(lhs, rhs)
        self.expect(expected is not None, f"shapes {lhs} and {rhs} do not broadcast")
        self.expect(result == expected, f"result must be {expected}, found {result}")


@irdl_op_definition
class AddOp(BinaryOp):
    """``lhs + rhs``."""

    name = "transformer.add"


@irdl_op_definition
class SubOp(BinaryOp):
    """``lhs - rhs``."""

    name = "transformer.sub"


@irdl_op_definition
class MulOp(BinaryOp):
    """``lhs * rhs``."""

    name = "transformer.mul"


class UnaryOp(TransformerOp):
    """An elementwise function; x and result have the same shape, [M, K] in the fused form."""

    x = operand_def(BF16_TENSOR)
    result = result_def(BF16_TENSOR)

    assembly_format = "$x attr-dict `:` type($x) `->` type($result)"

    def __init__(self, x: SSAValue | Operation, *, layer: StringAttr | None = None):
        super().__init__(
            operands=[x], properties={"layer": layer}, result_types=[SSAValue.get(x).type]
        )

    def verify_(self) -> None:
        self.expect(self.x.type == self.result.type, "operand and result types must be equal")


@irdl_op_definition
class GeluOp(UnaryOp):
    """GELU through the error function: `numerics.gelu.gelu` (SoftEx sum of exponentials)."""

    name = "transformer.gelu"


@irdl_op_definition
class GeluTanhOp(UnaryOp):
    """The tanh form of GELU. It differs from the erf form by less than SoftEx's approximation of
    either, so the same hardware path executes it: bit for bit the same as `transformer.gelu`."""

    name = "transformer.gelu_tanh"


@irdl_op_definition
class ReluOp(UnaryOp):
    """``max(x, 0)``."""

    name = "transformer.relu"


@irdl_op_definition
class TanhOp(UnaryOp):
    """Hyperbolic tangent: `numerics.rowwise.tanh`."""

    name = "transformer.tanh"


@irdl_op_definition
class SiluOp(UnaryOp):
    """``x * sigmoid(x)``: `numerics.gelu.silu`."""

    name = "transformer.silu"


@irdl_op_definition
class SigmoidOp(UnaryOp):
    """``1 / (1 + exp(-x))``: `numerics.rowwise.sigmoid`."""

    name = "transformer.sigmoid"


@irdl_op_definition
class ExpOp(UnaryOp):
    """Exponential: `numerics.rowwise.exp`."""

    name = "transformer.exp"


FUNCTIONS: tuple[type[UnaryOp], ...] = (
    GeluOp,
    GeluTanhOp,
    ReluOp,
    TanhOp,
    SiluOp,
    SigmoidOp,
    ExpOp,
)
"""Functions with a kernel, which linear layers can apply to their result."""


@irdl_op_definition
class SoftmaxOp(UnaryOp):
    """Softmax over each row (last dimension).

    Numerics: the row continues with -inf to `padded_keys` elements, then `numerics.softmax`. With
    SoftEx, the first element of a row whose first beat is -inf alone is the lowest finite value if
    an element behind is larger; rows that hold NaN or +inf, or -inf alone, are NaN.
    """

    name = "transformer.softmax"
