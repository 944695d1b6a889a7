"""Run every check: format, lint, types, recorded counts, generated pages, lit and pytest.

The closing line adds what passed and what failed; a tool that finds nothing counts as one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECKS = {
    "format": [BIN / "ruff", "format", "--check", "."],
    "lint": [BIN / "ruff", "check", "."],
    "types": [BIN / "pyright"],
    "pages": [sys.executable, "test/pages.py", "--check"],
    "counts": [sys.executable, "test/record_counts.py", "--check"],
}
"""Tools that tell by their exit status whether all is well."""


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
    if find_spec("xdist") is not None:
        # A file's tests stay in one process, which makes its fixtures once.
        command += ["-n", "2", "--dist", "loadfile"]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if not report.exists():
        return 0, 1, 0
    suite = ElementTree.parse(report).getroot().find("testsuite")
    if suite is None:
        return 0, 1, 0
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    # Interrupted, nothing collected, or over the budget: fails without a failing test to count.
    failed = failed or int(status != 0)
    return total - failed - skipped, failed, skipped


def run_checks() -> tuple[int, int, int]:
    """Passed and failed checks by other tools. What a failed one says is printed when it ends."""
    failed = 0
    for name, command in CHECKS.items():
        done = subprocess.run(
            command, cwd=ROOT, check=False, text=True, stdout=PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode:
            failed += 1
            print(f"\n--- {name} failed: {' '.join(map(str, command))}\n{done.stdout}", flush=True)
    return len(CHECKS) - failed, failed, 0


def main() -> int:
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    # One tool after the other beside the tests.
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor() as pool:
        checks = pool.submit(run_checks)
        counts = [run_lit(Path(name)), run_pytest(Path(name)), checks.result()]
    passed, failed, skipped = (sum(column) for column in zip(*counts, strict=True))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())
