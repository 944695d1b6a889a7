"""`softex bench estimate`: the cost model against simulations, model by model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.experiments.measure import Table

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


def against_simulation(machine: Machine) -> list[Table]:
    """Cycles and energy as estimated and as simulated, and which unit binds by either."""
    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.runtime.costs.estimate import estimate
    from softex_mlir.runtime.costs.verdict import unit_name, verdict

    rows: list[tuple[str, ...]] = []
    for name, build in cases().items():
        compilation = Compilation.of(build(), machine)
        expected = estimate(compilation.outline(), machine)
        found = compilation.program().run(functional=False).profile
        binds = [unit_name(verdict(profile).unit) for profile in (expected, found)]
        rows.append(
            (
                name,
                f"{expected.cycles:,}",
                f"{found.cycles:,}",
                f"{expected.cycles / found.cycles - 1:+.1%}",
                f"{expected.energy_j / found.energy_j - 1:+.1%}",
                binds[1] if binds[0] == binds[1] else f"{binds[1]} (estimated: {binds[0]})",
            )
        )
    head = ("model", "estimated", "simulated", "cycles", "energy", "bound by")
    return [Table("The cost model against simulation", head, tuple(rows))]
