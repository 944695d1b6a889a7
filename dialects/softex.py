"""The `softex` dialect: jobs of the softmax and sum-of-exponentials unit.

Lengths are in elements, one contiguous run of BF16. Jobs queue: up to two are in the unit, and
starting a third waits for a free context. Jobs run in order. Input and output may be the same
memory. The leader of the compute team drives the unit.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    I32,
    BFloat16Type,
    IndexType,
    IntegerAttr,
    MemRefType,
    UnitAttr,
    i32,
)
from xdsl.ir import Dialect, Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    var_operand_def,
)
from xdsl.transforms.canonicalization_patterns.utils import const_evaluate_operand
from xdsl.utils.exceptions import VerifyException

from softex_mlir.dialects.cluster import StreamKind, TokenType, stream_of
from softex_mlir.dialects.memory import (
    check_indices,
    check_run,
    check_tcdm,
    element_bytes,
    memref_type,
)
from softex_mlir.dialects.target import machine_of
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.softex_jobs import (
    MAX_SLOT,
    Kind,
    SoftExJob,
    check_program_job,
)
from softex_mlir.isa_sim.units.softex_section import SoftExDescription
from softex_mlir.isa_sim.units.softex_unit import SOFTEX

UNIT = "SoftEx"


def softex_of(op: Operation) -> SoftExDescription:
    """The machine's SoftEx; an error when it has none, or when the stream cannot drive it."""
    unit = machine_of(op).softex
    if unit is None:
        raise VerifyException(f"this machine has no {UNIT}")
    if stream_of(op) not in (StreamKind.COMPUTE, None):
        raise VerifyException(f"{UNIT} jobs belong to the compute stream")
    return unit


def check_operand(name: str, operand: SSAValue, indices: int, length: int) -> None:
    """An operand is a run of `length` BF16 elements in the TCDM."""
    type_ = memref_type(operand)
    check_tcdm(UNIT, name, type_)
    if not isinstance(type_.element_type, BFloat16Type):
        raise VerifyException(f"{UNIT} streams bf16: {name} is {type_}")
    check_indices(name, type_, indices)
    check_run(UNIT, name, type_, length)


def check_job(
    unit: SoftExDescription,
    kind: Kind,
    length: int,
    *,
    terms: int = 0,
    minus_infinity_follows: UnitAttr | None = None,
) -> None:
    """Raise unless the unit computes a job of these sizes correctly, and say what to do."""
    job = SoftExJob(kind, 0, 0, 2 * max(0, length), terms=terms)
    try:
        check_program_job(job, unit, minus_infinity_follows=minus_infinity_follows is not None)
    except UnitFault as fault:
        raise VerifyException(str(fault)) from fault


def check_slot(slot: SSAValue) -> None:
    """Raise for a constant that names no slot a program should use."""
    owner = slot.owner
    if not isinstance(owner, arith.ConstantOp) or not isinstance(owner.value, IntegerAttr):
        return
    found = owner.value.value.data
    if not 1 <= found <= MAX_SLOT:
        raise VerifyException(f"{UNIT} state slots are 1..{MAX_SLOT}, found {found}")


@irdl_op_definition
class SoftmaxOp(IRDLOperation):
    """Softmax of one row: y = softmax(x). Two passes over x.

    One of the first 16 elements must be above -inf, else the row comes out as NaN.
    """

    name = "softex.softmax"

    x = operand_def(MemRefType)
    """Scores."""

    x_indices = var_operand_def(IndexType)
    """Where the row begins."""

    y = operand_def(MemRefType)
    """Probabilities."""

    y_indices = var_operand_def(IndexType)
    """Where the result begins."""

    length = prop_def(IntegerAttr[I32])
    """Elements of the row, padding included."""

    minus_infinity_follows = opt_prop_def(UnitAttr)
    """The program guarantees -inf behind the row up to the next multiple of 16 elements."""

    token = result_def(TokenType(SOFTEX.name))
    """Completed when the row is stored."""

    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    assembly_format = (
        "$x `[` $x_indices `]` `,` $y `[` $y_indices `]` `length` `=` $length "
        "(`minus_infinity_follows` $minus_infinity_follows^)? attr-dict "
        "`:` type($x) `,` type($y)"
    )

    def __init__(
        self,
        x: SSAValue | Operation,
        x_indices: Sequence[SSAValue | Operation],
        y: SSAValue | Operation,
        y_indices: Sequence[SSAValue | Operation],
        *,
        length: int,
        minus_infinity_follows: bool = False,
    ):
        super().__init__(
            operands=[x, x_indices, y, y_indices],
            properties={
                "length": IntegerAttr(length, i32),
                "minus_infinity_follows": UnitAttr() if minus_infinity_follows else None,
            },
            result_types=[TokenType(SOFTEX.name)],
        )

    def verify_(self) -> None:
        unit = softex_of(self)
        length = self.length.value.data
        follows = self.minus_infinity_follows
        check_job(unit, Kind.SOFTMAX, length, minus_infinity_follows=follows)
        check_operand("x", self.x, len(self.x_indices), length)
        check_operand("y", self.y, len(self.y_indices), length)


@irdl_op_definition
class SumOfExponentialsOp(IRDLOperation):
    """y[i] = Σ weights[t]·exp(slopes[t]·x[i]), element by element.

    GELU uses it with x = v² and negative slopes; square, sign and final product are the cores'.
    """

    name = "softex.sum_of_exponentials"

    x = operand_def(MemRefType)
    """Input."""

    x_indices = var_operand_def(IndexType)
    """Where the input begins."""

    y = operand_def(MemRefType)
    """Output."""

    y_indices = var_operand_def(IndexType)
    """Where the output begins."""

    slopes = operand_def(MemRefType)
    """Factors inside the exponentials, with their sign; register A_ADDR."""

    slopes_indices = var_operand_def(IndexType)
    """Where the slopes begin."""

    weights = operand_def(MemRefType)
    """Factors of the exponentials, in 0..1; register B_ADDR."""

    weights_indices = var_operand_def(IndexType)
    """Where the weights begin."""

    length = prop_def(IntegerAttr[I32])
    """Elements of x and y."""

    terms = prop_def(IntegerAttr[I32])
    """Exponentials in the sum."""

    token = result_def(TokenType(SOFTEX.name))
    """Completed when y is stored."""

    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    assembly_format = (
        "$x `[` $x_indices `]` `,` $y `[` $y_indices `]` `,` $slopes `[` $slopes_indices `]` `,` "
        "$weights `[` $weights_indices `]` `length` `=` $length `terms` `=` $terms attr-dict "
        "`:` type($x) `,` type($y) `,` type($slopes) `,` type($weights)"
    )

    def __init__(
        self,
        x: SSAValue | Operation,
        x_indices: Sequence[SSAValue | Operation],
        y: SSAValue | Operation,
        y_indices: Sequence[SSAValue | Operation],
        slopes: SSAValue | Operation,
        weights: SSAValue | Operation,
        *,
        length: int,
        terms: int,
        slopes_indices: Sequence[SSAValue | Operation] = (),
        weights_indices: Sequence[SSAValue | Operation] = (),
    ):
        super().__init__(
            operands=[
                x,
                x_indices,
                y,
                y_indices,
                slopes,
                slopes_indices,
                weights,
                weights_indices,
            ],
            properties={"length": IntegerAttr(length, i32), "terms": IntegerAttr(terms, i32)},
            result_types=[TokenType(SOFTEX.name)],
        )

    def verify_(self) -> None:
        unit = softex_of(self)
        length, terms = self.length.value.data, self.terms.value.data
        check_job(unit, Kind.SUM_OF_EXPONENTIALS, length, terms=terms)
        check_operand("x", self.x, len(self.x_indices), length)
        check_operand("y", self.y, len(self.y_indices), length)
        check_operand("slopes", self.slopes, len(self.slopes_indices), terms)
        check_operand("weights", self.weights, len(self.weights_indices), terms)


@irdl_op_definition
class OpenSlotsOp(IRDLOperation):
    """Empty all state slots, and say where states are kept while they are not in the unit.

    The unit holds two; the state of slot s spills to 8 bytes at `spill` + 8·s. It must be idle.
    """

    name = "softex.open_slots"

    spill = operand_def(MemRefType)
    """Two words a slot, slot 0 included."""

    assembly_format = "$spill attr-dict `:` type($spill)"

    def __init__(self, spill: SSAValue | Operation):
        super().__init__(operands=[spill])

    def verify_(self) -> None:
        softex_of(self)
        type_ = memref_type(self.spill)
        check_tcdm(UNIT, "spill", type_)
        if element_bytes(type_) != 4 or type_.get_shape()[-1:] != (2,):
            raise VerifyException(f"{UNIT} spills two 32-bit words a slot: spill is {type_}")


@irdl_op_definition
class AccumulateOp(IRDLOperation):
    """Softmax by chunks, first pass: take a chunk into a state slot's maximum and denominator."""

    name = "softex.accumulate"

    x = operand_def(MemRefType)
    """Scores."""

    x_indices = var_operand_def(IndexType)
    """Where the chunk begins."""

    length = prop_def(IntegerAttr[I32])
    """Elements of the chunk."""

    slot = operand_def(IndexType)
    """State slot, 1..255."""

    chunk = operand_def(IndexType)
    """Number of the chunk in its row: the first takes the slot, the last inverts."""

    chunks = operand_def(IndexType)
    """Chunks of a row."""

    minus_infinity_follows = opt_prop_def(UnitAttr)
    """The program guarantees -inf behind the chunk up to the next multiple of 16 elements."""

    queued = opt_prop_def(UnitAttr)
    """No division has used a slot since they were opened, and what comes before in the queue is a
    long accumulation or nothing: the slot may be requested while that is in flight."""

    token = result_def(TokenType(SOFTEX.name))
    """Completed when the slot is up to date."""

    assembly_format = (
        "$x `[` $x_indices `]` `length` `=` $length `slot` `=` $slot `chunk` `=` $chunk `of` "
        "$chunks (`minus_infinity_follows` $minus_infinity_follows^)? (`queued` $queued^)? "
        "attr-dict `:` type($x)"
    )

    def __init__(
        self,
        x: SSAValue | Operation,
        x_indices: Sequence[SSAValue | Operation],
        *,
        length: int,
        slot: SSAValue | Operation,
        chunk: SSAValue | Operation,
        chunks: SSAValue | Operation,
        minus_infinity_follows: bool = False,
        queued: bool = False,
    ):
        super().__init__(
            operands=[x, x_indices, slot, chunk, chunks],
            properties={
                "length": IntegerAttr(length, i32),
                "minus_infinity_follows": UnitAttr() if minus_infinity_follows else None,
                "queued": UnitAttr() if queued else None,
            },
            result_types=[TokenType(SOFTEX.name)],
        )

    def verify_(self) -> None:
        unit = softex_of(self)
        length = self.length.value.data
        check_slot(self.slot)
        chunks = const_evaluate_operand(self.chunks)
        if chunks is not None and chunks < 1:
            raise VerifyException(f"a row has chunks, found {chunks}")
        follows = self.minus_infinity_follows
        check_job(unit, Kind.ACCUMULATE, length, minus_infinity_follows=follows)
        check_operand("x", self.x, len(self.x_indices), length)


@irdl_op_definition
class DivideOp(IRDLOperation):
    """Softmax by chunks, second pass: y = exp(x - maximum) / denominator of a state slot."""

    name = "softex.divide"

    x = operand_def(MemRefType)
    """Scores."""

    x_indices = var_operand_def(IndexType)
    """Where the chunk begins."""

    y = operand_def(MemRefType)
    """Probabilities."""

    y_indices = var_operand_def(IndexType)
    """Where the result begins."""

    length = prop_def(IntegerAttr[I32])
    """Elements of the chunk."""

    slot = operand_def(IndexType)
    """State slot, 1..255, after its last `softex.accumulate`."""

    last = opt_prop_def(UnitAttr)
    """The row's last chunk: free the slot."""

    token = result_def(TokenType(SOFTEX.name))
    """Completed when the chunk is stored."""

    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    assembly_format = (
        "$x `[` $x_indices `]` `,` $y `[` $y_indices `]` `length` `=` $length `slot` `=` $slot "
        "(`last` $last^)? attr-dict `:` type($x) `,` type($y)"
    )

    def __init__(
        self,
        x: SSAValue | Operation,
        x_indices: Sequence[SSAValue | Operation],
        y: SSAValue | Operation,
        y_indices: Sequence[SSAValue | Operation],
        *,
        length: int,
        slot: SSAValue | Operation,
        last: bool = False,
    ):
        super().__init__(
            operands=[x, x_indices, y, y_indices, slot],
            properties={
                "length": IntegerAttr(length, i32),
                "last": UnitAttr() if last else None,
            },
            result_types=[TokenType(SOFTEX.name)],
        )

    def verify_(self) -> None:
        unit = softex_of(self)
        length = self.length.value.data
        check_slot(self.slot)
        check_job(unit, Kind.NORMALISE, length)
        check_operand("x", self.x, len(self.x_indices), length)
        check_operand("y", self.y, len(self.y_indices), length)


@irdl_op_definition
class DrainOp(IRDLOperation):
    """Wait until all jobs are complete and the unit is idle."""

    name = "softex.drain"

    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()

    def verify_(self) -> None:
        softex_of(self)


SoftEx = Dialect(
    "softex",
    [AccumulateOp, DivideOp, DrainOp, OpenSlotsOp, SoftmaxOp, SumOfExponentialsOp],
)
