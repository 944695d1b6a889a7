"""The summary of a model as tables, JSON or CSV, printed or written."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softex_mlir.errors import UserError
from softex_mlir.files import json_text, write_atomically

if TYPE_CHECKING:
    from softex_mlir.runtime.costs.summary import Summary


class Form(StrEnum):
    """How a report is spelt."""

    text = "text"
    json = "json"
    csv = "csv"


def form_of(*, as_json: bool, as_csv: bool) -> Form:
    """The form that options ask for.

    Raises:
        UserError: they ask for two.
    """
    if as_json and as_csv:
        raise UserError("--json and --csv: expected one of them")
    return Form.json if as_json else Form.csv if as_csv else Form.text


def report(
    summary: Summary,
    form: Form,
    *,
    per_layer: bool,
    energy: bool = False,
    output: Path | None = None,
    more: Mapping[str, Any] | None = None,
    lines: Sequence[str] = (),
) -> None:
    """Print a summary or write it to a file.

    Args:
        energy: where the energy comes from, too.
        more: further keys of the JSON.
        lines: further lines of the text.
    """
    if form is Form.json:
        text = json_text({**summary.to_json(), **(more or {})})
    elif form is Form.csv:
        text = csv_text(summary, per_layer=per_layer)
    else:
        text = _text(summary, per_layer, energy, lines, output)
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomically(output, text)


def _text(
    summary: Summary, per_layer: bool, energy: bool, lines: Sequence[str], output: Path | None
) -> str:
    from rich.console import Console
    from rich.text import Text

    from softex_mlir.tools.tables import FILE_WIDTH, console, energy_tables, summary_tables

    screen = console()
    target = screen if output is None else Console(width=FILE_WIDTH, no_color=True)
    with target.capture() as captured:
        tables = summary_tables(summary, per_layer=per_layer)
        for table in (*tables, *(energy_tables(summary.profile) if energy else ())):
            target.print(table)
        for line in lines:
            target.print(Text(line))
    # Cells are padded to their column.
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def csv_text(summary: Summary, *, per_layer: bool) -> str:
    """A line for every row of the tables; nested figures have dotted names."""
    data = summary.profile.to_json()["layers" if per_layer else "kinds"]
    rows = [_flat(row) for row in data]
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n", restval=0)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            found[prefix + name] = "" if value is None else value
    return found
