"""Options and arguments that several commands of `softex` share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Level(StrEnum):
    """What `softex compile --emit` can print or write."""

    graph = "graph"
    transformer = "transformer"
    jobs = "jobs"
    commands = "commands"
    riscv = "riscv"
    asm = "asm"
    elf = "elf"


class Effects(StrEnum):
    """When jobs and transfers of `softex run` read and write memory."""

    early = "early"
    late = "late"


class ReportFormat(StrEnum):
    """How a report is spelt."""

    html = "html"
    md = "md"
    csv = "csv"
    json = "json"


class Language(StrEnum):
    """In which words."""

    en = "en"
    ja = "ja"


def byte_count(text: str) -> int:
    """A number of bytes on a command line; may end in Ki or Mi.

    Raises:
        typer.BadParameter: it is none.
    """
    from softex_mlir.isa_sim.machine_settings import scaled

    if (count := scaled(text)) is not None:
        return count
    if not text.isdecimal():
        raise typer.BadParameter(f"expected bytes, as in 131072 or 128Ki, found {text!r}")
    return int(text)


ModelArgument = Annotated[
    str,
    typer.Argument(
        help="ONNX file, .mlir file of any level (weights beside it) or of linalg on tensors, .pt2 "
        "file of torch.export, name of a built-in model, or of an architecture with --weights; "
        "with --max-length an ONNX decoder with a cache, or the folder Optimum wrote one into."
    ),
]
ProgramArgument = Annotated[Path, typer.Argument(help="Program written by `softex compile`.")]
RunArgument = Annotated[
    Path,
    typer.Argument(help="Program written by `softex compile`, or a model to compile and run."),
]
EntryOption = Annotated[
    str | None,
    typer.Option("--entry", help="Which of several entries of a program: encode, prefill, decode."),
]
TargetOption = Annotated[
    str,
    typer.Option(
        "--target", help="Machine description: a shipped name (paper, ideal) or a TOML file."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ShapeOption = Annotated[
    list[str] | None, typer.Option("--shape", help="Value for a dynamic input shape: name=1,197.")
]
DimOption = Annotated[
    list[str] | None,
    typer.Option("--dim", help="Size of an open dimension by its name in the file: batch=1."),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(help="safetensors file for an architecture: softex compile bert --weights …"),
]
ConfigOption = Annotated[
    Path | None, typer.Option(help="Its config.json; default: the one beside the weights.")
]
TokensOption = Annotated[
    int | None,
    typer.Option(help="Tokens of a built-in text model, or of the encoder of one with a cache."),
]
BatchOption = Annotated[
    int | None, typer.Option(help="Batch of a built-in model, or of a decoder with a cache.")
]
LayersOption = Annotated[int | None, typer.Option(help="Layers of a built-in model.")]
MaxLengthOption = Annotated[
    int | None,
    typer.Option(
        help="Most tokens of a sequence: a decoder with entries prefill and decode, which keep "
        "keys and values."
    ),
]
TcdmOption = Annotated[
    int | None,
    typer.Option(
        parser=byte_count,
        help="Compile for another TCDM size than the target's: 131072 or 128Ki.",
        metavar="BYTES",
    ),
]
NoSoftexOption = Annotated[bool, typer.Option("--no-softex", help="Softmax and GELU on the cores.")]
NoRedmuleOption = Annotated[
    bool, typer.Option("--no-redmule", help="Matrix products on the cores.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change the machine: section.key=value.", metavar="KEY=VALUE"),
]
TilesOption = Annotated[Path | None, typer.Option(help="TOML file that pins tile shapes by layer.")]
AccuracyOption = Annotated[
    str | None,
    typer.Option(
        help="How close to float32: fast sums in RedMulE alone, balanced, high and exact split "
        "sums into ever shorter ones; or a file of choices by layer. "
        "Default: what the model's text says, fast if it says nothing.",
        show_default=False,
        metavar="LEVEL|FILE.toml",
    ),
]
BoundOption = Annotated[
    str | None,
    typer.Option(
        "--accuracy",
        help="How close to float32: fast sums in RedMulE alone, balanced, high and exact split "
        "sums into ever shorter ones; a bound (0.9998), with --calibrate; or a file of choices by "
        "layer. Default: what the model's text says, fast if it says nothing.",
        show_default=False,
        metavar="LEVEL|BOUND|FILE.toml",
    ),
]
CalibrateOption = Annotated[
    Path | None,
    typer.Option(
        help="Inputs (.npz, many in one) to meet a bound on; every fourth is held out, and the "
        "figure reported is theirs."
    ),
]
MetricOption = Annotated[
    str | None,
    typer.Option(
        help="Of the bound: cosine, pooled_cosine, max_error, mean_error or top1_agreement, the "
        "mean over inputs and over outputs, or of one output (logits:cosine). Default: cosine.",
        show_default=False,
        metavar="[OUTPUT:]METRIC",
    ),
]
AccuracyReportOption = Annotated[
    Path | None,
    typer.Option(help="Write how every layer sums, to read, edit and give back to --accuracy."),
]
KeepOutputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--keep-output", help="Compute this output only (may be repeated).", metavar="NAME"
    ),
]
LastTokenOption = Annotated[
    bool,
    typer.Option("--last-token", help="Of outputs [batch, tokens, features] the last token only."),
]
PointOption = Annotated[
    str | None,
    typer.Option(help="Voltage and clock to report at; default: the machine's first."),
]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print a line for every row, as CSV.")]
TableFileOption = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="Write to a file; a name in .json or .csv says how it is spelt."
    ),
]
PerLayerOption = Annotated[
    bool, typer.Option("--per-layer", help="Every layer by itself, not folded by kind.")
]
EnergyOption = Annotated[
    bool,
    typer.Option(
        "--energy",
        help="Energy by cause and what it rests on, every operating point, the free choice swept.",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--report",
        help="Write the summary to a file, print nothing; a name in .json or .csv says how.",
    ),
]
