"""The results of a sweep as one self-contained page, and as CSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from softex_mlir.errors import UserError
from softex_mlir.runtime.explore.point import Row
from softex_mlir.runtime.report.plain import (
    chart_place,
    document,
    heading,
    html_table,
    paragraph,
)

AREA_NOTE = (
    "Multipliers: RedMulE's FMAs, one a lane of SoftEx, one a core. Area is published for SoftEx "
    "only (0.039 mm² of a cluster of 1.21 mm²), so cost is in multipliers and KiB of TCDM."
)


def table(rows: Sequence[Row], front: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as flat mappings, one column a knob."""
    best = set(front)
    found: list[dict[str, Any]] = []
    for row in rows:
        data = row.to_json()
        del data["settings"]
        pairs = [setting.partition("=") for setting in row.settings]
        knobs = {key: value for key, _, value in pairs}
        found.append({"model": row.model, **knobs, **data, "front": row in best})
    return found


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for every row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_parquet(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The same as Parquet.

    Raises:
        UserError: the library of the extra `explore` is missing.
    """
    pyarrow, parquet = parquet_library()
    parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)


def parquet_library() -> tuple[Any, Any]:
    """What writes Parquet.

    Raises:
        UserError: it is missing.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise UserError(
            f"Parquet needs {error.name}: pip install 'softex-mlir[explore]' (CSV needs nothing)"
        ) from error


def page(
    rows: Sequence[Row],
    front: Sequence[Row],
    simulated: Sequence[tuple[Row, Row]],
    worth: Mapping[str, Mapping[str, float]],
) -> str:
    """The page: latency against energy and against multipliers, and tables.

    Raises:
        UserError: the library of the extra `report` is missing.
    """
    good = [row for row in rows if not row.reason]
    charts = {
        "energy": _chart(good, front, "energy_j", 1e3, "energy, mJ"),
        "multipliers": _chart(good, front, "multipliers", 1, "multipliers"),
    }
    failures = [(row.model, _knobs(row), row.reason) for row in rows if row.reason]
    parts = [
        paragraph("Estimated by the cost model; the front simulated where the table says so."),
        *map(chart_place, charts),
        paragraph(AREA_NOTE),
        heading("Front"),
        html_table(FRONT_HEAD, front_rows(front, simulated)),
        heading("What a knob is worth"),
        paragraph("Latency over that of the knob's best value, all else equal."),
        html_table(("knob", "value", "latency"), sensitivity_rows(worth)),
        heading("Without figures"),
        html_table(("model", "machine", "reason"), failures),
    ]
    title = f"{len(rows)} points, {len(front)} on the front"
    return document("softex explore", title, parts, charts)


FRONT_HEAD = ("model", "machine", "latency", "energy", "cost", "binds", "simulated", "validity")


def front_rows(front: Sequence[Row], simulated: Sequence[tuple[Row, Row]]) -> list[tuple[str, ...]]:
    """The front in words, with the simulated cycles where there are some."""
    known = dict(simulated)
    found: list[tuple[str, ...]] = []
    for row in front:
        run = known.get(row)
        error = ""
        if run is not None:
            error = run.reason or f"{run.cycles:,} cycles ({row.cycles / run.cycles - 1:+.1%})"
        found.append(
            (
                row.model,
                _knobs(row),
                f"{row.latency_s * 1e3:.3f} ms",
                f"{row.energy_j * 1e3:.3f} mJ",
                f"{row.multipliers} multipliers, {row.tcdm_kib:.0f} KiB",
                row.verdict,
                error,
                f"estimated: {row.estimated}" if row.estimated else "",
            )
        )
    return found


def sensitivity_rows(worth: Mapping[str, Mapping[str, float]]) -> list[tuple[str, ...]]:
    """Knobs, the one that matters most first."""
    order = sorted(worth, key=lambda key: -max(worth[key].values()))
    return [(key, value, f"{ratio:.3f}x") for key in order for value, ratio in worth[key].items()]


def _knobs(row: Row) -> str:
    return " ".join(row.settings) or row.machine


def _chart(
    rows: Sequence[Row], front: Sequence[Row], figure: str, scale: float, title: str
) -> dict[str, Any]:
    """Latency against a figure, the points of each model, those on the front larger."""
    best = set(front)
    data: list[dict[str, Any]] = []
    for model in dict.fromkeys(row.model for row in rows):
        mine = [row for row in rows if row.model == model]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": model,
                "x": [row.latency_s * 1e3 for row in mine],
                "y": [getattr(row, figure) * scale for row in mine],
                "text": [f"{escape(_knobs(row))}<br>{escape(row.verdict)}" for row in mine],
                "marker": {"size": [12 if row in best else 6 for row in mine]},
            }
        )
    axes = {"xaxis": {"title": {"text": "latency, ms"}}, "yaxis": {"title": {"text": title}}}
    return {"data": data, "layout": {"title": {"text": f"latency and {title}"}, **axes}}
