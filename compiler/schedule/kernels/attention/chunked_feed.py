"""The `dma_in` stream of attention by chunks of keys: loads of a round, and what is loaded once."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from softex_mlir.compiler.schedule.kernels.attention.chunked_rounds import CHUNKS, ChunkedRounds
from softex_mlir.compiler.schedule.kernels.emitter import IN, OUT, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import KernelEmitter


@dataclass(frozen=True)
class ChunkedFeed(ChunkedRounds):
    """Loads of a round, and what is loaded once."""

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
