"""A unit from elsewhere: one record registered, and everything that deals with units knows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from layer_norm_unit import LAYER_NORM, job_cycles
from numba.core import event

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.isa_sim.bus_sequence import run_sequence
from softex_mlir.isa_sim.diagnosis import SimulationFault
from softex_mlir.isa_sim.job import run_job
from softex_mlir.isa_sim.machine import Machine, MachineError
from softex_mlir.isa_sim.units import registry
from softex_mlir.runtime import inspection, session
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.timeline import timeline_text

BF16 = ml_dtypes.bfloat16
TOML = """
extends = "paper"
name = "with layer norm"

[layernorm]
base = 0x1020_1400
lanes = 16
pj_per_element = 2.5
"""
ROWS, COLUMNS = 12, 96


class Compilations(event.Listener):
    """Notes whose functions numba compiles."""

    def __init__(self) -> None:
        self.modules: list[str] = []

    def on_start(self, event: Any) -> None:
        self.modules.append(event.data["dispatcher"].py_func.__module__)

    def on_end(self, event: Any) -> None:
        pass


@pytest.fixture(scope="module")
def compiled() -> Iterator[list[str]]:
    """Modules whose functions are compiled once a program without the unit has run."""
    plain = Compilation.of(BUILTIN["demo-vit"](), Machine.load()).program()
    for sanitize in (False, True):
        session.run(plain, sanitize=sanitize)
    listener = Compilations()
    event.register("numba:compile", listener)
    yield listener.modules
    event.unregister("numba:compile", listener)


@pytest.fixture(scope="module", autouse=True)
def registered(compiled: list[str]) -> Iterator[None]:
    before = Machine.load().hash
    registry.register(LAYER_NORM)
    assert Machine.load().hash == before
    yield
    registry.forget(LAYER_NORM)


@pytest.fixture(scope="module")
def machine(registered: None) -> Machine:
    return Machine.from_toml(TOML)


def program_of(machine: Machine, folder: Path, *changes: tuple[str, str]) -> Program:
    """The hand-written program, for a machine."""
    text = (Path(__file__).parent / "Inputs" / "layer_norm.mlir").read_text(encoding="utf-8")
    escaped = machine.to_toml().replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    for old, new in (("MACHINE", escaped), *changes):
        assert old in text
        text = text.replace(old, new)
    path = folder / "layer_norm.mlir"
    path.write_text(text, encoding="utf-8")
    return Compilation.of(str(path)).program()


@pytest.fixture(scope="module")
def program(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Program:
    return program_of(machine, tmp_path_factory.mktemp("units"))


def rows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((ROWS, COLUMNS)).astype(BF16)


def reference(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    centred = wide - wide.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def test_its_section_is_read_as_strictly_as_any(machine: Machine):
    assert Machine.from_toml(machine.to_toml()) == machine
    assert machine.section("layernorm").lanes == 16
    for old, new, problem in (
        ("lanes = 16", "lanes = 33", "layernorm.lanes must be 1..32, found 33"),
        ("lanes = 16", "lanes = 0.5", "'lanes' must be a value of type int, found 0.5"),
        ("lanes = 16", "beats = 16", "unknown key 'beats'"),
        ("lanes = 16\n", "", "'lanes' is missing in [layernorm]"),
        ("0x1020_1400", "0x1020_1300", "layernorm.base overlaps SoftEx: found 0x10201300"),
    ):
        with pytest.raises(MachineError) as caught:
            Machine.from_toml(TOML.replace(old, new), "mine.toml")
        assert problem in str(caught.value)


def test_a_program_drives_it(machine: Machine, program: Program):
    x = rows()
    result = session.run(program, {"x": x}, machine=machine, sanitize=True)
    assert result.run.races == ()
    found = result.outputs["y"].astype(np.float64)
    assert np.abs(found - reference(x)).max() <= 2**-8 * np.abs(reference(x)).max()
    number = registry.number(machine, "layernorm")
    (job,) = result.run.jobs
    assert job["unit"] == number == 2
    cycles = job_cycles(ROWS, COLUMNS, 16)
    assert job["end"] - job["start"] == cycles == result.run.busy["layernorm"]
    profile = result.profile
    assert profile.units["layernorm"].busy_cycles == cycles
    assert profile.units["layernorm"].jobs == 1
    parts = profile.energy.parts
    assert parts["layernorm"] == pytest.approx(ROWS * COLUMNS * 2.5e-12)


def test_reports_show_it(machine: Machine, program: Program):
    result = session.run(program, {"x": rows()}, machine=machine)
    trace = json.loads(timeline_text(program, result.run, result.profile))
    tracks = {
        entry["tid"]: entry["args"]["name"]
        for entry in trace["traceEvents"]
        if entry["name"] == "thread_name"
    }
    (span,) = [
        entry
        for entry in trace["traceEvents"]
        if entry["ph"] == "X" and tracks[entry["tid"]] == "LayerNorm"
    ]
    assert span["name"] == "norm"
    text = inspection.VIEWS["commands"](program).to_text()
    assert "layer norm of 12 rows of 96" in text
    assert "IN_ADDR=rows" in text
    assert f"SHAPE={ROWS << 16 | COLUMNS:#x}" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("786528", "96", "layernorm: 0 rows of 96 hang [layernorm.shape]"),
        (
            "786528",
            "96",
            "LayerNorm job: layer norm of 0 rows of 96; IN_ADDR 0x10002000 (rows+0x0)",
        ),
        ('layernorm "TRIGGER"', 'layernorm "SW_EVT"', "LayerNorm has no job under way; core 3"),
        ('%job = hwpe.read layernorm "ACQUIRE"', "", "(LayerNorm IN_ADDR): no job is being"),
    ],
)
def test_faults_name_it(machine: Machine, tmp_path: Path, old: str, new: str, message: str):
    changes = [(old, new)]
    if "SW_EVT" in new:  # never triggered and never idle for the program: it sleeps for ever
        changes.append(("arith.cmpi ne, %status, %zero", "arith.cmpi eq, %status, %zero"))
    wrong = program_of(machine, tmp_path, *changes)
    with pytest.raises(SimulationFault) as caught:
        session.run(wrong, {"x": rows()}, machine=machine)
    assert message in str(caught.value)


def test_jobs_and_accesses_without_a_program(machine: Machine):
    base = machine.cluster.tcdm_base
    tcdm = np.zeros(machine.cluster.tcdm_bytes, np.uint8)
    x = rows()
    tcdm[: x.nbytes] = x.view(np.uint8).ravel()
    registers = {"IN_ADDR": base, "OUT_ADDR": base + 0x2000, "SHAPE": ROWS << 16 | COLUMNS}
    cycles = run_job("layernorm", registers, tcdm, machine).cycles
    assert cycles == job_cycles(ROWS, COLUMNS, 16)
    one = tcdm.copy()
    tcdm[0x2000:] = 0
    offsets = registry.unit("layernorm").registers
    writes = [(offsets[name], value) for name, value in registers.items()]
    accesses = np.array(
        [(0, 0, offsets["ACQUIRE"], 0)]
        + [(4 * at, 1, *write) for at, write in enumerate([*writes, (0, 0)], 1)]
    )
    sequence = run_sequence("layernorm", accesses, tcdm, machine)
    assert sequence.events.tolist() == [16 + cycles]
    assert (tcdm == one).all()


def test_nothing_shipped_is_compiled_for_it(
    machine: Machine, program: Program, compiled: list[str]
):
    session.run(program, machine=machine, sanitize=True)
    session.run(program, machine=machine)
    assert set(compiled) <= {"layer_norm_unit"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "softex"}, "the name 'softex' is taken"),
        ({"name": "cluster"}, "the name 'cluster' is taken"),
        ({"name": "other"}, "event 14 is taken"),
        ({"name": "other", "event": 16}, "event 16 is taken or not among 9..15"),
        ({"name": "other", "event": 15, "job_registers": {}}, "job registers must be 1..8"),
        (
            {"name": "other", "event": 15, "job_registers": {"A": 0x20, "B": 0x28}},
            "in order and 4 bytes apart",
        ),
    ],
)
def test_units_that_cannot_be_registered(change: dict[str, Any], problem: str):
    with pytest.raises(ValueError, match=problem):
        registry.register(replace(LAYER_NORM, **change))
