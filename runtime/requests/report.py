"""The table of streams of requests, and its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from softex_mlir.runtime.report.plain import (
    chart_place,
    document,
    heading,
    html_list,
    html_table,
)
from softex_mlir.runtime.requests.queue import ASSUMPTIONS, Latency, Served
from softex_mlir.runtime.requests.service import Service

HEAD = ("clusters", "requests/s", "load", "p50 ms", "p99 ms", "max ms", "busy", "mJ a request")
MODEL_HEAD = ("clusters", "requests/s", "model", "requests", "p50 ms", "p99 ms", "max ms")


def milliseconds(latency: Latency) -> tuple[str, str, str]:
    """Median, 99 in a hundred, longest."""
    seconds = (latency.p50, latency.p99, latency.longest)
    p50, p99, longest = (f"{second * 1e3:.3f}" for second in seconds)
    return p50, p99, longest


def figures(row: Served) -> tuple[str, ...]:
    """A line of the table."""
    return (
        str(row.clusters),
        f"{row.rate:.4g}",
        f"{row.load:.0%}",
        *milliseconds(row.latency),
        f"{row.utilisation:.0%}",
        f"{row.energy_j * 1e3:.4g}",
        *(() if row.within is None else (f"{row.within:.1%}",)),
    )


def model_figures(rows: Sequence[Served]) -> list[tuple[str, ...]]:
    """A line for every model of every row."""
    return [
        (
            str(row.clusters),
            f"{row.rate:.4g}",
            name,
            f"{latency.requests:,}",
            *milliseconds(latency),
        )
        for row in rows
        for name, latency in row.models.items()
    ]


def head(rows: Sequence[Served], deadline_s: float | None) -> tuple[str, ...]:
    """Names of the columns."""
    return HEAD if deadline_s is None else (*HEAD, f"in {deadline_s * 1e3:g} ms")


def service_lines(services: Sequence[Service]) -> Iterator[str]:
    """What each model takes alone."""
    for one in services:
        yield (
            f"{one.name}: {one.seconds * 1e3:.4g} ms and {one.energy_j * 1e3:.4g} mJ a request on "
            f"a free cluster, {1 / one.seconds:.4g} requests/s at most; {one.machine}, {one.point}"
        )


def assumptions(services: Sequence[Service]) -> tuple[str, ...]:
    """What the figures rest on."""
    estimated = dict.fromkeys(text for service in services for text in service.estimated)
    return (*ASSUMPTIONS, *(f"validity estimated: {text}" for text in estimated))


def overload(rows: Sequence[Served]) -> str:
    """A sentence where the clusters cannot keep up; empty if they can."""
    if all(row.load < 1 for row in rows):
        return ""
    return (
        "load of 100% and more: the queue grows as long as requests arrive, and latencies with it"
    )


def to_json(
    rows: Sequence[Served], services: Sequence[Service], source: str, deadline_s: float | None
) -> dict[str, Any]:
    """JSON-ready values."""
    return {
        "arrivals": source,
        "deadline_s": deadline_s,
        "assumptions": list(assumptions(services)),
        "models": [vars(service) for service in services],
        "rows": [row.to_json() for row in rows],
    }


def page(
    rows: Sequence[Served], services: Sequence[Service], source: str, deadline_s: float | None
) -> str:
    """Latency and energy by rate, a line for every number of clusters.

    Raises:
        UserError: the library of the extra `report` is missing.
    """
    charts = {
        "latency": _chart(rows, "p99, ms", lambda row: row.latency.p99 * 1e3, log=True),
        "energy": _chart(rows, "mJ a request", lambda row: row.energy_j * 1e3),
        "busy": _chart(rows, "utilisation", lambda row: row.utilisation),
    }
    parts = [
        html_list([source, *service_lines(services), *filter(None, [overload(rows)])]),
        html_table(head(rows, deadline_s), [figures(row) for row in rows]),
        *map(chart_place, charts),
        heading("Models"),
        html_table(MODEL_HEAD, model_figures(rows)),
        heading("Assumptions"),
        html_list(assumptions(services)),
    ]
    names = ", ".join(service.name for service in services)
    return document("softex requests", f"Requests to {names}", parts, charts)


def _chart(
    rows: Sequence[Served], title: str, value: Callable[[Served], float], *, log: bool = False
) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    for clusters in dict.fromkeys(row.clusters for row in rows):
        mine = [row for row in rows if row.clusters == clusters]
        lines.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{clusters} clusters" if clusters > 1 else "1 cluster",
                "x": [row.rate for row in mine],
                "y": [value(row) for row in mine],
            }
        )
    axis = {"title": {"text": title}, "type": "log" if log else "linear"}
    layout = {"title": {"text": title}, "xaxis": {"title": {"text": "requests/s"}}, "yaxis": axis}
    return {"data": lines, "layout": layout}
