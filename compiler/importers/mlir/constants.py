"""Elements that a text states: attributes as arrays, types as numpy's."""

from __future__ import annotations

from typing import Any, cast

import ml_dtypes
import numpy as np
from xdsl.dialects.builtin import (
    BFloat16Type,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    DenseResourceAttr,
    Float16Type,
    Float32Type,
    Float64Type,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    TensorType,
    VectorType,
)
from xdsl.ir import Attribute, SSAValue

from softex_mlir.compiler.importers.mlir.graph import Array, Shape, Unreadable

FLOATS: dict[type[Attribute], np.dtype[Any]] = {
    Float16Type: np.dtype(np.float16),
    BFloat16Type: np.dtype(ml_dtypes.bfloat16),
    Float32Type: np.dtype(np.float32),
    Float64Type: np.dtype(np.float64),
}
BITS = (8, 16, 32, 64)


def width_of(element: Attribute) -> int | None:
    """Bits of an integer type; None of any other."""
    return (
        cast("int", cast("Any", element).width.data) if isinstance(element, IntegerType) else None
    )


def dtype_of(element: Attribute) -> np.dtype[Any]:
    """The numpy type of elements of a type.

    Raises:
        Unreadable: there is none.
    """
    if type(element) in FLOATS:
        return FLOATS[type(element)]
    if isinstance(element, IndexType):
        return np.dtype(np.int64)
    width = width_of(element)
    if width is not None:
        if width == 1:
            return np.dtype(np.bool_)
        if width in BITS:
            return np.dtype(f"{'u' if str(element).startswith('u') else ''}int{width}")
    raise Unreadable(f"elements of type {element} are not supported")


def element_of(kind: Attribute) -> Attribute:
    """Element type of a tensor, or the type of a single number."""
    if isinstance(kind, TensorType | VectorType):
        return cast("Attribute", cast("Any", kind).element_type)
    return kind


def shape_of(value: SSAValue | Attribute) -> Shape:
    """The static shape of a tensor; () of a single number.

    Raises:
        Unreadable: a dimension is dynamic.
    """
    kind = value.type if isinstance(value, SSAValue) else value
    if not isinstance(kind, TensorType | VectorType):
        return ()
    shape = kind.get_shape()
    if any(n < 0 for n in shape):
        raise Unreadable(f"expected static shapes, found {kind}: export the model for fixed sizes")
    return tuple(shape)


def array_of(attribute: Attribute | None) -> Array:
    """The elements of an attribute.

    Raises:
        Unreadable: it has none that are known.
    """
    if isinstance(attribute, FloatAttr | IntegerAttr):
        number = cast("Any", attribute)
        return np.array(number.value.data, dtype_of(number.type))
    if isinstance(attribute, DenseResourceAttr):
        name = attribute.resource_handle.data
        raise Unreadable(
            f"the data of dense_resource<{name}> is not in the file: print the module without "
            "eliding resources"
        )
    if not isinstance(attribute, DenseIntOrFPElementsAttr):
        raise Unreadable(f"expected elements, found {attribute}")
    elements = cast("Any", attribute)
    shape = elements.get_shape()
    found = np.frombuffer(elements.data.data, dtype_of(elements.get_element_type()))
    return np.broadcast_to(found.reshape(()), shape) if found.size == 1 else found.reshape(shape)


def integer(attribute: Attribute | None) -> int:
    """The number in an attribute.

    Raises:
        Unreadable: it is none.
    """
    if isinstance(attribute, IntegerAttr):
        return int(cast("Any", attribute).value.data)
    found = integers(attribute)
    if len(found) != 1:
        raise Unreadable(f"expected an integer, found {attribute}")
    return found[0]


def integers(attribute: Attribute | None) -> Shape:
    """A list of integers, however it is written.

    Raises:
        Unreadable: it is none.
    """
    if isinstance(attribute, DenseArrayBase):
        return tuple(int(v) for v in cast("Any", attribute).get_values())
    if isinstance(attribute, DenseIntOrFPElementsAttr):
        return tuple(int(v) for v in array_of(cast("Attribute", attribute)).reshape(-1))
    data: object = getattr(attribute, "data", None)
    if not isinstance(data, tuple) or isinstance(attribute, IntegerAttr):
        raise Unreadable(f"expected a list of integers, found {attribute}")
    return tuple(integer(one) for one in cast("tuple[Attribute, ...]", data))
