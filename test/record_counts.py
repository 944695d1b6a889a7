"""Writes the counts of the benchmark models as CSV: `make counts` keeps them in `test/counts.csv`.

The simulator is deterministic, so a schedule that became slower, or a program that grew, shows as
a diff of that file. Tests pin what a schedule must respect, not these numbers. Arithmetic of the
accelerators is skipped: it changes no count but SoftEx's rescaling.
"""

from __future__ import annotations

import csv
import sys

from softex_mlir.compiler import models
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.text import bert, gpt2, mobilebert
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.session import run

MODELS = {
    "demo-vit": models.BUILTIN["demo-vit"],
    "demo-bert": models.BUILTIN["demo-bert"],
    "demo-gpt2": models.BUILTIN["demo-gpt2"],
    "vit-base, 2 layers": lambda: models.vit_base(layers=2),
    "vit-base, 1 layer, batch 8": lambda: models.vit_base(layers=1, batch=8),
    "bert-base, 128 tokens, 2 layers": lambda: bert("bert", tokens=128, layers=2),
    "bert-base, 1024 tokens, 1 layer": lambda: bert("bert", tokens=1024, layers=1),
    "mobilebert, 128 tokens, 2 layers": lambda: mobilebert("mobilebert", tokens=128, layers=2),
    "gpt2-small, 128 tokens, 2 layers": lambda: gpt2("gpt2", tokens=128, layers=2),
}
COLUMNS = (
    "model",
    "target",
    "cycles",
    "redmule_busy",
    "softex_busy",
    "dma_in_busy",
    "dma_out_busy",
    "instructions",
    "launches",
    "code_bytes",
)


def main() -> None:
    """One row a model and target, on standard output."""
    paper = Machine.load("paper")
    targets = {"paper": paper, "without SoftEx": paper.without_softex()}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, build in MODELS.items():
        for target, machine in targets.items():
            program = Compilation.of(build(), machine).program()
            found = run(program, machine=machine, functional=False).run
            code = sum(len(s.data) for s in program.segments if s.executable)
            writer.writerow(
                (
                    name,
                    target,
                    found.cycles,
                    *(found.busy[unit] for unit in ("redmule", "softex", "dma_in", "dma_out")),
                    int(found.core_instructions.sum()),
                    len(program.metadata["launches"]),
                    code,
                )
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
