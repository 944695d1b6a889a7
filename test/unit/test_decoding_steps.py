"""What a decoding step asks of the DMA: each key once, and RedMulE out of its way."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.llama import llama
from softex_mlir.compiler.schedule.search.costs import FEW_ROWS, denied_beats, keeps_pace
from softex_mlir.compiler.schedule.search.tiles import LinearShape
from softex_mlir.compiler.schedule.search.tiling import LinearSearch
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.session import run

PAPER = Machine.load("paper")


@pytest.mark.parametrize("length", [128, 704])
def test_keys_and_values_of_a_group_are_read_once(length: int):
    sizes = partial(llama, hidden=64, heads=4, key_heads=2, mlp=64, vocabulary=96)
    model = sizes("llama", layers=1, max_length=length)
    program = Compilation.of(model, PAPER).program().at("decode")
    position = length - 100
    inputs = {"input_ids": np.array([[5]]), "position": np.array([position])}
    moved = run(program, inputs, functional=False).run.transfers
    seen = -(-(position + 1) // 64) * 64
    for state in program.states:
        size = 2 * state.shape[0] * state.shape[1]
        inside = (moved["source"] >= state.address) & (moved["source"] < state.address + size)
        read = moved["bytes"][inside & (moved["channel"] == 0)].sum()
        assert read == size // length * seen, state.name


def test_tiles_of_few_rows_stay_out_of_the_way_of_the_dma():
    assert [k for k in range(16, 257, 16) if keeps_pace(PAPER, k)] == [16, 80, 144, 208]
    assert denied_beats(PAPER, 1, 288, 80) < denied_beats(PAPER, 1, 288, 96) / 2
    for rows, paced in ((1, True), (FEW_ROWS, True), (64, False)):
        shape = LinearShape(rows, 288, 8192, "none", False, chunk=288, step=32)
        (tile,) = LinearSearch(PAPER, [shape], 200_000).search()[1].values()
        assert keeps_pace(PAPER, tile.k) == paced, rows
