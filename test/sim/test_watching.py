"""Looking at a run changes nothing of it: profile, trace and race detector, cycles and bits."""

import numpy as np
from typer.testing import CliRunner

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models import single_operation
from softex_mlir.runtime import session
from softex_mlir.runtime.timeline import timeline
from softex_mlir.tools.softex import app


def bits(result):
    return {name: np.asarray(array).tobytes() for name, array in result.outputs.items()}


def test_watching_changes_no_cycle_and_no_bit():
    program = Compilation.of("demo-vit").program()
    plain = session.run(program)
    watched = session.run(program, sanitize=True)
    watched.profile.to_json()
    timeline(program, watched.run, watched.profile)
    assert plain.cycles == watched.cycles
    assert bits(plain) == bits(watched)
    assert plain.run.counters == watched.run.counters


def test_the_command_writes_the_same_outputs_with_profile_and_trace(tmp_path):
    elf = tmp_path / "m.elf"
    Compilation.of(single_operation("softmax", 64, 96)).write("elf", elf)
    found = []
    for options in ([], ["--profile", tmp_path / "p.json", "--trace", tmp_path / "t.json"]):
        out = tmp_path / f"{len(found)}.npz"
        arguments = [elf, "--output", out, "--csv", "-o", tmp_path / "x.csv", *options]
        made = CliRunner().invoke(app, ["run", *map(str, arguments)])
        assert made.exit_code == 0, made.output
        rows = (tmp_path / "x.csv").read_text()
        found.append((rows, {name: a.tobytes() for name, a in np.load(out).items()}))
    assert found[0] == found[1]
