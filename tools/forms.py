"""What commands show as text, JSON or CSV, printed or written to a file."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, cast

import typer

from softex_mlir.files import check_outputs, json_text, write_atomically

Rows: TypeAlias = Sequence[Mapping[str, Any]]
"""Lines of a table by their columns."""


class Form(StrEnum):
    """How something is spelt."""

    text = "text"
    json = "json"
    csv = "csv"


def form_of(*, as_json: bool, as_csv: bool, output: Path | None = None) -> Form:
    """The form that options ask for, else that of the file's name.

    Raises:
        typer.BadParameter: they ask for two.
    """
    if as_json and as_csv:
        raise typer.BadParameter("expected one of them", param_hint="--json and --csv")
    if as_json or as_csv:
        return Form.json if as_json else Form.csv
    known = {".json": Form.json, ".csv": Form.csv}
    return known.get(output.suffix, Form.text) if output is not None else Form.text


def emit(
    form: Form,
    output: Path | None,
    *,
    text: Callable[[], str],
    data: Callable[[], Any],
    rows: Callable[[], Rows],
    missing: Any = "",
) -> None:
    """Print what a command found in the form that was asked for, or write it to a file.

    Args:
        text, data, rows: the spellings for people, as JSON and as CSV; only one is made.
        missing: what stands in CSV where a row lacks a column of others.

    Raises:
        UserError: the file cannot be written.
    """
    if form is Form.json:
        found = json_text(data())
    elif form is Form.csv:
        found = csv_text(rows(), missing)
    else:
        found = text()
    if output is None:
        sys.stdout.write(found)
    else:
        write_atomically(output, found)


def checked_form(
    output: Path | None, inputs: Iterable[str | Path | None], *, as_json: bool, as_csv: bool
) -> Form:
    """The form, once it is known that the file could be written.

    Raises:
        UserError: it cannot, or it is an input.
    """
    form = form_of(as_json=as_json, as_csv=as_csv, output=output)
    check_outputs([output], inputs)
    return form


def rendered(items: Iterable[object], output: Path | None = None) -> str:
    """Tables and lines of text as printed: as wide as the terminal, 80 columns in files."""
    from rich.console import Console
    from rich.text import Text

    from softex_mlir.tools.tables import FILE_WIDTH, console

    target = console() if output is None else Console(width=FILE_WIDTH, no_color=True)
    with target.capture() as captured:
        for item in items:
            target.print(Text(item) if isinstance(item, str) else item)
    # Cells are padded to their column.
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def csv_text(rows: Rows, missing: Any = "") -> str:
    """A line for every row; nested figures have dotted names, lists are spelt with spaces.

    Args:
        missing: what stands where a row lacks a column of others.
    """
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n", restval=missing)
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= _flat(cast("Mapping[str, Any]", value), f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            found[prefix + name] = " ".join(map(str, cast("Sequence[Any]", value)))
        else:
            found[prefix + name] = "" if value is None else value
    return found
