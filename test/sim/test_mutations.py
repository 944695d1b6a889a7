"""A correct program without one of its waits, awaits or barriers: the race detector finds it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from softex_mlir.compiler.models import demo_vit
from softex_mlir.isa_sim.diagnosis import SimulationFault
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.session import load

sys.path.insert(0, str(Path(__file__).parent))
from mutations import Mutator


@pytest.fixture(scope="module")
def mutator() -> Mutator:
    return Mutator(demo_vit(), Machine.load("paper"))


def races(mutator: Mutator, number: int | None) -> tuple[str, ...]:
    cluster = load(mutator.without(number), mutator.machine)
    return cluster.run(sanitize=True, max_cycles=10_000_000).races


def test_the_whole_program_has_none(mutator: Mutator):
    assert races(mutator, None) == ()


@pytest.mark.parametrize(
    ("site", "found"),
    [
        ("copy_4x3x4x8x8.DMA_OUT: AwaitOp(cluster.await %0 : !cluster.token<dma_in>)", "DMA in"),
        ("copy_4x3x4x8x8.DMA_OUT: AwaitOp(cluster.await %0 : !cluster.token<dma_out>)", "DMA out"),
        # Reads an activation in L2 before it is written, in this run and wrongly.
        ("linear_17x64x64.DMA_IN: WaitForOp(cluster.wait_for dma_out, %depend_dma_out)", "DMA out"),
        ("linear_17x64x64.REDMULE: WaitForOp(cluster.wait_for dma_in", "RedMulE"),
        ("layer_norm_17x64.COMPUTE: WaitForOp(cluster.wait_for dma_out", "core"),
        ("linear_17x64x256_gelu.COMPUTE: BarrierOp", "core"),
        ("linear_1x64x32.DMA_OUT: AwaitOp", "ends the program"),
    ],
)
def test_without_a_wait(mutator: Mutator, site: str, found: str):
    number = next(i for i, text in enumerate(mutator.sites()) if text.startswith(site))
    reports = races(mutator, number)
    assert reports
    assert any(found in report for report in reports)


def test_without_the_wait_for_a_job(mutator: Mutator):
    """The next soft clear comes while RedMulE is at work: that is a fault."""
    site = "linear_17x64x64.REDMULE: AwaitOp"
    number = next(i for i, text in enumerate(mutator.sites()) if text.startswith(site))
    with pytest.raises(SimulationFault, match="while its job is under way"):
        races(mutator, number)
