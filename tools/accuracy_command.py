"""What `softex compile --accuracy` does before it compiles."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from softex_mlir.compiler.accuracy import Accuracy, accuracy_text, bound_of
from softex_mlir.files import write_atomically
from softex_mlir.tools.progress import status_line

if TYPE_CHECKING:
    from softex_mlir.compiler.model import Model
    from softex_mlir.compiler.outputs import OutputChoice
    from softex_mlir.isa_sim.machine import Machine


def accuracy_wanted(
    read: Callable[[], Model | str],
    accuracy: str | None,
    calibrate: Path | None,
    metric: str | None,
    report: Path | None,
    *,
    machine: Machine | None,
    shapes: Mapping[str, tuple[int, ...]],
    outputs: OutputChoice,
) -> str | Accuracy | None:
    """The accuracy to compile with: of a bound, what meets it. Writes the report.

    Raises:
        UserError: the bound cannot be met, or something cannot be read or does not fit.
    """
    bound = None if accuracy is None else bound_of(accuracy)
    if bound is None or calibrate is None:
        _refuse(accuracy, calibrate, metric, report, bounded=bound is not None)
        if report is None or accuracy is None:
            return accuracy
        from softex_mlir.runtime.quality.dial import described

        found = described(read, accuracy, machine=machine, shapes=shapes, outputs=outputs)
    else:
        from softex_mlir.runtime.quality.dial import Bound, choose

        wanted = Bound.of(bound, metric)
        with status_line() as show:
            found = choose(
                *(read, wanted, calibrate),
                machine=machine,
                shapes=shapes,
                outputs=outputs,
                show=show,
            )
        evidence = found.evidence
        more = evidence["forecast_cycles"] / evidence["forecast_cycles_of_whole_sums"] - 1
        sys.stderr.write(
            f"accuracy: a {wanted.title}: {evidence['held_out']:.6g} on "
            f"{evidence['held_out_inputs']} held-out inputs, {evidence['calibration']:.6g} on "
            f"{evidence['calibration_inputs']} others, {more:+.1%} cycles by the cost model\n"
        )
    if report is not None:
        source = read()
        name = source if isinstance(source, str) else source.name
        text = accuracy_text(found.accuracy, name, found.evidence, found.notes)
        write_atomically(report, text)
    return found.accuracy


def _refuse(
    accuracy: str | None,
    calibrate: Path | None,
    metric: str | None,
    report: Path | None,
    *,
    bounded: bool,
) -> None:
    if calibrate is not None or (metric is not None and not bounded):
        raise typer.BadParameter(
            "is for a bound: --accuracy 0.9998; how close a level comes: softex quality MODEL "
            "--accuracy LEVEL --inputs inputs.npz",
            param_hint="--calibrate" if calibrate is not None else "--metric",
        )
    if report is not None and accuracy is None:
        raise typer.BadParameter("expected an --accuracy to write down", param_hint="--accuracy")
