"""Counts of the benchmark models as CSV: `make counts` keeps them in `test/counts.csv`.

The simulator is deterministic, so a schedule that became slower, or a program that grew, shows as
a diff of that file. Tests pin what a schedule must respect, not these numbers. Arithmetic of the
accelerators is skipped: it changes no count but SoftEx's rescaling; not where the cores look
things up in a table, as equal values meet at one bank of it.

With `--check`, the models that take seconds are counted again and compared with the file.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

from softex_mlir.compiler import models
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.llama import llama
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
    "llama, 128 tokens, hidden 384, 2 layers": lambda: llama(
        "llama", tokens=128, hidden=384, layers=2, heads=6, mlp=1024, vocabulary=384
    ),
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


WITH_TABLES = frozenset({"llama, 128 tokens, hidden 384, 2 layers"})
"""Models whose cycles depend on values that cores look up."""
RECORDED = Path(__file__).with_name("counts.csv")
QUICK = [name for name in MODELS if name.startswith("demo-") or name.endswith("2 layers")]
"""What `--check` counts again."""


def rows(names: Iterable[str]) -> Iterator[list[str]]:
    """One row a model and target, in the order of `COLUMNS`."""
    paper = Machine.load("paper")
    targets = {"paper": paper, "without SoftEx": paper.without_softex()}
    for name, (target, machine) in product(names, targets.items()):
        program = Compilation.of(MODELS[name](), machine).program()
        found = run(program, machine=machine, functional=name in WITH_TABLES).run
        counts = [
            found.cycles,
            *(found.busy[unit] for unit in ("redmule", "softex", "dma_in", "dma_out")),
            int(found.core_instructions.sum()),
            len(program.metadata["launches"]),
            sum(len(s.data) for s in program.segments if s.executable),
        ]
        yield [name, target, *map(str, counts)]


def check() -> int:
    """Print what `counts.csv` says and is no longer so; the number of such rows."""
    with RECORDED.open(newline="") as file:
        _, *lines = csv.reader(file)
    recorded = {(model, target): counts for model, target, *counts in lines}
    stale = {(model, target) for model, target in recorded if model not in MODELS}
    for model, target, *counts in rows(QUICK):
        before = recorded.get((model, target), [""] * len(counts))
        for column, old, new in zip(COLUMNS[2:], before, counts, strict=True):
            if old != new:
                stale.add((model, target))
                print(f"{model}, {target}: {column} {old or '(none)'} recorded, {new} counted")
    if stale:
        print(
            f"{RECORDED.name} is stale: run `make counts` and say in the commit what changed them"
        )
    return len(stale)


def main() -> None:
    """Print the rows, or check them."""
    if sys.argv[1:] == ["--check"]:
        raise SystemExit(int(check() > 0))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows(MODELS):
        writer.writerow(row)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
