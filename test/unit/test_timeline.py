"""The timeline: valid trace events whose slices nest, do not overlap, and add up to the profile."""

import json
from functools import cache
from typing import Any

import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.errors import UserError
from softex_mlir.runtime import session
from softex_mlir.runtime.profile import Profile
from softex_mlir.runtime.timeline import timeline, timeline_text

MODELS = ("demo-vit", "demo-gpt2")


@cache
def traced(model: str, layer: str | None = None) -> tuple[Profile, dict[str, Any]]:
    program = Compilation.of(model).program()
    result = session.run(program, functional=False)
    text = timeline_text(program, result.run, result.profile, layer)
    return result.profile, json.loads(text)


def tracks(trace: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Slices by the name of their track, in order of time."""
    names = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in trace["traceEvents"]
        if event["ph"] == "M" and event["name"] == "thread_name"
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names.values()}
    for event in trace["traceEvents"]:
        if event["ph"] == "X":
            found[names[event["pid"], event["tid"]]].append(event)
    for slices in found.values():
        slices.sort(key=lambda event: event["args"]["cycle"])
    return found


def cycles(slices: list[dict[str, Any]]) -> int:
    return sum(event["args"]["cycles"] for event in slices)


@pytest.mark.parametrize("model", MODELS)
def test_slices_of_a_track_do_not_overlap(model):
    profile, trace = traced(model)
    us = 1e6 / profile.operating_point.frequency_hz
    for name, slices in tracks(trace).items():
        end = 0
        for event in slices:
            args = event["args"]
            assert args["cycle"] >= end, name
            end = args["cycle"] + args["cycles"]
            assert 0 < args["cycles"] <= profile.cycles
            assert event["ts"] == pytest.approx(args["cycle"] * us)
            assert event["dur"] == pytest.approx(args["cycles"] * us)
        assert end <= profile.cycles


@pytest.mark.parametrize("model", MODELS)
def test_slices_add_up_to_the_profile(model):
    profile, trace = traced(model)
    found = tracks(trace)
    units = profile.units
    for track, unit in (
        ("RedMulE", "redmule"), ("SoftEx", "softex"), ("DMA in", "dma_in"), ("DMA out", "dma_out"),
    ):  # fmt: skip
        assert cycles(found[track]) == units[unit].busy_cycles
    cores = [slices for name, slices in found.items() if name.startswith("core ")]
    work = [event for slices in cores for event in slices if event["args"]["state"] == "work"]
    assert cycles(work) == units["cores"].busy_cycles
    assert all(cycles(slices) == profile.cycles for slices in cores)
    assert cycles(found["each cycle once"]) == profile.cycles
    for unit in ("RedMulE", "SoftEx"):
        running = [
            event
            for context in (0, 1)
            for event in found.get(f"{unit} context {context}", [])
            if event["name"] == "running"
        ]
        assert cycles(running) == cycles(found[unit])
    layers = [event for name in found if name.startswith("layers ") for event in found[name]]
    assert {e["name"] for e in layers} == {r.title for r in profile.layers if r.end > r.start}


def test_arguments_are_decoded():
    _, trace = traced("demo-vit")
    job = next(e for e in tracks(trace)["RedMulE"] if e["name"] == "layer 0 / mlp / fc1")
    assert job["args"]["job"] == "gemm 17x64x64"
    assert job["args"]["X_ADDR"].startswith("x+")
    assert job["args"]["layer"] == "encoder.layer.0.mlp.fc1"
    transfer = tracks(trace)["DMA in"][-1]
    assert transfer["args"]["bytes"] > 0
    assert "+" in transfer["args"]["source"]


def test_counters_add_up():
    profile, trace = traced("demo-vit")
    samples = [e for e in trace["traceEvents"] if e["ph"] == "C"]
    power = sorted((e["ts"], e["args"]["mW"]) for e in samples if e["name"] == "power")
    ends = [*(ts for ts, _ in power[1:]), profile.seconds * 1e6]
    joules = sum(mw * (end - ts) * 1e-9 for (ts, mw), end in zip(power, ends, strict=True))
    assert joules == pytest.approx(profile.energy_j, rel=1e-3)
    used = [e["args"]["bytes"] for e in samples if e["name"] == "TCDM in use"]
    assert 0 < max(used) <= profile.machine.cluster.tcdm_bytes


def test_a_window_shows_only_the_time_of_a_layer():
    profile, whole = traced("demo-vit")
    (row,) = [row for row in profile.layers if row.title == "layer 1 / attention"]
    _, part = traced("demo-vit", "layer 1 / attention")
    assert part["otherData"]["window"] == [row.start, row.end]
    assert cycles(tracks(part)["each cycle once"]) == row.end - row.start
    assert len(part["traceEvents"]) < len(whole["traceEvents"]) / 2


def test_an_unknown_layer_is_named():
    program = Compilation.of("demo-vit").program()
    result = session.run(program, functional=False)
    with pytest.raises(UserError, match="found 'layer 7'"):
        timeline(program, result.run, result.profile, "layer 7")


def test_looking_at_a_run_changes_no_cycle_and_no_bit():
    program = Compilation.of("demo-vit").program()
    plain = session.run(program)
    watched = session.run(program, sanitize=True)
    timeline(program, watched.run, watched.profile)
    assert watched.cycles == plain.cycles
    assert watched.profile.to_json() == plain.profile.to_json()
    assert not watched.run.races
    for name, array in plain.outputs.items():
        assert array.tobytes() == watched.outputs[name].tobytes()
