"""What reports say adds up: profiles by layer, kind and operation, the division of time, tables."""

import csv
import io
import json
from functools import cache
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import softex_mlir.runtime
from softex_mlir.compiler.driver import Compilation
from softex_mlir.isa_sim.energy import coefficients, energy, note
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.unit import Basis
from softex_mlir.runtime import session
from softex_mlir.runtime.costs.energy_sweep import CYCLES, INSTRUCTIONS, MACS, conclusion, swept
from softex_mlir.runtime.costs.exclusive import WAITING, divide
from softex_mlir.runtime.costs.ledger import Ledger
from softex_mlir.runtime.costs.summary import Summary
from softex_mlir.runtime.costs.tracks import Track
from softex_mlir.runtime.profile import build_profile
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.session import Result
from softex_mlir.tools.forms import Form
from softex_mlir.tools.summary_report import csv_text, report

MODELS = ("demo-vit", "demo-gpt2", "demo-bert")
SCHEMA = Path(softex_mlir.runtime.__file__ or "").parent / "schema" / "profile.schema.json"


@cache
def ran(model: str, target: str = "paper") -> tuple[Program, Result]:
    machine = Machine.load("paper")
    if target == "cores":
        machine = machine.without_redmule().without_softex()
    program = Compilation.of(model, machine).program()
    return program, session.run(program, functional=False)


def summary(model: str) -> Summary:
    program, result = ran(model)
    return Summary.of(result.profile, program.metadata, simulated=True, quality=("not compared",))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("table", ["layers", "kinds", "operations"])
def test_rows_add_up_to_the_run(model, table):
    profile, run = ran(model)[1].profile, ran(model)[1].run
    rows = profile.to_json()[table]
    counters = run.counters

    def total(name):
        return sum(row[name] for row in rows)

    assert total("exclusive_cycles") == run.cycles
    for unit in ("redmule", "softex", "dma_in", "dma_out"):
        assert total(unit) == run.busy[unit] == profile.units[unit].busy_cycles
    assert total("core_cycles") == run.core_active.sum()
    assert total("instructions") == run.core_instructions.sum()
    assert total("macs_executed") == counters.units["redmule"]
    assert total("tcdm_bytes") == counters.tcdm_bytes
    assert total("dma_in_bytes") + total("dma_out_bytes") == counters.dma_bytes
    assert total("l2_bytes") == counters.l2_bytes
    assert total("macs") == profile.computed_macs
    assert total("energy_j") == pytest.approx(profile.energy_j, rel=1e-12)
    for cause, part in profile.energy.parts.items():
        assert sum(row["energy_parts_j"][cause] for row in rows) == pytest.approx(part, rel=1e-9)
    stalls = sum(row["stalled_by_unit"]["cores"] for row in rows)
    assert stalls == run.core_spent[:, 2].sum()
    assert all(row["macs"] <= row["macs_executed"] <= row["macs_array"] for row in rows)


@pytest.mark.parametrize("model", MODELS)
def test_units_and_waiting_share_the_cycles(model):
    profile = ran(model)[1].profile
    units = {name: u.exclusive_cycles for name, u in profile.units.items() if name != "dma"}
    assert sum(units.values()) + profile.waiting == profile.cycles
    assert sum(profile.padding.values()) == pytest.approx(
        (sum(row.array_macs for row in profile.layers) - sum(r.unit_macs for r in profile.layers))
        / profile.peak_macs
    )


def test_a_machine_without_units_is_bound_by_its_cores():
    program, result = ran("demo-vit", "cores")
    found = Summary.of(result.profile, program.metadata, simulated=True)
    assert found.verdict.unit == "cores"
    assert sum(row.exclusive_cycles for row in result.profile.layers) == result.cycles


@pytest.mark.parametrize("model", MODELS)
def test_the_profile_is_what_its_schema_says(model):
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(ran(model)[1].profile.to_json())
    jsonschema.validate(json.loads(text), schema)


def test_energy_of_rows_is_that_of_their_counters():
    program, result = ran("demo-vit")
    ledger: Ledger = result.profile.ledger
    everything = np.arange(len(ledger.macs))
    machine = program.machine
    assert ledger.counters(everything, machine) == result.run.counters
    point = machine.operating_points[1]
    again = energy(ledger.counters(everything, machine), result.cycles, machine, point)
    assert again == energy(result.run.counters, result.cycles, machine, point)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("per_layer", [False, True])
def test_tables_need_80_columns_and_break_no_word(model, per_layer, capsys):
    found = summary(model)
    report(found, Form.text, per_layer=per_layer)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    words = {word for line in lines for word in line.replace("\N{NO-BREAK SPACE}", " ").split()}
    rows = found.profile.layers if per_layer else found.profile.kinds
    for row in rows:
        if row.exclusive_cycles:
            assert set(row.title.split()) <= words
    assert any(line.startswith("verdict") and "bound by" in line for line in lines)


def test_csv_and_json_hold_the_same_rows(capsys, tmp_path):
    found = summary("demo-vit")
    lines = list(csv.DictReader(io.StringIO(csv_text(found, per_layer=True))))
    assert [line["name"] for line in lines] == [row.name for row in found.profile.layers]
    assert sum(int(line["exclusive_cycles"]) for line in lines) == found.profile.cycles
    assert all(None not in line.values() for line in lines)
    report(found, Form.json, per_layer=False, output=tmp_path / "s.json")
    assert not capsys.readouterr().out
    data = json.loads((tmp_path / "s.json").read_text())
    assert data["verdict"].startswith("bound by")
    assert data["memory"]["weights_bytes"] > 0


@st.composite
def some_tracks(draw):
    """Tracks of disjoint spans on 60 cycles and 4 launches."""
    tracks = []
    for name in draw(st.lists(st.sampled_from("abc"), unique=True)):
        for programming in draw(st.sampled_from([(False,), (False, True)])):
            edges = sorted(draw(st.sets(st.integers(0, 60), max_size=12)))
            edges = edges[: len(edges) // 2 * 2]
            start, end = np.array(edges[::2], np.int64), np.array(edges[1::2], np.int64)
            launches = st.lists(st.integers(0, 4), min_size=len(start), max_size=len(start))
            tracks.append(Track(name, start, end, np.array(draw(launches), np.int64), programming))
    return tracks


@given(some_tracks())
def test_every_cycle_is_charged_once_and_to_somebody_who_works(tracks):
    found = divide(tracks, 60, 4)
    assert found.cycles.sum() == 60 == (found.end - found.start).sum()
    assert (found.programming <= found.cycles.sum(1)).all()
    busy = {track.name: track.cycles for track in tracks if not track.programming}
    for cycle in range(60):
        (piece,) = np.flatnonzero((found.start <= cycle) & (cycle < found.end))
        working = {
            track.name: track.launch[(track.start <= cycle) & (cycle < track.end)]
            for track in tracks
        }
        name = found.names[found.unit[piece]]
        at_work = [t.name for t in tracks if ((t.start <= cycle) & (cycle < t.end)).any()]
        if not at_work:
            assert name == WAITING
            continue
        assert name in at_work
        assert busy[name] == max(busy[other] for other in at_work), working


@pytest.mark.parametrize("model", MODELS)
def test_no_resource_needs_more_than_the_run_took(model):
    profile = ran(model)[1].profile
    name, cycles = profile.bound
    assert 0 < cycles <= profile.cycles
    assert cycles == max(sum(row.needed[name] for row in profile.layers) for name in row_units())
    for row in profile.layers:
        assert row.bound_cycles <= row.end - row.start or row.end <= row.start
    assert profile.bound == (name, sum(row.needed[name] for row in profile.kinds))


def row_units() -> list[str]:
    return list(ran("demo-vit")[1].profile.layers[0].needed)


def test_every_operating_point_is_that_of_a_run_reported_at_it():
    program, result = ran("demo-vit")
    for found in result.profile.points:
        again = build_profile(program, program.machine, result.run, found.point.name)
        assert found.energy_j == pytest.approx(again.energy_j, rel=1e-12)
        assert (found.seconds, found.watts) == pytest.approx((again.seconds, again.watts))
    assert sum(result.profile.energy_by_basis.values()) == pytest.approx(result.profile.energy_j)


def test_every_energy_says_what_it_rests_on():
    paper = Machine.load("paper")
    assert "extrapolated" not in note(paper)
    assert {c.cause for c in coefficients(paper)} == set(ran("demo-vit")[1].profile.energy.parts)
    assert not any(c.source.basis is Basis.given for c in coefficients(paper))
    for other in (paper.with_tcdm_bytes(1 << 17), Machine.load("ideal"), paper.without_softex()):
        assert note(other).startswith("extrapolated: calibrated on paper only")
        assert "base is not scaled" in note(other)
    changed = paper.with_settings(["energy.l2_pj_per_byte=3"])
    assert [c.cause for c in coefficients(changed) if c.source.basis is Basis.given] == ["l2"]


def test_the_free_choice_swept_keeps_the_published_totals():
    choices = swept(ran("demo-vit")[1].profile)
    assert choices[0].energy_j == pytest.approx(ran("demo-vit")[1].profile.energy_j)
    for run in (0, 1):
        totals = [
            c.core_pj * INSTRUCTIONS[run] + c.base_pj * CYCLES[run] + c.redmule_pj * MACS
            for c in choices
        ]
        assert totals == pytest.approx([totals[0]] * len(choices))
    assert "the energy varies by" in str(conclusion(choices))
