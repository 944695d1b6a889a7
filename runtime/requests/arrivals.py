"""When requests arrive, and for which model: drawn, or from a file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from softex_mlir.errors import UserError
from softex_mlir.files import read_text

MOST_REQUESTS = 10_000_000


@dataclass(frozen=True)
class Arrivals:
    """Requests in the order in which they arrive.

    Attributes:
        times: seconds from the start, rising.
        models: place of the model of each among the models.
        rate: requests a second: what was asked for, or that from the first to the last.
    """

    times: npt.NDArray[np.float64]
    models: npt.NDArray[np.int64]
    rate: float


def poisson(rate: float, count: int, shares: Sequence[float], seed: int) -> Arrivals:
    """Requests that know nothing of each other: exponential times between them, models drawn.

    Args:
        rate: requests a second, of all models together.
        shares: of each model; they need not add up to 1.

    Raises:
        UserError: a rate, count or share is out of range.
    """
    if not 0 < rate < float("inf"):
        raise UserError(f"expected a rate above 0 requests a second, found {rate:g}")
    if not 1 <= count <= MOST_REQUESTS:
        raise UserError(f"expected 1 to {MOST_REQUESTS:,} requests, found {count:,}")
    if min(shares) < 0 or not 0 < sum(shares) < float("inf"):
        raise UserError(f"expected shares of 0 or more, not all 0, found {list(shares)}")
    random = np.random.default_rng(seed)
    times = np.cumsum(random.exponential(1 / rate, count))
    likely = np.asarray(shares, np.float64) / sum(shares)
    return Arrivals(times, random.choice(len(shares), size=count, p=likely), rate)


def read_arrivals(path: Path, names: Sequence[str]) -> Arrivals:
    """A CSV file with the columns `seconds` and, for several models, `model`; in any order.

    Raises:
        UserError: it cannot be read, lacks a column, or a line says no time or no model.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the arrivals: {error}") from error
    reader = csv.DictReader(text.splitlines())
    wanted = ("seconds", "model") if len(names) > 1 else ("seconds",)
    head = reader.fieldnames or []
    if any(name not in head for name in wanted):
        columns = ", ".join(head) or "none"
        raise UserError(f"{path}:1:1: expected the columns {', '.join(wanted)}, found {columns}")
    found: list[tuple[float, int]] = []
    for line in reader:
        place = f"{path}:{reader.line_num}:1"
        model = line.get("model") or names[0]
        if model not in names:
            raise UserError(f"{place}: expected a model of {', '.join(names)}, found '{model}'")
        try:
            seconds = float(line["seconds"])
        except (TypeError, ValueError):
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            raise UserError(
                f"{place}: expected seconds from the start, found '{line.get('seconds')}'"
            )
        found.append((seconds, names.index(model)))
    if not found:
        raise UserError(f"{path}: expected a line for every request, found none")
    found.sort()
    times = np.asarray([seconds for seconds, _ in found], np.float64)
    models = np.asarray([model for _, model in found], np.int64)
    span = float(times[-1] - times[0])
    return Arrivals(times, models, (len(times) - 1) / span if span else 0.0)
