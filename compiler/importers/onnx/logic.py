"""ONNX operators on integers and booleans: comparisons, logic, choices, arithmetic, casts.

Integers are 32 bits; narrower ones wrap at their own width. Division is towards zero, by zero it
gives -1 (the remainder is the dividend), as the cores do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
import onnx
from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.bodies.f32_functions import F32, fmod
from softex_mlir.compiler.generic_builder import Scalars
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import operator
from softex_mlir.compiler.importers.onnx.tensors import (
    BOOL,
    as_integer,
    as_number,
    as_truth,
    map_values,
    truth,
)
from softex_mlir.compiler.importers.onnx.types import FLOATS
from softex_mlir.compiler.importers.onnx.values import (
    Unsupported,
    Value,
)

_TENSOR = onnx.TensorProto
NARROW: dict[int, tuple[int, bool]] = {
    int(_TENSOR.INT8): (8, True),
    int(_TENSOR.UINT8): (8, False),
    int(_TENSOR.INT16): (16, True),
    int(_TENSOR.UINT16): (16, False),
}
"""Bits and sign of the integers that wrap before 32 bits."""
UNSIGNED = frozenset((_TENSOR.UINT8, _TENSOR.UINT16, _TENSOR.UINT32, _TENSOR.UINT64))
Combine = Callable[[F32, SSAValue, SSAValue], SSAValue]


def is_integer(kind: int) -> bool:
    """Whether an ONNX element type is an integer (no boolean)."""
    return kind not in (0, BOOL, *FLOATS)


def wrapped(e: F32, x: SSAValue, kind: int) -> SSAValue:
    """A result modulo the width of its type."""
    if kind not in NARROW:
        return x
    bits, signed = NARROW[kind]
    if not signed:
        return e.bit_and(x, (1 << bits) - 1)
    shift = e.integer(32 - bits)
    return e.insert(arith.ShRSIOp(e.insert(arith.ShLIOp(x, shift)), shift))


def _op(kind: Callable[[SSAValue, SSAValue], Operation]) -> Combine:
    return lambda e, a, b: e.insert(kind(a, b))


def integer_compare(e: F32, predicate: str, a: SSAValue, b: SSAValue) -> SSAValue:
    """A comparison of integers, `slt` and the like."""
    return e.insert(arith.CmpiOp(a, b, predicate))


def order(relation: str, kind: int) -> str:
    """The predicate of an order of integers of an element type: `lt` and the like."""
    return ("u" if kind in (_TENSOR.UINT32, _TENSOR.UINT64) else "s") + relation


def _chosen(predicate: str) -> Combine:
    return lambda e, a, b: e.select(integer_compare(e, predicate, a, b), a, b)


def _shifted(left: bool) -> Combine:
    """A shift by 32 and more gives 0."""

    def apply(e: F32, a: SSAValue, b: SSAValue) -> SSAValue:
        moved = e.insert((arith.ShLIOp if left else arith.ShRUIOp)(a, b))
        return e.select(integer_compare(e, "ult", b, e.integer(32)), moved, e.integer(0))

    return apply


ARITHMETIC: dict[str, Combine] = {
    "Add": _op(arith.AddiOp),
    "Sub": _op(arith.SubiOp),
    "Mul": _op(arith.MuliOp),
    "Div": _op(arith.DivSIOp),
    "Sum": _op(arith.AddiOp),
    "BitwiseAnd": _op(arith.AndIOp),
    "BitwiseOr": _op(arith.OrIOp),
    "BitwiseXor": _op(arith.XOrIOp),
}

CHOSEN = {"Max": "gt", "Min": "lt"}
"""Where the first of two is the result."""


def integer_arithmetic(state: Importer, node: Node) -> list[Value]:
    """A binary or variadic operator on integers."""
    kind = node.result_type()
    if kind == _TENSOR.UINT32 and node.kind == "Div":
        raise Unsupported("division of unsigned 32-bit integers")
    if (relation := CHOSEN.get(node.kind)) is not None:
        combine = _chosen(order(relation, kind))
    else:
        combine = ARITHMETIC[node.kind]

    def body(e: F32, v: Scalars) -> SSAValue:
        return reduce(lambda a, b: wrapped(e, combine(e, a, b), kind), v)

    return [map_values(state, node.inputs(), body, kind)]


@operator("BitwiseAnd", "BitwiseOr", "BitwiseXor", note="on the cores")
def bitwise(state: Importer, node: Node) -> list[Value]:
    return integer_arithmetic(state, node)


@operator("BitwiseNot", note="on the cores")
def bitwise_not(state: Importer, node: Node) -> list[Value]:
    kind = node.result_type()

    def body(e: F32, v: Scalars) -> SSAValue:
        return wrapped(e, e.insert(arith.XOrIOp(v[0], e.integer(0xFFFFFFFF))), kind)

    return [map_values(state, [node.input(0)], body, kind)]


@operator("BitShift", note="on the cores")
def bit_shift(state: Importer, node: Node) -> list[Value]:
    kind, left = node.result_type(), node.attribute("direction") == b"LEFT"
    if kind == _TENSOR.INT64:
        raise Unsupported("shifts of 64-bit integers")
    shift = _shifted(left)

    def body(e: F32, v: Scalars) -> SSAValue:
        if not left and kind not in UNSIGNED:
            limit = e.select(integer_compare(e, "ult", v[1], e.integer(32)), v[1], e.integer(31))
            return e.insert(arith.ShRSIOp(v[0], limit))
        return wrapped(e, shift(e, v[0], v[1]), kind)

    return [map_values(state, node.inputs(), body, kind)]


@operator("Mod", note="on the cores; of floating-point numbers, exact, with fmod = 1")
def modulo(state: Importer, node: Node) -> list[Value]:
    kind, c_sign = node.result_type(), bool(node.attribute("fmod", 0))
    if kind == _TENSOR.UINT32:
        raise Unsupported("division of unsigned 32-bit integers")

    def integers(e: F32, v: Scalars) -> SSAValue:
        rest = e.insert(arith.RemSIOp(v[0], v[1]))
        if c_sign:
            return rest
        zero = e.integer(0)
        signs = integer_compare(e, "slt", e.insert(arith.XOrIOp(rest, v[1])), zero)
        other = e.insert(arith.AndIOp(signs, e.nonzero(rest)))
        return e.select(other, e.int_add(rest, v[1]), rest)

    if is_integer(kind):
        return [map_values(state, node.inputs(), integers, kind)]
    if not c_sign:
        raise Unsupported("of floating-point numbers with fmod = 0, which ONNX does not define")
    return [map_values(state, node.inputs(), lambda e, v: fmod(e, v[0], v[1]))]


COMPARISONS = {
    "Equal": ("oeq", "eq"),
    "Greater": ("ogt", "sgt"),
    "GreaterOrEqual": ("oge", "sge"),
    "Less": ("olt", "slt"),
    "LessOrEqual": ("ole", "sle"),
}


@operator(*COMPARISONS, note="on the cores")
def compare(state: Importer, node: Node) -> list[Value]:
    floats, integers = COMPARISONS[node.kind]
    kind = node.element_type(0)
    predicate = integers if integers == "eq" else order(integers[1:], kind)

    def body(e: F32, v: Scalars) -> SSAValue:
        if isinstance(v[0].type, Float32Type):
            return e.compare(floats, v[0], v[1])
        a, b = (as_integer(e, x) for x in v)
        return integer_compare(e, predicate, a, b)

    return [map_values(state, node.inputs(), body, BOOL)]


@operator("And", "Or", "Xor", note="on the cores")
def logic(state: Importer, node: Node) -> list[Value]:
    kinds = {"And": arith.AndIOp, "Or": arith.OrIOp, "Xor": arith.XOrIOp}
    combine = kinds[node.kind]
    inputs = node.inputs()
    return [map_values(state, inputs, lambda e, v: e.insert(combine(v[0], v[1])), BOOL)]


@operator("Not", note="on the cores")
def negation(state: Importer, node: Node) -> list[Value]:
    def body(e: F32, v: Scalars) -> SSAValue:
        return e.insert(arith.XOrIOp(v[0], truth(e, True)))

    return [map_values(state, [node.input(0)], body, BOOL)]


@operator("IsInf", note="on the cores")
def is_infinite(state: Importer, node: Node) -> list[Value]:
    above = bool(node.attribute("detect_positive", 1))
    below = bool(node.attribute("detect_negative", 1))

    def body(e: F32, v: Scalars) -> SSAValue:
        (x,) = v
        if above and below:
            return e.compare("oeq", e.magnitude(x), np.inf)
        if not above and not below:
            return truth(e, False)
        return e.compare("oeq", x, np.inf if above else -np.inf)

    return [map_values(state, [node.tensor(0)], body, BOOL)]


def choose(state: Importer, node: Node, condition: Value, yes: Value, no: Value) -> SSAValue:
    """Elements of one operand or of the other."""
    kind = node.result_type() or node.element_type(1)

    def body(e: F32, v: Scalars) -> SSAValue:
        return e.select(v[0], v[1], v[2])

    return map_values(state, [condition, yes, no], body, kind)


def converted(state: Importer, value: Value, source: int, target: int) -> SSAValue:
    """An activation or a value computed from integers as another ONNX element type."""

    def body(e: F32, v: Scalars) -> SSAValue:
        (x,) = v
        if target == BOOL:
            return as_truth(e, x)
        if source == _TENSOR.UINT32 and target == _TENSOR.INT64:
            # Says that the bits are a number that is not negative, for who follows ranges.
            return e.insert(arith.ShRUIOp(x, e.integer(0)))
        if target not in FLOATS:
            return wrapped(e, as_integer(e, x), target)
        if source == _TENSOR.UINT32:
            return e.insert(arith.UIToFPOp(x, Float32Type()))
        return as_number(e, x)

    x = state.tensor(value)
    if (source in FLOATS and target in FLOATS) or source == target:
        return x
    if is_integer(source) and target == _TENSOR.INT64 and source != _TENSOR.UINT32:
        return x
    return map_values(state, [x], body, target)
