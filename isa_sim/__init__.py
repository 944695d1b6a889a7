"""The cluster: what the hardware is (machine, isa, numerics) and what it does (the simulator).

>>> from softex_mlir.isa_sim import run_job

Attributes are imported on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softex_mlir.isa_sim.bus_sequence import SequenceResult, run_sequence
    from softex_mlir.isa_sim.job import JobResult, run_job
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.isa_sim.units.faults import UnitFault

__all__ = ["JobResult", "Machine", "SequenceResult", "UnitFault", "run_job", "run_sequence"]

_HOMES = {
    "JobResult": "softex_mlir.isa_sim.job",
    "run_job": "softex_mlir.isa_sim.job",
    "SequenceResult": "softex_mlir.isa_sim.bus_sequence",
    "run_sequence": "softex_mlir.isa_sim.bus_sequence",
    "Machine": "softex_mlir.isa_sim.machine",
    "UnitFault": "softex_mlir.isa_sim.units.faults",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
