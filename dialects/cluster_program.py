"""Kernels, their buffers and streams, in the `cluster` dialect.

A program is a list of launches. A launch executes a kernel, a schedule with static shapes whose
bodies are up to four *streams*: `dma_in`, `dma_out` and `redmule` run on one core each, `compute`
runs on all other cores as a team. Every stream walks the list of launches in order and at its own
pace. Streams meet only through one counter each, which its stream alone increments
(`cluster.advance`) and everybody can wait for (`cluster.wait_for`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import (
    I32,
    IndexType,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
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
    StreamAttr,
    StreamKind,
)
from softex_mlir.dialects.memory import (
    AnyMemRef,
    footprint_bytes,
    in_l2,
    in_tcdm,
)
from softex_mlir.dialects.target import machine_of


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
