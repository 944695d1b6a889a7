"""Small programs that broke a simulator or slipped past its race detector once."""

from __future__ import annotations

from pathlib import Path

import pytest

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.diagnosis import SimulationFault
from softex_mlir.runtime import session
from softex_mlir.runtime.program import Program

PROGRAMS = Path(__file__).parent / "programs"


def program(name: str) -> Program:
    return Program.load(PROGRAMS / f"{name}.elf")


RACES = {
    # The same missing wait, with delays that hide it and with others.
    "off_by_one_reader_slow": "reads what was written by core 1",
    "off_by_one_writer_slow": "overwrites what was read by core 0",
    # A counter is loaded, and nothing follows from its value.
    "ignored_counter_early_reader": "overwrites what was read by core 0",
    "ignored_counter_late_reader": "reads what was written by core 1",
    "counter_lost_update": "timeline counter of stream dma_in",
    "end_vs_core_store_cut": "ends the program, and nothing makes it wait for the store of core 1",
    "race_l2_beyond_segments": "race at 0x1c",
    "core_uninit_used": "depend on memory that nobody wrote",
}
FAULTS = {
    "dma_ovf_neg": "writes some of them more than once",
    "dma_zero_stride_2e64": "writes some of them more than once",
    "selfmod_illegal": "illegal instruction",
}
RUNS = ("exec_huge_64M", "two_exec_first_entry")


@pytest.mark.parametrize("name", RACES)
def test_races_are_found_whatever_the_delays(name):
    result = session.run(program(name), sanitize=True)
    assert any(RACES[name] in race for race in result.run.races), result.run.races


@pytest.mark.parametrize("name", FAULTS)
def test_faults_end_a_run(name):
    with pytest.raises(SimulationFault, match=FAULTS[name]):
        session.run(program(name), sanitize=True)


@pytest.mark.parametrize("name", RUNS)
def test_several_and_large_executable_segments(name):
    result = session.run(program(name), sanitize=True)
    assert result.run.exit_code == 0
    assert result.run.races == ()


def test_odd_entry_points_are_refused():
    with pytest.raises(UserError, match="no address of an instruction in its code"):
        program("entry_odd")
