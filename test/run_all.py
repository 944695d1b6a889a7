"""Run lit and pytest and print one closing line with their counts added."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def run_lit(scratch: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped lit tests."""
    report = scratch / "lit.json"
    command = [str(BIN / "lit"), "-q", "--output", str(report), str(ROOT / "test")]
    subprocess.run(command, cwd=ROOT, check=False)
    if not report.exists():
        return 0, 1, 0
    codes = [test["code"] for test in json.loads(report.read_text())["tests"]]
    passed = sum(code in ("PASS", "XFAIL") for code in codes)
    skipped = sum(code == "UNSUPPORTED" for code in codes)
    return passed, len(codes) - passed - skipped, skipped


def run_pytest(scratch: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped pytest tests."""
    report = scratch / "pytest.xml"
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", "--durations=10"]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if not report.exists():
        return 0, 1, 0
    suite = ElementTree.parse(report).getroot().find("testsuite")
    if suite is None:
        return 0, 1, 0
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    # An interrupted or empty collection fails without a failing test to count.
    failed = failed or int(status not in (0, 1))
    return total - failed - skipped, failed, skipped


def main() -> int:
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as name:
        counts = [run_lit(Path(name)), run_pytest(Path(name))]
    passed, failed, skipped = (sum(column) for column in zip(*counts, strict=True))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())
