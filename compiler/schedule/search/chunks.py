"""The choice of chunks for attention over many keys: closed forms, and the search they guide."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.operation_machine import machine_for
from softex_mlir.compiler.schedule.kernels.attention.chunked import ChunkedAttentionKernel
from softex_mlir.compiler.schedule.kernels.attention.chunked_geometry import MAX_ROWS
from softex_mlir.compiler.schedule.kernels.attention.whole_rows import AttentionKernel
from softex_mlir.compiler.schedule.kernels.transposition import TransposeKernel
from softex_mlir.compiler.schedule.search.attention import attention_candidates, attention_cycles
from softex_mlir.compiler.transforms.transformer.split_token_sums import MOST, PART
from softex_mlir.dialects.transformer import AttentionOp, padded_keys
from softex_mlir.dialects.transformer_attention import KEY_BLOCK, KEY_UNIT
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.redmule import refills_late, shortest_inner
from softex_mlir.isa_sim.units.softex_jobs import padded_length

PARTS = (PART, KEY_UNIT)
"""Where values of more than `MOST` keys are added, those of a partial sum; fewer where chunks of so
many do not fit the TCDM. Sums of up to 4,096 keys that weigh alike are off by up to 2 % where
values are random, by up to 5 % where they are equal: by what a chain of 64 roundings loses."""

HALF_LINE = 16
"""What a row of scores is a multiple of, in elements."""

MAX_CHUNK = 512
"""Longer chunks save nothing that matters of SoftEx's cycles a job."""


def shortest_row(machine: Machine) -> int:
    """The fewest scores in a row that the units take."""
    softex, redmule = machine.softex, machine.redmule
    return max(
        1 if softex is None else padded_length(softex, 1),
        1 if redmule is None else shortest_inner(redmule),
    )


def chunk_lengths(machine: Machine, keys: int, summed: int | None = None) -> tuple[int, ...]:
    """Lengths worth trying: whole lines, or partial sums of values, that leave little of the last
    chunk empty."""
    unit = summed or KEY_UNIT
    line = unit if machine.redmule is None else math.lcm(unit, machine.redmule.columns)
    shortest = round_up(shortest_row(machine), line)
    longest = max(shortest, min(MAX_CHUNK, round_up(keys, line)))
    counts = range(-(-keys // longest), -(-keys // shortest) + 1)
    lengths = {round_up(-(-keys // count), line) for count in counts}
    return tuple(sorted(length for length in lengths if length >= shortest)) or (shortest,)


def candidates(
    kernel: ChunkedAttentionKernel, lengths: Iterable[int]
) -> Iterator[ChunkedAttentionKernel]:
    """Variants of a kernel with chunks of these lengths."""
    machine = kernel.machine
    unit = 8 if machine.redmule is None else machine.redmule.rows
    most = MAX_ROWS if machine.softex is not None else kernel.queries
    sizes = {-(-kernel.queries // -(-kernel.queries // rows)) for rows in range(unit, most, unit)}
    sizes |= {rows for rows in (1, unit // 2) if rows <= kernel.queries}
    if kernel.summed is not None and machine.softex is None and machine.redmule is not None:
        # the softmax of the cores has no chunks, and stays in place: a part is what RedMulE reads
        lengths = (kernel.summed,)
    for length in lengths:
        for rows in sorted(sizes):
            for spilled in (False, True) if machine.softex is not None else (False,):
                yield replace(kernel, chunk=length, rows=rows, spilled=spilled)


def best_chunks(
    kernel: ChunkedAttentionKernel, lengths: Iterable[int], end: int
) -> ChunkedAttentionKernel | None:
    """The cheapest variant that ends before TCDM offset `end`."""
    fitting = (f for f in candidates(kernel, lengths) if f.end <= end and f.is_computed)
    return min(fitting, key=lambda found: found.total_cycles, default=None)


def score_columns(machine: Machine, keys: int) -> int:
    """Columns of a row of scores in the TCDM: more than the operation's where the units take no
    rows so short, fewer if they are whole beats of SoftEx and steps of RedMulE. What lies behind
    the keys is minus infinity, then zero."""
    fewer = round_up(keys, HALF_LINE)
    softex, redmule = machine.softex, machine.redmule
    shortest = shortest_row(machine)
    whole = padded_keys(max(keys, shortest))
    if fewer < max(2 * HALF_LINE, shortest) or (softex is not None and fewer % softex.lanes):
        return whole
    if redmule is not None and (fewer % redmule.columns or refills_late(fewer, redmule)):
        return whole
    return fewer


def whole_kernel(
    machine: Machine, op: AttentionOp, offset: int, keys: int | None = None
) -> AttentionKernel:
    """Attention by whole rows of scores, operands dense; rows and slots are to be chosen. `keys`
    are those to look at, all by default."""
    heads, size, value_size = op.heads.value.data, op.head_size, op.value_size
    key_heads = op.heads_of_keys
    keys = op.keys if keys is None else keys
    machine = machine_for(op, machine)
    padded = score_columns(machine, keys)
    return AttentionKernel(
        machine,
        queries=op.queries,
        keys=keys,
        padded=padded,
        heads=heads,
        key_heads=key_heads,
        wide=op.wide is not None,
        size=size,
        inner=op.inner,
        value_size=value_size,
        rows=op.queries,
        transposed_slots=2,
        value_slots=1,
        score_slots=3,
        # in attention by chunks, and to caches, only chunks have partial sums
        summed=padded if op.chunk or op.position or op.summed is None else op.summed,
        bias_per_query=op.bias_rows.data in ("query", "batch_query"),
        bias_step=padded_keys(op.keys) if op.bias_by_head else 0,
        q_pitch=heads * size,
        q_step=size,
        k_pitch=key_heads * size,
        turned=op.position is not None,
        v_pitch=key_heads * value_size,
        bias_pitch=padded,
        out_pitch=heads * value_size,
        out_step=value_size,
        offset=offset,
    )


def chunked_kernel(
    machine: Machine, op: AttentionOp, offset: int, keys: int | None = None
) -> ChunkedAttentionKernel:
    """Attention by chunks of keys, operands dense; chunk, rows and memory are to be chosen. `keys`
    are those to look at, all by default."""
    heads, size, value_size = op.heads.value.data, op.head_size, op.value_size
    key_heads = op.heads_of_keys
    keys = op.keys if keys is None else keys
    return ChunkedAttentionKernel(
        machine_for(op, machine),
        queries=op.queries,
        keys=keys,
        heads=heads,
        key_heads=key_heads,
        wide=op.wide is not None,
        size=size,
        inner=op.inner,
        value_size=value_size,
        rows=1,
        chunk=op.chunk or KEY_UNIT,
        summed=op.summed,
        spilled=False,
        bias_per_query=op.bias_rows.data in ("query", "batch_query"),
        bias_step=padded_keys(op.keys) if op.bias_by_head else 0,
        q_pitch=heads * size,
        q_step=size,
        kt_pitch=None if op.position is None else op.keys,
        v_pitch=key_heads * value_size,
        bias_pitch=padded_keys(keys),
        out_pitch=heads * value_size,
        out_step=value_size,
        offset=offset,
    )


def chunks_of(
    machine: Machine, op: AttentionOp, offset: int
) -> tuple[int | None, int | None, int | None]:
    """Keys of a chunk, of a partial sum of the values in it, and of a cache those that go by whole
    rows; None for whole rows of scores, for one chain, and for as many as a chunk has.

    Attention to a cache has partial sums in its chunks at any capacity, so that it changes no bit.
    """
    machine = machine_for(op, machine)
    if op.position is None:
        for part in PARTS if op.keys > MOST and op.wide is None else (None,):
            chunk = key_chunk(machine, op, offset, part)
            if chunk is not None:
                return chunk, part, None
        return None, None, None
    for part in PARTS if op.wide is None else (None,):
        found = cache_chunk(machine, op, offset, part)
        if found is not None:
            chunk, whole = found
            if op.keys <= whole:
                break
            return chunk, part, None if whole == chunk else whole
    return None, None, None


def key_chunk(
    machine: Machine, op: AttentionOp, offset: int, summed: int | None = None
) -> int | None:
    """Keys of a chunk for an attention on a machine, whose values have partial sums of `summed`
    keys; None if whole rows are as fast and have no partial sums, or nothing fits.

    Chosen as for as many queries as keys: a row has the same bits whichever other rows are read.
    """
    end, queries = machine.cluster.tcdm_bytes, op.keys
    chunked = replace(chunked_kernel(machine, op, offset), queries=queries, summed=summed)
    found = best_chunks(chunked, chunk_lengths(machine, op.keys, summed), end)
    if found is None or summed is not None:
        return None if found is None else found.chunk
    all_rows = replace(whole_kernel(machine, op, offset), queries=queries, rows=queries)
    whole = attention_candidates(all_rows, end)
    turn = max(transposition(found, found.size, offset).cycles())
    if whole is not None and attention_cycles(whole) <= turn + found.total_cycles:
        return None
    return found.chunk


def cache_chunk(
    machine: Machine, op: AttentionOp, offset: int, summed: int | None = None
) -> tuple[int, int] | None:
    """Keys of a chunk for an attention to a cache whose values have partial sums of `summed` keys
    in chunks, and how many keys go by whole rows: as many as a prefill's queries can look at so,
    more of them by chunks of a block, or of the fewest that the units compute. None if nothing
    fits, and where sums in f32 have whole rows of any length."""
    end = machine.cluster.tcdm_bytes
    if summed is None:
        # rows of scores are whole in the TCDM: these sums have no SoftEx
        whole = replace(whole_kernel(machine, op, offset), queries=KEY_BLOCK)
        if attention_candidates(whole, end) is not None:
            return None
        chunked = replace(chunked_kernel(machine, op, offset), queries=KEY_BLOCK)
        found = best_chunks(
            replace(chunked, bias_per_query=True), chunk_lengths(machine, op.keys), end
        )
        return None if found is None else (found.chunk, found.chunk)
    lengths = range(KEY_BLOCK, MOST + 1, KEY_BLOCK)

    def fits_in_rows(keys: int) -> bool:
        whole = replace(whole_kernel(machine, op, offset, keys), queries=KEY_BLOCK)
        return attention_candidates(whole, end) is not None

    def fits_in_chunks(chunk: int) -> bool:
        chunked = chunked_kernel(machine, op, offset, 2 * MOST)
        chunked = replace(chunked, queries=KEY_BLOCK, bias_per_query=True, summed=summed)
        return best_chunks(chunked, (chunk,), end) is not None

    rows = next(filter(fits_in_rows, reversed(lengths)), None)
    chunk = next(filter(fits_in_chunks, lengths), None)
    return None if rows is None or chunk is None else (chunk, rows)


def transposition(kernel: ChunkedAttentionKernel, pitch: int, offset: int) -> TransposeKernel:
    """The kernel that lays out the keys, their rows `pitch` elements apart."""
    return TransposeKernel(
        *(kernel.machine, kernel.keys, kernel.chunk, kernel.key_heads, kernel.size, pitch),
        out_pitch=None,
        offset=offset,
    )
