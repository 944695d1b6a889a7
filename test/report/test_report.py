"""The report: sections and figures, both languages, opened in a browser, no network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest

import softex_mlir.runtime.report
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.layer_names import ROLES
from softex_mlir.compiler.transforms.transformer import place
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.energy import CALIBRATION, coefficients
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import registry
from softex_mlir.isa_sim.units.unit import Basis
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.costs import energy_sweep, verdict
from softex_mlir.runtime.quality.operations import check_operations
from softex_mlir.runtime.report.contents import Contents, contents_of
from softex_mlir.runtime.report.html import SECTIONS
from softex_mlir.runtime.report.messages import LANGUAGES, catalogue, sentences, translator
from softex_mlir.tools.options import Language, ReportFormat
from softex_mlir.tools.report_command import spelt

FOLDER = Path(softex_mlir.runtime.report.__file__ or "").parent
MOST_BYTES = 6_000_000


@cache
def contents(target: str = "paper") -> Contents:
    machine = Machine.load("paper")
    if target == "no-softex":
        machine = machine.without_softex()
    program = Compilation.of("demo-vit", machine).program()
    result = session.run(program)
    rows = [asdict(row) for row in check_operations(program, result.inputs)]
    return contents_of(program, result, check(program, result, {}), ("not compared",), rows)


@cache
def page(language: str) -> str:
    pytest.importorskip("plotly", reason="the extra `report` is not installed")
    pytest.importorskip("jinja2", reason="the extra `report` is not installed")
    return spelt(contents(), ReportFormat.html, Language(language))


def placement_reasons() -> set[str]:
    """The sentences of which placements' reasons are made."""
    source = Path(place.__file__ or "").read_text(encoding="utf-8")
    behind_units = r'"(?:redmule|softex|softex\+cores|cores|dma|none)", f?"(?!dma")([^"]+)"'
    others = r'(?:append\(|reasons = \[|reason = |_PARTS = )"([^"]+)"'
    found = {*re.findall(behind_units, source), *re.findall(others, source)}
    return {sentence for reason in found for sentence in reason.split("; ")}


def used_words() -> set[str]:
    """The English words that reports translate."""
    words = {basis.value for basis in Basis} | {"rows", "columns", "inner", "start and end", "base"}
    words |= set(SECTIONS.values())
    words |= {"cores", "waiting", "leakage", "DMA in", "DMA out"}
    words |= {CALIBRATION, energy_sweep.SAME, energy_sweep.OTHER}
    for coefficient in coefficients(Machine.load("paper")):
        words |= {coefficient.unit, coefficient.source.words}
    words |= {unit.remedy for unit in registry.units_of(Machine.load("paper"))}
    words |= {*verdict.REMEDIES.values(), verdict.PADDING, verdict.CHOOSE, verdict.ALONE}
    words |= {kind for kind, _ in ROLES.values()} | placement_reasons()
    source = Path(verdict.__file__ or "").read_text(encoding="utf-8")
    words |= set(re.findall(r'Phrase\(\s*"([^"]+)"', source))
    for path in (*FOLDER.glob("*.py"), *FOLDER.glob("assets/*.j2")):
        text = path.read_text(encoding="utf-8")
        words |= set(re.findall(r'\bt\(\s*"([^"]+)"', text))
        for head in re.findall(r"head = \(([^)]*)\)", text):
            words |= set(re.findall(r'"([^"]+)"', head))
    return words


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_catalogues_are_complete_and_hold_nothing_else(language):
    words = catalogue(language)
    assert set(words) == used_words()
    for english, other in words.items():
        assert other
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", other)), english


def test_reasons_are_translated_sentence_by_sentence():
    t = translator("ja")
    text = "matrix product; gelu is a sum of exponentials; the cores finish it"
    assert sentences(t, text) == "行列積。gelu は指数関数の和。仕上げはコア"
    assert sentences(translator("en"), text) == text


def test_an_unknown_language_is_refused():
    with pytest.raises(UserError, match="expected en or ja"):
        catalogue("de")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_one_small_file_with_every_section(language):
    text = page(language)
    assert len(text.encode()) < MOST_BYTES
    for section in SECTIONS:
        assert f'<section id="{section}">' in text
    own = text[: text.index("<script>")]
    assert not re.search(r'(?:src|href)="(?!#)', own)
    assert "default-src 'none'" in own
    assert ("要点" in own) == (language == "ja")


def test_charts_are_what_plotly_accepts():
    graph_objects = pytest.importorskip("plotly.graph_objects", reason="the extra `report`")
    text = page("en")
    start = text.index('id="data">') + len('id="data">')
    data = json.loads(text[start : text.index("</script>", start)])
    for figure in data["figures"].values():
        graph_objects.Figure(figure)
    profile = contents().summary.profile
    drawn = sum(sum(bar["x"]) for bar in data["figures"]["layers"]["data"])
    assert drawn == pytest.approx(profile.seconds * 1e6)
    energies = data["figures"]["energy"]["data"][0]["values"]
    assert sum(energies) == pytest.approx(profile.energy_j)
    errors = data["figures"]["error"]["data"][0]
    assert len(errors["x"]) == len(contents().operations)
    placed = contents().placed()
    assert sum(row.operations for row in placed) == len(contents().placement)
    assert 0.95 < sum(row.share for row in placed) <= 1
    for track, drawn in zip(contents().tracks, data["timeline"]["tracks"], strict=True):
        assert len(track.spans) == len(drawn["spans"])
        ends = [end for _, end, _ in track.spans]
        assert all(
            start >= end for end, (start, _, _) in zip(ends[:-1], track.spans[1:], strict=True)
        )


def test_other_formats_and_machines_say_the_same():
    found = json.loads(spelt(contents(), ReportFormat.json, Language.en))
    assert found["cycles"] == contents().summary.profile.cycles
    lines = spelt(contents(), ReportFormat.csv, Language.en).splitlines()
    assert len(lines) == 1 + len(found["layers"])
    text = spelt(contents("no-softex"), ReportFormat.md, Language.en)
    assert "extrapolated: calibrated on paper only" in text
    assert "律速要因" in spelt(contents(), ReportFormat.md, Language.ja)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_browser_shows_it_without_an_error_or_a_request(language, tmp_path):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium on PATH")
    file = tmp_path / "report.html"
    file.write_text(page(language), encoding="utf-8")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr")
    home = f"--user-data-dir={tmp_path / 'home'}"
    wait = "--virtual-time-budget=5000"
    done = subprocess.run(
        [browser, *flags, home, wait, "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    assert 'data-ready="yes"' in done.stdout
    assert done.stdout.count('class="main-svg"') >= len(("layers", "roofline", "memory", "energy"))
