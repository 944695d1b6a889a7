"""The program's structure in the `cluster` dialect: globals, kernels, streams, launches.

A program is a list of launches. A launch executes a kernel, a schedule with static shapes whose
bodies are up to four *streams*: `dma_in`, `dma_out` and `redmule` run on one core each, `compute`
runs on all other cores as a team. Every stream walks the list of launches in order and at its own
pace. Streams meet only through one counter each, which its stream alone increments
(`cluster.advance`) and everybody can wait for (`cluster.wait_for`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from xdsl.dialects.builtin import (
    I16,
    I32,
    ArrayAttr,
    DenseArrayBase,
    FlatSymbolRefAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    i16,
    i32,
)
from xdsl.ir import (
    Attribute,
    Block,
    Region,
    SSAValue,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import NoTerminator, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from softex_mlir import abi
from softex_mlir.dialects.assembly_format import Body
from softex_mlir.dialects.cluster_attributes import (
    STREAMS,
    AddressAttr,
    GlobalKind,
    GlobalKindAttr,
    StreamAttr,
    StreamKind,
    parse_address,
    print_address,
)
from softex_mlir.dialects.memory import (
    AnyMemRef,
    footprint_bytes,
    in_l2,
    in_tcdm,
)
from softex_mlir.dialects.target import machine_of


def words_attribute(bits: Sequence[int]) -> DenseArrayBase[I16]:
    """16-bit patterns, 0..65535, as an attribute (which packs signed numbers)."""
    return DenseArrayBase.from_list(i16, [(b ^ 0x8000) - 0x8000 for b in bits])


@irdl_op_definition
class GlobalOp(IRDLOperation):
    """A named object in memory.

    In `#cluster.l2`: inputs, outputs, weights (their bytes lie in the weight store), activations,
    tables. In `#cluster.tcdm`: small constants whose bit patterns are given by `bits` and which
    the program loader places at `offset`.
    """

    name = "cluster.global"

    kind = prop_def(GlobalKindAttr)
    """What the object holds."""

    sym_name = prop_def(SymbolNameConstraint())
    """The object's name."""

    offset = opt_prop_def(IntegerAttr[I32])
    """TCDM constants: place in bytes from the start of the TCDM."""

    bits = opt_prop_def(DenseArrayBase[I16])
    """TCDM constants: contents, as 16-bit words in memory order."""

    type = prop_def(MemRefType)
    """Shape, element type and memory space."""

    traits = traits_def(SymbolOpInterface())

    assembly_format = "$kind $sym_name (`at` $offset^)? (`bits` $bits^)? attr-dict `:` $type"

    def __init__(
        self,
        name: str,
        type_: AnyMemRef,
        kind: GlobalKind | str,
        *,
        offset: int | None = None,
        bits: Sequence[int] | None = None,
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "kind": GlobalKindAttr(GlobalKind(kind)),
                "type": type_,
                "offset": None if offset is None else IntegerAttr(offset, i32),
                "bits": None if bits is None else words_attribute(bits),
            }
        )

    def bit_patterns(self) -> tuple[int, ...]:
        """The 16-bit words of a constant, each 0..65535."""
        return () if self.bits is None else tuple(b & 0xFFFF for b in self.bits.get_values())

    def verify_(self) -> None:
        constant = self.kind.data is GlobalKind.CONSTANT
        if constant != in_tcdm(self.type) or not (constant or in_l2(self.type)):
            raise VerifyException(
                "constants lie in #cluster.tcdm and all other globals in #cluster.l2, found "
                f"{self.kind.data.value} of type {self.type}"
            )
        size = footprint_bytes(self.type)
        if constant != (self.bits is not None):
            raise VerifyException("exactly the constants carry their contents in `bits`")
        if self.bits is not None and 2 * len(self.bits) != size:
            raise VerifyException(
                f"{self.type} has {size} bytes, but `bits` gives {2 * len(self.bits)}"
            )


@irdl_op_definition
class GetGlobalOp(IRDLOperation):
    """The memory of a global, in a kernel. Meant for TCDM constants: kernels get L2 objects as
    arguments, so that layers of equal shape share their code."""

    name = "cluster.get_global"

    symbol = prop_def(FlatSymbolRefAttr)
    """The global."""

    memref = result_def(MemRefType)
    """Its memory; the type is the global's."""

    traits = traits_def(Pure())

    assembly_format = "$symbol attr-dict `:` type($memref)"

    def __init__(self, symbol: str | FlatSymbolRefAttr, type_: AnyMemRef):
        symbol = SymbolRefAttr(symbol) if isinstance(symbol, str) else symbol
        super().__init__(properties={"symbol": symbol}, result_types=[type_])


@irdl_op_definition
class KernelOp(IRDLOperation):
    """One schedule with static shapes; launches execute it.

    Block arguments: the values of the four counters when the launch starts (index, in the order
    of `STREAMS`), then the launch's arguments (memrefs in L2, or index values to wait for). The
    body holds constants, buffers, and at most one `cluster.stream` for each stream.
    """

    name = "cluster.kernel"

    sym_name = prop_def(SymbolNameConstraint())
    """The kernel's name."""

    body = region_def("single_block")
    """Buffers and streams."""

    traits = traits_def(SymbolOpInterface(), NoTerminator())

    def __init__(
        self,
        name: str,
        argument_types: Sequence[Attribute] = (),
        body: Region | None = None,
    ):
        """`argument_types` are the launch arguments, the counter bases are added."""
        if body is None:
            types = (IndexType(),) * len(STREAMS) + tuple(argument_types)
            body = Region(Block(arg_types=types))
        super().__init__(properties={"sym_name": StringAttr(name)}, regions=[body])

    @property
    def bases(self) -> tuple[SSAValue, ...]:
        """The four counters' values at the start of the launch."""
        return tuple(self.body.block.args[: len(STREAMS)])

    @property
    def arguments(self) -> tuple[SSAValue, ...]:
        """The launch's arguments."""
        return tuple(self.body.block.args[len(STREAMS) :])

    def streams(self) -> dict[StreamKind, StreamOp]:
        """The bodies by stream."""
        return {op.kind.data: op for op in self.body.block.ops if isinstance(op, StreamOp)}

    def verify_(self) -> None:
        arguments = self.body.block.args
        if len(arguments) < len(STREAMS) or any(
            not isinstance(a.type, IndexType) for a in arguments[: len(STREAMS)]
        ):
            raise VerifyException(
                "a kernel's first four arguments are the counter bases, of type index"
            )
        for position, argument in enumerate(arguments[len(STREAMS) :]):
            if not (isinstance(argument.type, IndexType) or in_l2(argument.type)):
                raise VerifyException(
                    f"launch argument {position} must be an index or a memref in #cluster.l2, "
                    f"found {argument.type}"
                )
        seen: set[str] = set()
        for op in self.body.block.ops:
            if isinstance(op, StreamOp):
                name = f"stream {op.kind.data.value}"
            elif isinstance(op, BufferOp):
                name = f'buffer "{op.sym_name.data}"'
            else:
                continue
            if name in seen:
                raise VerifyException(f"{name} is defined twice in kernel @{self.sym_name.data}")
            seen.add(name)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string("(")
        printer.print_list(self.body.block.args, printer.print_block_argument)
        printer.print_string(")")
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_empty_block=False)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        arguments = parser.parse_comma_separated_list(Parser.Delimiter.PAREN, parser.parse_argument)
        attributes = parser.parse_optional_attr_dict_with_keyword()
        body = parser.parse_region(arguments)
        if not body.blocks:
            body.add_block(Block(arg_types=[a.type for a in arguments]))
        op = cls(name, body=body)
        if attributes is not None:
            op.attributes |= attributes.data
        return op


@irdl_op_definition
class BufferOp(IRDLOperation):
    """A kernel's memory in the TCDM, alive during the whole kernel.

    Several slots of a double buffer are the first dimension of the type.
    """

    name = "cluster.buffer"

    sym_name = prop_def(StringAttr)
    """What the buffer is for; names it in memory maps and error messages."""

    offset = opt_prop_def(IntegerAttr[I32])
    """Place in bytes from the start of the TCDM, once planned."""

    memref = result_def(MemRefType)
    """The memory."""

    traits = traits_def(Pure())

    assembly_format = "$sym_name (`at` $offset^)? attr-dict `:` type($memref)"

    def __init__(self, name: str, type_: AnyMemRef, offset: int | None = None):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "offset": None if offset is None else IntegerAttr(offset, i32),
            },
            result_types=[type_],
        )

    @property
    def type(self) -> AnyMemRef:
        """Type of the memory."""
        assert isinstance(self.memref.type, MemRefType)
        return self.memref.type

    @property
    def bytes(self) -> int:
        """Size in bytes, all slots."""
        return footprint_bytes(self.type)

    def verify_(self) -> None:
        if not in_tcdm(self.memref.type):
            raise VerifyException(f"buffers lie in #cluster.tcdm, found {self.memref.type}")
        size = self.bytes
        if self.offset is None:
            return
        start = self.offset.value.data
        cluster = machine_of(self).cluster
        reserved = abi.COUNTER_BYTES + abi.STACK_BYTES * cluster.cores
        if start % 4 or start < reserved or start + size > cluster.tcdm_bytes:
            raise VerifyException(
                f'buffer "{self.sym_name.data}" at bytes {start}..{start + size} must be 4-byte '
                f"aligned and within {reserved}..{cluster.tcdm_bytes} of the TCDM (before that lie "
                "the counters and stacks)"
            )


@irdl_op_definition
class StreamOp(IRDLOperation):
    """The body of one stream of a kernel. `compute` is executed by every core of its team."""

    name = "cluster.stream"

    kind = prop_def(StreamAttr)
    """The stream."""

    body = region_def("single_block")
    """What it executes."""

    traits = traits_def(NoTerminator())

    assembly_format = "$kind attr-dict-with-keyword custom<Body>($body)"
    custom_directives = (Body,)

    def __init__(self, kind: StreamAttr | StreamKind | str, body: Region | None = None):
        super().__init__(
            properties={"kind": StreamAttr.of(kind)},
            regions=[Region(Block()) if body is None else body],
        )

    def verify_(self) -> None:
        if not isinstance(self.parent_op(), KernelOp):
            raise VerifyException("streams are bodies of a cluster.kernel")
        if self.kind.data is StreamKind.REDMULE and machine_of(self).redmule is None:
            raise VerifyException("this machine has no RedMulE, so no stream to drive it")


@irdl_op_definition
class ScheduleOp(IRDLOperation):
    """The program: launches in order."""

    name = "cluster.schedule"

    body = region_def("single_block")
    """`cluster.launch` operations."""

    traits = traits_def(NoTerminator())

    assembly_format = "attr-dict-with-keyword custom<Body>($body)"
    custom_directives = (Body,)

    def __init__(self, launches: Iterable[LaunchOp] = ()):
        super().__init__(regions=[Region(Block(launches))])

    @property
    def launches(self) -> tuple[LaunchOp, ...]:
        """The launches in program order."""
        return tuple(op for op in self.body.block.ops if isinstance(op, LaunchOp))

    def verify_(self) -> None:
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
    """The model's layer this is part of, for reports."""

    def __init__(
        self,
        kernel: str,
        arguments: Iterable[AddressAttr | int | Attribute],
        bases: Sequence[int] | DenseArrayBase[I32],
        layer: str | None = None,
    ):
        if not isinstance(bases, DenseArrayBase):
            bases = DenseArrayBase.from_list(i32, bases)
        super().__init__(
            properties={
                "kernel": SymbolRefAttr(kernel),
                "arguments": ArrayAttr(
                    IntegerAttr(a, i32) if isinstance(a, int) else a for a in arguments
                ),
                "bases": bases,
                "layer": None if layer is None else StringAttr(layer),
            }
        )

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
        layer = {} if self.layer is None else {"layer": self.layer}
        printer.print_op_attributes(layer | self.attributes)

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
        layer = attributes.pop("layer", None)
        op = cls(kernel, arguments, bases)
        if isinstance(layer, StringAttr):
            op.layer = layer
        op.attributes |= attributes
        return op
