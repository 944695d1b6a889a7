"""What experiments share: a model compiled and run, tables, and where figures come from."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.machine_basis import validity
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.session import Result, run


@dataclass(frozen=True)
class Table:
    """A table of results: `title`, column heads, rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Measurement:
    """One model compiled and run.

    Attributes:
        compile_seconds, simulate_seconds: host time.
    """

    name: str
    program: Program
    result: Result
    compile_seconds: float
    simulate_seconds: float


def provenance(machine: Machine) -> str:
    """Host, versions, machine description and method of a benchmark, one line each."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("xdsl", "numpy", "numba"))
    points = ", ".join(
        f"{point.name}: {point.voltage} V {point.frequency_hz / 1e6:.0f} MHz"
        for point in machine.operating_points
    )
    return "\n".join(
        (
            f"host     {platform.machine()}, Python {platform.python_version()}, {packages}",
            f"machine  {machine.name} ({machine.hash[:12]}), {points}",
            "method   seeded random weights and inputs; cycles from the simulator with contention; "
            "energy calibrated on the published totals",
            *validity(machine),
        )
    )


def measure(
    name: str, build: Callable[[], Any], machine: Machine, *, functional: bool = True
) -> Measurement:
    """Build, compile and run one model."""
    from softex_mlir.compiler.driver import Compilation

    started = time.perf_counter()
    program = Compilation.of(build(), machine).program()
    compiled = time.perf_counter()
    result = run(program, machine=machine, functional=functional)
    return Measurement(name, program, result, compiled - started, time.perf_counter() - compiled)
