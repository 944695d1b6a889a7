"""What `softex mesh` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from rich.table import Table

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.mesh.division import Grid
from softex_mlir.compiler.mesh.noc import Noc
from softex_mlir.errors import UserError
from softex_mlir.files import write_atomically
from softex_mlir.runtime.mesh.check import MeshCheck, compare
from softex_mlir.runtime.mesh.report import (
    HEAD,
    PHASE_HEAD,
    PUBLISHED,
    assumptions,
    csv_rows,
    figures,
    page,
    phase_figures,
    to_json,
)
from softex_mlir.runtime.mesh.study import MeshRow, MeshStudy
from softex_mlir.tools.forms import Form, emit, rendered
from softex_mlir.tools.progress import status_line


def counts_of(text: str) -> tuple[int, ...]:
    """Numbers of clusters: `1,4,16`.

    Raises:
        typer.BadParameter: it is no list of numbers.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(
            f"expected numbers as in 1,4,16, found '{text}'", param_hint="--clusters"
        )
    return tuple(dict.fromkeys(map(int, parts)))


def grid_of(text: str | None) -> Grid | None:
    """Parts of the rows x parts of the columns: `4x2`.

    Raises:
        typer.BadParameter: it is none.
    """
    if text is None:
        return None
    rows, by, columns = text.partition("x")
    if not (by and rows.isdecimal() and columns.isdecimal() and int(rows) and int(columns)):
        raise typer.BadParameter(
            f"expected parts of the rows x of the columns: 4x2, found '{text}'", param_hint="--grid"
        )
    return Grid(int(rows), int(columns))


def run_mesh(
    compilation: Compilation,
    nocs: Sequence[Noc],
    grid: Grid | None,
    form: Form,
    *,
    check: bool,
    per_phase: bool,
    html: Path | None,
    output: Path | None,
) -> int:
    """Divide a model between clusters, simulate, print; exit status 1 if bits differ.

    Raises:
        UserError: a grid has more cells than there are clusters.
    """
    for noc in nocs:
        if grid is not None and grid.rows * grid.columns > noc.clusters:
            raise UserError(
                f"--grid {grid} takes {grid.rows * grid.columns} clusters: expected at most the "
                f"{noc.clusters} of --clusters"
            )
    checks: dict[int, MeshCheck] = {}
    with status_line() as show:
        study = MeshStudy(compilation, show)
        rows = study.rows(nocs, grid)
        for noc in nocs if check else ():
            show(f"{noc.clusters} clusters: comparing bits")
            phases = study.planner.plan(noc, grid)
            checks[noc.clusters] = compare(compilation, study.planner.division, phases, noc)
    machine, model = compilation.machine, compilation.model.name
    if html is not None:
        write_atomically(html, page(model, rows, nocs[0], machine))
    found = {str(n): asdict(one) | {"identical": one.identical} for n, one in checks.items()}
    emit(
        form,
        output,
        text=lambda: rendered(
            _parts(compilation, rows, nocs[0], study.simulated, checks, per_phase=per_phase), output
        ),
        data=lambda: to_json(model, rows, nocs[0], machine) | ({"check": found} if check else {}),
        rows=lambda: csv_rows(rows, per_phase=per_phase),
    )
    return 0 if all(one.identical for one in checks.values()) else 1


def _parts(
    compilation: Compilation,
    rows: Sequence[MeshRow],
    noc: Noc,
    simulated: int,
    checks: Mapping[int, MeshCheck],
    *,
    per_phase: bool,
) -> Iterator[object]:
    machine = compilation.machine
    yield (
        f"{compilation.model.name} on meshes of {machine.name} clusters at "
        f"{machine.operating_points[0].voltage} V, from {simulated} simulated programs of phases"
    )
    yield _table(HEAD, [figures(row) for row in rows])
    yield ": ".join(PUBLISHED)
    if per_phase:
        yield _table(PHASE_HEAD, [line for row in rows for line in phase_figures(row)])
    for clusters, one in checks.items():
        verdict = "bit-identical to" if one.identical else f"{one.different} DIFFER from"
        yield (
            f"check, {clusters} clusters: {one.programs} programs simulated, {one.elements} "
            f"elements of outputs {verdict} the one-cluster program"
        )
    yield "assumed:"
    for text in assumptions(noc, machine):
        yield f"- {text}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in head:
        words = name in ("layers", "binds", "grid")
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    for row in rows:
        # A layer's name breaks behind its slashes only.
        table.add_row(*(cell.replace(" /", "\N{NO-BREAK SPACE}/") for cell in row))
    return table
