"""`softex inspect --mlir`: a program as text, with its data beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from softex_mlir.runtime.program import Program
from softex_mlir.runtime.program_text import ProgramText
from softex_mlir.tools.forms import Form, emit


def write_text(path: Path, form: Form, output: Path | None) -> None:
    """Print or write a program's code and launches as a module, or its instructions as a table.

    On standard output the text names the program's file, which has its data; a file gets that
    beside it.

    Raises:
        UserError: the program cannot be read, or not be written as text without loss.
    """
    from softex_mlir.compiler.sidecar import Heading, write_module

    text = ProgramText(Program.load(path))
    if form is not Form.text:
        rows = [*_instructions(text)]
        emit(form, output, text=str, data=lambda: {"instructions": rows}, rows=lambda: rows)
    elif output is not None:
        write_module(text.module, text.name, text.weights, output)
    else:
        with Heading(text.name, path).on(text.module, None):
            sys.stdout.write(f"{text.module!s}\n")


def _instructions(text: ProgramText) -> Iterator[dict[str, Any]]:
    """The instructions of a program, with what their accesses to units mean."""
    from softex_mlir.isa_sim.isa.encoding import disassemble

    comments = text.comments()
    for function in text.functions:
        for word in text.words_in(function):
            yield {
                "function": function.name,
                "address": word.address,
                "word": word.word,
                "text": disassemble(word.word, word.address),
                "comment": comments.get(word.address, ""),
            }
