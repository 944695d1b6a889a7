"""The jobs of a run as vectors for a test bench of the units, or for another simulator.

A folder gets two files. `jobs.jsonl` has a line a job in program order: unit, registers by name,
the cycle of the trigger, the cycles to the done event with zero-stall memory, warnings, and for
every operand and result its address, size and place in `data.bin`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from softex_mlir.isa_sim.cluster import JobRecord
from softex_mlir.isa_sim.units import registry


class JobVectorWriter:
    """Writes a run's jobs; call it with every `JobRecord`, close it at the end."""

    def __init__(self, folder: Path):
        """Raises OSError if the folder cannot be written."""
        folder.mkdir(parents=True, exist_ok=True)
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
