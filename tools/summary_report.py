"""The summary of a model as tables, JSON or CSV, printed or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softex_mlir.tools import forms
from softex_mlir.tools.forms import Form, rendered

if TYPE_CHECKING:
    from softex_mlir.runtime.costs.summary import Summary


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
    forms.emit(
        form,
        output,
        text=lambda: _text(summary, per_layer, energy, lines, output),
        data=lambda: {**summary.to_json(), **(more or {})},
        rows=lambda: _rows(summary, per_layer),
        missing=0,
    )


def _text(
    summary: Summary, per_layer: bool, energy: bool, lines: Sequence[str], output: Path | None
) -> str:
    from softex_mlir.tools.tables import energy_tables, summary_tables

    tables = summary_tables(summary, per_layer=per_layer)
    return rendered((*tables, *(energy_tables(summary.profile) if energy else ()), *lines), output)


def _rows(summary: Summary, per_layer: bool) -> forms.Rows:
    return summary.profile.to_json()["layers" if per_layer else "kinds"]


def csv_text(summary: Summary, *, per_layer: bool) -> str:
    """A line for every row of the tables; nested figures have dotted names."""
    return forms.csv_text(_rows(summary, per_layer), missing=0)
