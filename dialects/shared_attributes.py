"""Attributes that are made once: making one takes longer than an operation's other work."""

from __future__ import annotations

from functools import cache, lru_cache

from xdsl.dialects.builtin import (
    I32,
    I64,
    DenseArrayBase,
    FlatSymbolRefAttr,
    IndexType,
    IntegerAttr,
    StringAttr,
    SymbolRefAttr,
    i32,
    i64,
)


@lru_cache(1 << 16)
def word_attribute(value: int) -> IntegerAttr[I32]:
    """A number of 32 bits, given as signed or as unsigned one."""
    return IntegerAttr(value, i32)


@lru_cache(1 << 16)
def index_attribute(value: int) -> IntegerAttr[IndexType]:
    """A number of type index."""
    return IntegerAttr(value, IndexType())


@lru_cache(1 << 12)
def words_attribute(values: tuple[int, ...]) -> DenseArrayBase[I32]:
    """Numbers of 32 bits."""
    return DenseArrayBase.from_list(i32, values)


@lru_cache(1 << 12)
def numbers_attribute(values: tuple[int, ...]) -> DenseArrayBase[I64]:
    """Numbers of 64 bits."""
    return DenseArrayBase.from_list(i64, values)


@cache
def symbol_attribute(name: str) -> FlatSymbolRefAttr:
    """The name of something in the module."""
    return SymbolRefAttr(name)


@cache
def text_attribute(text: str) -> StringAttr:
    """A name."""
    return StringAttr(text)
