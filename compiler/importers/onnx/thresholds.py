"""Operators that answer in steps, and what of a graph is held in float32 for them.

On which side of a step a number lies decides the answer, and rounding to BF16 moves it: -3.996 is
cut to -3, its BF16 to -4. What such an operator reads is float32 from the inputs of the graph on
where only element-wise work, moves and products lie between; elsewhere users are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import prod
from typing import Any

import numpy as np
from onnx import numpy_helper
from xdsl.dialects.builtin import AnyFloat, bf16
from xdsl.ir import SSAValue

from softex_mlir.compiler.importers.onnx.casts import FLOAT8
from softex_mlir.compiler.importers.onnx.elementwise import BINARY, UNARY
from softex_mlir.compiler.importers.onnx.general import PLAIN, REDUCTIONS
from softex_mlir.compiler.importers.onnx.logic import COMPARISONS
from softex_mlir.compiler.importers.onnx.node import Node
from softex_mlir.compiler.importers.onnx.types import FLOATS
from softex_mlir.compiler.importers.onnx.values import INTEGERS, element_of

STEPS = frozenset((*COMPARISONS, "Ceil", "Floor", "Mod", "Round", "Sign"))
"""Operators with steps, as casts to integers and to float8 are."""
PLACES = {"GridSample": 1}
"""Operands that are places among the elements of another one: rounded, they are other places."""
CHOICES = frozenset(("ArgMax", "ArgMin", "Hardmax", "TopK"))
"""Operators that choose among numbers. A product before them is a classifier's, which belongs on
RedMulE: the numbers it gives are as close as accuracy says."""
DISCRETE = CHOICES | frozenset((*COMPARISONS, "And", "IsInf", "IsNaN", "Not", "Or", "Xor"))
"""Operators whose results no rounding changes."""
MOVES = frozenset(
    ("Concat", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Pad")
) | frozenset(("Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"))
PRODUCTS = frozenset(("Gemm", "MatMul"))
COMPUTE = frozenset(
    (*BINARY, *UNARY, *PLAIN, *REDUCTIONS, "Cast", "Clip", "Max", "Min", "Mod", "Neg", "Reciprocal")
) | {"ReduceMean", "Where"}
"""Operators that compute float32 from float32."""


class Exactness(IntEnum):
    """How exactly a graph's numbers can be held."""

    ROUNDED = 0
    """In BF16 alone."""
    PRODUCT = 1
    """In float32, by products on the cores."""
    COMPUTED = 2
    MOVED = 3
    """Elements of inputs."""
    KNOWN = 4
    """Constants, integers and booleans."""


@dataclass(frozen=True)
class Thresholds:
    """What answers in steps in a graph."""

    exact: frozenset[str] = frozenset()
    """Names of the floating-point values that are held in float32."""
    safe: frozenset[str] = frozenset()
    """Results that rounding does not change: comparisons of inputs with 0."""

    def reads_exactly(self, proto: Any) -> bool:
        """Whether a node reads float32 where there is some."""
        exact = any(name in self.exact for name in proto.output)
        return exact or proto.op_type in STEPS | CHOICES | {"Cast", "CastLike", *PLACES}

    def is_at_risk(self, node: Node) -> bool:
        """Whether a node answers in steps of numbers in BF16."""
        target = node.result_type()
        rounded = any(isinstance(v, SSAValue) and element_of(v) == bf16 for v in node.operands)
        return rounded and is_step(node.proto, target) and node.proto.output[0] not in self.safe

    def chooses_among_rounded(self, node: Node) -> bool:
        """Whether a node chooses among numbers that are, or come from, ones in BF16."""
        if node.proto.op_type not in CHOICES or node.proto.domain not in ("", "ai.onnx"):
            return False
        x = node.operands[0]
        computed = isinstance(x, SSAValue) and isinstance(element_of(x), AnyFloat)
        return computed and node.proto.input[0] not in self.exact


def is_step(proto: Any, target: int) -> bool:
    """Whether a node's answers come in steps.

    Args:
        target: ONNX's number of what a cast makes.
    """
    if proto.op_type in ("Cast", "CastLike"):
        return target in INTEGERS or target in FLOAT8
    return proto.op_type in STEPS and proto.domain in ("", "ai.onnx")


def thresholds(graph: Any) -> Thresholds:
    """The thresholds of a graph."""
    held, kinds = _given(graph)
    zeros = _zeros(graph)
    wanted: list[str] = []
    safe: set[str] = set()
    for node in graph.node:
        target = _target(node, kinds)
        least = min(
            (held.get(n, Exactness.KNOWN) for n in node.input if n), default=Exactness.KNOWN
        )
        compares = node.op_type in COMPARISONS and not zeros.isdisjoint(node.input)
        if least == Exactness.MOVED and (compares or node.op_type == "Sign"):
            safe |= {*node.output}
        elif least > (Exactness.PRODUCT if node.op_type in CHOICES else Exactness.ROUNDED) and (
            is_step(node, target) or node.op_type in CHOICES
        ):
            wanted += node.input
        elif node.op_type in PLACES and len(node.input) > PLACES[node.op_type]:
            places = node.input[PLACES[node.op_type]]
            if held.get(places, Exactness.KNOWN) > Exactness.PRODUCT:
                wanted.append(places)
        held |= dict.fromkeys(node.output, _held(node, least, target))
    makers = {name: node for node in graph.node for name in node.output}
    exact: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in exact or held.get(name, Exactness.KNOWN) == Exactness.KNOWN:
            continue
        exact.add(name)
        if name in makers:
            wanted += makers[name].input
    return Thresholds(frozenset(exact), frozenset(safe))


def _given(graph: Any) -> tuple[dict[str, Exactness], dict[str, int]]:
    """How inputs are held, and ONNX's numbers of the types that the file says."""
    constants = {tensor.name: int(tensor.data_type) for tensor in graph.initializer}
    inputs = {v.name: int(v.type.tensor_type.elem_type) for v in graph.input}
    held = {
        name: Exactness.MOVED
        for name, kind in inputs.items()
        if kind in FLOATS and name not in constants
    }
    said = {v.name: int(v.type.tensor_type.elem_type) for v in graph.value_info}
    return held, {**said, **inputs, **constants}


def _held(node: Any, least: Exactness, target: int) -> Exactness:
    """How the results of a node can be held whose operands are held so at least."""
    if node.domain not in ("", "ai.onnx") or any(a.HasField("g") for a in node.attribute):
        return Exactness.ROUNDED
    if least == Exactness.KNOWN or node.op_type in DISCRETE:
        return Exactness.KNOWN
    if node.op_type in ("Cast", "CastLike") and target not in FLOATS:
        return Exactness.KNOWN
    if node.op_type in MOVES:
        return least
    if node.op_type in COMPUTE:
        return min(least, Exactness.COMPUTED)
    return min(least, Exactness.PRODUCT) if node.op_type in PRODUCTS else Exactness.ROUNDED


def _target(node: Any, kinds: Mapping[str, int]) -> int:
    """What a cast makes; 0 for other nodes, or where the file does not say."""
    if node.op_type == "CastLike":
        return kinds.get(node.input[1], 0) if len(node.input) > 1 else 0
    return next((int(a.i) for a in node.attribute if a.name == "to"), 0)


def _zeros(graph: Any) -> frozenset[str]:
    """Names of constants that are 0."""
    tensors = [(tensor.name, tensor) for tensor in graph.initializer]
    tensors += [
        (name, a.t)
        for node in graph.node
        if node.op_type == "Constant"
        for a in node.attribute
        if a.name == "value"
        for name in node.output
    ]
    return frozenset(name for name, tensor in tensors if _is_zero(tensor))


def _is_zero(tensor: Any) -> bool:
    small = not tensor.external_data and prod(map(int, tensor.dims)) == 1
    try:
        return small and not np.any(numpy_helper.to_array(tensor))
    except (KeyError, TypeError, ValueError):
        return False  # what is wrong with it says who reads it
