"""What numba lacks, for `@njit` code: unaligned memory accesses, bit casts, leading zeros.

The memory functions take a uint8 array and a byte offset that must have been checked: each is a
single machine load or store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba as nb
from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba.extending import intrinsic

_I64: Any = ir.IntType(64)


def _intrinsic(builder: Callable[..., Any]) -> Any:
    """numba's decorator, for a type checker that cannot know what it makes of a function."""
    return intrinsic(builder)


def _pointer(
    context: Any, builder: Any, array_type: Any, array: Any, offset: Any, bits: int
) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    address = builder.add(builder.ptrtoint(data, _I64), offset)
    return builder.inttoptr(address, ir.IntType(bits).as_pointer())


def _load(array: Any, bits: int) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], bits)
        return builder.zext(builder.load(pointer, align=1), _I64)

    return nb.int64(array, nb.int64), code


def _store(array: Any, bits: int) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], bits)
        builder.store(builder.trunc(args[2], ir.IntType(bits)), pointer, align=1)
        return context.get_dummy_value()

    return nb.void(array, nb.int64, nb.int64), code


@_intrinsic
def load8(_typing: Any, array: Any, offset: Any) -> Any:
    """The byte at ``offset``."""
    return _load(array, 8)


@_intrinsic
def load16(_typing: Any, array: Any, offset: Any) -> Any:
    """The 16-bit word at byte ``offset``, zero-extended."""
    return _load(array, 16)


@_intrinsic
def load32(_typing: Any, array: Any, offset: Any) -> Any:
    """The 32-bit word at byte ``offset``, zero-extended."""
    return _load(array, 32)


@_intrinsic
def store8(_typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """Store the low byte of ``value``."""
    return _store(array, 8)


@_intrinsic
def store16(_typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """Store the low 16 bits of ``value`` at byte ``offset``."""
    return _store(array, 16)


@_intrinsic
def store32(_typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """Store the low 32 bits of ``value`` at byte ``offset``."""
    return _store(array, 32)


@_intrinsic
def float64_bits(_typing: Any, value: Any) -> Any:
    """The pattern of a binary64 as an int64."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], _I64)

    return nb.int64(nb.float64), code


@_intrinsic
def bits_float32(_typing: Any, value: Any) -> Any:
    """The binary32 with the low 32 bits of an int64 as its pattern."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(builder.trunc(args[0], ir.IntType(32)), ir.FloatType())

    return nb.float32(nb.int64), code


@_intrinsic
def leading_zeros(_typing: Any, value: Any) -> Any:
    """Leading zero bits of an int64 seen as a pattern."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return nb.int64(nb.int64), code
