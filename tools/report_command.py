"""What `softex report` does: run a program, write its report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from softex_mlir.files import json_text, write_atomically
from softex_mlir.tools.options import Language, ReportFormat
from softex_mlir.tools.run_command import quality_lines, read_arrays

if TYPE_CHECKING:
    from softex_mlir.runtime.report.contents import Contents


def write_report(
    file: Path,
    output: Path,
    spelling: ReportFormat,
    language: Language,
    *,
    entry: str | None = None,
    input: Path | None,
    check: bool,
    operating_point: str | None,
) -> None:
    """Simulate a program and write its report.

    Outputs are compared with the reference evaluator, and with FP32 if `input` has such outputs,
    where `check` or `input` asks for it.
    """
    from softex_mlir.runtime import session
    from softex_mlir.runtime.check import check as run_check
    from softex_mlir.runtime.program import Program
    from softex_mlir.runtime.report.contents import contents_of
    from softex_mlir.tools.progress import progress_line

    program = Program.load(file).at(entry)
    inputs, reference = read_arrays(input, program) if input is not None else (None, {})
    with progress_line("cycles", quiet=False) as progress:
        result = session.run(program, inputs, operating_point=operating_point, progress=progress)
    found = run_check(program, result, reference) if check or reference else None
    operations = ()
    if found is not None:
        from softex_mlir.runtime.quality.operations import check_operations

        operations = [asdict(row) for row in check_operations(program, result.inputs)]
    contents = contents_of(program, result, found, quality_lines(program, found), operations)
    write_atomically(output, spelt(contents, spelling, language))


def spelt(contents: Contents, spelling: ReportFormat, language: Language) -> str:
    """The text of a report."""
    if spelling is ReportFormat.html:
        from softex_mlir.runtime.report.html import html

        return html(contents, language.value)
    if spelling is ReportFormat.md:
        from softex_mlir.runtime.report.text import markdown

        return markdown(contents, language.value)
    if spelling is ReportFormat.csv:
        from softex_mlir.tools.summary_report import csv_text

        return csv_text(contents.summary, per_layer=True)
    return json_text(contents.to_json())
