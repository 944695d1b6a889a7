"""What is distributed is complete: built, installed elsewhere and used, without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
import pytest

import softex_mlir

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist, and the wheel built from that sdist."""
    target = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "-o", target, ROOT, cwd=target)
    return target


@pytest.fixture(scope="module")
def installed(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an installation of the wheel; dependencies are those of this Python."""
    target = tmp_path_factory.mktemp("venv")
    venv.create(target, with_pip=False)
    (packages,) = target.glob("lib/python*/site-packages")
    # Import hooks of an editable installation are not read from there, so the checkout is unseen.
    (packages / "dependencies.pth").write_text(str(Path(numpy.__file__).parents[1]))
    (wheel,) = distributions.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", target / "bin" / "python"]
    run(*pip, "install", "-q", "--no-deps", "--no-index", wheel, cwd=target)
    run(*pip, "check", cwd=target)
    return target / "bin"


def test_the_sdist_holds_every_file_of_the_repository(distributions: Path):
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    tracked = run("git", "ls-files", cwd=ROOT).splitlines()
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert not {name for name in tracked if (ROOT / name).exists()} - held


def test_an_installation_needs_no_checkout(installed: Path, tmp_path: Path):
    told = run(installed / "softex", "--version", cwd=tmp_path)
    assert softex_mlir.__version__ in told
    where = "import softex_mlir; print(softex_mlir.__file__)"
    assert not run(installed / "python", "-c", where, cwd=tmp_path).startswith(str(ROOT))
    assert "classifier" in run(installed / "softex", "demo", cwd=tmp_path)
    tables = run(installed / "softex", "bench", "calibration", cwd=tmp_path)
    assert "RedMulE" in tables


def test_a_new_source_file_is_seen_without_installing_again():
    with TemporaryDirectory(dir=ROOT / "test", prefix="new_") as folder:
        (Path(folder) / "module.py").write_text("ANSWER = 42\n")
        module = f"softex_mlir.test.{Path(folder).name}.module"
        code = f"import {module} as module; print(module.ANSWER)"
        assert run(sys.executable, "-c", code, cwd=Path(folder).parents[2]).strip() == "42"


def test_every_folder_of_python_is_a_package():
    rooms = ("compiler", "dialects", "isa_sim", "runtime", "tools")
    folders = {file.parent for room in rooms for file in (ROOT / room).rglob("*.py")}
    assert not {folder for folder in folders if not (folder / "__init__.py").exists()}
