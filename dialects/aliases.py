"""Aliases of attributes and types whose text, written out, stays in proportion to the file.

An alias made of two others, forty times, stands for 2^40 attributes: they are shared in memory, but
whatever hashes, compares or prints them goes through all.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from xdsl.ir import Attribute
from xdsl.parser import Parser

ALWAYS_FINE = 1 << 21
"""Characters that aliases may come to, written out, in any file."""
TIMES_THE_TEXT = 64
"""And in a long one: locations of real programs repeat their callers."""


class CountedAliases(dict[str, Attribute]):
    """Aliases by name, which count what their uses come to, written out."""

    def __init__(self, most: int):
        super().__init__()
        self.most = most
        self.sizes: dict[str, int] = {}
        self.written = 0

    def __getitem__(self, name: str) -> Attribute:
        self.written += self.sizes.get(name, 0)
        if self.written > self.most:
            raise ValueError(
                f"aliases stand for more than {self.most:,} characters, written out: "
                f"{name} alone for {self.sizes[name]:,}"
            )
        return super().__getitem__(name)


class BoundedAliases(Parser):
    """A parser that refuses aliases of aliases that come to too much."""

    def bound_aliases(self, length: int) -> None:
        """Count from now on, in a text of so many characters."""
        self._counted = CountedAliases(max(ALWAYS_FINE, TIMES_THE_TEXT * length))
        self.attribute_aliases = self._counted

    @contextmanager
    def alias_measured(self, name: str) -> Generator[None]:
        """While it lasts, the parser reads what an alias stands for."""
        start, before = self.pos, self._counted.written
        yield
        self._counted.sizes[name] = self.pos - start + self._counted.written - before

    def _parse_alias_def(self) -> None:
        with self.alias_measured(self._current_token.text):
            super()._parse_alias_def()
