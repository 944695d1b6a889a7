"""What a study found: figures with their confidence, beside plain BF16, and against a baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from softex_mlir.errors import UserError
from softex_mlir.files import read_json
from softex_mlir.runtime.quality.metrics import cosine_of, rank_correlation
from softex_mlir.runtime.quality.study import ARITHMETICS, Record

VERSION = 1
"""Of the report's JSON."""
CONFIDENCE = 0.95
RESAMPLES = 1000
"""Of the bootstrap that gives confidence intervals."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Figure:
    """One metric over all inputs.

    Attributes:
        title: for people.
        better: -1 if less is better, 1 if more is.
        of: the metric of one input's figures.
    """

    title: str
    better: int
    of: Callable[[Mapping[str, Any]], float]


def _from_one(name: str) -> Callable[[Mapping[str, Any]], float]:
    return lambda figures: 1.0 - figures[name]


def _plain(name: str) -> Callable[[Mapping[str, Any]], float]:
    return lambda figures: figures[name]


FIGURES: dict[str, Figure] = {
    "cosine": Figure("1 - cosine", -1, _from_one("cosine")),
    "pooled_cosine": Figure("1 - cosine, mean over rows", -1, _from_one("pooled_cosine")),
    "max_error": Figure("largest error", -1, _plain("max_error")),
    "mean_error": Figure("mean error", -1, _plain("mean_error")),
    "top1_agreement": Figure("top-1 agreement", 1, _plain("top1_agreement")),
    "top5_agreement": Figure("top-5 agreement", 1, _plain("top5_agreement")),
    "divergence": Figure("KL divergence, nats", -1, _plain("divergence")),
}
"""Metrics of single inputs by name; a cosine's is its distance from 1."""


@dataclass(frozen=True)
class Estimate:
    """A mean over inputs, the interval that holds it with `CONFIDENCE`, and the worst input."""

    mean: float
    low: float
    high: float
    worst: float
    worst_input: int

    @staticmethod
    def of(values: Sequence[float], better: int) -> Estimate:
        """By bootstrap, seeded; of one value the interval is not known (NaN)."""
        found = np.asarray(values, np.float64)
        worst = int(np.nan_to_num(found * better, nan=-np.inf).argmin())
        low = high = float("nan")
        if len(found) > 1:
            chosen = np.random.default_rng(0).integers(0, len(found), (RESAMPLES, len(found)))
            tail = (1 - CONFIDENCE) / 2
            means: npt.NDArray[np.float64] = found[chosen].mean(axis=1)
            low, high = (float(np.quantile(means, share)) for share in (tail, 1 - tail))
        return Estimate(float(found.mean()), low, high, float(found[worst]), worst)


@dataclass(frozen=True)
class OutputQuality:
    """Figures of one output by metric; for all inputs together those of `together`."""

    name: str
    figures: Mapping[str, Mapping[str, Estimate]]
    """By arithmetic (`hardware`, `bf16`), then by metric."""
    together: Mapping[str, Mapping[str, float]]
    """By arithmetic: `rank_agreement` of the similarities between inputs, `perplexity`."""


@dataclass(frozen=True)
class QualityReport:
    """How close a model on the cluster comes to FP32, over many inputs.

    Attributes:
        reference: what the FP32 outputs are.
        layers: contributions by layer, worst first; empty if nobody asked.
        sweeps: figures by setting; empty if nobody asked.
    """

    model: str
    machine: str
    reference: str
    inputs: int
    outputs: tuple[OutputQuality, ...]
    layers: tuple[Mapping[str, Any], ...] = ()
    sweeps: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The report as JSON-ready values; a number that is not finite is null."""
        return {
            "version": VERSION,
            "model": self.model,
            "machine": self.machine,
            "reference": self.reference,
            "inputs": self.inputs,
            "confidence": CONFIDENCE,
            "outputs": {
                output.name: {
                    kind: {
                        **{
                            name: {key: _number(value) for key, value in vars(estimate).items()}
                            for name, estimate in output.figures[kind].items()
                        },
                        **{n: _number(v) for n, v in output.together.get(kind, {}).items()},
                    }
                    for kind in output.figures
                }
                for output in self.outputs
            },
            "layers": [dict(row) for row in self.layers],
            "sweeps": [dict(row) for row in self.sweeps],
            "notes": list(self.notes),
        }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def summarise(records: Sequence[Record]) -> tuple[OutputQuality, ...]:
    """Figures over all inputs, output by output."""
    found: list[OutputQuality] = []
    for name in records[0]:
        rows = [record[name] for record in records]
        figures = {
            kind: {
                metric: Estimate.of([figure.of(row[kind]) for row in rows], figure.better)
                for metric, figure in FIGURES.items()
                if metric in rows[0][kind]
            }
            for kind in ARITHMETICS
        }
        found.append(OutputQuality(name, figures, _together(rows)))
    return tuple(found)


def _together(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {kind: {} for kind in (*ARITHMETICS, "fp32")}
    if len(rows) > 2 and rows[0]["fp32"]["vector"] is not None:
        wanted = _similarities([row["fp32"]["vector"] for row in rows])
        for kind in ARITHMETICS:
            own = _similarities([row[kind]["vector"] for row in rows])
            found[kind]["rank_agreement"] = rank_correlation(own, wanted)
    for kind, entry in found.items():
        if "surprise" in rows[0][kind]:
            entry["perplexity"] = exp(float(np.mean([row[kind]["surprise"] for row in rows])))
    return found


def _similarities(vectors: Sequence[Sequence[float]]) -> Array:
    """Cosines of all pairs."""
    arrays = [np.asarray(vector, np.float64) for vector in vectors]
    pairs = ((a, b) for i, a in enumerate(arrays) for b in arrays[:i])
    return np.array([cosine_of(a, b) for a, b in pairs])


@dataclass(frozen=True)
class Change:
    """How a metric compares with a stored report's."""

    output: str
    metric: str
    before: float
    now: float
    allowed: float
    """The worst value that is within the bound."""
    worse: bool


def changes(report: QualityReport, baseline: Path, bound: float) -> list[Change]:
    """The hardware's figures against a stored report's.

    Args:
        bound: how much worse a mean may be, relative to the stored one (0.1 for a tenth); it is
            within the bound, too, if it lies in the stored confidence interval.

    Raises:
        UserError: the file is no report, or has none of the outputs.
    """
    stored = _stored(baseline)
    found: list[Change] = []
    for output in report.outputs:
        for metric, estimate in output.figures["hardware"].items():
            try:
                old = stored[output.name]["hardware"][metric]
                before, low, high = float(old["mean"]), old["low"], old["high"]
            except (KeyError, TypeError, ValueError):
                continue
            better = FIGURES[metric].better
            edge = low if better > 0 else high
            allowed = before - better * bound * abs(before)
            if edge is not None:
                allowed = better * min(better * allowed, better * float(edge))
            worse = not estimate.mean * better >= allowed * better
            found.append(Change(output.name, metric, before, estimate.mean, allowed, worse))
    if not found:
        raise UserError(
            f"{baseline}: expected figures of "
            f"{', '.join(output.name for output in report.outputs)}, "
            f"found {', '.join(stored) or 'none'}"
        )
    return found


def _stored(path: Path) -> dict[str, Any]:
    try:
        data: Any = read_json(path)
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(
            f"{path}: expected a report that `softex quality -o` wrote: {error}"
        ) from error
    try:
        version, outputs = data["version"], dict(data["outputs"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: expected a report that `softex quality -o` wrote") from error
    if version != VERSION:
        raise UserError(f"{path}: expected a report of version {VERSION}, found {version}")
    return outputs
