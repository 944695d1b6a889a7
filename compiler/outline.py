"""A program in outline: what estimates need to know of it, without making it."""

from __future__ import annotations

import dataclasses
from typing import Any

from softex_mlir.compiler.layer_names import name_layers
from softex_mlir.compiler.model import Model, entry_functions
from softex_mlir.compiler.schedule.lower import plan
from softex_mlir.compiler.tile_overrides import Tiles
from softex_mlir.compiler.work import unread_macs
from softex_mlir.isa_sim.machine import Machine


def outline(model: Model, machine: Machine, overrides: Tiles) -> dict[str, Any]:
    """Entries of the note of the program that a fused model becomes: launches with their forecast,
    names of layers, sizes of weights and of buffers in the TCDM. Of a model with several entries,
    the launches are those of the last one."""
    planned = plan(entry_functions(model.module), machine, overrides)
    launches, expected = planned.launches[-1], planned.expected[-1]
    weights = planned.entries[-1].memory.weights
    buffers = {buffer for launch in launches for buffer in launch.kernel.buffers()}
    return {
        "model": model.name,
        "launches": [
            {
                "layer": launch.layer or launch.operation,
                "operation": launch.operation,
                "cycles": list(found.busy),
                "macs": launch.macs,
                "forecast": [list(span) for span in found.spans],
                "bytes": list(launch.kernel.moved_bytes()),
            }
            for launch, found in zip(launches, expected, strict=True)
        ],
        "unread_macs": unread_macs(model.module),
        "layers": {
            name: dataclasses.asdict(found) for name, found in name_layers(model.module).items()
        },
        "weights": [{"bytes": weight.region.bytes} for weight in weights.values()],
        "buffers": [
            {"space": "tcdm", "address": buffer.offset, "bytes": buffer.slots * buffer.slot_bytes}
            for buffer in buffers
        ],
    }
