"""What `softex explore` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from softex_mlir.errors import UserError
from softex_mlir.files import write_atomically
from softex_mlir.runtime.explore.page import (
    csv_text,
    page,
    parquet_library,
    sensitivity_rows,
    table,
    write_parquet,
)
from softex_mlir.runtime.explore.point import Point, Row
from softex_mlir.runtime.explore.pools import DaskWorkers, HostCores
from softex_mlir.runtime.explore.search import search
from softex_mlir.runtime.explore.space import knobs, machines
from softex_mlir.runtime.explore.sweep import (
    OBJECTIVES,
    Cache,
    front,
    sensitivity,
    simulate,
    sweep,
)
from softex_mlir.runtime.remote import Remote
from softex_mlir.runtime.report.plain import page_library
from softex_mlir.tools.forms import Form, emit
from softex_mlir.tools.progress import progress_bar


def explore(
    models: Sequence[str],
    options: Sequence[str],
    folder: Path,
    *,
    target: str,
    objectives: Sequence[str],
    draw: int,
    searched: int,
    seed: int,
    simulated: int,
    jobs: int | None,
    scheduler: str | None,
    resume: bool,
    parquet: bool,
    html: bool,
    form: Form,
) -> None:
    """Estimate all points, simulate the front, write and print what came out.

    Raises:
        UserError: settings or objectives say nothing, or the folder holds a sweep.
    """
    unknown = [name for name in objectives if name not in OBJECTIVES]
    if unknown:
        raise UserError(f"--objective: expected {', '.join(OBJECTIVES)}, found '{unknown[0]}'")
    space = knobs(options)
    if parquet:
        parquet_library()
    if html:
        page_library()
    kept = folder / "points"
    if kept.exists() and not resume:
        raise UserError(f"{folder}: holds a sweep: --resume to go on, or another directory")
    kept.mkdir(parents=True, exist_ok=True)
    cache = Cache(kept)
    pool = HostCores(jobs) if scheduler is None else DaskWorkers(Remote(scheduler))
    with progress_bar("points", quiet=form is not Form.text) as progress:
        if searched:

            def evaluated(points: list[Point]) -> list[Row]:
                return sweep(points, cache, pool)

            rows = [
                row
                for model in models
                for row in search(model, target, space, objectives, searched, seed, evaluated)
            ]
        else:
            every = machines(space, draw, seed)
            points = [Point(model, target, settings) for model in models for settings in every]
            rows = sweep(points, cache, pool, progress)
    best = front(rows, objectives)
    runs = simulate(best, cache, simulated, pool)
    worth = sensitivity(rows)
    data = table(rows, best)
    write_atomically(folder / "points.csv", csv_text(data))
    measured = {row: run.cycles for row, run in runs if not run.reason}
    if parquet:
        write_parquet(data, folder / "points.parquet")
    if html:
        write_atomically(folder / "explore.html", page(rows, best, runs))
    emit(
        form,
        None,
        text=lambda: "".join(f"{line}\n" for line in _lines(rows, best, measured, worth, folder)),
        data=lambda: {
            "points": _with_runs(table(rows, best), rows, measured),
            "worth": [
                {"setting": f"{key}={value}", "latency_of_best": ratio}
                for key, values in worth.items()
                for value, ratio in values.items()
            ],
        },
        rows=lambda: _with_runs(table(rows, best), rows, measured),
    )


def _with_runs(
    data: list[dict[str, Any]], rows: Sequence[Row], measured: Mapping[Row, int]
) -> list[dict[str, Any]]:
    """Points with the cycles of those that were simulated, too."""
    return [
        {**point, "simulated_cycles": measured.get(row)}
        for point, row in zip(data, rows, strict=True)
    ]


def _lines(
    rows: Sequence[Row],
    best: Sequence[Row],
    measured: Mapping[Row, int],
    worth: Mapping[str, Mapping[str, float]],
    folder: Path,
) -> Iterator[str]:
    reasons = Counter(row.reason for row in rows if row.reason)
    yield f"{len(rows)} points, {reasons.total()} without figures, {len(best)} on the front"
    for reason, count in reasons.items():
        yield f"without figures, {count} points: {reason}"
    for row in best:
        line = f"{row.model} {' '.join(row.settings)}: {row.latency_s * 1e3:.3f} ms, "
        line += f"{row.energy_j * 1e3:.3f} mJ, {row.multipliers} multipliers, "
        line += f"{row.tcdm_kib:.0f} KiB, bound by {row.binds}"
        if cycles := measured.get(row):
            line += f"; simulated {cycles:,} cycles, estimate {row.cycles / cycles - 1:+.1%}"
        if row.estimated:
            line += f"; validity estimated: {row.estimated}"
        yield line
    for key, value, ratio in sensitivity_rows(worth):
        yield f"{key}={value}: {ratio} the latency of the best"
    yield f"written: {folder}"
