"""`softex run --job-vectors`: what it writes is enough to repeat every job elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softex_mlir.compiler import models
from softex_mlir.compiler.driver import Compilation
from softex_mlir.isa_sim import run_job
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.tools.softex import app

PAPER = Machine.load("paper")
BASE = PAPER.cluster.tcdm_base


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    program = folder / "p.elf"
    Compilation.of(models.BUILTIN["demo-bert"](), PAPER).program().save(program)
    with pytest.raises(SystemExit) as ended:
        app(["run", str(program), "--job-vectors", str(folder / "jobs")])
    assert not ended.value.code
    return folder / "jobs"


@pytest.fixture(scope="module")
def vectors(folder: Path) -> tuple[list[dict[str, Any]], bytes]:
    return read(folder)


def read(folder: Path) -> tuple[list[dict[str, Any]], bytes]:
    lines = (folder / "jobs.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], (folder / "data.bin").read_bytes()


def test_every_job_gives_its_results_again(vectors: tuple[list[dict[str, Any]], bytes]) -> None:
    jobs, data = vectors
    assert [job["job"] for job in jobs] == list(range(len(jobs)))
    assert {job["unit"] for job in jobs} == {"redmule", "softex"}
    for job in jobs:
        # Rows that RedMulE reads and rewrites behind Z are nobody's operands.
        tcdm = np.zeros(PAPER.cluster.tcdm_bytes, np.uint8)
        for part in job["operands"]:
            at = part["address"] - BASE
            content = data[part["offset"] : part["offset"] + part["bytes"]]
            tcdm[at : at + part["bytes"]] = np.frombuffer(content, np.uint8)
        run_job(job["unit"], job["registers"], tcdm, PAPER)
        for part in job["results"]:
            at = part["address"] - BASE
            found = tcdm[at : at + part["bytes"]].tobytes()
            assert found == data[part["offset"] : part["offset"] + part["bytes"]], job["job"]


def test_the_folder_says_what_it_is(folder: Path) -> None:
    about = json.loads((folder / "about.json").read_text())
    jobs, _ = read(folder)
    assert Machine.from_toml(about["machine"]) == PAPER
    assert about["fields"].keys() == jobs[0].keys()
    assert about["valid_on_rtl"] == ["RedMulE 2.0.4 (51cd064)", "SoftEx 77f219d, gelu 8df9697"]
    assert all(job["registers"].keys() <= about["offsets"][job["unit"]].keys() for job in jobs)


def test_triggers_rise(vectors: tuple[list[dict[str, Any]], bytes]) -> None:
    jobs, _ = vectors
    for unit in ("redmule", "softex"):
        cycles = [job["trigger_cycle"] for job in jobs if job["unit"] == unit]
        assert cycles == sorted(cycles)
        assert all(job["cycles"] > 0 for job in jobs)
