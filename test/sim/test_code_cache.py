"""Kept machine code: what is damaged is compiled again, what cannot be kept is done without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from softex_mlir.isa_sim import code_cache, jit

PROGRAM = """
import sys
from softex_mlir.isa_sim.jit import njit, pointer_function

@njit(cache=True)
def once(x):
    return x + 1

@njit(cache=True)
def twice(x):
    return once(once(x))

def plus(x):
    return x + 5

from ctypes import CFUNCTYPE, c_int64
called = CFUNCTYPE(c_int64, c_int64)(pointer_function("i", plus))
print(once(1), twice(1), once(1.5), called(2), "numba" in sys.modules)
"""


def run(program: Path, cache: Path | str) -> list[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "HOME": str(program.parent)}
    environment.pop("XDG_CACHE_HOME", None)
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_damaged_files_are_compiled_again(tmp_path: Path):
    program, cache = tmp_path / "program.py", tmp_path / "cache"
    program.write_text(PROGRAM)
    assert run(program, cache) == ["2", "3", "2.5", "7", "True"]
    files = sorted(cache.rglob("*.nbc"))
    whole = {path: path.read_bytes() for path in files}
    for place, (path, data) in enumerate(whole.items()):
        flipped = bytes([*data[:-9], data[-9] ^ 4, *data[-8:]])
        path.write_bytes((b"", data[: len(data) // 2], flipped, b"garbage" * 99)[place % 4])
    assert run(program, cache) == ["2", "3", "2.5", "7", "True"]
    assert {path.read_bytes() != b"" for path in files} == {True}
    assert run(program, cache) == ["2", "3", "2.5", "7", "False"]
    files[0].chmod(0)
    for path in files:
        path.parent.chmod(0o500)
    assert run(program, cache)[:4] == ["2", "3", "2.5", "7"]


@pytest.mark.parametrize("place", ["a file", "no folder", "everybody's"])
def test_folders_that_cannot_or_must_not_be_used(tmp_path: Path, place: str):
    (tmp_path / "file").write_text("")
    everybody = tmp_path / "everybody"
    everybody.mkdir()
    everybody.chmod(0o777)
    chosen = {"a file": tmp_path / "file", "no folder": "/proc/none", "everybody's": everybody}
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    assert run(program, chosen[place])[:4] == ["2", "3", "2.5", "7"]
    assert not list(everybody.iterdir())
    assert list((tmp_path / ".cache" / "softex-mlir").rglob("*.nbc"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(theirs))
    assert code_cache.cache_root() == theirs
    os.chown(theirs, 65534, 65534)
    assert code_cache.cache_root() not in (theirs, None)


def test_without_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def nowhere(**_: object) -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc/none")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    monkeypatch.setattr(code_cache.tempfile, "gettempdir", nowhere)
    assert code_cache.cache_root() is None


CALLS = """
import sys
import numpy as np
from softex_mlir.isa_sim.jit import njit

@njit(cache=True)
def add(numbers, factor, what):
    if what == 0:
        raise ValueError("nothing to add")
    for i in range(numbers.shape[0]):
        numbers[i] += factor * what
    return numbers[0], numbers.shape[0] > 2, np.float32(what) / np.float32(3)

@njit(cache=True)
def quotient(a, b):
    return a // b

numbers = np.zeros(3, np.int32)
bound = add.bind(numbers, 2)
assert bound(1) == (2, True, float(np.float32(1) / np.float32(3)))
assert bound(5)[0] == 12
assert bound(np.int32(-6))[:2] == (0, True)
assert add(numbers[::2], 1, 7)[:2] == (7, False)
assert numbers.tolist() == [7, 0, 7]
assert quotient(-7, 2) == -4
for failing, error in (
    (lambda: bound(0), "ValueError: nothing to add"),
    (lambda: quotient(1, 0), "ZeroDivisionError: integer division by zero"),
    (lambda: quotient("7", 2), "TypeError: compiled code takes no str"),
):
    try:
        failing()
        found = "nothing"
    except Exception as caught:
        found = f"{type(caught).__name__}: {caught}"
    assert found.startswith(error), found
assert quotient(9, 2) == 4
"""


def test_calls_from_python(tmp_path: Path):
    """Compiled anew and kept: numbers, results, views and exceptions are what numba's are."""
    program = tmp_path / "program.py"
    program.write_text(CALLS)
    for _ in range(2):
        run(program, tmp_path / "cache")


@pytest.mark.parametrize("what", ["toolchain", "_settings"])
def test_another_processor_compiler_or_setting_has_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, what: str
):
    hashes = {jit._source_hash(core) for core in (True, False)}
    monkeypatch.setattr(jit, what, lambda: "another one")
    assert not hashes & {jit._source_hash(core) for core in (True, False)}
