"""What `softex explore` does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from softex_mlir.errors import UserError
from softex_mlir.files import write_atomically
from softex_mlir.runtime.explore.page import csv_text, page, sensitivity_rows, table, write_parquet
from softex_mlir.runtime.explore.point import Point
from softex_mlir.runtime.explore.space import knobs, machines
from softex_mlir.runtime.explore.sweep import (
    OBJECTIVES,
    Cache,
    front,
    sensitivity,
    simulate,
    sweep,
)
from softex_mlir.tools.progress import progress_bar


def explore(
    models: Sequence[str],
    options: Sequence[str],
    folder: Path,
    *,
    target: str,
    objectives: Sequence[str],
    draw: int,
    seed: int,
    simulated: int,
    jobs: int | None,
    resume: bool,
    parquet: bool,
    html: bool,
) -> None:
    """Estimate all points, simulate the front, write and print what came out.

    Raises:
        UserError: settings or objectives say nothing, or the folder holds a sweep.
    """
    unknown = [name for name in objectives if name not in OBJECTIVES]
    if unknown:
        raise UserError(f"--objective: expected {', '.join(OBJECTIVES)}, found '{unknown[0]}'")
    every = machines(knobs(options), draw, seed)
    points = [Point(model, target, settings) for model in models for settings in every]
    kept = folder / "points"
    if kept.exists() and not resume:
        raise UserError(f"{folder}: holds a sweep: --resume to go on, or another directory")
    kept.mkdir(parents=True, exist_ok=True)
    cache = Cache(kept)
    with progress_bar("points") as progress:
        rows = sweep(points, cache, jobs, progress)
    best = front(rows, objectives)
    runs = simulate(best, cache, simulated, jobs)
    worth = sensitivity(rows)
    data = table(rows, best)
    write_atomically(folder / "points.csv", csv_text(data))
    if parquet:
        write_parquet(data, folder / "points.parquet")
    if html:
        write_atomically(folder / "explore.html", page(rows, best, runs, worth))
    failed = sum(bool(row.reason) for row in rows)
    sys.stdout.write(f"{len(rows)} points, {failed} without figures, {len(best)} on the front\n")
    measured = dict(runs)
    for row in best:
        line = f"{row.model} {' '.join(row.settings)}: {row.latency_s * 1e3:.3f} ms, "
        line += f"{row.energy_j * 1e3:.3f} mJ, {row.multipliers} multipliers, "
        line += f"{row.tcdm_kib:.0f} KiB, bound by {row.binds}"
        run = measured.get(row)
        if run is not None and not run.reason:
            line += (
                f"; simulated {run.cycles:,} cycles, estimate {row.cycles / run.cycles - 1:+.1%}"
            )
        sys.stdout.write(f"{line}\n")
    for key, value, ratio in sensitivity_rows(worth):
        sys.stdout.write(f"{key}={value}: {ratio} the latency of the best\n")
    sys.stdout.write(f"written: {folder}\n")
