"""Layers that are not replayed run when the replay of all launches says, and take as long."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.text import bert, mobilebert
from softex_mlir.compiler.schedule import lower, repeats
from softex_mlir.compiler.schedule.replay import Expected
from softex_mlir.compiler.schedule.timeline import Launch
from softex_mlir.isa_sim.machine import Machine


def test_expected_times_are_those_of_all_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[tuple[list[Expected], Sequence[Expected], int]] = []

    def both(launches: Sequence[Launch], expect: repeats.Expect) -> list[Expected]:
        found = repeats.expect_repeated(launches, expect)
        repeat = repeats.longest_repeat(launches)
        assert repeat is not None
        kept.append((found, expect(launches), len(repeat.left_out)))
        return found

    monkeypatch.setattr(lower, "expect_repeated", both)
    model = bert("small", tokens=32, hidden=64, layers=12, heads=2, types=0, vocabulary=50)
    Compilation.of(model, Machine.load("paper")).program()
    ((found, whole, left_out),) = kept
    assert left_out > len(whole) // 4
    end = max(end for one in whole for _, end in one.spans)
    for mine, theirs in zip(found, whole, strict=True):
        for (_, at), (_, wanted) in zip(mine.spans, theirs.spans, strict=True):
            assert abs(at - wanted) <= 0.002 * end
    busy = [sum(sum(one.busy) for one in side) for side in (found, whole)]
    assert busy[0] == pytest.approx(busy[1], rel=0.005)


def test_lines_of_counters_that_begin_before_the_layers_are_shortened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tiles of a product behind repeated launches are free one after another, the first ones since
    before these: with a step as large as before nobody would reach the last one's."""
    model = mobilebert("small", tokens=64, layers=1)
    machine = Machine.load("paper")
    found = Compilation.of(model, machine).program().metadata["predicted_cycles"]
    monkeypatch.setattr(repeats, "longest_repeat", lambda _launches: None)
    whole = Compilation.of(model, machine).program().metadata["predicted_cycles"]
    assert found == pytest.approx(whole, rel=0.001)
