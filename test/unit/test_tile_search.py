"""What the tile search promises: every tile has room in its slots, the slots have in the TCDM."""

from __future__ import annotations

import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import main_function
from softex_mlir.compiler.models.llama import llama
from softex_mlir.compiler.schedule.plan import make_plan
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


def test_products_of_one_x_have_it_in_the_same_chunks() -> None:
    """Else X would be loaded again, for every launch where they take turns: its ring belongs to
    chunks of one size."""
    model = llama("llama", tokens=128, hidden=384, layers=1, heads=6, mlp=1024, vocabulary=384)
    module = Compilation.of(model, PAPER).model.module
    tiles = make_plan(main_function(module), PAPER, {}).tiles
    q, v, gate, up = (
        next(tile for shape, tile in tiles.items() if shape.layer.endswith(f"{name}_proj"))
        for name in ("q", "v", "gate", "up")
    )
    assert gate.n == up.n
    assert q.n == v.n
