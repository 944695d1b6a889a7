"""The `cluster` dialect: what the streams of a kernel do, and the dialect itself.

Transfers are asynchronous and give a token. Streams wait for each other's counters; within the
`compute` stream the cores of the team share rows (`cluster.parallel`) and meet at barriers.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Self

from xdsl.dialects.builtin import (
    I32,
    DenseArrayBase,
    IndexType,
    IntegerAttr,
    MemRefType,
    UnitAttr,
    i32,
)
from xdsl.ir import Block, Dialect, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrConstraint,
    AttrSizedOperandSegments,
    BaseAttr,
    InferenceContext,
    IRDLOperation,
    VarConstraint,
    VerificationContext,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import NoTerminator, Pure, RecursiveMemoryEffect
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
    TokenType,
)
from softex_mlir.dialects.cluster_functions import CoreIdOp, EntriesOp, LaunchWordOp, ViewOp
from softex_mlir.dialects.cluster_globals import GetGlobalOp, GlobalOp
from softex_mlir.dialects.cluster_program import BufferOp, KernelOp, StreamOp
from softex_mlir.dialects.cluster_schedule import LaunchOp, ScheduleOp, SourceOp
from softex_mlir.dialects.memory import (
    L2Space,
    TcdmSpace,
    check_indices,
    in_l2,
    in_tcdm,
    memref_type,
    static_strides,
)
from softex_mlir.dialects.shared_attributes import words_attribute

__all__ = [
    "STREAMS",
    "AddressAttr",
    "AdvanceOp",
    "AwaitOp",
    "BarrierOp",
    "BufferOp",
    "Cluster",
    "CoreIdOp",
    "DmaStartOp",
    "EntriesOp",
    "GetGlobalOp",
    "GlobalKind",
    "GlobalKindAttr",
    "GlobalOp",
    "KernelOp",
    "LaunchOp",
    "LaunchWordOp",
    "LeaderOp",
    "ParallelOp",
    "ScheduleOp",
    "SourceOp",
    "StreamAttr",
    "StreamKind",
    "StreamOp",
    "TeamIndexOp",
    "TeamSizeOp",
    "TokenType",
    "ViewOp",
    "WaitForOp",
    "stream_of",
]


def stream_of(op: Operation) -> StreamKind | None:
    """The stream an operation belongs to, None outside of streams."""
    parent = op.parent_op()
    while parent is not None:
        if isinstance(parent, StreamOp):
            return parent.kind.data
        stream = parent.attributes.get("cluster.stream")
        if isinstance(stream, StreamAttr):
            return stream.data
        parent = parent.parent_op()
    return None


def check_compute(op: Operation) -> None:
    """Team operations make sense in the compute stream only."""
    if stream_of(op) not in (StreamKind.COMPUTE, None):
        raise VerifyException(f"{op.name} needs a team of cores: use it in the compute stream")


# region Transfers


@dataclass(frozen=True)
class ChannelToken(AttrConstraint[TokenType]):
    """The token of a transfer follows from where it goes: channel 0 writes the TCDM, 1 the L2."""

    target: str
    """Name of the constraint variable that holds the target's type."""

    def verify(self, attr: object, constraint_context: VerificationContext) -> None:
        if attr != self.infer(constraint_context):
            raise VerifyException("expected the token of the channel that writes the target")

    def can_infer(self, var_constraint_names: AbstractSet[str]) -> bool:
        return self.target in var_constraint_names

    def infer(self, context: InferenceContext) -> TokenType:
        target = context.get_variable(self.target)
        inwards = target is not None and in_tcdm(target)
        return TokenType(abi.DMA_IN if inwards else abi.DMA_OUT)

    def mapping_type_vars(self, type_var_mapping: object) -> Self:
        return self


@cache
def _transfer(channel: str) -> TokenType:
    """The token of a transfer, which is made once: making one compares it with all workers."""
    return TokenType(channel)


@irdl_op_definition
class DmaStartOp(IRDLOperation):
    """Start a transfer of a box of up to three dimensions between L2 and TCDM.

    The box begins at the start indices (missing trailing indices are 0) and covers the trailing
    dimensions; strides come from the types. A source with stride 0 is repeated. Innermost
    elements must be contiguous on both sides. The transfer reads and writes exactly the box.
    """

    name = "cluster.dma_start"

    TARGET: ClassVar = VarConstraint("TARGET", BaseAttr(MemRefType))

    source = operand_def(MemRefType)
    """Memory to read."""

    source_indices = var_operand_def(IndexType)
    """Where the box begins in the source, in elements."""

    target = operand_def(TARGET)
    """Memory to write."""

    target_indices = var_operand_def(IndexType)
    """Where the box begins in the target, in elements."""

    sizes = prop_def(DenseArrayBase[I32])
    """Extent of the box in elements, outermost first."""

    token = result_def(ChannelToken("TARGET"))
    """Completed when the last byte is written."""

    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    assembly_format = (
        "$source `[` $source_indices `]` `to` $target `[` $target_indices `]` `sizes` $sizes "
        "attr-dict `:` type($source) `to` type($target)"
    )

    def __init__(
        self,
        source: SSAValue | Operation,
        source_indices: Sequence[SSAValue | Operation],
        target: SSAValue | Operation,
        target_indices: Sequence[SSAValue | Operation],
        sizes: Sequence[int] | DenseArrayBase[I32],
    ):
        if not isinstance(sizes, DenseArrayBase):
            sizes = words_attribute(tuple(sizes))
        groups = [[source], source_indices, [target], target_indices]
        operands = [SSAValue.get(operand) for group in groups for operand in group]
        inwards = in_tcdm(SSAValue.get(target).type)
        Operation.__init__(
            self,
            operands=operands,
            properties={
                "sizes": sizes,
                "operandSegmentSizes": words_attribute(tuple(map(len, groups))),
            },
            result_types=[_transfer(abi.DMA_IN if inwards else abi.DMA_OUT)],
        )

    @property
    def channel(self) -> int:
        """Number of the DMA channel: 0 writes the TCDM, 1 writes the L2."""
        return 0 if in_tcdm(self.target.type) else 1

    def verify_(self) -> None:
        source, target = memref_type(self.source), memref_type(self.target)
        if in_l2(source) and in_l2(target):
            raise VerifyException("the DMA has no channel from L2 to L2: go through the TCDM")
        sizes = self.sizes.get_values()
        if not 1 <= len(sizes) <= 3 or any(size < 1 for size in sizes):
            raise VerifyException(
                f"the DMA moves boxes of 1 to 3 dimensions of positive size, found {list(sizes)}"
            )
        if source.element_type != target.element_type:
            raise VerifyException(
                f"the DMA moves bytes: element types differ, {source} and {target}"
            )
        sides = (("source", source, self.source_indices), ("target", target, self.target_indices))
        for side, type_, indices in sides:
            if not (in_l2(type_) or in_tcdm(type_)):
                raise VerifyException(
                    f"the {side} must be in #cluster.l2 or #cluster.tcdm, found {type_}"
                )
            check_indices(f"the {side}", type_, len(indices))
            shape = type_.get_shape()
            if len(shape) < len(sizes) or any(
                size > extent
                for size, extent in zip(reversed(sizes), reversed(shape), strict=False)
            ):
                raise VerifyException(f"a box of {list(sizes)} exceeds the {side}'s type {type_}")
            if sizes[-1] > 1 and static_strides(type_)[-1] != 1:
                raise VerifyException(
                    f"innermost elements must be contiguous in the {side}, found {type_}: give "
                    "the box a last dimension of 1"
                )


@irdl_op_definition
class AwaitOp(IRDLOperation):
    """Wait until a transfer or job is complete. Only its own stream may wait for a token."""

    name = "cluster.await"

    token = operand_def(TokenType)
    """What to wait for."""

    assembly_format = "$token attr-dict `:` type($token)"

    def __init__(self, token: SSAValue | Operation):
        Operation.__init__(self, operands=[SSAValue.get(token)])


# endregion
# region Synchronisation between streams


@irdl_op_definition
class WaitForOp(IRDLOperation):
    """Wait until a stream's counter has reached a value (signed comparison of 32 bits)."""

    name = "cluster.wait_for"

    stream = prop_def(StreamAttr)
    """The stream whose counter to watch."""

    value = operand_def(IndexType)
    """Value to reach; smaller ones never block."""

    assembly_format = "$stream `,` $value attr-dict"

    def __init__(self, stream: StreamAttr | StreamKind | str, value: SSAValue | Operation):
        Operation.__init__(
            self, operands=[SSAValue.get(value)], properties={"stream": StreamAttr.of(stream)}
        )


@irdl_op_definition
class AdvanceOp(IRDLOperation):
    """Add to the counter of the enclosing stream and wake whoever waits for it.

    Everything the stream did before is visible to those it wakes. In the compute stream all cores
    of the team execute it: they meet at a barrier, then the leader advances the counter.
    """

    name = "cluster.advance"

    steps = opt_prop_def(IntegerAttr[I32])
    """How much is added; 1 if it is left out."""

    computed = opt_operand_def(IndexType)
    """How much is added, if that is known at run time only: no negative number."""

    assembly_format = "(`by` $steps^)? (`by_computed` $computed^)? attr-dict"

    def __init__(self, steps: int | SSAValue = 1) -> None:
        computed = None if isinstance(steps, int) else steps
        known = IntegerAttr(steps, i32) if isinstance(steps, int) and steps != 1 else None
        super().__init__(operands=[computed], properties={"steps": known})

    @property
    def count(self) -> int:
        """How much is added, unless that is computed."""
        return 1 if self.steps is None else self.steps.value.data

    def verify_(self) -> None:
        if self.count < 1:
            raise VerifyException(f"counters only grow, found an advance by {self.count}")
        if self.steps is not None and self.computed is not None:
            raise VerifyException("an advance is by a known or by a computed number, found both")
        parent = self.parent_op()
        while parent is not None and not isinstance(parent, StreamOp):
            if isinstance(parent, ParallelOp | LeaderOp):
                raise VerifyException(
                    f"cluster.advance contains a barrier of the whole team: not in {parent.name}"
                )
            parent = parent.parent_op()


# endregion
# region The team of the compute stream


WITHOUT_LEADER = "without_leader"
"""Attribute of `cluster.parallel`."""


@irdl_op_definition
class ParallelOp(IRDLOperation):
    """Iterations dealt to the team's cores round robin. No barrier before or after.

    With the attribute `without_leader` the leader gets none: it drives a unit meanwhile.
    """

    name = "cluster.parallel"

    lower = operand_def(IndexType)
    """First iteration."""

    upper = operand_def(IndexType)
    """One past the last iteration."""

    body = region_def("single_block")
    """One iteration; its argument is the iteration's number."""

    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())

    def __init__(
        self,
        lower: SSAValue | Operation,
        upper: SSAValue | Operation,
        body: Region | None = None,
        *,
        without_leader: bool = False,
    ):
        body = Region(Block(arg_types=(IndexType(),))) if body is None else body
        attributes = {WITHOUT_LEADER: UnitAttr()} if without_leader else {}
        super().__init__(operands=[lower, upper], regions=[body], attributes=attributes)

    def verify_(self) -> None:
        if [argument.type for argument in self.body.block.args] != [IndexType()]:
            raise VerifyException("the body takes the number of the iteration, an index")
        check_compute(self)
        if isinstance(self.parent_op(), ParallelOp | LeaderOp):
            raise VerifyException("the team is already divided here: use scf.for")

    def print(self, printer: Printer) -> None:
        printer.print_string(" (")
        printer.print_ssa_value(self.body.block.args[0])
        printer.print_string(") = ")
        printer.print_ssa_value(self.lower)
        printer.print_string(" to ")
        printer.print_ssa_value(self.upper)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_empty_block=False)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        parser.parse_punctuation("(")
        argument = parser.parse_argument(expect_type=False)
        parser.parse_punctuation(")")
        parser.parse_punctuation("=")
        lower = parser.resolve_operand(parser.parse_unresolved_operand(), IndexType())
        parser.parse_keyword("to")
        upper = parser.resolve_operand(parser.parse_unresolved_operand(), IndexType())
        attributes = parser.parse_optional_attr_dict_with_keyword()
        induction = argument.resolve(IndexType())
        body = parser.parse_region((induction,))
        if not body.blocks:
            body.add_block(Block(arg_types=(IndexType(),)))
        op = cls(lower, upper, body)
        if attributes is not None:
            op.attributes |= attributes.data
        return op


@irdl_op_definition
class LeaderOp(IRDLOperation):
    """Executed by the first core of the team only. No barrier before or after."""

    name = "cluster.leader"

    body = region_def("single_block")
    """What the leader does."""

    traits = traits_def(NoTerminator(), RecursiveMemoryEffect())

    assembly_format = "attr-dict-with-keyword custom<Body>($body)"
    custom_directives = (Body,)

    def __init__(self, body: Region | None = None):
        super().__init__(regions=[Region(Block()) if body is None else body])

    def verify_(self) -> None:
        check_compute(self)


@irdl_op_definition
class BarrierOp(IRDLOperation):
    """All cores of the team meet."""

    name = "cluster.barrier"

    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()

    def verify_(self) -> None:
        check_compute(self)
        if isinstance(self.parent_op(), ParallelOp | LeaderOp):
            raise VerifyException("not all cores of the team come here: the barrier never opens")


@irdl_op_definition
class TeamIndexOp(IRDLOperation):
    """Position of this core in the team, 0 for the leader."""

    name = "cluster.team_index"

    index = result_def(IndexType())
    """0 .. team size - 1."""

    traits = traits_def(Pure())

    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__(result_types=[IndexType()])


@irdl_op_definition
class TeamSizeOp(IRDLOperation):
    """Number of cores in the team: all that drive no other stream."""

    name = "cluster.team_size"

    size = result_def(IndexType())
    """At least 1."""

    traits = traits_def(Pure())

    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__(result_types=[IndexType()])


# endregion
Cluster = Dialect(
    "cluster",
    [
        AdvanceOp,
        AwaitOp,
        BarrierOp,
        BufferOp,
        CoreIdOp,
        DmaStartOp,
        EntriesOp,
        GetGlobalOp,
        GlobalOp,
        KernelOp,
        LaunchOp,
        LaunchWordOp,
        LeaderOp,
        ParallelOp,
        ScheduleOp,
        SourceOp,
        StreamOp,
        TeamIndexOp,
        TeamSizeOp,
        ViewOp,
        WaitForOp,
    ],
    [AddressAttr, GlobalKindAttr, L2Space, StreamAttr, TcdmSpace, TokenType],
)
