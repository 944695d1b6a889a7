"""ONNX's Einsum: operands are reduced to the labels that count, then multiplied pair by pair."""

from __future__ import annotations

import string
from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from softex_mlir.compiler.importers.onnx.general import sum_over
from softex_mlir.compiler.importers.onnx.graph import Importer
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.registry import operator
from softex_mlir.compiler.importers.onnx.tensors import loops, nest
from softex_mlir.compiler.importers.onnx.values import (
    Unsupported,
    Value,
    element_of,
    shape_of_value,
)
from softex_mlir.dialects import transformer as t

Labelled = tuple[SSAValue, str]
"""An activation, and a letter for each of its dimensions."""


@operator("Einsum", note="of floating-point numbers; of several operands pair by pair")
def einsum(state: Importer, node: Node) -> list[Value]:
    values = node.inputs()
    terms, result = _parsed(node, [len(shape_of_value(v)) for v in values])
    operands = [_operand(state, v, term) for v, term in zip(values, terms, strict=True)]
    left, *others = _without_repeated(state, operands)
    for number, right in enumerate(others, 2):
        kept = set(result).union(*terms[number:])
        a = _reduced(state, *left, kept.union(right[1]))
        b = _reduced(state, *right, kept.union(left[1]))
        left = _contracted(state, a, b, kept)
    x, order = _reduced(state, *left, set(result))
    return [state.emit(t.TransposeOp(x, [order.index(c) for c in result])) if result else x]


def _parsed(node: Node, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Labels of every operand and of the result, with letters in place of `...`."""
    given = node.attribute("equation").decode()
    equation = given.replace(" ", "")
    operands, arrow, result = equation.partition("->")
    terms = operands.split(",")
    counts = {
        rank - len(term.replace("...", ""))
        for term, rank in zip(terms, ranks, strict=False)
        if "..." in term
    }
    if len(terms) != len(ranks) or len(counts) > 1 or any(n < 0 for n in counts):
        raise Unsupported(f"the equation '{given}'", "write its dimensions out as letters")
    if not arrow:
        once = sorted(c for c in set(operands) if c.isalpha() and operands.count(c) == 1)
        result = ("..." if counts else "") + "".join(once)
    free = "".join(c for c in string.ascii_letters if c not in equation)
    more = free[: max(counts, default=0)]
    terms, result = [term.replace("...", more) for term in terms], result.replace("...", more)
    well = all(len(term) == rank for term, rank in zip(terms, ranks, strict=True))
    known = len(set(result)) == len(result) and set(result) <= set("".join(terms))
    if not well or not known:
        raise Unsupported(f"the equation '{given}'", "every letter once in the result")
    return terms, result


def _operand(state: Importer, value: Value, term: str) -> Labelled:
    """An activation of which every dimension has a letter of its own."""
    constant = isinstance(value, np.ndarray)
    x = state.constant(value, splat=False) if constant else state.operand(value)
    letters = "".join(dict.fromkeys(term))
    if letters == term:
        return x, term
    sizes = dict(zip(term, t.shape_of(x), strict=True))
    if any(sizes[c] != n for c, n in zip(term, t.shape_of(x), strict=True)):
        raise Unsupported("sizes that differ for one letter")
    source = [AffineExpr.dimension(letters.index(c)) for c in term]
    result = ([sizes[c] for c in letters], element_of(x), loops(len(letters)))
    found = nest(state, [(x, source)], [result], "p" * len(letters), lambda e, v: v[0])
    return found[0], letters


def _without_repeated(state: Importer, operands: Sequence[Labelled]) -> list[Labelled]:
    """Operands without the dimensions of 1 that repeat for those of others with the same letter."""
    most: dict[str, int] = {}
    for x, term in operands:
        for letter, size in zip(term, t.shape_of(x), strict=True):
            most[letter] = max(size, most.get(letter, 1))
    found: list[Labelled] = []
    for x, term in operands:
        sizes = dict(zip(term, t.shape_of(x), strict=True))
        kept = "".join(c for c in term if sizes[c] == most[c])
        if any(sizes[c] not in (1, most[c]) for c in term):
            raise Unsupported("sizes that differ for one letter")
        dense = x if kept == term else state.emit(t.ReshapeOp(x, [sizes[c] for c in kept]))
        found.append((dense, kept))
    return found


def _reduced(state: Importer, x: SSAValue, term: str, kept: set[str]) -> Labelled:
    """Sums over the dimensions that nothing else has."""
    lost = [i for i, c in enumerate(term) if c not in kept]
    if not lost:
        return x, term
    sizes = [n for i, n in enumerate(t.shape_of(x)) if i not in lost]
    total = state.emit(t.ReshapeOp(sum_over(state, x, lost, 1.0), sizes))
    return state.narrowed(total), "".join(c for c in term if c in kept)


def _contracted(state: Importer, a: Labelled, b: Labelled, kept: set[str]) -> Labelled:
    """A matrix product over the letters that both have and nothing else needs."""
    (x, first), (y, second) = a, b
    batch = [c for c in first if c in second and c in kept]
    inner = [c for c in first if c in second and c not in kept]
    left, right = [c for c in first if c not in second], [c for c in second if c not in first]
    sizes = dict(zip(first + second, t.shape_of(x) + t.shape_of(y), strict=True))

    def matrix(x: SSAValue, term: str, rows: list[str], columns: list[str]) -> SSAValue:
        x = state.emit(t.TransposeOp(x, [term.index(c) for c in batch + rows + columns]))
        shape = [sizes[c] for c in batch]
        shape += [prod(sizes[c] for c in group) for group in (rows, columns)]
        return state.emit(t.ReshapeOp(x, shape))

    product = state.emit(t.MatmulOp(matrix(x, first, left, inner), matrix(y, second, inner, right)))
    order = batch + left + right
    return state.emit(t.ReshapeOp(product, [sizes[c] for c in order])), "".join(order)
