"""What `softex bench` prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from softex_mlir.files import json_text
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.measure import Table, provenance


def run_benchmark(
    benchmark: Callable[[Machine], Sequence[Table]], machine: Machine, *, as_json: bool
) -> None:
    """Run one benchmark and print its provenance and tables."""
    tables = benchmark(machine)
    if as_json:
        data = {
            "provenance": provenance(machine).splitlines(),
            "tables": [
                {
                    "title": table.title,
                    "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows],
                }
                for table in tables
            ],
        }
        sys.stdout.write(json_text(data))
        return
    from rich.table import Table as RichTable

    from softex_mlir.tools.tables import console

    out = console()
    out.print(provenance(machine), markup=False, highlight=False)
    for table in tables:
        rich = RichTable(title=table.title)
        for position, column in enumerate(table.columns):
            rich.add_column(column, justify="left" if position == 0 else "right", overflow="fold")
        for row in table.rows:
            rich.add_row(*row)
        out.print(rich)
