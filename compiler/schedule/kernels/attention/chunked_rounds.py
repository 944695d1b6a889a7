"""Rounds of attention by chunks of keys: how streams go through them and wait for each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from softex_mlir.compiler.schedule.kernels.attention.chunked_geometry import ChunkedAttention
from softex_mlir.compiler.schedule.kernels.attention.whole_rows import first_query
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, OUT, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import KernelEmitter
from softex_mlir.dialects.cluster import StreamKind

CHUNKS = "chunks"
"""How many chunks there are, as a stream knows it."""


@dataclass(frozen=True)
class ChunkedRounds(ChunkedAttention):
    """What all streams of attention by chunks have in common."""

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

    def _query_slot(self, s: StreamEmitter, item: Index, round_: Index) -> Index:
        """Where the queries of a round are."""
        return s.mod(round_ if self.with_queries else item, self.slots)

    def _place(self, s: StreamEmitter, item: Index, chunk: Index) -> Index:
        """Where spilled scores are."""
        return s.add(s.mul(s.mod(item, 2), self.chunks), chunk)
