"""`transformer` operations that exist only between an importer and fusion (the graph form).

Exporters spell GELU, layer norm and guards against NaN with these; the fusion passes recognise the
spellings. What remains of them after fusion has no implementation on the cluster and is reported.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    BFloat16Type,
    FloatAttr,
    StringAttr,
    TensorType,
    UnitAttr,
    f64,
)
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def

from softex_mlir.dialects.transformer_base import (
    BF16_TENSOR,
    INT_ARRAY,
    TransformerOp,
    ints,
    shape_of,
)
from softex_mlir.dialects.transformer_elementwise import BinaryOp, UnaryOp, broadcast


@irdl_op_definition
class SplatOp(TransformerOp):
    """A constant tensor whose elements are all equal, such as the 0.5 of a spelled-out GELU."""

    name = "transformer.splat"

    value = prop_def(FloatAttr)
    result = result_def(BF16_TENSOR)

    assembly_format = "attr-dict `:` type($result)"

    def __init__(self, value: float, shape: Sequence[int] = ()):
        super().__init__(
            properties={"value": FloatAttr(value, f64)},
            result_types=[TensorType(BFloat16Type(), shape)],
        )


@irdl_op_definition
class DivOp(BinaryOp):
    """``lhs / rhs``."""

    name = "transformer.div"


@irdl_op_definition
class PowOp(BinaryOp):
    """``lhs ** rhs``."""

    name = "transformer.pow"


@irdl_op_definition
class SoftplusOp(UnaryOp):
    """``ln(1 + exp(x))``."""

    name = "transformer.softplus"


@irdl_op_definition
class SqrtOp(UnaryOp):
    """Square root."""

    name = "transformer.sqrt"


@irdl_op_definition
class ErfOp(UnaryOp):
    """The error function."""

    name = "transformer.erf"


@irdl_op_definition
class NanToZeroOp(UnaryOp):
    """NaN becomes 0: PyTorch's guard behind a softmax whose row may be masked entirely."""

    name = "transformer.nan_to_zero"


@irdl_op_definition
class MaskFillOp(TransformerOp):
    """``x``, and `fill` where the mask is set: elements of `mask` are 0 or very negative (set)."""

    name = "transformer.mask_fill"

    x = operand_def(BF16_TENSOR)
    mask = operand_def(BF16_TENSOR)
    fill = prop_def(FloatAttr)
    result = result_def(BF16_TENSOR)

    assembly_format = "$x `,` $mask attr-dict `:` type($x) `,` type($mask) `->` type($result)"

    def __init__(self, x: SSAValue | Operation, mask: SSAValue | Operation, fill: float):
        shape = broadcast(shape_of(x), shape_of(mask)) or ()
        super().__init__(
            operands=[x, mask],
            properties={"fill": FloatAttr(fill, f64)},
            result_types=[TensorType(BFloat16Type(), shape)],
        )

    def verify_(self) -> None:
        x, mask, result = shape_of(self.x), shape_of(self.mask), shape_of(self.result)
        self.expect(result == broadcast(x, mask), f"{x} and {mask} do not broadcast to {result}")


@irdl_op_definition
class ReduceMeanOp(TransformerOp):
    """Mean over `axes`; the reduced dimensions stay with size 1 if `keep` is present."""

    name = "transformer.reduce_mean"

    x = operand_def(BF16_TENSOR)
    axes = prop_def(INT_ARRAY)
    keep = opt_prop_def(UnitAttr)
    result = result_def(BF16_TENSOR)

    assembly_format = "$x attr-dict `:` type($x) `->` type($result)"

    def __init__(
        self,
        x: SSAValue | Operation,
        axes: Sequence[int],
        *,
        keep: bool = True,
        layer: StringAttr | None = None,
    ):
        shape = self.result_shape(shape_of(x), axes, keep)
        super().__init__(
            operands=[x],
            properties={"axes": ints(axes), "keep": UnitAttr() if keep else None, "layer": layer},
            result_types=[TensorType(BFloat16Type(), shape)],
        )

    @staticmethod
    def result_shape(x: tuple[int, ...], axes: Sequence[int], keep: bool) -> tuple[int, ...]:
        """Shape after the reduction."""
        if keep:
            return tuple(1 if i in axes else n for i, n in enumerate(x))
        return tuple(n for i, n in enumerate(x) if i not in axes)

    def verify_(self) -> None:
        x, axes = shape_of(self.x), [int(a) for a in self.axes.get_values()]
        self.expect(all(0 <= a < len(x) for a in axes), f"axes {axes} out of range for {x}")
        expected = self.result_shape(x, axes, self.keep is not None)
        self.expect(shape_of(self.result) == expected, f"result must be {expected}")


@irdl_op_definition
class ExpandOp(TransformerOp):
    """Repeat dimensions of size 1 (numpy's ``broadcast_to``)."""

    name = "transformer.expand"

    x = operand_def(BF16_TENSOR)
    result = result_def(BF16_TENSOR)

    assembly_format = "$x attr-dict `:` type($x) `->` type($result)"

    def __init__(
        self,
        x: SSAValue | Operation,
        shape: Sequence[int],
        *,
        layer: StringAttr | None = None,
    ):
        super().__init__(
            operands=[x],
            properties={"layer": layer},
            result_types=[TensorType(BFloat16Type(), shape)],
        )

    def verify_(self) -> None:
        x, result = shape_of(self.x), shape_of(self.result)
        padded = (1,) * (len(result) - len(x)) + x
        self.expect(
            len(padded) == len(result)
            and all(a in (1, b) for a, b in zip(padded, result, strict=True)),
            f"{x} does not expand to {result}",
        )


GRAPH_FUNCTIONS: tuple[type[UnaryOp], ...] = (SqrtOp, ErfOp, NanToZeroOp, SoftplusOp)
"""Functions without a kernel of their own: loop nests run them."""
