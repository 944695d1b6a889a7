"""Loop nests of the general path, appended to the module: what handlers build from.

Elements are bf16, i32 and i1, and float32 for numbers computed from integers (positions, masks)
until they meet an activation: a rounded position or angle would be another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, bf16, f32, i32
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.generic_builder import (
    PARALLEL,
    REDUCTION,
    Body,
    Scalars,
    dimension_map,
    elementwise,
    generic,
    i1,
)
from softex_mlir.compiler.importers.onnx.types import FLOATS
from softex_mlir.compiler.importers.onnx.values import Value, check_width, element_of
from softex_mlir.dialects import transformer as t

if TYPE_CHECKING:
    from softex_mlir.compiler.importers.onnx.graph import Importer

BOOL = 9
"""ONNX's number of the boolean type."""


def nonzero(state: Importer, x: SSAValue) -> SSAValue:
    """Where integers are not 0, as booleans."""
    return state.emit_all(elementwise([x], i1, lambda e, v: e.nonzero(v[0]), layer=state.layer))


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
    found = [v for v in values if isinstance(v, SSAValue)]
    wide = bool(found) and all(element_of(v) != bf16 for v in found)
    operands: list[SSAValue] = []
    numbers: dict[int, float | int] = {}
    shapes: list[tuple[int, ...]] = [tuple(shape)]
    for position, value in enumerate(values):
        if isinstance(value, np.ndarray) and value.size and (value == value.flat[0]).all():
            check_width(value)
            numbers[position] = value.flat[0].item() if wide else held_in_bf16(value.flat[0].item())
            shapes.append(value.shape)
        else:
            operands.append(state.tensor(value, wide=wide))
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
    return state.emit_all(elementwise(operands, element, complete, shape=result, layer=state.layer))


def of_one_type(state: Importer, parts: list[SSAValue]) -> list[SSAValue]:
    """Activations of one element type: bf16 where float32 meets it."""
    kinds = {element_of(part) for part in parts}
    return [state.narrowed(part) for part in parts] if len(kinds) > 1 else parts


def held_in_bf16(number: float) -> float:
    """Finite numbers beyond bf16 stay finite: rounding makes -inf of the lowest float32."""
    if isinstance(number, float) and isfinite(number):
        return min(max(number, t.MASKED), -t.MASKED)
    return number


Expressions = Sequence[AffineExpr]


def loops(count: int) -> list[AffineExpr]:
    """The loops of a nest as index expressions."""
    return [AffineExpr.dimension(d) for d in range(count)]


def nest(
    state: Importer,
    inputs: Sequence[tuple[SSAValue, Expressions]],
    results: Sequence[tuple[Sequence[int], Attribute, Expressions]],
    kinds: str,
    body: Body,
    initial: Sequence[float | int] = (),
) -> list[SSAValue]:
    """A loop nest by index expressions.

    Args:
        inputs: operands, and where an iteration reads them.
        results: shape, element type, and where an iteration writes.
        kinds: a letter a loop, p: parallel, r: reduction.
        initial: where accumulators start.
    """
    count = len(kinds)
    operations = generic(
        [value for value, _ in inputs],
        [dimension_map(count, place) for _, place in inputs],
        [(shape, element, dimension_map(count, place)) for shape, element, place in results],
        [PARALLEL if kind == "p" else REDUCTION for kind in kinds],
        body,
        initial=initial,
        layer=state.layer,
    )
    state.block.add_ops(operations)
    return list(operations[-1].results)


def loop_index(e: F32, loop: int) -> SSAValue:
    """The number of a loop's iteration, as an integer."""
    return e.insert(arith.IndexCastOp(e.insert(linalg_ops.IndexOp(loop)), i32))


def both(e: F32, a: SSAValue, b: SSAValue) -> SSAValue:
    """Conjunction."""
    return e.insert(arith.AndIOp(a, b))


def either(e: F32, a: SSAValue, b: SSAValue) -> SSAValue:
    """Disjunction."""
    return e.insert(arith.OrIOp(a, b))


def same(e: F32, a: SSAValue, b: SSAValue) -> SSAValue:
    """Whether integers are equal."""
    return e.insert(arith.CmpiOp(a, b, "eq"))


def from_front(e: F32, index: SSAValue, size: SSAValue | int) -> SSAValue:
    """An index of which negative ones count from the end."""
    negative = e.insert(arith.CmpiOp(index, e.integer(0), "slt"))
    return e.select(negative, e.int_add(index, size), index)


def opposite(e: F32, a: SSAValue) -> SSAValue:
    """Negation of a boolean."""
    return e.insert(arith.XOrIOp(a, truth(e, True)))


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
