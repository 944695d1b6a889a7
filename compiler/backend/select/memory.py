"""Lowering of accesses to memrefs, to the launch record and to registers of units."""

from __future__ import annotations

from xdsl.dialects import arith, memref, vector
from xdsl.dialects.builtin import BFloat16Type, IntegerAttr, UnitAttr
from xdsl.dialects.riscv import Registers
from xdsl.dialects.riscv import ops as riscv
from xdsl.ir import Attribute, Operation, SSAValue

from softex_mlir.arithmetic import signed32
from softex_mlir.compiler.backend.emitter import (
    FLOAT,
    INT,
    Linear,
    RiscvEmitter,
)
from softex_mlir.compiler.backend.operands import float_class, is_float, width_of
from softex_mlir.compiler.backend.selection import Selection, lowers
from softex_mlir.dialects import hwpe, xpulp
from softex_mlir.dialects import xpulp_bf16 as bf16
from softex_mlir.dialects.cluster_functions import CoreIdOp, LaunchWordOp, ViewOp

MHARTID = 0xF14


LOADS: dict[tuple[int, str], type[Operation]] = {
    (1, "s"): riscv.LbOp,
    (1, "u"): riscv.LbuOp,
    (2, "s"): riscv.LhOp,
    (2, "u"): riscv.LhuOp,
    (4, "s"): riscv.LwOp,
    (4, "u"): riscv.LwOp,
}
STORES: dict[int, type[Operation]] = {1: riscv.SbOp, 2: riscv.ShOp, 4: riscv.SwOp}

BIT_USERS = memref.StoreOp | vector.StoreOp | vector.ShuffleOp | vector.ExtractOp | arith.BitcastOp


def only_bits(value: SSAValue) -> bool:
    """
    Whether the users of a loaded float value move bits only: then an integer register is best.
    """
    uses = tuple(value.uses)
    return bool(uses) and all(isinstance(use.operation, BIT_USERS) for use in uses)


@lowers(ViewOp)
def view(op: ViewOp, s: Selection) -> None:
    """Memory at an address."""
    s.addresses.memrefs[op.results[0]] = s.values.lin(op.operands[0])


@lowers(memref.LoadOp, vector.LoadOp)
def load(op: Operation, s: Selection) -> None:
    """A value of any type from memory."""
    base, offset, pointer = s.addresses.address(op.operands[0], op.operands[1:])
    e = s.emitter
    result = op.results[0]
    if is_float(result.type) and only_bits(result):
        size = 2 if isinstance(result.type, BFloat16Type) else 4
        cls = riscv.LhOp if size == 2 else riscv.LwOp
        access = e.effect(cls, (base,), (INT,), RiscvEmitter.offset(offset))
        s.values.words[result] = access.results[0]
    elif is_float(result.type):
        kind = float_class(result.type)
        cls = bf16.FLoadHalfOp if kind == "bf16" else riscv.FLwOp
        access = e.effect(cls, (base,), (FLOAT,), RiscvEmitter.float_offset(offset))
        s.values.floats[result] = access.results[0]
    else:
        size = width_of(result.type) // 8
        uses = tuple(result.uses)
        unsigned = bool(uses) and all(isinstance(use.operation, arith.ExtUIOp) for use in uses)
        s.values.extended[result] = "u" if unsigned else "s"
        access = e.effect(
            LOADS[size, s.values.extended[result]], (base,), (INT,), RiscvEmitter.offset(offset)
        )
        s.values.set_int(result, access.results[0])
    if pointer is not None:
        pointer.accesses.append((offset, access))


@lowers(memref.StoreOp, vector.StoreOp)
def store(op: Operation, s: Selection) -> None:
    """A value of any type to memory."""
    value, target, *indices = op.operands
    base, offset, pointer = s.addresses.address(target, indices)
    half = isinstance(value.type, BFloat16Type)
    immediate = RiscvEmitter.offset(offset)
    if value in s.values.words and value not in s.values.floats:
        cls, register = riscv.ShOp if half else riscv.SwOp, s.values.words[value]
    elif is_float(value.type):
        cls, register = bf16.FStoreHalfOp if half else riscv.FSwOp, s.values.freg(value)
        immediate = RiscvEmitter.float_offset(offset)
    else:
        cls, register = STORES[width_of(value.type) // 8], s.values.reg(value)
    access = s.emitter.effect(cls, (base, register), (), immediate)
    if pointer is not None:
        pointer.accesses.append((offset, access))


@lowers(LaunchWordOp)
def launch_word(op: LaunchWordOp, s: Selection) -> None:
    """A word of the launch record, which register tp points at."""
    e = s.emitter
    offset = 4 * op.index.value.data
    record = e.register(Registers.TP)
    # The record does not change while a kernel runs: the load is as good as a constant.
    register = e.emit(riscv.LwOp, (record,), INT, RiscvEmitter.offset(offset), offset)
    s.values.set_int(op.results[0], register)


@lowers(hwpe.ReadOp, hwpe.WriteOp, hwpe.WaitOp)
def register_access(op: hwpe.RegisterAccess, s: Selection) -> None:
    """A read, a write or a wait of a memory-mapped register."""
    e = s.emitter
    if (address := s.registers.get(op.name_in_unit)) is None:
        address = s.registers[op.name_in_unit] = signed32(op.address())
    base, offset = e.address(Linear(address))
    attributes = RiscvEmitter.offset(offset)
    if isinstance(op, hwpe.WriteOp):
        e.effect(riscv.SwOp, (base, s.values.reg(op.operands[0])), (), attributes)
        return
    result = op.results[0]
    if isinstance(op, hwpe.WaitOp) and not result.uses:
        # Register zero says that the program does not look at which event came.
        e.effect(xpulp.EventLoadWordOp, (base,), (Registers.ZERO,), attributes)
        return
    cls = xpulp.EventLoadWordOp if isinstance(op, hwpe.WaitOp) else riscv.LwOp
    read = e.effect(cls, (base,), (INT,), attributes)
    s.values.set_int(result, read.results[0])


@lowers(hwpe.DelayOp)
def delay(op: hwpe.DelayOp, s: Selection) -> None:
    """An instruction that does nothing for each cycle."""
    for _ in range(op.cycles.value.data):
        s.emitter.effect(riscv.NopOp, ())


@lowers(CoreIdOp)
def core_id(op: CoreIdOp, s: Selection) -> None:
    """CSR mhartid."""
    e = s.emitter
    attributes: dict[str, Attribute] = {
        "csr": IntegerAttr(MHARTID, 32),
        "readonly": UnitAttr(),
    }
    register = e.emit(riscv.CsrrsOp, (e.zero,), INT, attributes, MHARTID)
    s.values.set_int(op.results[0], register)
