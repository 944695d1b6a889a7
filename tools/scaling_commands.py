"""Commands about more than one cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from softex_mlir.tools.forms import form_of
from softex_mlir.tools.given import chosen_model, machine_of, shapes_of, sizes_of
from softex_mlir.tools.options import (
    AccuracyOption,
    BatchOption,
    ConfigOption,
    CsvOption,
    DimOption,
    JsonOption,
    LayersOption,
    ModelArgument,
    PointOption,
    SetOption,
    ShapeOption,
    TableFileOption,
    TargetOption,
    TokensOption,
    WeightsOption,
)

scaling_app = typer.Typer()


@scaling_app.command()
def mesh(
    model: ModelArgument,
    clusters: Annotated[
        str, typer.Option(help="Numbers of clusters, each 1 to 64.", metavar="N,N")
    ] = "1,4,16,64",
    grid: Annotated[
        str | None,
        typer.Option(
            help="Divide every phase so: parts of the rows (data parallel) x parts of the columns "
            "and heads (tensor parallel). Default: what the cost model likes best, phase by phase.",
            metavar="RxC",
        ),
    ] = None,
    l2_bandwidth: Annotated[
        float, typer.Option(help="Bytes a cycle and direction of the L2, for all clusters.")
    ] = 64.0,
    hop_latency: Annotated[
        int, typer.Option(min=0, max=1000, help="Cycles from router to router, one way.")
    ] = 4,
    hop_energy: Annotated[
        float, typer.Option(min=0, help="pJ a byte from router to router, at 0.8 V.")
    ] = 0.19,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Simulate the programs of all clusters; compare all bits with one's."
        ),
    ] = False,
    per_phase: Annotated[bool, typer.Option("--per-phase", help="Every phase, too.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots.")] = None,
    target: TargetOption = "paper",
    settings: SetOption = None,
    shape: ShapeOption = None,
    dim: DimOption = None,
    weights: WeightsOption = None,
    config: ConfigOption = None,
    tokens: TokensOption = None,
    batch: BatchOption = None,
    layers: LayersOption = None,
    accuracy: AccuracyOption = None,
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """A model on a mesh of clusters: speed-up, energy, and what binds.

    Layers are divided by rows, columns and heads; the programs of the clusters are simulated one
    by one, phase by phase, and put together by a model of the network, whose assumptions are
    printed. Sums are never divided: the bits are those of one cluster.
    """
    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.compiler.mesh.noc import Noc
    from softex_mlir.files import check_outputs
    from softex_mlir.tools.mesh_command import counts_of, grid_of, run_mesh

    form = form_of(as_json=json, as_csv=csv, output=output)
    check_outputs([html, output], [model, target, weights, config])
    counts = counts_of(clusters)
    nocs = [Noc(count, l2_bandwidth, hop_latency, hop_energy) for count in counts]
    compilation = Compilation.of(
        chosen_model(model, sizes_of(tokens, batch, layers), weights, config),
        machine_of(target, settings),
        shapes=shapes_of(model, shape, dim),
        accuracy=accuracy,
    )
    status = run_mesh(
        compilation,
        nocs,
        grid_of(grid),
        form,
        check=check,
        per_phase=per_phase,
        html=html,
        output=output,
    )
    raise SystemExit(status)


@scaling_app.command()
def requests(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Profiles (softex run --profile p.json), programs or models, which are run once."
        ),
    ],
    rate: Annotated[
        str | None,
        typer.Option(help="Requests a second, of all models together.", metavar="R,R"),
    ] = None,
    arrivals: Annotated[
        Path | None, typer.Option(help="CSV file with the columns seconds and, of several, model.")
    ] = None,
    clusters: Annotated[
        str, typer.Option(help="Numbers of clusters that serve them.", metavar="N,N")
    ] = "1",
    count: Annotated[int, typer.Option("--requests", help="How many are drawn.")] = 10_000,
    shares: Annotated[
        str | None,
        typer.Option(help="Shares of the models; default: alike.", metavar="S,S"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    deadline: Annotated[
        float | None, typer.Option(min=0, help="ms in which a request has to be done.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots.")] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="Machine of models; default: paper.")
    ] = None,
    settings: SetOption = None,
    operating_point: PointOption = None,
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """Streams of requests to compiled models on clusters: latency, energy a request, utilisation.

    Requests wait in one queue for the first free cluster, and take what one measured run took.
    """
    from softex_mlir.files import check_outputs
    from softex_mlir.tools.requests_command import (
        clusters_of,
        run_requests,
        services_of,
        streams_of,
    )

    form = form_of(as_json=json, as_csv=csv, output=output)
    check_outputs([html, output], [*models, arrivals, target])
    counts = clusters_of(clusters)
    chosen = target is not None or settings
    machine = machine_of(target or "paper", settings) if chosen else None
    services = services_of(models, machine, operating_point)
    streams, source = streams_of(services, arrivals, rate, count, shares, seed)
    run_requests(
        services,
        counts,
        streams,
        source,
        form,
        deadline_s=None if deadline is None else deadline / 1e3,
        html=html,
        output=output,
    )
