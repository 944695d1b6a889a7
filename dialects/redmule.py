"""The `redmule` dialect: jobs of the tensor unit."""

from __future__ import annotations

from collections.abc import Sequence

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
from xdsl.utils.exceptions import VerifyException

from softex_mlir.dialects.cluster import StreamKind, TokenType, stream_of
from softex_mlir.dialects.memory import check_dense_rows, check_indices, check_tcdm, memref_type
from softex_mlir.dialects.target import machine_of
from softex_mlir.isa_sim.units.faults import UnitFault
from softex_mlir.isa_sim.units.redmule import (
    MAX_SIZE,
    RedMulEJob,
    check_program_job,
    stored_rows,
)
from softex_mlir.isa_sim.units.redmule_section import RedMulEDescription
from softex_mlir.isa_sim.units.redmule_unit import REDMULE

UNIT = "RedMulE"


def check_sizes(unit: RedMulEDescription, m: int, n: int, k: int) -> None:
    """Raise unless the unit computes a job of these sizes correctly, and say what to do."""
    for name, size in (("m", m), ("n", n), ("k", k)):
        if not 1 <= size <= MAX_SIZE:
            raise VerifyException(f"{UNIT} sizes are 1..{MAX_SIZE}, found {name} = {size}")
    try:
        warnings = check_program_job(RedMulEJob(0, 0, 0, m, n, k), unit)
    except UnitFault as fault:
        raise VerifyException(str(fault)) from fault
    if warnings:
        raise VerifyException(f"{UNIT}: {'; '.join(warnings)}")


@irdl_op_definition
class GemmOp(IRDLOperation):
    """Start Z = X·W + Z: `m` x `n` times `n` x `k`, BF16, one rounding after every step of `n`.

    Z holds the addend (bias or zeros) before and the result after, in place. Operands are dense
    row-major in the TCDM with row pitches of exactly n, k, k elements. Unless the unit masks rows,
    rows m.. of Z's last tile are overwritten with garbage. Multiples of 32 for n avoid stalls.
    Rows of 24 and columns of 32 elements are the natural tile.
    """

    name = "redmule.gemm"

    x = operand_def(MemRefType)
    """X, m rows of n elements."""

    x_indices = var_operand_def(IndexType)
    """Where X begins."""

    w = operand_def(MemRefType)
    """W, n rows of k elements."""

    w_indices = var_operand_def(IndexType)
    """Where W begins."""

    z = operand_def(MemRefType)
    """Y and Z, ⌈m/24⌉·24 rows of k elements."""

    z_indices = var_operand_def(IndexType)
    """Where Z begins."""

    m = prop_def(IntegerAttr[I32])
    """Rows of X and Z."""

    n = prop_def(IntegerAttr[I32])
    """Inner size."""

    k = prop_def(IntegerAttr[I32])
    """Columns of W and Z."""

    counts_meanwhile = opt_prop_def(UnitAttr)
    """The job before, counted directly in front, is counted while this one's tiler works: nobody
    is waiting for that count alone."""

    token = result_def(TokenType(REDMULE.name))
    """Completed when Z is stored. One job at a time: await it before the next."""

    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    assembly_format = (
        "$x `[` $x_indices `]` `,` $w `[` $w_indices `]` `,` $z `[` $z_indices `]` "
        "`m` `=` $m `n` `=` $n `k` `=` $k (`counts_meanwhile` $counts_meanwhile^)? attr-dict "
        "`:` type($x) `,` type($w) `,` type($z)"
    )

    def __init__(
        self,
        x: SSAValue | Operation,
        x_indices: Sequence[SSAValue | Operation],
        w: SSAValue | Operation,
        w_indices: Sequence[SSAValue | Operation],
        z: SSAValue | Operation,
        z_indices: Sequence[SSAValue | Operation],
        *,
        m: int,
        n: int,
        k: int,
        counts_meanwhile: bool = False,
    ):
        super().__init__(
            operands=[x, x_indices, w, w_indices, z, z_indices],
            properties={
                "m": IntegerAttr(m, i32),
                "n": IntegerAttr(n, i32),
                "k": IntegerAttr(k, i32),
                "counts_meanwhile": UnitAttr() if counts_meanwhile else None,
            },
            result_types=[TokenType(REDMULE.name)],
        )

    @property
    def sizes(self) -> tuple[int, int, int]:
        """m, n, k."""
        return self.m.value.data, self.n.value.data, self.k.value.data

    def verify_(self) -> None:
        unit = machine_of(self).redmule
        if unit is None:
            raise VerifyException(f"this machine has no {UNIT}")
        if stream_of(self) not in (StreamKind.REDMULE, None):
            raise VerifyException(f"{UNIT} jobs belong to the redmule stream")
        m, n, k = self.sizes
        check_sizes(unit, m, n, k)
        for name, operand, indices, rows, pitch in (
            ("X", self.x, self.x_indices, m, n),
            ("W", self.w, self.w_indices, n, k),
            ("Z", self.z, self.z_indices, stored_rows(unit, m), k),
        ):
            check_tcdm(UNIT, name, operand.type)
            type_ = memref_type(operand)
            if not isinstance(type_.element_type, BFloat16Type):
                raise VerifyException(f"{UNIT} computes in bf16: {name} is {type_}")
            check_indices(name, type_, len(indices))
            check_dense_rows(UNIT, name, type_, len(indices), rows, pitch)


RedMulE = Dialect("redmule", [GemmOp])
