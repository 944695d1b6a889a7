"""Operators of ONNX that linear algebra writes out: softmax, means, sigmoid, ReLU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isclose, prod

from softex_mlir.compiler.importers.mlir.graph import (
    BOOL,
    FLOAT,
    Graph,
    GraphNode,
    Shape,
    Value,
    axes_of,
    same,
)

EPSILON = 2.0**-22
"""Relative: 1/n in float32 is not exact."""


def written(graph: Graph, kind: str, operands: Sequence[Value]) -> Value:
    """A function of elements, as the operator it completes if it does complete one."""
    for spelling in SPELLINGS.get(kind, ()):
        found = spelling(graph, *operands)
        if found is not None:
            return found
    return graph.elementwise(kind, operands)


def _made(value: Value, kind: str) -> GraphNode | None:
    return value.made if value.made is not None and value.made.kind == kind else None


def _one_of(operands: Sequence[Value], number: float) -> Value | None:
    """The other operand of two, one of which is a number."""
    for value, other in (operands, operands[::-1]):
        if other.number == number:
            return value
    return None


def _mean(graph: Graph, total: Value, divisor: Value, *, inverse: bool = False) -> Value | None:
    """A sum divided by the number of its terms."""
    node, number = _made(total, "ReduceSum"), divisor.number
    if node is None or number is None or not number:
        return None
    x, axes = node.operands[0], axes_of(node)
    count = prod(x.shape[a] for a in axes)
    if not isclose(1 / number if inverse else number, count, rel_tol=EPSILON):
        return None
    return graph.reduce("ReduceMean", x, axes)


def _mean_by_factor(graph: Graph, a: Value, b: Value) -> Value | None:
    return _mean(graph, a, b, inverse=True) or _mean(graph, b, a, inverse=True)


def _softmax(graph: Graph, powers: Value, total: Value) -> Value | None:
    """exp(x - max(x)) over its sum."""
    power, reduced = _made(powers, "Exp"), _made(total, "ReduceSum")
    if power is None or reduced is None or not same(reduced.operands[0], powers):
        return None
    difference = _made(power.operands[0], "Sub")
    if difference is None:
        return None
    x, top = difference.operands
    largest = graph.maximum_of(top)
    axes = axes_of(reduced)
    if largest is None or not same(largest[0], x) or largest[1] != axes or len(axes) != 1:
        return None
    full = graph.full(x)
    return graph.emit("Softmax", [full], full.shape, full.dtype, axis=axes[0])


def _softmax_by_inverse(graph: Graph, a: Value, b: Value) -> Value | None:
    for powers, inverse in ((a, b), (b, a)):
        node = _made(inverse, "Div")
        if node is not None and node.operands[0].number == 1:
            found = _softmax(graph, powers, node.operands[1])
            if found is not None:
                return found
    return None


def _sigmoid(graph: Graph, one: Value, divisor: Value) -> Value | None:
    """1 / (1 + exp(-x))."""
    node = _made(divisor, "Add")
    power = None if node is None else _one_of(node.operands, 1)
    node = None if power is None else _made(power, "Exp")
    node = None if node is None else _made(node.operands[0], "Neg")
    if node is None or one.number != 1:
        return None
    return graph.elementwise("Sigmoid", [node.operands[0]])


def _relu_by_maximum(graph: Graph, a: Value, b: Value) -> Value | None:
    x = _one_of((a, b), 0)
    return graph.elementwise("Relu", [x]) if x is not None and x.dtype == FLOAT else None


def _relu_by_choice(graph: Graph, test: Value, then: Value, other: Value) -> Value | None:
    """x if not x <= 0, else 0."""
    node = _made(test, "Not")
    node = None if node is None else _made(node.operands[0], "LessOrEqual")
    if node is None or other.number != 0 or node.operands[1].number != 0:
        return None
    return graph.elementwise("Relu", [then]) if same(node.operands[0], then) else None


def _safe_softmax(graph: Graph, test: Value, then: Value, other: Value) -> Value | None:
    """0 in rows that are -inf alone, where softmax is NaN: the guard that PyTorch exports as one
    against NaN. Fusion keeps rows NaN whose scores are; only an unfused softmax hides them."""
    node, softmax = _made(test, "Cast"), _made(other, "Softmax")
    node = None if node is None else _made(node.operands[0], "ReduceMin")
    if node is None or softmax is None or then.number != 0:
        return None
    if axes_of(node) != (softmax.get("axis"),):
        return None
    inner = _made(node.operands[0], "Cast")
    equal = None if inner is None else _made(inner.operands[0], "Equal")
    if equal is None or equal.operands[1].number != -inf:
        return None
    if not same(equal.operands[0], softmax.operands[0]):
        return None
    nan = graph.elementwise("IsNaN", [other], BOOL)
    zero = graph.number(0.0, FLOAT, (1,) * len(other.shape))
    return graph.elementwise("Where", [nan, zero, other])


def _times_one(graph: Graph, a: Value, b: Value) -> Value | None:
    x = _one_of((a, b), 1)
    return x if x is not None and x.shape == _shape(a, b) else None


def _by_one(graph: Graph, a: Value, b: Value) -> Value | None:
    return a if b.number == 1 and a.shape == _shape(a, b) else None


def _shape(a: Value, b: Value) -> Shape:
    return max(a.shape, b.shape, key=lambda s: (len(s), prod(s)))


def _not_not(graph: Graph, x: Value) -> Value | None:
    node = _made(x, "Not")
    return node.operands[0] if node is not None and x.dtype == BOOL else None


SPELLINGS: dict[str, tuple[Callable[..., Value | None], ...]] = {
    "Div": (_by_one, _mean, _softmax, _sigmoid),
    "Mul": (_times_one, _mean_by_factor, _softmax_by_inverse),
    "Max": (_relu_by_maximum,),
    "Where": (_relu_by_choice, _safe_softmax),
    "Not": (_not_not,),
}
