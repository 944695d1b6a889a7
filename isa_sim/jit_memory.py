"""Little-endian accesses of any alignment to a uint8 array, for `@njit` code.

The offset must have been checked: these compile to a single machine load or store.
"""

from __future__ import annotations

from typing import Any

import numba as nb
from llvmlite import ir
from numba.extending import intrinsic


def _pointer(
    context: Any, builder: Any, array_type: Any, array: Any, offset: Any, bits: int
) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    address = builder.add(builder.ptrtoint(data, ir.IntType(64)), offset)
    return builder.inttoptr(address, ir.IntType(bits).as_pointer())


def _load(array: Any, bits: int) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], bits)
        return builder.zext(builder.load(pointer, align=1), ir.IntType(64))

    return nb.int64(array, nb.int64), code


def _store(array: Any, bits: int) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], bits)
        builder.store(builder.trunc(args[2], ir.IntType(bits)), pointer, align=1)
        return context.get_dummy_value()

    return nb.void(array, nb.int64, nb.int64), code


@intrinsic
def load8(typing: Any, array: Any, offset: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The byte at ``offset``."""
    return _load(array, 8)


@intrinsic
def load16(typing: Any, array: Any, offset: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The 16-bit word at byte ``offset``, zero-extended."""
    return _load(array, 16)


@intrinsic
def load32(typing: Any, array: Any, offset: Any) -> Any:  # pyright: ignore[reportUnusedParameter]
    """The 32-bit word at byte ``offset``, zero-extended."""
    return _load(array, 32)


@intrinsic
def store8(typing: Any, array: Any, offset: Any, value: Any) -> Any:  # pyright: ignore
    """Store the low byte of ``value``."""
    return _store(array, 8)


@intrinsic
def store16(typing: Any, array: Any, offset: Any, value: Any) -> Any:  # pyright: ignore
    """Store the low 16 bits of ``value`` at byte ``offset``."""
    return _store(array, 16)


@intrinsic
def store32(typing: Any, array: Any, offset: Any, value: Any) -> Any:  # pyright: ignore
    """Store the low 32 bits of ``value`` at byte ``offset``."""
    return _store(array, 32)
