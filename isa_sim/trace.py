"""A run as a trace for Perfetto or chrome://tracing (Chrome's JSON trace events).

One track a unit, DMA channel and core. Timestamps are cycles written as microseconds, so the
viewer's "1 us" is one cycle. Units show *running*; a core's track shows the steps of
the stream it executes, the time in which its software programs, computes and waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from softex_mlir import abi
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import registry

if TYPE_CHECKING:
    from softex_mlir.isa_sim.cluster import RunResult

CHANNELS = ("DMA in", "DMA out")


def write_trace(
    result: RunResult, machine: Machine, layer_of: Callable[[int], str] | None = None
) -> str:
    """The run's trace as JSON text.

    Args:
        result: what `Cluster.run` returned.
        machine: the machine it ran on; its name heads the trace.
        layer_of: name of a layer from the address of a launch record.
    """
    cache: dict[int, str] = {}

    def layer(tp: int) -> str:
        if tp not in cache:
            cache[tp] = layer_of(tp) if layer_of else f"launch {tp:#x}"
        return cache[tp]

    events: list[dict[str, Any]] = []
    cores = abi.stream_cores(machine.cluster.cores, machine.redmule is not None)
    names = {core: name for name, members in cores.items() for core in members}
    units = registry.units_of(machine)
    tracks = [
        *(unit.label for unit in units),
        *CHANNELS,
        *(f"core {core} ({names[core]})" for core in sorted(names)),
    ]
    events.append(
        {"ph": "M", "pid": 0, "name": "process_name", "args": {"name": f"cluster {machine.name}"}}
    )
    for number, name in enumerate(tracks):
        events.append(
            {"ph": "M", "pid": 0, "tid": number, "name": "thread_name", "args": {"name": name}}
        )
        events.append(
            {
                "ph": "M",
                "pid": 0,
                "tid": number,
                "name": "thread_sort_index",
                "args": {"sort_index": number},
            }
        )

    def span(track: int, name: str, start: int, end: int, args: dict[str, Any]) -> None:
        events.append(
            {
                "ph": "X",
                "pid": 0,
                "tid": track,
                "name": name,
                "ts": start,
                "dur": end - start,
                "args": args,
            }
        )

    for job in result.jobs:
        registers = [int(word) & 0xFFFFFFFF for word in job["registers"]]
        span(
            int(job["unit"]),
            layer(int(job["tp"])),
            int(job["start"]),
            int(job["end"]),
            {"core": int(job["core"]), "registers": " ".join(f"{word:08x}" for word in registers)},
        )
    for transfer in result.transfers:
        span(
            len(units) + int(transfer["channel"]),
            layer(int(transfer["tp"])),
            int(transfer["start"]),
            int(transfer["end"]),
            {
                "core": int(transfer["core"]),
                "bytes": int(transfer["bytes"]),
                "source": f"{int(transfer['source']):#010x}",
                "destination": f"{int(transfer['destination']):#010x}",
            },
        )
    before = [0] * len(abi.STREAMS)
    for step in result.steps:
        stream, cycle = int(step["stream"]), int(step["cycle"])
        for core in cores[abi.STREAMS[stream]]:
            span(
                len(units) + len(CHANNELS) + core,
                layer(int(step["tp"])),
                before[stream],
                cycle,
                {"counter": int(step["value"])},
            )
        before[stream] = cycle
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events})
