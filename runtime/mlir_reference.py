"""What a module of linear algebra on tensors computes, by reading it as it is written.

Loop nests run iteration by iteration of their reductions, all others at once; nothing is
recognised, so nothing that the importer thinks of an operation is believed here. Numbers have the
types that the text gives them, but those narrower than float32, which are float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
from xdsl.dialects.builtin import SymbolRefAttr, TensorType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from softex_mlir.compiler.importers.mlir.constants import (
    array_of,
    integer,
    integers,
    shape_of,
)
from softex_mlir.compiler.importers.mlir.functions import (
    CALLS,
    IGNORED,
    LOADS,
    RETURNS,
    SAME,
    symbols_of,
)
from softex_mlir.compiler.importers.mlir.graph import Unreadable
from softex_mlir.compiler.importers.mlir.importer import SourceModule, read_source
from softex_mlir.compiler.importers.mlir.named import elementwise_kind
from softex_mlir.compiler.importers.mlir.syntax import attribute_of, name_of
from softex_mlir.runtime.mlir_scalars import FUNCTIONS, Array, scalar, widened, widened_type
from softex_mlir.runtime.onnx_reference import NoReference

Values = dict[SSAValue, Array]

PRODUCTS = {
    "matmul": "mk,kn->mn",
    "matmul_transpose_a": "km,kn->mn",
    "matmul_transpose_b": "mk,nk->mn",
    "batch_matmul": "bmk,bkn->bmn",
    "batch_matmul_transpose_a": "bkm,bkn->bmn",
    "batch_matmul_transpose_b": "bmk,bnk->bmn",
    "batch_reduce_matmul": "bmk,bkn->mn",
    "matvec": "mk,k->m",
    "vecmat": "k,kn->n",
    "batch_matvec": "bmk,bk->bm",
    "batch_vecmat": "bk,bkn->bn",
    "dot": "k,k->",
}


def evaluate_mlir(path: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs of a module's function by name.

    Raises:
        NoReference: the evaluator does not know an operation, and which.
    """
    source = read_source(path)
    evaluator = Evaluator(source)
    given = [
        np.asarray(inputs[name]).astype(widened(dtype)).reshape(shape)
        for name, shape, dtype in source.inputs
    ]
    with np.errstate(all="ignore"):
        try:
            found = evaluator.function(source.entry, dict(zip(source.values, given, strict=True)))
        except Unreadable as error:
            raise NoReference(str(error)) from error
    return {name: array for (name, _), array in zip(source.outputs, found, strict=True)}


@dataclass(frozen=True)
class Evaluator:
    """Evaluates functions of a module."""

    source: SourceModule

    def function(self, block: Block, arguments: Values) -> list[Array]:
        """Results of a function."""
        values = dict(arguments)
        for op in block.ops:
            name = name_of(op)
            if name in RETURNS:
                return [values[v] for v in op.operands]
            if name not in IGNORED and not any(result in values for result in op.results):
                for result, array in zip(op.results, self._operation(op, values), strict=True):
                    values[result] = _typed(array, result)
        raise Unreadable("a function without a return")

    def _operation(self, op: Operation, values: Values) -> Sequence[Array]:
        name = name_of(op)
        if name == "arith.constant":
            return [array_of(attribute_of(op, "value"))]
        if name in LOADS:
            place = symbols_of(self.source.module)[_symbol(op, "global")]
            given = attribute_of(place, "initial_value") or attribute_of(place, "value")
            return [array_of(given)]
        operands = [values[v] for v in op.operands]
        if name in CALLS:
            called = symbols_of(self.source.module)[_symbol(op, "callee")]
            block = called.regions[0].block
            return self.function(block, dict(zip(block.args, operands, strict=True)))
        if name in SAME:
            return operands
        dialect, _, kind = name.partition(".")
        if dialect == "linalg":
            return _linalg(op, kind, operands, values)
        if dialect == "tensor":
            return [_tensor(op, kind, operands, values)]
        return [scalar(op, operands)]


def _typed(array: Array, value: SSAValue) -> Array:
    """Elements in the type and the shape of a value."""
    if not isinstance(value.type, TensorType):
        return np.asarray(array)
    return np.broadcast_to(np.asarray(array, widened_type(value)), shape_of(value))


def _symbol(op: Operation, name: str) -> str:
    given = attribute_of(op, name)
    assert isinstance(given, SymbolRefAttr)
    return given.root_reference.data


# --- linalg ------------------------------------------------------------------------------------


def _linalg(op: Operation, kind: str, operands: Sequence[Array], values: Values) -> Sequence[Array]:
    start = operands[-1]
    if kind == "generic":
        maps = [m.data for m in cast("Any", attribute_of(op, "indexing_maps"))]
        iterators = ["reduction" in str(k) for k in cast("Any", attribute_of(op, "iterator_types"))]
        return _nest(op, operands, maps, iterators, values)
    if kind in ("reduce", "map"):
        return _over_dimensions(op, operands, values)
    if kind in PRODUCTS or kind == "contract":
        return [start + np.einsum(_formula(op, kind), operands[0], operands[1])]
    if kind in ("fill", "copy"):
        return [operands[0]]
    if kind == "transpose":
        return [np.transpose(operands[0], integers(attribute_of(op, "permutation")))]
    if kind == "broadcast":
        return [np.expand_dims(operands[0], integers(attribute_of(op, "dimensions")))]
    if kind == "softmax":
        axis = integer(attribute_of(op, "dimension"))
        powers = np.exp(operands[0] - operands[0].max(axis, keepdims=True))
        return [powers / powers.sum(axis, keepdims=True)]
    if kind.startswith("conv_"):
        return [start + _convolution(op, kind, operands[0], operands[1], start.shape)]
    if kind == "elementwise":
        kind = elementwise_kind(op)
    for spelled in (kind, kind[:-1]):
        if spelled in FUNCTIONS:
            return [FUNCTIONS[spelled](*operands[:-1])]
    raise Unreadable(f"no evaluator for linalg.{kind}")


def _formula(op: Operation, kind: str) -> str:
    given = attribute_of(op, "indexing_maps")
    if given is None:
        return PRODUCTS[kind]
    letters = "abcdefghijklmnop"
    maps: list[AffineMap] = [m.data for m in cast("Any", given)]
    parts = ["".join(letters[d] for e in m.results for d in e.used_dims()) for m in maps]
    return f"{parts[0]},{parts[1]}->{parts[2]}"


def _convolution(op: Operation, kind: str, x: Array, w: Array, shape: tuple[int, ...]) -> Array:
    """A sum over the window, place by place."""
    _, rank, image, kernel = kind.split("_")
    count = int(rank[0])
    strides, dilations = (
        (1,) * count if (g := attribute_of(op, name)) is None else integers(g)
        for name in ("strides", "dilations")
    )
    axes = [axis for axis, letter in enumerate(image) if letter in "hw"]
    sizes = [w.shape[i] for i, letter in enumerate(kernel) if letter in "hw"]
    total = np.zeros(shape, x.dtype)
    for place in product(*map(range, sizes)):
        part: list[Any] = [slice(None)] * x.ndim
        for axis, offset, stride, dilation in zip(axes, place, strides, dilations, strict=True):
            first = offset * dilation
            part[axis] = slice(first, first + (shape[axis] - 1) * stride + 1, stride)
        window = iter(place)
        tap = w[tuple(next(window) if letter in "hw" else slice(None) for letter in kernel)]
        weights = "".join(letter for letter in kernel if letter not in "hw")
        result = image.replace("c", "f")
        total += np.einsum(f"{image},{weights}->{result}", x[tuple(part)], tap)
    return total


def _over_dimensions(op: Operation, operands: Sequence[Array], values: Values) -> Sequence[Array]:
    """`linalg.reduce` and `linalg.map`."""
    rank, count = operands[0].ndim, len(op.results)
    axes = integers(attribute_of(op, "dimensions")) if name_of(op) == "linalg.reduce" else ()
    places = [AffineExpr.dimension(d) for d in range(rank)]
    whole = AffineMap(rank, 0, tuple(places))
    kept = AffineMap(rank, 0, tuple(p for d, p in enumerate(places) if d not in axes))
    maps = [*[whole] * (len(operands) - count), *[kept] * count]
    return _nest(op, operands, maps, [d in axes for d in range(rank)], values)


def _nest(
    op: Operation,
    operands: Sequence[Array],
    maps: Sequence[AffineMap],
    reduction: Sequence[bool],
    values: Values,
) -> Sequence[Array]:
    """A loop nest, with all parallel iterations at once."""
    extents = [0] * len(reduction)
    for array, map_ in zip(operands, maps, strict=True):
        for size, expression in zip(array.shape, map_.results, strict=True):
            used = expression.used_dims()
            if len(used) == 1 and str(expression).startswith("d"):
                extents[next(iter(used))] = size
    count = len(op.results)
    results = [np.array(a) for a in operands[len(operands) - count :]]
    ranges = [
        range(n) if reduced else [None] for n, reduced in zip(extents, reduction, strict=True)
    ]
    grid = np.meshgrid(
        *(np.arange(1 if r else n) for n, r in zip(extents, reduction, strict=True)),
        indexing="ij",
        sparse=True,
    )
    block = op.regions[0].block
    for step in product(*ranges):
        index = [g if s is None else np.full_like(g, s) for g, s in zip(grid, step, strict=True)]
        places = [_places(map_, index) for map_ in maps]
        current = [*operands[: len(operands) - count], *results]
        elements = [a[p] if p else a for a, p in zip(current, places, strict=True)]
        yielded = _body(block, elements, index, values)
        for result, place, array in zip(results, places[-count:], yielded, strict=True):
            shape = np.broadcast_shapes(*(p.shape for p in place)) if place else ()
            result[place if place else ...] = (
                np.broadcast_to(array, np.broadcast_shapes(np.shape(array), shape))
                if place
                else np.reshape(array, ())
            )
    return results


def _places(map_: AffineMap, index: Sequence[Array]) -> tuple[Array, ...]:
    """Where an operand's elements of some iterations are."""
    return tuple(np.asarray(e.eval(cast("Any", index), [])) for e in map_.results)


def _body(
    block: Block, elements: Sequence[Array], index: Sequence[Array], outside: Values
) -> list[Array]:
    values: Values = {**outside, **dict(zip(block.args, elements, strict=False))}
    for op in block.ops:
        name = name_of(op)
        if name in ("linalg.yield", "tensor.yield"):
            return [values[v] for v in op.operands]
        if name in IGNORED:
            continue
        if name == "linalg.index":
            found: Array = index[integer(attribute_of(op, "dim"))]
        elif name == "arith.constant":
            found = array_of(attribute_of(op, "value"))
        elif name == "tensor.extract":
            table, *places = (values[v] for v in op.operands)
            found = table[tuple(places)]
        else:
            found = scalar(op, [values[v] for v in op.operands])
        values[op.results[0]] = np.asarray(found, widened_type(op.results[0]))
    raise Unreadable("a loop nest without a yield")


# --- tensor ------------------------------------------------------------------------------------


def _tensor(op: Operation, kind: str, operands: Sequence[Array], values: Values) -> Array:
    shape = shape_of(op.results[0])
    if kind == "empty":
        return np.zeros(shape, widened_type(op.results[0]))
    if kind in ("expand_shape", "collapse_shape", "reshape"):
        return operands[0].reshape(shape)
    if kind in ("splat", "cast"):
        return operands[0]
    if kind == "extract_slice":
        return operands[0][_part(op)].reshape(shape)
    if kind == "insert_slice":
        found = np.array(operands[1])
        part = _part(op)
        found[part] = operands[0].reshape(found[part].shape)
        return found
    if kind == "concat":
        return np.concatenate(operands, integer(attribute_of(op, "dim")))
    if kind == "from_elements":
        return np.array([a.item() for a in operands]).reshape(shape)
    if kind == "extract":
        return operands[0][tuple(operands[1:])]
    if kind == "pad":
        last = op.regions[0].block.last_op
        assert last is not None
        low, high = (integers(attribute_of(op, f"static_{name}")) for name in ("low", "high"))
        number = values[last.operands[0]]
        return np.pad(operands[0], list(zip(low, high, strict=True)), constant_values=number)
    if kind == "generate":
        grid = np.meshgrid(*map(np.arange, shape), indexing="ij")
        return _body(op.regions[0].block, grid, grid, values)[0]
    raise Unreadable(f"no evaluator for tensor.{kind}")


def _part(op: Operation) -> tuple[slice, ...]:
    begin, sizes, steps = (
        integers(attribute_of(op, f"static_{name}")) for name in ("offsets", "sizes", "strides")
    )
    return tuple(
        slice(b, b + (n - 1) * s + 1, s) for b, n, s in zip(begin, sizes, steps, strict=True)
    )
