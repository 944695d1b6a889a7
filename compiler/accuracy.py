"""The levels of `--accuracy`: what the arithmetic gives up for speed, decided in one place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Accuracy:
    """What a level asks of the transformer-level passes.

    Attributes:
        sum_chunk: the most inner values a linear layer accumulates in bf16 without a break; 0 for
            all of them.
        value_chunk: the most keys that attention sums values over without a break; 0 for all.
        order: whether small terms of sums come first.
    """

    sum_chunk: int
    value_chunk: int
    order: bool


class AccuracyLevel(StrEnum):
    """Names of the levels."""

    fast = "fast"
    balanced = "balanced"
    high = "high"
    exact = "exact"


ACCURACIES: dict[str, Accuracy] = {
    AccuracyLevel.fast: Accuracy(sum_chunk=0, value_chunk=0, order=False),
    AccuracyLevel.balanced: Accuracy(sum_chunk=192, value_chunk=0, order=True),
    AccuracyLevel.high: Accuracy(sum_chunk=96, value_chunk=64, order=True),
    AccuracyLevel.exact: Accuracy(sum_chunk=32, value_chunk=32, order=True),
}
