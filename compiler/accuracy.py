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
        order: whether small terms of sums come first.
    """

    sum_chunk: int
    order: bool


class AccuracyLevel(StrEnum):
    """Names of the levels."""

    fast = "fast"
    balanced = "balanced"


ACCURACIES: dict[str, Accuracy] = {
    AccuracyLevel.fast: Accuracy(sum_chunk=0, order=False),
    AccuracyLevel.balanced: Accuracy(sum_chunk=192, order=True),
}
