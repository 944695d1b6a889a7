"""Where operations come from: places in the text, and aliases of locations behind their use."""

from __future__ import annotations

import re
from functools import cached_property

from xdsl.dialects.builtin import LocationAttr
from xdsl.utils.hints import isa
from xdsl.utils.mlir_lexer import MLIRTokenKind

from softex_mlir.dialects.aliases import BoundedAliases

DEFINITION = re.compile(r"^\s*(#[A-Za-z_][\w$.]*)\s*=\s*(?=loc\()", re.MULTILINE)


class LateLocations(BoundedAliases):
    """A parser for which a location's alias may be defined behind its use, as MLIR prints it."""

    @cached_property
    def _definitions(self) -> dict[str, int]:
        """Where the locations that aliases stand for begin."""
        text = self._current_token.span.input.content
        return {match[1]: match.end() for match in DEFINITION.finditer(text)}

    @cached_property
    def _read_ahead(self) -> set[str]:
        return set()

    def _parse_location(self) -> LocationAttr:
        token = self._current_token
        if token.kind is MLIRTokenKind.HASH_IDENT and token.text not in self.attribute_aliases:
            self._look_ahead(token.text)
        return super()._parse_location()

    def _look_ahead(self, alias: str) -> None:
        """Read an alias where it is defined; the parser stays where it is."""
        place = self._definitions.get(alias)
        if place is None or alias in self._read_ahead:
            return
        self._read_ahead.add(alias)
        here = self.pos
        self._resume_from(place)
        with self.alias_measured(alias):
            found = self.parse_attribute()
        self._resume_from(here)
        if isa(found, LocationAttr):
            self.attribute_aliases[alias] = found

    def _parse_alias_def(self) -> None:
        name = self._current_token.text
        if name in self._read_ahead:
            self._read_ahead.remove(name)
            self.attribute_aliases.pop(name, None)
            del self._definitions[name]
        super()._parse_alias_def()
