"""A search in a space that is too large to try: Optuna proposes machines, a sweep answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from softex_mlir.errors import UserError
from softex_mlir.runtime.explore.point import Point, Row
from softex_mlir.runtime.explore.space import Settings
from softex_mlir.runtime.explore.sweep import OBJECTIVES

BATCH = 8
"""Points proposed at a time: as many on every host, so that a seed finds the same everywhere."""
REPEATS = 50
"""Batches of nothing new after which a space counts as known."""


def search(
    model: str,
    target: str,
    space: Mapping[str, Sequence[str]],
    objectives: Sequence[str],
    most: int,
    seed: int,
    evaluate: Callable[[list[Point]], list[Row]],
) -> list[Row]:
    """Rows of at most `most` machines that Optuna's tree-structured Parzen estimator proposes.

    Args:
        space: values by key; their order counts as a scale.
        evaluate: rows of points, in their order.

    Raises:
        UserError: the library of the extra `explore` is missing, or there is nothing to vary.
    """
    optuna = _library()
    if not space:
        raise UserError("--search: expected knobs to vary: --set section.key=value,value")
    figures = [figure for name in objectives for figure in OBJECTIVES[name]]
    study: Any = optuna.create_study(
        directions=["minimize"] * len(figures),
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(2 * BATCH, most // 2)),
    )
    known: dict[Settings, Row] = {}
    idle = 0
    while len(known) < most and idle < REPEATS:
        trials = [study.ask() for _ in range(BATCH)]
        asked = [_settings(trial, space) for trial in trials]
        fresh = [s for s in dict.fromkeys(asked) if s not in known][: most - len(known)]
        idle = 0 if fresh else idle + 1
        points = [Point(model, target, settings) for settings in fresh]
        known.update(zip(fresh, evaluate(points) if points else [], strict=True))
        for trial, settings in zip(trials, asked, strict=True):
            row = known.get(settings)
            if row is None or row.reason:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, [float(getattr(row, figure)) for figure in figures])
    return list(known.values())


def _settings(trial: Any, space: Mapping[str, Sequence[str]]) -> Settings:
    def value(key: str) -> str:
        return space[key][int(trial.suggest_int(key, 0, len(space[key]) - 1))]

    return tuple(f"{key}={value(key)}" for key in space)


def _library() -> Any:
    try:
        import optuna  # pyright: ignore
    except ImportError as error:
        raise UserError(
            f"--search needs {error.name}: pip install 'softex-mlir[explore]' "
            "(--random draws without it)"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # pyright: ignore
    return optuna  # pyright: ignore
