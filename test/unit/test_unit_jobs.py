"""Single accelerator jobs: quirks the hardware shows, and jobs it does not do."""

from typing import Any

import numpy as np
import pytest

from softex_mlir.errors import UserError
from softex_mlir.isa_sim import UnitFault, run_job
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.numerics import bf16
from softex_mlir.isa_sim.numerics.gemm import gemm
from softex_mlir.isa_sim.numerics.softmax import softmax
from softex_mlir.isa_sim.units import redmule
from softex_mlir.isa_sim.units import softex_jobs as softex
from softex_mlir.isa_sim.units.softex import RESCALE_HAZARD, SoftEx
from softex_mlir.isa_sim.units.softex_jobs import Command
from softex_mlir.isa_sim.units.softex_unit import SOFTEX as UNIT

BASE = 0x1000_0000
OUT = 0x4000


def memory() -> np.ndarray:
    return np.zeros(1 << 16, np.uint8)


def put(tcdm: np.ndarray, offset: int, values: np.ndarray):
    raw = np.ascontiguousarray(values).view(np.uint8).ravel()
    tcdm[offset : offset + raw.size] = raw


def row(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(length).astype(bf16.BF16)


def softex_job(
    tcdm: np.ndarray,
    elements: int,
    commands: int = 0,
    machine: Machine | str = "paper",
    **others: int,
):
    registers = {
        "IN_ADDR": BASE,
        "OUT_ADDR": BASE + OUT,
        "TOT_LEN": 2 * elements,
        "COMMANDS": int(commands),
        **others,
    }
    return run_job("softex", registers, tcdm, machine)


# --- SoftEx ----------------------------------------------------------------------------------


def test_memory_behind_a_partial_beat_enters_the_result():
    x = row(20)
    tcdm = memory()
    put(tcdm, 0, x)
    put(tcdm, 40, np.array([9.0] * 12, bf16.BF16))
    spoilt = softex_job(tcdm, 20)
    assert "4 elements behind the row" in spoilt.warnings[0]
    assert spoilt.max == bf16.to_bits(bf16.from_float(9.0))
    put(tcdm, 40, np.full(12, -np.inf, bf16.BF16))
    clean = softex_job(tcdm, 20)
    assert clean.warnings == ()
    np.testing.assert_array_equal(tcdm[OUT : OUT + 40].view(bf16.BF16), softmax(x))
    # A machine with right lane enables never looks there.
    put(tcdm, 40, np.array([9.0] * 12, bf16.BF16))
    ideal = softex_job(tcdm, 20, machine="ideal")
    assert (ideal.den, ideal.warnings) == (clean.den, ())


def test_a_row_of_one_whole_beat_is_dropped():
    tcdm = memory()
    put(tcdm, 0, row(16))
    tcdm[OUT:] = 0x55
    result = softex_job(tcdm, 16)
    assert "exactly 16 elements is dropped" in result.warnings[0]
    assert (tcdm[OUT:] == 0x55).all()
    assert (result.max, result.den) == (0xFF80, 0)
    softex_job(tcdm, 16, machine="ideal")
    np.testing.assert_array_equal(tcdm[OUT : OUT + 32].view(bf16.BF16), softmax(row(16)))


def test_first_beat_of_minus_infinity_is_named():
    tcdm = memory()
    x = np.full(40, -np.inf, bf16.BF16)
    x[20:] = 1
    put(tcdm, 0, x)
    put(tcdm, 80, np.full(16, -np.inf, bf16.BF16))
    result = softex_job(tcdm, 40)
    assert "denominator is not finite" in result.warnings[0]
    assert (tcdm[OUT : OUT + 80].view(np.uint16) == 0x7FC0).all()


def test_in_place_and_quick_path_agree_with_single_jobs():
    machine = Machine.load()
    unit = SoftEx(machine)
    for length in (17, 32, 100, 208):
        tcdm = memory()
        put(tcdm, 0, row(length, length))
        put(tcdm, 2 * length, np.full(16, -np.inf, bf16.BF16))
        expected = softex_job(tcdm.copy(), length).cycles
        words = np.array([BASE, BASE, 2 * length, 0, 0, 0, 0, 0])
        assert unit.run(words, tcdm, BASE) == expected
        np.testing.assert_array_equal(
            tcdm[: 2 * length].view(bf16.BF16), softmax(row(length, length))
        )
        assert unit.last_lane_cycles == 16 * expected


def test_state_slots_spill_to_memory():
    """Three rows in chunks, alternating: only two slots are in the unit."""
    rows = [row(80, seed) for seed in range(3)]
    tcdm = memory()
    whole = []
    spill: dict[str, Any] = {"CACHE_BASE_ADDR": BASE + 0x8000}
    for x in rows:
        put(tcdm, 0, x)
        softex_job(tcdm, 80)
        whole.append(tcdm[OUT : OUT + 160].view(bf16.BF16).astype(float))

    def job(i: int, half: slice, commands: int):
        put(tcdm, 0, rows[i][half])
        commands |= Command.SET_CACHE_ADDR | (i + 1) << 16
        return softex_job(tcdm, 40, commands, **spill)

    for half in (slice(0, 40), slice(40, 80)):
        for i in range(3):
            put(tcdm, 80, np.full(16, -np.inf, bf16.BF16))
            first = Command.ACQUIRE_SLOT if half.start == 0 else Command.LAST
            job(i, half, Command.ACC_ONLY | first)
    assert tcdm[0x8000 + 8 + 4 : 0x8000 + 16].view(np.uint32)[0] & 0x80000000
    for i in range(3):
        found = []
        for half in (slice(0, 40), slice(40, 80)):
            job(i, half, Command.DIV_ONLY | (Command.LAST if half.start else 0))
            found.append(tcdm[OUT : OUT + 80].view(bf16.BF16).astype(float))
        np.testing.assert_allclose(np.concatenate(found), whole[i], rtol=2**-7)


@pytest.mark.parametrize(
    ("elements", "commands", "others", "rule"),
    [
        (0, 0, {}, "softex.length"),
        (20, Command.GELU_MODE, {}, "softex.terms"),
        (20, Command.GELU_MODE | 33 << 16, {}, "softex.terms"),
        (20, Command.INT_INPUT, {}, "softex.cast"),
        (24, Command.INT_INPUT | Command.INT_OUTPUT, {"TOT_LEN": 40}, "softex.length"),
        (20, 0, {"IN_ADDR": BASE + 1}, "softex.alignment"),
        (20, 0, {"OUT_ADDR": BASE + (1 << 20)}, "softex.address"),
        (20, Command.ACC_ONLY | Command.ACQUIRE_SLOT, {}, "softex.slot"),
        (20, Command.DIV_ONLY | 3 << 16, {"CACHE_BASE_ADDR": BASE}, "softex.slot"),
        (20, Command.DIV_ONLY | Command.SET_CACHE_ADDR | 3 << 16, {}, "softex.slot"),
        (
            20,
            Command.DIV_ONLY | Command.SET_CACHE_ADDR | 3 << 16,
            {"CACHE_BASE_ADDR": BASE - 1024},
            "softex.address",
        ),
    ],
)
def test_softex_faults_name_the_rule(elements: int, commands: int, others: dict, rule: str):
    with pytest.raises(UnitFault) as caught:
        softex_job(memory(), elements, commands, **others)
    assert caught.value.rule == rule
    assert rule in str(caught.value)


def test_slot_zero_alone_is_right_on_the_ideal_machine():
    commands = Command.ACC_ONLY | Command.ACQUIRE_SLOT
    tcdm = memory()
    put(tcdm, 0, row(32))
    with pytest.raises(UnitFault, match="use slots from 1 on"):
        softex_job(tcdm, 32, commands)
    softex_job(tcdm, 32, commands | Command.LAST, "ideal")
    softex_job(tcdm, 32, Command.DIV_ONLY | Command.LAST, "ideal")
    np.testing.assert_array_equal(tcdm[OUT : OUT + 64].view(bf16.BF16), softmax(row(32)))


def test_a_third_open_row_needs_memory_to_spill_to():
    tcdm = memory()
    for slot in (1, 2):
        softex_job(tcdm, 32, Command.ACC_ONLY | Command.ACQUIRE_SLOT | slot << 16)
    with pytest.raises(UnitFault, match="CACHE_BASE_ADDR with SET_CACHE_ADDR"):
        softex_job(tcdm, 32, Command.ACC_ONLY | Command.ACQUIRE_SLOT | 3 << 16)
    # A soft clear loses the slots, so the next row is the first again.
    softex_job(tcdm, 32, Command.ACC_ONLY | Command.ACQUIRE_SLOT | 3 << 16, SOFT_CLEAR=0)


@pytest.mark.parametrize("lanes", [4, 8, 16, 32])
@pytest.mark.parametrize("beats", [1, 2, 3, 4, 5, 9, 20])
def test_softmax_cycles_of_falling_and_rising_rows(lanes: int, beats: int):
    """EVT = 3B + 44 + 2 lg L + R; a new maximum in every beat takes 6B + 52 + 2 lg L."""
    machine = Machine.from_toml(f'extends = "paper"\nname = "lanes"\n[softex]\nlanes = {lanes}\n')
    length = beats * lanes - 1
    tcdm = memory()
    tcdm.view(np.uint16)[:] = 0xFF80
    falling = np.repeat(np.arange(beats, 0, -1.0), lanes)[:length].astype(bf16.BF16)
    put(tcdm, 0, falling)
    log = lanes.bit_length() - 1
    reduction = (3, 7, 10, 11)[min(beats, 4) - 1]
    assert softex_job(tcdm, length, machine=machine).cycles == 3 * beats + 44 + 2 * log + reduction
    put(tcdm, 0, np.repeat(np.arange(1.0, beats + 1), lanes)[:length].astype(bf16.BF16))
    if beats >= 4:
        assert softex_job(tcdm, length, machine=machine).cycles == 6 * beats + 52 + 2 * log


@pytest.mark.parametrize(("lanes", "most"), [(8, 8), (16, 32), (32, 16)])
def test_sums_of_many_terms(lanes: int, most: int):
    """Terms are added modulo one, in any order: N equal terms are N times one term."""
    machine = Machine.from_toml(f'extends = "paper"\nname = "lanes"\n[softex]\nlanes = {lanes}\n')
    tcdm = memory()
    put(tcdm, 0x100, np.full(64, -1.0, bf16.BF16))
    put(tcdm, 0x200, np.full(64, 2.0**-6, bf16.BF16))
    registers = {"A_ADDR": BASE + 0x100, "B_ADDR": BASE + 0x200, "IN_ADDR": BASE + 0x1000}
    for terms in range(1, most + 1):
        commands = Command.GELU_MODE | terms << 16
        result = softex_job(tcdm, 100, commands, machine, **registers)
        beats = -(-100 // lanes)
        assert result.cycles == (
            max(20 + beats, 10 + 2 * beats) if terms == 1 else 20 + terms * beats
        )
        found = tcdm[OUT : OUT + 200].view(bf16.BF16).astype(float)
        assert (found == terms * 2.0**-6).all()
    with pytest.raises(UnitFault, match="deadlock"):
        softex_job(tcdm, 100, Command.GELU_MODE | (most + 1) << 16, machine, **registers)


def test_lengths_of_sums_are_bytes():
    tcdm = memory()
    tcdm[OUT:] = 0x55
    one_term = Command.GELU_MODE | 1 << 16
    put(tcdm, 0x2000, np.array([0.5], bf16.BF16))
    registers: dict[str, Any] = {"A_ADDR": BASE + 0x2000, "B_ADDR": BASE + 0x2000}
    assert softex_job(tcdm, 0, one_term, **registers).cycles == 20
    assert (tcdm[OUT:] == 0x55).all()
    softex_job(tcdm, 0, one_term, TOT_LEN=33, **registers)
    assert tcdm[OUT + 32] == 0x00
    assert (tcdm[OUT + 33 :] == 0x55).all()
    assert "clear both bits" in softex_job(tcdm, 20, one_term | 1, **registers).warnings[0]


@pytest.mark.parametrize("signed", [0, 1])
def test_eight_bit_rows(signed: int):
    rng = np.random.default_rng(5)
    raw = rng.integers(0, 256, 48, dtype=np.uint8)
    raw[3] = 0
    cast = (4 | signed << 7) | (0 | signed << 7) << 8
    tcdm = memory()
    put(tcdm, 0, raw)
    tcdm[OUT:] = 0x55
    commands = Command.INT_INPUT | Command.INT_OUTPUT
    softex_job(tcdm, 0, commands, TOT_LEN=48, CAST_CTRL=cast)
    numbers = raw.view(np.int8).astype(float) if signed else raw.astype(float)
    numbers *= 2.0 ** (4 + signed - 8)
    # The unit decodes 0 as the number one place higher.
    numbers[raw == 0] = 2.0 ** (4 + signed - 7)
    expected = softmax(numbers.astype(bf16.BF16)).astype(float) * 2.0 ** (8 - signed)
    found = tcdm[OUT : OUT + 48].astype(float)
    assert np.abs(found - expected).max() <= 0.5
    # The last store writes a beat of zeros behind the row.
    assert (tcdm[OUT + 48 : OUT + 64] == 0).all()
    assert (tcdm[OUT + 64 :] == 0x55).all()


def test_sum_of_exponentials_depends_on_the_loads_before():
    machine = Machine.load()
    assert [softex.soe_cycles(160, 4, machine, loads) for loads in range(5)] == [60, 59, 61, 60, 60]
    assert [softex.soe_cycles(144, 1, machine, loads) for loads in range(4)] == [29, 29, 32, 29]
    # A short job has its slopes sooner.
    assert [softex.soe_cycles(16, 4, machine, loads) for loads in range(4)] == [24, 23, 24, 24]
    assert softex.soe_cycles(160, 1, machine) == 30
    assert softex.soe_cycles(320, 1, machine) == 50


def test_rescaling_that_memory_stalls_would_endanger_is_warned_about():
    unit = SoftEx(Machine.load())
    words = np.array([BASE, BASE + OUT, 416, 0, 0, 0, 0, 0])
    tcdm = memory()
    put(tcdm, 0, np.linspace(-4, 4, 208).astype(bf16.BF16))
    slow = unit.run(words, tcdm, BASE)
    assert unit.last_warnings == ()
    unit.memory_stalls = True
    assert unit.run(words, tcdm, BASE) == slow
    assert unit.last_warnings == (RESCALE_HAZARD,)
    put(tcdm, 0, np.linspace(4, -4, 208).astype(bf16.BF16))
    assert unit.run(words, tcdm, BASE) == softex.softmax_cycles(208, unit.machine) < slow
    assert unit.last_warnings == ()


def test_listings():
    words = [BASE, BASE, 416, 0, 0, 0, 0, 0]
    assert softex.describe(UNIT.values(words)) == "softmax 208"
    words[3] = Command.GELU_MODE | 4 << 16
    assert softex.describe(UNIT.values(words)) == "sum of exponentials 208, 4 terms"
    job = redmule.RedMulEJob(BASE, BASE, BASE, 120, 96, 192)
    assert redmule.describe(job.registers()) == "gemm 120x96x192"
    assert redmule.decode(job.registers()) == job


# --- RedMulE ---------------------------------------------------------------------------------


def redmule_job(
    tcdm: np.ndarray, m: int, n: int, k: int, machine="paper", x_at=0, w_at=0x4000, z_at=0x8000
):
    job = redmule.RedMulEJob(BASE + x_at, BASE + w_at, BASE + z_at, m, n, k)
    return run_job("redmule", job.registers(), tcdm, machine)


def operands(m: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return row(m * n, 1).reshape(m, n), row(n * k, 2).reshape(n, k), row(m * k, 3).reshape(m, k)


@pytest.mark.parametrize("shift", [0, 2, 1])
def test_any_byte_address(shift: int):
    x, w, y = operands(24, 32, 33)
    tcdm = memory()
    put(tcdm, shift, x)
    put(tcdm, 0x4000 + shift, w)
    put(tcdm, 0x8000 + shift, y)
    redmule_job(tcdm, 24, 32, 33, x_at=shift, w_at=0x4000 + shift, z_at=0x8000 + shift)
    found = tcdm[0x8000 + shift : 0x8000 + shift + y.nbytes].copy().view(bf16.BF16)
    np.testing.assert_array_equal(found.reshape(y.shape), gemm(x, w, y))


def test_rows_behind_z_are_rewritten():
    x, w, _ = operands(30, 32, 32)
    tcdm = memory()
    put(tcdm, 0, x)
    put(tcdm, 0x4000, w)
    behind = row(18 * 32, 9).reshape(18, 32)
    put(tcdm, 0x8000 + 30 * 64, behind)
    result = redmule_job(tcdm, 30, 32, 32)
    assert "18 rows behind Z's 30 are read and written back" in result.warnings[0]
    found = tcdm[0x8000 + 30 * 64 : 0x8000 + 48 * 64].view(bf16.BF16).reshape(18, 32)
    # Row i of the last tile meets what its X buffer held: row i of the tile before.
    np.testing.assert_array_equal(found, gemm(x[6:24], w, behind))
    put(tcdm, 0x8000 + 30 * 64, behind)
    redmule_job(tcdm, 30, 32, 32, "ideal")
    found = tcdm[0x8000 + 30 * 64 : 0x8000 + 48 * 64].view(bf16.BF16).reshape(18, 32)
    np.testing.assert_array_equal(found, behind)


def test_memory_behind_w_can_poison_the_result():
    x, w, y = operands(24, 33, 32)
    tcdm = memory()
    put(tcdm, 0, x)
    put(tcdm, 0x4000, w)
    put(tcdm, 0x4000 + w.nbytes, np.full(32, np.inf, bf16.BF16))
    put(tcdm, 0x8000, y)
    result = redmule_job(tcdm, 24, 33, 32)
    assert "hold Inf or NaN" in result.warnings[0]
    assert (tcdm[0x8000 : 0x8000 + y.nbytes].view(np.uint16) == 0x7FC0).all()
    put(tcdm, 0x8000, y)
    redmule_job(tcdm, 24, 33, 32, "ideal")
    found = tcdm[0x8000 : 0x8000 + y.nbytes].view(bf16.BF16).reshape(y.shape)
    np.testing.assert_array_equal(found, gemm(x, w, y))


@pytest.mark.parametrize(
    ("m", "n", "k", "rule"),
    [
        (24, 0, 32, "redmule.sizes"),
        (25, 16, 32, "redmule.inner"),
        (24, 8, 33, "redmule.inner"),
        (24, 7, 32, "redmule.inner"),
        (23, 33, 64, "redmule.refill"),
        (576, 20, 1, "redmule.rows"),
        (24 * 52, 32, 32 * 53, "redmule.stores"),
    ],
)
def test_redmule_faults_name_the_rule(m: int, n: int, k: int, rule: str):
    with pytest.raises(UnitFault) as caught:
        redmule_job(memory(), m, n, k)
    assert caught.value.rule == rule


def test_operations_and_formats():
    job = redmule.RedMulEJob(BASE, BASE, BASE, 24, 32, 32)
    registers = job.registers()
    for macfg, rule in (
        (1 << 10 | 3 << 7, "redmule.format"),
        (2 << 10 | 1 << 7, "redmule.operation"),
    ):
        with pytest.raises(UnitFault) as caught:
            run_job("redmule", {**registers, "MACFG": macfg}, memory())
        assert caught.value.rule == rule


def test_utilisation_of_large_jobs():
    machine = Machine.load()
    assert redmule.redmule_cycles(197, 768, 768, machine) == 663718
    assert redmule.redmule_cycles(96, 96, 96, machine) == 4774
    # The tiler runs while the core is busy between MACFG and the trigger.
    assert redmule.redmule_cycles(96, 96, 96, machine, gap=30) == 4774 - 29


def test_wrong_names_are_user_errors():
    with pytest.raises(UserError, match="no unit 'npu'"):
        run_job("npu", {}, memory())
    with pytest.raises(UserError, match="softex has no job register 'X_ADDR'"):
        run_job("softex", {"X_ADDR": 0}, memory())
    with pytest.raises(UserError, match="1-D uint8"):
        run_job("softex", {}, np.zeros(4, np.float32))  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="contiguous and writable"):
        run_job("softex", {}, np.zeros(64, np.uint8)[::2])
    with pytest.raises(UserError, match="register IN_ADDR holds 32 bits"):
        run_job("softex", {"IN_ADDR": 1 << 32}, memory())
