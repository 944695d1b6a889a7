"""What `softex coefficients` prints: a coefficient set for GELU, ready for a machine file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.tools.forms import Form, emit

if TYPE_CHECKING:
    from softex_mlir.runtime.experiments.coefficient_fit import CoefficientSet


def print_coefficients(
    terms: int, machine: Machine, form: Form, output: Path | None, *, tune: bool
) -> None:
    """Fit a set of `terms` terms for the machine's SoftEx; print or write it, as TOML if as text.

    Raises:
        UserError: the machine has no SoftEx.
    """
    from softex_mlir.runtime.experiments.coefficient_fit import fit

    softex = machine.softex
    if softex is None:
        raise UserError(f"machine '{machine.name}' has no SoftEx to fit coefficients for")
    found = fit(terms, tune, softex.accumulator_bits, softex.expp)
    emit(
        form,
        output,
        text=lambda: _toml(terms, found),
        data=lambda: asdict(found),
        rows=lambda: [
            {"slope": f"0x{slope:04X}", "weight": f"0x{weight:04X}", "a": a, "b": b}
            for slope, weight, a, b in zip(
                found.slopes, found.weights, found.a, found.b, strict=True
            )
        ],
    )


def _toml(terms: int, found: CoefficientSet) -> str:
    wraps = "none" if not found.wraps else " ".join(f"0x{bits:04X}" for bits in found.wraps)
    slopes, weights = (
        ", ".join(f"0x{bits:04X}" for bits in values) for values in (found.slopes, found.weights)
    )
    return (
        f"# Q(x) = sum a exp(-b x^2), largest |x * error| {found.fit_error:.3e}\n"
        f"# a = {' '.join(f'{value:.9g}' for value in found.a)}\n"
        f"# b = {' '.join(f'{value:.9g}' for value in found.b)}\n"
        f"# GELU on the unit: largest error {found.largest_error:.3e}, "
        f"mean {found.mean_error:.3e} for N(0, 1) inputs (BF16 alone: 7.8e-03, 5.9e-04)\n"
        f"# positive inputs (BF16 bits) whose mantissa wraps: {wraps}\n"
        "[softex]\n"
        f"terms = {terms}\n"
        f"slopes = [{slopes}]\n"
        f"weights = [{weights}]\n"
    )
