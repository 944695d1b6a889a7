"""Geometry of the `linear` kernel: slots, operands, counters, cycles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.row_operations.unary import sums_on_softex
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, GEMM, OUT
from softex_mlir.compiler.schedule.kernels.kernel import (
    FIRST_PARTIAL,
    PARTIAL_FREE,
    PARTIAL_STEP,
    PARTIALS_CLEARED,
    X_LOADED,
    X_NEXT_READY,
    Z_FREE,
    Z_STEP,
    Buffer,
    Kernel,
    Operand,
    SlotUse,
)
from softex_mlir.compiler.schedule.search.costs import (
    DMA_CONTENTION,
    DMA_QUEUE_CYCLES,
    FEW_ROWS,
    dma_box_cycles,
    epilogue_cycles,
    gemm_job_cycles,
    odd_rows_cycles,
    partial_sum_cycles,
    softex_sum_cycles,
    streaming_slowdown,
)

AFFINE = ("scale", "shift")
"""Operands of an epilogue that ends with a product and a sum, a row each."""

X_SLOTS = 2
"""Chunks of X in the TCDM."""
W_SLOTS = 2
"""Chunks of W in the TCDM, at least."""


@dataclass(frozen=True)
class LinearArena:
    """Where the rings of `linear` kernels of one inner size lie; offsets and slot sizes in bytes.

    The epilogue's slots are at the same place in all arenas: `dma_out` is the first to touch them
    and waits for nobody.
    """

    epilogue: int
    epilogue_slot: int
    z: int
    z_slot: int
    z_bytes: int
    """All Z tiles of a group together."""
    x: int
    x_slot: int
    w: int
    w_slot: int
    w_slots: int
    partial: int
    """Partial sums, or what rounding took from f32 sums, in slots like those of Z."""


@dataclass(frozen=True)
class OddRows:
    """The last `rows` of X, which the cores compute in tiles `first`, `first` + `every`, … of a
    group; never in its last one."""

    rows: int
    every: int

    @property
    def first(self) -> int:
        """Two tiles are the cores' to finish what the launch before left them."""
        return min(2, self.every - 2)

    @property
    def epilogues(self) -> int:
        """Tiles whose epilogues come before the first odd rows of the last chunk."""
        return self.first - 1


@dataclass(frozen=True)
class LinearGeometry(Kernel):
    """`group` Z tiles of m x k with `chunks` inner chunks of n."""

    arena: LinearArena
    m: int
    n: int
    k: int
    chunks: int
    group: int
    piece: int
    """Rows the epilogue handles at a time."""
    activation: str
    x_pitch: int
    out_pitch: int
    residual_pitch: int | None
    w_pitch: int | None
    """None: weights packed in tiles; else W is a matrix in L2 with this pitch."""
    sum_chunks: int
    """Inner chunks of a partial sum."""
    parts: int = 1
    """Partial sums of an inner chunk, each a job on `inner` values: X lies in as many matrices, W
    comes in as many pieces. `sum_chunks` or this is 1."""
    ring: int = 0
    """Slots of a ring of partial sums: how many jobs the cores may be behind; 0 for no ring."""
    wide: bool = False
    """Whether sums are in f32, on the cores."""
    affine: bool = False
    """Whether a product with a vector and the addition of another follow the residual."""
    combine: Literal["add", "mul"] = "add"
    """What is done with the residual."""
    rotary: int = 0
    """Columns of heads that the residual turns by cosines and sines of its rows; 0: it does not."""
    next_rows: int = 0
    """Rows of the next launch's X whose first chunk this launch loads; 0 if it does not."""
    odd: OddRows | None = None
    """Rows that the cores compute instead of RedMulE."""
    awaits_x: bool = False
    """Whether two W are requested before the launch waits for its X."""

    @property
    def title(self) -> str:
        epilogue = "" if self.activation == "none" else f"_{self.activation}"
        if self.splits > 1:
            epilogue += f"_by{self.sum_chunks * self.inner}"
        epilogue += "_wide" if self.wide else ""
        residual = "" if self.residual_pitch is None else "_residual"
        residual = "_factor" if self.combine == "mul" else residual
        residual = "_rotary" if self.rotary else residual
        residual += "_mul_add" if self.affine else ""
        if self.odd is not None:
            residual += f"_{self.odd.rows}on_cores"
        width = self.k * self.group
        return f"linear_{self.m}x{self.n * self.chunks}x{width}{epilogue}{residual}"

    @property
    def splits(self) -> int:
        """Partial sums of a result."""
        return self.chunks * self.parts // self.sum_chunks

    @property
    def inner(self) -> int:
        """Inner values of a job."""
        return self.n // self.parts

    @property
    def in_ring(self) -> bool:
        """Whether every job ends a partial sum: the cores add it to Z behind RedMulE."""
        return self.ring > 0

    def sum_number(self, chunk: int, tile: int, part: int) -> int:
        """How many partial sums a launch adds to Z before that of a job, which is not a tile's
        first: that one is Z."""
        if chunk == 0:
            return tile * (self.parts - 1) + part - 1
        return self.group * (self.parts - 1) + ((chunk - 1) * self.group + tile) * self.parts + part

    @property
    def steps_between_epilogues(self) -> int:
        """Steps of the compute stream from a tile's epilogue to the next one's."""
        if not self.in_ring:
            return self.pieces
        return self.pieces * (self.parts - (self.chunks == 1))

    @property
    def counted_sums(self) -> int:
        """Steps of the compute stream before the first epilogue, beside RedMulE."""
        if self.splits == 1:
            return 0
        if self.in_ring:
            return 1 + self.pieces * self.sum_number(self.chunks - 1, 0, self.parts - 1)
        return 1 + self.group * (self.splits - 2)

    @property
    def jobs_before_sums(self) -> int:
        """Jobs that RedMulE does before it waits for the cores to have added a partial sum."""
        if not self.in_ring:
            return 2 * self.jobs // self.splits
        beside = self.parts - 1
        if self.ring < self.group * beside:
            return self.ring // beside * self.parts + self.ring % beside + 1
        return min(self.jobs, self.group + self.ring)

    @property
    def partial_stride(self) -> int:
        """Bytes from partial sum to partial sum."""
        return round_up(self.z_rows * self.k * 2, 64)

    @property
    def in_parts(self) -> bool:
        """Whether f32 sums are kept as two bf16 numbers, for the next chunk or the epilogue."""
        return self.wide and (self.chunks > 1 or self.epilogue)

    @property
    def epilogue(self) -> bool:
        """Whether the cores touch the result."""
        return self.splits > 1 or self.activation != "none" or self.residual_pitch is not None

    @property
    def residual_columns(self) -> int:
        """Columns of the residual that a tile takes."""
        return 2 * self.rotary or self.k

    @property
    def odd_tiles(self) -> int:
        """Tiles of a group with rows on the cores."""
        return 0 if self.odd is None else self.group // self.odd.every

    @property
    def jobs_before_odd_rows(self) -> int:
        """Jobs of a launch before the first one whose odd rows are the cores'."""
        return 0 if self.odd is None else self.odd.first

    @property
    def odd_rows_cycles(self) -> int:
        """Part of the compute stream's cycles that odd rows take."""
        if self.odd is None:
            return 0
        each = odd_rows_cycles(self.machine, self.odd.rows, self.n, self.k)
        return self.chunks * self.odd_tiles * each

    @property
    def on_softex(self) -> bool:
        """Whether the activation is GELU through SoftEx."""
        return sums_on_softex(self.activation, self.machine)

    @property
    def pieces(self) -> int:
        """Row pieces of a tile in the epilogue."""
        return -(-self.m // self.piece) if self.epilogue else 1

    @property
    def jobs(self) -> int:
        """Matrix products of a launch."""
        return self.chunks * self.group * self.parts

    @property
    def stores(self) -> int:
        """Steps of `dma_out` for one tile."""
        return self.pieces if self.residual_pitch is None else 2 * self.pieces + 2

    @property
    def z_stride(self) -> int:
        """Bytes from tile to tile of a group; the arena's where it has room, so that the tiles of
        successive launches lie on one another."""
        own = round_up(self.z_rows * self.k * 2, 64)
        fits = own <= self.arena.z_slot and self.group * self.arena.z_slot <= self.arena.z_bytes
        return self.arena.z_slot if fits else own

    @property
    def z_rows(self) -> int:
        """Rows of Z in memory: RedMulE writes whole tiles, the epilogue whole pieces."""
        unit = self.machine.redmule
        rows = self.m if unit is None or unit.masked_rows else round_up(self.m, unit.rows)
        return max(rows, self.pieces * self.piece if self.epilogue else 0)

    def buffers(self) -> tuple[Buffer, ...]:
        a = self.arena
        w_shape = (self.inner * self.k,) if self.flat_w else (self.inner, self.k)
        x_shape = (self.m, self.n)
        if self.parts > 1:
            # the next launch, whose X this one may load, need not have as many rows
            x_shape = (self.parts, a.x_slot // (2 * self.n), self.inner)
        found = [
            Buffer("z", (self.z_rows, self.k), self.group, a.z, self.z_stride),
            Buffer("x", x_shape, 2, a.x, a.x_slot),
            Buffer("w", w_shape, a.w_slots, a.w, a.w_slot),
        ]
        if self.splits > 1 or self.in_parts:
            name, z = "low" if self.in_parts else "partial", (self.z_rows, self.k)
            slots = self.ring if self.in_ring else self.group
            found.append(Buffer(name, z, slots, a.partial, self.partial_stride))
        # dense slots: SoftEx takes a whole piece as one run
        slot = self.piece * self.k * 2
        offset = a.epilogue
        if self.on_softex:
            found.append(Buffer("q", (self.piece, self.k), 2, offset, slot))
            offset += 2 * slot
        if self.residual_pitch is not None:
            slot = self.piece * self.residual_columns * 2
            found.append(Buffer("r", (self.piece, self.residual_columns), 2, offset, slot))
            offset += 2 * slot
        if self.affine:
            found.append(Buffer("a", (len(AFFINE), self.k), 1, offset, len(AFFINE) * self.k * 2))
        return tuple(found)

    @property
    def flat_w(self) -> bool:
        """Packed chunks are one run; the cores' matrix product wants rows."""
        return self.w_pitch is None and self.machine.redmule is not None

    def operands(self) -> tuple[Operand, ...]:
        inner, width = self.n * self.chunks, self.k * self.group
        if self.w_pitch is not None:
            w = Operand("w_l2", (inner, width), (self.w_pitch, 1), "feed")
        elif self.flat_w:
            w = Operand("w_l2", (inner * width,), (1,), "feed")
        else:
            w = Operand("w_l2", (self.group * inner, self.k), (self.k, 1), "feed")
        found = [
            Operand("x_l2", (self.m, inner), (self.x_pitch, 1), "feed"),
            w,
            Operand("bias", (self.m, width), (0, 1), "feed"),
            Operand("out", (self.m, width), (self.out_pitch, 1), "store"),
        ]
        if self.residual_pitch is not None:
            columns = 2 * self.rotary or width
            found.append(Operand("residual", (self.m, columns), (self.residual_pitch, 1), "load"))
        if self.affine:
            found += [Operand(name, (1, width), (width, 1), "load") for name in AFFINE]
        if self.next_rows:
            found.append(Operand("x_next", (self.next_rows, inner), (self.x_pitch, 1), "feed"))
        return tuple(found)

    def integers(self) -> tuple[str, ...]:
        ahead = (X_NEXT_READY,) if self.next_rows else ()
        sums = (PARTIALS_CLEARED,) if self.splits > 1 else ()
        sums += (FIRST_PARTIAL, PARTIAL_FREE, PARTIAL_STEP) if self.in_ring else ()
        return ("first_w", "first_x", X_LOADED, Z_FREE, Z_STEP, *sums, *ahead)

    def cleared(self) -> list[tuple[int, int]]:
        """TCDM bytes, as (start, end), that are zero when a launch begins and when it ends."""
        found = next((b for b in self.buffers() if b.name == "partial"), None)
        if found is None:
            return []
        starts = (found.slot_range(slot)[0] for slot in range(found.slots))
        return [(start, start + 2 * self.summed_rows * self.k) for start in starts]

    @property
    def summed_rows(self) -> int:
        """Rows of a partial sum that are cleared: in a ring also those that RedMulE fills with
        garbage, so that the next launch may have more rows."""
        unit = self.machine.redmule
        if unit is None or unit.masked_rows or not self.in_ring:
            return self.m
        return round_up(self.m, unit.rows)

    def same_ring(self, other: LinearGeometry) -> bool:
        """Whether both launches have the same slots for chunks of X of the same width."""
        return (self.engine, self.arena, self.n, self.parts, self.chunks, self.x_pitch) == (
            other.engine,
            other.arena,
            other.n,
            other.parts,
            other.chunks,
            other.x_pitch,
        )

    def same_sums(self, other: LinearGeometry) -> bool:
        """Whether both launches have the same slots for partial sums."""
        return (self.arena.partial, self.ring, self.partial_stride) == (
            other.arena.partial,
            other.ring,
            other.partial_stride,
        )

    def touches_ring(self, other: Kernel) -> bool:
        """Whether another kernel uses bytes of the ring of X."""
        start, end = self.arena.x, self.arena.x + X_SLOTS * self.arena.x_slot
        return any(use.start < end and start < use.end for use in other.uses())

    @property
    def streams_w(self) -> bool:
        """Whether the DMA is what a launch waits for: the next W is then requested before the last
        one is there. Where RedMulE is, it would learn of a W later."""
        feed, _, engine, _ = self.cycles()
        return self.engine is GEMM and feed > engine

    @property
    def can_await_x(self) -> bool:
        """Whether a launch that has to load its X may request two W before it."""
        return self.x_behind_w and self.streams_w and self.group > 1 and self.parts == 1

    @property
    def x_behind_w(self) -> bool:
        """Whether a launch loads its X when it has requested its first W and all earlier products
        are done: X is a row or a few of what the launch before makes, the DMA has W to go on."""
        deep = self.arena.w_slots > W_SLOTS and self.engine is GEMM
        return deep and self.m <= FEW_ROWS and self.w_pitch is None

    @property
    def can_load_ahead(self) -> bool:
        """Whether the last pass leaves time and a slot for the next launch's first chunk of X."""
        return self.chunks > 1 and self.group > 1

    def advances(self) -> tuple[int, int, int, int]:
        out = self.group * self.stores
        compute = self.group * self.pieces if self.epilogue else 0
        if self.engine is COMPUTE:
            return (self.jobs, out, 0, self.jobs + compute)
        compute += self.chunks * self.odd_tiles
        if self.in_ring:
            compute += 1 + (self.splits - 2) * self.group * self.pieces
        else:
            compute += self.counted_sums
        return (self.jobs, out, self.jobs, compute)

    @property
    def early_sum_cycles(self) -> int:
        """Part of the compute stream's cycles before the first epilogue."""
        each = partial_sum_cycles(self.machine, self.m, self.k)
        return max(0, self.splits - 2) * self.group * each

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch whose rings begin with their first slots."""
        return self.ring_uses(0, 0)

    def ring_uses(self, first_w: int, first_x: int, loaded: int = 0) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again, by the first slots of the rings of W
        and X, which continue from launch to launch, and by the chunks of X that are there."""
        _, out, _, computed = self.advances()
        found: list[SlotUse] = []
        for buffer in self.buffers():
            if buffer.name == "z":
                for tile in range(self.group):
                    stored = self.stores * (tile + 1)
                    found.append(SlotUse(*buffer.slot_range(tile), OUT, stored, lane=tile))
            elif buffer.name == "x":
                for chunk in range(min(2, self.chunks)):
                    last = self.chunks - 1 - (self.chunks - 1 - chunk) % 2
                    place = buffer.slot_range((first_x + chunk) % 2)
                    done = (last + 1) * self.group * self.parts
                    behind = 0 if chunk > 0 or self.x_behind_w else None
                    found.append(SlotUse(*place, self.engine, done, behind, kept=chunk < loaded))
            elif buffer.name == "w":
                slots = buffer.slots
                for job in range(min(slots, self.jobs)):
                    last = self.jobs - 1 - (self.jobs - 1 - job) % slots
                    place = buffer.slot_range((first_w + job) % slots)
                    found.append(SlotUse(*place, self.engine, last + 1, slots - 1 - job))
            elif buffer.name in ("partial", "low"):
                for slot in range(buffer.slots):
                    place = buffer.slot_range(slot)
                    found.append(SlotUse(*place, COMPUTE, computed, family="partial"))
            else:
                for slot in range(buffer.slots):
                    place = buffer.slot_range(slot)
                    found.append(SlotUse(*place, OUT, out, family="epilogue"))
        return found

    def cycles(self) -> tuple[int, int, int, int]:
        machine = self.machine
        w_run = self.inner * self.k * 2 if self.flat_w else self.k * 2
        w = dma_box_cycles(machine, w_run, 1 if self.flat_w else self.inner)
        x = dma_box_cycles(machine, self.n * 2, self.m)
        tile = dma_box_cycles(machine, self.k * 2, self.m)
        # a ring that holds all of X keeps it from launch to launch
        x_loads = self.chunks if self.chunks > X_SLOTS else 0
        feed = int((self.jobs * w + x_loads * x + self.group * tile) * DMA_CONTENTION)
        compute = epilogue_cycles(
            machine,
            self.activation,
            self.residual_pitch is not None,
            self.m,
            self.k,
            self.piece,
            sums=self.splits > 1,
            affine=self.affine,
            rotary=self.rotary > 0,
        )
        if self.on_softex:
            compute += softex_sum_cycles(machine, self.piece * self.k)
        compute += (self.splits - 1) * partial_sum_cycles(machine, self.m, self.k)
        out = tile
        if self.residual_pitch is not None:
            # a piece's load waits for others, and the next piece's for this one's addition
            piece = dma_box_cycles(machine, self.residual_columns * 2, self.piece)
            out += self.pieces * (piece + DMA_QUEUE_CYCLES)
        if self.affine:
            out += len(AFFINE) * dma_box_cycles(machine, self.k * 2, 1)
        job = gemm_job_cycles(machine, self.m, self.inner, self.k, wide=self.wide)
        jobs = self.jobs * job
        if self.engine is COMPUTE:
            return (feed, self.group * out, 0, self.group * compute + jobs)
        compute *= self.group
        if self.odd is not None:
            odd_jobs = self.chunks * self.odd_tiles
            rows = self.m - self.odd.rows
            jobs -= odd_jobs * (job - gemm_job_cycles(machine, rows, self.n, self.k))
            compute += self.odd_rows_cycles
        streaming = min(feed, jobs)
        engine = jobs + int(streaming * (streaming_slowdown(machine, self.inner) - 1.0))
        return (feed, self.group * out, engine, compute)
