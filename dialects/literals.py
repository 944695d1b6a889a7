"""Numbers in MLIR text, to the bit.

xDSL 0.74 reads hexadecimal numbers in lists of floats as integers (its printer writes infinities,
NaN and large numbers so), gives the data of a `dense_resource` another name each time a text
that holds it is read, prints 0 and -0 in one list as equal elements, and not all bits of NaN.
"""

from __future__ import annotations

from typing import Any, cast

from xdsl.dialects.builtin import (
    AnyFloat,
    BytesAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    DenseResourceAttr,
    IntegerType,
    ModuleOp,
    ShapedType,
    TensorType,
)
from xdsl.ir import Attribute
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.hints import isa
from xdsl.utils.mlir_lexer import MLIRTokenKind

ALIGNMENT = 4
"""Bytes in front of a resource's data that say how it is aligned."""


class _Hexadecimal(int):
    """An integer that was written in hexadecimal: the bits of a float, if a float it is to be."""

    def __float__(self) -> float:
        return 0.0


class ExactLiterals(Parser):
    """A parser that loses no value."""

    def __init__(self, *arguments: Any, **more: Any):
        super().__init__(*arguments, **more)
        self._elements: list[object] = []
        self.resources: dict[str, str] = {}
        """Data of resources in hexadecimal, by name."""

    def _parse_tensor_literal_element(self) -> Parser._TensorLiteralElement:  # pyright: ignore[reportIncompatibleMethodOverride]
        found = super()._parse_tensor_literal_element()
        if type(found.value) is int and found.span.text.startswith("0x"):
            found.value = _Hexadecimal(found.value)
        self._elements.append(found.value)
        return found

    def parse_dense_int_or_fp_elements_attr(self, type: Any) -> DenseIntOrFPElementsAttr:
        outer, self._elements = self._elements, []
        position = self.pos
        attribute = super().parse_dense_int_or_fp_elements_attr(type)
        elements, self._elements = self._elements, outer
        element = attribute.get_element_type()
        if not isinstance(element, AnyFloat):
            return attribute
        bits = {i: v for i, v in enumerate(elements) if isinstance(v, _Hexadecimal)}
        if not bits:
            return attribute
        size = element.compile_time_size
        data = bytearray(attribute.data.data)
        for index, value in bits.items():
            data[index * size : (index + 1) * size] = self._bits(value, element, position)
        if len(elements) == 1:
            data = data[:size] * len(attribute)
        return DenseIntOrFPElementsAttr(attribute.type, BytesAttr(bytes(data)))

    def _bits(self, value: int, element: AnyFloat, position: int) -> bytes:
        size = element.compile_time_size
        if value >> (8 * size):
            message = f"hexadecimal number of more than {8 * size} bits for {element}"
            self.raise_error(message, position, self.pos)
        return int(value).to_bytes(size, "little")

    def _parse_builtin_densearray_attr(self) -> DenseArrayBase | None:
        start = self.pos
        self.parse_characters("<", " in dense array")
        element = self.parse_attribute()
        if not isinstance(element, AnyFloat) or self.parse_optional_punctuation(">"):
            self._resume_from(start)
            return super()._parse_builtin_densearray_attr()
        self.parse_punctuation(":")
        values = self.parse_comma_separated_list(
            Parser.Delimiter.NONE, lambda: self._float_bytes(element)
        )
        self.parse_punctuation(">")
        return DenseArrayBase(element, BytesAttr(b"".join(values)))

    def _float_bytes(self, element: AnyFloat) -> bytes:
        position = self.pos
        token = self._current_token
        if token.kind is MLIRTokenKind.INTEGER_LIT and token.text.startswith("0x"):
            return self._bits(self.parse_integer(), element, position)
        return element.pack((float(self.parse_number()),))

    def _parse_builtin_dense_resource_attr(self) -> DenseResourceAttr:
        self.parse_punctuation("<")
        name = self._resource_name()
        self.parse_punctuation(">")
        self.parse_punctuation(":")
        kind = self.parse_type()
        if not isinstance(kind, ShapedType):
            self.raise_error(f"expected a tensor type for a resource, found {kind}")
        return DenseResourceAttr.from_params(name, kind)

    def _resource_name(self) -> str:
        name = self.parse_optional_str_literal()
        return self.parse_identifier(" of a resource") if name is None else name

    def _parse_single_dialect_resources(self) -> None:
        self.parse_identifier(" of a dialect")
        self.parse_punctuation(":")
        self.parse_comma_separated_list(Parser.Delimiter.BRACES, self._parse_named_resource)

    def _parse_named_resource(self) -> None:
        name = self._resource_name()
        self.parse_punctuation(":")
        self.resources[name] = self.parse_str_literal()

    def _parse_external_resources(self) -> None:
        """What tools keep there (reproducers) says nothing about the module."""
        self.parse_comma_separated_list(Parser.Delimiter.BRACES, self._parse_external)

    def _parse_external(self) -> None:
        self._resource_name()
        self.parse_punctuation(":")
        entry = lambda: (self._resource_name(), self.parse_punctuation(":"), self.parse_attribute())  # noqa: E731
        self.parse_comma_separated_list(Parser.Delimiter.BRACES, entry)

    def place_resources(self, module: ModuleOp) -> None:
        """Put the data of resources where they are used; those without data stay."""
        if not self.resources:
            return
        for op in module.walk():
            for given in (op.properties, op.attributes):
                for name, attribute in given.items():
                    if isinstance(attribute, DenseResourceAttr):
                        given[name] = self._with_data(attribute)

    def _with_data(self, attribute: DenseResourceAttr) -> Attribute:
        text = self.resources.get(attribute.resource_handle.data)
        kind = attribute.type
        if text is None or not isa(kind, TensorType[IntegerType | AnyFloat]):
            return attribute
        name = attribute.resource_handle.data
        try:
            data = bytes.fromhex(text.removeprefix("0x"))[ALIGNMENT:]
        except ValueError:
            self.raise_error(f"resource '{name}': expected hexadecimal digits")
        found = DenseIntOrFPElementsAttr(kind, BytesAttr(data))
        count = 1
        for size in kind.get_shape():
            count *= size
        if len(data) != count * kind.element_type.compile_time_size:
            self.raise_error(f"resource '{name}' has {len(data)} bytes, which are not a {kind}")
        return found


def _is_splat(attribute: DenseIntOrFPElementsAttr) -> bool:
    """Whether all elements have the same bits: 0 and -0 do not."""
    data, count = attribute.data.data, len(attribute)
    return count > 0 and data == data[: len(data) // count] * count


def _print_elements(attribute: DenseIntOrFPElementsAttr, printer: Printer) -> None:
    """Elements that printed numbers would not bring back are printed as their bytes."""
    element = attribute.get_element_type()
    data = attribute.data.data
    if isinstance(element, AnyFloat) and element.pack(cast("Any", attribute).get_values()) != data:
        printer.print_string(f'dense<"0x{data.hex().upper()}">')
    else:
        _PRINT_NUMBERS(attribute, printer)


_ELEMENTS: Any = DenseIntOrFPElementsAttr
_PRINT_NUMBERS = DenseIntOrFPElementsAttr.print_without_type
_ELEMENTS.is_splat = _is_splat
_ELEMENTS.print_without_type = _print_elements
