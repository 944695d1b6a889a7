"""ONNX's Cast and CastLike.

Activations are BF16, of which every one of the narrower types' values is one: truncation, truth
and rounding to float8 are computed on numbers, and a result of another type is a `Discrete`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import helper
from xdsl.dialects import math
from xdsl.dialects.builtin import bf16
from xdsl.ir import SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32
from softex_mlir.compiler.importers.onnx.general import clipped, map_elements, map_numbers
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.logic import converted
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import operator
from softex_mlir.compiler.importers.onnx.types import FLOATS
from softex_mlir.compiler.importers.onnx.values import (
    Discrete,
    NanTest,
    Symbolic,
    Unsupported,
    Value,
    element_name,
    element_of,
)

_TENSOR = onnx.TensorProto


def _limits(kind: int) -> tuple[float, float]:
    found = np.iinfo(helper.tensor_dtype_to_np_dtype(kind))
    return float(found.min), float(found.max)


LIMITS: dict[int, tuple[float, float]] = {
    int(kind): _limits(kind)
    for kind in (
        _TENSOR.INT8,
        _TENSOR.UINT8,
        _TENSOR.INT16,
        _TENSOR.UINT16,
        _TENSOR.INT32,
        _TENSOR.INT64,
    )
}
"""Smallest and largest values. Beyond them ONNX leaves open what a cast gives; here it is them."""


@dataclass(frozen=True)
class FloatFormat:
    """A floating-point format of fewer bits than float32.

    Attributes:
        mantissa: bits of it.
        smallest: the smallest normal number.
        largest: the largest finite number.
        beyond: what larger numbers become unless they saturate.
        zero: whether there is a negative zero.
    """

    mantissa: int
    smallest: float
    largest: float
    beyond: float
    zero: bool


FLOAT8: dict[int, FloatFormat] = {
    _TENSOR.FLOAT8E4M3FN: FloatFormat(3, 2.0**-6, 448.0, np.nan, True),
    _TENSOR.FLOAT8E4M3FNUZ: FloatFormat(3, 2.0**-7, 240.0, np.nan, False),
    _TENSOR.FLOAT8E5M2: FloatFormat(2, 2.0**-14, 57344.0, np.inf, True),
    _TENSOR.FLOAT8E5M2FNUZ: FloatFormat(2, 2.0**-15, 57344.0, np.nan, False),
}
HALF = FloatFormat(10, 2.0**-14, 65504.0, np.inf, True)
"""float16."""


def truncated(e: F32, x: SSAValue) -> SSAValue:
    """x rounded towards zero."""
    below = e.insert(math.CeilOp(x))
    return e.select(e.compare("olt", x, 0.0), below, e.insert(math.FloorOp(x)))


def saturated(e: F32, x: SSAValue, target: int) -> SSAValue:
    """x as the nearest number of an integer type, towards zero."""
    return clipped(e, truncated(e, x), *LIMITS[target])


def nonzero(e: F32, x: SSAValue) -> SSAValue:
    """1 where x is not 0 (NaN included), else 0."""
    return e.select(e.compare("une", x, 0.0), e.number(1.0), e.number(0.0))


def rounded(e: F32, x: SSAValue, kind: FloatFormat, *, saturate: bool) -> SSAValue:
    """x in a narrower format, ties to even."""
    dropped = 23 - kind.mantissa
    bits = e.bits(x)
    odd = e.bit_and(e.shift_right(bits, dropped), 1)
    up = e.int_add(e.int_add(bits, (1 << (dropped - 1)) - 1), odd)
    normal = e.from_bits(e.bit_and(up, 0xFFFFFFFF << dropped & 0xFFFFFFFF))
    # Adding a large number leaves multiples of the smallest step.
    coarse = 1.5 * kind.smallest * 2.0 ** (23 - kind.mantissa)
    subnormal = e.copysign(e.plus(e.plus(e.magnitude(x), coarse), -coarse), x)
    small = e.compare("olt", e.magnitude(x), kind.smallest)
    found = e.select(small, subnormal, normal)
    limit = e.copysign(e.number(kind.largest if saturate else kind.beyond), x)
    found = e.select(e.compare("ogt", e.magnitude(found), kind.largest), limit, found)
    if not kind.zero:
        found = e.select(e.compare("oeq", found, 0.0), e.number(0.0), found)
    return e.select(e.compare("uno", x, x), x, found)


@operator(
    "Cast",
    "CastLike",
    note="between all types that activations have; to float8 where a cast back follows",
)
def cast(state: Importer, node: Node) -> list[Value]:
    value = node.input(0)
    saturate = bool(node.attribute("saturate", 1))
    node.attribute("round_mode")  # of a format that is refused below
    target = node.attribute("to") if node.kind == "Cast" else node.element_type(1)
    if node.kind == "CastLike":
        node.input(1)
    if isinstance(value, np.ndarray | Symbolic) and target in FLOATS:
        dtype = helper.tensor_dtype_to_np_dtype(target)
        if isinstance(value, np.ndarray):
            return [value.astype(dtype)]
        derived = state.derive([value], lambda arrays: arrays[0].astype(dtype))
        source, symbolic = node.element_type(0), value
        return [replace(derived, build=lambda: _as_float(state, node, symbolic, source, target))]
    if isinstance(value, NanTest):
        value = Discrete(_nan_test(state, value.of), _TENSOR.BOOL)
    if isinstance(value, Discrete):
        return [_from_discrete(state, value, target)]
    x = node.tensor(0)
    source = node.element_type(0)
    if element_of(x) != bf16 or target in FLOATS:
        if target in FLOAT8 and source in FLOATS:
            return [_as_float8(state, x, target, saturate=saturate)]
        if target in FLOAT8:
            raise Unsupported(f"{element_name(source)} as {element_name(target)}")
        if target in FLOATS:
            return [_as_float(state, node, x, source, target)]
        if source in FLOATS and target in LIMITS:
            x = map_numbers(state, [x], lambda e, v: saturated(e, v[0], target))
        return [converted(state, x, source, target)]
    if target == _TENSOR.BOOL:
        found = map_elements(state, [x], lambda e, v: nonzero(e, v[0]))
    elif target in LIMITS:
        found = map_elements(state, [x], lambda e, v: saturated(e, v[0], target))
    elif target in FLOAT8:
        return [_as_float8(state, x, target, saturate=saturate)]
    else:
        raise Unsupported(f"an activation as {element_name(target)}")
    return [Discrete(found, target)]


def _as_float8(state: Importer, x: SSAValue, target: int, *, saturate: bool) -> Discrete:
    kind = FLOAT8[target]
    found = map_elements(state, [x], lambda e, v: rounded(e, v[0], kind, saturate=saturate))
    return Discrete(found, target)


def _as_float(state: Importer, node: Node, value: Value, source: int, target: int) -> SSAValue:
    """Numbers rounded as their new type does where that shows.

    Activations are bf16, of which float16 has all but the large and the tiny ones. What computes in
    float16 is computed in bf16 from there on, and does not overflow.
    """
    x = converted(state, value, source, target)
    if target == _TENSOR.BFLOAT16:
        return state.narrowed(x)
    if target != _TENSOR.FLOAT16 or source == target:
        return x
    if node.proto.output[0] not in state.round_trips:
        state.note("float16 is computed as bfloat16: numbers beyond 65504 stay finite")
        return x
    return map_numbers(state, [x], lambda e, v: rounded(e, v[0], HALF, saturate=False))


def _nan_test(state: Importer, x: SSAValue) -> SSAValue:
    return map_elements(
        state,
        [x],
        lambda e, v: e.select(e.compare("uno", v[0], v[0]), e.number(1.0), e.number(0.0)),
    )


def _from_discrete(state: Importer, value: Discrete, target: int) -> Value:
    """A cast of integers, booleans or float8."""
    if target in FLOATS:
        return value.of
    if target == _TENSOR.BOOL:
        return Discrete(map_elements(state, [value.of], lambda e, v: nonzero(e, v[0])), target)
    if value.element not in FLOAT8 and target not in FLOAT8:
        return converted(state, value, value.element, target)
    within = LIMITS.get(target)
    source = (0.0, 1.0) if value.element == _TENSOR.BOOL else LIMITS.get(value.element)
    if within is None or source is None or not within[0] <= source[0] <= source[1] <= within[1]:
        raise Unsupported(f"{element_name(value.element)} as {element_name(target)}")
    return Discrete(value.of, target)
