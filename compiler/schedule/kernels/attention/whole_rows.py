"""The kernel of `attention`: all heads and query blocks of one batch element.

An item is (head, block of queries). RedMulE runs QK(0), QK(1), PV(0), QK(2), PV(1), …: while SoftEx
normalises the scores of one item, RedMulE computes those of the next. Counters move by a fixed
number of steps per item (some steps do nothing), so that every wait is affine in the item:

    dma_in   K(0) | item(i), K(h+1) or nothing, V(h) or nothing
    compute  transpose(0) | softmax(i), transpose(h+1) or nothing
    redmule  QK(i), PV(i-1)
    dma_out  store(i)

With partial sums of the values, P·V has the columns of all of them, each with the rows of its own
keys and zeros elsewhere. The cores add those of item i - 1 in their second step of item i, and
`dma_out` waits for them.

Blocks of queries all have the same number of rows; the last one overlaps the one before it.

Without RedMulE the cores compute the products themselves, one item after the other, and `compute`
counts for `redmule` too: its first step of an item then means scores, softmax and output.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from softex_mlir.compiler.row_operations.rows import Binary
from softex_mlir.compiler.schedule.kernels.attention.items import AttentionItems
from softex_mlir.compiler.schedule.kernels.emitter import (
    COMPUTE,
    GEMM,
    IN,
    OUT,
    Index,
    StreamEmitter,
)
from softex_mlir.compiler.schedule.kernels.kernel import (
    Buffer,
    KernelEmitter,
    Operand,
    Room,
    SlotUse,
    place,
)
from softex_mlir.compiler.schedule.search.costs import (
    PIECE_CYCLES,
    TRANSPOSE_CYCLES,
    core_cycles,
    dma_box_cycles,
    gemm_job_cycles,
    softmax_cycles,
    streaming_slowdown,
)
from softex_mlir.dialects.redmule import GemmOp
from softex_mlir.dialects.softex import SoftmaxOp
from softex_mlir.dialects.transformer_base import padded_keys

Q_SLOTS = 2
"""Blocks of queries in the TCDM."""


def first_query(s: StreamEmitter, block: Index, blocks: int, rows: int, queries: int) -> Index:
    """First query of a block; the last block ends with the last query."""
    row = s.mul(block, rows)
    over = blocks * rows - queries
    if over == 0:
        return row
    return s.sub(row, s.mul(s.div(block, blocks - 1), over))


@dataclass(frozen=True)
class AttentionKernel(AttentionItems):
    """Attention with whole rows of scores in the TCDM."""

    padded: int
    """Columns of a score row: softmax length and inner size of P·V; more than the bias has where
    the units take no rows so short."""
    k_pitch: int
    turned: bool
    """Whether keys lie transposed in L2, as RedMulE reads them."""
    transposed_slots: int
    value_slots: int
    score_slots: int
    summed: int
    """Keys of a partial sum of the values."""

    @property
    def biased(self) -> int:
        """Columns of a score row that have a bias; behind them is minus infinity."""
        return min(self.padded, padded_keys(self.keys))

    @property
    def splits(self) -> int:
        """Partial sums of a value."""
        return -(-self.padded // self.summed)

    @property
    def value_columns(self) -> int:
        """Columns of P·V: those of all partial sums."""
        return self.splits * self.value_size

    @property
    def title(self) -> str:
        summed = "" if self.splits == 1 else f"_summed_by_{self.summed}"
        wide = "_wide" if self.wide else ""
        cache = "_cached" if self.turned else ""
        shape = f"{self.queries}x{self.keys}_{self.heads}x{self.size}"
        return f"attention_{shape}{cache}{summed}{wide}"

    @property
    def zeros(self) -> int:
        """Extent of the largest box of zeros."""
        return max(self.padded, self.rows, self.inner, self.value_columns)

    def sizes(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        return (self.rows, self.inner, self.padded), (self.rows, self.padded, self.value_columns)

    @property
    def early(self) -> bool:
        """Whether the next head's K is transposed at the head's first block, else at its last."""
        return self.transposed_slots > 1

    @property
    def key_block(self) -> int:
        """Block of queries with which the next head's keys are fetched and transposed."""
        return 0 if self.early else self.blocks - 1

    @property
    def value_block(self) -> int:
        """Block of queries with which the head's values are fetched."""
        return 0 if self.engine is COMPUTE else min(1, self.blocks - 1)

    def buffers(self) -> tuple[Buffer, ...]:
        keys = () if self.turned else (Room("k", (self.padded, self.inner), 1),)
        return place(
            self.offset,
            (
                *keys,
                Room("kt", (self.inner, self.padded), self.transposed_slots),
                Room("q", (self.rows, self.inner), Q_SLOTS),
                Room("s", (self.z_rows, self.padded), self.score_slots),
                Room("v", (self.padded, self.value_columns), self.value_slots),
                Room("o", (self.z_rows, self.value_columns), self.score_slots),
            ),
        )

    def operands(self) -> tuple[Operand, ...]:
        width = self.key_heads * self.size
        if self.turned:
            keys = Operand("kt_l2", (width, self.keys), (self.k_pitch, 1), "feed")
        else:
            keys = Operand("k_l2", (self.keys, width), (self.k_pitch, 1), "feed")
        return self.operands_around(keys, self.biased)

    def advances(self) -> tuple[int, int, int, int]:
        n = self.items
        if self.engine is COMPUTE:
            return (1 + 3 * n, n, 0, 1 + 2 * n)
        return (1 + 3 * n, n, 2 * n + 2, 1 + 2 * n + (2 if self.splits > 1 else 0))

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        n = self.items
        found: list[SlotUse] = []
        for buffer in self.buffers():
            for slot in range(buffer.slots):
                place = buffer.slot_range(slot)
                if buffer.name == "k":
                    found.append(SlotUse(*place, COMPUTE, self._transposed(self.heads - 1)))
                elif buffer.name in ("kt", "q"):
                    found.append(SlotUse(*place, self.engine, self._scored(n - 1)))
                elif buffer.name in ("s", "v"):
                    found.append(SlotUse(*place, self.engine, self._weighted(n - 1)))
                else:
                    found.append(SlotUse(*place, OUT, n))
        return found

    # region Counter values, relative to the launch's bases

    def _scored(self, item: int) -> int:
        """The engine, after QK(item)."""
        return 2 * item + (2 if self.engine is COMPUTE else 1)

    def _weighted(self, item: int) -> int:
        """The engine, after PV(item)."""
        return 2 * item + (2 if self.engine is COMPUTE else 4)

    def _summed(self, item: int) -> int:
        """compute, after the partial sums of an item are added; beside RedMulE."""
        return 2 * item + 5

    def _transposed(self, head: int) -> int:
        """compute, after the transposition of a head's keys."""
        if head == 0:
            return 1
        return 1 + 2 * ((head - 1) * self.blocks + self.key_block) + 2

    # endregion
    # region Streams

    def emit(self, k: KernelEmitter) -> None:
        self._emit_in(k)
        if self.engine is GEMM:
            self._emit_redmule(k)
        self._emit_compute(k)
        self._emit_out(k)

    def _row(self, s: StreamEmitter, block: Index) -> Index:
        return first_query(s, block, self.blocks, self.rows, self.queries)

    def _wait_transposed(self, s: StreamEmitter, head: Index) -> None:
        """Wait for the transposed keys of a head; affine for all heads but the first."""
        if self.turned:
            self._wait_loaded(s, head)
            return
        s.wait(COMPUTE, 1)
        if isinstance(head, int):
            s.wait(COMPUTE, self._transposed(head))
            return
        step = 2 * self.blocks
        offset = 3 + 2 * self.key_block - step
        s.wait(COMPUTE, s.add(s.mul(head, step), offset))

    def _wait_loaded(self, s: StreamEmitter, head: Index) -> None:
        """Wait for the keys of a head as they lie in L2."""
        if isinstance(head, int) and head == 0:
            s.wait(IN, 1)
            return
        step = 3 * self.blocks
        s.wait(IN, s.add(s.mul(head, step), 3 + 3 * self.key_block - step))

    def _wait_values(self, s: StreamEmitter, head: Index) -> None:
        s.wait(IN, s.add(s.mul(head, 3 * self.blocks), 3 * self.value_block + 4))

    def _emit_in(self, k: KernelEmitter) -> None:
        s = k.stream(IN)
        zeros = k.values["zeros"]

        def item(head: Index, block: Index, index: Index) -> None:
            slot = s.mod(index, self.score_slots)
            # its slots of scores and of queries are free
            free = max(self._weighted(-self.score_slots), self._scored(-Q_SLOTS))
            s.wait(self.engine, s.add(s.mul(index, 2), free))
            row = self._row(s, block)
            q = s.transfer(
                k.values["q_l2"],
                [row, s.mul(head, self.q_step)],
                k.memory["q"],
                [s.mod(index, Q_SLOTS)],
                [self.rows, self.size],
            )
            bias_row: Index = row if self.bias_per_query else 0
            bias = [bias_row, s.mul(head, self.bias_step)]
            sizes = [self.rows, self.biased]
            presets = [s.transfer(k.values["bias"], bias, k.memory["s"], [slot], sizes)]
            if self.biased < self.padded:
                sizes = [self.rows, self.padded - self.biased]
                place = [slot, 0, self.biased]
                presets.append(s.transfer(zeros, [], k.memory["s"], place, sizes))
            s.wait(OUT, s.add(index, 1 - self.score_slots))
            clear = s.transfer(zeros, [], k.memory["o"], [slot], [self.rows, self.value_columns])
            s.complete(q, *presets, clear)
            s.advance()

        def values(head: Index) -> None:
            last = (1 - self.value_slots) * self.blocks - 1
            s.wait(self.engine, s.add(s.mul(head, 2 * self.blocks), self._weighted(last)))
            slot = s.mod(head, self.value_slots)
            if self.splits == 1:
                self._load_padded(k, s, "v", head, slot)
                return
            source = s.mul(s.div(head, self.group), self.value_size)
            tokens: list[SSAValue] = []
            for first in range(0, self.keys, self.summed):
                column = first // self.summed * self.value_size
                sizes = [min(self.summed, self.keys - first), self.value_size]
                place = [slot, first, column]
                tokens.append(
                    s.transfer(k.values["v_l2"], [first, source], k.memory["v"], place, sizes)
                )
            s.complete(*tokens)

        k.acquire(s)
        k.depend(s)
        self._clear_beside(k, s)
        if self.splits > 1:
            # zeros beside the rows of a partial sum, which no transfer writes
            sizes = [self.padded, self.value_columns]
            for slot in range(self.value_slots):
                s.complete(s.transfer(zeros, [], k.memory["v"], [slot], sizes))
        self._load_keys(k, s, 0)
        s.advance()

        def step(head: Index, block: Index) -> None:
            item(head, block, s.add(s.mul(head, self.blocks), block))
            s.when(
                block,
                "eq",
                self.key_block,
                lambda: s.when(
                    head, "slt", self.heads - 1, lambda: self._load_next_keys(k, s, head)
                ),
            )
            s.advance()
            s.when(block, "eq", self.value_block, lambda: values(head))
            s.advance()

        s.loop(0, self.heads, lambda h: s.loop(0, self.blocks, lambda b: step(h, b)))

    def _load_padded(
        self, k: KernelEmitter, s: StreamEmitter, name: str, head: Index, slot: Index
    ) -> None:
        """Load the keys or the values of a head, rows of zeros behind them."""
        width = self.size if name == "k" else self.value_size
        source = [0, s.mul(s.div(head, self.group), width)]
        target, sizes = k.memory[name], [self.keys, width]
        tokens = [s.transfer(k.values[f"{name}_l2"], source, target, [slot], sizes)]
        if self.padded > self.keys:
            sizes = [self.padded - self.keys, width]
            tokens.append(s.transfer(k.values["zeros"], [], target, [slot, self.keys], sizes))
        s.complete(*tokens)

    def _load_keys(self, k: KernelEmitter, s: StreamEmitter, head: Index) -> None:
        """Load the keys of a head as they lie in L2."""
        if not self.turned:
            self._load_padded(k, s, "k", head, 0)
            return
        slot, target = s.mod(head, self.transposed_slots), k.memory["kt"]
        source, sizes = [s.mul(s.div(head, self.group), self.size)], [self.size, self.keys]
        tokens = [s.transfer(k.values["kt_l2"], source, target, [slot], sizes)]
        if self.padded > self.keys:
            sizes = [self.size, self.padded - self.keys]
            tokens.append(s.transfer(k.values["zeros"], [], target, [slot, 0, self.keys], sizes))
        s.complete(*tokens)

    def _load_next_keys(self, k: KernelEmitter, s: StreamEmitter, head: Index) -> None:
        """Load the keys of head + 1, once those whose place they take are transposed, or used."""
        if self.turned:
            last = (2 - self.transposed_slots) * self.blocks - 1
            s.wait(self.engine, s.add(s.mul(head, 2 * self.blocks), self._scored(last)))
        else:
            self._wait_transposed(s, head)
        self._load_keys(k, s, s.add(head, 1))

    def _clear_beside(self, k: KernelEmitter, s: StreamEmitter) -> None:
        """Zeros past the head size, where no transfer writes."""
        if self.inner == self.size:
            return
        zeros, places = k.values["zeros"], list[tuple[str, list[Index], list[int]]]()
        if self.turned:
            sizes = [self.inner - self.size, self.padded]
            places += [("kt", [slot, self.size], sizes) for slot in range(self.transposed_slots)]
        else:
            places.append(("k", [0], [self.padded, self.inner]))
        places += [("q", [slot], [self.rows, self.inner]) for slot in range(Q_SLOTS)]
        tokens = [s.transfer(zeros, [], k.memory[name], at, sizes) for name, at, sizes in places]
        s.complete(*tokens)

    def _emit_redmule(self, k: KernelEmitter) -> None:
        s = k.stream(GEMM)

        def scores(item: Index) -> None:
            head = s.div(item, self.blocks)
            s.wait(IN, s.add(s.mul(item, 3), 2))
            self._wait_transposed(s, head)
            job = GemmOp(
                k.memory["q"],
                [s.value(s.mod(item, Q_SLOTS))],
                k.memory["kt"],
                [s.value(s.mod(head, self.transposed_slots))],
                k.memory["s"],
                [s.value(s.mod(item, self.score_slots))],
                m=self.rows,
                n=self.inner,
                k=self.padded,
            )
            s.insert(job)
            s.complete(job.token)
            s.advance()

        def weigh(item: Index) -> None:
            head = s.div(item, self.blocks)
            slot = s.value(s.mod(item, self.score_slots))
            self._wait_values(s, head)
            s.wait(COMPUTE, s.add(s.mul(item, 2), 2))
            job = GemmOp(
                k.memory["s"],
                [slot],
                k.memory["v"],
                [s.value(s.mod(head, self.value_slots))],
                k.memory["o"],
                [slot],
                m=self.rows,
                n=self.padded,
                k=self.value_columns,
            )
            s.insert(job)
            s.complete(job.token)
            s.advance()

        scores(0)
        s.advance()

        def step(item: Index) -> None:
            scores(item)
            weigh(s.add(item, -1))

        s.loop(1, self.items, step)
        s.advance()
        weigh(self.items - 1)

    def _transpose(self, k: KernelEmitter, s: StreamEmitter, head: Index) -> None:
        """Transpose the keys of a head once they are there, unless they come so."""
        from softex_mlir.compiler.bodies import TileRef, emit_transpose

        if self.turned:
            return
        self._wait_loaded(s, head)
        slot = s.value(s.mod(head, self.transposed_slots))
        zero = s.value(0)
        s.parallel(
            self.padded // 2,
            lambda pair: emit_transpose(
                s.builder,
                TileRef(k.memory["k"], (zero,)),
                TileRef(k.memory["kt"], (slot,)),
                pair,
                rows=self.padded,
                columns=self.inner,
            ),
        )

    def _emit_compute(self, k: KernelEmitter) -> None:
        s = k.stream(COMPUTE)

        def softmax(item: Index) -> None:
            if self.engine is GEMM:
                s.wait(GEMM, s.add(s.mul(item, 2), self._scored(0)))
            slot = s.value(s.mod(item, self.score_slots))
            scores = k.memory["s"]
            if self.machine.softex is None:
                from softex_mlir.compiler.bodies import RowRef, emit_softmax

                def on_core(r: SSAValue) -> None:
                    ref = RowRef(scores, (slot, r))
                    emit_softmax(s.builder, ref, ref, self.padded)

                s.parallel(self.rows, on_core)
                return

            if self.biased < self.padded:
                from softex_mlir.compiler.bodies import RowRef, emit_fill

                def behind_bias(r: SSAValue) -> None:
                    ref = RowRef(scores, (slot, r))
                    emit_fill(s.builder, ref, float("-inf"), self.padded, self.biased)

                s.parallel(self.rows, behind_bias)
                s.barrier()

            def rows() -> None:
                def row(r: Index) -> None:
                    where = [slot, s.value(r)]
                    s.insert(SoftmaxOp(scores, where, scores, where, length=self.padded))

                s.loop(0, self.rows, row)
                s.drain()

            s.leader(rows)

        def summed(item: Index) -> None:
            self._emit_sums(k, s, item)

        self._transpose(k, s, 0)
        s.advance()

        def step(head: Index, block: Index) -> None:
            item = s.add(s.mul(head, self.blocks), block)
            if self.engine is GEMM:
                softmax(item)
            else:
                s.wait(IN, s.add(s.mul(item, 3), 2))
                self._wait_loaded(s, head)
                self._emit_product(k, s, "q", "kt", "s", (head, item))
                s.barrier()
                softmax(item)
                s.barrier()
                self._wait_values(s, head)
                self._emit_product(k, s, "s", "v", "o", (head, item))
                if self.splits > 1:
                    s.barrier()
                    summed(item)
            s.advance()
            s.when(
                block,
                "eq",
                self.key_block,
                lambda: s.when(
                    head, "slt", self.heads - 1, lambda: self._transpose(k, s, s.add(head, 1))
                ),
            )
            if self.engine is GEMM and self.splits > 1:
                s.when(item, "sgt", 0, lambda: summed(s.add(item, -1)))
            s.advance()

        s.loop(0, self.heads, lambda h: s.loop(0, self.blocks, lambda b: step(h, b)))
        if self.engine is GEMM and self.splits > 1:
            s.advance()
            summed(self.items - 1)
            s.advance()

    def _emit_sums(self, k: KernelEmitter, s: StreamEmitter, item: Index) -> None:
        """Add the partial sums of an item, beside RedMulE once it has computed them."""
        from softex_mlir.compiler.bodies import RowRef, emit_binary

        if self.engine is GEMM:
            s.wait(GEMM, s.add(s.mul(item, 2), self._weighted(0)))
        slot = s.value(s.mod(item, self.score_slots))
        columns = [s.value(split * self.value_size) for split in range(self.splits)]

        def row(r: SSAValue) -> None:
            total = RowRef(k.memory["o"], (slot, r), columns[0])
            for column in columns[1:]:
                part = RowRef(k.memory["o"], (slot, r), column)
                emit_binary(s.builder, "add", total, part, total, self.value_size)

        s.parallel(self.rows, row)

    def _emit_product(
        self,
        k: KernelEmitter,
        s: StreamEmitter,
        x: str,
        w: str,
        z: str,
        position: tuple[Index, Index],
    ) -> None:
        """z += x · w on the cores, at a (head, item)."""
        from softex_mlir.compiler.bodies import TileRef, emit_gemm, gemm_blocks

        head, item = position
        slots = {
            "q": s.mod(item, Q_SLOTS),
            "kt": s.mod(head, self.transposed_slots),
            "v": s.mod(head, self.value_slots),
        }
        x_tile, w_tile, z_tile = (
            TileRef(k.memory[name], (s.value(slots.get(name, s.mod(item, self.score_slots))),))
            for name in (x, w, z)
        )
        inner, columns = (
            (self.inner, self.padded) if z == "s" else (self.padded, self.value_columns)
        )
        s.parallel(
            gemm_blocks(self.rows, columns, wide=self.wide),
            lambda block: emit_gemm(
                s.builder,
                x_tile,
                w_tile,
                z_tile,
                block,
                self.rows,
                inner,
                columns,
                wide=self.wide,
            ),
        )

    def _emit_out(self, k: KernelEmitter) -> None:
        s = k.stream(OUT)

        def step(head: Index, block: Index) -> None:
            item = s.add(s.mul(head, self.blocks), block)
            if self.engine is GEMM and self.splits > 1:
                s.wait(COMPUTE, s.add(s.mul(item, 2), self._summed(0)))
            else:
                s.wait(self.engine, s.add(s.mul(item, 2), self._weighted(0)))
            s.complete(
                s.transfer(
                    k.memory["o"],
                    [s.mod(item, self.score_slots)],
                    k.values["out"],
                    [self._row(s, block), s.mul(head, self.out_step)],
                    [self.rows, self.value_size],
                )
            )
            s.advance()

        s.loop(0, self.heads, lambda h: s.loop(0, self.blocks, lambda b: step(h, b)))

    # endregion

    def cycles(self) -> tuple[int, int, int, int]:
        machine, n = self.machine, self.items
        values = dma_box_cycles(machine, self.value_size * 2, self.padded)
        if self.turned:
            head = values + dma_box_cycles(machine, self.padded * 2, self.size)
        else:
            head = values + dma_box_cycles(machine, self.size * 2, self.padded)
        item = dma_box_cycles(machine, self.size * 2, self.rows)
        item += dma_box_cycles(machine, self.biased * 2, self.rows)
        item += dma_box_cycles(machine, self.value_size * 2, self.rows)
        shapes = self.sizes()
        scores, weigh = (gemm_job_cycles(machine, *sizes, wide=self.wide) for sizes in shapes)
        jobs = scores + weigh
        transpose = core_cycles(machine, TRANSPOSE_CYCLES, self.padded * self.inner)
        compute = n * (softmax_cycles(machine, self.rows, self.padded) + 120)
        compute += 0 if self.turned else self.heads * transpose
        if self.biased < self.padded:
            filled = self.rows * (self.padded - self.biased)
            # a store an element, and a barrier
            compute += n * (core_cycles(machine, 1.0, filled) + PIECE_CYCLES)
        added = n * self.rows * (self.value_columns - self.value_size)
        compute += core_cycles(machine, Binary("add").core_cycles(machine), added)
        out = n * dma_box_cycles(machine, self.value_size * 2, self.rows)
        feed = head * self.heads + n * item
        if self.engine is COMPUTE:
            return (feed, out, 0, compute + n * jobs)
        streaming = min(1.0, feed / (n * jobs))
        stalls = scores * (streaming_slowdown(machine, self.inner) - 1.0)
        stalls += weigh * (streaming_slowdown(machine, self.padded) - 1.0)
        return (feed, out, n * (jobs + int(stalls * streaming)), compute)
