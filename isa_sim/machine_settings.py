"""Settings of a machine on a command line: ``section.key=value``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from softex_mlir.errors import UserError
from softex_mlir.files import toml_table
from softex_mlir.isa_sim.units import registry

_SCALED = re.compile(r"([0-9_]+)(Ki|Mi)")
_SCALES = {"Ki": 1 << 10, "Mi": 1 << 20}
_WORD = re.compile(r"[A-Za-z_]\w*")


class SettingError(UserError, ValueError):
    """A setting that says nothing."""


def settings_tree(settings: Iterable[str]) -> dict[str, Any]:
    """Settings as the tables of a description.

    Values are spelt as in TOML; words need no quotes, numbers may end in Ki or Mi, and a unit's
    short forms (RedMulE's ``shape``) set several fields. ``section.present=false`` takes a unit
    away.

    Raises:
        SettingError: one has no section, no key or no value.
    """
    tree: dict[str, Any] = {}
    for setting in settings:
        place, equals, value = (part.strip() for part in setting.partition("="))
        section, dot, key = (part.strip() for part in place.partition("."))
        if not (equals and dot and section and key):
            raise SettingError(f"expected section.key=value, found '{setting}'")
        tree.setdefault(section, {}).update(_fields(section, key, value))
    return tree


def _fields(section: str, key: str, value: str) -> dict[str, Any]:
    """What a setting says of a section."""
    unit = next((unit for unit in registry.units() if unit.name == section), None)
    keys = () if unit is None else unit.short_forms.get(key, ())
    if not keys:
        return {key: _value(section, key, value)}
    numbers = value.split("x")
    if len(numbers) != len(keys) or not all(number.isdecimal() for number in numbers):
        spelt = " x ".join(keys)
        raise SettingError(f"{section}.{key}: expected {spelt}, as in 24x8x3, found '{value}'")
    return dict(zip(keys, map(int, numbers), strict=True))


def scaled(text: str) -> int | None:
    """A number that ends in Ki or Mi; None for any other text."""
    found = _SCALED.fullmatch(text)
    return None if found is None else int(found[1]) * _SCALES[found[2]]


def _value(section: str, key: str, value: str) -> Any:
    if (number := scaled(value)) is not None:
        return number
    try:
        return toml_table(f"value = {value}")["value"]
    except ValueError as error:
        if _WORD.fullmatch(value):
            return value  # a shell takes quotes away
        raise SettingError(f"{section}.{key}: '{value}' is no TOML value: {error}") from None
