"""The speed measurement runs and its programs end as they should."""

from __future__ import annotations

from softex_mlir.runtime.experiments.bench_core import measure_core_speed


def test_speeds_are_measured() -> None:
    speeds = measure_core_speed(instructions=20_000)
    assert [speed.program for speed in speeds] == [
        "integer, loads and stores", "binary32", "packed BF16",
    ]  # fmt: skip
    assert all(speed.one_core > 0 and speed.eight_cores > 0 for speed in speeds)
