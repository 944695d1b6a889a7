"""The runtime's page has the figures of what `softex bench quality` stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORED = json.loads((Path(__file__).parent / "quality_bench.json").read_text("utf-8"))
"""Values by "model, level", as `softex bench quality -o FILE` keeps them in FILE.part."""

PAGE = (ROOT / "runtime" / "README.md").read_text("utf-8")


def figures(values: dict[str, list[float]]) -> str:
    """Cells of errors: embedding, mean and worst; hidden states."""
    embedding, hidden = values["pooled_cosine"], values["cosine"]
    texts = (f"{value:.1e}".replace("e-0", "e-") for value in (*embedding, hidden[0]))
    return "{} ({}) | {}".format(*texts)


@pytest.mark.parametrize("name", [name for name in STORED if name.startswith("MiniLM")])
def test_rows_are_those_of_the_bench(name: str):
    values, base = STORED[name], STORED["MiniLM-L6, fast"]
    level = name.partition(", ")[2]
    if level == "fast":
        assert f"| plain BF16 | {figures(values['bf16'])} | | |\n" in PAGE
        costs = f"{values['cycles'] / 1e6:.2f} M | {values['energy_j'] * 1e3:.2f} mJ"
    else:
        more = (100 * (values[key] / base[key] - 1) for key in ("cycles", "energy_j"))
        costs = "{:+.1f} % | {:+.1f} %".format(*more)
    assert f"| `{level}` | {figures(values['hardware'])} | {costs} |\n" in PAGE
