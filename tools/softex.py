"""`softex`: compile transformers for the cluster, run them on the simulator, look inside."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast

import typer

from softex_mlir.errors import Interrupted, UserError
from softex_mlir.files import CLOSED_PIPE, json_text, keep_piped_input, prepare_streams
from softex_mlir.tools.given import (
    chosen_model,
    is_onnx,
    machine_of,
    readable,
    shapes_of,
    sizes_of,
)
from softex_mlir.tools.machine_command import machine_app
from softex_mlir.tools.options import (
    AccuracyOption,
    AccuracyReportOption,
    BatchOption,
    BoundOption,
    CalibrateOption,
    ConfigOption,
    CsvOption,
    DimOption,
    Effects,
    EnergyOption,
    EntryOption,
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
    RunArgument,
    SetOption,
    ShapeOption,
    TargetOption,
    TcdmOption,
    TilesOption,
    TokensOption,
    WeightsOption,
)
from softex_mlir.tools.program_commands import program_app
from softex_mlir.tools.scaling_commands import scaling_app
from softex_mlir.tools.study_commands import study_app

if TYPE_CHECKING:
    from softex_mlir.compiler.model import Model
    from softex_mlir.tools.pass_options import PassInstrumentation

WANT_TO_SEE = """\b
I want to see …
  what my model will cost                softex estimate m.onnx
  what it costs, simulated               softex compile m.onnx -o m.elf
                                         softex run m.elf [--per-layer] [--energy]
  whether the result is right            softex run m.elf --input x.npz --check
  how close it is to FP32                softex quality m.onnx
  one page to decide by                  softex report m.elf -o m.html [--lang ja]
  which unit runs what, and why          softex compile m.onnx -o m.elf --placement
  a timeline                             softex run m.elf --trace t.json
  the commands of a layer, decoded       softex inspect m.elf --commands --layer NAME
  the program as text, to change         softex inspect m.elf --mlir -o m.mlir
                                         softex assemble m.mlir -o m.elf
  what changed                           softex diff a.elf b.elf
  the IR at a level                      softex compile m.onnx --emit LEVEL
  every phase, in files to go on from    softex compile m.onnx -o m.elf --dump-phases DIR
  where results begin to differ          softex bisect m.onnx
  one pass at work                       softex-opt f.mlir -p PASS
  the paper's figures and ours           softex bench paper -o paper.html
  how far to trust the figures           softex bench calibration
  an example to try it on                softex demo --save DIR
"""

app = typer.Typer(
    name="softex",
    help=__doc__,
    epilog=WANT_TO_SEE,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


for commands in (program_app, study_app, scaling_app, machine_app):
    app.add_typer(commands)


def _version(wanted: bool) -> None:
    if wanted:
        from softex_mlir import __version__

        typer.echo(f"softex-mlir {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options of the command itself."""


@app.command()
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
    shapes = shapes_of(shape or [], dim or [])
    if shapes and not is_onnx(model):
        raise typer.BadParameter(
            f"{model} has fixed shapes; only those that an ONNX file leaves open can be given"
            + ("" if Path(model).suffix else ": a built-in model has --tokens, --batch, --layers"),
            param_hint="--shape",
        )
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
        read, accuracy, calibrate, metric, accuracy_report, machine=machine, shapes=shapes
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


app.command("assemble", help="As `compile`, of the text of a program or of any level.")(compile)


@app.command()
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
    shapes = shapes_of(shape or [], dim or [])
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


@app.command()
def run(
    program: RunArgument,
    entry: EntryOption = None,
    input: Annotated[
        Path | None,
        typer.Option("--input", help="Inputs by the model's names (.npz); default: random."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write the outputs by the model's names (.npz).")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(help="Write cycles, energy, layers as JSON.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write a timeline that Perfetto opens.")
    ] = None,
    trace_window: Annotated[
        str | None,
        typer.Option(
            help="Only the time in which this layer (name, title or kind) works.", metavar="LAYER"
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the reference evaluator bit for bit.")
    ] = False,
    check_ops: Annotated[
        bool,
        typer.Option(
            "--check-ops",
            help="Compare every operation's value, scheduled into its own memory, with the "
            "evaluator's bits and with FP32, within declared tolerances.",
        ),
    ] = False,
    save_ops: Annotated[
        Path | None,
        typer.Option(
            help="Write every operation's value, and FP32's, to a .npz file; implies --check-ops."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Check against FP32 outputs (.npz) or an ONNX file that computes them; default: "
            "outputs among the inputs, else the model's source."
        ),
    ] = None,
    sanitize: Annotated[
        bool, typer.Option("--sanitize", help="Detect races on memory (slow).")
    ] = False,
    effects: Annotated[
        Effects,
        typer.Option(
            help="When jobs and transfers access memory: at their trigger or at their end. "
            "Other bits mean that a wait is missing."
        ),
    ] = Effects.early,
    max_cycles: Annotated[
        int | None, typer.Option(min=1, help="Give up after so many cycles.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", help="Insist on this machine description; compile a model for it."
        ),
    ] = None,
    settings: SetOption = None,
    operating_point: PointOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random inputs.")] = 0,
    warn_only: Annotated[
        bool,
        typer.Option(
            "--warn-only", help="Go on where the published RTL loses a write or a state slot."
        ),
    ] = False,
    job_vectors: Annotated[
        Path | None,
        typer.Option(help="Write every accelerator job (registers, operands, results) here."),
    ] = None,
    per_layer: PerLayerOption = False,
    energy: EnergyOption = False,
    report: ReportOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """Run a program on the simulated cluster: outputs, cycles, energy.

    A model is compiled first, for the machine that `--target` and `--set` say. An ELF file that
    `softex compile` did not write runs as with `softex sim`.
    """
    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.files import check_outputs
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.runtime import session
    from softex_mlir.runtime.program import Program
    from softex_mlir.tools.forms import form_of
    from softex_mlir.tools.progress import progress_line
    from softex_mlir.tools.run_command import (
        finish_run,
        fp32_outputs,
        is_bare_metal,
        is_model,
        is_program,
        read_arrays,
        vector_writer,
    )
    from softex_mlir.tools.signals import raised

    if settings and is_program(program):
        raise typer.BadParameter(
            f"{program} is compiled for its machine: expected a model, which is compiled for the "
            "machine that the settings say; or --set for softex compile",
            param_hint="--set",
        )
    if is_bare_metal(program):
        from softex_mlir.tools.sim_command import run_bare_metal

        sys.stderr.write("note: no softex program: running it bare-metal on one core\n")
        raise SystemExit(run_bare_metal(program, Machine.load(target or "paper"), as_json=json))
    form = form_of(as_json=json, as_csv=csv, output=report)
    check_outputs((output, profile, trace, report, save_ops), (program, input, target, reference))
    if is_program(program) or not is_model(program):
        loaded, machine = Program.load(program), Machine.load(target) if target else None
    else:
        machine = machine_of(target or "paper", settings)
        loaded = Compilation.of(program, machine).program()
    loaded = loaded.at(entry)
    beside: dict[str, Any] = {}
    inputs = None
    if input is not None:
        inputs, beside = read_arrays(input, loaded)
    with (
        raised(),
        progress_line("cycles", quiet=json) as progress,
        vector_writer(job_vectors, machine or loaded.machine) as jobs,
    ):
        result = session.run(
            loaded,
            inputs,
            machine=machine,
            operating_point=operating_point,
            sanitize=sanitize,
            seed=seed,
            progress=progress,
            lenient=warn_only,
            jobs=jobs,
            effects=effects.value,
            max_cycles=max_cycles,
        )
    if warn_only:
        sys.stderr.writelines(f"warning: {warning}\n" for warning in result.run.warnings)
    if sanitize:
        for race in result.run.races:
            sys.stderr.write(f"error: {race}\n")
        sys.stderr.write(f"note: {len(result.run.races) or 'no'} races found\n")
    finish_run(
        loaded,
        result,
        output,
        profile,
        trace,
        trace_window,
        fp32=partial(fp32_outputs, loaded, beside, reference, inputs)
        if check or reference is not None
        else None,
        operations=check_ops or save_ops is not None,
        save_operations=save_ops,
        form=form,
        per_layer=per_layer,
        energy=energy,
        report_file=report,
    )
    if result.run.races:
        raise SystemExit(1)


def _check_passes(instrument: PassInstrumentation) -> None:
    if not (instrument.after or instrument.before):
        return
    from softex_mlir.compiler.pipeline import compilation
    from softex_mlir.isa_sim.machine import Machine

    try:
        instrument.check_names({step.name for step in compilation(Machine.load())})
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--mlir-print-ir-...") from None


def _run_app() -> None:
    """Run the command line; raises `BrokenPipeError`, of which click makes exit status 1."""
    try:
        app()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        raise


class _Printed:
    """A stream that knows whether something was written: JSON is one document."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.used = False

    def write(self, text: str) -> int:
        self.used = self.used or bool(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def main() -> None:
    """Entry point of `softex`: 0 fine, 1 the input is at fault, 2 usage, 130 interrupted, 141 the
    reader of the output is gone."""
    prepare_streams()
    printed = _Printed(sys.stdout)
    try:
        keep_piped_input(sys.argv[1:])
        with redirect_stdout(cast("TextIO", printed)) if "--json" in sys.argv else nullcontext():
            _run_app()
    except (Interrupted, KeyboardInterrupt) as interrupt:
        sys.stderr.write(f"{interrupt}\n" if str(interrupt) else "interrupted\n")
        raise SystemExit(130) from None
    except UserError as error:
        message = str(error)
        sys.stderr.write(message if ": error: " in message else f"error: {message}")
        sys.stderr.write("\n")
        if "--json" in sys.argv and not printed.used:
            sys.stdout.write(json_text(error.to_json()))
        raise SystemExit(1) from None
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing is to be flushed at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(CLOSED_PIPE) from None
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or 'output'}: {error.strerror}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
