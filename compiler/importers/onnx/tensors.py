"""Loop nests of the general path, appended to the module: what handlers build from.

Elements are bf16, i32 and i1, and float32 for numbers computed from integers (positions, masks)
until they meet an activation: a rounded position or angle would be another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, bf16, f32, i32
from xdsl.ir import Attribute, Operation, SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import Body, Scalars, elementwise, i1
from softex_mlir.compiler.importers.onnx.types import FLOATS
from softex_mlir.compiler.importers.onnx.values import Value, element_of
from softex_mlir.dialects import transformer as t

if TYPE_CHECKING:
    from softex_mlir.compiler.importers.onnx.graph import Importer

BOOL = 9
"""ONNX's number of the boolean type."""


def emit(state: Importer, operations: Sequence[Operation]) -> SSAValue:
    """Append the operations of a loop nest; its first result."""
    state.block.add_ops(operations)
    return operations[-1].results[0]


def nonzero(state: Importer, x: SSAValue) -> SSAValue:
    """Where integers are not 0, as booleans."""
    return emit(state, elementwise([x], i1, lambda e, v: e.nonzero(v[0]), layer=state.layer))


def element_for(kind: int, operands: Sequence[SSAValue]) -> Attribute:
    """How a result of an ONNX element type is held, computed from operands."""
    if kind == BOOL:
        return i1
    if kind not in (0, *FLOATS):
        return i32
    found = [element_of(v) for v in operands]
    return f32 if found and bf16 not in found else bf16


def map_values(
    state: Importer,
    values: Sequence[Value],
    body: Body,
    kind: int = 0,
    *,
    shape: Sequence[int] = (),
) -> SSAValue:
    """A function of the elements of broadcast operands of any type.

    Args:
        values: operands; constants whose elements are all equal become numbers of the body.
        kind: ONNX element type of the result; 0 is floating point.
    """
    operands: list[SSAValue] = []
    numbers: dict[int, float | int] = {}
    shapes: list[tuple[int, ...]] = [tuple(shape)]
    for position, value in enumerate(values):
        if isinstance(value, np.ndarray) and value.size and (value == value.flat[0]).all():
            numbers[position] = value.flat[0].item()
            shapes.append(value.shape)
        else:
            operands.append(state.tensor(value))
            shapes.append(t.shape_of(operands[-1]))
    result = np.broadcast_shapes(*shapes)
    booleans = {
        position
        for position, value in enumerate(values)
        if isinstance(value, np.ndarray) and value.dtype == np.bool_
    }

    def complete(e: F32, found: Scalars) -> SSAValue | Sequence[SSAValue]:
        rest = iter(found)
        scalars: list[SSAValue] = []
        for position in range(len(values)):
            if position not in numbers:
                scalars.append(next(rest))
            elif position in booleans:
                scalars.append(truth(e, bool(numbers[position])))
            elif isinstance(number := numbers[position], int):
                scalars.append(e.integer(number))
            else:
                scalars.append(e.number(number))
        return body(e, tuple(scalars))

    element = element_for(kind, operands)
    return emit(state, elementwise(operands, element, complete, shape=result, layer=state.layer))


def truth(e: F32, value: bool) -> SSAValue:
    """A boolean constant."""
    return e.insert(arith.ConstantOp.from_int_and_width(int(value), 1))


def as_number(e: F32, x: SSAValue) -> SSAValue:
    """Any element as float32."""
    if x.type == i1:
        return e.insert(arith.UIToFPOp(x, f32))
    return x if isinstance(x.type, Float32Type) else e.to_float(x)


def as_integer(e: F32, x: SSAValue) -> SSAValue:
    """Any element as an integer; numbers are cut towards 0."""
    if x.type == i1:
        return e.insert(arith.ExtUIOp(x, i32))
    return e.to_int(x) if isinstance(x.type, Float32Type) else x


def as_truth(e: F32, x: SSAValue) -> SSAValue:
    """Any element as whether it is not 0."""
    if x.type == i1:
        return x
    return e.compare("une", x, 0.0) if isinstance(x.type, Float32Type) else e.nonzero(x)
