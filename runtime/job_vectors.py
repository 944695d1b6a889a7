"""The jobs of a run as vectors for a test bench of the units, or for another simulator.

A folder gets three files. `jobs.jsonl` has a line a job in program order: unit, registers by name,
the cycle of the trigger, the cycles to the done event with zero-stall memory, warnings, and for
every operand and result its address, size and place in `data.bin`. `about.json` says so, and for
which machine and on which RTL the jobs are valid.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from softex_mlir import __version__
from softex_mlir.files import json_text
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.machine_basis import compared_with, unrecorded
from softex_mlir.isa_sim.records import JobRecord
from softex_mlir.isa_sim.units import registry

_FIELDS = {
    "job": "place in the program, from 0",
    "unit": "which unit; a job of redmule begins with a soft clear if the machine asks for it",
    "registers": "job registers by name as they are at the trigger",
    "trigger_cycle": "cycle of the run in which the trigger is accepted",
    "cycles": "from the trigger to the done event, on an idle unit with memory that never stalls",
    "operands": "bytes in TCDM before the job: address, number of bytes, offset in data.bin",
    "results": "bytes in TCDM after it",
    "warnings": "quirks of the hardware that the job meets",
}


def _about(machine: Machine) -> dict[str, Any]:
    return {
        "fields": _FIELDS,
        "valid_on_rtl": list(compared_with(machine)),
        "validity_estimated": list(unrecorded(machine)),
        "offsets": {unit.name: unit.registers for unit in registry.units_of(machine)},
        "softex_mlir": __version__,
        "machine": machine.to_toml(),
    }


class JobVectorWriter:
    """Writes a run's jobs; call it with every `JobRecord`, close it at the end."""

    def __init__(self, folder: Path, machine: Machine):
        """Raises OSError if the folder cannot be written."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "about.json").write_text(json_text(_about(machine)), encoding="utf-8")
        self._index = (folder / "jobs.jsonl").open("w", encoding="utf-8")
        self._data = (folder / "data.bin").open("wb")
        self.jobs = 0

    def __call__(self, job: JobRecord) -> None:
        """Append a job."""
        entry = {
            "job": self.jobs,
            "unit": job.unit,
            "registers": registry.unit(job.unit).values(job.registers),
            "trigger_cycle": job.trigger,
            "cycles": job.cycles,
            "operands": [self._store(*part) for part in job.operands],
            "results": [self._store(*part) for part in job.results],
            "warnings": list(job.warnings),
        }
        self._index.write(json.dumps(entry) + "\n")
        self.jobs += 1

    def _store(self, address: int, content: bytes) -> dict[str, Any]:
        offset = self._data.tell()
        self._data.write(content)
        return {"address": address, "bytes": len(content), "offset": offset}

    def close(self) -> None:
        """Finish both files."""
        self._index.close()
        self._data.close()
