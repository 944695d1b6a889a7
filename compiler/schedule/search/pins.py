"""Which sizes of a tile a user may pin for a product: those that its kernel can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from softex_mlir.errors import UserError

COLUMN_UNIT = 8
"""Widths are whole groups of what the cores work on at once."""


def check_pins(
    product: str,
    inner: Sequence[int],
    columns: int,
    narrowest: int,
    pins: Mapping[str, int],
    unit: int = COLUMN_UNIT,
) -> None:
    """Refuse sizes that no tile of a product can have. Rows beyond the product's mean all of them.

    Args:
        product: what an error calls it.
        inner: inner values that its jobs may take.
        columns: of its result, padded.
        narrowest: columns of a tile where none are pinned.
        unit: what columns of a tile are multiples of: heads whose positions turn them stay whole.

    Raises:
        UserError: names the size and what it may be.
    """
    for key, value in pins.items():
        expected = _expected(inner, columns, pins.get("k", narrowest), key, value, unit)
        if expected is not None:
            found = value if -(10**12) < value < 10**12 else "a number beyond all sizes"
            raise UserError(f"tiles of {product}: {key} must be {expected}, found {found}")


def _expected(
    inner: Sequence[int], columns: int, width: int, key: str, value: int, unit: int
) -> str | None:
    """What a size should be instead, if it cannot be what it is."""
    if key == "m":
        return None if value >= 1 else "a positive number of rows"
    if key == "n":
        return None if value in inner else f"one of {_list(inner)} (inner values of a job)"
    if key == "k":
        fits = value % unit == 0 and unit <= value <= columns
        return None if fits else f"a multiple of {unit} in {unit}..{columns}"
    most = max(1, columns // max(1, width))
    return None if 1 <= value <= most else f"1..{most} (tiles side by side)"


def _list(choices: Sequence[int]) -> str:
    shown = [str(choice) for choice in choices]
    return ", ".join(shown if len(shown) <= 12 else [*shown[:11], "...", shown[-1]])
