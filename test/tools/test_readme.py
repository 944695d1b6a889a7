"""README's session is carried out, and prints what README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?")
NEAR = 0.05
"""Of figures: they move a little with every improvement, README need not."""
AS_CLOSE = 2e-3
"""Of cosines, which are near one."""
ROUNDING = 1e-5
"""Below this are errors of float32 sums, whose order is the host's."""


def session() -> list[tuple[str, list[str]]]:
    """Commands of the session, and the lines that README shows of each."""
    text = README.read_text(encoding="utf-8").partition("## A session")[2]
    block = text.partition("```console\n")[2].partition("```")[0]
    commands = [part.splitlines() for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(lines[0], lines[1:]) for lines in commands]


def says(shown: str, printed: str) -> bool:
    """Whether a printed line says what README shows: its words, and figures near its own."""
    beginning, more, _ = shown.partition("...")
    if more:
        printed = printed[: len(beginning)] if len(printed) >= len(beginning) else printed
    if NUMBER.sub("#", beginning) != NUMBER.sub("#", printed):
        return False
    for mine, other in zip(NUMBER.findall(beginning), NUMBER.findall(printed), strict=True):
        a, b = (float(number.replace(",", "")) for number in (mine, other))
        if a < ROUNDING and b < ROUNDING:
            continue
        close = pytest.approx(a, abs=AS_CLOSE) if 0.9 < a < 1 else pytest.approx(a, rel=NEAR)
        if b != close:
            return False
    return True


def test_the_session_prints_what_is_shown(tmp_path):
    commands = session()
    assert len(commands) >= 4
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command, lines in commands:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}"
        printed = done.stdout.splitlines()
        for line in lines:
            if line == "...":
                continue
            assert any(says(line, other) for other in printed), f"{command}: {line}"


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("latency 76.7 µs (85,929 cycles)", "latency 78.0 µs (87,000 cycles)", True),
        ("latency 76.7 µs", "latency 96.7 µs", False),
        ("cosine 0.9979", "cosine 0.9951", False),
        ("bound by DMA in (72%): ...", "bound by DMA in (71%): MLP 1", True),
        ("bound by DMA in (72%): ...", "bound by RedMulE (71%): MLP 1", False),
    ],
)
def test_figures_are_compared(shown, printed, expected):
    assert says(shown, printed) == expected
