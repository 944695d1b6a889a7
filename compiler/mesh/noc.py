"""A mesh of equal clusters around one L2: its network on chip, and what it adds to a phase."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, sqrt

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine

MOST_CLUSTERS = 64


@dataclass(frozen=True)
class Noc:
    """Clusters in a square, filled row by row, whose L2 is beside the middle of the first row.

    Attributes:
        clusters: 1 to 64.
        l2_bytes_per_cycle: of the L2, each direction, shared by all clusters. Default: one link of
            FlooNoC, 512 bits (assumed for the L2 behind it).
        hop_cycles: from router to router, one way (assumed).
        hop_pj_per_byte: at 0.8 V; 0.19 is FlooNoC's in 12 nm (arXiv 2305.08562).
    """

    clusters: int
    l2_bytes_per_cycle: float = 64.0
    hop_cycles: int = 4
    hop_pj_per_byte: float = 0.19

    def __post_init__(self):
        if not 1 <= self.clusters <= MOST_CLUSTERS:
            raise UserError(f"clusters: expected 1 to {MOST_CLUSTERS}, found {self.clusters}")
        if self.l2_bytes_per_cycle <= 0 or self.hop_cycles < 0 or self.hop_pj_per_byte < 0:
            raise UserError(
                "a network moves bytes and takes no negative time or energy: expected an L2 "
                f"bandwidth above 0, found {self.l2_bytes_per_cycle:g} bytes a cycle, "
                f"{self.hop_cycles} cycles and {self.hop_pj_per_byte:g} pJ a byte and hop"
            )

    @cached_property
    def hops(self) -> tuple[int, ...]:
        """Routers between each cluster's own and the L2."""
        side = ceil(sqrt(self.clusters))
        places = (divmod(cluster, side) for cluster in range(self.clusters))
        return tuple(row + abs(column - side // 2) for row, column in places)

    @property
    def exchange_cycles(self) -> int:
        """From the last cluster's last store until all know of it: there and back once more."""
        return 2 * max(self.hops) * self.hop_cycles

    def cluster(self, machine: Machine) -> Machine:
        """A cluster of the mesh, the farthest one: its L2 answers later."""
        more = 2 * max(self.hops) * self.hop_cycles
        latency = machine.cluster.l2_latency_cycles + more
        return machine.with_settings([f"cluster.l2_latency_cycles={latency}"]) if more else machine
