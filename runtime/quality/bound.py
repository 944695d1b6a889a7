"""What is asked of the distance from FP32: a metric, a number, and the outputs that count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt

from softex_mlir.compiler.accuracy import EDITED, HELD_OUT
from softex_mlir.errors import UserError
from softex_mlir.runtime.quality.metrics import compare, cosine_of
from softex_mlir.runtime.quality.study import mean, pooled

Array = npt.NDArray[Any]

METRICS: dict[str, Callable[[Mapping[str, float]], float]] = {
    "cosine": lambda figures: 1 - figures["cosine"],
    "pooled_cosine": lambda figures: 1 - figures["pooled_cosine"],
    "max_error": lambda figures: figures["max_error"],
    "mean_error": lambda figures: figures["mean_error"],
    "top1_agreement": lambda figures: 1 - figures["top1_agreement"],
}
"""Losses of an output by the name of their metric. Cosines and agreements are bounded from below,
errors from above."""


@dataclass(frozen=True)
class Bound:
    """What is asked of the mean over outputs and inputs.

    Attributes:
        output: the only one that counts; None for all.
    """

    value: float
    metric: str = "cosine"
    output: str | None = None

    @staticmethod
    def of(value: float, metric: str | None = None) -> Bound:
        """From a number and `METRIC` or `OUTPUT:METRIC`.

        Raises:
            UserError: there is no such metric, or the number is none of its values.
        """
        output, _, name = (metric or "cosine").rpartition(":")
        if name not in METRICS:
            raise UserError(
                f"metric: expected one of {', '.join(METRICS)}, or an output's name and one of "
                f"them (logits:cosine), found '{metric}'"
            )
        bound = Bound(value, name, output or None)
        least, most = (0.0, float("inf")) if bound.is_error else (0.0, 1.0)
        if not least < value < most:
            raise UserError(
                f"accuracy: expected a {name} above {least:g} and below {most:g}, found {value:g}"
            )
        return bound

    @property
    def is_error(self) -> bool:
        """Whether less is better."""
        return self.metric.endswith("error")

    @property
    def loss(self) -> float:
        """The most that may be lost."""
        return self.value if self.is_error else 1 - self.value

    def figure(self, loss: float) -> float:
        """The metric's value for a loss."""
        return loss if self.is_error else 1 - loss

    def loss_of(
        self, found: Mapping[str, Array], wanted: Mapping[str, Array], inputs: Mapping[str, Array]
    ) -> float:
        """The mean over outputs, of one input; NaN if none has a reference."""
        losses: list[float] = []
        for name, right in wanted.items():
            if name in found and self.output in (None, name):
                own, wide = found[name].astype(np.float64), right.astype(np.float64)
                figures = asdict(compare(own, wide))
                figures["pooled_cosine"] = cosine_of(pooled(own, inputs), pooled(wide, inputs))
                losses.append(METRICS[self.metric](figures))
        return mean(losses)

    def record(self, held_out: float) -> dict[str, str | float]:
        """What a program's note and an accuracy file say."""
        found: dict[str, str | float] = {"metric": self.metric, "asked": self.value}
        if self.output is not None:
            found["output"] = self.output
        return {**found, HELD_OUT: held_out}

    @property
    def title(self) -> str:
        """For people: "cosine of logits of at least 0.9998"."""
        where = "" if self.output is None else f" of {self.output}"
        return (
            f"{self.metric}{where} of at {'most' if self.is_error else 'least'} {self.value:.10g}"
        )


def kept(
    record: Mapping[str, Any],
    found: Mapping[str, Array],
    wanted: Mapping[str, Array],
    inputs: Mapping[str, Array],
) -> str:
    """How far one run keeps the bound that its program was compiled for; empty if nobody can tell.

    Args:
        record: what `Bound.record` gave.
    """
    try:
        name = ":".join(filter(None, (record.get("output"), record.get("metric"))))
        bound = Bound.of(float(record["asked"]), name)
    except (KeyError, TypeError, ValueError, UserError):
        return ""
    loss = bound.loss_of(found, wanted, inputs)
    if isnan(loss):
        return ""
    verdict = "kept" if loss <= bound.loss else "NOT kept by this input alone"
    held = record.get(HELD_OUT)
    beside = f"; {held:.6g} on held-out inputs when compiled" if isinstance(held, float) else ""
    if EDITED in record:
        beside = f"; the choice was edited {record[EDITED]}"
    return f"bound: {bound.title}: {bound.figure(loss):.6g} here, {verdict}{beside}"
