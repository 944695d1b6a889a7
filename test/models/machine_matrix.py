"""Machines that the template may be built as: every axis by itself, and random mixtures."""

from __future__ import annotations

import random

SHAPES = (
    "12x4x3",
    "8x4x3",
    "32x4x8",
    "8x8x1",
    "12x8x3",
    "48x8x6",
    "40x8x5",
    "16x16x1",
    "32x16x2",
    "36x12x3",
    "24x6x4",
    "20x5x4",
    "49x7x7",
    "33x11x3",
    "1x1x1",
)
AXES: dict[str, tuple[str, ...]] = {
    "redmule.shape": SHAPES,
    "softex.lanes": ("4", "8", "32"),
    "cluster.cores": ("4", "5", "12", "16", "17", "32"),
    "cluster.tcdm_bytes": ("32Ki", "48Ki", "64Ki", "128Ki", "512Ki", "1Mi", "2Mi"),
    "dma.bytes_per_cycle": ("4", "16", "32", "64"),
    "redmule.masked_rows": ("true",),
    "redmule.exact_leftovers": ("true",),
}
ABSENT = (
    ("softex.present=false",),
    ("redmule.present=false",),
    ("softex.present=false", "redmule.present=false"),
    ("redmule.present=false", "cluster.cores=3"),
)
MIXTURES = 40


def _machines() -> list[tuple[str, ...]]:
    draw = random.Random(0)
    found: list[tuple[str, ...]] = []
    for key, values in AXES.items():
        found += [(f"{key}={value}",) for value in values]
    found.extend(ABSENT)
    for _ in range(MIXTURES):
        keys = draw.sample(sorted(AXES), draw.randint(2, 4))
        found.append(tuple(f"{key}={draw.choice(AXES[key])}" for key in keys))
    return found


MACHINES = _machines()
