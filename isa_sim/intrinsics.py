"""What numba lacks, for `@njit` code: unaligned memory accesses, bit casts, leading zeros.

The memory functions take a host address, :func:`data_address` of an array plus an offset that must
have been checked: each is a single machine load or store. The array must outlive its use.
"""

from __future__ import annotations

from typing import Any

from softex_mlir.isa_sim.jit import intrinsic, ir
from softex_mlir.isa_sim.jit import numba as nb


def _load(bits: int) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.IntType(bits).as_pointer())
        return builder.zext(builder.load(pointer, align=1), ir.IntType(64))

    return nb.int64(nb.int64), code


def _store(bits: int) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.IntType(bits).as_pointer())
        builder.store(builder.trunc(args[1], ir.IntType(bits)), pointer, align=1)
        return context.get_dummy_value()

    return nb.void(nb.int64, nb.int64), code


@intrinsic
def data_address(_typing: Any, array: Any) -> Any:
    """The host address of an array's first byte."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return nb.int64(array), code


@intrinsic
def load8(_typing: Any, address: Any) -> Any:
    """The byte at a host address, zero-extended."""
    return _load(8)


@intrinsic
def load16(_typing: Any, address: Any) -> Any:
    """The 16-bit word at a host address, zero-extended."""
    return _load(16)


@intrinsic
def load32(_typing: Any, address: Any) -> Any:
    """The 32-bit word at a host address, zero-extended."""
    return _load(32)


@intrinsic
def store8(_typing: Any, address: Any, value: Any) -> Any:
    """Store the low byte of a value at a host address."""
    return _store(8)


@intrinsic
def store16(_typing: Any, address: Any, value: Any) -> Any:
    """Store the low 16 bits of a value at a host address."""
    return _store(16)


@intrinsic
def store32(_typing: Any, address: Any, value: Any) -> Any:
    """Store the low 32 bits of a value at a host address."""
    return _store(32)


@intrinsic
def float64_bits(_typing: Any, value: Any) -> Any:
    """The pattern of a binary64 as an int64."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return nb.int64(nb.float64), code


@intrinsic
def bits_float64(_typing: Any, value: Any) -> Any:
    """The binary64 with an int64 as its pattern."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return nb.float64(nb.int64), code


@intrinsic
def float32_bits(_typing: Any, value: Any) -> Any:
    """The pattern of a binary32 as an int64."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.zext(builder.bitcast(args[0], ir.IntType(32)), ir.IntType(64))

    return nb.int64(nb.float32), code


@intrinsic
def bits_float32(_typing: Any, value: Any) -> Any:
    """The binary32 with the low 32 bits of an int64 as its pattern."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(builder.trunc(args[0], ir.IntType(32)), ir.FloatType())

    return nb.float32(nb.int64), code


@intrinsic
def leading_zeros(_typing: Any, value: Any) -> Any:
    """Leading zero bits of an int64 seen as a pattern."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return nb.int64(nb.int64), code


@intrinsic
def unlikely(_typing: Any, condition: Any) -> Any:
    """The condition, which hardly ever holds: LLVM keeps its branch and lays it aside."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bit = ir.IntType(1)
        kind = ir.FunctionType(bit, [bit, bit])
        expect = builder.module.declare_intrinsic("llvm.expect", [bit], kind)
        return builder.call(expect, [args[0], ir.Constant(bit, 0)])

    return nb.boolean(nb.boolean), code
