"""Memory spaces, and what the operations on memrefs check about them."""

from __future__ import annotations

from math import prod
from typing import Any, TypeAlias, cast

from xdsl.dialects.builtin import FixedBitwidthType, MemRefType, NoneAttr
from xdsl.ir import Attribute, ParametrizedAttribute, SSAValue
from xdsl.irdl import irdl_attr_definition
from xdsl.utils.exceptions import VerifyException

AnyMemRef: TypeAlias = MemRefType[Any]


@irdl_attr_definition
class L2Space(ParametrizedAttribute):
    """Background memory: weights, activations between kernels, inputs and outputs."""

    name = "cluster.l2"


@irdl_attr_definition
class TcdmSpace(ParametrizedAttribute):
    """The cluster's shared scratchpad, one cycle away from cores and accelerators."""

    name = "cluster.tcdm"


def memref_type(value: SSAValue) -> AnyMemRef:
    """The type of a value that is memory."""
    type_: Attribute = value.type
    if not isinstance(type_, MemRefType):
        raise VerifyException(f"expected memory, found {type_}")
    return cast(AnyMemRef, type_)


def space_of(type_: Attribute) -> type[Attribute] | None:
    """Class of the memory space of a type, None when it is no memory."""
    if not isinstance(type_, MemRefType):
        return None
    return type(cast(AnyMemRef, type_).memory_space)


def in_tcdm(type_: Attribute) -> bool:
    """Whether a type is a memref in the scratchpad."""
    return space_of(type_) is TcdmSpace


def in_l2(type_: Attribute) -> bool:
    """Whether a type is a memref in background memory."""
    return space_of(type_) is L2Space


def element_bytes(type_: AnyMemRef) -> int:
    """Bytes of one element."""
    element = type_.element_type
    if not isinstance(element, FixedBitwidthType):
        raise VerifyException(f"elements of {type_} have no fixed size")
    return element.size


def static_strides(type_: AnyMemRef) -> tuple[int, ...]:
    """Strides in elements, outermost first; all of them must be known."""
    strides = type_.get_strides()
    if strides is None or any(stride is None for stride in strides):
        raise VerifyException(f"expected static strides, found {type_}")
    return tuple(stride for stride in strides if stride is not None)


def footprint_bytes(type_: AnyMemRef) -> int:
    """Bytes from the first element to the end of the last one."""
    shape = type_.get_shape()
    if any(size <= 0 for size in shape):
        raise VerifyException(f"expected static, positive sizes, found {type_}")
    if isinstance(type_.layout, NoneAttr):
        return prod(shape) * element_bytes(type_)
    steps = zip(shape, static_strides(type_), strict=True)
    return (sum((size - 1) * stride for size, stride in steps) + 1) * element_bytes(type_)


def check_indices(operand: str, type_: AnyMemRef, count: int) -> None:
    """Start indices may leave out trailing dimensions, never name more than there are."""
    if count > type_.get_num_dims():
        raise VerifyException(
            f"{operand} has {count} start indices but its type {type_} only "
            f"{type_.get_num_dims()} dimensions"
        )


def check_tcdm(unit: str, operand: str, type_: Attribute) -> None:
    """Accelerators reach the scratchpad only."""
    if not in_tcdm(type_):
        raise VerifyException(
            f"{unit} reaches the TCDM only: {operand} must be in #cluster.tcdm, found {type_}"
        )


def check_dense_rows(
    unit: str, operand: str, type_: AnyMemRef, indices: int, rows: int, pitch: int
) -> None:
    """`rows` x `pitch` elements must follow the start indices without gaps.

    The dimensions without a start index are the operand. They are either a flat run of elements
    or end in a dimension of exactly `pitch`, because the unit has no stride registers.
    """
    free = type_.get_shape()[indices:]
    if not free:
        return
    if not isinstance(type_.layout, NoneAttr):
        dense = tuple(prod(free[i + 1 :]) for i in range(len(free)))
        if static_strides(type_)[indices:] != dense:
            raise VerifyException(
                f"{unit} has no stride registers: {operand} must be dense, found {type_}"
            )
    if len(free) > 1 and free[-1] != pitch:
        raise VerifyException(
            f"{unit} has no stride registers: rows of {operand} must be exactly {pitch} elements "
            f"long, found {free[-1]} in {type_}"
        )
    if prod(free) < rows * pitch:
        raise VerifyException(
            f"{unit} touches {rows} rows of {pitch} elements of {operand}, but only "
            f"{prod(free)} elements follow the start indices in {type_}"
        )


def check_run(unit: str, operand: str, type_: AnyMemRef, length: int) -> None:
    """`length` elements in one contiguous run must fit the operand."""
    shape = type_.get_shape()
    if isinstance(type_.layout, NoneAttr):
        room = prod(shape)
    elif static_strides(type_)[-1] == 1:
        room = 1
        for size, stride in zip(reversed(shape), reversed(static_strides(type_)), strict=True):
            if stride != room:
                break
            room *= size
    else:
        raise VerifyException(f"{unit} streams contiguous elements: {operand} is {type_}")
    if length > room:
        raise VerifyException(
            f"{unit} job of {length} elements exceeds {operand}, which holds {room} in a row"
        )
