"""`softex bench paper`: every published figure has a row, and an interrupted run goes on."""

import json

import pytest

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments import paper as experiment
from softex_mlir.runtime.experiments.paper import FIGURES, paper

MACHINE = Machine.load("paper")


class Anything(dict):
    """Whatever is asked for was measured to be 2."""

    def __missing__(self, name):
        return 2.0

    def items(self):
        names = ("softmax_64_faster", "softmax_64_energy", "gelu_9_faster", "gelu_9_energy")
        return dict.fromkeys(names, 3.0).items()


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    state, calls = tmp_path / "paper.part", []

    def measured(machine):
        calls.append("first")
        return {"a": 1.0}

    def interrupted(machine):
        calls.append("second")
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "FIGURES", ())
    monkeypatch.setattr(experiment, "EXPERIMENTS", {"one": measured, "two": interrupted})
    with pytest.raises(KeyboardInterrupt):
        paper(MACHINE, state)
    assert list(json.loads(state.read_text())["done"]) == ["one"]
    monkeypatch.setattr(experiment, "EXPERIMENTS", {"one": measured, "two": lambda m: {"b": 2.0}})
    said = []
    paper(MACHINE, state, said.append)
    assert calls == ["first", "second"]
    assert said == ["1/2 one, known", "2/2 two"]
    # what another machine measured is nothing to this one
    paper(Machine.load("ideal"), state)
    assert calls == ["first", "second", "first"]


def test_every_figure_has_a_deviation_or_says_why_not():
    for figure in FIGURES:
        title, published, here, deviation, note = figure.cells(Anything())
        assert title
        assert published
        assert bool(here) == bool(deviation)
        assert here or note
