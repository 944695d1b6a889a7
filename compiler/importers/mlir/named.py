"""Named operations of `linalg`: what each computes, as loops or as an operator of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr
from xdsl.ir import Attribute, Operation
from xdsl.ir.affine import AffineExpr, AffineMap

from softex_mlir.compiler.importers.mlir.constants import integer, integers
from softex_mlir.compiler.importers.mlir.contraction import contract
from softex_mlir.compiler.importers.mlir.graph import Graph, Shape, Unreadable, Value
from softex_mlir.compiler.importers.mlir.nests import Lookup, Nest, extents_of
from softex_mlir.compiler.importers.mlir.spellings import written
from softex_mlir.compiler.importers.mlir.syntax import attribute_of, name_of

Rule = Callable[[Graph, Operation, Sequence[Value], Lookup], Sequence[Value]]

PRODUCTS: dict[str, str] = {
    "linalg.matmul": "mk,kn->mn",
    "linalg.matmul_transpose_a": "km,kn->mn",
    "linalg.matmul_transpose_b": "mk,nk->mn",
    "linalg.batch_matmul": "bmk,bkn->bmn",
    "linalg.batch_matmul_transpose_a": "bkm,bkn->bmn",
    "linalg.batch_matmul_transpose_b": "bmk,bnk->bmn",
    "linalg.batch_reduce_matmul": "bmk,bkn->mn",
    "linalg.matvec": "mk,k->m",
    "linalg.vecmat": "k,kn->n",
    "linalg.batch_matvec": "bmk,bk->bm",
    "linalg.batch_vecmat": "bk,bkn->bn",
    "linalg.dot": "k,k->",
}
"""Sums of products, by their dimensions."""

ELEMENTWISE: dict[str, str] = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "max": "Max",
    "min": "Min",
    "powf": "Pow",
    "exp": "Exp",
    "log": "Log",
    "abs": "Abs",
    "ceil": "Ceil",
    "floor": "Floor",
    "negf": "Neg",
    "sqrt": "Sqrt",
    "tanh": "Tanh",
    "erf": "Erf",
    "select": "Where",
}
CONVOLUTIONS: dict[str, tuple[str, str]] = {
    "linalg.conv_1d_ncw_fcw": ("ncw", "fcw"),
    "linalg.conv_1d_nwc_wcf": ("nwc", "wcf"),
    "linalg.conv_2d_nchw_fchw": ("nchw", "fchw"),
    "linalg.conv_2d_nhwc_hwcf": ("nhwc", "hwcf"),
    "linalg.conv_2d_nhwc_fhwc": ("nhwc", "fhwc"),
}


def named_operation(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value] | None:
    """The results of an operation of `linalg`; None if it is none that is known here."""
    name = name_of(op)
    if name in PRODUCTS or name == "linalg.contract":
        return [_product(graph, op, operands)]
    if name in CONVOLUTIONS:
        return [_convolution(graph, op, operands)]
    rule = RULES.get(name)
    if rule is not None:
        return rule(graph, op, operands, lookup)
    kind = name.removeprefix("linalg.")
    if kind == "elementwise":
        kind = elementwise_kind(op)
        if f"linalg.{kind}" in RULES:
            return RULES[f"linalg.{kind}"](graph, op, operands, lookup)
        if attribute_of(op, "indexing_maps") is not None:
            raise Unreadable("indexing_maps of an elementwise operation are not supported")
    operator = ELEMENTWISE.get(kind)
    return None if operator is None else [_elementwise(graph, operator, operands)]


def _elementwise(graph: Graph, operator: str, operands: Sequence[Value]) -> Value:
    *inputs, start = operands
    if any(value.shape != start.shape for value in inputs):
        raise Unreadable("operands of different shapes")
    return written(graph, operator, inputs)


def elementwise_kind(op: Operation) -> str:
    """The function of ``linalg.elementwise``: an attribute of its own, or a word."""
    return str(attribute_of(op, "kind")).rpartition("<")[2].strip('">')


def _maps_of(op: Operation) -> list[AffineMap] | None:
    given = attribute_of(op, "indexing_maps")
    if not isinstance(given, ArrayAttr):
        return None
    maps = cast("ArrayAttr[Attribute]", given).data
    return [m.data for m in maps if isinstance(m, AffineMapAttr)]


def _maps(formula: str) -> list[AffineMap]:
    """``mk,kn->mn`` as three maps."""
    parts = formula.replace("->", ",").split(",")
    letters = sorted({letter for part in parts for letter in part}, key="bmnk".index)
    place = {letter: AffineExpr.dimension(i) for i, letter in enumerate(letters)}
    return [AffineMap(len(letters), 0, tuple(place[x] for x in part)) for part in parts]


def _product(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    """A sum of products, joined with what the result starts from."""
    a, b, start = operands
    maps = _maps_of(op) or _maps(PRODUCTS[name_of(op)])
    shapes = [a.shape, b.shape, start.shape]
    extents = extents_of(shapes, maps, maps[0].num_dims)
    if a.dtype.kind != "f":
        raise Unreadable("products of integers are not supported")
    found = contract(graph, (a, maps[0]), (b, maps[1]), maps[2], extents)
    if found is None:
        raise Unreadable("these indexing maps are of no matrix product")
    return found if start.number == 0 else written(graph, "Add", [found, start])


def _convolution(graph: Graph, op: Operation, operands: Sequence[Value]) -> Value:
    """Without padding, which stands in an operation before."""
    x, w, start = operands
    image, kernel = CONVOLUTIONS[name_of(op)]
    channels_first = "nc" + "".join(c for c in image if c in "hw")
    weights_first = "fc" + "".join(c for c in image if c in "hw")
    data = graph.full(graph.transpose(x, [image.index(c) for c in channels_first]))
    weights = graph.full(graph.transpose(w, [kernel.index(c) for c in weights_first]))
    strides = _windows(op, "strides", len(image) - 2)
    dilations = _windows(op, "dilations", len(image) - 2)
    output = [start.shape[image.index(c)] for c in channels_first]
    found = graph.emit(
        "Conv", [data, weights], tuple(output), x.dtype, strides=strides, dilations=dilations
    )
    found = graph.transpose(found, [channels_first.index(c) for c in image])
    return found if start.number == 0 else written(graph, "Add", [found, start])


def _windows(op: Operation, name: str, count: int) -> Shape:
    given = attribute_of(op, name)
    return (1,) * count if given is None else integers(given)


def generic(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value]:
    """A loop nest that says all of itself; results that nobody uses are not computed."""
    maps = _maps_of(op)
    if maps is None:
        raise Unreadable("expected indexing_maps")
    given = attribute_of(op, "iterator_types")
    kinds = [str(kind) for kind in cast("Any", given).data]
    reduction = tuple("reduction" in kind for kind in kinds)
    count = len(op.results)
    extents = extents_of([v.shape for v in operands], maps, len(kinds))
    nest = Nest(graph, extents, reduction, operands, maps, op.regions[0].block, lookup)
    starts = operands[len(operands) - count :]
    return [
        nest.result(i) if op.results[i].first_use is not None else starts[i] for i in range(count)
    ]


def _fill(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value]:
    number, start = operands
    spread = graph.reshape(number, (1,) * len(start.shape))
    return [graph.reshape(spread, start.shape, spread.stored)]


def _copy(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value]:
    return [operands[0]]


def _transpose(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value]:
    return [graph.transpose(operands[0], integers(attribute_of(op, "permutation")))]


def _broadcast(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value]:
    """The dimensions that are listed are new."""
    value, start = operands
    new = integers(attribute_of(op, "dimensions"))
    kept = iter(value.stored)
    stored = tuple(1 if i in new else next(kept) for i in range(len(start.shape)))
    return [graph.reshape(value, start.shape, stored)]


def _softmax(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value]:
    value = graph.full(operands[0])
    axis = integer(attribute_of(op, "dimension"))
    return [graph.emit("Softmax", [value], value.shape, value.dtype, axis=axis)]


def _reduce(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value]:
    """``linalg.reduce`` over the dimensions that are listed."""
    count = len(op.results)
    inputs = operands[: len(operands) - count]
    rank = len(inputs[0].shape)
    axes = integers(attribute_of(op, "dimensions"))
    kept = [d for d in range(rank) if d not in axes]
    place = [AffineExpr.dimension(d) for d in range(rank)]
    maps = [AffineMap(rank, 0, tuple(place)) for _ in inputs]
    maps += [AffineMap(rank, 0, tuple(place[d] for d in kept)) for _ in range(count)]
    reduction = tuple(d in axes for d in range(rank))
    block = op.regions[0].block
    nest = Nest(graph, inputs[0].shape, reduction, operands, maps, block, lookup)
    return [nest.result(i) for i in range(count)]


def _map(graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup) -> Sequence[Value]:
    shape = operands[-1].shape
    maps = [AffineMap.identity(len(shape)) for _ in operands]
    block = op.regions[0].block
    nest = Nest(graph, shape, (False,) * len(shape), operands, maps, block, lookup)
    return [nest.result(0)]


def _reciprocal(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value]:
    one = graph.number(1.0, operands[0].dtype, (1,) * len(operands[0].shape))
    return [written(graph, "Div", [one, operands[0]])]


def _reciprocal_root(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value]:
    return _reciprocal(graph, op, [graph.elementwise("Sqrt", [operands[0]])], lookup)


def _square(
    graph: Graph, op: Operation, operands: Sequence[Value], lookup: Lookup
) -> Sequence[Value]:
    return [written(graph, "Mul", [operands[0], operands[0]])]


RULES: dict[str, Rule] = {
    "linalg.generic": generic,
    "linalg.fill": _fill,
    "linalg.copy": _copy,
    "linalg.transpose": _transpose,
    "linalg.broadcast": _broadcast,
    "linalg.softmax": _softmax,
    "linalg.reduce": _reduce,
    "linalg.map": _map,
    "linalg.reciprocal": _reciprocal,
    "linalg.rsqrt": _reciprocal_root,
    "linalg.square": _square,
}
