"""Pages that are written from the code: `make pages` writes them, `--check` tells stale ones."""

from __future__ import annotations

import sys
from pathlib import Path

from softex_mlir.compiler.importers.onnx.importer import supported_operators

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Written by `make pages`; do not edit. -->"


def operators() -> str:
    """The ONNX operators the importer reads."""
    rows = [
        f"| {name} | {note.replace('|', chr(92) + '|')} |"
        for name, note in supported_operators().items()
    ]
    return "\n".join(
        [
            NOTE,
            "",
            "# ONNX operators",
            "",
            "`softex operators` prints the same list. Whatever its operator, a node of constants",
            "or of shapes is computed when the model is read.",
            "",
            "| operator | what is supported |",
            "|---|---|",
            *rows,
            "",
        ]
    )


PAGES = {"compiler/importers/onnx/OPERATORS.md": operators}


def main() -> None:
    """Write the pages, or compare them with what would be written."""
    check = sys.argv[1:] == ["--check"]
    stale: list[str] = []
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"written: {name}")
    for name in stale:
        print(f"{name} is stale: run `make pages`")
    raise SystemExit(int(bool(stale)))


if __name__ == "__main__":
    main()
