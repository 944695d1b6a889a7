"""The charts of a report as plotly figures: dictionaries, drawn by plotly's library in the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from softex_mlir.runtime.costs.exclusive import WAITING
from softex_mlir.runtime.costs.verdict import unit_name

if TYPE_CHECKING:
    from softex_mlir.runtime.costs.rows import CostRow
    from softex_mlir.runtime.profile import Profile
    from softex_mlir.runtime.report.contents import Contents
    from softex_mlir.runtime.report.messages import Translate

COLOURS = {
    "redmule": "#2f6fde",
    "softex": "#d9822b",
    "cores": "#2e9e6b",
    "dma_in": "#8e5bd0",
    "dma_out": "#c2528b",
    WAITING: "#9aa3ad",
}
OTHER = "#5f6b7a"
MOST_LAYERS = 150
"""Layers of a chart; more are folded by kind."""

Figure = dict[str, Any]


def figures(contents: Contents, translate: Translate) -> dict[str, Figure]:
    """The charts by the section they stand in."""
    profile = contents.summary.profile
    return {
        **({"error": _error(contents.operations, translate)} if contents.operations else {}),
        "layers": _layers(profile, translate),
        "roofline": _roofline(profile, translate),
        "memory": _memory(contents, translate),
        "energy": _energy(profile, translate),
    }


def _error(operations: Sequence[Mapping[str, Any]], t: Translate) -> Figure:
    """How far every operation's value is from FP32, in the order of the program."""
    rows = list(operations)
    if len(rows) > MOST_LAYERS:
        rows = sorted(rows, key=lambda row: row["cosine"])[:MOST_LAYERS]
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "name": t("against FP32"),
                "y": [f"{row['layer']} ({row['operation']})" for row in rows],
                "x": [max(0.0, 1 - row["cosine"]) for row in rows],
                "marker": {"color": [colour(row["unit"].split("+")[0]) for row in rows]},
                "hovertemplate": "%{y}<br>%{x:.3~g}<extra></extra>",
            }
        ],
        "layout": {
            "height": 120 + 19 * len(rows),
            "xaxis": {"title": {"text": t("1 - cosine with FP32")}, "rangemode": "tozero"},
            "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
        },
    }


def colour(name: str) -> str:
    """Of a unit."""
    return COLOURS.get(name, OTHER)


def _shown(rows: Sequence[CostRow]) -> list[CostRow]:
    return [row for row in rows if row.exclusive_cycles]


def _layers(profile: Profile, t: Translate) -> Figure:
    rows = _shown(profile.layers)
    if len(rows) > MOST_LAYERS:
        rows = _shown(profile.kinds)
    scale = 1e6 / profile.operating_point.frequency_hz
    names = list(dict.fromkeys(name for row in rows for name, n in row.exclusive.items() if n))
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "name": t(unit_name(name)),
                "y": [t(row.title) for row in rows],
                "x": [row.exclusive[name] * scale for row in rows],
                "marker": {"color": colour(name)},
                "hovertemplate": "%{y}<br>%{x:.4~g} µs<extra>%{fullData.name}</extra>",
            }
            for name in names
        ],
        "layout": {
            "barmode": "stack",
            "height": 120 + 19 * len(rows),
            "xaxis": {"title": {"text": t("exclusive time, µs")}},
            "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
        },
    }


def _roofline(profile: Profile, t: Translate) -> Figure:
    rate = profile.operating_point.frequency_hz / 1e9
    peak = 2 * profile.peak_macs * rate
    bandwidth = profile.machine.dma.bytes_per_cycle * rate
    kinds = [
        (row, 2 * row.macs / (row.dma_in_bytes + row.dma_out_bytes))
        for row in _shown(profile.kinds)
        if row.macs and row.dma_in_bytes + row.dma_out_bytes
    ]
    low = min([1.0, *(x for _, x in kinds)]) / 2
    high = max([10.0 * peak / bandwidth, *(x for _, x in kinds)]) * 2
    knee = peak / bandwidth
    roof_x = [low, knee, high] if peak else [low, high]
    points = [(row, x, 2 * row.macs / row.exclusive_cycles * rate) for row, x in kinds if row.macs]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "name": t("roof"),
                "x": roof_x,
                "y": [min(peak or x * bandwidth, x * bandwidth) for x in roof_x],
                "line": {"color": OTHER, "dash": "dot"},
                "hoverinfo": "skip",
            },
            *(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": t(row.title),
                    "x": [x],
                    "y": [y],
                    "marker": {
                        "size": 10 + 30 * (row.exclusive_cycles / max(profile.cycles, 1)) ** 0.5,
                        "opacity": 0.8,
                    },
                    "hovertemplate": "%{fullData.name}<br>%{x:.3~g} op/B<br>%{y:.4~g} GOPS"
                    "<extra></extra>",
                }
                for row, x, y in points
            ),
        ],
        "layout": {
            "height": 430,
            "xaxis": {"type": "log", "title": {"text": t("operations a byte of L2")}},
            "yaxis": {"type": "log", "title": {"text": "GOPS"}},
        },
    }


def _memory(contents: Contents, t: Translate) -> Figure:
    curves = contents.curves
    lines: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": t("TCDM in use, KiB"),
            "x": list(curves.start_us),
            "y": [value / 1024 for value in curves.tcdm_bytes],
            "line": {"shape": "hv", "color": COLOURS["redmule"]},
            "fill": "tozeroy",
        }
    ]
    for name, values in curves.traffic.items():
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": t(unit_name(name)) + ", GB/s",
                "x": list(curves.start_us),
                "y": [value / 1e9 for value in values],
                "yaxis": "y2",
                "line": {"shape": "hv", "color": colour(name), "width": 1},
            }
        )
    return {
        "data": lines,
        "layout": {
            "height": 460,
            "grid": {"rows": 2, "columns": 1},
            "xaxis": {"title": {"text": t("time, µs")}, "anchor": "y2"},
            "yaxis": {
                "title": {"text": "KiB"},
                "domain": [0.56, 1],
                "range": [0, contents.summary.memory.tcdm_bytes / 1024],
            },
            "yaxis2": {
                "title": {"text": t("L2 traffic, GB/s")},
                "domain": [0, 0.44],
                "rangemode": "tozero",
            },
        },
    }


def _energy(profile: Profile, t: Translate) -> Figure:
    ids, labels, parents, values = ["all"], [t("energy")], [""], [0.0]
    for row in _shown(profile.kinds):
        ids.append(row.kind)
        labels.append(t(row.title))
        parents.append("all")
        values.append(0.0)  # what its causes add up to
        for cause, joules in row.energy.parts.items():
            if joules:
                ids.append(f"{row.kind}/{cause}")
                labels.append(t(unit_name(cause)))
                parents.append(row.kind)
                values.append(joules)
    return {
        "data": [
            {
                "type": "treemap",
                "ids": ids,
                "labels": labels,
                "parents": parents,
                "values": values,
                "texttemplate": "%{label}<br>%{value:.3~s}J",
                "hovertemplate": "%{label}<br>%{value:.4~s}J, %{percentRoot:.1%}<extra></extra>",
            }
        ],
        "layout": {"height": 460, "margin": {"l": 4, "r": 4, "t": 4, "b": 4}},
    }
