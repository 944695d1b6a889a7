"""How much of what could be tried `make test` tries; `make fuzz` sets FUZZ_CASES and tries more.

`make test` runs fixed samples, so that it finds the same every time; a test's cases together take
20 s at most there (`test/conftest.py` holds it).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

LONG = "FUZZ_CASES" in os.environ


def sample(short: int, share: int = 1) -> settings:
    """Settings of a property test: a short fixed sample, or FUZZ_CASES / share random cases."""
    cases = max(1, int(os.environ.get("FUZZ_CASES", 0)) // share) if LONG else short
    return settings(
        max_examples=cases,
        derandomize=not LONG,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
    )


def matrix(names: str, cases: Sequence[Any], short: int) -> Callable[[Any], Any]:
    """Parametrize a test with a fixed sample of cases, in their order; with all in `make fuzz`."""
    chosen = range(len(cases))
    if not LONG:
        chosen = sorted(random.Random(0).sample(chosen, short))
    parametrize = pytest.mark.parametrize(names, [cases[index] for index in chosen])

    def decorate(function: Any) -> Any:
        return pytest.mark.matrix(parametrize(function))

    return decorate
