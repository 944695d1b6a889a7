"""The cluster's devices, driven by small programs: events, barriers, counters, DMA, faults."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest

from softex_mlir.errors import Interrupted
from softex_mlir.isa_sim.diagnosis import SimulationFault
from softex_mlir.isa_sim.units import dma, event_unit
from softex_mlir.isa_sim.units.dma import Transfer, transfer_cycles

sys.path.insert(0, str(Path(__file__).parent))
from assembly import (
    A0,
    A1,
    A2,
    A4,
    DMA,
    EVENTS,
    L2,
    MACHINE,
    PERIPHERALS,
    REDMULE,
    SOFTEX,
    T0,
    T2,
    TCDM,
    ZERO,
    Assembly,
    run,
)  # fmt: skip

CORES = MACHINE.cluster.cores
ALL = (1 << CORES) - 1
WORK = TCDM + 0x4000
INPUT = L2 + 0x10_0000


def words(cluster, address: int, count: int) -> list[int]:
    return np.frombuffer(cluster.read_memory(address, 4 * count), np.int32).tolist()


def single(program: Assembly) -> Assembly:
    """Core 0 runs the program; the others sleep."""
    head = Assembly().only(0, "others")
    offset = len(head.items)
    labels = {name: address + 4 * offset for name, address in program.labels.items()}
    head.labels.update(labels)
    head.items += program.items
    return head.label("others").sleep_forever()


def launch(a: Assembly, transfer: Transfer, channel: int, rd: int = A0) -> Assembly:
    values = (
        transfer.destination, transfer.source, transfer.length,
        transfer.destination_stride_2, transfer.source_stride_2, transfer.reps_2,
        transfer.destination_stride_3, transfer.source_stride_3, transfer.reps_3,
    )  # fmt: skip
    for offset, value in zip(dma.DESCRIPTOR, values, strict=True):
        a.store(DMA + offset, value & 0xFFFFFFFF)
    return a.load(rd, DMA + (dma.NEXT_ID_1 if channel else dma.NEXT_ID_0))


def test_exit_code_and_core_accounting():
    _, result = run(single(Assembly().nops(10).end(42)))
    assert result.exit_code == 42
    assert result.core_active[0] == result.cycles
    assert all(result.core_active[1:] < result.cycles)


def test_same_program_same_cycles():
    program = single(launch(Assembly(), Transfer(WORK, INPUT, 4096), 0).wait_event(8).end())
    results = [run(program, contention=True)[1] for _ in range(2)]
    assert results[0].cycles == results[1].cycles
    assert results[0].transfers.tobytes() == results[1].transfers.tobytes()


def test_barrier_releases_all_cores_together():
    """Cores arrive at different times, and go on in the same cycle."""
    a = Assembly().li(A4, 2).label("again")
    a.core_id(A1).op("slli", rd=A2, rs1=A1, imm=5)
    a.label("delay").op("addi", rd=A2, rs1=A2, imm=-1).op("bge", rs1=A2, rs2=ZERO, imm="delay")
    a.wait_barrier().load(A0, PERIPHERALS + 0x408)
    # The second pass finds its code in the instruction cache.
    a.op("addi", rd=A4, rs1=A4, imm=-1).op("bne", rs1=A4, rs2=ZERO, imm="again")
    a.op("slli", rd=A1, rs1=A1, imm=2).li(T0, WORK).op("add", rd=T0, rs1=T0, rs2=A1)
    a.op("sw", rs2=A0, rs1=T0, imm=0)
    a.wait_barrier().only(0, "others").end().label("others").sleep_forever()
    cluster, _ = run(a)
    times = words(cluster, WORK, CORES)
    assert len(set(times)) == 1, times


def test_barrier_costs_11_cycles_after_the_last_arrival():
    a = Assembly().store(EVENTS + event_unit.BARRIER, 1).li(A4, 2).label("again")
    a.load(A1, PERIPHERALS + 0x408).wait_barrier().load(A2, PERIPHERALS + 0x408)
    a.op("addi", rd=A4, rs1=A4, imm=-1).op("bne", rs1=A4, rs2=ZERO, imm="again")
    a.op("sub", rd=A2, rs1=A2, rs2=A1).store(WORK, register=A2).end()
    cluster, _ = run(single(a))
    # Timer read 4, address of the barrier 2, barrier 11, address of the timer 2.
    assert words(cluster, WORK, 1) == [4 + 2 + 11 + 2]


def test_software_event_wakes_the_waiting_core():
    a = Assembly().only(1, "zero").wait_event(3).store(WORK, register=A0).end(5)
    a.label("zero").only(0, "others").nops(50)
    a.store(EVENTS + event_unit.SW_EVENT_TRIGGER + 4 * 3, 0b10)
    a.label("others").sleep_forever()
    cluster, result = run(a)
    assert result.exit_code == 5
    assert words(cluster, WORK, 1) == [1 << 3]
    assert result.core_active[1] < result.cycles - 30


def test_events_latch_while_nobody_waits():
    a = Assembly().only(0, "others")
    a.store(EVENTS + event_unit.SW_EVENT_TRIGGER, 0b1).nops(20).wait_event(0).end(1)
    a.label("others").sleep_forever()
    assert run(a)[1].exit_code == 1


def test_masked_event_does_not_wake():
    a = Assembly().only(0, "others")
    a.store(EVENTS + event_unit.SW_EVENT_TRIGGER + 4, 1).wait_event(0).end(1)
    a.label("others").sleep_forever()
    with pytest.raises(SimulationFault, match="deadlock") as info:
        run(a)
    assert info.value.kind == "deadlock"
    assert "counter of stream dma_in advanced" in str(info.value)
    assert "core 0 advances it" in str(info.value)


def test_timeline_counters_hand_over_in_exact_order():
    """A producer advances its counter; the consumer sees it only after, and in the step log."""
    a = Assembly().only(0, "consumer").nops(100)
    a.store(WORK, 77).store(TCDM, 1).store(EVENTS + event_unit.SW_EVENT_TRIGGER, 0).sleep_forever()
    a.label("consumer").only(3, "others").store(EVENTS + event_unit.MASK, 1)
    a.label("again").load(A0, TCDM).op("bne", rs1=A0, rs2=ZERO, imm="ready")
    a.wait(A1, EVENTS + event_unit.EVENT_WAIT_CLEAR).op("jal", rd=0, imm="again")
    a.label("ready").load(A2, WORK).store(WORK + 4, register=A2).end()
    a.label("others").sleep_forever()
    cluster, result = run(a)
    assert words(cluster, WORK + 4, 1) == [77]
    assert result.steps["stream"].tolist() == [0]
    assert result.steps["value"].tolist() == [1]


@pytest.mark.parametrize(
    "transfer",
    [
        Transfer(WORK, INPUT, 1),
        Transfer(WORK + 2, INPUT + 6, 200),
        Transfer(WORK, INPUT, 4096),
        Transfer(WORK, INPUT, 192, 192, 1536, 24),
        Transfer(WORK, INPUT, 64, 64, 0, 7),
        Transfer(WORK, INPUT, 16, 32, 48, 3, 1024, 512, 4),
        Transfer(WORK, INPUT + 4096, 8, 8, -16, 5),
    ],
)
def test_dma_in_moves_and_costs_what_the_closed_form_says(transfer):
    source = np.random.default_rng(1).integers(0, 256, 1 << 16, np.uint8)
    program = single(launch(Assembly(), transfer, 0).wait_event(8).end())
    cluster, result = run(program, memory={INPUT: source.tobytes()})
    for k in range(transfer.reps_3):
        for j in range(transfer.reps_2):
            at = (
                transfer.source
                - INPUT
                + k * transfer.source_stride_3
                + j * transfer.source_stride_2
            )
            to = (
                transfer.destination
                + k * transfer.destination_stride_3
                + j * transfer.destination_stride_2
            )
            found = cluster.read_memory(to, transfer.length)
            assert found == source[at : at + transfer.length].tobytes()
    record = result.transfers[0]
    assert record["bytes"] == transfer.bytes
    assert record["end"] - record["launch"] == transfer_cycles(transfer)


def test_dma_out_ids_status_and_done_id():
    a = launch(Assembly(), Transfer(INPUT, WORK, 256), 1)
    a.store(WORK + 1024, register=A0).load(A0, DMA + dma.STATUS_1).store(WORK + 1028, register=A0)
    a.load(A0, DMA + dma.NEXT_ID_1).store(WORK + 1032, register=A0).wait_event(8)
    a.label("again").load(A0, DMA + dma.DONE_ID_1).li(T2, 2).op("bne", rs1=A0, rs2=T2, imm="again")
    a.load(A0, DMA + dma.STATUS_1).store(WORK + 1036, register=A0).end()
    data = bytes(range(256))
    cluster, result = run(single(a), memory={WORK: data})
    assert cluster.read_memory(INPUT, 256) == data
    assert words(cluster, WORK + 1024, 4) == [1, 1, 2, 0]
    assert result.busy["dma_out"] == 2 * 32
    assert result.counters.dma_bytes == 512


def test_queued_transfers_overlap_their_latency():
    a = launch(Assembly(), Transfer(WORK, INPUT, 2048), 0)
    a.load(A0, DMA + dma.NEXT_ID_0)
    a.label("again").load(A0, DMA + dma.DONE_ID_0).li(T2, 2).op("bne", rs1=A0, rs2=T2, imm="again")
    _, result = run(single(a.end()))
    first, second = result.transfers
    assert second["end"] - first["end"] == 256


def test_full_queue_makes_the_core_wait():
    a = launch(Assembly(), Transfer(WORK, INPUT, 8192), 0)
    for _ in range(20):
        a.load(A0, DMA + dma.NEXT_ID_0)
    _, result = run(single(a.end()))
    assert len(result.transfers) == 21
    assert result.core_stalls[0] > 1000


def test_transfer_log_keeps_launch_order_beyond_its_first_size():
    a = launch(Assembly(), Transfer(WORK, INPUT, 8), 0).li(A1, 5000).li(T0, DMA + dma.NEXT_ID_0)
    a.label("again").op("lw", rd=A0, rs1=T0, imm=0).op("addi", rd=A1, rs1=A1, imm=-1)
    a.op("bne", rs1=A1, rs2=ZERO, imm="again")
    _, result = run(single(a.end()))
    assert result.transfers["id"].tolist() == list(range(1, 5002))
    assert (np.diff(result.transfers["end"]) >= 0).all()


@pytest.mark.parametrize(
    ("program", "kind", "text"),
    [
        (Assembly().load(A0, 0x40000000), "unmapped", "expected TCDM"),
        (Assembly().li(T0, PERIPHERALS + 0x4000).op("lb", rd=A0, rs1=T0, imm=0), "width", "4-byte"),
        (Assembly().load(A0, EVENTS + 0x3C), "wait", "use cv.elw"),
        (Assembly().store(SOFTEX + 0x20, 5), "not-acquired", "read ACQUIRE"),
        (Assembly().store(SOFTEX + 0x40, 5), "not-acquired", "SoftEx register 0x40"),
        (Assembly().store(REDMULE, 0), "order", "MACFG"),
        (Assembly().store(REDMULE + 0x54, 5).store(REDMULE + 0x40, 5), "order", "last"),
        (launch(Assembly(), Transfer(INPUT, WORK, 4), 0), "dma-range", "destination"),
        (launch(Assembly(), Transfer(WORK, INPUT, 4), 1), "dma-range", "source"),
        (launch(Assembly(), Transfer(WORK, INPUT, 0), 0), "dma-shape", "length"),
        (launch(Assembly(), Transfer(WORK, INPUT, 4, 0, 0, 1 << 31), 0), "dma-bytes", "262144"),
        (launch(Assembly(), Transfer(INPUT, WORK, 4, 0, 0, 1 << 31), 1), "dma-bytes", "L2"),
        (Assembly().op("jal", rd=0, imm=-4096), "fetch", "fetch"),
    ],
)  # fmt: skip
def test_faults_explain_themselves(program, kind, text):
    with pytest.raises(SimulationFault, match=text) as info:
        run(single(program))
    assert info.value.kind == kind
    assert info.value.core == 0
    assert "core 0, cycle" in str(info.value)


def test_dma_outside_its_memory_faults_whatever_the_numbers():
    """Extents and strides of any size: a fault or a transfer, never a write elsewhere."""
    rng = random.Random(0)
    near = [0, 1, 2, 3, 4, 64, (1 << 16) - 1, 1 << 16, 1 << 18]
    huge = [(1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 32) - 4]
    kinds: list[str] = []
    for _ in range(60):
        channel = rng.randrange(2)
        strides = [rng.choice(near + huge) * rng.choice((1, -1)) for _ in range(4)]
        reps = [rng.choice(near[1:5] if rng.random() < 0.7 else near + huge) for _ in range(2)]
        length = rng.choice(near[1:7] if rng.random() < 0.7 else huge)
        ends = [WORK + 0x1000, INPUT + 0x8000]
        source, destination = ends if channel else ends[::-1]
        (a, b, c, d), (inner, outer) = strides, reps
        transfer = Transfer(destination, source, length, a, b, inner, c, d, outer)
        program = single(launch(Assembly(), transfer, channel).wait_event(8).end())
        try:
            run(program, max_cycles=1 << 40)
            kinds.append("done")
        except SimulationFault as fault:
            kinds.append(fault.kind)
    assert set(kinds) == {"done", "dma-range", "dma-shape", "dma-bytes"}


def test_illegal_instruction_names_the_word():
    program = single(Assembly().nops(1))
    data = bytearray(program.bytes())
    data[16:20] = b"\xff\xff\xff\xff"
    program.bytes = lambda: bytes(data)  # type: ignore[method-assign]
    with pytest.raises(SimulationFault, match="illegal instruction") as info:
        run(program)
    assert info.value.pc == L2 + 16


def test_barrier_deadlock_names_the_missing_core():
    a = Assembly().only(5, "meet").sleep_forever().label("meet").wait_barrier().end()
    with pytest.raises(SimulationFault, match="barrier 0, where core 5 has not arrived"):
        run(a)


def test_cycle_limit():
    with pytest.raises(SimulationFault, match="not finished after"):
        run(single(Assembly().label("x").nops(2).op("jal", rd=0, imm="x")), max_cycles=5000)


def test_interruption_tells_the_state(monkeypatch: pytest.MonkeyPatch):
    def interrupt(cycle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("softex_mlir.isa_sim.cluster_run._SLICE", 2048)
    program = single(Assembly().label("x").nops(2).op("jal", rd=0, imm="x"))
    with pytest.raises(Interrupted, match="interrupted at cycle 2,") as info:
        run(program, progress=interrupt)
    assert "core 0: at pc" in str(info.value)
    assert "core 7: asleep" in str(info.value)
