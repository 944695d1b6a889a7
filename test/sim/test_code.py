"""Where code is: several segments, code that the program writes, places where none can be."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from softex_mlir.isa_sim.cluster import Cluster
from softex_mlir.isa_sim.diagnosis import SimulationFault
from softex_mlir.isa_sim.machine import Machine

sys.path.insert(0, str(Path(__file__).parent))
from assembly import L2, MACHINE, Assembly, run

MIB = 1 << 20
OTHER = L2 + 0x1_0000


def end() -> Assembly:
    return Assembly().end()


def test_entry_in_the_first_of_two_segments():
    for entry in (L2, OTHER):
        cluster = Cluster(MACHINE)
        for address in (L2, OTHER):
            cluster.load_segment(address, end().bytes(), executable=True)
        cluster.set_entry(entry)
        assert cluster.run(max_cycles=100_000).exit_code == 0


def test_odd_entry():
    with pytest.raises(SimulationFault, match="is odd"):
        Cluster(MACHINE).set_entry(L2 + 1)


def test_code_is_in_l2():
    with pytest.raises(SimulationFault, match="code outside L2"):
        Cluster(MACHINE).load_segment(MACHINE.cluster.tcdm_base, bytes(4), executable=True)


@pytest.mark.parametrize(("word", "ends"), [(0x0000_0013, True), (0xFFFF_FFFF, False)])
def test_code_that_the_program_writes(word: int, ends: bool):
    """The word behind the store is executed as it was written, not as it was decoded before."""
    program = Assembly().only(0, "others")
    program.store(program.pc + 20, word)
    at = program.pc
    program.op("ebreak").end().label("others").sleep_forever()
    if ends:
        assert run(program)[1].exit_code == 0
        return
    with pytest.raises(SimulationFault, match=f"illegal instruction\\n.*{at:#x}.*0xffffffff"):
        run(program)


def test_a_large_segment_of_few_bytes_costs_little():
    machine = Machine.load()
    size = min(64 * MIB, machine.cluster.l2_bytes // 2)
    cluster = Cluster(machine)
    started = time.process_time()
    cluster.load_segment(L2, end().bytes(), size, executable=True)
    assert time.process_time() - started < 1
    cluster.set_entry(L2)
    assert cluster.run(max_cycles=100_000).exit_code == 0
