"""What every `transformer` operation shares: tensor types, the layer name, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from xdsl.dialects.builtin import (
    I32,
    BFloat16Type,
    DenseArrayBase,
    IntegerAttr,
    IntegerType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
    f32,
    i64,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    AnyOf,
    BaseAttr,
    EqAttrConstraint,
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from softex_mlir.arithmetic import round_up

Bf16Tensor: TypeAlias = TensorType[BFloat16Type]
IdTensor: TypeAlias = TensorType[I32]
AnyTensor: TypeAlias = TensorType[Attribute]

BF16_TENSOR = TensorType.constr(BFloat16Type())
ID_TENSOR = TensorType.constr(I32)
ANY_TENSOR = TensorType.constr(
    AnyOf((EqAttrConstraint(BFloat16Type()), EqAttrConstraint(f32), BaseAttr(IntegerType)))
)

MASKED = -3.3895313892515355e38
"""Additive mask of a key that must not be attended to: the lowest finite bf16 (0xFF7F).

Finite on purpose: a row whose first beat is all -inf comes out of SoftEx as NaN, a row of lowest
values does not. -inf is kept for the columns that pad the keys.
"""


INNER_UNIT = 32
"""Inner dimensions of products are padded with zeros to a multiple of this, if no machine asks for
another one (`pad-inner`)."""


def padded_keys(keys: int) -> int:
    """Columns of a score row of `keys` keys: whole SoftEx beats, and whole lines of RedMulE."""
    return round_up(keys, 32)


def inner_step(unit: IntegerAttr | None) -> int:
    """What an inner dimension is padded with zeros to a multiple of."""
    return INNER_UNIT if unit is None else unit.value.data


def shape_of(value: SSAValue | Operation) -> tuple[int, ...]:
    """Shape of a tensor value."""
    kind = SSAValue.get(value).type
    assert isinstance(kind, TensorType)
    return kind.get_shape()


IntArray: TypeAlias = DenseArrayBase[IntegerType]
INT_ARRAY = DenseArrayBase.constr(i64)


def ints(values: Sequence[int]) -> IntArray:
    """`array<i64: ...>`, the form of all shape-like properties."""
    return DenseArrayBase[IntegerType].from_list(i64, list(values))


def expect_same_elements(op: TransformerOp, result: SSAValue, *operands: SSAValue) -> None:
    """Fail verification where elements that are only moved would change their type."""
    kinds = [SSAValue.get(value, type=TensorType).type for value in (result, *operands)]
    elements = {str(kind.get_element_type()) for kind in kinds}
    op.expect(len(elements) == 1, f"moves elements as they are, found {sorted(elements)}")


def expect_unit(op: TransformerOp, unit: IntegerAttr | None) -> None:
    """Fail verification unless an operation's `inner_unit` is one."""
    step = inner_step(unit)
    op.expect(
        step > 0 and step % INNER_UNIT == 0,
        f"inner_unit must be a positive multiple of {INNER_UNIT}, found {step}",
    )


class TransformerOp(IRDLOperation):
    """What all computing operations share: no side effects, a layer name and a unit."""

    layer = opt_prop_def(StringAttr)
    """Path of the module the operation came from, such as ``encoder.layer.0.mlp.fc1``."""

    unit = opt_prop_def(StringAttr)
    """Units executing it, joined by ``+``: redmule, softex, cores, dma, none (a view)."""

    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def expect(self, condition: bool, message: str) -> None:
        """Fail verification with `message` unless `condition` holds."""
        if not condition:
            raise VerifyException(f"{self.name}: {message}")


@irdl_op_definition
class WeightOp(IRDLOperation):
    """A named parameter. Its data is in the weight store under the same name, never in the IR."""

    name = "transformer.weight"

    sym_name = prop_def(SymbolNameConstraint())
    type = prop_def(TensorType)

    traits = traits_def(SymbolOpInterface())
    assembly_format = "$sym_name attr-dict `:` $type"

    def __init__(self, name: str, kind: AnyTensor):
        super().__init__(properties={"sym_name": StringAttr(name), "type": kind})


@irdl_op_definition
class GetWeightOp(IRDLOperation):
    """The value of a `transformer.weight`."""

    name = "transformer.get_weight"

    weight = prop_def(SymbolRefAttr)
    result = result_def(ANY_TENSOR)

    traits = traits_def(Pure())
    assembly_format = "$weight attr-dict `:` type($result)"

    def __init__(self, name: str, kind: AnyTensor):
        super().__init__(properties={"weight": SymbolRefAttr(name)}, result_types=[kind])
