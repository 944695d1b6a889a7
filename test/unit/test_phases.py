"""Every phase of a compilation compiles on to the same program; a pass that fails is reproduced."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.schedule.search.capacity import CapacityError
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.tools.softex import app
from softex_mlir.tools.softex_opt import main

MODEL = Path(__file__).parents[1] / "tools/Inputs/affine.mlir"

FAILS = """
builtin.module {
  func.func @main(%x: memref<4x8xbf16>) {
    func.return
  }
}
"""


def softex(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_phase_compiles_on_to_the_same_program(tmp_path):
    folder, model = tmp_path / "phases", tmp_path / "model.mlir"
    model.write_text(MODEL.read_text())
    numbers = np.linspace(-1, 1, 64 * 32, dtype=np.float32).reshape(64, 32)
    WeightStore({"w": numbers}).save(tmp_path / "model.safetensors")
    made = softex("compile", model, "-o", tmp_path / "m.elf", "--dump-phases", folder)
    assert made.exit_code == 0, made.output
    program = (tmp_path / "m.elf").read_bytes()
    phases = sorted(folder.glob("*.mlir"))
    assert len(phases) >= 10
    for phase in phases:
        assert Compilation.of(phase).program_bytes == program, phase.name
    assert sorted(folder.glob("*-program.elf"))[0].read_bytes() == program
    index = (folder / "phases.md").read_text()
    assert all(phase.name in index for phase in phases)
    again = softex("compile", model, "-o", tmp_path / "m.elf", "--dump-phases", folder)
    assert again.exit_code == 1


def test_statistics_say_what_passes_add_and_remove(tmp_path, capfd):
    with pytest.raises(SystemExit):
        main([str(MODEL), "-p", "fold-affine,finalize-transformer", "--mlir-pass-statistics"])
    found = capfd.readouterr().err
    assert "Pass statistics report" in found
    assert found.index("// fold-affine") < found.index("// finalize-transformer")
    assert "(S)" in found


def test_what_a_pass_fails_on_is_kept_and_fails_again(tmp_path, capfd):
    path, kept = tmp_path / "in.mlir", tmp_path / "kept.mlir"
    path.write_text(FAILS)
    passes = ["-p", "cse,convert-to-riscv,dce"]
    with pytest.raises(SystemExit) as stopped:
        main([str(path), *passes, "--mlir-pass-pipeline-crash-reproducer", str(kept)])
    assert stopped.value.code == 1
    first = capfd.readouterr().err
    assert f"softex-opt --run-reproducer {kept}" in first
    assert "// configuration: -p convert-to-riscv" in kept.read_text()
    with pytest.raises(SystemExit) as stopped:
        main([str(kept), "--run-reproducer"])
    assert stopped.value.code == 1
    assert first.splitlines()[-1].split("error:")[1] in capfd.readouterr().err


def test_a_machine_of_settings_lies_beside_what_failed_on_it(tmp_path, capfd):
    kept = tmp_path / "kept.mlir"
    failed = softex(
        *(
            "compile",
            "demo-vit",
            "-o",
            tmp_path / "m.elf",
            "--tcdm-bytes",
            "8Ki",
            "--no-self-check",
        ),
        *("--mlir-pass-pipeline-crash-reproducer", kept),
    )
    assert isinstance(failed.exception, CapacityError)
    with pytest.raises(SystemExit) as stopped:
        main([str(kept), "--run-reproducer"])
    assert stopped.value.code == 1
    assert str(failed.exception) in capfd.readouterr().err


@pytest.mark.parametrize("text", [None, "builtin.module {}"])
def test_files_that_are_no_reproducers_are_usage_errors(text, tmp_path, capfd):
    path = tmp_path / "x.mlir"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SystemExit) as stopped:
        main([str(path), "--run-reproducer"])
    assert stopped.value.code == 2
    assert str(path) in capfd.readouterr().err
