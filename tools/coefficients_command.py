"""What `softex coefficients` prints: a coefficient set for GELU, ready for a machine file."""

from __future__ import annotations

import sys
from dataclasses import asdict

from softex_mlir.errors import UserError
from softex_mlir.files import json_text
from softex_mlir.isa_sim.machine import Machine


def print_coefficients(terms: int, machine: Machine, *, tune: bool, as_json: bool) -> None:
    """Fit a set of ``terms`` terms for the machine's SoftEx and print it as TOML or JSON."""
    from softex_mlir.runtime.experiments.coefficient_fit import fit

    softex = machine.softex
    if softex is None:
        raise UserError(f"machine '{machine.name}' has no SoftEx to fit coefficients for")
    found = fit(terms, tune, softex.accumulator_bits, softex.expp)
    if as_json:
        sys.stdout.write(json_text(asdict(found)))
        return
    wraps = "none" if not found.wraps else " ".join(f"0x{bits:04X}" for bits in found.wraps)
    slopes, weights = (
        ", ".join(f"0x{bits:04X}" for bits in values) for values in (found.slopes, found.weights)
    )
    sys.stdout.write(
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
