"""Differences between programs, the command stream that is asked for, and notebooks."""

from __future__ import annotations

import json
from functools import cache
from xml.etree import ElementTree

import pytest

from softex_mlir.compiler.accuracy import AccuracyLevel
from softex_mlir.compiler.driver import Compilation
from softex_mlir.errors import UserError
from softex_mlir.runtime import session
from softex_mlir.runtime.command_stream import WIDTH, Wanted, command_lines, commands
from softex_mlir.runtime.difference import Cycles, difference, read_cycles
from softex_mlir.runtime.program import Program

LAYER = "encoder.layer.0.attention.query"


@cache
def program(accuracy: AccuracyLevel | None = None) -> Program:
    return Compilation.of("demo-vit", accuracy=accuracy).program()


def test_a_program_does_not_differ_from_itself():
    found = difference(program(), Compilation.of("demo-vit").program())
    assert not found
    assert found.lines() == ["no difference"]


def test_programs_of_other_settings_differ_where_they_do():
    found = difference(program(), program(AccuracyLevel("balanced")))
    assert found
    assert any(line.startswith("code: ") for line in found.whole)
    assert found.to_json()["different"]
    changed = {row.layer for row in found.layers if row.changes}
    assert len(changed) < len(found.layers)


def test_cycles_are_shown_and_are_no_difference(tmp_path):
    found = difference(program(), program(AccuracyLevel("balanced")))
    for name, side in (("predicted", 0), ("simulated", 1)):
        values = [getattr(row, name) for row in found.layers]
        shown = found.lines()[-1].replace(",", "").split()
        assert shown[0] == "total"
        assert int(shown[1 + 3 * side]) == sum(before for before, _ in values)
        assert int(shown[3 + 3 * side]) == sum(after for _, after in values)

    def slower(factor: int) -> Cycles:
        layers = session.run(program(), functional=False).profile.to_json()["layers"]
        rows = [row | {"exclusive_cycles": row["exclusive_cycles"] * factor} for row in layers]
        (tmp_path / "p.json").write_text(json.dumps({"layers": rows}))
        return read_cycles(tmp_path / "p.json")

    same = difference(program(), program(), [slower(1), slower(2)])
    assert not same
    assert same.lines()[0] == "no difference"
    assert same.lines()[-1].endswith("+100.0%")
    with pytest.raises(UserError, match="of the second program, found one without the layer"):
        difference(program(), program(), [slower(1), Cycles({}, {})])


def test_commands_are_chosen_by_layer_unit_node_and_address():
    everything = commands(program())
    assert commands(program(), Wanted(limit=3)) == everything[:3]
    redmule = commands(program(), Wanted(unit="redmule", at=LAYER))
    assert redmule == [c for c in everything if c["unit"] == "redmule" and c["layer"] == LAYER]
    assert redmule
    assert all("mlp" in c["layer"] for c in commands(program(), Wanted(layer="mlp")))
    buffer = next(b for b in program().metadata["buffers"] if b["name"].startswith(f"{LAYER}.w"))
    on_weights = commands(program(), Wanted(address=buffer["address"] + 2))
    assert on_weights
    assert all(c["layer"] == LAYER for c in on_weights)
    assert max(map(len, command_lines(everything))) <= WIDTH


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(unit="npu"), "--unit npu: expected one of redmule"),
        (Wanted(at="nothing"), "--at nothing: no such layer"),
        (Wanted(layer="nothing"), "--layer nothing: no such layer"),
        (Wanted(address=4), "--addr 0x4: in no buffer"),
    ],
)
def test_what_there_is_not_is_refused(wanted, message):
    with pytest.raises(UserError, match=message):
        commands(program(), wanted)


def test_programs_and_results_show_themselves():
    result = session.run(program(), functional=False)
    for shown in (program(), result):
        text = shown._repr_html_()
        tree = ElementTree.fromstring(text)
        assert len(tree.findall(".//rect")) > 10
        assert "layer 0 / mlp / fc1" in text
