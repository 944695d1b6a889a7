"""Accelerator jobs started by programs: results, durations, queue, register banks, faults."""

from __future__ import annotations

import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from softex_mlir.isa_sim.diagnosis import SimulationFault
from softex_mlir.isa_sim.energy import Counters, energy
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.numerics.gemm import gemm
from softex_mlir.isa_sim.units import event_unit
from softex_mlir.isa_sim.units.redmule import MACFG_GEMM, redmule_cycles
from softex_mlir.isa_sim.units.softex_jobs import softmax_cycles

sys.path.insert(0, str(Path(__file__).parent))
from assembly import A0, MACHINE, REDMULE, SOFTEX, TCDM, Assembly, run

BF16 = ml_dtypes.bfloat16
X, W, Z = TCDM + 0x8000, TCDM + 0x10000, TCDM + 0x18000
WORK = TCDM + 0x4000


def single(program: Assembly) -> Assembly:
    """Core 0 runs the program; the others sleep."""
    head = Assembly().only(0, "others")
    offset = len(head.items)
    head.labels.update({name: at + 4 * offset for name, at in program.labels.items()})
    head.items += program.items
    return head.label("others").sleep_forever()


def gemm_job(a: Assembly, m: int, n: int, k: int, clear: bool = True) -> Assembly:
    if clear:
        a.store(REDMULE + 0x14, 0)
    a.load(A0, REDMULE + 0x04)
    for offset, value in (
        (0x40, X), (0x44, W), (0x48, Z), (0x4C, k << 16 | m), (0x50, n), (0x54, MACFG_GEMM),
    ):  # fmt: skip
        a.store(REDMULE + offset, value)
    return a.store(REDMULE, 0)


def softmax_job(a: Assembly, source: int, target: int, elements: int) -> Assembly:
    a.label(f"acquire{len(a.items)}").load(A0, SOFTEX + 0x04)
    for offset, value in ((0x20, source), (0x24, target), (0x28, 2 * elements), (0x2C, 0)):
        a.store(SOFTEX + offset, value)
    return a.store(SOFTEX, 0)


def test_redmule_job():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((48, 32)).astype(BF16)
    w = rng.standard_normal((32, 64)).astype(BF16)
    y = rng.standard_normal((48, 64)).astype(BF16)
    program = single(gemm_job(Assembly(), 48, 32, 64).wait_event(event_unit.EVENT_REDMULE).end())
    cluster, result = run(
        program, memory={X: x.tobytes(), W: w.tobytes(), Z: y.tobytes()}, sanitize=False
    )
    found = np.frombuffer(cluster.read_memory(Z, 48 * 64 * 2), BF16).reshape(48, 64)
    assert (found.view(np.uint16) == gemm(x, w, y).view(np.uint16)).all()
    (job,) = result.jobs
    # The tiler works behind the instructions between MACFG and trigger.
    assert 0 <= redmule_cycles(48, 32, 64, MACHINE) - (job["end"] - job["start"]) < 30
    assert job["work"] == 48 * 32 * 64 == result.counters.units["redmule"]
    assert result.busy["redmule"] == job["end"] - job["start"]
    assert result.cycles > job["end"]


def test_without_arithmetic_the_cycles_are_the_same():
    program = single(gemm_job(Assembly(), 48, 32, 64).wait_event(event_unit.EVENT_REDMULE).end())
    memory = {X: np.ones(48 * 32, BF16).tobytes(), W: np.ones(32 * 64, BF16).tobytes()}
    cluster, result = run(program, memory=memory, functional=False)
    assert cluster.read_memory(Z, 4) == bytes(4)
    assert result.cycles == run(program, memory=memory)[1].cycles


def test_softex_queue_starts_right_after_the_job_before():
    a = Assembly().store(SOFTEX + 0x14, 0)
    softmax_job(a, X, X, 2048)
    softmax_job(a, W, W, 1024)
    a.label("poll").load(A0, SOFTEX + 0x0C).op("bne", rs1=A0, rs2=0, imm="poll")
    row = np.zeros(2048, BF16)
    cluster, result = run(single(a.end()), memory={X: row.tobytes(), W: row.tobytes()})
    first, second = result.jobs
    assert first["end"] - first["start"] == softmax_cycles(2048, MACHINE)
    # START comes 3 cycles after FINISHED, as it comes 3 cycles after a trigger; FINISHED is one
    # cycle before the done event.
    assert second["start"] == first["end"]
    assert second["end"] - first["end"] == softmax_cycles(1024, MACHINE) - 1
    found = np.frombuffer(cluster.read_memory(W, 2048), BF16).astype(np.float32)
    assert found.sum() == pytest.approx(1.0, rel=0.02)


def test_a_third_softex_job_finds_no_context():
    a = Assembly().store(SOFTEX + 0x14, 0)
    softmax_job(a, X, X, 2048)
    softmax_job(a, W, W, 2048)
    a.load(A0, SOFTEX + 0x04).store(WORK, register=A0).end()
    row = np.zeros(2048, BF16).tobytes()
    cluster, _ = run(single(a), memory={X: row, W: row})
    assert np.frombuffer(cluster.read_memory(WORK, 4), np.int32)[0] == -1


def test_a_bank_keeps_the_values_of_the_job_two_back():
    a = Assembly().store(SOFTEX + 0x14, 0)
    for job, source in enumerate((X, W, None)):
        a.label(f"again{job}").load(A0, SOFTEX + 0x04).op("blt", rs1=A0, rs2=0, imm=f"again{job}")
        if source is not None:
            for offset, value in ((0x20, source), (0x24, source), (0x28, 128), (0x2C, 0)):
                a.store(SOFTEX + offset, value)
        a.store(SOFTEX, 0)
    a.label("poll").load(A0, SOFTEX + 0x0C).op("bne", rs1=A0, rs2=0, imm="poll")
    row = np.zeros(64, BF16).tobytes()
    _, result = run(single(a.end()), memory={X: row, W: row})
    assert result.jobs["registers"][:, 0].tolist() == [X, W, X]


def test_unit_fault_names_the_rule_and_the_place():
    program = single(gemm_job(Assembly(), 48, 12, 64).end())
    with pytest.raises(SimulationFault, match=r"inner dimension below 17(.|\n)*core 0, cycle"):
        run(program)


@pytest.mark.parametrize(
    ("clear", "wait", "kind"),
    [(False, True, "not-cleared"), (True, False, "clear-busy"), (False, False, "queue")],
)
def test_redmule_restrictions_of_the_published_unit(clear, wait, kind):
    a = gemm_job(Assembly(), 24, 32, 32)
    if wait:
        a.wait_event(event_unit.EVENT_REDMULE)
    gemm_job(a, 24, 32, 32, clear=clear)
    with pytest.raises(SimulationFault) as info:
        run(single(a.end()))
    assert info.value.kind in (kind, "not-cleared")


def test_ideal_machine_lifts_them():
    ideal = Machine.load("ideal")
    a = gemm_job(Assembly(), 24, 32, 32)
    gemm_job(a, 24, 8, 32, clear=False)
    a.label("poll").load(A0, REDMULE + 0x0C).op("bne", rs1=A0, rs2=0, imm="poll")
    _, result = run(single(a.end()), machine=ideal)
    assert len(result.jobs) == 2


def test_missing_unit():
    with pytest.raises(SimulationFault, match="nothing is mapped"):
        run(single(gemm_job(Assembly(), 24, 32, 32)), machine=MACHINE.without_redmule())


def test_a_job_alone_meets_no_contention():
    program = single(gemm_job(Assembly(), 96, 96, 96).wait_event(event_unit.EVENT_REDMULE).end())
    alone = run(program, contention=True)[1]
    assert alone.cycles == run(program)[1].cycles


def test_energy_is_the_sum_of_its_parts_and_says_what_it_rests_on():
    counters = Counters(
        instructions=1000, units={"redmule": 2000, "softex": 300}, tcdm_bytes=4000, dma_bytes=500,
        l2_bytes=600,
    )  # fmt: skip
    high, low = MACHINE.operating_points
    report = energy(counters, 10_000, MACHINE, high)
    expected_pj = (
        10_000 * 275 + 1000 * 5.0 + 2000 * 1.06 + 300 * 1.7 + 4000 * 0.413 + 500 * 0.83 + 600 * 1.5
    )
    leakage = (1.5e-3 + 0.6e-9 * 262144) * 10_000 / 1.12e9
    assert report.total_j == pytest.approx(expected_pj * 1e-12 + leakage, rel=1e-12)
    assert "calibrated on the published totals" in str(report)
    assert "5 pJ a core instruction" in report.note
    assert energy(counters, 10_000, MACHINE, low).parts["base"] == pytest.approx(
        report.parts["base"] * (0.55 / 0.8) ** 2
    )


def test_fault_of_a_job_names_it_and_its_operands():
    a = Assembly().only(0, "rest").store(SOFTEX + 0x14, 0).load(A0, SOFTEX + 0x04)
    for offset, value in ((0x20, TCDM + 0x1001), (0x24, TCDM + 0x2000), (0x28, 128), (0x2C, 0)):
        a.store(SOFTEX + offset, value)
    with pytest.raises(SimulationFault) as caught:
        run(a.store(SOFTEX, 0).end().label("rest").sleep_forever())
    text = str(caught.value)
    assert "softex.alignment" in text
    assert "SoftEx job: softmax 64; IN_ADDR 0x10001001, OUT_ADDR 0x10002000" in text
    assert "sw t1, 0(t0)" in text
    assert (caught.value.kind, caught.value.core) == ("unit", 0)


def test_a_trigger_that_only_commits():
    a = Assembly().only(0, "rest")
    a.store(REDMULE + 0x14, 0).store(REDMULE + 0x54, 0x480).store(REDMULE, 1)
    with pytest.raises(SimulationFault, match="commits the job and never starts it; write 0"):
        run(a.end().label("rest").sleep_forever())
