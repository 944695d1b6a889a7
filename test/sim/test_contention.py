"""The fast contention model against the cycle-stepped arbiter, and RedMulE's published figures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from softex_mlir.isa_sim import contention

sys.path.insert(0, str(Path(__file__).parent))
from arbiter import Core, Unit, step_all

LIMIT = 0.02
"""Error allowed, as a share of the phase's cycles."""
RNG = np.random.default_rng(7)


def units(redmule: float = 0.0, softex: float = 0.0) -> np.ndarray:
    table = np.zeros((2, contention.UNIT_COLUMNS))
    table[:, contention.WIDTH] = 17, 9
    table[:, contention.RATE] = redmule, softex
    return table


def predict(rates, moved, busy, table):
    stalls, slow = np.zeros(max(1, len(rates))), np.ones(2)
    rates = np.asarray(rates or [0.0], float)
    beat = contention.predict.py_func(
        rates, np.asarray(moved, float), np.asarray(busy, float), table, 32, stalls, slow
    )
    return stalls, slow, beat


def random_core(rate: float, accesses: int) -> Core:
    return Core(RNG.integers(0, 32, accesses), RNG.geometric(rate, accesses) - 1)


def streaming_core(index: int, accesses: int) -> Core:
    """A loop over rows: two loads and a store of three arrays, then work; jitter from branches."""
    place = np.arange(accesses) // 3
    array = np.arange(accesses) % 3
    banks = (place + 11 * index + np.array([0, 7, 19])[array]) % 32
    gaps = np.where(array == 0, 3, 1) + (RNG.random(accesses) < 0.1)
    return Core(banks, gaps)


@pytest.mark.parametrize("dma", [0, 1])
@pytest.mark.parametrize("pattern", ["0.2", "0.4", "0.6", "stream"])
def test_cores_among_themselves(pattern, dma):
    if pattern == "stream":
        cores = [streaming_core(index, 3000) for index in range(8)]
    else:
        cores = [random_core(float(pattern), 3000) for _ in range(8)]
    ideal = np.array([core.gaps.sum() + len(core.banks) for core in cores])
    found = step_all(cores, [], dma * int(ideal.mean()))
    cycles = np.array(found.core_cycles)
    moved = min(1.0, found.dma_cycles / cycles.mean()) if dma else 0.0
    stalls, _, _ = predict((3000 / cycles).tolist(), [moved, 0], [0, 0], units())
    predicted = ideal + stalls * 3000
    assert abs(predicted.mean() / cycles.mean() - 1) <= LIMIT


@pytest.mark.parametrize("dma", [0, 1])
@pytest.mark.parametrize("rate", [0.25, 0.44])
@pytest.mark.parametrize(("active", "core_rate"), [(5, 0.3), (5, 0.4)])
def test_cores_beside_redmule(active, core_rate, rate, dma):
    """Three cores drive streams, so the compute team beside RedMulE has five."""
    wide = 3000
    accesses = int(wide / rate * core_rate)
    cores = [random_core(core_rate, accesses) for _ in range(active)]
    ideal = np.array([core.gaps.sum() + len(core.banks) for core in cores])
    banks = 16 * (np.arange(wide) % 2)
    found = step_all(cores, [Unit(17, banks, rate, 2)], dma * int(wide / rate))
    cycles = np.array(found.core_cycles)
    busy = min(1.0, found.unit_cycles[0] / cycles.mean())
    moved = min(1.0, found.dma_cycles / cycles.mean()) if dma else 0.0
    stalls, _, _ = predict((accesses / cycles).tolist(), [moved, 0], [busy, 0], units(rate))
    predicted = ideal + stalls * accesses
    assert abs(predicted.mean() / cycles.mean() - 1) <= LIMIT


@pytest.mark.parametrize("core_rate", [0.1, 0.2])
def test_port_bound_softex_beside_the_cores(core_rate):
    """A unit that wants its port every cycle takes 1 + p cycles an access."""
    wide = 4000
    accesses = int(wide * core_rate * 1.2)
    cores = [random_core(core_rate, accesses) for _ in range(5)]
    found = step_all(cores, [Unit(9, RNG.integers(0, 32, wide), 1.0)], 0)
    rates = [accesses / cycles for cycles in found.core_cycles]
    _, slow, _ = predict(rates, [0, 0], [0, 1], units(softex=1.0))
    assert abs(slow[1] / (found.unit_cycles[0] / wide) - 1) <= LIMIT


@pytest.mark.parametrize("rate", [0.25, 0.44])
def test_dma_beside_redmule(rate):
    wide = 3000
    beats = int(0.8 * wide / rate)
    found = step_all([], [Unit(17, RNG.integers(0, 32, wide), rate, 2)], beats)
    _, _, beat = predict([], [1, 0], [1, 0], units(rate))
    assert abs(beats * beat / found.dma_cycles - 1) <= 2 * LIMIT


@pytest.mark.parametrize("denied", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("shape", [(24, 32, 32), (96, 96, 96), (24, 256, 64)])
def test_redmule_growth_is_the_published_one(shape, denied):
    """Least for 24x256x64, most for 24x32x32; within a factor of two and half a percent."""
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.isa_sim.units.redmule import redmule_cycles

    least = {0.01: 0.0004, 0.05: 0.002, 0.1: 0.005}[denied]
    most = {0.01: 0.003, 0.05: 0.015, 0.1: 0.034}[denied]
    m, n, k = shape
    tiles = -(-m // 24) * -(-k // 32)
    rate = tiles / redmule_cycles(m, n, k, Machine.load("paper"))
    growth = contention.redmule_growth(1 / (1 - denied), rate)
    assert least <= growth <= most
    if shape == (24, 32, 32):
        assert growth == pytest.approx(most, rel=0.15)
    if shape == (24, 256, 64):
        assert growth <= 2 * least
    if shape == (96, 96, 96) and denied == 0.1:
        assert growth == pytest.approx(4876 / 4774 - 1, rel=0.1)


def test_no_traffic_no_slow_down():
    stalls, slow, beat = predict([0.0] * 8, [0, 0], [1, 1], units(0.44, 0.5))
    assert stalls.max() < 0.25
    assert slow[1] == pytest.approx(1.0, abs=0.3)
    stalls, slow, beat = predict([0.0] * 8, [0, 0], [1, 0], units(0.44))
    assert stalls.max() == 0
    assert slow[0] == 1
    assert beat < 1.45
