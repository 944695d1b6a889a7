"""`softex bench quality`: rows by level, and what stands there without the real model."""

from __future__ import annotations

import numpy as np
import pytest

from softex_mlir.abi import Port
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.models.builder import ModelBuilder
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments import quality_bench
from softex_mlir.runtime.experiments.kept import Kept
from softex_mlir.runtime.experiments.quality_bench import TOKENS, Case, minilm, pareto, quality


def mlp() -> Model:
    b = ModelBuilder("mlp", [Port("x", (4, 384), "float32")])
    return b.finish({"y": b.linear(b.arguments[0], 64, "only")})


def test_levels_are_compared_with_the_first():
    x = np.random.default_rng(0).standard_normal((4, 384)).astype(np.float32)
    case = Case("MLP", mlp, [{"x": x}], "y", (("cosine", "y"), ("pooled_cosine", "mean")))
    machine = Machine.load("paper")
    table = pareto(case, machine, Kept(None, machine), ("fast", "exact"))
    plain, fast, exact = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert [row["level"] for row in (plain, fast, exact)] == ["plain BF16", "fast", "exact"]
    errors = [float(row["1 - cosine, y"]) for row in (plain, exact, fast)]
    assert errors == sorted(errors)
    assert fast["to fast"] == "+0.0%"
    assert exact["to fast"].startswith("+")


def test_without_its_package_a_sentence_stands_for_the_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quality_bench, "find_spec", lambda name: None)
    monkeypatch.setattr(quality_bench, "pareto", lambda case, machine, kept: case.title)
    skipped, vit = quality(Machine.load("paper"))
    assert "skipped: needs the packages" in skipped.title
    assert vit == "ViT-base, built in, one image"


def test_paragraphs_are_tokenised():
    case = minilm()
    if case is None:
        pytest.skip("needs the extra `quality`")
    for one in case.inputs:
        assert one["input_ids"].shape == one["attention_mask"].shape == (1, TOKENS)
        assert one["attention_mask"].sum() < TOKENS  # none is cut off
