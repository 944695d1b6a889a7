"""How far the machine's functions are from the exact ones, over all BF16 inputs.

The exact functions are evaluated in binary64. ``floor`` columns give what rounding the exact
value to BF16 costs by itself: no BF16 implementation can be better.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.numerics.bf16 import from_bits, round_float64_bits, to_bits, widen_bits
from softex_mlir.runtime.experiments.coefficient_fit import normal_mean


@dataclass(frozen=True)
class ActivationAccuracy:
    """Errors of ``function`` as computed ``by`` a unit, against the exact ``reference``.

    Absolute errors over all finite inputs: the largest, where it is (``worst_input``), and the
    mean for N(0, 1) inputs; ``floor_*`` are those of the correctly rounded function.
    """

    function: str
    by: str
    reference: str
    largest: float
    worst_input: float
    mean: float
    floor_largest: float
    floor_mean: float

    def __str__(self) -> str:
        return (
            f"{self.function:6} by {self.by:28} against {self.reference:10}: "
            f"largest {self.largest:.2e} at {self.worst_input:+.4g} (BF16 {self.floor_largest:.2e})"
            f", mean {self.mean:.2e} (BF16 {self.floor_mean:.2e})"
        )


def gelu_erf(v: Any) -> Any:
    """``v * Phi(v)``, exact to binary64; 0 at -inf."""
    return v * 0.5 * np.vectorize(math.erfc, otypes=[np.float64])(-v / math.sqrt(2.0))


def gelu_tanh(v: Any) -> Any:
    """The tanh form of GELU, in binary64."""
    with np.errstate(over="ignore"):
        return 0.5 * v * (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))


def silu(v: Any) -> Any:
    """``v * sigmoid(v)``, in binary64."""
    with np.errstate(over="ignore"):
        return v / (1 + np.exp(-v))


def _compare(
    function: str, by: str, reference: str, exact: Callable[[Any], Any], found_bits: Any
) -> ActivationAccuracy:
    bits = np.arange(65536, dtype=np.uint16)
    bits = bits[(bits & 0x7FFF) < 0x7F80]
    v = widen_bits(bits).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        target = exact(v)
        found = widen_bits(found_bits[bits]).astype(np.float64)
        rounded = widen_bits(round_float64_bits(target)).astype(np.float64)
        error, floor = np.abs(found - target), np.abs(rounded - target)
    worst = int(np.argmax(error))
    return ActivationAccuracy(
        function,
        by,
        reference,
        float(error[worst]),
        float(v[worst]),
        normal_mean(v, error),
        float(floor.max()),
        normal_mean(v, floor),
    )


def activation_errors(machine: Machine | None = None) -> list[ActivationAccuracy]:
    """GELU (erf and tanh form) and SiLU, on SoftEx and on the cores, against the exact functions.

    ``machine`` (default ``paper``) gives SoftEx's coefficients; the published set comes too.
    """
    from softex_mlir.isa_sim.numerics import gelu, rowwise

    machine = machine or Machine.load("paper")
    every = from_bits(np.arange(65536, dtype=np.uint16))
    rows = every.reshape(1, -1)
    results: list[ActivationAccuracy] = []
    sets: list[tuple[str, tuple[int, ...], tuple[int, ...], int, bool, str]] = []
    softex = machine.softex
    if softex is not None:
        sets.append(
            (
                f"SoftEx, {machine.name}'s {softex.terms} terms",
                softex.slopes,
                softex.weights,
                softex.accumulator_bits,
                softex.soe_rounding_carry,
                softex.expp,
            )
        )
    for name, (slopes, weights) in gelu.COEFFICIENT_SETS.items():
        entry = (f"SoftEx, {name}", slopes, weights, gelu.ACCUMULATOR_BITS, False, "rtl")
        if not any(entry[1:] == other[1:] for other in sets):
            sets.append(entry)
    forms = (("erf form", gelu_erf), ("tanh form", gelu_tanh))
    for by, slopes, weights, bits, carry, constants in sets:
        table = gelu.gelu_table(slopes, weights, bits, carry, constants)
        results += [_compare("gelu", by, form, exact, table) for form, exact in forms]
    with np.errstate(all="ignore"):
        on_cores = {
            "erf form": to_bits(rowwise.gelu_software(rows))[0],
            "tanh form": to_bits(rowwise.gelu_tanh_software(rows))[0],
        }
        sigmoid_linear = to_bits(rowwise.silu(rows))[0]
    for form, exact in forms:
        results.append(_compare("gelu", "the cores", form, exact, on_cores[form]))
    results.append(_compare("silu", "the cores", "x*sigmoid", silu, sigmoid_linear))
    return results


@dataclass(frozen=True)
class ExppAccuracy:
    """Relative errors of expp for x uniform on [low, high], rounded to BF16."""

    constants: str
    low: float
    high: float
    reference: str
    mean: float
    largest: float

    def __str__(self) -> str:
        return (
            f"expp ({self.constants:5}) on [{self.low:g}, {self.high:g}] against "
            f"{self.reference:22}: mean {self.mean:.3%}, largest {self.largest:.3%}"
        )


def expp_errors() -> list[ExppAccuracy]:
    """Relative errors of expp: both sets of constants, three ranges, two references.

    An input counts with the length of the interval of reals that round to it; results flushed
    to zero (x <= -87.5) are left out.
    """
    from softex_mlir.isa_sim.numerics.expp import expp_table

    bits = np.arange(65536, dtype=np.uint16)
    bits = bits[(bits & 0x7FFF) < 0x7F80]
    v = widen_bits(bits).astype(np.float64)
    order = np.argsort(v, kind="stable")
    bits, v = bits[order], v[order]
    edges = np.concatenate([[v[0]], (v[1:] + v[:-1]) / 2, [v[-1]]])
    results: list[ExppAccuracy] = []
    for constants in ("rtl", "paper"):
        found = widen_bits(expp_table(constants)[bits]).astype(np.float64)
        for low, high in ((-88.0, 88.0), (-88.0, 0.0), (-10.0, 0.0)):
            lengths = np.diff(np.clip(edges, low, high))
            use = (lengths > 0) & (v > -87.5) & (v <= high)
            exact = np.exp(v[use])
            rounded = widen_bits(round_float64_bits(exact)).astype(np.float64)
            for reference, target in (("exact exp", exact), ("exp rounded to BF16", rounded)):
                error = np.abs(found[use] / target - 1)
                mean = float(np.sum(error * lengths[use]) / np.sum(lengths[use]))
                results.append(
                    ExppAccuracy(constants, low, high, reference, mean, float(error.max()))
                )
    return results
