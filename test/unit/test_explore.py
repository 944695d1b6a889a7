"""Sweeps: spaces, fronts, sensitivity, caches, failures, workers that die."""

from __future__ import annotations

import csv
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mortal_worker import die_once, measure_once

from softex_mlir.compiler.models import single_operation
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.explore.page import page, table, write_parquet
from softex_mlir.runtime.explore.point import Point, Row, evaluate, multipliers
from softex_mlir.runtime.explore.pools import DaskWorkers, HostCores
from softex_mlir.runtime.explore.search import search
from softex_mlir.runtime.explore.space import knobs, machines
from softex_mlir.runtime.explore.sweep import Cache, front, sensitivity, sweep
from softex_mlir.runtime.quality.study import Study, parallel
from softex_mlir.runtime.quality.subject import subject_of
from softex_mlir.runtime.remote import Remote
from softex_mlir.runtime.self_check import sample_inputs
from softex_mlir.tools.softex import main as softex


def row(settings: str, latency: float, energy: float = 1.0, cost: int = 1) -> Row:
    return Row("m", "paper", tuple(settings.split()), False, 1, latency, energy, cost, 1.0, "cores")


def test_spaces_multiply_values_and_keep_lists_whole():
    space = knobs(["redmule.shape=12x4x3,24x8x3", "softex.slopes=[1, 2],[3]"])
    assert space["softex.slopes"] == ("[1, 2]", "[3]")
    assert len(machines(space)) == 4
    assert machines(space, 3, seed=1) == machines(space, 3, seed=1)
    assert len(set(machines(space, 3))) == 3
    assert machines({}) == [()]


@pytest.mark.parametrize("options", [["lanes=4"], ["softex.lanes"], ["a.b=1,"], ["a.b=1", "a.b=2"]])
def test_spaces_that_say_nothing(options: list[str]):
    with pytest.raises(UserError, match="--set"):
        knobs(options)


def test_the_front_is_what_nothing_beats():
    rows = [row("a.b=1", 1.0, 3.0), row("a.b=2", 2.0, 2.0), row("a.b=3", 2.0, 3.0)]
    failed = replace(row("a.b=4", 0.0, 0.0), reason="no")
    assert front([*rows, failed], ["latency", "energy"]) == rows[:2]
    assert front(rows, ["latency"]) == rows[:1]


def test_sensitivity_compares_machines_that_differ_in_one_knob():
    rows = [row(f"a.x={x} a.y={y}", x * y) for x in (1, 2) for y in (1, 4)]
    worth = sensitivity(rows)
    assert worth["a.x"] == {"1": pytest.approx(1.0), "2": pytest.approx(2.0)}
    assert worth["a.y"] == {"1": pytest.approx(1.0), "4": pytest.approx(4.0)}


def test_costs_are_counted_in_multipliers():
    assert multipliers(Machine.load()) == 24 * 8 + 16 + 8
    assert multipliers(Machine.load().without_redmule().without_softex()) == 8


def test_machines_without_programs_are_rows_with_reasons():
    found = evaluate(Point("demo-vit", "paper", ("cluster.cores=2",)))
    assert "expected 4 cores or more" in found.reason
    assert found.cycles == 0


def test_a_killed_worker_costs_a_retry(tmp_path: Path):
    mark = str(tmp_path / "mark")
    points = [Point(mark, "paper", ()), Point(mark, "ideal", ())]
    points.append(Point(mark, "paper", ("softex.lanes=8",)))
    rows = sweep(points, Cache(tmp_path), HostCores(1), work=die_once)
    assert [found.cycles for found in rows] == [7, 7, 7]
    assert (tmp_path / "mark.died").exists()


@pytest.fixture(scope="module")
def cluster():
    """A real cluster of processes, which see the modules beside this one."""
    distributed = pytest.importorskip("distributed", reason="needs the extra distributed")
    paths = {"PYTHONPATH": str(Path(__file__).parent)}
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, env=paths
    ) as made:
        yield made


def test_a_killed_dask_worker_costs_a_retry(tmp_path: Path, cluster: Any):
    """One sends itself the signal that kills."""
    distributed: Any = importlib.import_module("distributed")
    mark = str(tmp_path / "mark")
    points = [Point(mark, "paper", (f"softex.lanes={lanes}",)) for lanes in (4, 8, 16)]
    with distributed.Client(cluster) as client:
        before = set(client.run(os.getpid).values())
        pool = DaskWorkers(Remote(cluster.scheduler_address))
        rows = sweep(points, Cache(tmp_path), pool, work=die_once)
        client.wait_for_workers(2)
        after = set(client.run(os.getpid).values())
    assert [found.cycles for found in rows] == [7, 7, 7]
    assert (tmp_path / "mark.died").exists()
    assert before != after


def test_a_study_goes_on_when_a_dask_worker_is_killed(tmp_path: Path, cluster: Any):
    subject = subject_of(single_operation("softmax", 5, 40))
    inputs = [sample_inputs(subject.model, seed) for seed in range(3)]
    study = Study(subject, inputs)
    remote = Remote(cluster.scheduler_address)
    assert study.run(workers=remote) == study.run(workers=1)
    task = partial(measure_once, study.measure, str(tmp_path / "mark"))
    assert list(parallel(task, range(3), remote)) == study.run(workers=1)
    assert (tmp_path / "mark.died").exists()


def test_a_scheduler_that_does_not_answer(tmp_path: Path):
    pytest.importorskip("distributed", reason="needs the extra distributed")
    pool = DaskWorkers(Remote("tcp://127.0.0.1:9", patience_s=0.2))
    with pytest.raises(UserError, match="no Dask scheduler answers"):
        list(pool.evaluated([Point("demo-vit", "paper", ())], evaluate))


def test_workers_end_with_the_process_that_started_them(tmp_path: Path):
    """However it ends: one that is terminated tells them nothing."""
    script = tmp_path / "sweep.py"
    script.write_text(
        "from pathlib import Path\n"
        "from mortal_worker import sleep\n"
        "from softex_mlir.runtime.explore.point import Point\n"
        "from softex_mlir.runtime.explore.pools import HostCores\n"
        "if __name__ == '__main__':\n"
        f"    point = Point({str(tmp_path / 'mark')!r}, 'paper', ())\n"
        "    list(HostCores(1).evaluated([point], sleep))\n"
    )
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen([sys.executable, str(script)], env=paths)
    mark = tmp_path / "mark.pid"
    wait_until(mark.exists)
    process.terminate()
    process.wait()
    worker = int(mark.read_text())
    wait_until(lambda: not alive(worker))


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_search_finds_the_front_of_a_space_it_does_not_try_out():
    """Of 144 machines whose best is known: latency falls with one knob, cost rises with it."""
    pytest.importorskip("optuna", reason="needs the extra explore")
    space = {f"a.k{i}": [str(v) for v in range(12)] for i in range(2)}
    tried: list[Point] = []

    def known(points: list[Point]) -> list[Row]:
        tried.extend(points)
        found: list[Row] = []
        for point in points:
            x, y = (int(setting.split("=")[1]) for setting in point.settings)
            reason = "no" if x == 11 else ""
            found.append(
                replace(row(" ".join(point.settings), 1 + x + (y - 7) ** 2), reason=reason)
            )
        return found

    rows = search("m", "paper", space, ["latency"], 40, 1, known)
    assert len(rows) == len(tried) == len(set(tried)) == 40
    assert min(found.latency_s for found in rows if not found.reason) <= 3
    again = search("m", "paper", space, ["latency"], 40, 1, known)
    assert [found.settings for found in again] == [found.settings for found in rows]
    assert len(search("m", "paper", {"a.b": ["1", "2"]}, ["latency"], 9, 0, pair)) == 2


def pair(points: list[Point]) -> list[Row]:
    return [row(" ".join(point.settings), 1.0) for point in points]


def fail(point: Point) -> Row:
    raise AssertionError(f"{point} is computed again")


def test_a_sweep_resumes_from_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    line = f"softex explore demo-vit --set softex.lanes=8,16,5 -o {tmp_path / 'out'} --jobs 1"
    monkeypatch.setattr(sys, "argv", [*line.split(), "--simulate", "1"])
    with pytest.raises(SystemExit) as end:
        softex()
    assert not end.value.code
    assert "without figures, 1 points: softex.lanes must be" in capsys.readouterr().out
    with (tmp_path / "out" / "points.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [bool(found["reason"]) for found in lines] == [False, False, True]
    assert "must be 4, 8, 16 or 32" in lines[2]["reason"]
    assert lines[0]["softex.lanes"] == "8"
    points = [Point("demo-vit", "paper", (f"softex.lanes={lanes}",)) for lanes in (8, 16)]
    again = sweep(points, Cache(tmp_path / "out" / "points"), HostCores(1), work=fail)
    assert [str(found.cycles) for found in again] == [found["cycles"] for found in lines[:2]]
    monkeypatch.setattr(sys, "argv", line.split())
    with pytest.raises(SystemExit) as end:
        softex()
    assert end.value.code == 1


def test_the_page_is_one_file():
    pytest.importorskip("plotly", reason="needs the extra report")
    rows = [row("a.b=<1>", 1.0), row("a.b=2", 2.0)]
    text = page(rows, rows[:1], [(rows[0], rows[1])])
    assert "&lt;1&gt;" in text
    assert "<script src" not in text
    assert table(rows, rows[:1])[0]["front"] is True


def test_parquet_holds_what_csv_holds(tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra explore")
    rows = [row("a.b=1", 1.0), row("a.b=2", 2.0)]
    data = table(rows, rows[:1])
    write_parquet(data, tmp_path / "points.parquet")
    assert parquet.read_table(tmp_path / "points.parquet").to_pylist() == data
