"""What `softex bench` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.measure import Table, provenance
from softex_mlir.tools.forms import Form, emit, rendered


def run_benchmark(
    benchmark: Callable[[Machine], Sequence[Table]],
    machine: Machine,
    form: Form,
    output: Path | None,
) -> None:
    """Run one benchmark; print or write its provenance and tables."""
    tables = benchmark(machine)
    emit(
        form,
        output,
        text=lambda: rendered([provenance(machine), *map(_rich, tables)], output),
        data=lambda: {
            "provenance": provenance(machine).splitlines(),
            "tables": [{"title": table.title, "rows": _rows(table)} for table in tables],
        },
        rows=lambda: [{"table": table.title, **row} for table in tables for row in _rows(table)],
    )


def _rows(table: Table) -> list[dict[str, str]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _rich(table: Table) -> Any:
    from rich.table import Table as RichTable

    rich = RichTable(title=table.title)
    for position, column in enumerate(table.columns):
        rich.add_column(column, justify="left" if position == 0 else "right", overflow="fold")
    for row in table.rows:
        rich.add_row(*row)
    return rich
