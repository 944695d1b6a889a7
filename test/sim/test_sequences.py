"""Jobs one after the other, as the units' published RTL does them, results and cycles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from softex_mlir.errors import UserError
from softex_mlir.isa_sim import run_sequence
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.softex import Kind, SoftEx, decode

GOLDEN = Path(__file__).parent.parent / "golden" / "sequences"
BASE = 0x10000000
ROWS, ROW_BYTES = 10, 128
SLOTS = np.load(GOLDEN / "softex_slots.npz")
JOBS = np.load(GOLDEN / "softex_jobs.npz")
CLEAR = np.load(GOLDEN / "redmule_soft_clear.npz")


def part(name, offsets, index):
    start, end = SLOTS[offsets][index : index + 2]
    return SLOTS[name][start:end]


def play_slots(index):
    tcdm = np.zeros(1 << 18, np.uint8)
    tcdm[0x1000 : 0x1000 + ROWS * ROW_BYTES] = SLOTS["x"].view(np.uint8).reshape(-1)
    accesses = part("accesses", "offset", index)
    result = run_sequence("softex", accesses, tcdm)
    found = tcdm[0x8000 : 0x8000 + ROWS * ROW_BYTES].view(np.uint16).reshape(ROWS, -1)
    return accesses, result, found


@pytest.mark.parametrize("index", range(len(SLOTS["queued"])))
def test_slots(index):
    accesses, result, found = play_slots(index)
    np.testing.assert_array_equal(found, SLOTS["y"][index])
    np.testing.assert_array_equal(result.events, part("events", "event_offset", index))
    read = accesses[accesses[:, 1] == 0][:, 3]
    np.testing.assert_array_equal(result.reads.astype(np.int32), read.astype(np.int32))
    assert result.finished == SLOTS["finished"][index]


def test_rows_are_wrong_where_a_slot_in_use_is_taken_and_a_warning_says_so():
    right = SLOTS["y"][1]
    for index in range(len(SLOTS["queued"])):
        _, result, found = play_slots(index)
        wrong = (found != right).any(1) & found.any(1)
        taken = any("in flight" in warning for warning in result.warnings)
        assert taken == wrong.any(), SLOTS["name"][index]


def test_jobs_of_programs_in_sequence():
    """Bits and cycles of 597 jobs.

    The recording does not say when COMMANDS was written: compiled code writes it four cycles
    before the trigger, except for the first job of a loop (317), whose code was fetched in between.
    """
    machine = Machine.load()
    tcdm = np.zeros(1 << 18, np.uint8)
    unit = SoftEx(machine)
    late = {317: 10}
    for index, (words, offset) in enumerate(zip(JOBS["registers"], JOBS["offset"], strict=True)):
        words = [int(word) for word in words]
        job = decode(words)
        if JOBS["fresh"][index]:
            unit = SoftEx(machine)
            unit.slots.cache_base = BASE + tcdm.size - 4096
        x, y, coefficients = (
            int(JOBS[f"{name}_bytes"][index]) for name in ("x", "y", "coefficient")
        )
        data = JOBS["data"][offset : offset + x + y + coefficients]
        tcdm[job.input - BASE : job.input - BASE + x] = data[:x]
        if job.kind is Kind.SUM_OF_EXPONENTIALS:
            half = coefficients // 2
            for address, start in ((job.slopes, x + y), (job.weights, x + y + half)):
                tcdm[address - BASE : address - BASE + half] = data[start : start + half]
        trigger = 1000
        if job.requests_slot:
            unit.request_slot(words, tcdm, BASE, trigger - late.get(index, 4), trigger - 50)
        outcome = unit.execute(job, tcdm, BASE, trigger)
        assert outcome.cycles == JOBS["cycles"][index], index
        found = tcdm[job.output - BASE : job.output - BASE + y]
        np.testing.assert_array_equal(found, data[x : x + y], str(index))


def soft_clear_accesses(distance, value, after_job):
    registers = [int(word) for word in CLEAR["registers"]]
    accesses = []

    def job(cycle, distance, value, words):
        accesses.append((cycle, 1, 0x14, value))
        for register, word in enumerate(words):
            accesses.append((cycle + distance + 6 * register, 1, 0x40 + 4 * register, word))
        accesses.append((cycle + distance + 40, 1, 0, 0))

    if after_job:
        other = [*registers[:2], registers[2] + 0x4000, *registers[3:]]
        job(10, 8, 0, other)
    job(1000, distance, value, registers)
    return np.array(accesses, np.int64)


@pytest.mark.parametrize("index", range(len(CLEAR["distance"])))
def test_soft_clear(index):
    tcdm = np.zeros(1 << 18, np.uint8)
    tcdm[0x1000:0x10C0] = CLEAR["x"].view(np.uint8).reshape(-1)
    tcdm[0x2000:0x2800] = CLEAR["w"].view(np.uint8).reshape(-1)
    distance, value = int(CLEAR["distance"][index]), int(CLEAR["clear_value"][index])
    accesses = soft_clear_accesses(distance, value, CLEAR["after_job"][index])
    result = run_sequence("redmule", accesses, tcdm)
    np.testing.assert_array_equal(tcdm[0x4000:0x4600].view(np.uint16), CLEAR["z"][index])
    lost = any("lost" in warning for warning in result.warnings)
    assert lost == (value == 0 and distance <= 4)
    assert result.finished


def test_no_operation_takes_four_cycles_and_queued_jobs_follow():
    accesses = np.array(
        [(0, 0, 4, 0), (2, 1, 0x2C, 0x20), (10, 1, 0, 0), (11, 0, 4, 0), (13, 0, 4, 0)]
    )
    result = run_sequence("softex", accesses, np.zeros(1 << 18, np.uint8))
    assert result.events.tolist() == [14]
    assert result.reads.tolist() == [0, 1, -2]


def test_what_never_ends_is_not_finished():
    accesses = np.array([(0, 1, 0x14, 0), (8, 1, 0x40, BASE), (20, 1, 0, 0), (30, 0, 0x0C, 0)])
    result = run_sequence("redmule", accesses, np.zeros(1 << 18, np.uint8))
    assert not result.finished
    assert len(result.events) == 0
    assert result.reads.tolist() == [1]


@pytest.mark.parametrize(
    ("unit", "accesses"),
    [
        ("dma", np.zeros((0, 4), np.int64)),
        ("softex", np.zeros((2, 3), np.int64)),
        ("softex", np.array([(5, 1, 0, 0), (4, 1, 0, 0)])),
    ],
)
def test_no_sequence(unit, accesses):
    with pytest.raises(UserError):
        run_sequence(unit, accesses, np.zeros(64, np.uint8))
