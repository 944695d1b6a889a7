"""What `softex requests` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from softex_mlir.errors import UserError
from softex_mlir.files import write_atomically
from softex_mlir.runtime.requests.arrivals import Arrivals, poisson, read_arrivals
from softex_mlir.runtime.requests.queue import Served, serve
from softex_mlir.runtime.requests.report import (
    MODEL_HEAD,
    assumptions,
    figures,
    head,
    model_figures,
    overload,
    page,
    service_lines,
    to_json,
)
from softex_mlir.runtime.requests.service import Service, check_alike, read_service
from softex_mlir.tools.forms import Form, emit, rendered
from softex_mlir.tools.progress import status_line

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine

MOST_CLUSTERS = 10_000


def numbers(text: str, option: str) -> list[float]:
    """`1,2.5,4` as numbers.

    Raises:
        typer.BadParameter: one is none.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"expected numbers as in 1,2,4, found '{text}'", param_hint=option
        ) from None


def clusters_of(text: str) -> list[int]:
    """Numbers of clusters.

    Raises:
        typer.BadParameter: one is no positive integer.
    """
    counts = numbers(text, "--clusters")
    for count in counts:
        if count != int(count) or not 1 <= count <= MOST_CLUSTERS:
            raise typer.BadParameter(
                f"expected 1 to {MOST_CLUSTERS:,}, found {count:g}", param_hint="--clusters"
            )
    return [int(count) for count in counts]


def services_of(
    models: Sequence[str], machine: Machine | None, operating_point: str | None
) -> list[Service]:
    """What requests to models take: profiles as they are, programs and models run once.

    Raises:
        UserError: one cannot be read, or they cannot share clusters.
    """
    found: list[Service] = []
    with status_line() as show:
        for model in models:
            if Path(model).suffix == ".json":
                found.append(read_service(Path(model)))
                continue
            show(f"{model}: one run")
            found.append(_measured(model, machine, operating_point))
    check_alike(found)
    return found


def _measured(model: str, machine: Machine | None, operating_point: str | None) -> Service:
    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.runtime.program import Program
    from softex_mlir.runtime.session import run

    if Path(model).suffix == ".elf":
        program = Program.load(model)
        if machine is not None and machine.hash != program.machine.hash:
            raise UserError(
                f"{model}: was compiled for '{program.machine.name}': --target and --set are for "
                "models that are compiled now; leave them out"
            )
    else:
        program = Compilation.of(model, machine).program()
    if program.entries:
        raise UserError(
            f"{model}: has the entries {', '.join(program.entries)}: expected a program of one; "
            "give the profile of a run: softex run --entry … --profile p.json"
        )
    profile = run(program, functional=False, operating_point=operating_point).profile
    return Service.of_json(profile.to_json(), Path(model).stem, model)


def run_requests(
    services: Sequence[Service],
    counts: Sequence[int],
    streams: Sequence[Arrivals],
    source: str,
    form: Form,
    *,
    deadline_s: float | None,
    html: Path | None,
    output: Path | None,
) -> None:
    """Serve streams of requests by so many clusters, and print what became of them."""
    rows = [
        serve(stream, services, clusters, deadline_s) for clusters in counts for stream in streams
    ]
    if html is not None:
        write_atomically(html, page(rows, services, source, deadline_s))
    emit(
        form,
        output,
        text=lambda: rendered(_parts(rows, services, source, deadline_s), output),
        data=lambda: to_json(rows, services, source, deadline_s),
        rows=lambda: [row.to_json() for row in rows],
    )


def streams_of(
    services: Sequence[Service],
    arrivals: Path | None,
    rates: str | None,
    count: int,
    shares: str | None,
    seed: int,
) -> tuple[list[Arrivals], str]:
    """Requests of a file, or drawn at every rate; and what they are in words.

    Raises:
        typer.BadParameter: both are asked for or none, or shares that are not those of models.
        UserError: what is asked for says nothing.
    """
    if (arrivals is None) == (rates is None):
        found = "neither" if arrivals is None else "both"
        raise typer.BadParameter(f"expected one, found {found}", param_hint="--rate or --arrivals")
    names = [service.name for service in services]
    if arrivals is not None:
        if shares is not None:
            raise typer.BadParameter(
                "is for drawn requests: the file names the models", param_hint="--shares"
            )
        stream = read_arrivals(arrivals, names)
        return [stream], f"{len(stream.times):,} requests of {arrivals}"
    chosen = [1.0] * len(names) if shares is None else numbers(shares, "--shares")
    if len(chosen) != len(names):
        raise typer.BadParameter(
            f"expected one for each of {', '.join(names)}, found {len(chosen)}",
            param_hint="--shares",
        )
    streams = [poisson(rate, count, chosen, seed) for rate in numbers(rates or "", "--rate")]
    return streams, f"{count:,} Poisson arrivals, seed {seed}"


def _parts(
    rows: Sequence[Served], services: Sequence[Service], source: str, deadline_s: float | None
) -> Iterator[object]:
    yield source
    yield from service_lines(services)
    yield _table(head(rows, deadline_s), [figures(row) for row in rows])
    if len(services) > 1:
        yield _table(MODEL_HEAD, model_figures(rows))
    if sentence := overload(rows):
        yield sentence
    yield "assumed:"
    for text in assumptions(services):
        yield f"- {text}"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name == "model" else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
