"""Loop nests: what `linalg.generic` and the named operations compute, as nodes on whole tensors.

The operands of a nest are brought to its iteration space, where the body is a function of whole
tensors; what a reduction accumulates is reduced, products that are summed become matrix products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce as fold
from math import inf

import numpy as np
from xdsl.ir import Block, BlockArgument, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap

from softex_mlir.compiler.importers.mlir.constants import integer
from softex_mlir.compiler.importers.mlir.contraction import contract
from softex_mlir.compiler.importers.mlir.gathers import extracted, gathered
from softex_mlir.compiler.importers.mlir.graph import (
    BOOL,
    FLOAT,
    INT,
    Graph,
    Unreadable,
    Value,
)
from softex_mlir.compiler.importers.mlir.scalars import scalar_operation
from softex_mlir.compiler.importers.mlir.spellings import written
from softex_mlir.compiler.importers.mlir.syntax import attribute_of, name_of

Lookup = Callable[[SSAValue], Value]

REDUCTIONS: dict[str, tuple[str, str]] = {
    "arith.addf": ("ReduceSum", "Add"),
    "arith.addi": ("ReduceSum", "Add"),
    "arith.mulf": ("ReduceProd", "Mul"),
    "arith.muli": ("ReduceProd", "Mul"),
    "arith.maximumf": ("ReduceMax", "Max"),
    "arith.maxnumf": ("ReduceMax", "Max"),
    "arith.maxsi": ("ReduceMax", "Max"),
    "arith.minimumf": ("ReduceMin", "Min"),
    "arith.minnumf": ("ReduceMin", "Min"),
    "arith.minsi": ("ReduceMin", "Min"),
    "arith.ori": ("ReduceMax", "Or"),
    "arith.andi": ("ReduceMin", "And"),
}
"""What accumulates: the reduction, and what joins the result with the start value."""
POSITIONS = {2: "ArgMax", 9: "ArgMax", 4: "ArgMin", 11: "ArgMin"}
"""By the predicate that a new element is chosen by."""
LARGEST = (1 << 31) - 1
NEUTRAL: dict[str, tuple[float, ...]] = {
    "ReduceSum": (0,),
    "ReduceProd": (1,),
    "ReduceMax": (-inf, -LARGEST - 1, -LARGEST, -(1 << 63), float(np.finfo(np.float32).min)),
    "ReduceMin": (inf, LARGEST, (1 << 63) - 1, float(np.finfo(np.float32).max)),
}
"""Start values that change nothing; the lowest finite number stands for none, too."""


@dataclass
class Nest:
    """One nest.

    Attributes:
        extents: iterations of every loop.
        reduction: which loops accumulate.
        operands: inputs, then the values that results start from.
        maps: where an operand's element of an iteration is.
        lookup: values from outside that the body uses.
    """

    graph: Graph
    extents: tuple[int, ...]
    reduction: tuple[bool, ...]
    operands: Sequence[Value]
    maps: Sequence[AffineMap]
    block: Block
    lookup: Lookup
    _values: dict[SSAValue, Value] = field(default_factory=dict[SSAValue, Value])

    @property
    def inputs(self) -> int:
        """How many operands are inputs."""
        return len(self.operands) - len(self.results)

    @property
    def results(self) -> Sequence[SSAValue]:
        """What the body yields."""
        last = self.block.last_op
        return () if last is None else last.operands

    def result(self, index: int) -> Value:
        """The value of a result."""
        target = self.maps[self.inputs + index]
        if any(self.reduction):
            return self._reduced(index, target)
        return self._placed(self.scalar(self.results[index]), target)

    # --- the body ----------------------------------------------------------------------------

    def scalar(self, value: SSAValue) -> Value:
        """A value of the body over the iteration space."""
        found = self._values.get(value)
        if found is None:
            found = self._values[value] = self._scalar(value)
        return found

    def _scalar(self, value: SSAValue) -> Value:
        owner = value.owner
        if isinstance(value, BlockArgument) and owner is self.block:
            return self._argument(value.index)
        if not isinstance(owner, Operation) or owner.parent is not self.block:
            return self._outside(value)
        name = name_of(owner)
        if name == "linalg.index":
            return self._index(integer(attribute_of(owner, "dim")))
        operands = [
            self.lookup(v) if name == "tensor.extract" and not i else self.scalar(v)
            for i, v in enumerate(owner.operands)
        ]
        if name == "tensor.extract":
            return extracted(self.graph, operands[0], operands[1:], self.extents)
        if name == "arith.constant":
            return self._outside(value)
        found = scalar_operation(self.graph, owner, operands)
        if found is None:
            raise Unreadable(f"{name} in a loop nest is not supported")
        return found

    def _outside(self, value: SSAValue) -> Value:
        found = self.lookup(value)
        return self.graph.reshape(found, (1,) * len(self.extents))

    def _index(self, dimension: int) -> Value:
        shape = [1] * len(self.extents)
        shape[dimension] = self.extents[dimension]
        return self.graph.constant(np.arange(self.extents[dimension]).reshape(shape))

    def _argument(self, index: int) -> Value:
        return self.to_space(self.operands[index], self.maps[index])

    def to_space(self, value: Value, found: AffineMap) -> Value:
        """An operand over the iteration space, with size 1 where it does not depend on a loop."""
        places = [_dimension(e) for e in found.results]
        used = [p for p in places if p is not None and p >= 0]
        if None in places or len(set(used)) != len(used):
            return gathered(self.graph, self.graph.full(value), found, self.extents)
        for axis, (place, expression) in enumerate(zip(places, found.results, strict=True)):
            if place == -1 and value.shape[axis] != 1:
                value = _row(self.graph, value, axis, expression.eval([], []))
        kept = [axis for axis, place in enumerate(places) if place != -1]
        order = sorted(kept, key=lambda axis: places[axis] or 0)
        rest = [axis for axis in range(len(places)) if places[axis] == -1]
        value = self.graph.transpose(value, [*order, *rest])
        shape, stored = [1] * len(self.extents), [1] * len(self.extents)
        for position, axis in enumerate(order):
            place = places[axis] or 0
            if value.shape[position] != self.extents[place]:
                raise Unreadable("an operand is not of the size of the loops it is read in")
            shape[place], stored[place] = value.shape[position], value.stored[position]
        return self.graph.reshape(value, tuple(shape), tuple(stored))

    # --- results -----------------------------------------------------------------------------

    def _placed(self, value: Value, target: AffineMap) -> Value:
        """A value over the loops of a result, in the result's order of dimensions."""
        places = [_dimension(e) for e in target.results]
        if any(p is None for p in places):
            raise Unreadable(f"a result at {target} is not supported")
        order = [p for p in places if p is not None and p >= 0]
        others = [d for d in range(len(self.extents)) if d not in order]
        stored = list(value.stored) if value.stored else [1] * len(self.extents)
        shape = tuple(1 if d in others else n for d, n in enumerate(self.extents))
        if any(self.extents[d] != 1 and not self.reduction[d] for d in others):
            raise Unreadable("a result that does not depend on a parallel loop")
        value = self.graph.reshape(value, shape, tuple(stored))
        value = self.graph.transpose(value, [*order, *others])
        final, kept = [1] * len(places), [1] * len(places)
        given = iter(range(len(order)))
        for axis, place in enumerate(places):
            if place != -1:
                position = next(given)
                final[axis], kept[axis] = value.shape[position], value.stored[position]
        return self.graph.reshape(value, tuple(final), tuple(kept))

    def _reduced(self, index: int, target: AffineMap) -> Value:
        accumulator = self.block.args[self.inputs + index]
        start = self.operands[self.inputs + index]
        yielded = self.results[index]
        axes = [d for d, reduced in enumerate(self.reduction) if reduced]
        operation, terms = self._terms(yielded, accumulator)
        if operation is None:
            return self._position(index, axes, target)
        kind, join = REDUCTIONS[operation]
        product = self._contraction(terms, target) if kind == "ReduceSum" else None
        if product is not None:
            return self._joined(join, product, start, kind)
        term = fold(lambda a, b: written(self.graph, join, [a, b]), map(self.scalar, terms))
        term = self._spread(term, axes)
        found = self._accumulated(kind, term, axes, overlook=operation.endswith("numf"))
        return self._joined(join, self._placed(found, target), start, kind)

    def _accumulated(self, kind: str, term: Value, axes: Sequence[int], *, overlook: bool) -> Value:
        if term.dtype == BOOL:
            whole = self.graph.cast(term, INT)
            return self.graph.cast(self.graph.reduce(kind, whole, axes), BOOL)
        if not overlook or term.array is not None:
            return self.graph.reduce(kind, term, axes)
        test = self.graph.elementwise("IsNaN", [term], BOOL)
        least = self.graph.number(-inf if kind == "ReduceMax" else inf, FLOAT, term.shape)
        found = self.graph.reduce(
            kind, self.graph.elementwise("Where", [test, least, term], FLOAT), axes
        )
        if kind == "ReduceMax":
            self.graph.maxima[found.name] = (term, tuple(axes))
        return found

    def _spread(self, term: Value, axes: Sequence[int]) -> Value:
        """Over all iterations of the loops that reduce."""
        shape = tuple(
            n if d in axes else term.shape[d] if term.shape else 1
            for d, n in enumerate(self.extents)
        )
        stored = term.stored or (1,) * len(shape)
        return self.graph.reshape(term, shape, stored)

    def _joined(self, join: str, found: Value, start: Value, kind: str) -> Value:
        number = start.number
        if number is not None and (number in NEUTRAL[kind] or isinstance(number, bool)):
            neutral = number in NEUTRAL[kind] or number == (join == "And")
            if neutral:
                return found
        return written(self.graph, join, [found, start])

    def _terms(self, value: SSAValue, accumulator: SSAValue) -> tuple[str | None, list[SSAValue]]:
        """What is joined with the accumulator, and by which operation."""
        owner = value.owner
        if not isinstance(owner, Operation) or owner.parent is not self.block:
            return None, []
        name = name_of(owner)
        if name == "math.fma" and owner.operands[2] is accumulator:
            raise Unreadable("math.fma that accumulates is not supported: expected mulf and addf")
        if name not in REDUCTIONS:
            return None, []
        a, b = owner.operands
        for mine, other in ((a, b), (b, a)):
            if _depends(other, accumulator, self.block):
                continue
            if mine is accumulator:
                return name, [other]
            inner, terms = self._terms(mine, accumulator)
            if inner == name:
                return name, [*terms, other]
        return None, []

    def _contraction(self, terms: Sequence[SSAValue], target: AffineMap) -> Value | None:
        """A sum of products of two operands."""
        if len(terms) != 1 or not isinstance(terms[0].owner, Operation):
            return None
        op = terms[0].owner
        if name_of(op) != "arith.mulf":
            return None
        a, b = (self._operand_behind(v) for v in op.operands)
        if a is None or b is None:
            return None
        return contract(
            self.graph,
            (self.operands[a], self.maps[a]),
            (self.operands[b], self.maps[b]),
            target,
            self.extents,
        )

    def _operand_behind(self, value: SSAValue) -> int | None:
        """The input that a value of the body is an element of, through widenings."""
        while isinstance(value.owner, Operation) and name_of(value.owner) in (
            "arith.extf",
            "arith.truncf",
        ):
            value = value.owner.operands[0]
        if not isinstance(value, BlockArgument) or value.index >= self.inputs:
            return None
        return value.index

    def _position(self, index: int, axes: Sequence[int], target: AffineMap) -> Value:
        """The index of the largest element, as `torch.max` is written out."""
        choice = self.results[index].owner
        if not isinstance(choice, Operation) or name_of(choice) != "arith.select":
            raise Unreadable("what the loop nest accumulates is not supported")
        test, then, kept = choice.operands
        compare = test.owner
        if (
            kept is not self.block.args[self.inputs + index]
            or not isinstance(compare, Operation)
            or name_of(compare) != "arith.cmpf"
            or len(axes) != 1
        ):
            raise Unreadable("what the loop nest accumulates is not supported")
        position = self.scalar(then)
        if position.array is None or position.number is not None:
            raise Unreadable("expected the index of a loop to be accumulated")
        kind = POSITIONS.get(integer(attribute_of(compare, "predicate")))
        if kind is None:
            raise Unreadable("expected the first largest or smallest element to be looked for")
        x = self.graph.full(self._spread(self.scalar(compare.operands[0]), axes))
        shape = tuple(1 if d in axes else n for d, n in enumerate(x.shape))
        found = self.graph.emit(kind, [x], shape, INT, axis=axes[0], keepdims=1)
        return self._placed(found, target)


def _depends(value: SSAValue, on: SSAValue, block: Block) -> bool:
    if value is on:
        return True
    owner = value.owner
    if not isinstance(owner, Operation) or owner.parent is not block:
        return False
    return any(_depends(v, on, block) for v in owner.operands)


def _dimension(expression: AffineExpr) -> int | None:
    """The loop whose index an expression is; -1 if it is a constant, None otherwise."""
    if isinstance(expression, AffineDimExpr):
        return expression.position
    return -1 if isinstance(expression, AffineConstantExpr) else None


def _row(graph: Graph, value: Value, axis: int, index: int) -> Value:
    begin = tuple(index if a == axis else 0 for a in range(len(value.shape)))
    sizes = tuple(1 if a == axis else n for a, n in enumerate(value.shape))
    return graph.slice(value, begin, sizes, (1,) * len(sizes))


def extents_of(
    shapes: Sequence[tuple[int, ...]], maps: Sequence[AffineMap], count: int
) -> tuple[int, ...]:
    """Iterations of the loops: each is the index of some operand's dimension by itself.

    Raises:
        Unreadable: one has no bound.
    """
    found: dict[int, int] = {}
    for shape, map_ in zip(shapes, maps, strict=True):
        for size, expression in zip(shape, map_.results, strict=True):
            if isinstance(expression, AffineDimExpr):
                found.setdefault(expression.position, size)
    if len(found) != count:
        raise Unreadable("a loop of the nest has no bound")
    return tuple(found[d] for d in range(count))
