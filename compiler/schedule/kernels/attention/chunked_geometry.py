"""The shape of attention by chunks of keys: buffers, counters and cost, without the streams."""

from __future__ import annotations

from dataclasses import dataclass

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.kernels.attention.items import AttentionItems
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, OUT
from softex_mlir.compiler.schedule.kernels.kernel import Buffer, Operand, Room, SlotUse, place
from softex_mlir.compiler.schedule.search.costs import (
    ACCUMULATE_CYCLES,
    REPEAT_CYCLES,
    SOFTMAX_CYCLES,
    chunk_job_cycles,
    core_cycles,
    dma_box_cycles,
    gemm_job_cycles,
    streaming_slowdown,
)
from softex_mlir.isa_sim.units.softex_jobs import MAX_SLOT, accumulate_cycles, normalise_cycles

ROUND_CYCLES = 300
"""Waits, barriers and counters of the compute stream in a round."""

FEED_SLOWDOWN = 1.3
"""How much longer transfers take beside RedMulE and SoftEx, measured on 1,024 and 2,048 keys."""

MIN_QUEUED_ROWS = 4
"""Of an item: more than two that are not in the unit when divisions begin."""

MIN_QUEUED_CYCLES = 40
"""Of an accumulation: waking up, ACQUIRE, COMMANDS (15), a spill and a reload (8), and a margin."""

MAX_ROWS = MAX_SLOT // 2
"""Rows of an item: those of two items have state slots."""


@dataclass(frozen=True)
class ChunkedAttention(AttentionItems):
    """Attention with scores of a chunk of keys at a time in the TCDM."""

    chunk: int
    """Keys of a chunk."""
    spilled: bool
    """Whether scores wait in L2 for their denominator."""
    kt_pitch: int | None
    """Elements between the rows of the transposed keys; None if they lie chunk by chunk."""
    summed: int | None
    """Keys of a partial sum of the values, which the cores add up; None for one chain."""
    counted: bool = False
    """Whether run time tells how many whole chunks there are: at most those of all keys."""

    @property
    def title(self) -> str:
        cache = "" if self.kt_pitch is None else "_cached"
        shape = f"{self.queries}x{self.keys}_{self.heads}x{self.size}"
        summed = "" if self.summed is None else f"_summed_by_{self.summed}"
        return f"attention_{shape}{cache}_by_{self.chunk}{summed}"

    def sizes(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        summed = self.summed or self.chunk
        return (self.rows, self.inner, self.chunk), (self.rows, summed, self.value_size)

    @property
    def parts(self) -> int:
        """Partial sums of a value in a chunk."""
        return 1 if self.summed is None else self.chunk // self.summed

    @property
    def laid_out(self) -> bool:
        """Whether SoftEx writes a chunk's probabilities part by part, as RedMulE reads them."""
        return self.parts > 1 and self.engine is not COMPUTE

    @property
    def chunks(self) -> int:
        """Chunks of keys."""
        return -(-self.keys // self.chunk)

    @property
    def rounds(self) -> int:
        """Rounds of a launch: one item's more than the items have."""
        return (self.items + 1) * self.chunks

    @property
    def with_queries(self) -> bool:
        """Whether queries come with every chunk of keys, in its shadow: of one row they are a few
        bytes, which would have to be waited for once an item."""
        return self.rows == 1

    @property
    def streams(self) -> bool:
        """Whether a round is requested before the one before is there, so that the channel never
        idles: where it is one row, for which the DMA takes longer than all units."""
        on_redmule = self.engine is not COMPUTE
        return self.with_queries and on_redmule and not self.spilled and not self.padding

    @property
    def slots(self) -> int:
        """Chunks of keys and of values in the TCDM, and queries: one would wait for the last."""
        return 3 if self.streams else 2

    @property
    def part_slots(self) -> int:
        """Rounds whose partial sums lie in the TCDM: two where RedMulE is not to wait until those
        of the round before are added, as the last rounds of a launch have nothing to hide it."""
        return 2 if self.streams and self.summed is not None else 1

    @property
    def columns(self) -> int:
        """Keys with their padding."""
        return self.chunks * self.chunk

    @property
    def padding(self) -> int:
        """Columns of the last chunk past the keys."""
        return self.columns - self.keys

    @property
    def short_slot(self) -> int | None:
        """The slot of keys and of values that only last chunks take, so that what is behind the
        keys stays zero there; None if there is none."""
        return 1 if self.padding and self.chunks % 2 == 0 else None

    @property
    def ring(self) -> int:
        """Slots for scores. In the TCDM, those of an item, and some to write the next ones to."""
        return 2 if self.spilled else self.chunks + self.slots

    @property
    def queued(self) -> bool:
        """Whether accumulations queue up behind one another in SoftEx.

        See `softex_slots`. For that divisions leave their slots alone, and a soft clear after those
        of a round empties them: by then the first two divisions have spilled what was in the unit.
        It takes accumulations that are longer than it takes to request and reload the next slot.
        """
        softex = self.machine.softex
        if softex is None or softex.checked_slots or self.rows < MIN_QUEUED_ROWS:
            return False
        return accumulate_cycles(self.chunk, self.machine) >= MIN_QUEUED_CYCLES

    @property
    def zeros(self) -> int:
        """Extent of the largest box of zeros."""
        return max(self.parts * self.z_rows, self.chunk, self.inner, self.value_size)

    def buffers(self) -> tuple[Buffer, ...]:
        scores = (self.z_rows, self.chunk)
        rooms = [
            Room("q", (self.rows, self.inner), self.slots),
            Room("kt", (self.inner, self.chunk), self.slots),
            Room("v", (self.chunk, self.value_size), self.slots),
            Room("s", scores, self.ring),
        ]
        if self.spilled:
            rooms.append(Room("p", scores, 2))
        if self.laid_out:
            rooms.append(Room("w", (self.parts, self.rows, self.chunk // self.parts), 2))
        if self.summed is not None:
            rooms.append(Room("part", (self.parts, self.z_rows, self.value_size), self.part_slots))
        rooms.append(Room("o", (self.z_rows, self.value_size), 2))
        if not self.bias_per_query:
            rooms.append(Room("bias_row", (1, self.columns), 1))
        if self.machine.softex is not None:
            rooms.append(Room("states", (2 * self.rows + 1, 2), 1, "i32"))
        return place(self.offset, rooms)

    def operands(self) -> tuple[Operand, ...]:
        width = self.key_heads * self.size
        if self.kt_pitch is None:
            keys = Operand("kt_l2", (self.chunks * width, self.chunk), (self.chunk, 1), "feed")
        else:
            keys = Operand("kt_l2", (width, self.keys), (self.kt_pitch, 1), "feed")
        found = list(self.operands_around(keys, round_up(self.keys, 32)))
        if self.spilled:
            shape = (2 * self.chunks, self.rows, self.chunk)
            found.append(Operand("s_l2", shape, (self.rows * self.chunk, self.chunk, 1), "own"))
        return tuple(found)

    @property
    def scratch(self) -> int:
        """Elements of L2 for spilled scores."""
        return 2 * self.chunks * self.rows * self.chunk if self.spilled else 0

    def advances(self) -> tuple[int, int, int, int]:
        steps = 2 * self.rounds
        if self.engine is COMPUTE:
            return (1 + steps, steps, 0, 1 + steps)
        return (1 + steps, steps, steps, 1 + steps + self.part_slots * (self.summed is not None))

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        _, out, _, compute = self.advances()
        end = {"o": (OUT, out)}
        end |= dict.fromkeys(("bias_row", "states", "part"), (COMPUTE, compute))
        found: list[SlotUse] = []
        for buffer in self.buffers():
            stream, value = end.get(buffer.name, (self.engine, self.weighted(self.rounds - 1)))
            place = (buffer.offset, buffer.offset + buffer.slots * buffer.slot_bytes)
            found.append(SlotUse(*place, stream, value))
        return found

    # region Counter values of a round, relative to the launch's bases

    def preset(self, round_: int) -> int:
        """compute, after the bias is in the scores of a round: beside the divisions of the round
        before, or beside its accumulations where these have partial sums beside them."""
        return 2 * round_ + (self.summed is not None)

    def scored(self, round_: int) -> int:
        """The engine, after QK."""
        return 2 * round_ + (2 if self.engine is COMPUTE else 1)

    def weighted(self, round_: int) -> int:
        """The engine, after PV."""
        return 2 * round_ + (3 if self.engine is COMPUTE else 2)

    def added(self, round_: int) -> int:
        """compute, after the partial sums of PV are added."""
        return 2 * round_ + (3 if self.engine is COMPUTE else 3 + self.part_slots)

    # endregion
    def cycles(self) -> tuple[int, int, int, int]:
        steps = self.items * self.chunks
        feed, out, engine, compute = self.round_cycles
        return (steps * feed, steps * out, steps * engine, steps * compute)

    @property
    def round_cycles(self) -> tuple[int, int, int, int]:
        """Busy cycles of the four streams in one round, each with the memory to itself."""
        machine, share = self.machine, 1 / self.chunks
        scores = dma_box_cycles(machine, self.rows * self.chunk * 2, 1) if self.spilled else 0
        result = share * dma_box_cycles(machine, self.value_size * 2, self.rows)
        if self.kt_pitch is None:
            keys = dma_box_cycles(machine, self.size * self.chunk * 2, 1)
        else:
            keys = dma_box_cycles(machine, self.chunk * 2, self.size)
        feed = keys + scores + result
        feed += dma_box_cycles(machine, self.value_size * 2, self.chunk)
        feed += share * dma_box_cycles(machine, self.size * 2, self.rows)
        jobs = gemm_job_cycles(machine, self.rows, self.inner, self.chunk, wide=self.wide)
        jobs += self.parts * gemm_job_cycles(machine, *self.sizes()[1], wide=self.wide)
        if self.bias_per_query:
            preset = 0
            feed += dma_box_cycles(machine, self.chunk * 2, self.rows)
        else:
            preset = core_cycles(machine, REPEAT_CYCLES, self.rows * self.chunk)
        added = 0 if self.summed is None else self.parts * self.rows * self.value_size
        sums = core_cycles(machine, ACCUMULATE_CYCLES, added)
        if machine.softex is None:
            softmax = core_cycles(machine, SOFTMAX_CYCLES, self.rows * self.chunk)
            compute = preset + sums + softmax
        else:
            alone = not machine.softex.checked_slots and not self.queued
            job = accumulate_cycles(self.chunk, machine)
            accumulate = self.rows * chunk_job_cycles(job, alone=alone)
            parts = self.parts if self.laid_out else 1
            job = normalise_cycles(self.chunk // parts, machine)
            divide = parts * self.rows * chunk_job_cycles(job)
            beside, late = (preset, 0) if self.summed is None else (sums, preset)
            compute = max(accumulate, late) + max(divide, beside)
        compute += ROUND_CYCLES
        if self.engine is COMPUTE:
            return (int(feed), int(scores + result), 0, compute + jobs)
        return (int(feed), int(scores + result), jobs, compute)

    @property
    def total_cycles(self) -> int:
        """Predicted cycles of a launch: rounds as long as their busiest stream takes while all
        contend for the memory."""
        feed, out, engine, compute = self.round_cycles
        feed = int(feed * FEED_SLOWDOWN)
        if engine:
            slower = streaming_slowdown(self.machine, self.inner) - 1
            engine = int(engine + slower * min(engine, feed))
        return self.rounds * max(feed, out, engine, compute)
