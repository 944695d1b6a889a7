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
    trigger = 0
    for index, (words, offset) in enumerate(zip(JOBS["registers"], JOBS["offset"], strict=True)):
        words = [int(word) for word in words]
        job = decode(words)
        if JOBS["fresh"][index]:
            unit = SoftEx(machine)
            unit.slots.cache_base = BASE + tcdm.size - 4096
            trigger = 0
        x, y, coefficients = (
            int(JOBS[f"{name}_bytes"][index]) for name in ("x", "y", "coefficient")
        )
        data = JOBS["data"][offset : offset + x + y + coefficients]
        tcdm[job.input - BASE : job.input - BASE + x] = data[:x]
        if job.kind is Kind.SUM_OF_EXPONENTIALS:
            half = coefficients // 2
            for address, start in ((job.slopes, x + y), (job.weights, x + y + half)):
                tcdm[address - BASE : address - BASE + half] = data[start : start + half]
        trigger += 1000
        if job.requests_slot:
            unit.request_slot(words, tcdm, BASE, trigger - late.get(index, 4))
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


class Trace:
    """Register accesses of SoftEx jobs on rows in memory, four cycles apart."""

    def __init__(self):
        self.rows = []
        self.cycle = 0

    def write(self, offset, value, gap=4):
        self.cycle += gap
        self.rows.append((self.cycle, 1, offset, value))
        return self

    def read(self, offset, gap=4):
        self.cycle += gap
        self.rows.append((self.cycle, 0, offset, 0))
        return self

    def job(self, commands, length=64, wait=100):
        self.read(4, wait)
        self.write(0x20, BASE).write(0x24, BASE + 0x2000).write(0x28, 2 * length)
        self.write(0x38, BASE).write(0x3C, BASE)
        return self.write(0x2C, commands).write(0, 0)

    def play(self):
        return run_sequence("softex", np.array(self.rows, np.int64), rows_of_ones())


def rows_of_ones():
    tcdm = np.zeros(1 << 18, np.uint8)
    tcdm[:0x1000].view(np.uint16)[:] = 0x3F80
    return tcdm


ACCUMULATE, DIVIDE, FIRST, LAST, SET_CACHE, NOTHING, SUM = 1, 2, 4, 8, 16, 32, 256


def slot(number):
    return number << 16


def test_a_job_whose_request_a_soft_clear_swallowed_waits_for_ever():
    """SOFT_CLEAR = 1 keeps the registers; the request that COMMANDS sends is lost."""
    trace = Trace().read(4).write(0x20, BASE).write(0x28, 128)
    trace.write(0x14, 1).write(0x2C, ACCUMULATE | FIRST | slot(1), 2).write(0, 0, 20)
    result = trace.read(0x0C, 500).play()
    assert not result.finished
    assert len(result.events) == 0
    assert result.reads.tolist() == [0, 1]
    assert any("request for a state slot is lost" in line for line in result.warnings)
    assert any("waits for ever" in line for line in result.warnings)


def test_a_later_request_lets_a_waiting_job_begin():
    trace = Trace().read(4).write(0x20, BASE).write(0x28, 128)
    trace.write(0x14, 1).write(0x2C, ACCUMULATE | FIRST | slot(1), 2).write(0, 0, 20)
    trace.read(4).write(0x2C, ACCUMULATE | FIRST | slot(1), 100)
    result = trace.play()
    assert result.finished
    # The request is taken a cycle later, and the slot is there in the next.
    start = trace.cycle + 2
    assert result.events.tolist() == [start - 3 + 4 + 17 + 8 + 11]


@pytest.mark.parametrize("distance", range(1, 7))
def test_triggers_in_a_soft_clear_are_lost(distance):
    trace = Trace().read(4).write(0x2C, NOTHING).write(0x14, 1).write(0, 0, distance)
    assert len(trace.play().events) == (distance > 4)


def test_without_an_acquire_registers_and_triggers_count():
    result = Trace().write(0x2C, NOTHING).write(0, 0).write(0x2C, NOTHING, 50).write(0, 0).play()
    assert result.events.tolist() == [12, 66]
    assert result.finished


def test_a_commit_waits_for_the_first_trigger():
    trace = Trace().write(0x2C, NOTHING).write(0, 1).write(0x2C, NOTHING, 50).read(0x0C)
    result = trace.write(0, 0).read(0x10, 20).play()
    assert result.events.tolist() == [trace.cycle - 16, trace.cycle - 13]
    assert result.reads.tolist() == [1, 2]


def test_running_job_is_counted_after_the_done_event():
    trace = Trace().write(0x2C, NOTHING).write(0, 0)
    trace.read(0x10, 5).read(0x10, 1).read(8, 1).read(8, 1)
    result = trace.play()
    assert result.events.tolist() == [12]
    assert result.reads.tolist() == [0, 1, 1, 0]


def test_uses_that_no_division_takes_back_lead_to_wrong_rows():
    """After two divisions without LAST the third row takes the place of one in flight."""
    cache = BASE + 0x8000
    trace = Trace().write(0x30, cache).write(0x2C, NOTHING | SET_CACHE).write(0, 0)
    for row in (1, 2):
        trace.job(ACCUMULATE | FIRST | LAST | slot(row))
        trace.job(DIVIDE | slot(row))
    # Queued: the request for row 4 comes while row 3 is accumulated.
    trace.job(ACCUMULATE | FIRST | slot(3), 1024).job(ACCUMULATE | FIRST | slot(4), wait=4)
    result = trace.play()
    assert result.finished
    assert any("takes the place of slot 3" in line for line in result.warnings)
    assert any("slot 3 is not in the unit when its accumulate ends" in w for w in result.warnings)


def test_rows_that_free_their_slots_never_meet_it():
    trace = Trace().write(0x30, BASE + 0x8000).write(0x2C, NOTHING | SET_CACHE).write(0, 0)
    for row in range(1, 9):
        trace.job(ACCUMULATE | FIRST | LAST | slot(row), wait=200 if row % 3 else 24)
    for row in range(1, 9):
        trace.job(DIVIDE | LAST | slot(row), wait=200 if row % 2 else 24)
    result = trace.play()
    assert result.finished
    assert len(result.events) == 17
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("terms", "length", "loads", "cycles"),
    [
        (1, 144, 0, 29), (1, 144, 1, 29), (1, 144, 2, 32), (1, 144, 3, 29),
        (4, 144, 0, 56), (4, 144, 1, 55), (4, 144, 2, 57), (4, 144, 3, 56),
        (17, 40, 0, 71), (17, 40, 1, 70), (17, 40, 2, None), (32, 40, 1, None),
    ],
)  # fmt: skip
def test_sums_of_exponentials_by_the_turn_of_the_arbiter(terms, length, loads, cycles):
    """A chunk of `loads` beats before; what hangs is not finished."""
    trace = Trace()
    if loads:
        trace.job(ACCUMULATE | FIRST | slot(1), 16 * loads - 1)
    trace.job(SUM | terms << 16, length, wait=500)
    result = trace.play()
    assert result.finished == (cycles is not None)
    if cycles is not None:
        assert result.events[-1] == trace.cycle + cycles


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
