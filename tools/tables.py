"""Tables the commands print."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from softex_mlir.runtime.profile import Profile


FILE_WIDTH = 120
"""Columns of a table that goes to a file or a pipe."""


def console() -> Console:
    """Standard output: as wide as the terminal, wide enough for the tables without one."""
    found = Console()
    return found if found.is_terminal else Console(width=FILE_WIDTH)


def profile_tables(profile: Profile) -> list[Table]:
    """Summary, busy shares and layers of a run."""
    point = profile.operating_point
    summary = Table(title="Run", show_header=False)
    for name, value in (
        ("cycles", f"{profile.cycles:,}"),
        (
            "time",
            f"{profile.seconds * 1e3:.3f} ms at {point.voltage} V, "
            f"{point.frequency_hz / 1e6:.0f} MHz",
        ),
        ("multiply-accumulates", f"{profile.macs / 1e6:,.2f} M"),
        ("throughput", f"{profile.gops:.1f} GOPS"),
        ("energy", f"{profile.energy_j * 1e6:.1f} µJ (calibrated on the published totals)"),
        ("efficiency", f"{profile.tops_per_watt:.3f} TOPS/W"),
    ):
        summary.add_row(name, value)

    units = Table(title="Units")
    units.add_column("unit")
    for column in ("busy cycles", "busy share", "jobs"):
        units.add_column(column, justify="right")
    for name, unit in profile.units.items():
        jobs = f"{unit.jobs:,}" if unit.jobs else ""
        units.add_row(name, f"{unit.busy_cycles:,}", f"{unit.busy_share:.1%}", jobs)

    layers = Table(title="Layers (they overlap: spans do not add up)")
    layers.add_column("layer", overflow="fold")
    for column in ("start", "cycles", "redmule", "softex", "dma in", "dma out"):
        layers.add_column(column, justify="right")
    for layer in profile.layers:
        figures = (
            layer.start,
            layer.cycles,
            layer.redmule,
            layer.softex,
            layer.dma_in,
            layer.dma_out,
        )
        layers.add_row(layer.name, *(f"{figure:,}" for figure in figures))
    return [summary, units, layers]


def placement_table(placement: Iterable[object]) -> Table:
    """Which unit each operation runs on, and why."""
    table = Table(title="Placement")
    for column in ("layer", "operation", "unit", "reason"):
        table.add_column(column, overflow="fold")
    for entry in placement:
        table.add_row(
            getattr(entry, "layer", ""),
            getattr(entry, "op", ""),
            getattr(entry, "unit", ""),
            getattr(entry, "reason", ""),
        )
    return table
