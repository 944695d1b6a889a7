"""`softex`: compile transformers for the cluster, run them on the simulator, look inside."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext, redirect_stdout
from typing import Annotated, Any, TextIO, cast

import typer

from softex_mlir.errors import Interrupted, UserError
from softex_mlir.files import CLOSED_PIPE, json_text, keep_piped_input, prepare_streams
from softex_mlir.tools.machine_command import machine_app
from softex_mlir.tools.model_commands import model_app
from softex_mlir.tools.program_commands import program_app
from softex_mlir.tools.scaling_commands import scaling_app
from softex_mlir.tools.study_commands import study_app

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


for commands in (model_app, program_app, study_app, scaling_app, machine_app):
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
