"""A lower bound on cycles: what each resource needs at least for the work that was done.

**Definition.** With nothing in the way, RedMulE needs a cycle for every `rows * columns`
multiply-accumulates of its whole tiles, a direction of the DMA one for every `bytes_per_cycle`
bytes, another unit the cycles its jobs took without those it lost in the TCDM, the cores their
cycles awake without those lost, shared by all of them. The bound is the largest of these: the
work that the compiler planned cannot be faster on this machine, another plan may.

The slack of a resource is what a row took (its exclusive cycles) above what the resource needs.
It is below zero where the work ran beneath that of other layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from softex_mlir.runtime.costs.tracks import CHANNELS, CORES

if TYPE_CHECKING:
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.runtime.costs.rows import CostRow


def needed_cycles(
    machine: Machine,
    array_macs: int,
    busy: Mapping[str, int],
    stalled: Mapping[str, int],
    moved: Mapping[str, int],
) -> dict[str, int]:
    """Cycles each resource needs at least.

    Args:
        array_macs: of RedMulE, with what pads its tiles.
        busy, stalled: cycles by unit, and of the cores, all added.
        moved: bytes by direction of the DMA.
    """
    unit = machine.redmule
    needed: dict[str, int] = {}
    for name, cycles in busy.items():
        if name in CHANNELS:
            needed[name] = -(-moved[name] // machine.dma.bytes_per_cycle)
        elif name == "redmule" and unit is not None:
            needed[name] = -(-array_macs // (unit.rows * unit.columns))
        else:
            sharing = machine.cluster.cores if name == CORES else 1
            needed[name] = max(cycles - stalled[name], 0) // sharing
    return needed


def needed_by(rows: Iterable[CostRow]) -> dict[str, int]:
    """What each resource needs for several rows together."""
    total: dict[str, int] = {}
    for row in rows:
        for name, cycles in row.needed.items():
            total[name] = total.get(name, 0) + cycles
    return total


def bound(needed: Mapping[str, int]) -> tuple[str, int]:
    """The resource that needs most, and its cycles; empty and 0 if nothing is needed."""
    name = max(needed, key=lambda resource: needed[resource], default="")
    return (name, needed[name]) if name and needed[name] else ("", 0)
