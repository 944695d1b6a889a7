"""Tile shapes that a user pins by layer, in TOML; see `compiler/README.md`."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from softex_mlir.errors import UserError
from softex_mlir.files import read_text, toml_table

Tiles = Mapping[str, Mapping[str, int]]
"""By layer, any of ``m``, ``n``, ``k`` and ``group``."""

SIZES = ("m", "n", "k", "group")
"""Rows of a block, inner values and columns of a job, tiles side by side that share X."""


def read_tiles(source: str | Path) -> Tiles:
    """The tiles that a TOML file, or TOML text of at least one line, pins; none if it is empty.

    Raises:
        UserError: it cannot be read, or is no table of tables of integers.
    """
    text, name = str(source), "tile shapes"
    if text and "\n" not in text:
        name = text
        try:
            text = read_text(Path(source))
        except OSError as error:
            raise UserError(f"{source}: cannot read the tile shapes: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{source}: not TOML: {error}") from error
    try:
        tiles = toml_table(text)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error
    return check_tiles(tiles, name)


def check_tiles(tiles: Mapping[str, Any], name: str = "tile shapes") -> Tiles:
    """The same mapping, if it is one from layers to sizes.

    Raises:
        UserError: it is not, or a size has another name than those of `Tiles`.
    """
    for layer, sizes in tiles.items():
        if not isinstance(sizes, Mapping) or not all(
            isinstance(value, int) and not isinstance(value, bool)
            for value in sizes.values()  # pyright: ignore
        ):
            found = reprlib.repr(sizes)  # pyright: ignore
            raise UserError(f"{name}: layer '{layer}': expected a table of sizes, found {found}")
        if unknown := [key for key in sizes if key not in SIZES]:  # pyright: ignore
            raise UserError(
                f"{name}: layer '{layer}': no size {unknown[0]!r}; there are {', '.join(SIZES)}"
            )
    return tiles


def tiles_text(tiles: Tiles) -> str:
    """TOML text from which `read_tiles` reads the same; empty for none."""
    # JSON's strings are TOML's basic strings.
    return "".join(
        f"[{json.dumps(layer)}]\n" + "".join(f"{key} = {size}\n" for key, size in sizes.items())
        for layer, sizes in tiles.items()
    )
