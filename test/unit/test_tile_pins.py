"""Sizes that a user pins for tiles: used as they are, or refused with what they may be."""

from __future__ import annotations

import pytest

from softex_mlir.compiler.schedule.search.pins import check_pins
from softex_mlir.compiler.tile_overrides import check_tiles, read_tiles
from softex_mlir.errors import UserError


@pytest.mark.parametrize(
    ("pins", "message"),
    [
        ({"m": 0}, "m must be a positive number of rows, found 0"),
        ({"m": -24}, "m must be a positive number of rows, found -24"),
        ({"n": 0}, "n must be one of 32, 64, 96, 192"),
        ({"n": 48}, "n must be one of 32, 64, 96, 192"),
        ({"n": -(1 << 63)}, "found a number beyond all sizes"),
        ({"k": 0}, "k must be a multiple of 8 in 8..128, found 0"),
        ({"k": -(1 << 63)}, "k must be a multiple of 8 in 8..128"),
        ({"k": 136}, "k must be a multiple of 8 in 8..128, found 136"),
        ({"group": 0}, r"group must be 1..4 \(tiles side by side\), found 0"),
        ({"group": 3, "k": 64}, "group must be 1..2"),
        ({"group": 3, "k": 0}, "must be"),
    ],
)
def test_sizes_that_no_tile_has(pins: dict[str, int], message: str):
    with pytest.raises(UserError, match=message):
        check_pins("layer 'up' (40x192x128)", [32, 64, 96, 192], 128, 32, pins)


@pytest.mark.parametrize(
    "pins", [{}, {"m": 1, "n": 96}, {"m": 1 << 20}, {"k": 40, "group": 3}, {"k": 128, "group": 1}]
)
def test_sizes_that_tiles_have(pins: dict[str, int]):
    check_pins("layer 'up' (40x192x128)", [32, 64, 96, 192], 128, 32, pins)


@pytest.mark.parametrize("sizes", [{"M": 3}, {"m": True}, {"m": 2.0}, {"m": "3"}, 3])
def test_tables_that_hold_anything_else(sizes: object):
    with pytest.raises(UserError, match=r"layer 'up': (no size 'M'|expected a table of sizes)"):
        check_tiles({"up": sizes})


@pytest.mark.parametrize(
    "text",
    [f"\na = {'[' * 5000}", f"\n[up]\nm = {'9' * 5000}", "\n[up]\nm = ", f"[{'a.' * 5000}a]\nm=1"],
)
def test_text_that_is_no_table_of_sizes(text: str):
    with pytest.raises(UserError, match=r"tile shapes: (not TOML|layer 'a': expected a table)"):
        read_tiles(text)
