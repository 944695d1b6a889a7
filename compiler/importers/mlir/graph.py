"""The ONNX graph that a function of tensors computes, written node by node.

From there on the reader of ONNX files does what it does for any file: constants are folded, token
ids and masks are understood, and fusion looks at where data goes. Numbers of any floating-point
type are float32 here, integers and indices int64: what is computed is what counts, the hardware
has its own arithmetic. Types of inputs and outputs stay.

Equal nodes are written once, and a few spellings that linear algebra has for one operator of ONNX
(softmax, means, sigmoid) become that operator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from onnx import helper, numpy_helper

Array: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

OPSET = 20
IR_VERSION = 9
_HELPER: Any = helper

FLOAT = np.dtype(np.float32)
INT = np.dtype(np.int64)
BOOL = np.dtype(np.bool_)


class Unreadable(Exception):
    """An operation that has no place in the graph, and why."""


@dataclass(frozen=True)
class GraphNode:
    """What made a value: an operator, its operands and its attributes."""

    kind: str
    operands: tuple[Value, ...]
    attributes: tuple[tuple[str, Any], ...]

    def get(self, name: str) -> Any:
        """An attribute."""
        return dict(self.attributes).get(name)


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the graph.

    Attributes:
        shape: the one it has in the text.
        stored: the one it has in the graph: 1 where all elements along a dimension are equal.
        dtype: float32, int64 or bool.
        array: its elements, if they are known, in the shape `stored`.
        made: the node that computes it, if any.
    """

    name: str
    shape: Shape
    stored: Shape
    dtype: np.dtype[Any]
    array: Array | None = None
    made: GraphNode | None = None

    @property
    def number(self) -> float | int | bool | None:
        """The number that all its elements are, if that is known."""
        if self.array is None or self.array.size == 0:
            return None
        first = self.array.flat[0]
        same = self.array.size == 1 or bool((self.array == first).all())
        return first.item() if same else None


def plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that a type of elements has in the graph."""
    if dtype == BOOL:
        return BOOL
    return INT if dtype.kind in "iu" else FLOAT


@dataclass
class Graph:
    """Nodes in order, and the constants they use."""

    where: str = ""
    """The name of the nodes that are written now."""
    nodes: list[Any] = field(default_factory=list[Any])
    maxima: dict[str, tuple[Value, tuple[int, ...]]] = field(
        default_factory=dict[str, "tuple[Value, tuple[int, ...]]"]
    )
    """Maxima that overlook NaN, by the name of the value: of what, and over which axes."""
    _initializers: dict[str, Any] = field(default_factory=dict[str, Any])
    _known: dict[Any, Value] = field(default_factory=dict[Any, Value])
    _count: int = 0

    # --- values ------------------------------------------------------------------------------

    def constant(self, array: Array, shape: Shape | None = None, *, name: str = "") -> Value:
        """A constant; `shape` is the one it has in the text, if elements are repeated."""
        given = np.asarray(array)
        found = given.astype(plain(given.dtype), copy=False)
        stored = tuple(map(int, found.shape))
        return Value(name, stored if shape is None else shape, stored, found.dtype, found)

    def number(self, value: float | int | bool, dtype: np.dtype[Any], shape: Shape = ()) -> Value:
        """A number, or a tensor of it."""
        return self.constant(np.full((1,) * len(shape), value, dtype), shape)

    def input(self, name: str, shape: Shape, dtype: np.dtype[Any]) -> Value:
        """An input; narrower or wider types are cast."""
        kind = plain(dtype)
        found = Value(name, shape, shape, kind)
        return found if kind == dtype else self.emit("Cast", [found], shape, kind, to=_onnx(kind))

    def emit(
        self,
        kind: str,
        operands: Sequence[Value],
        shape: Shape,
        dtype: np.dtype[Any],
        stored: Shape | None = None,
        **attributes: Any,
    ) -> Value:
        """The result of a node."""
        fixed = tuple(sorted((k, _frozen(v)) for k, v in attributes.items() if v is not None))
        names = [self._named(value) for value in operands]
        key = (kind, *names, fixed, shape)
        if key in self._known:
            return self._known[key]
        self._count += 1
        name = f"v{self._count}"
        given: dict[str, Any] = dict(fixed)
        self.nodes.append(_HELPER.make_node(kind, names, [name], self.where or name, **given))
        made = GraphNode(kind, tuple(operands), fixed)
        found = Value(name, shape, shape if stored is None else stored, dtype, made=made)
        self._known[key] = found
        return found

    def _named(self, value: Value) -> str:
        """The name of a value, which is written as an initializer if it is a constant."""
        if value.array is None:
            return value.name
        key = (value.array.tobytes(), value.array.shape, value.dtype.str)
        known = self._known.get(key)
        if known is None:
            name = value.name or f"c{len(self._initializers)}"
            if name in self._initializers:
                name = f"{name}_{len(self._initializers)}"
            self._initializers[name] = numpy_helper.from_array(
                np.ascontiguousarray(value.array).reshape(value.array.shape), name
            )
            known = self._known[key] = Value(name, value.shape, value.stored, value.dtype)
        return known.name

    # --- shapes ------------------------------------------------------------------------------

    def full(self, value: Value) -> Value:
        """A value whose elements all stand in the graph."""
        if value.stored == value.shape:
            return value
        if value.array is not None:
            return self.constant(np.broadcast_to(value.array, value.shape), name=value.name)
        shape = self.constant(np.array(value.shape))
        return self.emit("Expand", [value, shape], value.shape, value.dtype)

    def reshape(self, value: Value, shape: Shape, stored: Shape | None = None) -> Value:
        """The same elements in order in another shape; `stored` if that is not all of it."""
        if stored is None:
            value, stored = self.full(value), shape
        if value.array is not None:
            return self.constant(value.array.reshape(stored), shape, name=value.name)
        while value.made is not None and value.made.kind == "Reshape":
            value = value.made.operands[0]
        if value.stored == stored:
            return _as(value, shape)
        target = self.constant(np.array(stored, np.int64))
        return self.emit("Reshape", [value, target], shape, value.dtype, stored)

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        """Dimension i of the result is dimension `order[i]` of the operand."""
        if list(order) == list(range(len(order))):
            return value
        shape = tuple(value.shape[i] for i in order)
        stored = tuple(value.stored[i] for i in order)
        if value.array is not None:
            return self.constant(np.transpose(value.array, order), shape, name=value.name)
        moved = [i for i in order if value.stored[i] != 1]
        if moved == sorted(moved):
            return self.reshape(value, shape, stored)
        return self.emit("Transpose", [value], shape, value.dtype, stored, perm=tuple(order))

    def slice(self, value: Value, begin: Shape, sizes: Shape, steps: Shape) -> Value:
        """A strided part; `sizes` count its elements."""
        if sizes == value.shape and not any(begin) and set(steps) <= {1}:
            return value
        value = self.full(value)
        if value.array is not None:
            part = tuple(
                slice(b, b + (n - 1) * s + 1, s)
                for b, n, s in zip(begin, sizes, steps, strict=True)
            )
            return self.constant(value.array[part])
        end = tuple(b + (n - 1) * s + 1 for b, n, s in zip(begin, sizes, steps, strict=True))
        axes = tuple(range(len(begin)))
        given = [self.constant(np.array(x, np.int64)) for x in (begin, end, axes, steps)]
        return self.emit("Slice", [value, *given], sizes, value.dtype)

    # --- arithmetic --------------------------------------------------------------------------

    def elementwise(
        self, kind: str, operands: Sequence[Value], dtype: np.dtype[Any] | None = None, **more: Any
    ) -> Value:
        """A function of elements of operands that broadcast; of the first one's type if no other
        is given."""
        shape = np.broadcast_shapes(*(v.shape for v in operands))
        stored = np.broadcast_shapes(*(v.stored for v in operands))
        kept = operands[kind == "Where"].dtype if dtype is None else dtype
        folded = _folded(kind, operands, kept)
        if folded is not None:
            return self.constant(folded, tuple(shape))
        return self.emit(kind, operands, tuple(shape), kept, tuple(stored), **more)

    def reduce(self, kind: str, value: Value, axes: Sequence[int]) -> Value:
        """ReduceSum, ReduceMax.. over axes, which stay with size 1."""
        if any(value.stored[a] != value.shape[a] for a in axes):
            value = self.full(value)
        shape = tuple(1 if i in axes else n for i, n in enumerate(value.shape))
        stored = tuple(1 if i in axes else n for i, n in enumerate(value.stored))
        if not any(value.shape[a] != 1 for a in axes):
            return value
        given = self.constant(np.array(sorted(axes), np.int64))
        return self.emit(kind, [value, given], shape, value.dtype, stored, keepdims=1)

    def cast(self, value: Value, dtype: np.dtype[Any]) -> Value:
        """Another type of elements."""
        if value.dtype == dtype:
            return value
        if value.array is not None:
            return self.constant(value.array.astype(dtype), value.shape)
        return self.emit("Cast", [value], value.shape, dtype, value.stored, to=_onnx(dtype))

    def maximum_of(self, value: Value) -> tuple[Value, tuple[int, ...]] | None:
        """x and axes, if a value is the maximum of x over axes, which stay."""
        if value.name in self.maxima:
            return self.maxima[value.name]
        node = value.made
        if node is None or node.kind != "ReduceMax":
            return None
        return node.operands[0], axes_of(node)

    # --- the whole ---------------------------------------------------------------------------

    def model(
        self,
        inputs: Sequence[tuple[str, Shape, np.dtype[Any]]],
        outputs: Sequence[tuple[str, Value, np.dtype[Any]]],
    ) -> Any:
        """The model, with types of inputs and outputs as in the text."""
        results: list[Any] = []
        for name, value, dtype in outputs:
            self.where = name
            found = self.full(value)
            last = [self._named(found)]
            self.nodes.append(_HELPER.make_node("Cast", last, [name], name, to=_onnx(dtype)))
            results.append(_HELPER.make_tensor_value_info(name, _onnx(dtype), list(found.shape)))
        graph = _HELPER.make_graph(
            _needed(self.nodes, {name for name, _, _ in outputs}),
            "main",
            [_HELPER.make_tensor_value_info(n, _onnx(d), list(s)) for n, s, d in inputs],
            results,
            list(self._initializers.values()),
        )
        opsets = [_HELPER.make_opsetid("", OPSET)]
        return _HELPER.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _needed(nodes: Sequence[Any], wanted: set[str]) -> list[Any]:
    """The nodes that named values depend on, in order."""
    found: list[Any] = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            found.append(node)
            wanted.update(node.input)
    return found[::-1]


FOLDS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Sqrt": np.sqrt,
}


def _folded(kind: str, operands: Sequence[Value], dtype: np.dtype[Any]) -> Array | None:
    """The result on single numbers."""
    arrays = [v.array for v in operands if v.array is not None and v.array.size == 1]
    if len(arrays) != len(operands):
        return None
    rank = max(len(v.shape) for v in operands)
    numbers = [a.reshape((1,) * rank) for a in arrays]
    with np.errstate(all="ignore"):
        if kind in FOLDS:
            return np.asarray(FOLDS[kind](*numbers), dtype)
        if kind == "Div" and dtype == FLOAT:
            return np.divide(numbers[0], numbers[1]).astype(dtype)
    return None


def _as(value: Value, shape: Shape) -> Value:
    """The same value, whose elements are repeated otherwise."""
    if value.shape == shape:
        return value
    return replace(value, shape=shape)


def _onnx(dtype: np.dtype[Any]) -> int:
    return int(_HELPER.np_dtype_to_tensor_dtype(dtype))


def _frozen(value: Any) -> Any:
    return (*value,) if type(value) is list else value


def same(a: Value, b: Value) -> bool:
    """Whether two values are one."""
    return a is b or (a.array is None and a.name == b.name and a.shape == b.shape)


def axes_of(node: GraphNode) -> tuple[int, ...]:
    """The axes of a reduction."""
    array = node.operands[1].array
    return () if array is None else tuple(int(a) for a in array)
