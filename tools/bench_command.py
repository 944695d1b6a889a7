"""What `softex bench` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from softex_mlir.files import write_atomically
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
    show_tables(benchmark(machine), machine, form, output)


def show_tables(tables: Sequence[Table], machine: Machine, form: Form, output: Path | None) -> None:
    """Print or write a benchmark's provenance and tables."""
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


RESUMED = {
    "paper": "softex_mlir.runtime.experiments.paper:paper",
    "quality": "softex_mlir.runtime.experiments.quality_bench:quality",
    "generate": "softex_mlir.runtime.experiments.bench_generate:generation",
}
"""Long benchmarks that keep what was measured, by name: `tables(machine, state, progress)`."""


def run_resumed(name: str, machine: Machine, form: Form, output: Path | None) -> None:
    """Run one of `RESUMED`; one that writes a file goes on where another stopped."""
    from softex_mlir.tools.progress import experiment_line

    module, function = RESUMED[name].split(":")
    measure = getattr(import_module(module), function)
    state = None if output is None else output.with_name(f"{output.name}.part")
    with experiment_line(f"softex bench {name}") as progress:
        tables: Sequence[Table] = measure(machine, state, progress)
    if output is not None and output.suffix == ".html" and form is Form.text:
        write_atomically(output, _page(name, machine, tables))
    else:
        show_tables(tables, machine, form, output)
    if state is not None:
        state.unlink(missing_ok=True)


def _page(name: str, machine: Machine, tables: Sequence[Table]) -> str:
    from softex_mlir.runtime.report.plain import document, heading, html_table, paragraph

    parts = [*map(paragraph, provenance(machine).splitlines())]
    for table in tables:
        parts += [heading(table.title), html_table(table.columns, table.rows)]
    title = {
        "paper": "The paper's figures and ours",
        "quality": "Accuracy against cycles and energy",
        "generate": "Generation",
    }[name]
    return document(f"softex bench {name}", title, parts, {})


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
