"""Commands about a model: compiling it, and what it will cost."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from softex_mlir.tools.given import (
    chosen_model,
    machine_of,
    readable,
    shapes_of,
    sizes_of,
)
from softex_mlir.tools.options import (
    AccuracyOption,
    AccuracyReportOption,
    BatchOption,
    BoundOption,
    CalibrateOption,
    ConfigOption,
    CsvOption,
    DimOption,
    EnergyOption,
    JsonOption,
    KeepOutputOption,
    LastTokenOption,
    LayersOption,
    Level,
    MaxLengthOption,
    MetricOption,
    ModelArgument,
    NoRedmuleOption,
    NoSoftexOption,
    PerLayerOption,
    PointOption,
    ReportOption,
    SetOption,
    ShapeOption,
    TargetOption,
    TcdmOption,
    TilesOption,
    TokensOption,
    WeightsOption,
)

if TYPE_CHECKING:
    from softex_mlir.compiler.model import Model
    from softex_mlir.tools.pass_options import PassInstrumentation

model_app = typer.Typer()


@model_app.command()
def compile(
    model: ModelArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write; text levels default to stdout."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="Machine description: a shipped name (paper, ideal) or a TOML file; default: "
            "that of a scheduled .mlir file, else paper.",
            show_default=False,
        ),
    ] = None,
    emit: Annotated[
        Level, typer.Option(help="Level to stop at; files of one can be compiled on.")
    ] = Level.elf,
    shape: ShapeOption = None,
    dim: DimOption = None,
    weights: WeightsOption = None,
    config: ConfigOption = None,
    tokens: TokensOption = None,
    batch: BatchOption = None,
    layers: LayersOption = None,
    max_length: MaxLengthOption = None,
    tcdm_bytes: TcdmOption = None,
    no_softex: NoSoftexOption = False,
    no_redmule: NoRedmuleOption = False,
    settings: SetOption = None,
    tiles: TilesOption = None,
    accuracy: BoundOption = None,
    calibrate: CalibrateOption = None,
    metric: MetricOption = None,
    accuracy_report: AccuracyReportOption = None,
    keep_output: KeepOutputOption = None,
    last_token: LastTokenOption = False,
    placement: Annotated[
        bool, typer.Option("--placement", help="Print which unit each operation runs on, and why.")
    ] = False,
    self_check: Annotated[
        bool | None,
        typer.Option(
            help="Evaluate the model on random inputs against ONNX's reference implementation; "
            "default: models of up to 1 GMAC.",
            show_default=False,
        ),
    ] = None,
    print_after_all: Annotated[
        bool, typer.Option("--mlir-print-ir-after-all", help="Print the IR after every pass.")
    ] = False,
    print_after: Annotated[
        list[str] | None,
        typer.Option("--mlir-print-ir-after", help="Print the IR after this pass.", metavar="PASS"),
    ] = None,
    print_after_change: Annotated[
        bool,
        typer.Option("--mlir-print-ir-after-change", help="Of these, only what a pass changed."),
    ] = False,
    print_before: Annotated[
        list[str] | None,
        typer.Option(
            "--mlir-print-ir-before", help="Print the IR before this pass.", metavar="PASS"
        ),
    ] = None,
    timing: Annotated[
        bool, typer.Option("--mlir-timing", help="Print how long each pass took.")
    ] = False,
    statistics: Annotated[
        bool,
        typer.Option("--mlir-pass-statistics", help="Print what each pass added and removed."),
    ] = False,
    crash_reproducer: Annotated[
        Path | None,
        typer.Option(
            "--mlir-pass-pipeline-crash-reproducer",
            help="If a pass fails, write its input and its name here, for softex-opt.",
            metavar="FILE",
        ),
    ] = None,
    dump_phases: Annotated[
        Path | None,
        typer.Option(
            "--dump-phases",
            help="Write the module after every pass into a new folder; each compiles on.",
            metavar="DIR",
        ),
    ] = None,
    per_layer: PerLayerOption = False,
    energy: EnergyOption = False,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """Compile a model to a program (one ELF file), or print any level on the way.

    A program comes with a summary of what the cost model expects of it.
    """
    from softex_mlir.compiler.outputs import OutputChoice
    from softex_mlir.files import check_outputs
    from softex_mlir.front_door import compile_and_check
    from softex_mlir.tools.accuracy_command import accuracy_wanted
    from softex_mlir.tools.compile_command import (
        PassesShown,
        PassWatches,
        made_line,
        print_placement,
        write_compiled,
        write_graph,
    )
    from softex_mlir.tools.forms import form_of
    from softex_mlir.tools.pass_options import PassInstrumentation, split_names

    form = form_of(as_json=json, as_csv=csv)
    if emit is Level.elf and output is None:
        raise typer.BadParameter("an ELF file needs a name: -o FILE", param_hint="-o")
    check_outputs(
        [output, accuracy_report], [model, weights, config, tiles, target, calibrate, accuracy]
    )
    model = readable(model)
    shapes = shapes_of(model, shape, dim)
    instrument = PassInstrumentation(
        after_all=print_after_all,
        after=split_names(print_after or ()),
        before=split_names(print_before or ()),
        only_changed=print_after_change,
        timing=timing,
        statistics=statistics,
    )
    _check_passes(instrument)
    between = PassesShown(instrument)
    watches = PassWatches.of(between, dump_phases, crash_reproducer)
    outputs = OutputChoice(tuple(keep_output or ()), last_token)
    if emit is Level.graph:
        write_graph(model, shapes, outputs, output)
        return
    changed = tcdm_bytes is not None or no_softex or no_redmule or settings
    sizes = sizes_of(tokens, batch, layers, max_length)
    started = time.perf_counter()
    machine = (
        machine_of(
            target or "paper",
            settings,
            tcdm_bytes=tcdm_bytes,
            no_softex=no_softex,
            no_redmule=no_redmule,
        )
        if target is not None or changed
        else None
    )

    def read() -> Model | str:
        return chosen_model(model, sizes, weights, config, shapes)

    dialled = accuracy_wanted(
        read,
        accuracy,
        calibrate,
        metric,
        accuracy_report,
        machine=machine,
        shapes=shapes,
        outputs=outputs,
    )
    with between.shown(), watches.watching():
        compilation, line = compile_and_check(
            read(),
            machine,
            shapes=shapes,
            tile_overrides=tiles,
            accuracy=dialled,
            outputs=outputs,
            self_check=self_check,
            observe=between.observe,
            instrument=between,
        )
    notes = "".join(f"note: {note}\n" for note in compilation.model.notes)
    sys.stderr.write(f"{notes}{line}\n")
    between.model = compilation.model
    with between.shown(), watches.watching():
        text = write_compiled(compilation, emit.value, output)
    sys.stdout.write(text)
    instrument.finish()
    watches.finish(compilation.program_bytes if emit is Level.elf else None)
    if emit is Level.elf and output is not None:
        from softex_mlir.tools.estimate_command import print_estimate

        program = compilation.program()
        sys.stderr.write(f"{made_line(program, output, time.perf_counter() - started)}\n")
        print_estimate(
            program.metadata,
            compilation.machine,
            form,
            quality=(line,),
            per_layer=per_layer,
            energy=energy,
            placement=compilation.placement if placement else (),
        )
    elif placement:
        print_placement(compilation.placement, form)


model_app.command("assemble", help="As `compile`, of the text of a program or of any level.")(
    compile
)


@model_app.command()
def estimate(
    model: ModelArgument,
    target: TargetOption = "paper",
    shape: ShapeOption = None,
    dim: DimOption = None,
    weights: WeightsOption = None,
    config: ConfigOption = None,
    tokens: TokensOption = None,
    batch: BatchOption = None,
    layers: LayersOption = None,
    max_length: MaxLengthOption = None,
    tcdm_bytes: TcdmOption = None,
    no_softex: NoSoftexOption = False,
    no_redmule: NoRedmuleOption = False,
    settings: SetOption = None,
    tiles: TilesOption = None,
    accuracy: AccuracyOption = None,
    keep_output: KeepOutputOption = None,
    last_token: LastTokenOption = False,
    operating_point: PointOption = None,
    per_layer: PerLayerOption = False,
    energy: EnergyOption = False,
    report: ReportOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """What a model will cost, by the compiler's cost model: seconds instead of a simulation."""
    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.compiler.outputs import OutputChoice
    from softex_mlir.files import check_outputs
    from softex_mlir.tools.estimate_command import run_estimate
    from softex_mlir.tools.forms import form_of

    form = form_of(as_json=json, as_csv=csv, output=report)
    check_outputs([report], [model, weights, config, tiles, target])
    model = readable(model)
    machine = machine_of(
        target, settings, tcdm_bytes=tcdm_bytes, no_softex=no_softex, no_redmule=no_redmule
    )
    shapes = shapes_of(model, shape, dim)
    sizes = sizes_of(tokens, batch, layers, max_length)
    compilation = Compilation.of(
        chosen_model(model, sizes, weights, config, shapes),
        machine,
        shapes=shapes,
        tile_overrides=tiles,
        accuracy=accuracy,
        outputs=OutputChoice(tuple(keep_output or ()), last_token),
    )
    run_estimate(
        compilation,
        form,
        per_layer=per_layer,
        energy=energy,
        output=report,
        operating_point=operating_point,
    )


def _check_passes(instrument: PassInstrumentation) -> None:
    if not (instrument.after or instrument.before):
        return
    from softex_mlir.compiler.pipeline import compilation
    from softex_mlir.isa_sim.machine import Machine

    try:
        instrument.check_names({step.name for step in compilation(Machine.load())})
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--mlir-print-ir-...") from None
