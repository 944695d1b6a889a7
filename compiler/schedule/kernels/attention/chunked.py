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

from softex_mlir.compiler.schedule.kernels.attention.chunked_geometry import ChunkedAttention
from softex_mlir.compiler.schedule.kernels.attention.whole_rows import first_query
from softex_mlir.compiler.schedule.kernels.emitter import (
    COMPUTE,
    GEMM,
    IN,
    OUT,
    Index,
    StreamEmitter,
)
from softex_mlir.compiler.schedule.kernels.kernel import KernelEmitter
from softex_mlir.dialects.cluster import StreamKind
from softex_mlir.dialects.redmule import GemmOp
from softex_mlir.dialects.softex import AccumulateOp, DivideOp, DrainOp, OpenSlotsOp

Place: TypeAlias = tuple[str, tuple[Index, ...]]
"""Where an operand of a product begins: a buffer, and indices of its first dimensions."""


CHUNKS = "chunks"
"""How many chunks there are, as a stream knows it."""


@dataclass(frozen=True)
class ChunkedAttentionKernel(ChunkedAttention):
    """The streams of attention by chunks of keys."""

    def emit(self, k: KernelEmitter) -> None:
        self._emit_in(k)
        if self.engine is GEMM:
            self._emit_redmule(k)
            self._emit_compute(k)
        else:
            self._emit_cores(k)
        self._emit_out(k)

    def _open(self, k: KernelEmitter, kind: StreamKind) -> StreamEmitter:
        """A stream that knows how many chunks there are."""
        s = k.stream(kind)
        s.computed[CHUNKS] = k.blocks(s, self.chunks) if self.counted else self.chunks
        return s

    def _emit_rounds(
        self,
        s: StreamEmitter,
        first: Callable[[Index, Index, Index], None],
        second: Callable[[Index, Index, Index], None],
    ) -> None:
        """`first` for the item whose scores a round computes, `second` for the one before it; their
        arguments are item, chunk and round."""

        def step(item: Index, chunk: Index) -> None:
            round_ = s.add(s.mul(item, s.computed[CHUNKS]), chunk)
            s.when(item, "slt", self.items, lambda: first(item, chunk, round_))
            s.advance()
            s.when(item, "sgt", 0, lambda: second(s.add(item, -1), chunk, round_))
            s.advance()

        self._each_round(s, step)
        self._close(s)

    def _each_round(self, s: StreamEmitter, step: Callable[[Index, Index], None]) -> None:
        """`step` for items and chunks."""
        chunks = s.computed[CHUNKS]
        s.loop(0, self.items + 1, lambda i: s.loop(0, chunks, lambda c: step(i, c)))

    def _close(self, s: StreamEmitter) -> None:
        """Count what a stream would have counted with more chunks."""
        chunks = s.computed[CHUNKS]
        if not isinstance(chunks, int):
            more = s.value(s.sub(self.chunks, chunks))
            s.advance(s.value(s.mul(more, 2 * (self.items + 1))))

    def _wait(self, s: StreamEmitter, stream: StreamKind, round_: Index, offset: int) -> None:
        """Wait for a counter at 2 * round + offset."""
        s.wait(stream, s.add(s.mul(round_, 2), offset))

    def _wait_slot(self, s: StreamEmitter, round_: Index) -> None:
        """Wait until the scores of a round may be written."""
        if not self.spilled:
            self._wait(s, self.engine, round_, self.weighted(-self.slots))
            return
        self._wait(s, OUT, round_, -3)
        if s.kind is not COMPUTE:
            self._wait(s, COMPUTE, round_, self.scored(-2) if self.engine is COMPUTE else -1)

    def _last(self, s: StreamEmitter, chunk: Index, body: Callable[[bool], None]) -> None:
        """`body`, told whether the chunk is shorter than others."""
        if not self.padding:
            body(False)
            return
        s.when(chunk, "slt", self.chunks - 1, lambda: body(False))
        s.when(chunk, "eq", self.chunks - 1, lambda: body(True))

    def _query(self, s: StreamEmitter, item: Index) -> Index:
        block = s.mod(item, self.blocks)
        return first_query(s, block, self.blocks, self.rows, self.queries)

    def _emit_in(self, k: KernelEmitter) -> None:
        s = self._open(k, IN)

        def step(item: Index, chunk: Index) -> None:
            """Loads of a round, all requested before the first is waited for."""
            round_ = s.add(s.mul(item, s.computed[CHUNKS]), chunk)

            def begin(short: bool) -> None:
                keys = self._load_scores(k, s, (item, chunk, round_), short)

                def first() -> None:
                    s.complete(*keys)
                    s.advance(2)

                def others() -> None:
                    values = self._load_weights(k, s, (s.add(item, -1), chunk, round_), short)
                    s.complete(*keys)
                    s.advance()
                    s.complete(*values)
                    s.advance()

                s.when(item, "eq", 0, first)
                s.when(item, "sgt", 0, others)

            def end(short: bool) -> None:
                s.complete(*self._load_weights(k, s, (s.add(item, -1), chunk, round_), short))
                s.advance(2)

            s.when(item, "slt", self.items, lambda: self._last(s, chunk, begin))
            s.when(item, "eq", self.items, lambda: self._last(s, chunk, end))

        k.acquire(s)
        k.depend(s)
        s.complete(*self._load_once(k, s))
        s.advance()
        if self.streams:
            self._stream_rounds(k, s)
        else:
            self._each_round(s, step)
        self._close(s)

    def _stream_rounds(self, k: KernelEmitter, s: StreamEmitter) -> None:
        """Loads of all rounds, each requested before the one before is waited for. The last token
        of a round stands for all of it, as transfers are served in order."""
        chunks = s.computed[CHUNKS]

        def load(item: Index, chunk: Index, *, keys: bool, values: bool) -> SSAValue:
            round_ = s.add(s.mul(item, chunks), chunk)
            tokens: list[SSAValue] = []
            if keys:
                tokens += self._load_scores(k, s, (item, chunk, round_), False)
            if values:
                tokens += self._load_weights(k, s, (s.add(item, -1), chunk, round_), False)
            return tokens[-1]

        def follow(before: SSAValue, item: Index, chunk: Index, **loads: bool) -> SSAValue:
            token = load(item, chunk, **loads)
            s.complete(before)
            s.advance(2)
            return token

        def scores(chunk: Index, before: SSAValue) -> SSAValue:
            return follow(before, 0, chunk, keys=True, values=False)

        def both(item: Index, before: SSAValue) -> SSAValue:
            return s.carry(
                0, chunks, before, lambda c, token: follow(token, item, c, keys=True, values=True)
            )

        def weights(chunk: Index, before: SSAValue) -> SSAValue:
            return follow(before, self.items, chunk, keys=False, values=True)

        token = s.carry(1, chunks, load(0, 0, keys=True, values=False), scores)
        token = s.carry(1, self.items, token, both)
        s.complete(s.carry(0, chunks, token, weights))
        s.advance(2)

    def _load_once(self, k: KernelEmitter, s: StreamEmitter) -> list[SSAValue]:
        """Start to load the bias of all queries, and zeros where no other transfer writes."""
        zeros = k.values["zeros"]
        tokens: list[SSAValue] = []
        if self.inner > self.size:
            # columns past the head size stay zero: no transfer writes them
            sizes = [self.rows, self.inner]
            tokens += (s.transfer(zeros, [], k.memory["q"], [n], sizes) for n in range(self.slots))
        if self.short_slot is not None:
            start, sizes = [self.short_slot, self.chunk - self.padding], [self.padding]
            tokens.append(s.transfer(zeros, [], k.memory["v"], start, [*sizes, self.value_size]))
            if self.kt_pitch is not None:
                start = [self.short_slot, 0, self.chunk - self.padding]
                tokens.append(s.transfer(zeros, [], k.memory["kt"], start, [self.inner, *sizes]))
        if not self.bias_per_query:
            tokens.append(self._load_bias_row(k, s))
        return tokens

    def _load_scores(
        self,
        k: KernelEmitter,
        s: StreamEmitter,
        at: tuple[Index, Index, Index],
        short: bool,
    ) -> list[SSAValue]:
        """Start to load what QK needs at an item, chunk and round; the tokens."""
        item, chunk, round_ = at
        head = s.div(item, self.blocks)
        # behind this, queries in the slot of this item's are not needed any more
        self._wait(s, self.engine, round_, self.scored(-self.slots))
        tokens = self._load_keys(k, s, at, short)

        def queries() -> SSAValue:
            source = [self._query(s, item), s.mul(head, self.q_step)]
            target, sizes = [self._query_slot(s, item, round_)], [self.rows, self.size]
            return s.transfer(k.values["q_l2"], source, k.memory["q"], target, sizes)

        if self.bias_per_query:
            self._wait_slot(s, round_)
            sizes = [self.rows, self.chunk - (self.padding if short else 0)]
            column = s.add(s.mul(chunk, self.chunk), s.mul(head, self.bias_step))
            source = [self._query(s, item), column]
            target = [s.mod(round_, self.ring)]
            tokens.append(s.transfer(k.values["bias"], source, k.memory["s"], target, sizes))
        if self.with_queries:
            tokens.append(queries())
        elif not short or self.chunks == 1:
            s.when(chunk, "eq", 0, lambda: s.complete(queries()))
        return tokens

    def _load_weights(
        self,
        k: KernelEmitter,
        s: StreamEmitter,
        at: tuple[Index, Index, Index],
        short: bool,
    ) -> list[SSAValue]:
        """Start to load what PV needs at an item, chunk and round; the tokens."""
        (item, chunk, round_), chunks = at, s.computed[CHUNKS]
        zeros, slot = k.values["zeros"], s.mod(round_, self.slots)
        column = s.mul(s.div(item, self.blocks * self.group), self.value_size)
        self._wait(s, self.engine, round_, self.weighted(-self.slots))
        tokens: list[SSAValue] = []
        if self.spilled:
            s.wait(OUT, s.add(s.mul(round_, 2), s.sub(1, s.mul(chunks, 2))))
            sizes = [self.rows, self.chunk]
            source = [self._place(s, item, chunk)]
            tokens.append(s.transfer(k.values["s_l2"], source, k.memory["p"], [slot], sizes))
        count = self.chunk - (self.padding if short else 0)
        source = [s.mul(chunk, self.chunk), column]
        memory, sizes = k.memory["v"], [count, self.value_size]
        tokens.append(s.transfer(k.values["v_l2"], source, memory, [slot], sizes))
        if short and self.short_slot is None:
            sizes = [self.padding, self.value_size]
            tokens.append(s.transfer(zeros, [], memory, [slot, count], sizes))

        def clear() -> None:
            s.wait(OUT, s.mul(s.mul(item, chunks), 2))
            sizes = [self.rows, self.value_size]
            s.complete(s.transfer(zeros, [], k.memory["o"], [s.mod(item, 2)], sizes))

        if not short or self.chunks == 1:
            s.when(chunk, "eq", 0, clear)
        return tokens

    def _query_slot(self, s: StreamEmitter, item: Index, round_: Index) -> Index:
        """Where the queries of a round are."""
        return s.mod(round_ if self.with_queries else item, self.slots)

    def _load_bias_row(self, k: KernelEmitter, s: StreamEmitter) -> SSAValue:
        """Start to load the bias of all keys; the last token."""

        def columns(first: Index, count: int) -> SSAValue:
            row, bias = k.memory["bias_row"], k.values["bias"]
            return s.transfer(bias, [0, first], row, [0, 0, first], [1, count])

        if not self.counted:
            return columns(0, self.keys)

        def chunk(number: Index, before: SSAValue) -> SSAValue:
            token = columns(s.mul(number, self.chunk), self.chunk)
            s.complete(before)
            return token

        return s.carry(1, s.computed[CHUNKS], columns(0, self.chunk), chunk)

    def _load_keys(
        self,
        k: KernelEmitter,
        s: StreamEmitter,
        at: tuple[Index, Index, Index],
        short: bool,
    ) -> list[SSAValue]:
        """Start to load a chunk of a head's transposed keys; the tokens."""
        item, chunk, round_ = at
        source, memory, slot = k.values["kt_l2"], k.memory["kt"], s.mod(round_, self.slots)
        group = s.div(s.div(item, self.blocks), self.group)
        if self.kt_pitch is None:
            first = s.mul(s.add(s.mul(chunk, self.key_heads), group), self.size)
            return [s.transfer(source, [first], memory, [slot], [self.size, self.chunk])]
        place = [s.mul(group, self.size), s.mul(chunk, self.chunk)]
        count = self.chunk - (self.padding if short else 0)
        tokens = [s.transfer(source, place, memory, [slot], [self.size, count])]
        if short and self.short_slot is None:
            sizes = [self.size, self.padding]
            tokens.append(s.transfer(k.values["zeros"], [], memory, [slot, 0, count], sizes))
        return tokens

    def _place(self, s: StreamEmitter, item: Index, chunk: Index) -> Index:
        """Where spilled scores are."""
        return s.add(s.mul(s.mod(item, 2), self.chunks), chunk)

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
                s.insert(DrainOp())

            s.leader(all_parts)

        if self.queued:
            rows(False)
            return
        final = s.add(s.computed[CHUNKS], -1)
        s.when(chunk, "ne", final, lambda: rows(False))
        s.when(chunk, "eq", final, lambda: rows(True))

    def _emit_jobs(self, s: StreamEmitter, row: Callable[[Index], None]) -> None:
        s.loop(0, self.rows, row)
        s.insert(DrainOp())

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
