"""Many points by many workers, each kept in a file as soon as it is known."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from statistics import geometric_mean

from softex_mlir.errors import UserError
from softex_mlir.files import json_text, write_atomically
from softex_mlir.runtime.explore.point import Point, Row, evaluate
from softex_mlir.runtime.explore.pools import HostCores, Pool, Work
from softex_mlir.runtime.explore.space import Settings
from softex_mlir.runtime.remote import ATTEMPTS

HOST_CORES = HostCores()

OBJECTIVES: dict[str, tuple[str, ...]] = {
    "latency": ("latency_s",),
    "energy": ("energy_j",),
    "area": ("multipliers", "tcdm_kib"),
}
"""What can be asked for, and the figures of a row that are the less the better."""


@dataclass(frozen=True)
class Cache:
    """Rows in a folder, one file a point."""

    folder: Path

    def read(self, key: str) -> Row | None:
        """The row of a point; None if it is not known."""
        try:
            return Row.of_json(json.loads((self.folder / f"{key}.json").read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, key: str, row: Row) -> None:
        """Keep a row."""
        write_atomically(self.folder / f"{key}.json", json_text(row.to_json()))


def sweep(
    points: Sequence[Point],
    cache: Cache,
    pool: Pool = HOST_CORES,
    progress: Callable[[int, int], None] | None = None,
    work: Work = evaluate,
) -> list[Row]:
    """Rows of points, in their order: those in the cache, the others by the workers of a pool.

    A worker that dies costs its points another attempt; what is known is kept.
    """
    rows: dict[Point, Row] = {}
    keys: dict[Point, str] = {}
    for point in points:
        try:
            keys[point] = point.key
        except UserError as error:
            rows[point] = Row.without_figures(point, str(error))
            continue
        known = cache.read(keys[point])
        if known is not None:
            rows[point] = known
    for _ in range(ATTEMPTS):
        todo = [point for point in dict.fromkeys(points) if point not in rows]
        if not todo:
            break
        for point, row in pool.evaluated(todo, work):
            cache.write(keys[point], row)
            rows[point] = row
            if progress is not None:
                progress(len(rows), len(points))
    died = f"its process died {ATTEMPTS} times"
    return [rows.get(point) or Row.without_figures(point, died) for point in points]


def front(rows: Sequence[Row], objectives: Sequence[str]) -> list[Row]:
    """Rows that no other row of the same model is as good as in everything and better in one."""
    figures = [figure for name in objectives for figure in OBJECTIVES[name]]

    def values(row: Row) -> tuple[float, ...]:
        return tuple(getattr(row, figure) for figure in figures)

    def beaten(row: Row) -> bool:
        mine = values(row)
        return any(
            other.model == row.model
            and values(other) != mine
            and all(a <= b for a, b in zip(values(other), mine, strict=True))
            for other in good
        )

    good = [row for row in rows if not row.reason]
    return sorted((row for row in good if not beaten(row)), key=lambda row: row.latency_s)


def simulate(
    rows: Sequence[Row], cache: Cache, most: int, pool: Pool = HOST_CORES
) -> list[tuple[Row, Row]]:
    """Estimated rows with the simulated ones of the same points, at most so many: of all models
    alike, of each the first ones."""
    models = dict.fromkeys(row.model for row in rows)
    turns = zip_longest(*([row for row in rows if row.model == model] for model in models))
    chosen = [row for turn in turns for row in turn if row is not None][:most]
    points = [Point(row.model, row.machine, row.settings, simulated=True) for row in chosen]
    return list(zip(chosen, sweep(points, cache, pool), strict=True)) if points else []


def sensitivity(rows: Sequence[Row], figure: str = "latency_s") -> dict[str, dict[str, float]]:
    """What each value of a knob is worth: latency, or another figure, over that of the knob's best
    value with all else equal, the geometric mean over all machines that differ in it alone."""
    alike: defaultdict[tuple[str, str, Settings], list[tuple[str, Row]]] = defaultdict(list)
    for row in rows:
        for place, setting in enumerate(() if row.reason else row.settings):
            key, _, value = setting.partition("=")
            others = row.settings[:place] + row.settings[place + 1 :]
            alike[row.model, key, others].append((value, row))
    found: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (_, key, _), members in alike.items():
        figures = [(value, getattr(row, figure)) for value, row in members]
        best = min(amount for _, amount in figures)
        for value, amount in figures if len(figures) > 1 else ():
            found[key][value].append(amount / best)
    return {
        key: {value: geometric_mean(ratios) for value, ratios in values.items()}
        for key, values in found.items()
    }
