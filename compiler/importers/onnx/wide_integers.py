"""Integers of 64 bits in 32: proved to fit, or for which inputs they do.

ONNX's int64 is carried as i32. What a graph computes with it is followed from the ranges of its
constants, shapes, tables and comparisons; where that is no proof, inputs get the widest range with
which it is one. A program says its inputs' ranges, and runs refuse others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import onnx
from xdsl.dialects.builtin import IntegerType, TensorType, i32
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Block, Operation, SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.loop_nest import element_type
from softex_mlir.compiler.range_analysis import RangeAnalysis, sources
from softex_mlir.compiler.value_ranges import INT32, TRUTH, Range
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects.transformer import id_limit
from softex_mlir.errors import Refusal

_TENSOR = onnx.TensorProto
INPUTS: Mapping[str, Range] = {
    "bool": TRUTH,
    **{
        name: Range(int(np.iinfo(name).min), int(np.iinfo(name).max))
        for name in ("int8", "uint8", "int16", "uint16")
    },
    "uint32": Range(0, INT32.high),
}
"""What inputs of a type hold; others are of 32 bits, which runs check."""


Source: TypeAlias = "SSAValue | Operation"
"""An input, or a loop nest that converts floating-point numbers."""
Bounds: TypeAlias = Mapping[Source, Range]


class NodeOrigin(NamedTuple):
    """The node that operations were written for."""

    node: str
    operator: str
    wide: bool
    """Whether it computes with integers of 64 bits: others wrap as theirs do."""


def origin_of(name: str, operator: str, types: Iterable[int]) -> NodeOrigin:
    """The origin of what a node with operands and results of some ONNX element types becomes."""
    found = set(types)
    integers = found & {_TENSOR.INT32, _TENSOR.UINT32, _TENSOR.INT16, _TENSOR.INT8}
    return NodeOrigin(name, operator, _TENSOR.INT64 in found or not integers)


@dataclass
class WideIntegers:
    """The integers of a graph.

    Attributes:
        origins: the nodes of its operations, as far as they are known.
        arguments: inputs by name.
        places: how many slices inputs select from, negative ones from the end.
    """

    block: Block
    weights: WeightStore
    origins: Mapping[Operation, NodeOrigin]
    arguments: Mapping[str, SSAValue]
    ports: list[Port]
    places: Mapping[SSAValue, int]

    @cached_property
    def _followed(self) -> list[Operation]:
        """Operations that matter."""
        return sources([op for op in self.block.ops if self._is_exact(op)])

    def _is_exact(self, op: Operation) -> bool:
        if not isinstance(op, linalg_ops.GenericOp):
            return False
        if not any(element_type(v) == i32 for v in (*op.operands, *op.results)):
            return False
        return op not in self.origins or self.origins[op].wide

    def _analysis(self, bounds: Bounds) -> RangeAnalysis:
        assumed = {op: x for op, x in bounds.items() if isinstance(op, Operation)}
        given = {v: x for v, x in bounds.items() if isinstance(v, SSAValue)}
        found = RangeAnalysis(self.weights, self._is_exact, assumed, given)
        for op in self._followed:
            found.follow(op)
        return found

    def checked(self) -> tuple[list[Port], list[str], list[Refusal]]:
        """The inputs with the ranges they need, what is to be said of it, and what no range
        saves."""
        whole: dict[Source, Range] = dict(self._inputs())
        found = self._analysis(whole)
        whole |= dict.fromkeys(dict.fromkeys(found.conversions), INT32)
        bounds = self._bounded(whole) if found.overflows else whole
        if bounds is None:
            return self.ports, [], self._refusals(whole)
        narrowed = {
            name: (int(bounds[value].low), int(bounds[value].high))
            for name, value in self.arguments.items()
            if value in bounds and (bounds[value] != whole[value] or value in self.places)
        }
        ports = [replace(port, values=narrowed.get(port.name)) for port in self.ports]
        return ports, self._notes(whole, bounds, found), []

    def _inputs(self) -> Iterable[tuple[SSAValue, Range]]:
        """Arguments of integers with what they may hold."""
        for port in self.ports:
            value = self.arguments.get(port.name)
            if value is None or not isinstance(value.type, TensorType):
                continue
            if isinstance(element_type(value), IntegerType):
                limit = id_limit(value)
                held = INPUTS.get(port.dtype, INT32)
                if (size := self.places.get(value)) is not None:
                    held = Range(max(held.low, -size), min(held.high, size - 1))
                yield value, held if limit is None else Range(0, limit - 1)

    def _bounded(self, whole: Bounds) -> dict[Source, Range] | None:
        """The widest ranges with which all integers fit; None if none does.

        First the largest number for all, then each side of each as far as it goes.
        """

        def fits(bounds: Bounds) -> bool:
            return not self._analysis(bounds).overflows

        def within(most: int) -> dict[Source, Range]:
            limited = Range(-most, most)
            return {key: x.meet(limited) or x for key, x in whole.items()}

        if not fits(within(1)):
            return None
        most = _largest(1, int(INT32.high), lambda n: fits(within(n)))
        bounds = within(most)
        for key, x in whole.items():
            bounds[key] = _extended(bounds[key], x, lambda y, key=key: fits({**bounds, key: y}))
        return bounds

    def _notes(
        self,
        whole: Bounds,
        bounds: Bounds,
        found: RangeAnalysis,
    ) -> list[str]:
        names = {value: name for name, value in self.arguments.items()}
        where = ", ".join(dict.fromkeys(self._name(op) for op in found.overflows))
        notes: list[str] = []
        for key, x in bounds.items():
            if isinstance(key, Operation):
                notes.append(
                    f"{self._name(key)}: numbers beyond {x.low}..{x.high} give wrong integers, "
                    "as 64-bit ones are held in 32 bits; a Clip before it proves there are none"
                )
            elif x != whole[key]:
                notes.append(
                    f"input '{names[key]}' must be in {x.low}..{x.high}, which runs check: "
                    f"64-bit integers ({where}) are held in 32 bits"
                )
        return list(dict.fromkeys(notes))

    def _refusals(self, whole: Bounds) -> list[Refusal]:
        smallest = {key: x.meet(TRUTH) or x for key, x in whole.items()}
        reason = "its 64-bit integers do not fit the 32 bits they are held in, even of inputs of 1"
        remedy = "compute them outside of the model, or in floating point"
        unknown = NodeOrigin("?", "integers", True)
        origins = [self.origins.get(op, unknown) for op in self._analysis(smallest).overflows]
        return [Refusal(o.node, o.operator, reason, remedy) for o in dict.fromkeys(origins)]

    def _name(self, op: Operation) -> str:
        origin = self.origins.get(op)
        return "a node" if origin is None else f"{origin.operator} '{origin.node}'"


def _extended(known: Range, whole: Range, fits: Callable[[Range], bool]) -> Range:
    """A range that fits, with each side moved out as far as that holds."""
    low, high = int(known.low), int(known.high)
    high = _largest(high, int(whole.high), lambda n: fits(Range(low, n)))
    low = -_largest(-low, -int(whole.low), lambda n: fits(Range(-n, high)))
    return Range(low, high)


def _largest(known: int, most: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `most` that fits, from one that does."""
    if known >= most or fits(most):
        return max(known, most)
    low, high = known, most
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low
