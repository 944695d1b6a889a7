"""Results are whole or not there, and never replace what they were made from."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import single_operation
from softex_mlir.errors import UserError
from softex_mlir.files import check_outputs, write_atomically


def test_outputs_do_not_replace_inputs_or_each_other(tmp_path: Path):
    source, link, hard = (tmp_path / name for name in ("m.onnx", "link.onnx", "hard.onnx"))
    source.write_bytes(b"model")
    link.symlink_to(source)
    hard.hardlink_to(source)
    for name in (source, link, hard, tmp_path / "." / "m.onnx"):
        with pytest.raises(UserError, match="is an input"):
            check_outputs([name], [str(source), None])
    with pytest.raises(UserError, match="two results"):
        check_outputs([tmp_path / "p.json", None, tmp_path / "." / "p.json"], [source])
    check_outputs([Path(os.devnull), Path(os.devnull), tmp_path / "new"], [source, "vit-base"])


def test_a_result_keeps_its_mode_and_may_have_the_longest_name(tmp_path: Path):
    path = tmp_path / ("n" * 255)
    write_atomically(path, "one")
    path.chmod(0o640)
    write_atomically(path, "two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_command_leaves_its_model_alone(tmp_path: Path):
    model = tmp_path / "m.onnx"
    model.write_bytes(b"not a model, and not to be lost")
    command = [sys.executable, "-m", "softex_mlir", "compile", str(model), "-o", str(model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is an input" in done.stderr
    assert model.read_bytes() == b"not a model, and not to be lost"


WRITING = """
import os, resource, sys
from pathlib import Path
from softex_mlir.files import write_atomically
{setup}
write_atomically(Path(sys.argv[1]), bytes({size}))
"""


def writer(path: Path, size: int, setup: str = "") -> list[str]:
    """A process that writes a result."""
    return [sys.executable, "-c", WRITING.format(size=size, setup=setup), str(path)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_while_a_result_is_written_leaves_it_whole_or_not_there(
    tmp_path: Path, number: signal.Signals
):
    size = 150_000_000
    process = subprocess.Popen(writer(tmp_path / "r", size), stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.iterdir()):
        time.sleep(0.001)
    process.send_signal(number)
    process.wait()
    assert {(p.name, p.stat().st_size) for p in tmp_path.iterdir()} <= {("r", size)}


def test_a_disk_that_fills_up_leaves_the_old_result(tmp_path: Path):
    path = tmp_path / "r"
    path.write_text("before")
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))"
    done = subprocess.run(writer(path, 20_000, limit), capture_output=True, text=True, check=False)
    assert "cannot write: File too large" in done.stderr
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("r", "before")]


def test_an_output_that_takes_nothing_is_an_error():
    command = ["operators", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "softex_mlir", *command],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "error: output: No space left on device\n")


def test_files_may_come_through_a_pipe(tmp_path: Path):
    program = tmp_path / "p.elf"
    program.write_bytes(Compilation.of(single_operation("softmax", 4, 32)).program_bytes)
    inputs = tmp_path / "x.npz"
    np.savez(inputs, x=np.ones((4, 32), np.float32))
    command = [sys.executable, "-m", "softex_mlir", "run", "--json"]
    for arguments, piped in (
        (["/dev/stdin", "--input", str(inputs)], program),
        ([str(program), "--input", "/dev/stdin"], inputs),
    ):
        done = subprocess.run(
            [*command, *arguments], input=piped.read_bytes(), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout
