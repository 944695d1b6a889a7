"""What a handler sees of an ONNX node, and the account of what it looked at.

A handler that does not look at an attribute, an input or a requested output would translate the
node as if it were not there. `Node` keeps that account, and `Node.unread` names what is left of it
that is not the operator's default: the importer refuses the node for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import onnx
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import SSAValue

from softex_mlir.compiler.importers.onnx.values import (
    Array,
    Discrete,
    NanTest,
    Unsupported,
    Value,
    describe,
    element_of,
)

_ONNX: Any = onnx  # its type stubs are partial


@cache
def schema_of(kind: str, domain: str, opset: int) -> Any:
    """The operator's definition in an opset; None if ONNX does not define it."""
    try:
        return _ONNX.defs.get_schema(kind, opset, domain)
    except _ONNX.defs.SchemaError:
        return None


@dataclass
class Node:
    """An ONNX node with its operands' values; every look at it is recorded.

    Attributes:
        operands: values of the operands, None for absent ones. Handlers use the methods.
        types: ONNX types of the operands, None for absent or unknown ones.
        captured: values of the outer graph that its subgraphs use.
    """

    proto: Any
    operands: Sequence[Value]
    types: Sequence[Any]
    opset: int
    captured: Mapping[str, Value] = field(default_factory=dict[str, Value])
    results: Sequence[Any] = ()
    """ONNX types of the results, None where inference says nothing."""
    narrow: Callable[[SSAValue], SSAValue] = lambda value: value
    """Rounds a float32 activation to bf16."""
    realise: Callable[[Value], SSAValue] | None = None
    """Gives a value that is held otherwise as an activation of its own type."""
    _seen_inputs: set[int] = field(default_factory=set[int])
    _seen_attributes: set[str] = field(default_factory=set[str])

    @property
    def kind(self) -> str:
        """Operator type."""
        return self.proto.op_type

    @property
    def key(self) -> str:
        """Operator type with its domain, unless that is the standard one."""
        domain = self.proto.domain
        return self.kind if domain in ("", "ai.onnx") else f"{domain}.{self.kind}"

    @property
    def schema(self) -> Any:
        """The operator's definition; None for operators that ONNX does not define."""
        return schema_of(self.kind, self.proto.domain, self.opset)

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value."""
        self._seen_attributes.add(name)
        for attribute in self.proto.attribute:
            if attribute.name == name:
                return _ONNX.helper.get_attribute_value(attribute)
        return default

    def input(self, index: int) -> Value:
        """An operand; None if it is absent."""
        self._seen_inputs.add(index)
        return self.operands[index] if index < len(self.operands) else None

    def inputs(self) -> list[Value]:
        """All operands."""
        return [self.input(index) for index in range(len(self.operands))]

    def constant(self, index: int, what: str) -> Array | None:
        """A constant operand; None if it is absent."""
        value = self.input(index)
        if value is None or isinstance(value, np.ndarray):
            return value
        raise Unsupported(f"its {what} must be a constant, found {describe(value)}")

    def required(self, index: int, what: str) -> Array:
        """A constant operand that must be there."""
        value = self.constant(index, what)
        if value is None:
            raise Unsupported(f"its {what} is missing")
        return value

    def ints(self, index: int, name: str, what: str) -> list[int] | None:
        """Integers given as attribute (old opsets) or as constant operand (new ones)."""
        given = self.attribute(name)
        if given is not None:
            return [int(i) for i in given]
        found = self.constant(index, what)
        return None if found is None else [int(i) for i in found.ravel()]

    def tensor(self, index: int) -> SSAValue:
        """An operand that must be an activation, of any element type."""
        value = self.input(index)
        if isinstance(value, Discrete | NanTest) and self.realise is not None:
            return self.realise(value)
        if isinstance(value, SSAValue):
            return value
        raise Unsupported(f"operand {index} must be an activation, found {describe(value)}")

    def activation(self, index: int) -> SSAValue:
        """An operand that must be an activation of floating-point numbers, as bf16."""
        value = self.tensor(index)
        if isinstance(element_of(value), IntegerType):
            raise Unsupported(f"operand {index} must be floating-point numbers")
        return self.narrow(value)

    def result_type(self, index: int = 0) -> int:
        """A result's element type as ONNX numbers them, 0 (undefined) if it is unknown."""
        found = self.results[index] if index < len(self.results) else None
        return 0 if found is None else int(found.tensor_type.elem_type)

    def element_type(self, index: int) -> int:
        """An operand's element type as ONNX numbers them, 0 (undefined) if it is unknown."""
        found = self.types[index] if index < len(self.types) else None
        return 0 if found is None else int(found.tensor_type.elem_type)

    def unread(self) -> list[str]:
        """Attributes that are not the operator's default and inputs, if nobody looked at them."""
        schema = self.schema
        left: list[str] = []
        for attribute in self.proto.attribute:
            if attribute.name in self._seen_attributes:
                continue
            value = _ONNX.helper.get_attribute_value(attribute)
            if schema is not None and attribute.name in schema.attributes:
                default = schema.attributes[attribute.name].default_value
                if default.type and _ONNX.helper.get_attribute_value(default) == value:
                    continue
            left.append(f"its attribute {attribute.name} = {_text(value)}")
        for index, value in enumerate(self.operands):
            if value is None or index in self._seen_inputs:
                continue
            left.append(f"its input {_formal(schema and schema.inputs, index)}")
        return left

    def output_name(self, index: int) -> str:
        """The operator's own name of an output."""
        return _formal(None if self.schema is None else self.schema.outputs, index)


def _formal(parameters: Any, index: int) -> str:
    """The operator's own name of an input or output; its number if there is none."""
    if parameters is None or index >= len(parameters):
        return str(index)
    return f"'{parameters[index].name}'"


def _text(value: Any) -> str:
    """An attribute's value for a message."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
