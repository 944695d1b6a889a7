"""The machines of a sweep: values of settings, multiplied out or drawn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

from softex_mlir.errors import UserError

Settings = tuple[str, ...]
"""``section.key=value`` for every knob, in the order in which they were given."""


def knobs(options: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Values of every knob of options ``section.key=one,two``; lists in brackets stay whole.

    Raises:
        UserError: an option has no key, no value, or a key that was given before.
    """
    found: dict[str, tuple[str, ...]] = {}
    for option in options:
        key, equals, text = (part.strip() for part in option.partition("="))
        values = tuple(dict.fromkeys(value.strip() for value in _split(text)))
        if not equals or "." not in key or not all(values):
            raise UserError(f"--set: expected section.key=value,value, found '{option}'")
        if key in found:
            raise UserError(f"--set: {key} is given twice: give all its values at once")
        found[key] = values
    return found


def machines(space: dict[str, tuple[str, ...]], draw: int = 0, seed: int = 0) -> list[Settings]:
    """All settings of a space; `draw` of them at random if that is positive."""
    keys = list(space)
    every = [
        tuple(f"{key}={value}" for key, value in zip(keys, values, strict=True))
        for values in product(*space.values())
    ]
    if not 0 < draw < len(every):
        return every
    return [every[i] for i in sorted(random.Random(seed).sample(range(len(every)), draw))]


def _split(text: str) -> list[str]:
    """At commas outside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
