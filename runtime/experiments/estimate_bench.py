"""`softex bench estimate`: the cost model against simulations, model by model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.costs.estimate import estimate
from softex_mlir.runtime.costs.verdict import unit_name, verdict
from softex_mlir.runtime.experiments.measure import Table
from softex_mlir.runtime.profile import Profile
from softex_mlir.runtime.quality.metrics import rank_correlation

WHOLE = ("demo-vit", "demo-bert", "demo-gpt2", "demo-llama")
SHORTENED = {
    "vit-tiny": 2,
    "vit-small": 2,
    "vit-base": 1,
    "bert-base": 1,
    "mobilebert": 2,
    "gpt2": 1,
}
"""Built-in models with so many layers: errors of more equal layers are the same."""
MACHINES = (
    ("redmule.shape=12x4x3",),
    ("redmule.shape=32x16x2",),
    ("redmule.shape=48x8x6", "dma.bytes_per_cycle=32"),
    ("softex.lanes=8", "cluster.cores=6"),
    ("softex.lanes=32", "cluster.tcdm_bytes=512Ki"),
    ("cluster.cores=16",),
    ("cluster.tcdm_bytes=64Ki", "dma.bytes_per_cycle=4"),
    ("dma.bytes_per_cycle=16", "cluster.l2_latency_cycles=100"),
    ("softex.present=false",),
    ("redmule.present=false",),
)
"""Settings of machines that nothing of the cost model was measured on."""
OTHERS = ("demo-vit", "demo-bert", "demo-gpt2", "demo-llama")
"""Models for them."""
OPERATIONS = ("softmax", "gelu", "layer_norm")


def cases() -> Mapping[str, Callable[[], Any]]:
    """Models by their names in the table."""
    from softex_mlir.compiler.models import BUILTIN, single_operation

    found: dict[str, Callable[[], Any]] = {name: BUILTIN[name] for name in WHOLE}
    for name, layers in SHORTENED.items():
        title = f"{name}, {layers} layer{'s' if layers > 1 else ''}"
        found[title] = partial(BUILTIN[name], layers=layers)
    for kind in OPERATIONS:
        found[f"{kind} 128 x 512"] = partial(single_operation, kind, 128, 512)
    return found


@dataclass(frozen=True)
class EstimateCase:
    """A model on a machine, by both."""

    name: str
    expected: Profile
    found: Profile

    @property
    def error(self) -> float:
        """Of the estimated cycles, relative."""
        return self.expected.cycles / self.found.cycles - 1


def measured(name: str, build: Callable[[], Any], machine: Machine) -> EstimateCase:
    """Estimate and simulate a model."""
    from softex_mlir.compiler.driver import Compilation

    program = Compilation.of(build(), machine).program()
    found = program.run(functional=False).profile
    return EstimateCase(name, estimate(program.metadata, machine), found)


def against_simulation(machine: Machine) -> list[Table]:
    """Cycles and energy as estimated and as simulated: of models, of their kinds of layers, and on
    other machines."""
    models = [measured(name, build, machine) for name, build in cases().items()]
    whole = [case for case in models if not case.name.startswith(OPERATIONS)]
    return [_models(models), _kinds(whole), _machines(machine)]


def _models(models: Sequence[EstimateCase]) -> Table:
    rows: list[tuple[str, ...]] = []
    for case in models:
        binds = [unit_name(verdict(profile).unit) for profile in (case.expected, case.found)]
        rows.append(
            (
                case.name,
                f"{case.expected.cycles:,}",
                f"{case.found.cycles:,}",
                f"{case.error:+.1%}",
                f"{case.expected.energy_j / case.found.energy_j - 1:+.1%}",
                binds[1] if binds[0] == binds[1] else f"{binds[1]} (estimated: {binds[0]})",
            )
        )
    head = ("model", "estimated", "simulated", "cycles", "energy", "bound by")
    return Table("The cost model against simulation", head, tuple(rows))


def _kinds(models: Sequence[EstimateCase]) -> Table:
    """Cycles that kinds of layers are charged, all models together."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for case in models:
        for place, profile in enumerate((case.expected, case.found)):
            for row in profile.kinds:
                sums[row.kind][place] += int(row.exclusive_cycles)
    total = sum(found for _, found in sums.values())
    rows = [
        (
            kind,
            f"{expected:,}",
            f"{found:,}",
            f"{expected / found - 1:+.1%}" if found else "",
            f"{(expected - found) / total:+.2%}",
        )
        for kind, (expected, found) in sorted(sums.items(), key=lambda item: -item[1][1])
    ]
    head = ("kind of layer", "estimated", "simulated", "error", "of all cycles")
    return Table("The same models by kind of layer", head, tuple(rows))


def _machines(machine: Machine) -> Table:
    """Errors of small models on machines that differ, and whether their ranking stays."""
    from softex_mlir.compiler.models import BUILTIN

    rows: list[tuple[str, ...]] = []
    every: list[EstimateCase] = []
    for settings in MACHINES:
        changed = machine.with_settings(settings)
        some = [measured(name, BUILTIN[name], changed) for name in OTHERS]
        every += some
        rows.append((" ".join(settings), *(f"{case.error:+.1%}" for case in some)))
    errors = np.abs([case.error for case in every])
    pairs = np.array([(case.expected.cycles, case.found.cycles) for case in every])
    title = (
        f"On other machines: {errors.mean():.1%} on average, {errors.max():.1%} at most, "
        f"rank correlation (Spearman) {rank_correlation(pairs[:, 0], pairs[:, 1]):.4f}"
    )
    return Table(title, ("machine", *OTHERS), tuple(rows))
