"""The table of a mesh study, and its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from softex_mlir.compiler.mesh.noc import Noc
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.machine_basis import validity
from softex_mlir.runtime.costs.verdict import unit_name
from softex_mlir.runtime.mesh.study import ASSUMPTIONS, EXCHANGE, MeshRow
from softex_mlir.runtime.report.plain import (
    chart_place,
    document,
    heading,
    html_list,
    html_table,
)

PUBLISHED = (
    "published",
    "ViT-base on one cluster: 310 GOPS at 0.8 V, 126.9 M cycles (derived), 1.34 TOPS/W at 0.55 V",
)
HEAD = ("clusters", "Mcycles", "ms", "speed-up", "ideal", "GOPS", "mJ", "TOPS/W", "binds")
PHASE_HEAD = ("clusters", "layers", "grid", "busy", "cycles", "slowest", "L2", "mJ", "binds")


def binding(name: str) -> str:
    """What binds, in words."""
    return name if name == EXCHANGE else unit_name(name)


def figures(row: MeshRow) -> tuple[str, ...]:
    """A line of the table."""
    return (
        str(row.clusters),
        f"{row.cycles / 1e6:.4g}",
        f"{row.seconds * 1e3:.4g}",
        f"{row.speed_up:.2f}x",
        f"{row.efficiency:.0%}",
        f"{row.gops:,.0f}",
        f"{row.energy_j * 1e3:.3g}",
        f"{row.tops_per_watt:.3g}",
        f"{binding(row.binds)} ({row.share:.0%})",
    )


def phase_figures(row: MeshRow) -> list[tuple[str, ...]]:
    """A line for every phase."""
    return [
        (
            str(row.clusters),
            phase.layers,
            phase.grid,
            str(phase.busy),
            f"{phase.cycles:,}",
            f"{phase.slowest:,}",
            f"{phase.l2:,}",
            f"{phase.energy_j * 1e3:.4f}",
            binding(phase.binds),
        )
        for phase in row.phases
    ]


def assumptions(noc: Noc, machine: Machine) -> tuple[str, ...]:
    """What the figures rest on."""
    return (
        f"L2: {noc.l2_bytes_per_cycle:g} bytes a cycle and direction for all clusters "
        "(assumed: a link of 512 bits)",
        f"a hop: {noc.hop_cycles} cycles one way (assumed), {noc.hop_pj_per_byte:g} pJ a byte "
        "(0.19: FlooNoC in 12 nm, arXiv 2305.08562)",
        *ASSUMPTIONS,
        *validity(machine),
    )


def to_json(model: str, rows: Sequence[MeshRow], noc: Noc, machine: Machine) -> dict[str, Any]:
    """JSON-ready values."""
    return {
        "model": model,
        "machine": machine.name,
        "l2_bytes_per_cycle": noc.l2_bytes_per_cycle,
        "hop_cycles": noc.hop_cycles,
        "hop_pj_per_byte": noc.hop_pj_per_byte,
        "assumptions": list(assumptions(noc, machine)),
        "published": PUBLISHED[1],
        "rows": [row.to_json() for row in rows],
    }


def csv_rows(rows: Sequence[MeshRow], *, per_phase: bool) -> list[dict[str, Any]]:
    """A line for every number of clusters, or for every phase."""
    if per_phase:
        return [{"clusters": row.clusters, **asdict(one)} for row in rows for one in row.phases]
    return [{k: v for k, v in row.to_json().items() if k != "phases"} for row in rows]


def page(model: str, rows: Sequence[MeshRow], noc: Noc, machine: Machine) -> str:
    """Speed-up, energy and what binds by number of clusters, with tables and assumptions.

    Raises:
        UserError: the library of the extra `report` is missing.
    """
    counts = [row.clusters for row in rows]
    charts = {
        "speed": _lines(
            "speed-up",
            counts,
            {"speed-up": [row.speed_up for row in rows], "ideal": [float(n) for n in counts]},
        ),
        "energy": _lines(
            "energy, mJ", counts, {"energy": [row.energy_j * 1e3 for row in rows]}, log_y=False
        ),
        "binds": _binds(rows),
    }
    parts = [
        html_table(HEAD, [figures(row) for row in rows]),
        html_list([": ".join(PUBLISHED)]),
        *map(chart_place, charts),
        heading("Phases"),
        html_table(PHASE_HEAD, [line for row in rows for line in phase_figures(row)]),
        heading("Assumptions"),
        html_list(assumptions(noc, machine)),
    ]
    return document("softex mesh", f"{model} on a mesh of {machine.name} clusters", parts, charts)


def _lines(
    title: str, counts: Sequence[int], lines: dict[str, list[float]], *, log_y: bool = True
) -> dict[str, Any]:
    data = [{"name": name, "x": list(counts), "y": values} for name, values in lines.items()]
    kind = "log" if log_y else "linear"
    return {
        "data": [{"type": "scatter", "mode": "lines+markers", **line} for line in data],
        "layout": {
            "title": {"text": title},
            "xaxis": {"type": "log", "tickvals": list(counts), "title": {"text": "clusters"}},
            "yaxis": {"type": kind, "title": {"text": title}},
        },
    }


def _binds(rows: Sequence[MeshRow]) -> dict[str, Any]:
    """Cycles by what binds them, stacked."""
    causes: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        parts = [(phase.binds, phase.cycles - phase.exchange) for phase in row.phases]
        parts += [(EXCHANGE, phase.exchange) for phase in row.phases]
        for cause, cycles in parts or [(row.binds, row.cycles)]:
            causes.setdefault(cause, [0] * len(rows))[place] += cycles
    names = [str(row.clusters) for row in rows]
    return {
        "data": [
            {"type": "bar", "name": binding(cause), "x": names, "y": cycles}
            for cause, cycles in causes.items()
        ],
        "layout": {
            "barmode": "stack",
            "title": {"text": "what binds"},
            "xaxis": {"type": "category", "title": {"text": "clusters"}},
            "yaxis": {"title": {"text": "cycles"}},
        },
    }
