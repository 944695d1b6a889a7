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
from softex_mlir.runtime.costs.verdict import unit_name
from softex_mlir.runtime.explore.point import Row
from softex_mlir.runtime.explore.sweep import sensitivity
from softex_mlir.runtime.report.charts import colour
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


def page(rows: Sequence[Row], front: Sequence[Row], simulated: Sequence[tuple[Row, Row]]) -> str:
    """The page: latency against energy and against multipliers of every model, and tables.

    Raises:
        UserError: the library of the extra `report` is missing.
    """
    charts: dict[str, Any] = {}
    shown: list[str] = []
    for number, (model, mine) in enumerate(_by_model(rows).items()):
        places = {
            f"energy{number}": _chart(mine, front, "energy_j", 1e3, "energy, mJ"),
            f"multipliers{number}": _chart(mine, front, "multipliers", 1, "multipliers"),
        }
        charts |= places
        shown += [heading(_title(model)), *map(chart_place, places)]
    failures = [(_title(row.model), _knobs(row), row.reason) for row in rows if row.reason]
    parts = [
        paragraph(
            "Estimated by the cost model; the front simulated where the table says so. A point's "
            "colour is the unit that most of the time goes to; large ones are on the front."
        ),
        *shown,
        paragraph(AREA_NOTE),
        heading("What a knob is worth"),
        paragraph("Latency and energy over those of the knob's best value, all else equal."),
        html_table(*_worth(rows)),
        heading("Front"),
        html_table(FRONT_HEAD, front_rows(front, simulated)),
        heading("Without figures"),
        html_table(("model", "machine", "reason"), failures),
    ]
    title = f"{len(rows)} points, {len(front)} on the front, {len(simulated)} of them simulated"
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
                _title(row.model),
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


def _worth(rows: Sequence[Row]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Head and rows of a table: every value of every knob, latency and energy of every model."""
    head, columns = ["knob", "value"], list[dict[tuple[str, str], str]]()
    for model, mine in _by_model(rows).items():
        for name, figure in (("latency", "latency_s"), ("energy", "energy_j")):
            head.append(f"{_title(model)}: {name}")
            worth = sensitivity(mine, figure)
            columns.append({(key, value): text for key, value, text in sensitivity_rows(worth)})
    found = dict.fromkeys(place for column in columns for place in column)
    return head, [(*place, *(column.get(place, "") for column in columns)) for place in found]


def _by_model(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows that have figures."""
    good = [row for row in rows if not row.reason]
    models = dict.fromkeys(row.model for row in good)
    return {model: [row for row in good if row.model == model] for model in models}


def _title(model: str) -> str:
    return Path(model).name


def _knobs(row: Row) -> str:
    return " ".join(row.settings) or row.machine


def _chart(
    rows: Sequence[Row], front: Sequence[Row], figure: str, scale: float, title: str
) -> dict[str, Any]:
    """Latency of a model against a figure, by the unit that binds, points of the front larger."""
    best = set(front)
    data: list[dict[str, Any]] = []
    for unit in sorted({row.binds for row in rows}):
        mine = [row for row in rows if row.binds == unit]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"bound by {unit_name(unit)}",
                "x": [row.latency_s * 1e3 for row in mine],
                "y": [getattr(row, figure) * scale for row in mine],
                "text": [f"{escape(_knobs(row))}<br>{escape(row.verdict)}" for row in mine],
                "marker": {
                    "size": [12 if row in best else 6 for row in mine],
                    "color": colour(unit),
                },
            }
        )
    zero = "tozero"
    axes = {
        "xaxis": {"title": {"text": "latency, ms"}, "rangemode": zero},
        "yaxis": {"title": {"text": title}, "rangemode": zero},
    }
    return {
        "data": data,
        "layout": {"height": 380, "margin": {"t": 20}, "showlegend": True, **axes},
    }
