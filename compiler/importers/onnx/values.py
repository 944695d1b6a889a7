"""What a value of an ONNX graph is during import.

- a constant: ``numpy.ndarray``;
- an activation: an SSA value of the module being built;
- a `Symbolic`: computed from integer inputs (token ids, masks) only. The importer asks *what it
  computes* by evaluating it on probes; where that has no answer, it is translated node by node;
- a `Discrete`: an activation of integers, booleans or float8 held as numbers, as casts make it;
- a `NanTest`: the result of IsNaN on an activation;
- a `Past`: keys or values of the tokens before, in a cache;
- an `ActivationSequence`: activations, as SplitToSequence makes them;
- a `Broken`: what a refused node would have computed. It matters only if an output needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import onnx
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue

from softex_mlir.errors import Refusal, UserError

Array: TypeAlias = npt.NDArray[Any]
Assignment: TypeAlias = Mapping[str, Array]


def element_name(element: int) -> str:
    """An ONNX element type in lower case, or its number where ONNX has no such type."""
    known: Any = onnx.TensorProto.DataType
    return known.Name(element).lower() if element in known.values() else f"number {element}"


INTEGERS = frozenset(
    (
        onnx.TensorProto.INT64,
        onnx.TensorProto.INT32,
        onnx.TensorProto.INT16,
        onnx.TensorProto.INT8,
        onnx.TensorProto.UINT32,
        onnx.TensorProto.UINT16,
        onnx.TensorProto.UINT8,
        onnx.TensorProto.BOOL,
    )
)
"""Other element types that inputs and activations may have: 32 bits, booleans one."""


class OnnxError(UserError, ValueError):
    """An ONNX file that cannot be imported. `file` is its path; the message names it too."""

    def __init__(self, file: str, message: str, refusals: Sequence[Refusal] = ()):
        super().__init__(f"{file}: {message}")
        self.file = file
        self.refusals = tuple(refusals)


class Unsupported(Exception):
    """A node that cannot be imported, and why; collected, so that all are reported at once."""

    def __init__(self, reason: str, remedy: str = ""):
        super().__init__(reason)
        self.remedy = remedy
        self.about: tuple[str, str] | None = None
        """Name and operator of the node, if it is another one than is being read."""

    def refusal(self, node: str, operator: str) -> Refusal:
        """The refusal of the node it is about, else of the one that is being read."""
        return Refusal(*(self.about or (node, operator)), str(self), self.remedy)


@dataclass(frozen=True)
class Symbolic:
    """A value that depends on integer inputs only."""

    inputs: frozenset[str]
    """Names of the graph inputs it depends on."""
    evaluate: Callable[[Assignment], Array]
    """Its value for given inputs."""
    sample: Array
    """Its value when every input is all ones: shape and dtype are valid for all inputs."""
    numbers: frozenset[int] = frozenset()
    """Single integers it is computed with: a padding id is among them."""
    build: Callable[[], SSAValue] | None = field(default=None, compare=False)
    """Writes what computes it; None if only its inputs can tell."""
    memo: list[tuple[Assignment, Array]] = field(
        default_factory=lambda: list[tuple[Assignment, Array]](), compare=False
    )

    def at(self, assignment: Assignment) -> Array:
        """`evaluate`, remembered for the last assignment (graphs share subexpressions)."""
        if not self.memo or self.memo[0][0] is not assignment:
            self.memo[:] = [(assignment, self.evaluate(assignment))]
        return self.memo[0][1]


@dataclass(frozen=True)
class NanTest:
    """Where an activation is NaN."""

    of: SSAValue


@dataclass(frozen=True)
class Discrete:
    """An activation of a type of which every value is a BF16, too; `element` is ONNX's number."""

    of: SSAValue
    element: int


@dataclass(frozen=True)
class ActivationSequence:
    """Activations in an ONNX sequence."""

    parts: tuple[SSAValue, ...]


@dataclass(frozen=True)
class Past:
    """Keys or values [batch, heads, length, size] of the tokens before, in the cache `name`."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Broken:
    """A value nobody can compute; who needs it is refused."""

    activation: bool
    """Whether it depends on an activation's elements, as far as one can tell."""


Value: TypeAlias = (
    "Array | SSAValue | Symbolic | NanTest | Discrete | Past | ActivationSequence | Broken | None"
)


def element_of(value: SSAValue) -> Attribute:
    """Element type of an activation."""
    return cast("TensorType[Attribute]", value.type).element_type


def shape_of_value(value: Value) -> tuple[int, ...]:
    """Shape of any value."""
    from softex_mlir.dialects.transformer import shape_of

    if isinstance(value, np.ndarray):
        return tuple(int(n) for n in value.shape)
    if isinstance(value, Symbolic):
        return tuple(int(n) for n in value.sample.shape)
    if isinstance(value, NanTest | Discrete):
        return shape_of(value.of)
    if isinstance(value, Past):
        return value.shape
    if not isinstance(value, SSAValue):
        raise Unsupported(f"{describe(value)} has no shape")
    return shape_of(value)


def describe(value: Value) -> str:
    """A value for an error message."""
    if isinstance(value, np.ndarray):
        return f"a constant {value.dtype} {value.shape}"
    if isinstance(value, Symbolic):
        names = ", ".join(sorted(value.inputs))
        return f"a {value.sample.dtype} tensor {value.sample.shape} computed from input {names}"
    if isinstance(value, NanTest):
        return "a test for NaN"
    if isinstance(value, Discrete):
        name = element_name(value.element)
        return f"an activation {shape_of_value(value)} of type {name}"
    if isinstance(value, Past):
        return f"the cache '{value.name}' {value.shape}"
    if isinstance(value, ActivationSequence):
        return f"a sequence of {len(value.parts)} activations"
    if isinstance(value, SSAValue):
        return f"an activation {shape_of_value(value)}"
    return "nothing"


def check_width(array: Array) -> None:
    """Raise `Unsupported` for integers that 32 bits do not hold."""
    if not array.size or array.dtype.kind not in "iu":
        return
    lowest, highest = int(array.min()), int(array.max())
    if lowest < -(1 << 31) or highest >= 1 << (32 if array.dtype == np.uint32 else 31):
        beyond = lowest if lowest < -(1 << 31) else highest
        raise Unsupported(f"a constant beyond 32 bits ({beyond}): integers are carried as int32")
