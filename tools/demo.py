"""`softex demo`: the whole path on a small ViT, nothing downloaded."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.costs.summary import Summary
from softex_mlir.runtime.program import Program
from softex_mlir.tools.tables import console, summary_tables


def run_demo(machine: Machine) -> None:
    """Build, compile, run and check a small ViT; exit status 1 if the check fails."""
    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.compiler.models import demo_vit

    out = console()
    started = time.perf_counter()
    compilation = Compilation.of(demo_vit(), machine)
    # Through a file, as a user would: what runs is what was written.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "demo.elf"
        compilation.program().save(path)
        program = Program.load(path)
        compiled = time.perf_counter()
        out.print(
            f"compiled a ViT for {machine.name!r} in {compiled - started:.1f} s: "
            f"{len(program.elf) / 1e6:.1f} MB, {len(program.metadata['kernels'])} kernels, "
            f"{len(program.metadata['launches'])} launches"
        )
        result = session.run(program, seed=0)
    out.print(f"simulated {result.cycles:,} cycles in {time.perf_counter() - compiled:.1f} s")
    report = check(program, result, {})
    for line in report.lines():
        out.print(line, markup=False, highlight=False)
    summary = Summary.of(result.profile, program.metadata, simulated=True)
    for table in summary_tables(summary, per_layer=False):
        out.print(table)
    if not report.identical:
        raise SystemExit(1)
