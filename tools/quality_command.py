"""What `softex quality` prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from softex_mlir.files import json_text, write_atomically
from softex_mlir.runtime.quality.front import quality
from softex_mlir.runtime.quality.report import (
    CONFIDENCE,
    FIGURES,
    Change,
    Estimate,
    OutputQuality,
    QualityReport,
    changes,
)
from softex_mlir.tools.forms import Form, csv_text, emit, rendered
from softex_mlir.tools.progress import progress_bar

if TYPE_CHECKING:
    from softex_mlir.compiler.model import Model


def print_quality(
    model: Model | str,
    inputs: Path | None,
    *,
    baseline: Path | None,
    bound: float,
    report: Path | None,
    form: Form = Form.text,
    **options: Any,
) -> None:
    """Study a model, print or write the report; exit status 1 if it is worse than the baseline.

    Raises:
        UserError: something cannot be read, or does not fit the model.
    """
    state = None if report is None else report.with_name(f"{report.name}.part")
    with progress_bar("inputs", quiet=form is not Form.text and report is None) as progress:
        found = quality(model, inputs, state=state, progress=progress, **options)
    compared = [] if baseline is None else changes(found, baseline, bound)
    data = found.to_json()
    if compared:
        data["changes"] = [vars(change) for change in compared]
    if report is not None:
        text = csv_text(_rows(data)) if form is Form.csv else json_text(data)
        write_atomically(report, text)
    if state is not None:
        state.unlink(missing_ok=True)
    if report is None:
        emit(
            form,
            None,
            text=lambda: rendered(_shown(found, compared)),
            data=lambda: data,
            rows=lambda: _rows(data),
        )
    elif compared:
        sys.stdout.write(rendered([_changes(compared)]))
    worse = [change for change in compared if change.worse]
    for change in worse:
        sys.stderr.write(
            f"error: {change.output}: {FIGURES[change.metric].title}: expected at worst "
            f"{change.allowed:.3g}, found {change.now:.3g} ({change.before:.3g} in {baseline})\n"
        )
    if worse:
        raise SystemExit(1)


def _rows(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A report as rows: figures by output, arithmetic and metric, then its other tables."""
    figures: list[dict[str, Any]] = [
        {"table": "figures", "output": output, "arithmetic": arithmetic, "metric": metric}
        | ({"mean": value} if value is None or isinstance(value, float) else value)
        for output, kinds in data["outputs"].items()
        for arithmetic, found in kinds.items()
        for metric, value in found.items()
    ]
    others = [
        {"table": table, **row}
        for table in ("layers", "sweeps", "changes")
        for row in data.get(table, ())
    ]
    return [*figures, *others]


def _shown(report: QualityReport, compared: Sequence[Change]) -> Iterator[object]:
    yield f"{report.model} on {report.machine}, {report.inputs} inputs, against {report.reference}"
    yield from (f"note: {note}" for note in report.notes)
    yield from map(_figures, report.outputs)
    if report.layers:
        yield _layers(report.layers)
    if report.sweeps:
        yield _sweeps(report.sweeps)
    if compared:
        yield _changes(compared)


def _figures(output: OutputQuality) -> Table:
    table = Table(title=output.name, title_justify="left")
    table.add_column("metric")
    for title in ("mean", f"{CONFIDENCE:.0%} interval", "worst (input)", "plain BF16"):
        table.add_column(title, justify="right")
    for name, estimate in output.figures["hardware"].items():
        plain = output.figures["bf16"][name]
        table.add_row(FIGURES[name].title, *_cells(estimate), f"{plain.mean:.3g}")
    for name, title in (("rank_agreement", "rank agreement"), ("perplexity", "perplexity")):
        own = output.together["hardware"].get(name)
        if own is not None:
            fp32 = output.together["fp32"].get(name)
            beside = "" if fp32 is None else f"FP32 {fp32:.4g}"
            table.add_row(title, f"{own:.4g}", "", beside, f"{output.together['bf16'][name]:.4g}")
    return table


def _cells(estimate: Estimate) -> Iterator[str]:
    yield f"{estimate.mean:.3g}"
    known = isfinite(estimate.low)
    yield f"{estimate.low:.3g} to {estimate.high:.3g}" if known else "one input"
    yield f"{estimate.worst:.3g} ({estimate.worst_input})"


def _layers(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="1 - cosine with the hardware in", title_justify="left")
    table.add_column("layer")
    table.add_column("it alone", justify="right")
    table.add_column("all but it", justify="right")
    for row in rows:
        table.add_row(row["layer"], f"{row['alone']:.3g}", f"{row['without']:.3g}")
    return table


def _sweeps(rows: Sequence[Mapping[str, Any]]) -> Table:
    outputs = [name for name in rows[0] if name != "setting"]
    table = Table(title="1 - cosine by setting", title_justify="left")
    table.add_column("setting")
    for name in outputs:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row["setting"], *(f"{row[name]['cosine']['mean']:.3g}" for name in outputs))
    return table


def _changes(compared: Sequence[Change]) -> Table:
    table = Table(title="against the baseline", title_justify="left")
    for title in ("output", "metric"):
        table.add_column(title)
    for title in ("before", "now", "allowed", ""):
        table.add_column(title, justify="right")
    for change in compared:
        values = (f"{value:.3g}" for value in (change.before, change.now, change.allowed))
        verdict = "worse" if change.worse else ""
        table.add_row(change.output, FIGURES[change.metric].title, *values, verdict)
    return table
