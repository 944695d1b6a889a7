"""What `softex estimate` does, and the estimate that `softex compile` ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.costs.estimate import estimate
from softex_mlir.runtime.costs.summary import Summary
from softex_mlir.tools.compile_command import print_placement
from softex_mlir.tools.forms import Form
from softex_mlir.tools.summary_report import report

if TYPE_CHECKING:
    from softex_mlir.compiler.driver import Compilation
    from softex_mlir.compiler.transforms.transformer.place import Placement


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
    placement: Sequence[Placement] = (),
) -> None:
    """The summary of a program's note, or of a compilation's outline, by the cost model.

    Args:
        placement: shown below it, in CSV instead of it.
    """
    if placement and form is Form.csv:
        print_placement(placement, form, output)
        return
    profile = estimate(metadata, machine, operating_point)
    summary = Summary.of(profile, metadata, simulated=False, quality=quality)
    more = {"placement": [vars(entry) for entry in placement]} if placement else {}
    report(summary, form, per_layer=per_layer, energy=energy, output=output, more=more)
    if placement and form is Form.text:
        print_placement(placement, form)


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
