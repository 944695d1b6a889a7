"""Streams of requests: against queueing theory, by hand, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softex_mlir.errors import UserError
from softex_mlir.runtime.requests.arrivals import Arrivals, poisson, read_arrivals
from softex_mlir.runtime.requests.queue import serve
from softex_mlir.runtime.requests.service import Service, check_alike
from softex_mlir.tools.softex import main as softex

SLOW = Service("slow", 4.0, 8.0, 0.5, "paper", "performance")
FAST = Service("fast", 1.0, 2.0, 0.5, "paper", "performance")


def profile(seconds: float = 0.002, **changes: Any) -> dict[str, Any]:
    parts = {"base": 0.001, "leakage": 0.0005, "redmule": 0.0025}
    found = {"seconds": seconds, "energy_j": 0.004, "energy_parts_j": parts, "machine": "paper"}
    return {**found, "operating_point": {"name": "performance"}, **changes}


def test_requests_by_hand():
    arrivals = Arrivals(np.array([0.0, 1.0, 2.0]), np.array([0, 1, 1]), 1.0)
    one = serve(arrivals, [SLOW, FAST], 1, deadline_s=4.0)
    assert (one.latency.p50, one.latency.longest, one.utilisation) == (4.0, 4.0, 1.0)
    assert one.within == 1.0
    assert one.energy_j == one.run_energy_j == 4.0
    two = serve(arrivals, [SLOW, FAST], 2, deadline_s=1.0)
    assert two.models["fast"].longest == 1.0
    assert two.within == pytest.approx(2 / 3)
    assert two.utilisation == 6 / 8
    assert two.energy_j == 4.0 + 0.5 * 2 / 3


@pytest.mark.parametrize("load", [0.3, 0.7, 0.9])
def test_one_cluster_waits_as_theory_says(load: float):
    """Of Poisson arrivals and constant service (M/D/1): load / (2 - 2 load) services."""
    found = serve(poisson(load, 400_000, [1], 3), [FAST], 1)
    assert found.waiting_s == pytest.approx(load / (2 - 2 * load), rel=0.05)
    assert found.utilisation == pytest.approx(load, rel=0.01)
    assert found.load == pytest.approx(load, rel=0.01)


def test_what_is_estimated_of_a_machine_is_said_in_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name, units in (("paper", []), ("odd", ["RedMulE 12x4x3"])):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(profile(machine=name, validity_estimated=units)))
        for form in ([], ["--json"]):
            options = ["requests", str(path), "--rate", "10", "--requests", "50", *form]
            monkeypatch.setattr(sys, "argv", ["softex", *options])
            with pytest.raises(SystemExit) as end:
                softex()
            assert not end.value.code
            found = capsys.readouterr().out
            assert ("validity estimated: RedMulE 12x4x3" in " ".join(found.split())) == bool(units)


def test_arrivals_are_those_of_the_seed():
    one, same, other = (poisson(10.0, 1000, [3, 1], seed) for seed in (1, 1, 2))
    assert (one.times == same.times).all()
    assert (one.models == same.models).all()
    assert (one.times != other.times).any()
    assert one.times[-1] == pytest.approx(1000 / 10.0, rel=0.1)
    assert (one.models == 0).mean() == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seconds\n1\n", ":1:1: expected the columns seconds, model, found seconds"),
        ("seconds,model\n1,fast\nx,slow\n", ":3:1: expected seconds from the start, found 'x'"),
        ("seconds,model\n1,warp\n", ":2:1: expected a model of slow, fast, found 'warp'"),
        ("seconds,model\n", "expected a line for every request, found none"),
    ],
)
def test_arrivals_that_say_nothing(text: str, message: str, tmp_path: Path):
    path = tmp_path / "arrivals.csv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_arrivals(path, ["slow", "fast"])
    assert message in str(caught.value)


def test_profiles_that_are_none():
    with pytest.raises(UserError, match=r"p\.json: expected what `softex run --profile` writes"):
        Service.of_json({"seconds": 1.0}, "p", "p.json")
    with pytest.raises(UserError, match="found a run of 0 s"):
        Service.of_json(profile(0.0), "p", "p.json")
    with pytest.raises(UserError, match="clusters are alike"):
        check_alike([FAST, Service("other", 1, 1, 1, "ideal", "performance")])


def test_the_command_serves_profiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    one.write_text(json.dumps(profile()))
    other.write_text(json.dumps(profile(0.004)))
    options = "--rate 100,400 --clusters 1,2 --shares 1,3 --requests 500 --deadline 10 --json"
    monkeypatch.setattr(sys, "argv", ["softex", "requests", str(one), str(other), *options.split()])
    with pytest.raises(SystemExit) as end:
        softex()
    assert not end.value.code
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["clusters"] for row in rows] == [1, 1, 2, 2]
    loads = [row["load"] for row in rows]
    assert loads == pytest.approx([0.35, 1.4, 0.175, 0.7], rel=0.1)
    assert all(set(row["models"]) == {"one", "other"} for row in rows)
    assert rows[1]["latency"]["p99"] > rows[0]["latency"]["p99"]
