"""Files that a user gave are read to an end, or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from softex_mlir import files
from softex_mlir.tools.interrupts import softex

DEVICE = Path("/dev/zero")


@pytest.mark.parametrize(
    "command",
    [
        "compile {} -o x", "compile demo-vit --tiles {} -o x", "compile demo-vit --target {} -o x",
        "run {}", "sim {}", "inspect {}", "compile {}.mlir -o x", "diff {} {}",
        "compile demo-vit --accuracy {}.toml -o x",
        "compile bert --weights w.safetensors --config {} -o x",
    ],
)  # fmt: skip
def test_what_does_not_end_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(files, "_MOST_STREAMED", 1 << 16)
    monkeypatch.chdir(tmp_path)
    for name in ("zero", "zero.mlir", "zero.toml"):
        (tmp_path / name).symlink_to(DEVICE)
    (tmp_path / "w.safetensors").write_bytes(bytes(8))
    monkeypatch.setattr("sys.argv", ["softex", *command.format("zero", "zero").split()])
    with pytest.raises(SystemExit) as end:
        softex()
    said = capfd.readouterr().err
    assert end.value.code == 1, said
    assert "longer than" in said


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b'{"a": 1}')
    os.close(writing)
    assert files.read_json(Path(f"/dev/fd/{reading}")) == {"a": 1}
    os.close(reading)


def test_json_that_nobody_wrote_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        files.read_json(path)
