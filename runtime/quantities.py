"""Quantities in words: four digits, with the prefix that their size asks for."""

from __future__ import annotations

PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
"""Scale and prefix, largest first."""


def prefix(value: float) -> tuple[float, str]:
    """Scale and prefix for a value and what is listed with it."""
    # What is rounded up to 1000 gets the next prefix.
    fitting = (each for each in PREFIXES if abs(value) >= 0.99995 * each[0])
    return next(fitting, PREFIXES[0] if value == 0 else PREFIXES[-1])


def quantity(value: float, unit: str) -> str:
    """A value with its unit: 75.04 µs."""
    scale, name = prefix(value)
    return f"{value / scale:.4g} {name}{unit}"


def rate(per_second: float) -> str:
    """How many a second: 13,326, 12.34."""
    return f"{per_second:,.0f}" if per_second >= 1000 else f"{per_second:.4g}"


def size(count: int) -> str:
    """Bytes with their unit: 230.3 kB."""
    return f"{count / 1e6:.4g} MB" if count >= 1e6 else f"{count / 1e3:.4g} kB"
