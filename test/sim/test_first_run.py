"""The first run on a host says that it compiles the simulator; later ones do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from softex_mlir.isa_sim import jit
from softex_mlir.tools.progress import progress_line


def test_only_a_run_without_compiled_code_says_that_it_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    folders = {core: tmp_path / str(core) for core in (True, False)}
    monkeypatch.setattr(jit, "_directories", {core: str(path) for core, path in folders.items()})

    def said(unit: str) -> str:
        with progress_line(unit):
            return capsys.readouterr().err

    assert "compiles the simulator" in said("cycles")
    (folders[True] / "inner").mkdir(parents=True)
    (folders[True] / "inner" / "core.nbc").touch()
    assert said("instructions") == ""
    assert "compiles the simulator" in said("cycles")
    folders[False].mkdir()
    (folders[False] / "gemm.nbc").touch()
    assert said("cycles") == ""
