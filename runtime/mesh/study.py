"""What a model costs on a mesh: phases of clusters that are simulated one by one.

Cycles of a phase are those of its slowest cluster, or of the L2 if all that the clusters read or
write takes it longer, and the exchange behind it. See `ASSUMPTIONS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.mesh.division import Division, Grid, MeshPhase, describe
from softex_mlir.compiler.mesh.noc import Noc
from softex_mlir.compiler.mesh.plan import Planner
from softex_mlir.compiler.mesh.shard import Shard, shard
from softex_mlir.compiler.mesh.steps import ModelSteps
from softex_mlir.isa_sim.energy import Counters, energy
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.costs.tracks import CHANNELS
from softex_mlir.runtime.costs.verdict import verdict
from softex_mlir.runtime.profile import Profile, operating_point

L2 = "l2"
EXCHANGE = "exchange"

ASSUMPTIONS = (
    "all clusters share one L2, beside the middle of the mesh's first row; what a phase leaves "
    "lies there and is read from there: no cluster reads another's TCDM, nothing is multicast",
    "phases do not overlap: each is a program of its own, with its boot, first loads, last stores",
    "every cluster has the L2 latency of the farthest one, which is part of the simulation",
    "a phase takes as long as its slowest cluster, or as the L2 takes for all bytes of a direction",
    "clusters that wait, or have nothing to do, take the energy of the clock tree and leakage",
    "rows are divided by RedMulE's tiles or batch elements, columns by tiles or heads; sums never",
)
"""In the words of the report."""


@dataclass(frozen=True)
class Simulated:
    """What a shard costs: cycles, J, bytes by direction, the unit that binds it."""

    cycles: int
    energy_j: float
    read_bytes: int
    written_bytes: int
    unit: str

    @staticmethod
    def of(profile: Profile) -> Simulated:
        """From the profile of its run."""
        read, written = (int(profile.ledger.bytes[name].sum()) for name in CHANNELS)
        return Simulated(profile.cycles, profile.energy_j, read, written, verdict(profile).unit)


@dataclass(frozen=True)
class PhaseRow:
    """A phase on the mesh.

    Attributes:
        layers: the first and the last of them.
        grid: parts of the rows x parts of the columns.
        busy: clusters with something to do.
        cycles: of all of it; `slowest` of its slowest cluster, `l2` the L2 needs, `exchange` after.
        binds: unit of the slowest cluster, or `l2`.
    """

    layers: str
    grid: str
    busy: int
    cycles: int
    slowest: int
    l2: int
    exchange: int
    energy_j: float
    binds: str


@dataclass(frozen=True)
class MeshRow:
    """A model on so many clusters, at the machine's first operating point.

    Attributes:
        macs: the model's nominal ones.
        speed_up: over one cluster, which runs the model as one program.
        binds: what binds the phases that most cycles go to, and `share` of all cycles.
    """

    clusters: int
    cycles: int
    seconds: float
    energy_j: float
    macs: int
    speed_up: float
    binds: str
    share: float
    phases: tuple[PhaseRow, ...]

    @property
    def gops(self) -> float:
        """2 * macs / seconds / 1e9."""
        return 2 * self.macs / self.seconds / 1e9

    @property
    def tops_per_watt(self) -> float:
        """2 * macs / energy / 1e12."""
        return 2 * self.macs / self.energy_j / 1e12

    @property
    def efficiency(self) -> float:
        """Speed-up over the number of clusters."""
        return self.speed_up / self.clusters

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        figures = ("gops", "tops_per_watt", "efficiency")
        return asdict(self) | {name: getattr(self, name) for name in figures}


@dataclass(frozen=True)
class MeshStudy:
    """A fused model on meshes of any number of clusters; shards that are alike are simulated once.

    Attributes:
        progress: told what is simulated now.
    """

    compilation: Compilation
    progress: Callable[[str], None] = lambda text: None
    _known: dict[tuple[str, str], Simulated] = field(
        default_factory=lambda: dict[tuple[str, str], Simulated]()
    )
    _planners: list[Planner] = field(default_factory=lambda: list[Planner]())

    @property
    def machine(self) -> Machine:
        """Of a cluster by itself."""
        return self.compilation.machine

    @property
    def planner(self) -> Planner:
        """What divides the model."""
        if not self._planners:
            steps = ModelSteps(self.compilation.model, self.machine)
            self._planners.append(Planner(Division(steps)))
        return self._planners[0]

    @property
    def simulated(self) -> int:
        """Different shards that were simulated."""
        return len(self._known)

    def one_cluster(self) -> tuple[Profile, MeshRow]:
        """The model as one program on one cluster."""
        self.progress("simulating one cluster")
        profile = self.compilation.program().run(functional=False).profile
        found = verdict(profile)
        row = MeshRow(
            1,
            profile.cycles,
            profile.seconds,
            profile.energy_j,
            profile.macs,
            1.0,
            found.unit,
            found.share,
            (),
        )
        return profile, row

    def rows(self, nocs: Sequence[Noc], grid: Grid | None = None) -> list[MeshRow]:
        """The model on meshes, compared with one cluster.

        Raises:
            UserError: the model cannot be divided.
        """
        profile, one = self.one_cluster()
        return [one if noc.clusters == 1 else self._row(noc, grid, profile) for noc in nocs]

    def _row(self, noc: Noc, grid: Grid | None, one: Profile) -> MeshRow:
        self.progress(f"{noc.clusters} clusters: dividing the model")
        phases = self.planner.plan(noc, grid)
        rows = tuple(
            self._phase(phase, noc, f"{noc.clusters} clusters, phase {n} of {len(phases)}")
            for n, phase in enumerate(phases, 1)
        )
        cycles = sum(row.cycles for row in rows)
        by_cause: Counter[str] = Counter()
        for row in rows:
            by_cause[row.binds] += row.cycles - row.exchange
            by_cause[EXCHANGE] += row.exchange
        binds, most = by_cause.most_common(1)[0]
        return MeshRow(
            noc.clusters,
            cycles,
            cycles / one.operating_point.frequency_hz,
            sum(row.energy_j for row in rows),
            one.macs,
            one.cycles / cycles,
            binds,
            most / cycles,
            rows,
        )

    def _phase(self, phase: MeshPhase, noc: Noc, title: str) -> PhaseRow:
        division = self.planner.division
        machine = noc.cluster(self.machine)
        found = [
            (self._simulated(shard(division, phase, cell), machine, title), count)
            for cell, count in division.different(phase)
        ]
        slowest, _ = max(found, key=lambda entry: entry[0].cycles)
        read = sum(one.read_bytes * count for one, count in found)
        written = sum(one.written_bytes * count for one, count in found)
        l2 = round(max(read, written) / noc.l2_bytes_per_cycle)
        cycles = max(slowest.cycles, l2) + noc.exchange_cycles
        worked = sum(one.cycles * count for one, count in found)
        joules = sum(one.energy_j * count for one, count in found)
        joules += self._waiting(noc.clusters * cycles - worked)
        joules += self._moved((read + written) * sum(noc.hops) / noc.clusters, noc)
        return PhaseRow(
            describe(division.steps, phase),
            str(phase.grid),
            sum(count for _, count in found),
            cycles,
            slowest.cycles,
            l2,
            noc.exchange_cycles,
            joules,
            L2 if l2 > slowest.cycles else slowest.unit,
        )

    def _simulated(self, part: Shard, machine: Machine, title: str) -> Simulated:
        key = part.key, machine.hash
        if key not in self._known:
            self.progress(f"{title}: simulating a cluster")
            run = part.compilation(machine).program().run(functional=False)
            self._known[key] = Simulated.of(run.profile)
        return self._known[key]

    def _waiting(self, cycles: int) -> float:
        """J of so many cycles in which a cluster does nothing."""
        point = operating_point(self.machine, None)
        return energy(Counters(), cycles, self.machine, point).total_j

    def _moved(self, byte_hops: float, noc: Noc) -> float:
        """J of the network."""
        point = operating_point(self.machine, None)
        scale = (point.voltage / self.machine.energy.reference_voltage) ** 2
        return byte_hops * noc.hop_pj_per_byte * 1e-12 * scale
