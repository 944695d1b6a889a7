"""The program as a list of launches, in the `cluster` dialect, and what it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

from xdsl.dialects.builtin import (
    I32,
    I64,
    ArrayAttr,
    DenseArrayBase,
    DictionaryAttr,
    FlatSymbolRefAttr,
    IntegerAttr,
    StringAttr,
    SymbolRefAttr,
    i64,
)
from xdsl.ir import (
    Attribute,
    Block,
    Operation,
    Region,
)
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import NoTerminator
from xdsl.utils.exceptions import VerifyException

from softex_mlir.dialects.assembly_format import Body
from softex_mlir.dialects.cluster_attributes import (
    STREAMS,
    AddressAttr,
    parse_address,
    print_address,
)
from softex_mlir.dialects.shared_attributes import (
    numbers_attribute,
    symbol_attribute,
    text_attribute,
    word_attribute,
    words_attribute,
)


@irdl_op_definition
class ScheduleOp(IRDLOperation):
    """The program, or one of its entries: launches in order."""

    name = "cluster.schedule"

    entry = opt_prop_def(StringAttr)
    """Name of the entry, in a program with several."""

    ports = opt_prop_def(ArrayAttr[FlatSymbolRefAttr])
    """Inputs and outputs of the entry, in the model's order, in a program with several."""

    cycles = opt_prop_def(IntegerAttr[I64])
    """What the scheduler thinks it takes, for reports."""

    body = region_def("single_block")
    """`cluster.launch` operations."""

    traits = traits_def(NoTerminator())

    assembly_format = (
        "(`entry` $entry^ `ports` $ports)? (`cycles` $cycles^)? "
        "attr-dict-with-keyword custom<Body>($body)"
    )
    custom_directives = (Body,)

    def __init__(
        self,
        launches: Iterable[LaunchOp] = (),
        cycles: int | None = None,
        entry: str | None = None,
        ports: Iterable[str] = (),
    ):
        symbols = ArrayAttr[FlatSymbolRefAttr](SymbolRefAttr(port) for port in ports)
        super().__init__(
            properties={
                "cycles": None if cycles is None else IntegerAttr(cycles, i64),
                "entry": None if entry is None else StringAttr(entry),
                "ports": None if entry is None else symbols,
            },
            regions=[Region(Block(launches))],
        )

    @property
    def launches(self) -> tuple[LaunchOp, ...]:
        """The launches in program order."""
        return tuple(op for op in self.body.block.ops if isinstance(op, LaunchOp))

    def verify_(self) -> None:
        if (self.entry is None) != (self.ports is None):
            raise VerifyException("an entry has ports, and only an entry")
        if any(not isinstance(op, LaunchOp) for op in self.body.block.ops):
            raise VerifyException("a schedule holds only cluster.launch operations")


@irdl_op_definition
class LaunchOp(IRDLOperation):
    """One execution of a kernel. Only attributes: it becomes a record of 32-bit words."""

    name = "cluster.launch"

    kernel = prop_def(FlatSymbolRefAttr)
    """The kernel."""

    arguments = prop_def(ArrayAttr)
    """Values of the kernel's arguments: addresses (`@global + bytes`) or integers."""

    bases = prop_def(DenseArrayBase[I32])
    """Values of the four counters when the launch starts."""

    layer = opt_prop_def(StringAttr)
    """The model's layer this is part of, for reports; also the following."""

    operation = opt_prop_def(StringAttr)
    """The model's operation this is part of."""

    cycles = opt_prop_def(DenseArrayBase[I64])
    """How long the scheduler thinks each stream is busy, in the order of the counters."""

    macs = opt_prop_def(IntegerAttr[I64])
    """Multiply-accumulates."""

    spans = opt_prop_def(DenseArrayBase[I64])
    """When the scheduler expects each stream to begin and to end, in the order of the counters."""

    moved = opt_prop_def(DenseArrayBase[I64])
    """Bytes the DMA is expected to move into the TCDM and out of it."""

    _REPORTED: ClassVar = ("layer", "operation", "cycles", "macs", "spans", "moved")

    def __init__(
        self,
        kernel: str,
        arguments: Iterable[AddressAttr | int | Attribute],
        bases: Sequence[int] | DenseArrayBase[I32],
        layer: str | None = None,
        *,
        operation: str | None = None,
        cycles: Sequence[int] | None = None,
        macs: int = 0,
        spans: Sequence[int] | None = None,
        moved: Sequence[int] | None = None,
    ):
        if not isinstance(bases, DenseArrayBase):
            bases = words_attribute(tuple(bases))
        found = {
            "kernel": symbol_attribute(kernel),
            "arguments": ArrayAttr(
                word_attribute(a) if isinstance(a, int) else a for a in arguments
            ),
            "bases": bases,
            "layer": None if layer is None else text_attribute(layer),
            "operation": None if operation is None else text_attribute(operation),
            "cycles": None if cycles is None else numbers_attribute(tuple(cycles)),
            "macs": IntegerAttr(macs, i64) if macs else None,
            "spans": None if spans is None else numbers_attribute(tuple(spans)),
            "moved": None if moved is None else numbers_attribute(tuple(moved)),
        }
        properties = {name: value for name, value in found.items() if value is not None}
        Operation.__init__(self, properties=properties)

    def words(self) -> Iterable[AddressAttr | int]:
        """The kernel's arguments, integers unpacked."""
        for value in self.arguments.data:
            if isinstance(value, AddressAttr):
                yield value
            elif isinstance(value, IntegerAttr):
                yield value.value.data

    def verify_(self) -> None:
        if len(self.bases) != len(STREAMS):
            raise VerifyException(f"a launch has {len(STREAMS)} counter bases")
        if self.cycles is not None and len(self.cycles) != len(STREAMS):
            raise VerifyException(f"a launch has cycles of {len(STREAMS)} streams")
        if self.spans is not None and len(self.spans) != 2 * len(STREAMS):
            raise VerifyException(f"a launch has begins and ends of {len(STREAMS)} streams")
        if self.moved is not None and len(self.moved) != 2:
            raise VerifyException("a launch moves bytes in two directions")
        for value in self.arguments.data:
            if not isinstance(value, AddressAttr | IntegerAttr):
                raise VerifyException(
                    f"launch arguments are addresses (@global + bytes) or integers, found {value}"
                )

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.kernel.root_reference.data)
        printer.print_string(" args [")
        for position, value in enumerate(self.words()):
            if position:
                printer.print_string(", ")
            if isinstance(value, AddressAttr):
                print_address(printer, value)
            else:
                printer.print_string(str(value))
        printer.print_string("] bases [")
        printer.print_string(", ".join(map(str, self.bases.get_values())))
        printer.print_string("]")
        found = {name: self.properties[name] for name in self._REPORTED if name in self.properties}
        printer.print_op_attributes(found | self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        def parse_argument() -> AddressAttr | int:
            value = parser.parse_optional_integer()
            return parse_address(parser) if value is None else value

        square = Parser.Delimiter.SQUARE
        kernel = parser.parse_symbol_name().data
        parser.parse_keyword("args")
        arguments = parser.parse_comma_separated_list(square, parse_argument)
        parser.parse_keyword("bases")
        bases = parser.parse_comma_separated_list(square, parser.parse_integer)
        attributes = parser.parse_optional_attr_dict()
        op = cls(kernel, arguments, bases)
        for name, value in attributes.items():
            (op.properties if name in cls._REPORTED else op.attributes)[name] = value
        return op


@irdl_op_definition
class SourceOp(IRDLOperation):
    """What the program was made from: carried into its file, nothing is computed from it."""

    name = "cluster.source"

    model = prop_def(StringAttr)
    """The model's name."""

    text = prop_def(StringAttr)
    """Text of the fused module, which a run's results are compared with."""

    placement = prop_def(ArrayAttr[DictionaryAttr])
    """For each operation: `op`, `layer`, `unit`, `reason`."""

    layers = prop_def(ArrayAttr[DictionaryAttr])
    """For each layer, by its `name` in launches: its `kind` and `title` for people."""

    unread_macs = prop_def(IntegerAttr, default_value=IntegerAttr(0, i64))
    """Multiply-accumulates of the model that the program need not do, as nobody reads them."""

    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$model `placement` $placement `layers` $layers `text` $text attr-dict"

    def __init__(
        self,
        model: str,
        text: str,
        placement: Iterable[Mapping[str, str]],
        layers: Iterable[Mapping[str, str]],
        unread_macs: int = 0,
    ):
        super().__init__(
            properties={
                "model": StringAttr(model),
                "text": StringAttr(text),
                "placement": _texts_attribute(placement),
                "layers": _texts_attribute(layers),
                "unread_macs": IntegerAttr(unread_macs, i64),
            }
        )

    @property
    def placed(self) -> list[dict[str, str]]:
        """The placement."""
        return _texts(self.placement, ("op", "layer", "unit", "reason"))

    @property
    def named(self) -> list[dict[str, str]]:
        """The layers."""
        return _texts(self.layers, ("name", "kind", "title"))

    def verify_(self) -> None:
        _ = self.placed, self.named


def _texts_attribute(rows: Iterable[Mapping[str, str]]) -> ArrayAttr[DictionaryAttr]:
    attributes = ({name: StringAttr(text) for name, text in row.items()} for row in rows)
    return ArrayAttr(DictionaryAttr(row) for row in attributes)


def _texts(rows: ArrayAttr[DictionaryAttr], columns: Sequence[str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for row in rows:
        texts = {name: text.data for name, text in row.data.items() if isinstance(text, StringAttr)}
        if set(columns) != set(row.data) or len(texts) != len(columns):
            raise VerifyException(f"expected the texts {', '.join(columns)}, found {row}")
        found.append({name: texts[name] for name in columns})
    return found
