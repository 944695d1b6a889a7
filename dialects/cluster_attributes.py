"""Attributes and types of the `cluster` dialect."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    I32,
    FlatSymbolRefAttr,
    IntegerAttr,
    StringAttr,
)
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import (
    Attribute,
    ParametrizedAttribute,
    SpacedOpaqueSyntaxAttribute,
    TypeAttribute,
)
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from softex_mlir import abi
from softex_mlir.dialects.shared_attributes import symbol_attribute, word_attribute
from softex_mlir.isa_sim.units import registry


class StreamKind(StrEnum):
    """The streams of a program (:mod:`softex_mlir.abi`)."""

    DMA_IN = abi.DMA_IN
    DMA_OUT = abi.DMA_OUT
    REDMULE = abi.REDMULE
    COMPUTE = abi.COMPUTE


STREAMS: tuple[StreamKind, ...] = tuple(StreamKind(name) for name in abi.STREAMS)
"""All streams; a stream's position is the number of its counter and of its software event."""


@irdl_attr_definition
class StreamAttr(EnumAttribute[StreamKind], SpacedOpaqueSyntaxAttribute):
    """One of the four streams: `#cluster<stream dma_in>`."""

    name = "cluster.stream"

    @property
    def index(self) -> int:
        """Number of the stream's counter, and of the software event raised with it."""
        return STREAMS.index(self.data)

    @classmethod
    def of(cls, value: StreamAttr | StreamKind | str) -> StreamAttr:
        """The attribute of a stream given as attribute, enumeration value or name."""
        return value if isinstance(value, StreamAttr) else cls(StreamKind(value))


class GlobalKind(StrEnum):
    """What a global holds. Activations and state begin as zeros; every element of a temporary is
    written before it is read, so that its memory may have held another one before. State keeps what
    a run leaves in it for the next."""

    INPUT = "input"
    OUTPUT = "output"
    WEIGHT = "weight"
    ACTIVATION = "activation"
    TEMPORARY = "temporary"
    STATE = "state"
    TABLE = "table"
    CONSTANT = "constant"


@irdl_attr_definition
class GlobalKindAttr(EnumAttribute[GlobalKind], SpacedOpaqueSyntaxAttribute):
    """The kind of a global: it decides where the linker places it and who may see it."""

    name = "cluster.global_kind"


CHANNELS = (abi.DMA_IN, abi.DMA_OUT)
"""The directions of the DMA."""


def workers() -> tuple[str, ...]:
    """Who completes asynchronous operations: the DMA by direction, the accelerators by name."""
    return (*CHANNELS, *(unit.name for unit in registry.units()))


@irdl_attr_definition
class TokenType(ParametrizedAttribute, TypeAttribute):
    """A running transfer or job: `!cluster.token<dma_in>`. May be carried by loops."""

    name = "cluster.token"

    worker: StringAttr

    def __init__(self, worker: str | StringAttr):
        super().__init__(worker if isinstance(worker, StringAttr) else StringAttr(worker))

    @property
    def kind(self) -> str:
        """Who completes the operation."""
        return self.worker.data

    def verify(self) -> None:
        if self.worker.data not in workers():
            raise VerifyException(
                f"nobody completes {self.worker.data}: expected {', '.join(workers())}"
            )

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            expected = f"expected {', '.join(workers())}"
            name = parser.expect(lambda: parser.parse_optional_keyword_in(workers()), expected)
            return (StringAttr(name),)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(self.worker.data)


@irdl_attr_definition
class AddressAttr(ParametrizedAttribute):
    """The address of a global plus an offset in bytes."""

    name = "cluster.address"

    symbol: FlatSymbolRefAttr
    offset: IntegerAttr[I32]

    def __init__(self, symbol: str | FlatSymbolRefAttr, offset: int = 0):
        if isinstance(symbol, str):
            symbol = symbol_attribute(symbol)
        super().__init__(symbol, word_attribute(offset))

    @property
    def global_name(self) -> str:
        """Name of the global."""
        return self.symbol.root_reference.data

    @property
    def byte_offset(self) -> int:
        """Offset in bytes."""
        return self.offset.value.data

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            address = parse_address(parser)
        return (address.symbol, address.offset)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            print_address(printer, self)


def parse_address(parser: AttrParser) -> AddressAttr:
    """`@symbol` or `@symbol + bytes`."""
    symbol = parser.parse_symbol_name().data
    offset = parser.parse_integer() if parser.parse_optional_punctuation("+") else 0
    return AddressAttr(symbol, offset)


def print_address(printer: Printer, address: AddressAttr) -> None:
    """`@symbol` or `@symbol + bytes`."""
    printer.print_symbol_name(address.global_name)
    if address.byte_offset:
        printer.print_string(f" + {address.byte_offset}")
