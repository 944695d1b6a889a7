"""What the first execution of code costs cores that execute it side by side, as simulated.

A line costs the core that comes to it first; the others find it. In a window the simulator's cores
run one after the other: who goes first pays for all the lines it comes to, the others get further
and pay for those behind.
"""

from __future__ import annotations

from softex_mlir.isa_sim.machine import WINDOW, ClusterDescription


def first_execution(
    instructions: float, cores: int, begin: float, cluster: ClusterDescription
) -> float:
    """Cycles of refills until the last core is through so many instructions in a row."""
    executing = max(1, cluster.icache_line_bytes // 4)
    lines = round(instructions / executing)
    if cores <= 1 or lines <= 1:
        return instructions / executing * cluster.icache_refill_cycles
    start = begin % WINDOW
    times, places = [start] * cores, [0] * cores
    found, window = 0, WINDOW
    while min(places) < lines:
        for core in sorted(range(cores), key=times.__getitem__):
            while places[core] < lines and times[core] < window:
                if places[core] == found:
                    found += 1
                    times[core] += cluster.icache_refill_cycles
                places[core] += 1
                times[core] += executing
        window += WINDOW
    return max(times) - start - lines * executing
