"""Self-contained pages of charts and tables, for studies: no template, plotly's library inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib import import_module
from json import dumps
from typing import Any

from softex_mlir.errors import UserError

_STYLE = (
    "body{font:15px system-ui;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .6rem;text-align:left;"
    "border-bottom:1px solid #8884}"
)


def page_library() -> Any:
    """What draws the charts of a page.

    Raises:
        UserError: it is missing.
    """
    try:
        return import_module("plotly.offline")
    except ImportError as error:
        raise UserError(
            f"a page needs {error.name}: pip install 'softex-mlir[report]' (CSV needs nothing)"
        ) from error


def document(title: str, heading: str, parts: Sequence[str], charts: Mapping[str, Any]) -> str:
    """A page of parts in HTML; those that `chart_place` made hold the plotly figures of that name.

    Raises:
        UserError: the library of the extra `report` is missing.
    """
    offline = page_library()
    # A closing tag inside the data would end the script.
    data = dumps(charts).replace("</", "<\\/")
    lines = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f"<h1>{escape(heading)}</h1>",
        *parts,
        f"<script>{offline.get_plotlyjs()}</script>",
        f"<script>const charts={data};for(const id in charts)"
        "Plotly.newPlot(id,charts[id].data,charts[id].layout,{responsive:true})</script></html>",
    ]
    return "\n".join(lines) + "\n"


def chart_place(name: str) -> str:
    """Where a chart is drawn."""
    return f"<div id={name}></div>"


def heading(text: str) -> str:
    """Of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """Some text."""
    return f"<p>{escape(text)}</p>"


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts."""
    cells = "".join(f"<th>{escape(name)}" for name in head)
    lines = ["<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows]
    return f"<table><tr>{cells}{''.join(lines)}</table>"


def html_list(items: Sequence[str]) -> str:
    """A list of texts."""
    return f"<ul>{''.join(f'<li>{escape(item)}' for item in items)}</ul>"
