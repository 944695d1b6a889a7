"""The kernel of `attention` by chunks of keys: any number of keys in a bounded TCDM.

An item is (head, block of queries). It takes `chunks` rounds to compute its scores, and as many to
weigh the values with the probabilities; a round does one of each, for an item and the one before:

    round r:  QK(r), PV(r - chunks)

SoftEx accumulates the maximum and the denominator of every row chunk by chunk, in a state slot a
row, and divides when all chunks are known. Between the two, scores stay in a ring in the TCDM or,
if `spilled`, wait in L2. Streams advance by a fixed number of steps a round:

    dma_in   bias | queries, Kᵀ chunk; values, spilled scores
    compute  first scores preset | divide PV's scores and preset QK's next; accumulate QK's
    redmule  QK; PV
    dma_out  spill scores; store the item's result

With partial sums of the values, SoftEx writes the probabilities of a chunk part by part, PV is a
product for each of them, from zeros. The cores add those of the round before while SoftEx divides,
and preset the next scores while it accumulates; `compute` has one more step, behind the last round.

Without RedMulE the cores compute the products, in two steps of `compute` a round. Without SoftEx
they compute the softmax of an item when its last chunk is there, so scores are never spilled.

Spilling and reloading the state slots is hidden behind the jobs before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from xdsl.ir import SSAValue

from softex_mlir.compiler.schedule.kernels.attention.chunked_feed import ChunkedFeed
from softex_mlir.compiler.schedule.kernels.attention.chunked_rounds import CHUNKS
from softex_mlir.compiler.schedule.kernels.emitter import (
    COMPUTE,
    GEMM,
    IN,
    OUT,
    Index,
    StreamEmitter,
)
from softex_mlir.compiler.schedule.kernels.kernel import KernelEmitter
from softex_mlir.dialects.redmule import GemmOp
from softex_mlir.dialects.softex import AccumulateOp, DivideOp, OpenSlotsOp

Place: TypeAlias = tuple[str, tuple[Index, ...]]
"""Where an operand of a product begins: a buffer, and indices of its first dimensions."""


@dataclass(frozen=True)
class ChunkedAttentionKernel(ChunkedFeed):
    """The streams of attention by chunks of keys."""

    def emit(self, k: KernelEmitter) -> None:
        self._emit_in(k)
        if self.engine is GEMM:
            self._emit_redmule(k)
            self._emit_compute(k)
        else:
            self._emit_cores(k)
        self._emit_out(k)

    def _undivided(self, s: StreamEmitter, round_: Index) -> tuple[str, Index]:
        """Buffer and slot of the scores that a round divides."""
        if self.spilled:
            return "p", s.mod(round_, 2)
        return "s", s.mod(s.sub(round_, s.computed[CHUNKS]), self.ring)

    def _weights(self, s: StreamEmitter, round_: Index) -> tuple[str, Index]:
        """Buffer and slot of the probabilities that a round weighs the values with."""
        return ("w", s.mod(round_, 2)) if self.laid_out else self._undivided(s, round_)

    def _parts_of(
        self,
        s: StreamEmitter,
        item: Index,
        round_: Index,
        product: Callable[[Place, Place, Place], None],
    ) -> None:
        """`product` for every partial sum of PV: probabilities, values, target."""
        (name, slot), v = self._weights(s, round_), s.mod(round_, self.slots)
        if self.summed is None:
            product((name, (slot,)), ("v", (v,)), ("o", (s.mod(item, 2),)))
            return

        def part(p: Index) -> None:
            x: Place = (name, (slot, p) if self.laid_out else (slot,))
            values = (v, s.mul(p, self.chunk // self.parts), 0)
            product(x, ("v", values), ("part", (s.mod(round_, self.part_slots), p)))

        s.loop(0, self.parts, part)

    def _emit_redmule(self, k: KernelEmitter) -> None:
        s = self._open(k, GEMM)

        def scores(item: Index, _: Index, round_: Index) -> None:
            self._wait(s, IN, round_, 2)
            self._wait(s, COMPUTE, round_, self.preset(0))
            kt, z = ("kt", (s.mod(round_, self.slots),)), ("s", (s.mod(round_, self.ring),))
            self._emit_job(k, s, ("q", (self._query_slot(s, item, round_),)), kt, z)

        def weigh(item: Index, _: Index, round_: Index) -> None:
            self._wait(s, IN, round_, 3)
            self._wait(s, COMPUTE, round_, 2)
            self._parts_of(s, item, round_, lambda x, v, z: self._emit_job(k, s, x, v, z))

        s.wait(COMPUTE, 1)
        self._emit_rounds(s, scores, weigh)

    def _emit_job(
        self,
        k: KernelEmitter,
        s: StreamEmitter,
        x: Place,
        w: Place,
        z: Place,
    ) -> None:
        """z += x · w on RedMulE."""
        inner, columns = self._sizes(x[0])
        operands = [(k.memory[name], [*map(s.value, at)]) for name, at in (x, w, z)]
        job = GemmOp(*operands[0], *operands[1], *operands[2], m=self.rows, n=inner, k=columns)
        s.insert(job)
        s.complete(job.token)

    def _sizes(self, x: str) -> tuple[int, int]:
        """Inner size and columns of the product with this left operand."""
        return self.sizes()[0 if x == "q" else 1][1:]

    def _emit_compute(self, k: KernelEmitter) -> None:
        s = self._open(k, COMPUTE)
        chunks = s.computed[CHUNKS]

        def step(item: Index, chunk: Index) -> None:
            round_ = s.add(s.mul(item, chunks), chunk)

            def divide() -> None:
                if self.spilled:
                    self._wait(s, IN, round_, 3)
                self._emit_divide(k, s, s.add(item, -1), chunk, round_)

            def accumulate() -> None:
                if self.queued:
                    s.when(item, "sgt", 0, lambda: self._empty_slots(k, s))
                self._wait(s, GEMM, round_, self.scored(0))
                self._emit_accumulate(k, s, item, chunk, round_)

            following = s.add(round_, 1)
            rounds = s.mul(self.items, chunks)

            def preset() -> None:
                s.when(following, "slt", rounds, lambda: self._emit_preset(k, s, following))

            def sums() -> None:
                s.when(round_, "sgt", chunks, lambda: self._emit_sums(k, s, s.add(round_, -1)))

            s.when(item, "sgt", 0, divide)
            if self.part_slots > 1:
                s.advance()
                sums()
            else:
                (preset if self.summed is None else sums)()
                s.advance()
            s.when(item, "slt", self.items, accumulate)
            if self.summed is not None:
                preset()
            s.advance()

        self._emit_start(k, s)
        self._emit_preset(k, s, 0)
        s.advance()
        self._each_round(s, step)
        if self.summed is not None:
            self._emit_sums(k, s, s.add(s.mul(self.items + 1, chunks), -1))
            s.advance(self.part_slots)
        self._close(s)

    def _emit_sums(self, k: KernelEmitter, s: StreamEmitter, round_: Index) -> None:
        """Add the partial sums of a round to the result of its item, once RedMulE has them."""
        from softex_mlir.compiler.bodies import RowRef, emit_accumulate

        if self.engine is GEMM:
            self._wait(s, GEMM, round_, self.weighted(0))
        slot = s.value(s.mod(s.add(s.div(round_, s.computed[CHUNKS]), -1), 2))
        numbers = [s.value(p) for p in range(self.parts)]
        sums = s.value(s.mod(round_, self.part_slots))

        def row(r: SSAValue) -> None:
            total = RowRef(k.memory["o"], (slot, r))
            part, *others = (RowRef(k.memory["part"], (sums, p, r)) for p in numbers)
            emit_accumulate(s.builder, total, part, self.value_size, others)

        s.parallel(self.rows, row, without_leader=self.engine is GEMM)

    def _emit_cores(self, k: KernelEmitter) -> None:
        """The compute stream without RedMulE."""
        s = self._open(k, COMPUTE)

        def scores(item: Index, chunk: Index, round_: Index) -> None:
            self._wait(s, IN, round_, 2)
            self._emit_preset(k, s, round_)
            s.barrier()
            kt, z = ("kt", (s.mod(round_, self.slots),)), ("s", (s.mod(round_, self.ring),))
            self._emit_product(k, s, ("q", (self._query_slot(s, item, round_),)), kt, z)
            s.barrier()
            self._emit_accumulate(k, s, item, chunk, round_)

        def weigh(item: Index, chunk: Index, round_: Index) -> None:
            self._wait(s, IN, round_, 3)
            self._emit_divide(k, s, item, chunk, round_)
            if self.queued:
                s.when(item, "slt", self.items - 1, lambda: self._empty_slots(k, s))
            s.barrier()
            self._parts_of(s, item, round_, lambda x, v, z: self._emit_product(k, s, x, v, z))
            if self.summed is not None:
                s.barrier()
                self._emit_sums(k, s, round_)

        self._emit_start(k, s)
        s.advance()
        self._emit_rounds(s, scores, weigh)

    def _emit_product(
        self,
        k: KernelEmitter,
        s: StreamEmitter,
        x: Place,
        w: Place,
        z: Place,
    ) -> None:
        """z += x · w on the cores."""
        from softex_mlir.compiler.bodies import TileRef, emit_gemm, gemm_blocks

        inner, columns = self._sizes(x[0])
        left, right = (TileRef(k.memory[name], (s.value(at[0]),)) for name, at in (x, w))
        result = TileRef(k.memory[z[0]], tuple(map(s.value, z[1])))
        start = s.value(w[1][1]) if len(w[1]) > 1 else None
        s.parallel(
            gemm_blocks(self.rows, columns, wide=self.wide),
            lambda block: emit_gemm(
                s.builder,
                left,
                right,
                result,
                block,
                self.rows,
                inner,
                columns,
                wide=self.wide,
                start=start,
            ),
        )

    def _emit_start(self, k: KernelEmitter, s: StreamEmitter) -> None:
        """State slots, -inf in the bias past the keys, and zeros."""
        from softex_mlir.compiler.bodies import RowRef, emit_fill

        s.wait(IN, 1)

        def start() -> None:
            if self.machine.softex is not None:
                s.insert(OpenSlotsOp(k.memory["states"]))
            if self.padding and not self.bias_per_query:
                row = RowRef(k.memory["bias_row"], (s.value(0), s.value(0)))
                emit_fill(s.builder, row, float("-inf"), self.columns, start=self.keys)

        s.leader(start)

        def past_head(r: SSAValue) -> None:
            for slot in range(self.slots):
                row = RowRef(k.memory["kt"], (s.value(slot), s.value(s.add(r, self.size))))
                emit_fill(s.builder, row, 0.0, self.chunk)

        def no_sums(r: SSAValue) -> None:
            for slot, part in product(range(self.part_slots), range(self.parts)):
                row = RowRef(k.memory["part"], (s.value(slot), s.value(part), r))
                emit_fill(s.builder, row, 0.0, self.value_size)

        # what no transfer writes: rows past the head size, and the first partial sums' presets
        if self.inner > self.size:
            s.parallel(self.inner - self.size, past_head)
        if self.summed is not None:
            s.parallel(self.z_rows, no_sums)
        s.barrier()

    def _empty_slots(self, k: KernelEmitter, s: StreamEmitter) -> None:
        """Forget the uses of slots by the divisions of a round, before accumulations queue up.

        Only behind divisions: they have spilled what accumulations left in the unit.
        """
        s.leader(lambda: (s.insert(OpenSlotsOp(k.memory["states"])), None)[1])

    def _emit_preset(self, k: KernelEmitter, s: StreamEmitter, round_: Index) -> None:
        """The bias in the scores of a round: from its row, or only what follows dma_in's rows."""
        from softex_mlir.compiler.bodies import (
            REPEAT_COLUMNS,
            RowRef,
            TileRef,
            emit_fill,
            emit_repeat_row,
        )

        chunk = s.mod(round_, s.computed[CHUNKS])
        slot = s.value(s.mod(round_, self.ring))
        scores = k.memory["s"]
        if not self.bias_per_query:
            self._wait_slot(s, round_)
            column = s.value(s.mul(chunk, self.chunk))
            bias = RowRef(k.memory["bias_row"], (s.value(0), s.value(0)), column)
            s.parallel(
                self.chunk // REPEAT_COLUMNS,
                lambda group: emit_repeat_row(
                    s.builder, bias, TileRef(scores, (slot,)), group, self.rows
                ),
                without_leader=self.engine is GEMM,
            )
        elif self.padding:
            start = self.chunk - self.padding

            def fill() -> None:
                self._wait_slot(s, round_)
                s.parallel(
                    self.rows,
                    lambda r: emit_fill(
                        s.builder, RowRef(scores, (slot, r)), float("-inf"), self.chunk, start
                    ),
                )

            s.when(chunk, "eq", self.chunks - 1, fill)

    def _emit_accumulate(
        self, k: KernelEmitter, s: StreamEmitter, item: Index, chunk: Index, round_: Index
    ) -> None:
        """Take the scores of a round into the states of the item's rows."""
        if self.machine.softex is None:
            return
        slot = s.mod(round_, self.ring)

        def row(r: Index) -> None:
            job = AccumulateOp(
                k.memory["s"],
                [s.value(slot), s.value(r)],
                length=self.chunk,
                slot=self._state(s, item, r),
                chunk=s.value(chunk),
                chunks=s.value(s.computed[CHUNKS]),
                queued=self.queued,
            )
            s.insert(job)

        s.leader(lambda: self._emit_jobs(s, row))

    def _emit_divide(
        self, k: KernelEmitter, s: StreamEmitter, item: Index, chunk: Index, round_: Index
    ) -> None:
        """Probabilities from the scores of an earlier round."""
        if self.machine.softex is None:
            s.when(chunk, "eq", 0, lambda: self._emit_software_softmax(k, s, round_))
            return
        (name, slot), (target, place) = self._undivided(s, round_), self._weights(s, round_)
        parts = self.parts if self.laid_out else 1
        length = self.chunk // parts

        def part(p: Index, last: bool) -> None:
            def row(r: Index) -> None:
                x, y = (slot, r), (place, r)
                if parts > 1:
                    x, y = (slot, r, s.mul(p, length)), (place, p, r)
                where = (k.memory[name], [*map(s.value, x)], k.memory[target], [*map(s.value, y)])
                state = self._state(s, item, r)
                s.insert(DivideOp(*where, length=length, slot=state, last=last))

            s.loop(0, self.rows, row)

        def rows(last: bool) -> None:
            def all_parts() -> None:
                whole = parts - last
                s.loop(0, whole, lambda p: part(p, False))
                if last:
                    part(whole, True)
                s.drain()

            s.leader(all_parts)

        if self.queued:
            rows(False)
            return
        final = s.add(s.computed[CHUNKS], -1)
        s.when(chunk, "ne", final, lambda: rows(False))
        s.when(chunk, "eq", final, lambda: rows(True))

    def _emit_jobs(self, s: StreamEmitter, row: Callable[[Index], None]) -> None:
        s.loop(0, self.rows, row)
        s.drain()

    def _state(self, s: StreamEmitter, item: Index, row: Index):
        """State slot of a row of an item."""
        return s.value(s.add(s.add(s.mul(s.mod(item, 2), self.rows), row), 1))

    def _emit_software_softmax(self, k: KernelEmitter, s: StreamEmitter, round_: Index) -> None:
        """Softmax of an item's rows in place, at the first round that needs it."""
        from softex_mlir.compiler.bodies import Emitter, RowRef, emit_softmax_of_pieces

        first = s.value(s.mod(s.add(round_, -self.chunks), self.ring))
        scores = k.memory["s"]

        def row(r: SSAValue) -> None:
            def piece(e: Emitter, number: SSAValue) -> RowRef:
                slot = e.remainder(e.add_index(first, number), self.ring)
                return RowRef(scores, (slot, r))

            emit_softmax_of_pieces(s.builder, piece, self.chunks, self.chunk)

        s.parallel(self.rows, row)

    def _emit_out(self, k: KernelEmitter) -> None:
        s = self._open(k, OUT)

        def spill(item: Index, chunk: Index, round_: Index) -> None:
            if not self.spilled:
                return
            self._wait(s, self.engine, round_, self.scored(0))
            source, target = [s.mod(round_, 2)], [self._place(s, item, chunk)]
            sizes = [self.rows, self.chunk]
            s.complete(s.transfer(k.memory["s"], source, k.values["s_l2"], target, sizes))

        def store(item: Index, chunk: Index, round_: Index) -> None:
            def result() -> None:
                if self.summed is None:
                    self._wait(s, self.engine, round_, self.weighted(0))
                else:
                    self._wait(s, COMPUTE, round_, self.added(0))
                column = s.mul(s.div(item, self.blocks), self.out_step)
                target = [self._query(s, item), column]
                sizes = [self.rows, self.value_size]
                memory = k.memory["o"]
                s.complete(s.transfer(memory, [s.mod(item, 2)], k.values["out"], target, sizes))

            s.when(chunk, "eq", s.add(s.computed[CHUNKS], -1), result)

        self._emit_rounds(s, spill, store)
