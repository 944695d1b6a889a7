"""A budget for every test: 20 s of CPU time, all its parameters together, compiling apart.

Processor time, because the machine may be busy; without numba's compilation, because whichever test
runs first on an empty cache would pay for the others. `make fuzz` has no budget, and what a test
marked `slow` says it takes long for is worth it.
"""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from typing import Any

import pytest
from numba.core import event
from sampling import LONG

BUDGET_SECONDS = 20.0
USED = "cpu_seconds"


def processor_seconds() -> float:
    """CPU time of this process and of those it waited for."""
    return sum(os.times()[:4])


class Compiling(event.Listener):
    """Adds up the time that numba compiles, whichever function asked for it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0
        self._start = 0.0

    def on_start(self, event: Any) -> None:
        if not self._depth:
            self._start = processor_seconds()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if not self._depth:
            self.seconds += processor_seconds() - self._start


compiling = Compiling()
used: defaultdict[str, float] = defaultdict(float)
"""CPU seconds by test function."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden IR files again")


def pytest_configure(config: pytest.Config) -> None:
    event.register("numba:compile", compiling)
    gc.set_threshold(100_000)  # seldom, but these processes live longer than commands do
    config.addinivalue_line("markers", "matrix: a sample of many cases; `make fuzz` runs them all")
    config.addinivalue_line("markers", "slow(reason): takes longer than the budget, and why")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    before = processor_seconds() - compiling.seconds
    try:
        return (yield)
    finally:
        if not pyfuncitem.get_closest_marker("slow"):
            name = pyfuncitem.nodeid.partition("[")[0]
            used[name] += processor_seconds() - compiling.seconds - before


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: Any) -> None:
    """Take over what a worker of pytest-xdist used, if it did not crash."""
    for name, seconds in getattr(node, "workeroutput", {}).get(USED, {}).items():
        used[name] += seconds


def over_budget() -> list[str]:
    return [] if LONG else [name for name, seconds in used.items() if seconds > BUDGET_SECONDS]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    worker_output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if worker_output is not None:
        worker_output[USED] = dict(used)
    elif over_budget() and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for name, seconds in sorted(used.items(), key=lambda item: -item[1])[:5]:
        terminalreporter.write_line(f"{seconds:6.1f} s of CPU time: {name}")
    for name in over_budget():
        terminalreporter.write_line(
            f"over the budget of {BUDGET_SECONDS:.0f} s: {name}; "
            "take a smaller sample (test/property/sampling.py)"
        )
