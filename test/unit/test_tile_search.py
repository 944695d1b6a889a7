"""What the tile search promises: every tile has room in its slots, the slots have in the TCDM."""

from __future__ import annotations

import pytest

from softex_mlir.compiler.schedule.search.tiles import LinearShape
from softex_mlir.compiler.schedule.search.tiling import LinearSearch
from softex_mlir.isa_sim.machine import Machine

PAPER = Machine.load("paper")
BUDGET = 248_704
BETWEEN = {128: 349_439, 1: 3_055}
"""Bytes that norms of 384 columns leave, and their cycles between products."""


def shape(n: int, k: int, chunk: int, activation: str = "none", *, residual: bool) -> LinearShape:
    return LinearShape(128, n, k, activation, residual, chunk, 32, layer=f"{n}x{k}")


@pytest.mark.parametrize("chunk", [32, 192])
def test_tiles_fit_their_slots(chunk: int):
    layer = [
        *3 * [shape(384, 384, 384, residual=False)],
        shape(384, 384, chunk, residual=True),
        shape(384, 1536, 384, "gelu", residual=False),
        shape(1536, 384, 1536, residual=True),
    ]
    search = LinearSearch(PAPER, layer, BUDGET, between=BETWEEN)
    slots, tiles = search.search()
    assert all(size.total <= BUDGET for size in slots.values())
    for one, tile in tiles.items():
        need = search._sizes(one, tile)  # pyright: ignore[reportPrivateUsage]
        assert slots[one.slots].at_least(need) == slots[one.slots], one
