"""Commands about a program: a run, its report, what is in it, what it generates, how it differs."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from softex_mlir.tools.forms import Form, checked_form, emit, form_of
from softex_mlir.tools.given import machine_of
from softex_mlir.tools.options import (
    CsvOption,
    Effects,
    EnergyOption,
    EntryOption,
    JsonOption,
    Language,
    PerLayerOption,
    PointOption,
    ProgramArgument,
    ReportFormat,
    ReportOption,
    RunArgument,
    SetOption,
    TableFileOption,
)

program_app = typer.Typer()


@program_app.command()
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
    from softex_mlir.files import check_outputs
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.runtime import session
    from softex_mlir.runtime.program import Program
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
        # Takes long to import, and a program needs none of it.
        from softex_mlir.compiler.driver import Compilation

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


@program_app.command()
def report(
    program: ProgramArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")],
    entry: EntryOption = None,
    input: Annotated[
        Path | None,
        typer.Option("--input", help="Inputs, and FP32 outputs to compare with (.npz)."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the reference evaluator bit for bit.")
    ] = False,
    format: Annotated[
        ReportFormat | None,
        typer.Option(help="Default: by the file's name, else html.", show_default=False),
    ] = None,
    lang: Annotated[Language, typer.Option(help="Language of html and md.")] = Language.en,
    operating_point: PointOption = None,
) -> None:
    """Run a program and write one file for those who decide, with every figure behind it."""
    from softex_mlir.files import check_outputs
    from softex_mlir.tools.report_command import write_report

    check_outputs([output], [program, input])
    known = {f".{spelling}": spelling for spelling in ReportFormat}
    write_report(
        program,
        output,
        format or known.get(output.suffix, ReportFormat.html),
        lang,
        entry=entry,
        input=input,
        check=check,
        operating_point=operating_point,
    )


@program_app.command()
def generate(
    program: ProgramArgument,
    prompt_ids: Annotated[
        list[str] | None,
        typer.Option(help="Token ids of a prompt: 1,2,3; one for every sequence of the batch."),
    ] = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help="A prompt as text, with --tokenizer; may be repeated.")
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="tokenizer.json of the model; tokens are printed as text, too."),
    ] = None,
    input: Annotated[
        Path | None,
        typer.Option(
            "--input", help="Of the encoder, by the model's names (.npz); default: random."
        ),
    ] = None,
    start_ids: Annotated[
        str | None,
        typer.Option(
            help="What the decoder begins with, where an encoder reads the prompt (T5: 0, BART: 2)."
        ),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Most tokens to generate.")] = 32,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Take the likeliest token (the default).")
    ] = False,
    top_k: Annotated[int | None, typer.Option(min=1, help="Draw from so many tokens.")] = None,
    temperature: Annotated[float, typer.Option(help="Of the drawing.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the drawing.")] = 0,
    stop: Annotated[int | None, typer.Option(help="Token id that ends a sequence.")] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Compare every run with the reference evaluator bit for bit."),
    ] = False,
    profile: Annotated[
        Path | None,
        typer.Option(
            help="Write the figures, and profiles of the last prefill and decode, as JSON."
        ),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write a timeline of the last run that Perfetto opens.")
    ] = None,
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """Continue prompts token by token, with the entries of a program that keep keys and values."""
    from softex_mlir.files import check_outputs
    from softex_mlir.runtime.program import Program
    from softex_mlir.tools.generate_command import Prompts, run_generation, sampling_of

    sampling = sampling_of(greedy=greedy, top_k=top_k, temperature=temperature, seed=seed)
    form = form_of(as_json=json, as_csv=csv, output=output)
    check_outputs((output, profile, trace), (program, tokenizer, input))
    run_generation(
        Program.load(program),
        Prompts.of(prompt_ids, prompt, tokenizer),
        max_new_tokens,
        sampling,
        stop=stop,
        check=check,
        form=form,
        output=output,
        profile=profile,
        trace=trace,
        input=input,
        start=start_ids,
    )


@program_app.command()
def inspect(
    program: ProgramArgument,
    commands: Annotated[
        bool, typer.Option("--commands", help="Accelerator jobs and transfers, registers decoded.")
    ] = False,
    asm: Annotated[bool, typer.Option("--asm", help="Disassembly with symbols.")] = False,
    memory: Annotated[
        bool, typer.Option("--memory", help="Memory map and the TCDM plan over time.")
    ] = False,
    schedule: Annotated[
        bool, typer.Option("--schedule", help="Launches, predicted and simulated.")
    ] = False,
    mlir: Annotated[
        bool,
        typer.Option(
            "--mlir",
            help="Code and launches decoded into text that `softex assemble` turns into the same "
            "file; with -o, the weights are written beside it.",
        ),
    ] = False,
    layer: Annotated[
        str | None, typer.Option(help="Commands of layers with these words in their names.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Commands of this unit, dma_in or dma_out.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Commands of this ONNX node or layer.", metavar="NODE")
    ] = None,
    addr: Annotated[
        str | None, typer.Option(help="Commands on the buffer at this address.", metavar="0x…")
    ] = None,
    pc: Annotated[
        str | None,
        typer.Option(help="What the instruction at this address is, and issues.", metavar="0x…"),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many commands.")] = None,
    entry: EntryOption = None,
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """Show what is in a program: command stream, code, memory, schedule."""
    from softex_mlir.runtime import inspection
    from softex_mlir.runtime.command_stream import Wanted
    from softex_mlir.runtime.program import Program

    chosen = [
        name
        for name, wanted in (
            ("commands", commands),
            ("asm", asm),
            ("memory", memory),
            ("schedule", schedule),
        )
        if wanted
    ]
    form = checked_form(output, [program], as_json=json, as_csv=csv)
    if mlir:
        from softex_mlir.tools.text_command import write_text

        if chosen or any(option is not None for option in (layer, unit, at, addr, pc, limit)):
            raise typer.BadParameter("expected no other view with it", param_hint="--mlir")
        write_text(program, form, output)
        return
    wanted = Wanted(layer, unit, at, _address(addr, "--addr"), _address(pc, "--pc"), limit)
    if wanted != Wanted() and "commands" not in chosen:
        chosen.append("commands")
    if form is Form.csv and len(chosen) > 1:
        raise typer.BadParameter(
            f"expected one view, found {' and '.join(chosen)}", param_hint="--csv"
        )
    loaded = Program.load(program)
    loaded = loaded if entry is None else loaded.at(entry)
    views = {
        view: inspection.commands_view(loaded, wanted)
        if view == "commands"
        else inspection.VIEWS[view](loaded)
        for view in chosen or ["summary"]
    }
    first = next(iter(views.values()))
    emit(
        form,
        output,
        text=lambda: "".join(view.to_text() for view in views.values()),
        data=lambda: (
            {name: view.data for name, view in views.items()} if len(views) > 1 else first.data
        ),
        rows=lambda: first.rows,
    )


@program_app.command()
def diff(
    one: Annotated[Path, typer.Argument(help="Program written by `softex compile`.")],
    other: Annotated[Path, typer.Argument(help="Another.")],
    profile: Annotated[
        list[Path] | None,
        typer.Option(
            help="Cycles of runs of the first and of the second (softex run --profile); "
            "twice. Default: both are simulated without arithmetic."
        ),
    ] = None,
    output: TableFileOption = None,
    json: JsonOption = False,
    csv: CsvOption = False,
) -> None:
    """What differs between two programs, by layer; exit status 0 same, 1 different, as diff(1).

    Predicted and simulated cycles are shown, and are no difference.
    """
    from softex_mlir.runtime.difference import difference, read_cycles
    from softex_mlir.runtime.program import Program

    if profile and len(profile) != 2:
        raise typer.BadParameter("expected two, or none", param_hint="--profile")
    form = checked_form(output, [one, other, *(profile or ())], as_json=json, as_csv=csv)
    cycles = [read_cycles(path) for path in profile] if profile else None
    found = difference(Program.load(one), Program.load(other), cycles)
    emit(
        form,
        output,
        text=lambda: "\n".join(found.lines()) + "\n",
        data=found.to_json,
        rows=found.rows,
    )
    raise SystemExit(int(bool(found)))


def _address(text: str | None, option: str) -> int | None:
    try:
        return None if text is None else int(text, 0)
    except ValueError:
        raise typer.BadParameter(
            f"expected an address, 0x10000000, found {text!r}", param_hint=option
        ) from None
