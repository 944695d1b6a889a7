"""`arith` and `math`: functions of elements, of single numbers and of whole tensors alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xdsl.dialects.arith import CMPF_COMPARISON_OPERATIONS, CMPI_COMPARISON_OPERATIONS
from xdsl.ir import Attribute, Operation

from softex_mlir.compiler.importers.mlir.constants import element_of, integer, width_of
from softex_mlir.compiler.importers.mlir.graph import BOOL, FLOAT, INT, Graph, Unreadable, Value
from softex_mlir.compiler.importers.mlir.spellings import written
from softex_mlir.compiler.importers.mlir.syntax import attribute_of, name_of
from softex_mlir.compiler.predicates import OPPOSITES

Rule = Callable[[Graph, Operation, Sequence[Value]], Value]

PLAIN: dict[str, str] = {
    "arith.addf": "Add",
    "arith.subf": "Sub",
    "arith.mulf": "Mul",
    "arith.divf": "Div",
    "arith.negf": "Neg",
    "arith.maximumf": "Max",
    "arith.minimumf": "Min",
    "arith.addi": "Add",
    "arith.subi": "Sub",
    "arith.muli": "Mul",
    "arith.divsi": "Div",
    "arith.maxsi": "Max",
    "arith.minsi": "Min",
    "arith.select": "Where",
    "math.absf": "Abs",
    "math.absi": "Abs",
    "math.ceil": "Ceil",
    "math.floor": "Floor",
    "math.roundeven": "Round",
    "math.exp": "Exp",
    "math.log": "Log",
    "math.sqrt": "Sqrt",
    "math.erf": "Erf",
    "math.tanh": "Tanh",
    "math.sin": "Sin",
    "math.cos": "Cos",
    "math.tan": "Tan",
    "math.asin": "Asin",
    "math.acos": "Acos",
    "math.atan": "Atan",
    "math.sinh": "Sinh",
    "math.cosh": "Cosh",
    "math.asinh": "Asinh",
    "math.acosh": "Acosh",
    "math.atanh": "Atanh",
    "math.powf": "Pow",
}
"""Operations that are an operator of ONNX."""

WIDE = ("arith.extf", "arith.truncf", "arith.index_cast", "arith.index_castui", "arith.bitcast")
COMPARISONS = {"gt": "Greater", "ge": "GreaterOrEqual", "lt": "Less", "le": "LessOrEqual"}


def scalar_operation(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value | None:
    """The result of an operation of `arith` or `math`; None if it is none that is known here."""
    name = name_of(op)
    if name in PLAIN:
        operator = PLAIN[name]
        if operands[0].dtype == BOOL and operator != "Where":
            raise Unreadable(f"{name} of booleans is not supported")
        return written(graph, operator, operands)
    rule = RULES.get(name)
    return None if rule is None else rule(graph, op, operands)


def _width(value_type: Attribute) -> int | None:
    """Bits of an integer type, of a tensor's elements too; None for an index."""
    return width_of(element_of(value_type))


def _converted(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    """Another width of the same kind of number."""
    (x,) = operands
    name = name_of(op)
    if name == "arith.bitcast":
        raise Unreadable("the bits of numbers are not supported")
    if x.dtype == BOOL:
        return graph.cast(x, INT)
    return x


def _to_float(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    (x,) = operands
    if name_of(op) == "arith.uitofp" and x.dtype != BOOL:
        raise Unreadable("unsigned integers are not supported: expected arith.sitofp")
    if name_of(op) == "arith.sitofp" and x.dtype == BOOL:
        return written(graph, "Neg", [graph.cast(x, FLOAT)])
    return graph.cast(x, FLOAT)


def _to_integer(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    if _width(op.results[0].type) == 1:
        raise Unreadable("a conversion to booleans is not supported: expected arith.cmpf")
    return graph.cast(operands[0], INT)


def _extended(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    (x,) = operands
    if x.dtype != BOOL:
        if name_of(op) == "arith.extui":
            raise Unreadable("unsigned integers are not supported: expected arith.extsi")
        return x
    found = graph.cast(x, INT)
    return written(graph, "Neg", [found]) if name_of(op) == "arith.extsi" else found


def _truncated(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    """Fewer bits; one bit is whether a number is odd."""
    (x,) = operands
    width = _width(op.results[0].type)
    if width == 1:
        two = graph.number(2, INT)
        odd = graph.elementwise("Mod", [x, two])
        return written(graph, "Not", [_compared(graph, "Equal", odd, graph.number(0, INT))])
    if width is not None and width < 32:
        raise Unreadable(f"integers of {width} bits are not supported: expected 32 or 64")
    return x


def _compared(graph: Graph, operator: str, a: Value, b: Value) -> Value:
    return graph.elementwise(operator, [a, b], BOOL)


def _predicate(op: Operation, names: Sequence[str]) -> str:
    return names[integer(attribute_of(op, "predicate"))]


def _float_comparison(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    predicate = _predicate(op, CMPF_COMPARISON_OPERATIONS)
    if predicate in OPPOSITES:
        return written(graph, "Not", [_ordered(graph, OPPOSITES[predicate], *operands)])
    return _ordered(graph, predicate, *operands)


def _ordered(graph: Graph, predicate: str, a: Value, b: Value) -> Value:
    """A comparison that is false if an operand is NaN."""
    if predicate == "oeq":
        return _compared(graph, "Equal", a, b)
    if predicate == "one":
        either = [_compared(graph, "Less", a, b), _compared(graph, "Greater", a, b)]
        return graph.elementwise("Or", either)
    if predicate == "ord":
        either = [graph.elementwise("IsNaN", [x], BOOL) for x in (a, b)]
        return written(graph, "Not", [graph.elementwise("Or", either)])
    if predicate == "false":
        return graph.number(False, BOOL, tuple(np.broadcast_shapes(a.shape, b.shape)))
    return _compared(graph, COMPARISONS[predicate[1:]], a, b)


def _integer_comparison(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    predicate = _predicate(op, CMPI_COMPARISON_OPERATIONS)
    a, b = operands
    if predicate in ("eq", "ne"):
        if a.dtype == BOOL:
            a, b = graph.cast(a, INT), graph.cast(b, INT)
        equal = _compared(graph, "Equal", a, b)
        return equal if predicate == "eq" else written(graph, "Not", [equal])
    if predicate[0] == "u":
        raise Unreadable("comparisons of unsigned integers are not supported")
    return _compared(graph, COMPARISONS[predicate[1:]], a, b)


def _logical(operator: str) -> Rule:
    def rule(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
        if operands[0].dtype == BOOL:
            return graph.elementwise(operator, operands)
        return graph.elementwise(f"Bitwise{operator}", operands)

    return rule


def _remainder(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    """With the sign of the dividend, as in C."""
    return graph.elementwise("Mod", operands, fmod=1)


def _floor_division(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    """Rounded down: the remainder with the divisor's sign goes first."""
    a, b = operands
    rest = graph.elementwise("Mod", [a, b])
    return graph.elementwise("Div", [graph.elementwise("Sub", [a, rest]), b])


def _without_nan(operator: str) -> Rule:
    """The larger or smaller number, where NaN is none."""

    def rule(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
        a, b = operands
        found = written(graph, operator, [a, b])
        for x, other in ((a, b), (b, a)):
            if x.array is None:
                test = graph.elementwise("IsNaN", [x], BOOL)
                found = written(graph, "Where", [test, other, found])
        return found

    return rule


def _reciprocal_root(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    root = graph.elementwise("Sqrt", operands)
    return written(graph, "Div", [graph.number(1.0, FLOAT, (1,) * len(root.shape)), root])


def _of_base(base: float) -> Rule:
    def rule(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
        logarithm = graph.elementwise("Log", operands)
        return graph.elementwise("Mul", [logarithm, graph.number(1 / np.log(base), FLOAT)])

    return rule


def _log_plus_one(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    return graph.elementwise("Log", [written(graph, "Add", [*operands, graph.number(1.0, FLOAT)])])


def _exponential_minus_one(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    return written(graph, "Sub", [graph.elementwise("Exp", operands), graph.number(1.0, FLOAT)])


def _power_of_two(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    return graph.elementwise("Pow", [graph.number(2.0, FLOAT), *operands])


def _integer_power(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    x, exponent = operands
    return written(graph, "Pow", [x, graph.cast(exponent, FLOAT)])


def _multiply_add(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    a, b, c = operands
    return written(graph, "Add", [written(graph, "Mul", [a, b]), c])


def _truncation(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    (x,) = operands
    whole = graph.elementwise("Floor", [graph.elementwise("Abs", [x])])
    return graph.elementwise("Mul", [whole, graph.elementwise("Sign", [x])])


RULES: dict[str, Rule] = {
    **dict.fromkeys(WIDE, _converted),
    **dict.fromkeys(("arith.sitofp", "arith.uitofp"), _to_float),
    "arith.fptosi": _to_integer,
    **dict.fromkeys(("arith.extsi", "arith.extui"), _extended),
    "arith.trunci": _truncated,
    "arith.cmpf": _float_comparison,
    "arith.cmpi": _integer_comparison,
    "arith.andi": _logical("And"),
    "arith.ori": _logical("Or"),
    "arith.xori": _logical("Xor"),
    **dict.fromkeys(("arith.remsi", "arith.remf"), _remainder),
    "arith.floordivsi": _floor_division,
    "arith.maxnumf": _without_nan("Max"),
    "arith.minnumf": _without_nan("Min"),
    "math.rsqrt": _reciprocal_root,
    "math.log2": _of_base(2),
    "math.log10": _of_base(10),
    "math.log1p": _log_plus_one,
    "math.expm1": _exponential_minus_one,
    "math.exp2": _power_of_two,
    **dict.fromkeys(("math.fpowi", "math.ipowi"), _integer_power),
    "math.fma": _multiply_add,
    "math.trunc": _truncation,
}
