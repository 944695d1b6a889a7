"""Attributes that are made once: making one takes longer than an operation's other work."""

from __future__ import annotations

from functools import cache, lru_cache

from xdsl.dialects.builtin import (
    I32,
    FlatSymbolRefAttr,
    IntegerAttr,
    StringAttr,
    SymbolRefAttr,
    i32,
)


@lru_cache(1 << 16)
def word_attribute(value: int) -> IntegerAttr[I32]:
    """A number of 32 bits, given as signed or as unsigned one."""
    return IntegerAttr(value, i32)


@cache
def symbol_attribute(name: str) -> FlatSymbolRefAttr:
    """The name of something in the module."""
    return SymbolRefAttr(name)


@cache
def text_attribute(text: str) -> StringAttr:
    """A name."""
    return StringAttr(text)
