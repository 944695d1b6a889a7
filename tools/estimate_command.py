"""What `softex estimate` does, and the estimate that `softex compile` ends with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.costs.estimate import estimate
from softex_mlir.runtime.costs.summary import Summary
from softex_mlir.tools.summary_report import Form, report

if TYPE_CHECKING:
    from softex_mlir.compiler.driver import Compilation


def print_estimate(
    metadata: Mapping[str, Any],
    machine: Machine,
    form: Form,
    *,
    quality: tuple[str, ...],
    per_layer: bool = False,
    energy: bool = False,
    output: Path | None = None,
    operating_point: str | None = None,
) -> None:
    """The summary of a program's note, or of a compilation's outline, by the cost model."""
    profile = estimate(metadata, machine, operating_point)
    summary = Summary.of(profile, metadata, simulated=False, quality=quality)
    report(summary, form, per_layer=per_layer, energy=energy, output=output)


def run_estimate(
    compilation: Compilation,
    form: Form,
    *,
    per_layer: bool,
    energy: bool,
    output: Path | None,
    operating_point: str | None,
) -> None:
    """Schedule a model and print what the cost model says; no program is made."""
    print_estimate(
        compilation.outline(),
        compilation.machine,
        form,
        quality=("not compared: softex compile --self-check, softex run --check",),
        per_layer=per_layer,
        energy=energy,
        output=output,
        operating_point=operating_point,
    )
