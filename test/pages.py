"""Pages that are written from the code: `make pages` writes them, `--check` tells stale ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from difflib import ndiff
from pathlib import Path

from softex_mlir.compiler.importers.onnx.support import operators_page

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Written by `make pages`; do not edit. -->"


def operators() -> str:
    """How each ONNX operator runs."""
    return f"{NOTE}\n\n{operators_page()}"


PAGES = {"compiler/importers/onnx/OPERATORS.md": operators}


def changes(old: str, new: str) -> Iterator[str]:
    """Lines to take away (`-`) and to add (`+`)."""
    lines = ndiff(old.splitlines(), new.splitlines())
    return (line for line in lines if line.startswith(("- ", "+ ")))


def main() -> None:
    """Write the pages, or compare them with what would be written."""
    check = sys.argv[1:] == ["--check"]
    stale: list[str] = []
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
            print(f"written: {name}")
            continue
        print(f"{name}: error: stale, the code says otherwise; run `make pages` and commit it")
        print("\n".join(changes(old, text)))
    raise SystemExit(int(check and bool(stale)))


if __name__ == "__main__":
    main()
