"""Commands that study models, machines and the simulator, and the example."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from softex_mlir.tools.forms import checked_form, emit, form_of
from softex_mlir.tools.given import chosen_model, machine_of, shapes_of, sizes_of
from softex_mlir.tools.options import (
    AccuracyOption,
    BatchOption,
    ConfigOption,
    CsvOption,
    DimOption,
    JsonOption,
    LayersOption,
    SetOption,
    ShapeOption,
    TableFileOption,
    TargetOption,
    TokensOption,
    WeightsOption,
)

study_app = typer.Typer()


SchedulerOption = Annotated[
    str | None,
    typer.Option(
        help="Use the workers of this Dask scheduler, tcp://host:port.", metavar="ADDRESS"
    ),
]


def _one_of(one: object, other: object, hint: str) -> None:
    if one and other:
        raise typer.BadParameter("expected one of them", param_hint=hint)


@study_app.command()
def quality(
    model: Annotated[
        str, typer.Argument(help="What `softex compile` takes, or a program that it wrote.")
    ],
    inputs: Annotated[
        Path | None,
        typer.Option(
            help="Inputs by name (.npz), for many with a dimension in front; default: random."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="FP32 outputs (.npz) or an ONNX file that computes them; default: the model's "
            "source, or outputs among the inputs."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="Machine description; default: paper.")
    ] = None,
    shape: ShapeOption = None,
    dim: DimOption = None,
    weights: WeightsOption = None,
    config: ConfigOption = None,
    tokens: TokensOption = None,
    batch: BatchOption = None,
    layers: LayersOption = None,
    settings: SetOption = None,
    accuracy: AccuracyOption = None,
    entry: Annotated[
        str | None, typer.Option(help="Which of several entries of a program, run by itself.")
    ] = None,
    logits: Annotated[
        list[str] | None,
        typer.Option(
            help="An output of logits: KL divergence and perplexity, too.", metavar="NAME"
        ),
    ] = None,
    contributions: Annotated[
        bool, typer.Option("--contributions", help="What every kind of layer adds.")
    ] = False,
    per_layer: Annotated[bool, typer.Option("--per-layer", help="What every layer adds.")] = False,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            help="Vary a setting: sums=0,192,96 (inner values of linear layers' sums), values=0,64 "
            "(keys of attention's), terms=2,4 (of GELU), or a section.key of the machine "
            "(softex.accumulator_bits=12,14, softex.expp=rtl,paper).",
            metavar="KEY=V,V",
        ),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Compare with this report; exit status 1 if it is worse.")
    ] = None,
    bound: Annotated[
        float, typer.Option(min=0, help="How much worse a mean may be, of the baseline's.")
    ] = 0.1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one a core of the host.")
    ] = None,
    scheduler: SchedulerOption = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--report",
            help="Write the report (JSON, or CSV); an interrupted study goes on from it.",
        ),
    ] = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """How close a model on the cluster comes to FP32, over many inputs, without simulating it."""
    from softex_mlir.files import check_outputs
    from softex_mlir.runtime.remote import Remote
    from softex_mlir.tools.quality_command import print_quality

    _one_of(workers, scheduler, "--workers and --scheduler")
    check_outputs([report], [model, inputs, reference, baseline, weights, config])
    print_quality(
        chosen_model(model, sizes_of(tokens, batch, layers), weights, config),
        inputs,
        reference=reference,
        target=machine_of(target or "paper", settings) if settings else target,
        shapes=shapes_of(model, shape, dim),
        accuracy=accuracy,
        entry=entry,
        logits=logits or (),
        layers="all" if per_layer else "kinds" if contributions else None,
        sweeps=sweep or (),
        workers=workers if scheduler is None else Remote(scheduler),
        baseline=baseline,
        bound=bound,
        report=report,
        form=form_of(as_json=json, as_csv=csv, output=report),
    )


@study_app.command()
def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="paper, vit-base, models, kernels, calibration, estimate, accuracy, quality, "
            "generate, core, onnx."
        ),
    ],
    target: TargetOption = "paper",
    settings: SetOption = None,
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """Repeat a published experiment; the published value stands beside ours."""
    from softex_mlir.runtime.experiments.benchmarks import BENCHMARKS
    from softex_mlir.tools.bench_command import RESUMED, run_benchmark, run_resumed

    if name not in (*BENCHMARKS, *RESUMED):
        names = ", ".join((*RESUMED, *BENCHMARKS))
        raise typer.BadParameter(f"one of {names}", param_hint="NAME")
    form = checked_form(output, [target], as_json=json, as_csv=csv)
    machine = machine_of(target, settings)
    if name in RESUMED:
        run_resumed(name, machine, form, output)
    else:
        run_benchmark(BENCHMARKS[name], machine, form, output)


@study_app.command()
def explore(
    models: Annotated[list[str], typer.Argument(help="Models: files or built-in names.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Directory for points, tables and the page.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A knob: section.key=value,value.", metavar="KEY=VALUES"),
    ] = None,
    target: TargetOption = "paper",
    objective: Annotated[
        str, typer.Option(help="What counts: of latency, energy, area (multipliers, KiB).")
    ] = "latency,energy,area",
    random: Annotated[
        int, typer.Option(min=0, help="Draw so many machines of the grid; 0 for all.")
    ] = 0,
    search: Annotated[
        int,
        typer.Option(
            min=0, help="Let Optuna look for the best with so many machines; 0 for the whole grid."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw or the search.")] = 0,
    simulate: Annotated[
        int,
        typer.Option(
            min=0, help="Simulate so many points of the front, of each model the fastest."
        ),
    ] = 20,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one a core of the host.")
    ] = None,
    scheduler: SchedulerOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in a directory that holds a sweep.")
    ] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write points.parquet too.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Write the page explore.html too.")] = False,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """What models cost on many machines: estimate all, simulate the best, show what binds.

    A machine on which a model has no program is a row with the reason.
    """
    from softex_mlir.tools.explore_command import explore as run_explore

    _one_of(random, search, "--random and --search")
    _one_of(jobs, scheduler, "--jobs and --scheduler")
    run_explore(
        models,
        settings or [],
        output,
        target=target,
        objectives=[name.strip() for name in objective.split(",")],
        draw=random,
        searched=search,
        seed=seed,
        simulated=simulate,
        jobs=jobs,
        scheduler=scheduler,
        resume=resume,
        parquet=parquet,
        html=html,
        form=form_of(as_json=json, as_csv=csv),
    )


@study_app.command()
def coefficients(
    terms: Annotated[int, typer.Argument(help="Number of exponentials, 1 to 32.")],
    target: TargetOption = "paper",
    no_tune: Annotated[
        bool, typer.Option("--no-tune", help="Keep the minimax fit as BF16 rounds it.")
    ] = False,
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """Fit GELU coefficients for SoftEx and screen them against mantissa wraps."""
    from softex_mlir.tools.coefficients_command import print_coefficients

    form = checked_form(output, [target], as_json=json, as_csv=csv)
    machine = machine_of(target)
    print_coefficients(terms, machine, form, output, tune=not no_tune)


@study_app.command()
def sim(
    program: Annotated[Path, typer.Argument(help="Any bare-metal ELF32 RISC-V program.")],
    target: TargetOption = "paper",
    max_instructions: Annotated[
        int, typer.Option(min=1, help="Give up after so many instructions.")
    ] = 1_000_000_000,
    signature: Annotated[
        Path | None,
        typer.Option(help="Write begin_signature..end_signature here, a hexadecimal word a line."),
    ] = None,
    memory: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BASE:SIZE",
            help="Memory besides the program's segments, as in 0x80000000:64Ki (may be repeated); "
            "default: 128 MiB behind each of them.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a bare-metal program on one core; `tohost` decides the exit status."""
    from softex_mlir.tools.sim_command import memory_of, run_bare_metal

    raise SystemExit(
        run_bare_metal(
            program,
            machine_of(target),
            max_instructions,
            signature,
            memory_of(memory),
            as_json=json,
        )
    )


@study_app.command()
def bisect(
    model: Annotated[
        str, typer.Argument(help="What `softex compile` takes, or a program that it wrote.")
    ],
    passes: Annotated[
        str | None,
        typer.Option("-p", "--passes", help="Passes to look at, as of softex-opt; default: all."),
    ] = None,
    input: Annotated[
        Path | None, typer.Option("--input", help="Inputs by the model's names; default: random.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Of float32 results, of an output's largest value.")
    ] = 1e-4,
    target: TargetOption = "paper",
    settings: SetOption = None,
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """The first pass, or of a program the first operation, from which results differ.

    Exit status 0 if nothing differs, 1 if something does.
    """
    from softex_mlir.tools.bisect_command import run_bisect

    form = checked_form(output, [model, input], as_json=json, as_csv=csv)
    machine = machine_of(target, settings)
    raise SystemExit(run_bisect(model, machine, passes, input, tolerance, form, output))


@study_app.command()
def operators(
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
    markdown: Annotated[
        bool,
        typer.Option(help="Print the page of all operators: which unit, or refused and why."),
    ] = False,
) -> None:
    """List the ONNX operators the importer reads, with what is supported of each."""
    from softex_mlir.compiler.importers.onnx.importer import supported_operators
    from softex_mlir.compiler.importers.onnx.support import operator_support, operators_page

    if markdown and (json or csv):
        raise typer.BadParameter("--markdown goes with neither --json nor --csv")
    table = supported_operators()
    width = max(map(len, table))
    emit(
        checked_form(output, [], as_json=json, as_csv=csv),
        output,
        text=lambda: (
            operators_page()
            if markdown
            else "".join(f"{name:{width}}  {note}\n" for name, note in table.items())
        ),
        data=lambda: table,
        rows=lambda: [
            {"operator": name, "runs": support.runs, "supported": support.note}
            for name, support in operator_support().items()
        ],
    )


@study_app.command()
def demo(
    target: TargetOption = "paper",
    save: Annotated[
        Path | None,
        typer.Option(
            help="Only write an example there: a small ViT as ONNX, inputs, FP32 outputs.",
            metavar="DIR",
        ),
    ] = None,
) -> None:
    """Build a small ViT with seeded weights, compile it, run it, print the report."""
    if save is not None:
        from softex_mlir.tools.example import save_example

        model, arrays = save_example(save)
        stem = model.with_suffix("")
        sys.stdout.write(
            f"written: {model} and {arrays}; go on with\n"
            f"  softex compile {model} -o {stem}.elf\n"
            f"  softex run {stem}.elf --input {arrays} --check\n"
        )
        return
    from softex_mlir.tools.demo import run_demo

    run_demo(machine_of(target))
