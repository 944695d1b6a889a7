"""Results are whole or not there, and never replace what they were made from."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

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
