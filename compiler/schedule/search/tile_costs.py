"""What tiles of a product cost: closed forms of the units' cycles, found once for equal ones."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from softex_mlir.compiler.operation_machine import without_units
from softex_mlir.compiler.row_operations.unary import sums_on_softex
from softex_mlir.compiler.schedule.kernels.linear.geometry import X_SLOTS
from softex_mlir.compiler.schedule.search.costs import (
    DMA_CONTENTION,
    DMA_QUEUE_CYCLES,
    FEW_ROWS,
    RESIDUAL_PIECE_CYCLES,
    SHARE_CONTENTION,
    denied_beats,
    dma_box_cycles,
    epilogue_cycles,
    gemm_job_cycles,
    partial_sum_cycles,
    streaming_slowdown,
)
from softex_mlir.compiler.schedule.search.tiles import LinearShape, Tile
from softex_mlir.isa_sim.machine import Machine

LARGE_W = 8
"""How many times the TCDM a W is, at least, that is worth tiles of its own."""
LAUNCH_CYCLES = 200
"""What a launch costs RedMulE's stream: the next record, the first waits."""

LATE_JOBS = (4, 12)
"""Jobs that the cores may be late with partial sums, as they have other work between products: a
quarter of a launch's, at least and at most these."""


class _Costs(NamedTuple):
    """What groups of tiles of the same sizes have in common; cycles.

    Attributes:
        chunks: of the inner size.
        inner: values of a job.
        job: of all jobs of a chunk.
        moved: a tile of the result.
        w, x: all chunks of a tile.
        denied: by RedMulE, where the DMA is behind; None where it is not.
        part: adding a partial sum.
        slow: how much longer jobs take while the DMA streams, relatively.
    """

    chunks: int
    inner: int
    splits: int
    job: int
    moved: int
    w: int
    x: int
    denied: int | None
    part: int
    slow: float


def row_blocks(machine: Machine, rows: int, block: int) -> list[tuple[int, int]]:
    """Blocks of at most `block` rows as (first, rows): whole RedMulE tiles, evenly spread."""
    unit = 8 if machine.redmule is None else machine.redmule.rows
    tiles = -(-rows // unit)
    count = -(-tiles // max(1, block // unit))
    found: list[tuple[int, int]] = []
    start = 0
    for index in range(count):
        # the larger blocks last: the last one has the incomplete tile, so all are about as long
        share = tiles // count + (1 if index >= count - tiles % count else 0)
        size = min(share * unit, rows - start)
        found.append((start, size))
        start += size
    return found


class TileCosts:
    """Cycles of products on a machine."""

    def __init__(self, machine: Machine):
        self.machine = machine
        self._jobs: dict[tuple[int, int, int, bool], int] = {}
        self._epilogues: dict[tuple[str, bool, bool, bool, bool, bool, int, int, int], int] = {}
        self._boxes: dict[tuple[int, int], int] = {}
        self._blocks: dict[tuple[int, int], Counter[int]] = {}
        self._cycles: dict[tuple[LinearShape, Tile], int] = {}
        self._groups: dict[
            int,
            tuple[LinearShape, dict[tuple[int, ...], float], dict[tuple[int, int, int], _Costs]],
        ] = {}
        """Cycles of groups and costs of tiles, by the identity of shapes, which are kept for it:
        their hash takes long."""
        self._machines: dict[tuple[bool, bool], Machine] = {}

    def on_softex(self, shape: LinearShape) -> bool:
        """Whether SoftEx computes part of a product's activation."""
        return sums_on_softex(shape.activation, self.machine_of(shape))

    def machine_of(self, shape: LinearShape) -> Machine:
        """The machine that a product works on; that of each is looked for once, as a machine's hash
        takes long."""
        key = (shape.wide, shape.software)
        if (found := self._machines.get(key)) is None:
            found = self._machines[key] = shape.machine(self.machine)
        return found

    def waits_for_w(self, shape: LinearShape) -> bool:
        """Whether the DMA is behind for long: few rows, and a W of many times the TCDM."""
        w_bytes = 2 * shape.n * shape.k
        return shape.m <= FEW_ROWS and w_bytes >= LARGE_W * self.machine.cluster.tcdm_bytes

    def _job(self, m: int, n: int, k: int, wide: bool) -> int:
        key = (m, n, k, wide)
        if key not in self._jobs:
            machine = without_units(self.machine, wide=wide, software=False)
            self._jobs[key] = gemm_job_cycles(machine, m, n, k, wide=wide)
        return self._jobs[key]

    def _epilogue(self, shape: LinearShape, m: int, k: int, piece: int) -> int:
        machine = self.machine_of(shape)
        activation, residual, affine = shape.activation, shape.residual, shape.affine
        rotary = shape.rotary > 0
        sums, softex = shape.splits > 1, machine.softex is not None
        key = (activation, residual, sums, affine, rotary, softex, m, k, piece)
        if key not in self._epilogues:
            self._epilogues[key] = epilogue_cycles(
                *(machine, activation, residual, m, k, piece),
                sums=sums,
                affine=affine,
                rotary=rotary,
            )
        return self._epilogues[key]

    def box(self, run: int, runs: int) -> int:
        """Cycles of a transfer of so many runs of so many bytes."""
        key = (run, runs)
        if key not in self._boxes:
            self._boxes[key] = dma_box_cycles(self.machine, run, runs)
        return self._boxes[key]

    def rows(self, rows: int, block: int) -> Counter[int]:
        """How often each number of rows occurs among the blocks."""
        key = (rows, block)
        if key not in self._blocks:
            self._blocks[key] = Counter(size for _, size in row_blocks(self.machine, rows, block))
        return self._blocks[key]

    def group_cycles(self, shape: LinearShape, tile: Tile, first: bool) -> float:
        """Predicted cycles of a group of tiles in the steady state: the busiest of the units."""
        m, n, k, group, piece, ring = tile
        costs = self._costs_of(shape, m, n, k)
        chunks, inner, splits, job, moved, w, x, denied, part, slow = costs
        feed = group * w
        if first or chunks > X_SLOTS:
            feed += x
        feed += group * moved * (2 if shape.residual else 1)
        feed = int(feed * DMA_CONTENTION) if denied is None else feed + group * denied
        compute = self._epilogue(shape, m, k, min(piece, m)) + part
        early = max(0, splits - 2) * part
        if shape.wide or self.machine.redmule is None:
            return max(feed, group * (chunks * job + early + compute))
        engine = chunks * group * job
        engine += min(feed, engine) * slow
        if feed < 2 * engine and denied is None:
            pace = DMA_CONTENTION if ring else SHARE_CONTENTION
            engine += self._uneven_feed(m, n, k, group, chunks, job, pace)
        # a partial sum is added while RedMulE works on the other tiles of the group, or on the next
        others = (ring - 1) * inner / n if ring else group - 1
        engine += splits * max(0.0, part - others * job)
        if ring:
            # and so is the last one, with the epilogue; other work of the cores comes before
            ahead = ring * inner / n
            behind = (group - 1) * (compute - job) - ahead * job if chunks > 1 else 0.0
            jobs = chunks * group * n // inner
            late = min(max(LATE_JOBS[0], jobs / 4), LATE_JOBS[1]) * inner / n
            engine += max(0.0, behind, (late - ahead - group * (n == inner)) * job)
        # a tile's epilogue must be over when the next group comes back to it
        each = compute + moved
        if shape.residual:
            each += -(-m // piece) * RESIDUAL_PIECE_CYCLES
        drain = each + DMA_QUEUE_CYCLES + int(moved * DMA_CONTENTION) - (group - 1) * job
        last = group * each - 2 * (group - 1) * job
        return max(engine + max(0, drain, last), feed, group * (early + compute)) + LAUNCH_CYCLES

    def _costs_of(self, shape: LinearShape, m: int, n: int, k: int) -> _Costs:
        """What groups of tiles of m rows, n inner values and k columns have in common."""
        _, _, known = self._groups.setdefault(id(shape), (shape, {}, {}))
        if (found := known.get((m, n, k))) is None:
            chunks, inner = shape.n // n, min(n, shape.chunk)
            waits = self.waits_for_w(shape)
            found = known[m, n, k] = _Costs(
                chunks,
                inner,
                shape.splits,
                job=n // inner * self._job(m, inner, k, shape.wide),
                moved=self.box(2 * k, m),
                w=chunks * self.box(2 * n * k, 1),
                x=chunks * self.box(2 * n, m),
                denied=chunks * denied_beats(self.machine, m, n, k) if waits else None,
                part=partial_sum_cycles(self.machine, m, k) if shape.splits > 1 else 0,
                slow=streaming_slowdown(self.machine, inner) - 1.0,
            )
        return found

    def _uneven_feed(
        self, m: int, n: int, k: int, group: int, chunks: int, job: int, contention: float
    ) -> float:
        """What RedMulE waits in a group of tiles if the DMA is about as fast on the whole: from the
        second tile on a job needs more than its W, Z's preset and a share of the next X."""
        others = max(1, group - 1)
        step = 2 * n * k
        if chunks > X_SLOTS:
            step += 2 * n * -(-m // others)
        pace = contention / self.machine.dma.bytes_per_cycle
        first = max(0.0, pace * (step + 2 * m * k) - job)
        return others * (first + (chunks - 1) * max(0.0, pace * step - job))

    def cycles(self, shape: LinearShape, tile: Tile) -> int:
        """Predicted cycles of a whole product."""
        found = self._cycles.get((shape, tile))
        if found is None:
            found = self._cycles[shape, tile] = self.sum_cycles(shape, tile)
        return found

    def sum_cycles(self, shape: LinearShape, tile: Tile, *, loads_x: bool = False) -> int:
        """Predicted cycles of a whole product, computed anew; `loads_x`: every launch has to load
        its X."""
        total = 0.0
        tiles, tail = divmod(shape.k, tile.k)
        full, rest = divmod(tiles, tile.group)
        for rows, count in self.rows(shape.m, tile.m).items():
            first = True
            for times, k, group in ((full, tile.k, tile.group), (1, tile.k, rest), (1, tail, 1)):
                if not times or not k or not group:
                    continue
                cycles = self._group(shape, tile, rows, k, group, first)
                if times > 1:
                    cycles += (times - 1) * self._group(shape, tile, rows, k, group, loads_x)
                if group < tile.group and tile.ring:
                    # the next launch has tiles that wait for those of the one before this one
                    cycles += DMA_QUEUE_CYCLES + partial_sum_cycles(self.machine, rows, k)
                total += count * cycles
                first = loads_x
        return int(total)

    def _group(
        self, shape: LinearShape, tile: Tile, rows: int, k: int, group: int, first: bool
    ) -> float:
        """`group_cycles` of a part of a tile: other tiles have the same last rows and columns."""
        _, known, _ = self._groups.setdefault(id(shape), (shape, {}, {}))
        key = (rows, tile.n, k, group, min(tile.piece, rows), tile.ring, first)
        if (found := known.get(key)) is None:
            part = Tile(rows, tile.n, k, group, tile.piece, tile.ring)
            found = known[key] = self.group_cycles(shape, part, first)
        return found
