"""The fast contention model against the cycle-stepped arbiter, and RedMulE's published figures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from softex_mlir.isa_sim.contention import windows as contention
from softex_mlir.isa_sim.records import JOB, TRANSFER
from softex_mlir.isa_sim.units.redmule import RedMulEJob, redmule_cycles

sys.path.insert(0, str(Path(__file__).parent))
from arbiter import Channel, Core, Unit, step_all
from fast_model import FastModel, Prediction
from recorded import BASE, MACHINE, Recording, bank, redmule_streams

LIMIT = 0.02
PHASE_LIMIT = 0.03
"""Of one phase: a channel that binds meets RedMulE's jobs of one row in the rhythm of windows."""
"""Error allowed, as a share of the phase's cycles."""
WINDOW = contention.WINDOW
PHASE = 64 * WINDOW


def reference(recording: Recording, begin: int, end: int) -> Prediction:
    """Cycles lost in a phase. Masters wait for each other: every window starts where it was."""
    lost = Prediction(np.zeros(8), np.zeros(2), np.zeros(2))
    for window in range(begin, end, WINDOW):
        cores, units, channels = recording.phase(window, window + 3 * WINDOW)
        found = step_all(cores, units, channels, cycles=WINDOW)
        lost.cores += found.cores
        lost.channels += found.channels
        lost.units += found.units
    return lost


def errors(found: Prediction, expected: Prediction, cycles: int) -> dict[str, float]:
    """Largest error of each kind of master, as a share of a phase."""
    return {
        name: float(np.abs(getattr(found, name) - getattr(expected, name)).max() / cycles)
        for name in ("cores", "channels", "units")
    }


@pytest.fixture(scope="module")
def recording() -> Recording:
    """A transformer layer: patches, layer norms, attention, GELU on five cores, RedMulE and DMA."""
    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.compiler.models.vit import vit
    from softex_mlir.runtime.session import load, random_inputs, write_port

    model = vit("recorded", image=112, hidden=256, layers=1, heads=4)
    program = Compilation.of(model, MACHINE).program()
    cluster = load(program, MACHINE)
    for port in program.inputs:
        write_port(cluster, port, random_inputs(program, 0)[port.name])
    return Recording.of(cluster)


def test_recorded_program(recording: Recording):
    """Every phase of the program; the mean error is far below the limit."""
    model = FastModel(recording.logs, recording.run.jobs, recording.run.transfers)
    found: list[dict[str, float]] = []
    for begin in range(0, recording.run.cycles - PHASE, PHASE):
        predicted = model.phase(begin, begin + PHASE)
        found.append(errors(predicted, reference(recording, begin, begin + PHASE), PHASE))
        print(begin, {name: f"{error:.2%}" for name, error in found[-1].items()})
        assert max(found[-1].values()) <= PHASE_LIMIT
    assert len(found) >= 6
    assert np.mean([list(error.values()) for error in found]) <= LIMIT / 2


def job(unit: int, start: int, end: int, registers: list[int]) -> np.ndarray:
    row = np.zeros(1, JOB)
    row["unit"], row["start"], row["end"] = unit, start, end
    row["registers"][0, : len(registers)] = registers
    return row


def transfer(channel: int, start: int, end: int, address: int, length: int) -> np.ndarray:
    row = np.zeros(1, TRANSFER)
    row["channel"], row["start"], row["end"], row["length"] = channel, start, end, length
    row["destination" if channel == 0 else "source"] = address
    row["reps_2"] = row["reps_3"] = 1
    return row


def random_accesses(rng: np.random.Generator, rate: float, cycles: int) -> np.ndarray:
    """Loads from anywhere at an average rate, as an access log."""
    times = np.cumsum(rng.geometric(rate, int(rate * cycles)))
    log = np.zeros((len(times), 5), np.int64)
    log[:, 1] = BASE + 64 + 4 * rng.integers(0, 32768, len(times))
    log[:, 2], log[:, 4] = 4, times
    return log


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("dma", [False, True])
@pytest.mark.parametrize("redmule", [False, True])
def test_random_accesses(rate: float, dma: bool, redmule: bool):
    """Five cores that access any bank, alone and beside a stream of the DMA and a large product."""
    cycles = 36 * WINDOW
    rng = np.random.default_rng(5)
    logs = [random_accesses(rng, rate, cycles) for _ in range(5)] + [np.zeros((0, 5), np.int64)] * 3
    jobs, transfers = np.zeros(0, JOB), np.zeros(0, TRANSFER)
    if redmule:
        # Pitches of odd numbers of words: X, W and Z walk through the banks.
        g = RedMulEJob(BASE, BASE + 0x8000, BASE + 0x20000, 96, 250, 250)
        length = redmule_cycles(g.m, g.n, g.k, MACHINE)
        registers = list(g.registers().values())
        starts = range(0, cycles, length)
        jobs = np.concatenate([job(0, start, start + length, registers) for start in starts])
    if dma:
        starts = range(0, cycles, 4096)
        transfers = np.concatenate(
            [transfer(0, start, start + 4096, BASE + 0x10000, 8 * 4096) for start in starts]
        )
    run = type("Run", (), {"jobs": jobs, "transfers": transfers})
    cores = [np.stack([log[:, 4], bank(log[:, 1])], 1) for log in logs]
    recording = Recording(cores, run, logs)  # type: ignore[arg-type]
    begin, end = 2 * WINDOW, 34 * WINDOW
    predicted = FastModel(logs, jobs, transfers).phase(begin, end)
    found = errors(predicted, reference(recording, begin, end), end - begin)
    print({name: f"{error:.2%}" for name, error in found.items()})
    assert max(found.values()) <= LIMIT


@pytest.mark.parametrize("denial", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("shape", [(24, 32, 32), (96, 96, 96), (24, 256, 64)])
def test_redmule_growth_is_the_published_one(shape: tuple[int, int, int], denial: float):
    """Least for 24x256x64, most for 24x32x32: the arbiter's streams, and the formula."""
    least = {0.01: 0.0004, 0.05: 0.002, 0.1: 0.005}[denial]
    most = {0.01: 0.003, 0.05: 0.015, 0.1: 0.034}[denial]
    m, n, k = shape
    cycles = redmule_cycles(m, n, k, MACHINE)
    streams = list(redmule_streams(BASE, BASE + 0x8000, BASE + 0x20000, m, n, k))
    runs = [step_all([], [Unit(17, streams)], denial=denial, seed=seed) for seed in range(8)]
    stepped = np.mean([run.units[0] for run in runs]) / cycles
    tiles = -(-m // 24) * -(-k // 32)
    edges = (min(m, 24) + 24 + 8 + 24) / cycles
    late = denial / (1 - denial)
    growth = contention.growth.py_func(late, edges, max(0, tiles - 2) / cycles, 96)
    for found in (stepped, growth):
        if shape == (24, 32, 32):
            assert found == pytest.approx(most, rel=0.2, abs=0.001)
        elif shape == (24, 256, 64):
            assert found == pytest.approx(least, rel=0.3, abs=0.0001)
        elif denial == 0.1:
            assert found == pytest.approx(4876 / 4774 - 1, rel=0.15)
    assert growth == pytest.approx(stepped, abs=0.005)


def test_one_grant_a_bank_a_cycle():
    """Two cores on one bank, one on another: the pair gets on half as fast, the third as alone."""
    wanted = np.arange(100)
    same = [Core(wanted, np.full(100, 3)), Core(wanted, np.full(100, 3))]
    found = step_all([*same, Core(wanted, np.full(100, 4))], [])
    assert max(found.cores) == 100
    assert found.cores[2] == 0


@pytest.mark.parametrize("starvation", [1, 3])
def test_starvation(starvation: int):
    """A wide access in the way of a stream yields as often as the counter says."""
    wanted = np.arange(200)
    unit = Unit(17, [np.stack([10 * np.arange(10), np.full(10, 1e9), np.zeros(10)], 1)])
    found = step_all([Core(wanted, np.full(200, 5))], [unit], starvation=starvation)
    assert found.denials == [10 * starvation]
    assert found.cores == [10]


def test_dma_beat_needs_both_words():
    core = Core(np.arange(64), np.full(64, 1))
    channel = Channel(np.arange(64), np.zeros(64, np.int64))
    found = step_all([core], [], [channel])
    assert found.cores[0] + found.channels[0] >= 63


def test_logs_agree_with_the_busy_counters():
    """With contention, too: jobs and transfers end when they are done."""
    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.compiler.models import demo_vit
    from softex_mlir.runtime.session import load

    program = Compilation.of(demo_vit(), MACHINE).program()
    result = load(program, MACHINE).run()
    for unit, name in enumerate(("redmule", "softex")):
        mine = result.jobs[result.jobs["unit"] == unit]
        covered, reached = 0, 0
        for start, end in zip(mine["start"].tolist(), mine["end"].tolist(), strict=True):
            covered += end - max(start, reached)
            reached = max(reached, end)
        assert covered == result.busy[name]
    for channel, name in enumerate(("dma_in", "dma_out")):
        mine = result.transfers[result.transfers["channel"] == channel]
        assert (mine["start"][1:] >= mine["end"][:-1]).all()
        assert (mine["end"] - mine["start"]).sum() == result.busy[name]
