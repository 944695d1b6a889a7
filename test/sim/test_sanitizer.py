"""The race detector: each kind of race is found, and each way of ordering accesses is accepted."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from softex_mlir.isa_sim.units import dma, event_unit

sys.path.insert(0, str(Path(__file__).parent))
from assembly import (
    A0,
    A1,
    DMA,
    EVENTS,
    L2,
    MACHINE,
    PERIPHERALS,
    SOFTEX,
    T2,
    TCDM,
    ZERO,
    Assembly,
    run,
)

WORK = TCDM + 0x4000
INPUT = L2 + 0x10_0000
SW_EVENT = EVENTS + event_unit.SW_EVENT_TRIGGER


def two_cores(first: Assembly, second: Assembly) -> Assembly:
    """Core 0 and core 1 run their programs (labels apart); the others sleep."""
    a = Assembly().only(0, "not0")
    for program, after in ((first, "not0"), (second, "others")):
        offset = len(a.items)
        a.labels.update({name: at + 4 * offset for name, at in program.labels.items()})
        a.items += program.items
        a.label(after)
        if after == "not0":
            a.only(1, "others")
    return a.sleep_forever()


def races(program: Assembly, **memory: bytes) -> tuple[str, ...]:
    filled = {WORK: bytes(1024), INPUT: bytes(4096)}
    found = run(program, memory=filled, sanitize=True)[1].races
    # Most programs here end without waiting for the other core.
    return tuple(race for race in found if "makes it wait for the store" not in race)


def transfer(a: Assembly, destination: int, source: int, length: int, channel: int = 0) -> Assembly:
    a.store(DMA + dma.DST_ADDR, destination).store(DMA + dma.SRC_ADDR, source)
    a.store(DMA + dma.LENGTH, length)
    return a.load(A0, DMA + (dma.NEXT_ID_1 if channel else dma.NEXT_ID_0))


def signal(a: Assembly) -> Assembly:
    return a.store(TCDM, 1).store(SW_EVENT, 0)


def await_counter(a: Assembly) -> Assembly:
    a.store(EVENTS + event_unit.MASK, 1)
    a.label("again").load(A0, TCDM).op("bne", rs1=A0, rs2=ZERO, imm="ready")
    a.wait(A1, EVENTS + event_unit.EVENT_WAIT_CLEAR).op("jal", rd=0, imm="again")
    return a.label("ready")


def test_store_and_load_of_two_cores_race():
    found = races(two_cores(Assembly().store(WORK, 7).sleep_forever(),
                            Assembly().nops(200).load(A0, WORK).end()))  # fmt: skip
    assert len(found) == 1
    assert "race at 0x10004000" in found[0]
    assert "core 1 at cycle" in found[0]
    assert "reads what was written by core 0" in found[0]
    assert "nothing orders the two" in found[0]


def test_neighbouring_elements_do_not_race():
    first = Assembly().li(T2, WORK).op("sh", rs2=ZERO, rs1=T2, imm=0).sleep_forever()
    second = Assembly().li(T2, WORK).op("sh", rs2=ZERO, rs1=T2, imm=2).nops(200).end()
    assert races(two_cores(first, second)) == ()


def test_timeline_counter_orders():
    first = signal(Assembly().nops(50).store(WORK, 7)).sleep_forever()
    second = await_counter(Assembly()).load(A0, WORK).end()
    assert races(two_cores(first, second)) == ()


def test_store_after_the_release_races():
    first = signal(Assembly().nops(50)).store(WORK, 7).sleep_forever()
    second = await_counter(Assembly()).nops(200).load(A0, WORK).end()
    assert len(races(two_cores(first, second))) == 1


def test_barrier_orders():
    a = Assembly().store(EVENTS + event_unit.BARRIER, 3).store(WORK, 7).wait_barrier()
    b = Assembly().store(EVENTS + event_unit.BARRIER, 3).wait_barrier().load(A0, WORK).nops(50)
    assert races(two_cores(a.sleep_forever(), b.end())) == ()


def test_software_event_orders():
    first = Assembly().nops(50).store(WORK, 7).store(SW_EVENT + 8, 2).sleep_forever()
    second = Assembly().wait_event(2).load(A0, WORK).end()
    assert races(two_cores(first, second)) == ()


def test_dma_read_before_its_end_races():
    program = transfer(Assembly(), WORK, INPUT, 512).load(A1, WORK).end()
    found = races(two_cores(program, Assembly().sleep_forever()))
    assert len(found) == 2
    assert "DMA in transfer 1 launched at cycle" in found[0]
    assert "wait for its done event" in found[0]


@pytest.mark.parametrize("how", ["event", "done_id", "status"])
def test_dma_end_observed_orders(how):
    a = transfer(Assembly(), WORK, INPUT, 512)
    if how == "event":
        a.wait_event(8)
    elif how == "done_id":
        a.label("poll").load(A0, DMA + dma.DONE_ID_0).op("beq", rs1=A0, rs2=ZERO, imm="poll")
    else:
        a.label("poll").load(A0, DMA + dma.STATUS_0).op("bne", rs1=A0, rs2=ZERO, imm="poll")
    assert races(two_cores(a.load(A1, WORK).end(), Assembly().sleep_forever())) == ()


def test_dma_into_a_buffer_still_read():
    """Core 1 reads the buffer; core 0 overwrites it by DMA without asking."""
    first = transfer(Assembly().nops(300), WORK, INPUT, 512).wait_event(8).end()
    second = Assembly().load(A0, WORK + 64).sleep_forever()
    found = races(two_cores(first, second))
    assert len(found) == 1
    assert "overwrites what was read by core 1" in found[0]


def test_softex_job_and_its_observers():
    def program(waits: bool) -> Assembly:
        a = Assembly().store(SOFTEX + 0x14, 0).load(A0, SOFTEX + 0x04)
        for offset, value in ((0x20, WORK), (0x24, WORK), (0x28, 128), (0x2C, 0)):
            a.store(SOFTEX + offset, value)
        a.store(SOFTEX, 0)
        if waits:
            a.wait_event(event_unit.EVENT_SOFTEX)
        return a.load(A1, WORK).end()

    assert races(two_cores(program(True), Assembly().sleep_forever())) == ()
    found = races(two_cores(program(False), Assembly().sleep_forever()))
    assert len(found) == 2
    assert "SoftEx job 0" in found[0]


def test_never_written_memory():
    """A unit or DMA that reads it is reported; a core may drop the value, and is warned about."""
    program = two_cores(Assembly().load(A0, TCDM + 0x20000).end(), Assembly().sleep_forever())
    result = run(program, sanitize=True)[1]
    assert result.races == ()
    assert "never-written memory at 0x10020000: core 0" in result.warnings[0]
    program = transfer(Assembly(), INPUT, TCDM + 0x20000, 64, channel=1).wait_event(8).end()
    found = races(two_cores(program, Assembly().sleep_forever()))
    assert len(found) == 1
    assert "never-written" in found[0]


def test_end_of_the_program_before_the_end_of_its_work():
    program = transfer(Assembly(), WORK, INPUT, 512).end()
    found = races(two_cores(program, Assembly().sleep_forever()))
    assert len(found) == 1
    assert "ends the program, and the last DMA transfer that core 0 started" in found[0]


def test_dma_into_l2_that_another_transfer_still_reads():
    """Core 0 reads L2 by DMA and knows it; core 1 overwrites it by DMA and does not ask."""
    first = transfer(Assembly(), WORK, INPUT, 512).wait_event(8).sleep_forever()
    second = transfer(Assembly().nops(500), INPUT, WORK + 0x800, 64, channel=1).wait_event(8)
    filled = {WORK: bytes(4096), INPUT: bytes(4096)}
    found = run(two_cores(first, second.end()), memory=filled, sanitize=True)[1].races
    assert "overwrites what was read by DMA in transfer 1" in found[0]


def test_counter_of_a_later_step_does_not_hide_a_missing_wait():
    """Core 1 waits for the first step only; that the second is over by then is luck."""
    first = Assembly().nops(20).store(TCDM, 1).store(SW_EVENT, 0).store(WORK, 7)
    first.store(TCDM, 2).store(SW_EVENT, 0).sleep_forever()
    second = await_counter(Assembly().nops(400)).load(A0, WORK).end()
    assert len(races(two_cores(first, second))) == 1


def test_timer_is_not_shared_memory():
    program = Assembly().load(A0, PERIPHERALS + 0x408).end()
    assert races(two_cores(program, Assembly().load(A0, PERIPHERALS + 0x408).sleep_forever())) == ()


def test_more_cores_at_a_device_than_there_are_clocks():
    """32 cores start transfers: they share clocks, and the other devices still have theirs."""
    cluster = replace(MACHINE.cluster, cores=32)
    machine = replace(MACHINE, name="many", cluster=cluster)
    a = Assembly()
    for core in range(32):
        a.only(core, f"not{core}")
        transfer(a, WORK + 64 * core, INPUT + 64 * core, 64).wait_event(8)
        if core == 31:
            transfer(a.nops(800), INPUT + 0x1000, WORK, 64, channel=1).wait_event(8).end()
        a.sleep_forever()
        a.label(f"not{core}")
    memory = {INPUT: bytes(8192)}
    result = run(a.sleep_forever(), machine=machine, memory=memory, sanitize=True)[1]
    assert len(result.transfers) == 33
